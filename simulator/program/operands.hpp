// Turns the operands of one statement into Refs: checks them against the row's shape, creates constants, and asks for
// width adapters where ld, st and cvt name wider registers than their type.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "program/scopes.hpp"
#include "program/shape.hpp"

namespace sim::lowering {

class OperandResolver {
 public:
  OperandResolver(const ptx::Source& source, const Scopes& scopes, Entry& entry)
      : source_(source), scopes_(scopes), entry_(entry) {}

  // Appends to entry.operations the statement's operation with its adapters. `shapes`: the rows of this opcode, the
  // first that fits is taken. `operands` may leave out what the form's name already says. Throws ptx::Error with a
  // caret when none fits or a name is not declared.
  void emit(const ptx::Statement& statement, const SourceLocation& location, std::span<const FormShape> shapes,
            std::span<const ptx::Operand> operands);

  // Same for an operation without operands or form: unknown instructions keep their place in the code.
  void emit_unknown(const ptx::Statement& statement, const SourceLocation& location);

 private:
  struct Mismatch {
    std::string reason;
    ptx::Position position;
  };
  using Assignment = std::vector<const ptx::Operand*>;  // per operand of the shape; nullptr: omitted
  std::optional<Mismatch> match(const FormShape& shape, std::span<const ptx::Operand> operands, Assignment& assignment);
  std::string mismatch(const OperandShape& shape, const ptx::Operand& operand, bool is_destination);
  std::string register_mismatch(uint16_t bits, const ptx::Operand& operand, bool is_destination);
  std::string predicate_mismatch(const ptx::Operand& operand, bool is_destination);

  void add_operand(Operation& operation, const OperandShape& shape, const ptx::Operand* operand, DestinationUse use);
  void add_element(OperandShape::Kind kind, uint16_t bits, const ptx::Operand* operand, DestinationUse use);
  void add_register(uint16_t bits, const ptx::Operand& operand, DestinationUse use);
  void add_base(Operation& operation, const ptx::Operand& address);
  void add_labels(Operation& operation, const ptx::Operand& operand);
  Ref guard_of(const ptx::Statement& statement);
  Ref predicate(const ptx::Operand& operand, DestinationUse use);
  Ref constant(uint16_t bits, uint64_t value, const ptx::Variable* symbol = nullptr);
  Ref special(const SpecialRegister& special);
  Symbol find(const ptx::Operand& operand);
  Ref narrow_source(uint16_t bits, const Symbol& symbol);
  Ref widen_destination(uint16_t bits, const Symbol& symbol);
  Operation adapter(Handler handler, int64_t imm, const Ref& destination, const Ref& source);

  const ptx::Source& source_;
  const Scopes& scopes_;
  Entry& entry_;

  // Of the statement being emitted.
  const ptx::Statement* statement_ = nullptr;
  SourceLocation location_;
  Ref guard_;
  int addresses_ = 0;
  std::vector<Ref> refs_;
  std::vector<Operation> after_;  // adapters of destinations

  struct ConstantKey {
    const ptx::Variable* symbol;
    uint64_t value;
    uint16_t bytes;
    bool operator==(const ConstantKey&) const = default;
  };
  struct ConstantHash {
    size_t operator()(const ConstantKey& key) const {
      return (key.value + key.bytes) * 0x9e3779b97f4a7c15u ^ reinterpret_cast<size_t>(key.symbol);
    }
  };
  std::unordered_map<ConstantKey, uint32_t, ConstantHash> constants_;
};

}  // namespace sim::lowering

// One entry between the statement tree and the executable form: operands are resolved to virtual registers, constants
// and special registers, but nothing has a slot yet. Liveness and slot assignment work on this.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/form.hpp"
#include "program/program.hpp"
#include "ptx/module_ast.hpp"

namespace sim::lowering {

struct Ref {
  enum class Kind : uint8_t {
    kRegister,       // id: virtual register
    kPredicate,      // id: virtual register without bytes
    kConstant,       // id: index into Entry::constants
    kSpecial,        // id: index into Entry::specials
    kSink,           // `_` or an omitted register
    kNoPredicate,    // `_` or an omitted predicate
    kTruePredicate,  // preds[0]; negated: constant false
    kLabel,          // id: label; a branch table's targets become instruction indices
    kNumber,         // id itself
  };
  Kind kind = Kind::kNumber;
  bool is_negated = false;
  bool is_use = false, is_def = false;
  uint32_t id = 0;
};

inline constexpr uint32_t kNoLabel = 0xffffffffu;

struct Operation {
  const ptx::Statement* statement = nullptr;
  const Form* form = nullptr;  // nullptr: `adapter` executes, or the form is unknown
  Handler adapter = nullptr;
  int64_t imm = 0;  // of the adapter
  uint32_t first_ref = 0, ref_count = 0;
  uint32_t label = kNoLabel;  // branch target
  Ref guard{Ref::Kind::kTruePredicate};
  bool is_guarded() const { return guard.kind == Ref::Kind::kPredicate; }
  uint8_t wide_base = 0;
  int32_t offset[kMaxAddresses] = {};
  SourceLocation location;

  // Lanes that execute it do not go on to the next operation.
  bool ends_flow() const {
    if (is_guarded() || form == nullptr) return false;
    const std::string_view opcode = statement->tokens[0];
    return opcode == "bra" || opcode == "brx" || opcode == "exit" || opcode == "ret" || opcode == "trap";
  }
};

struct Constant {
  uint8_t bytes = 4;
  uint64_t value = 0;                     // with a symbol: the addend
  const ptx::Variable* symbol = nullptr;  // its address is known when all variables of the entry are placed
};

struct SpecialUse {
  Special special{};
  uint8_t bytes = 4;
};

struct Entry {
  std::vector<Operation> operations;
  std::vector<Ref> refs;
  std::vector<uint8_t> register_bytes;  // per virtual register and lane: 4, 8, 16; 0: a predicate
  std::vector<Constant> constants;
  std::vector<SpecialUse> specials;
  std::vector<uint32_t> label_positions;  // per label: index of the operation behind it

  const Ref* refs_of(const Operation& operation) const { return refs.data() + operation.first_ref; }
};

// First and last operation at which a virtual register holds a value that may be read. first > last: never used.
struct Interval {
  uint32_t first = 0xffffffffu, last = 0;
};
std::vector<Interval> live_intervals(const Entry& entry);

// The most registers of 32 bits that hold such values at one place.
uint32_t register_pressure(const Entry& entry);
// What ptxas would give a kernel of that pressure, within the bounds that it is given.
uint32_t estimate_registers(const Kernel& kernel, uint32_t pressure);

struct SlotPlan {
  std::vector<uint32_t> location;  // per virtual register: byte offset of its slot; of a predicate: index into preds
  uint32_t bytes = 0;
  uint32_t pred_count = 1;  // preds[0] is constant true
};
SlotPlan assign_slots(const Entry& entry, const std::vector<Interval>& intervals);

}  // namespace sim::lowering

// What a name means at a place in an entry: registers, variables, parameters, functions, special registers, labels.
// Inline assembly opens scopes that redeclare registers and labels, so each `{ }` has its own tables.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "program/ir.hpp"
#include "ptx/module_ast.hpp"

namespace sim::lowering {

struct Symbol {
  enum class Kind : uint8_t { kNone, kRegister, kVariable, kCallParam, kFunction, kSpecial };
  Kind kind = Kind::kNone;
  ptx::Type type{};  // of a register
  uint32_t id = 0;   // virtual register
  const ptx::Variable* variable = nullptr;
  const struct SpecialRegister* special = nullptr;
};

struct SpecialRegister {
  std::string_view name;
  Special special;
  uint8_t bytes;
  bool is_dynamic;  // changes while a kernel runs, or is a predicate: part of the form, see ops/form.hpp
};
const SpecialRegister* find_special(std::string_view name);

// Walks an entry in source order: open() and close() follow the items, find() answers for the innermost scope.
class Scopes {
 public:
  // Creates virtual registers in `entry` as declarations are met. Throws ptx::Error for names declared twice.
  Scopes(const ptx::Source& source, const ptx::Tree& tree, const ptx::Function& function, Entry& entry);

  void open();
  void close();
  void declare(const ptx::RegisterDecl& decl);
  void declare(const ptx::Variable& variable);
  void place_label();  // the next label of the body stands here

  Symbol find(std::string_view name) const;
  uint32_t find_label(std::string_view name) const;  // kNoLabel: none in sight
  const ptx::BranchTable* find_table(std::string_view name) const;

 private:
  struct Range {
    const ptx::RegisterDecl* decl;
    uint32_t first_id;
  };
  struct Scope {
    int parent;
    std::vector<Range> ranges;
    std::unordered_map<std::string_view, Symbol> names;
    std::unordered_map<std::string_view, uint32_t> labels;
    std::unordered_map<std::string_view, const ptx::BranchTable*> tables;
  };
  uint32_t new_registers(const ptx::Type& type, uint32_t count);
  void add_name(std::string_view name, const Symbol& symbol, ptx::Position position);
  void collect_labels(const ptx::Body& body);

  const ptx::Source& source_;
  Entry& entry_;
  std::vector<Scope> scopes_;  // 0: module, 1: function, then in order of their `{`
  int current_ = 1;
  int opened_ = 1;  // index of the last scope that open() entered
  uint32_t labels_placed_ = 0;
};

}  // namespace sim::lowering

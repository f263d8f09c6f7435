// The tree of a whole PTX file above the single statement (ast.hpp): variables, functions and their bodies. A body is a
// flat list of items in source order; kOpen and kClose mark the nested scopes, which lowering resolves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "program/program.hpp"
#include "ptx/ast.hpp"
#include "ptx/lexer.hpp"

namespace sim::ptx {

struct Type {
  char kind = 'b';     // b, u, s, f (with bf16, tf32 and the narrow formats), p for .pred
  uint16_t bits = 32;  // of .pred: 1
};

// `.reg .b32 %r<12>` is one declaration with count 12; `.reg .pred P1` has count 0.
struct RegisterDecl {
  std::string_view name;
  Type type;
  uint32_t count = 0;
  Position position;
};

enum class VariableSpace : uint8_t { kShared, kGlobal, kConst, kLocal, kParam };

struct Variable {
  struct Relocation {
    size_t element;  // which of `values` takes the symbol's address
    std::string_view symbol;
    Position position;
  };
  VariableSpace space = VariableSpace::kGlobal;
  std::string_view name;
  Type type;
  uint32_t align = 1;
  uint64_t bytes = 0;            // 0: `name[]`, only for extern arrays
  bool is_extern = false;        // declared here, defined elsewhere; shared: the launch's dynamic memory
  bool is_managed = false;       // .attribute(.managed): host and card share it
  std::vector<uint64_t> values;  // initialiser, one per element; missing ones are zero. With a relocation: the addend
  std::vector<Relocation> relocations;
  Position position;
};

struct Label {
  std::string_view name;
  Position position;
};

struct BranchTable {
  std::string_view name;
  std::vector<Label> targets;
};

struct Item {
  enum class Kind : uint8_t { kStatement, kLabel, kBranchTable, kRegisters, kVariable, kOpen, kClose };
  Kind kind;
  uint32_t index = 0;  // into the list of that kind
};

struct Body {
  std::vector<Item> items;
  std::vector<Statement> statements;
  std::vector<SourceLocation> locations;  // parallel to statements
  std::vector<Label> labels;
  std::vector<BranchTable> tables;
  std::vector<RegisterDecl> registers;
  std::vector<Variable> variables;
};

struct Function {
  std::string_view name;
  Position position;
  bool is_entry = false;
  bool has_body = false;
  std::vector<Variable> params;
  Body body;
  uint32_t reqntid[3] = {0, 0, 0}, maxntid[3] = {0, 0, 0}, required_cluster[3] = {0, 0, 0};
  uint32_t max_nreg = 0, min_ctas_per_sm = 0;
  uint32_t max_cluster_rank = 0;
  bool is_explicit_cluster = false, blocks_are_clusters = false;
};

struct Tree {
  std::string_view target;
  std::vector<std::string> files{""};  // .file indices start at 1
  std::vector<InlineSite> inline_sites;
  std::vector<Variable> variables;
  std::vector<Function> functions;
};

// Parses a whole file. The tree points into source.text. Throws Error.
Tree parse(const Source& source);

}  // namespace sim::ptx

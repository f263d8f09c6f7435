// The statement tree of a PTX file: what the parser produces and program/lower.cpp consumes. Positions travel in every
// node.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim::ptx {

struct Position {
  uint32_t line = 0, column = 0;  // 1-based
};

// A syntax or semantic error; what() has file:line:column, the source line and a caret under the column.
struct Error : std::runtime_error {
  uint32_t line;
  std::string complaint;  // without place and caret
  Error(const std::string& text, uint32_t at, std::string what)
      : std::runtime_error(text), line(at), complaint(std::move(what)) {}
};

struct Operand {
  enum class Kind : uint8_t {
    kName,     // register, special register (%tid.x), variable, label, function: lowering tells which
    kInteger,  // `value` holds the bits
    kFloat32,  // 0f3F800000; bits in `value`
    kFloat64,  // 0d... or a decimal literal with a point; bits in `value`
    kAddress,  // [base + offset]: parts[0] is the base (kName or kInteger), offset in `value`
    kTensor,   // [map, {coords}]: parts[0] = base operand, parts[1] = kVector
    kVector,   // {a, b, ..}: parts
    kPair,     // a|b: parts[0], parts[1]
    kSink,     // _
  };
  Kind kind = Kind::kName;
  bool is_negated = false;  // !p
  bool is_minus = false;    // -reg (accepted in a few forms), literals carry their sign in `value`
  std::string_view name;
  uint64_t value = 0;
  std::vector<Operand> parts;
  Position position;
};

// One instruction as written. `opcode` is the full dotted form, e.g. "ld.global.nc.v4.u32".
struct Statement {
  Position position;
  std::string opcode;
  // The opcode split at single dots: {"ld", "global", "nc", "v4", "u32"}; `::` stays inside a token.
  std::vector<std::string_view> tokens;
  std::vector<Operand> operands;
  std::string_view guard;  // predicate register, empty when there is none
  bool is_guard_negated = false;
  std::string_view text;  // source text without the guard and the semicolon

  bool has(std::string_view token) const {
    for (const auto& t : tokens)
      if (t == token) return true;
    return false;
  }
};

}  // namespace sim::ptx

// Reads the operand strings of the instruction table: "v4r32 v4r32 v2r32 v4r32", "r32|p r32 r32 r32 r32", "[a] r64?
// p?".
#include "program/shape.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace sim::lowering {
namespace {

// Opcodes whose first operand is a register or constant that is only read. (Stores begin with an address.)
constexpr std::string_view kWithoutDestination[] = {
    "bar",     "barrier", "brx",     "cp",         "nanosleep",      "call",
    "discard", "fence",   "pmevent", "setmaxnreg", "griddepcontrol", "stackrestore"};

[[noreturn]] void complain(const Form& form, std::string_view word) {
  throw std::logic_error("instruction table: operand `" + std::string(word) + "` of `" + std::string(form.pattern) +
                         "` cannot be read");
}

bool take_number(std::string_view& word, uint16_t& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{}) return false;
  word.remove_prefix(static_cast<size_t>(end - word.data()));
  return true;
}

bool take_kind(std::string_view& word, OperandShape::Kind& kind, uint16_t& bits) {
  if (word.starts_with('p')) {
    word.remove_prefix(1);
    kind = OperandShape::Kind::kPredicate;
    return true;
  }
  if (!word.starts_with('r')) return false;
  word.remove_prefix(1);
  kind = OperandShape::Kind::kRegister;
  return take_number(word, bits) && (bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128);
}

OperandShape parse_operand(const Form& form, std::string_view word) {
  const std::string_view whole = word;
  OperandShape shape;
  if (word.ends_with('?')) {
    shape.is_optional = true;
    word.remove_suffix(1);
  }
  if (word == "[a]") {
    shape.kind = OperandShape::Kind::kAddress;
  } else if (word == "[t,r32]") {
    shape.kind = OperandShape::Kind::kTensor;
  } else if (word == "l") {
    shape.kind = OperandShape::Kind::kLabel;
  } else {
    if (word.starts_with('v')) {
      word.remove_prefix(1);
      if (!take_number(word, shape.list) || shape.list == 0) complain(form, whole);
    }
    if (!take_kind(word, shape.kind, shape.bits)) complain(form, whole);
    if (word.starts_with('|')) {
      word.remove_prefix(1);
      shape.has_second = true;
      if (!take_kind(word, shape.second, shape.second_bits)) complain(form, whole);
    }
    if (!word.empty()) complain(form, whole);
  }
  return shape;
}

}  // namespace

FormShape parse_shape(const Form& form) {
  FormShape shape{&form, {}};
  std::string_view rest = form.operands;
  for (;;) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (rest.empty()) return shape;
    const std::string_view word = rest.substr(0, rest.find(' '));
    shape.operands.push_back(parse_operand(form, word));
    rest.remove_prefix(word.size());
  }
}

DestinationUse destination_of(const ptx::Statement& statement, const FormShape& shape) {
  if (shape.operands.empty()) return {};
  const OperandShape::Kind kind = shape.operands[0].kind;
  if (kind != OperandShape::Kind::kRegister && kind != OperandShape::Kind::kPredicate) return {};
  const std::string_view opcode = statement.tokens[0];
  if (opcode == "bar" || opcode == "barrier") return {statement.has("red"), false};
  if (opcode == "wgmma") return {statement.has("mma_async"), statement.has("mma_async")};
  const bool is_source = std::find(std::begin(kWithoutDestination), std::end(kWithoutDestination), opcode) !=
                         std::end(kWithoutDestination);
  return {!is_source, false};
}

}  // namespace sim::lowering

// What the PTX ISA says that an instruction computes: source bits in, destination bits out, for one thread. Written
// from the manual's pseudo-code and on exact arithmetic, apart from the handlers that it judges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sim::test {

using Words = std::vector<uint64_t>;

struct Opcode {
  explicit Opcode(const std::string& dotted);
  std::string text;
  std::vector<std::string> tokens;
  bool has(const char* token) const;
  const std::string& name() const { return tokens[0]; }
  const std::string& type() const { return tokens.back(); }
  // Result type of cvt and set: the last but one.
  const std::string& result_type() const { return tokens[tokens.size() - 2]; }
};

bool is_float_type(const std::string& type);
int bits_of(const std::string& type);

// Destination words in operand order; predicates are 0 or 1. Nothing: the reference does not know the instruction.
std::optional<Words> reference(const Opcode& op, const Words& in);
std::optional<Words> integer_reference(const Opcode& op, const Words& in);
std::optional<Words> float_reference(const Opcode& op, const Words& in);
std::optional<Words> convert_reference(const Opcode& op, const Words& in);

// Whether `got` is right where the reference says `want`: equal, or within the error that the ISA grants (division by
// approximation; f64 approximations), or any NaN of a 64-bit format.
bool agrees(const Opcode& op, const Words& in, const Words& got, const Words& want);

}  // namespace sim::test

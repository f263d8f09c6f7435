// Form::operands, parsed: what each operand of a form must be.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/form.hpp"

namespace sim::lowering {

struct OperandShape {
  enum class Kind : uint8_t { kRegister, kPredicate, kAddress, kTensor, kLabel };
  Kind kind = Kind::kRegister;
  uint16_t bits = 32;  // of a register (of each, in a list; of each coordinate)
  uint16_t list = 0;   // > 0: brace list of so many
  bool is_optional = false;
  bool has_second = false;  // `a|b`: the second of a destination pair, itself optional
  Kind second = Kind::kPredicate;
  uint16_t second_bits = 32;

  size_t ref_count() const { return (list > 0 ? list : 1) + (has_second ? 1 : 0); }
};

struct FormShape {
  const Form* form = nullptr;
  std::vector<OperandShape> operands;
};

// Throws std::logic_error for a row whose operand string cannot be read.
FormShape parse_shape(const Form& form);

// Whether operand 0 is written, and whether it is read as well (accumulators of wgmma).
struct DestinationUse {
  bool is_written = false, is_read = false;
};
DestinationUse destination_of(const ptx::Statement& statement, const FormShape& shape);

}  // namespace sim::lowering

// The instruction table of this simulator: joins the rows of all ops/*.cpp.
#include "ops/table.hpp"

#include <stdexcept>

namespace sim {

const FormTable& form_table() {
  static const FormTable table = [] {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))  // F16C is older than AVX2
      throw std::runtime_error("the simulator needs a processor with AVX2, FMA, BMI2 and F16C (x86-64-v3)");
    const std::span<const Form> groups[] = {
        alu_forms(),  float_forms(),  compare_forms(), convert_forms(),        memory_forms(), control_forms(),
        warp_forms(), matrix_forms(), mma_forms(),     convert_narrow_forms(), async_forms(),
    };
    return FormTable(groups);
  }();
  return table;
}

const Form* find_form(std::string_view dotted_opcode) {
  const auto found = form_table().find(dotted_opcode);
  return found.empty() ? nullptr : found.front();
}

}  // namespace sim

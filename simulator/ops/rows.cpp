// All rows of this build of the handlers, in the order of Group.
#include "ops/table.hpp"

namespace sim {

std::span<const std::span<const Form>> form_groups() {
  static const std::span<const Form> groups[] = {
      alu_forms(),         float_forms(),      compare_forms(),        convert_forms(), memory_forms(),
      control_forms(),     warp_forms(),       matrix_forms(),         mma_forms(),     mma_double_forms(),
      mma_integer_forms(), mma_sparse_forms(), convert_narrow_forms(), async_forms(),
  };
  return groups;
}

}  // namespace sim

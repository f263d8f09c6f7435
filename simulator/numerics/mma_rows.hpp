// mma_rows.hpp: the path of mma.hpp for processors with AVX2, and for the forms that have no AVX-512 path.
#pragma once

#include "mma.hpp"

namespace sim::numerics {

// Every floating-point form that kMmaRules has. Call only where the processor has AVX2.
template <Arch kArch>
void mma_rows(const MmaForm& form, const MmaOperands& operands);

}  // namespace sim::numerics

// mma_exact.hpp: the scalar paths of mma.hpp, in integers; the fast paths fall back to them for tiles with NaN or
// infinity.
#pragma once

#include "mma.hpp"

namespace sim::numerics {

// Every floating-point form that kMmaRules has.
template <Arch kArch>
void mma_exact_float(const MmaForm& form, const MmaOperands& operands);
// s8 and u8, s32 accumulators.
void mma_exact_integer(const MmaForm& form, const MmaOperands& operands);
// e4m3 and e5m2 as sm_90 executes them: two f16 mma (bytes 0 and 1 of each word, then 2 and 3 on top), then an f32
// addition of C.
void mma_exact_f8_by_f16(const MmaForm& form, const MmaOperands& operands);

}  // namespace sim::numerics

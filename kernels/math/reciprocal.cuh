// reciprocal.cuh: 1 / x, correctly rounded, in three instructions: one Newton step on the special function unit's
// answer, as nvcc's own 1.f / x has it in the middle of the range. Tried for all 2^23 significands
// (simulator/tests/numerics/mufu_test.cpp).
#pragma once

#include "kernels/ptx/device.h"
#include "kernels/ptx/mufu.cuh"

namespace b12x::math {

// 2^-126 <= |x| <= 2^126. Of larger finite x it makes 0: the unit flushes subnormal answers.
B12X_DEVICE float reciprocal(float x) {
  const float near = ptx::rcp_approx_ftz_f32(x);
  return fmaf(near, fmaf(-x, near, 1.f), near);
}

}  // namespace b12x::math

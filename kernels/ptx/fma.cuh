// fma.cuh: fused multiply-add with a clamp.
#pragma once

#include "kernels/ptx/device.h"

namespace b12x::ptx {

// fma.rn.sat.f32 d, a, b, c;   to [0, 1]; NaN gives +0
B12X_DEVICE float fma_rn_sat_f32(float a, float b, float c) {
  float d;
  asm("fma.rn.sat.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c));
  return d;
}

}  // namespace b12x::ptx

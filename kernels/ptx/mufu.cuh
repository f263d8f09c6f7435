// mufu.cuh: the special function unit.
#pragma once

#include "kernels/ptx/device.h"

namespace b12x::ptx {

// rcp.approx.ftz.f32 d, a;   within 1 ulp
B12X_DEVICE float rcp_approx_ftz_f32(float a) {
  float d;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}

}  // namespace b12x::ptx

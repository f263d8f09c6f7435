// packed.cuh: integer operations on two 16-bit halves at once.
#pragma once

#include <cstdint>

#include "kernels/ptx/device.h"

namespace b12x::ptx {

// max.u16x2 d, a, b;   PTX ISA 8.0, sm_90
B12X_DEVICE uint32_t max_u16x2(uint32_t a, uint32_t b) {
  uint32_t d;
  asm("max.u16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

// max.s16x2 d, a, b;   PTX ISA 8.0, sm_90
B12X_DEVICE uint32_t max_s16x2(uint32_t a, uint32_t b) {
  uint32_t d;
  asm("max.s16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

}  // namespace b12x::ptx

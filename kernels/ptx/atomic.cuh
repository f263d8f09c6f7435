// atomic.cuh: counters that blocks of one grid share.
#pragma once

#include <cstdint>

#include "kernels/ptx/device.h"

namespace b12x::ptx {

// atom.acq_rel.gpu.global.inc.u32 old, [counter], last;   PTX ISA 6.0, sm_70. old >= last ? 0 : old + 1, so a counter
// of n arrivals with last = n - 1 is 0 again after the n-th. What the thread has done or seen at a barrier comes before
// its arrival, and the n-th sees what came before the others'.
B12X_DEVICE uint32_t atom_inc_acq_rel_gpu(uint32_t* counter, uint32_t last) {
  uint32_t old;
  asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;" : "=r"(old) : "l"(counter), "r"(last) : "memory");
  return old;
}

}  // namespace b12x::ptx

// control.cuh: one lane of a warp, named barriers, and programmatic dependent launch.
#pragma once

#include <cstdint>
#include <cuda/ptx>

#include "kernels/ptx/device.h"

namespace b12x::ptx {

// elect.sync lane|elected, 0xFFFFFFFF;   PTX ISA 8.0, sm_90. True in one lane of the converged warp.
B12X_DEVICE bool elect_sync() { return cuda::ptx::elect_sync(0xFFFFFFFFu); }

// barrier.cta.sync.aligned id, threads;   PTX ISA 7.8. ids 1..15 are free; 0 is __syncthreads.
template <int id, int threads>
B12X_DEVICE void barrier_cta_sync() {
  asm volatile("barrier.cta.sync.aligned %0, %1;" ::"n"(id), "n"(threads) : "memory");
}

// setmaxnreg.inc.sync.aligned.u32 registers;   PTX ISA 8.0, sm_90a. All warps of the warpgroup; waits until they are
// free.
template <int registers>
B12X_DEVICE void setmaxnreg_inc() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}
// setmaxnreg.dec.sync.aligned.u32 registers;   PTX ISA 8.0, sm_90a
template <int registers>
B12X_DEVICE void setmaxnreg_dec() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}

// barrier.cta.arrive.aligned id, threads;   PTX ISA 7.8. Arrives and does not wait.
template <int id, int threads>
B12X_DEVICE void barrier_cta_arrive() {
  asm volatile("barrier.cta.arrive.aligned %0, %1;" ::"n"(id), "n"(threads) : "memory");
}

// griddepcontrol.wait;   PTX ISA 7.8, sm_90. Returns when the grids this one depends on have finished and their writes
// show.
B12X_DEVICE void griddepcontrol_wait() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

// griddepcontrol.launch_dependents;   PTX ISA 7.8, sm_90. Lets the next grid start its own set-up.
B12X_DEVICE void griddepcontrol_launch_dependents() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

}  // namespace b12x::ptx

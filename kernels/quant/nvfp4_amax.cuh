// nvfp4_amax.cuh: max |x| over the finite values of a matrix, and the global scale amax / 2688 that follows from it.
//
//   warp = one row at a time, lanes stride its columns -> warp maximum -> atomic maximum on the f32's bits (order-free)
//   the last block to arrive turns the bits into global_scale and sets the workspace back to zero
//
// An integer maximum does not depend on order, so the result is the same on every run. All zero (or nothing finite): 1.
#pragma once

#include <cstdint>

#include "kernels/math/element.cuh"
#include "kernels/math/fp4.h"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"

namespace b12x {

template <typename Element>
B12X_DEVICE void nvfp4_amax(const Nvfp4AmaxParams& p) {
  using Storage = typename Element::Storage;
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  const auto* x = static_cast<const Storage*>(p.x);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t first_row = int64_t{blockIdx.x} * Nvfp4AmaxTraits::kWarps + threadIdx.x / 32;
  const int64_t step = int64_t{gridDim.x} * Nvfp4AmaxTraits::kWarps;

  uint32_t max_bits = 0;
  for (int64_t row = first_row; row < p.rows; row += step) {
    const Storage* source = x + row * p.x_row_stride;
    for (int32_t column = lane; column < p.cols; column += 32) {
      float value[2];
      Element::unpack(source[column], value);
      const uint32_t bits = __float_as_uint(value[0]) & 0x7FFFFFFFu;
      max_bits = max(max_bits, bits < 0x7F800000u ? bits : 0u);
    }
  }
  max_bits = __reduce_max_sync(0xFFFFFFFFu, max_bits);

  uint32_t* const shared_max = &p.workspace[0];
  uint32_t* const arrived = &p.workspace[1];
  if (lane == 0) {
    atomicMax(shared_max, max_bits);
    __threadfence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    const bool last = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;  // wraps to zero with the last block
    if (last) {
      __threadfence();
      const float amax = __uint_as_float(atomicExch(shared_max, 0u));
      *p.global_scale = amax > 0.f ? __fdiv_rn(amax, math::kNvfp4AmaxToScale) : 1.f;
    }
  }
}

}  // namespace b12x

// nvfp4_amax.cuh: max |x| over the finite values of a matrix, and the global scale amax / 2688 that follows from it.
//
//   row   | unit 0: 4 x 32 lanes x 16 bytes | unit 1 | ... | unit, cut |       rows that touch each other are one line,
//   warp = one unit at a time, its four loads of a lane in flight at once       cut into units as if they were rows
//   lane maximum -> warp -> block -> atomic maximum on the f32's bits
//   the last block to arrive turns the bits into global_scale and sets the workspace back to zero
//
// An integer maximum does not depend on order, so the result is the same on every run. All zero (or nothing finite): 1.
#pragma once

#include <cstdint>

#include "kernels/math/element.cuh"
#include "kernels/math/fp4.h"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"
#include "kernels/tile/load_block.cuh"

namespace b12x {

// The largest finite magnitude of a unit's row part that begins at x and has `elements` of Traits::kUnitBytes, as f32
// bits.
template <typename Element>
B12X_DEVICE uint32_t amax_unit(const typename Element::Storage* x, int32_t elements, bool is_aligned, int lane) {
  using Traits = Nvfp4AmaxTraits;
  constexpr int kLaneWords = 4, kLaneElements = kLaneWords * Element::kPerWord;
  uint32_t words[Traits::kLoads][kLaneWords] = {};
  if (is_aligned && elements == Traits::unit_elements(sizeof(typename Element::Storage))) {
    for (int i = 0; i < Traits::kLoads; ++i) load_words<Element>(x + (32 * i + lane) * kLaneElements, true, words[i]);
  } else {
    for (int i = 0; i < Traits::kLoads; ++i) {
      for (int e = 0; e < kLaneElements; ++e) {
        const int32_t at = (32 * i + lane) * kLaneElements + e;
        if (at < elements) words[i][e / Element::kPerWord] |= uint32_t{x[at]} << (e % Element::kPerWord * 16);
      }
    }
  }
  uint32_t largest = 0;
  for (const auto& load : words) {
    for (const uint32_t word : load) largest = Element::max_finite(largest, word & Element::kMagnitude);
  }
  return Element::finite_bits(largest);
}

template <typename Element>
B12X_DEVICE void nvfp4_amax(const Nvfp4AmaxParams& p) {
  using Storage = typename Element::Storage;
  using Traits = Nvfp4AmaxTraits;
  constexpr int32_t kUnitElements = Traits::unit_elements(sizeof(Storage));
  __shared__ uint32_t of_warps[Traits::kWarps];
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  uint32_t largest = 0;
  for (uint32_t unit = blockIdx.x * Traits::kWarps + warp; unit < p.units; unit += gridDim.x * Traits::kWarps) {
    const uint32_t row = p.units_of_row.quotient(unit), part = unit - row * p.units_of_row.value;
    const int32_t cols = row == p.rows - 1 ? p.cols_of_last : p.cols;
    const auto* x = static_cast<const Storage*>(p.x) + row * p.x_row_stride + uint64_t{part} * kUnitElements;
    const int32_t left = cols - static_cast<int32_t>(part) * kUnitElements;
    largest = max(largest, amax_unit<Element>(x, min(left, kUnitElements), p.is_aligned != 0, lane));
  }
  largest = __reduce_max_sync(0xFFFFFFFFu, largest);
  if (lane == 0) of_warps[warp] = largest;
  __syncthreads();
  if (warp != 0) return;
  largest = __reduce_max_sync(0xFFFFFFFFu, lane < Traits::kWarps ? of_warps[lane] : 0u);
  if (lane != 0) return;
  if (gridDim.x > 1) {  // a block by itself needs no round trips to L2
    uint32_t* const shared_max = &p.workspace[0];
    atomicMax(shared_max, largest);
    // Zero again with the last block.
    if (ptx::atom_inc_acq_rel_gpu(&p.workspace[1], gridDim.x - 1) != gridDim.x - 1) return;
    largest = atomicExch(shared_max, 0u);
  }
  const float amax = __uint_as_float(largest);
  *p.global_scale = amax > 0.f ? __fdiv_rn(amax, math::kNvfp4AmaxToScale) : 1.f;
}

}  // namespace b12x

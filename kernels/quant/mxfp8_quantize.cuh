// mxfp8_quantize.cuh: activations -> e4m3 bytes + one ue8m0 byte for 32 neighbours of a row, scales row-major.
//
//   lane = 16 elements: two 16-byte loads (bf16), one 16-byte store      two lanes = a block; the even one stores its
//   scale warps in a row: 512 neighbouring elements each, rows one after another
//
// Per block:  byte = math::ue8m0_scale_of(blockmax), q = e4m3(x * 2^(127 - byte)), nearest even; the product is exact
// unless its result rounds to zero anyway. NaN is left out of blockmax and stays NaN (0x7F) in its element; Inf gives
// +-448 under the largest scale; values that round to zero are +0. Grid-stride; no shared memory.
#pragma once

#include <cstdint>

#include "kernels/math/element.cuh"
#include "kernels/math/mxfp8.h"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"
#include "kernels/tile/load_block.cuh"

namespace b12x {

template <typename Element>
B12X_DEVICE void mxfp8_quantize(const Mxfp8QuantizeParams& p) {
  using Storage = typename Element::Storage;
  using Traits = Mxfp8QuantizeTraits;
  constexpr int kValues = Traits::kLaneElements, kWords = kValues / Element::kPerWord;
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  const auto* x = static_cast<const Storage*>(p.x);
  for (uint32_t first = (blockIdx.x * Traits::kThreads + threadIdx.x) & ~31u; first < p.half_blocks;
       first += gridDim.x * Traits::kThreads) {
    const uint32_t half_block = first + threadIdx.x % 32;
    const bool exists = half_block < p.half_blocks;  // of both lanes of a block, or of none: blocks are whole
    const uint32_t row = p.half_blocks_of_row.quotient(half_block);
    const uint32_t of_row = half_block - row * p.half_blocks_of_row.value;
    float values[kValues] = {};
    if (exists) {
      uint32_t words[kWords];
      load_words<Element>(x + row * p.x_row_stride + int64_t{of_row} * kValues, p.is_aligned != 0, words);
      for (int i = 0; i < kWords; ++i) Element::unpack(words[i], &values[i * Element::kPerWord]);
    }
    float largest = 0.f;
    for (const float value : values) largest = fmaxf(largest, fabsf(value));  // a NaN loses
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
    if (!exists) continue;

    const uint32_t scale = math::ue8m0_scale_of(__float_as_uint(largest));
    const float factor = math::ue8m0_reciprocal(scale);
    uint32_t bytes[4];
    for (int i = 0; i < 4; ++i) {
      const float* four = &values[4 * i];
      const uint32_t low = ptx::cvt_rn_satfinite_e4m3x2_f32(four[1] * factor, four[0] * factor);
      const uint32_t high = ptx::cvt_rn_satfinite_e4m3x2_f32(four[3] * factor, four[2] * factor);
      bytes[i] = math::e4m3x4_positive_zeros(low | high << 16);
    }
    reinterpret_cast<uint4*>(p.values)[half_block] = {bytes[0], bytes[1], bytes[2], bytes[3]};
    if (half_block % 2 == 0) p.scales[half_block / 2] = static_cast<uint8_t>(scale);
  }
}

}  // namespace b12x

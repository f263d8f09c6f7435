// nvfp4_quantize.cuh: activations -> packed e2m1 + 128x4 swizzled e4m3 scales, plain or of silu(gate) * up; one matrix,
// or groups of equal size of which only the first row_counts[group] rows count.
//
//   warp = one sector of scales, 32 bytes = blocks 4a..4a+3 of rows r, r + 1, r + 32, r + 33, r + 64, r + 65, r + 96, r
//   + 97 lane = one scale byte = 16 elements: two 16-byte loads (bf16), one 8-byte store, one byte of the warp's sector
//   warps in a row: sectors along K, so that neighbouring warps read neighbouring 128 bytes of the same eight rows
//
// math/nvfp4_block.cuh has the arithmetic. Scale bytes of padding rows and columns are zero, and so is all of the rows
// that do not count. Grid-stride; no shared memory.
#pragma once

#include <cstdint>

#include "kernels/math/element.cuh"
#include "kernels/math/exp.h"
#include "kernels/math/nvfp4_block.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/quant/load_block.cuh"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"
#include "kernels/tile/scale_layout.h"

namespace b12x {

// gate = silu(gate) * up in f32, rounded to the input's type as a separate kernel would have stored it.
template <typename Element, int N>
B12X_DEVICE void silu_mul(uint32_t (&gate)[N], const uint32_t (&up)[N]) {
  for (int i = 0; i < N; ++i) {
    float g[2], u[2];
    Element::unpack(gate[i], g);
    Element::unpack(up[i], u);
    if constexpr (Element::kPerWord == 2) {
      gate[i] = Element::pack(math::silu_f32(g[0]) * u[0], math::silu_f32(g[1]) * u[1]);
    } else {
      gate[i] = __float_as_uint(math::silu_f32(g[0]) * u[0]);
    }
  }
}

template <typename Element, bool kSiluMul>
B12X_DEVICE void nvfp4_quantize(const Nvfp4QuantizeParams& p) {
  using Storage = typename Element::Storage;
  using Traits = Nvfp4QuantizeTraits;
  constexpr int kWords = math::kNvfp4Words<Element>;
  static_assert(Traits::kSectorBytes == tile::kSectorBytes);
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  const auto* x = static_cast<const Storage*>(p.x);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int32_t blocks = p.cols / math::kNvfp4Block;
  // The second half of a silu_mul row starts cols elements on: a multiple of 32 bytes, so it is aligned as the row is.
  const bool aligned = is_aligned<Element>(x, p.x_row_stride | p.x_group_stride);

  for (uint32_t sector = blockIdx.x * Traits::kWarps + threadIdx.x / 32; sector < p.sectors;
       sector += gridDim.x * Traits::kWarps) {
    const uint32_t sector_row = p.atoms_k.quotient(sector);  // over all groups
    const auto atom_k = static_cast<int32_t>(sector - sector_row * p.atoms_k.value);
    const uint32_t group = p.sector_rows_of_group.quotient(sector_row);
    const auto row_sector = static_cast<int32_t>(sector_row - group * p.sector_rows_of_group.value);
    const int32_t row =
        row_sector / tile::kAtomSectors * tile::kAtomRows + tile::sector_row(row_sector % tile::kAtomSectors, lane);
    const int32_t block = atom_k * tile::kAtomBlocks + tile::sector_block(lane);

    uint8_t scale = 0;
    if (row < p.rows && block < blocks) {
      const int32_t row_count = p.row_counts != nullptr ? p.row_counts[group] : p.rows;
      uint2 packed{0, 0};
      if (row < row_count) {
        const Storage* source = x + group * p.x_group_stride + row * p.x_row_stride + block * math::kNvfp4Block;
        uint32_t words[kWords];
        if constexpr (kSiluMul) {
          uint32_t up[kWords];
          load_words<Element>(source + (p.gate_first != 0 ? 0 : p.cols), aligned, words);
          load_words<Element>(source + (p.gate_first != 0 ? p.cols : 0), aligned, up);
          silu_mul<Element>(words, up);
        } else {
          load_words<Element>(source, aligned, words);
        }
        float global_scale = p.global_scale != nullptr ? p.global_scale[group * p.global_scale_stride] : 1.f;
        if (p.is_reciprocal != 0) global_scale = __frcp_rn(global_scale);
        const math::Nvfp4Block quantized = math::quantize_nvfp4_block<Element>(words, global_scale);
        packed = quantized.packed;
        scale = quantized.scale;
      }
      reinterpret_cast<uint2*>(p.packed)[(int64_t{group} * p.rows + row) * blocks + block] = packed;
    }
    const int64_t atom = int64_t{sector_row / tile::kAtomSectors} * p.atoms_k.value + atom_k;
    p.scales[atom * tile::kAtomBytes + sector_row % tile::kAtomSectors * tile::kSectorBytes + lane] = scale;
  }
}

}  // namespace b12x

// nvfp4_quantize.cuh: activations -> packed e2m1 + 128x4 swizzled e4m3 scales, plain or of silu(gate) * up; one matrix,
// or groups of equal size of which only the first row_counts[group] rows count.
//
//   warp = a sector of scales, 32 bytes = blocks 4a..4a+3 of rows r, r + 32, r + 64, r + 96, r + 1, r + 33, r + 65, r +
//   97,
//          and, in large matrices, the same sector of the next atom along K: their loads are all in flight at once
//   lane = one scale byte of each = 16 elements: two 16-byte loads (bf16), one 8-byte store, one byte of the warp's
//   sector warps in a row go along K, so that neighbouring warps read neighbouring 128 * kAtoms bytes of the same eight
//   rows
//
// math/nvfp4_block.cuh has the arithmetic. Scale bytes of padding rows and columns are zero, and so is all of the rows
// that do not count. Grid-stride; no shared memory.
#pragma once

#include <cstdint>

#include "kernels/math/element.cuh"
#include "kernels/math/nvfp4_block.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"
#include "kernels/quant/silu_mul.cuh"
#include "kernels/tile/load_block.cuh"
#include "kernels/tile/scale_layout.h"

namespace b12x {

template <typename Element, bool kSiluMul>
B12X_DEVICE void nvfp4_quantize(const Nvfp4QuantizeParams& p) {
  using Storage = typename Element::Storage;
  using Traits = Nvfp4QuantizeTraits;
  constexpr uint32_t kAtoms = Traits::most_atoms(sizeof(Storage), kSiluMul);
  constexpr int kWords = math::kNvfp4Words<Element>;
  static_assert(Traits::kSectorBytes == tile::kSectorBytes);
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  const uint32_t rows = p.rows, blocks = static_cast<uint32_t>(p.cols) / math::kNvfp4Block, atoms_k = p.atoms_k;

  math::Nvfp4Scale scale{};  // none yet
  for (uint32_t unit = blockIdx.x * Traits::kWarps + threadIdx.x / 32; unit < p.units;
       unit += gridDim.x * Traits::kWarps) {
    // In here, or they would hold registers that SiLU wants.
    const uint32_t lane = threadIdx.x % 32;
    const uint32_t lane_row = tile::sector_row(0, static_cast<int32_t>(lane));
    const uint32_t lane_block = tile::sector_block(static_cast<int32_t>(lane));
    const uint32_t sector_row = p.units_k.quotient(unit);  // over all groups
    const uint32_t atom_k = (unit - sector_row * p.units_k.value) * p.atoms_of_unit;
    const uint32_t group = p.sector_rows_of_group.quotient(sector_row);
    const uint32_t row_sector = sector_row - group * p.sector_rows_of_group.value;
    const uint32_t first_row = row_sector / tile::kAtomSectors * tile::kAtomRows + row_sector % tile::kAtomSectors * 2;
    const uint32_t row = first_row + lane_row;
    const uint32_t block = atom_k * tile::kAtomBlocks + lane_block;
    uint32_t count = rows;
    if (p.row_counts != nullptr) count = max(0, min(p.row_counts[group], p.rows));

    const auto* source = static_cast<const Storage*>(p.x) + group * p.x_group_stride + row * p.x_row_stride +
                         uint64_t{block} * math::kNvfp4Block;
    uint8_t* scales = p.scales + (uint64_t{sector_row / tile::kAtomSectors} * atoms_k + atom_k) * tile::kAtomBytes +
                      (sector_row % tile::kAtomSectors * tile::kSectorBytes + lane);
    const auto store = [&](uint32_t i, const math::Nvfp4Block& quantized, bool has_values) {
      const uint64_t at = (uint64_t{group} * rows + row) * blocks + block;
      if (has_values) reinterpret_cast<uint2*>(p.packed)[at + i * tile::kAtomBlocks] = quantized.packed;
      scales[i * tile::kAtomBytes] = quantized.scale;
    };
    const auto scale_of = [&] {
      const float given = p.global_scale != nullptr ? p.global_scale[group * p.global_scale_stride] : 1.f;
      return math::nvfp4_scale(p.is_reciprocal != 0 ? __frcp_rn(given) : given);
    };
    constexpr int kInputs = kSiluMul ? 2 : 1;  // gate and up, or x
    const auto load = [&](uint32_t atom, bool aligned, uint32_t (&words)[kInputs][kWords]) {
      const Storage* x = source + atom * tile::kAtomBlocks * math::kNvfp4Block;
      load_words<Element>(x + (kSiluMul && p.gate_first == 0 ? p.cols : 0), aligned, words[0]);
      if constexpr (kSiluMul) load_words<Element>(x + (p.gate_first == 0 ? 0 : p.cols), aligned, words[1]);
    };
    const auto quantize = [&](uint32_t (&words)[kInputs][kWords], const math::Nvfp4Scale& of_all) {
      if constexpr (kSiluMul) silu_mul<Element>(words[0], words[1]);
      return math::quantize_nvfp4_block<Element>(words[0], of_all);
    };
    // A warp whose blocks all exist and count, as most do, asks that once.
    if (p.is_aligned != 0 && first_row + tile::sector_row(0, 31) < count &&
        (atom_k + p.atoms_of_unit) * tile::kAtomBlocks <= blocks) {
      uint32_t words[kAtoms][kInputs][kWords];
      for (uint32_t i = 0; i < kAtoms; ++i) {
        if (i == 0 || i < p.atoms_of_unit) load(i, true, words[i]);
      }
      // Not before x is asked for: either takes 0.7 us from DRAM. SiLU has no register to keep it in.
      if (kSiluMul || !scale.is_usual() || p.global_scale_stride != 0) scale = scale_of();
#pragma unroll  // words stay in registers
      for (uint32_t i = 0; i < kAtoms; ++i) {
        if (i != 0 && i == p.atoms_of_unit) break;
        store(i, quantize(words[i], scale), true);
      }
      continue;
    }
#pragma unroll 1
    for (uint32_t i = 0; i < p.atoms_of_unit && atom_k + i < atoms_k; ++i) {
      math::Nvfp4Block quantized{{0, 0}, 0};
      const bool exists = row < rows && block + i * tile::kAtomBlocks < blocks;
      if (exists && row < count) {
        uint32_t words[kInputs][kWords];
        load(i, p.is_aligned != 0, words);
        quantized = quantize(words, scale_of());
      }
      store(i, quantized, exists);
    }
  }
}

}  // namespace b12x

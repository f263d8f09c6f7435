// quant_params.h: the parameter blocks of the quantisation kernels, shared by host and device.
// Each kernel is `extern "C" __global__ void b12x_<name>(const __grid_constant__ <Params> p)`; see quant_traits.h for
// launches.
#pragma once

#include <cstdint>

#include "kernels/math/divisor.h"

namespace b12x {

// b12x_nvfp4_quantize_{bf16,f16,f32} and b12x_nvfp4_silu_mul_quantize_{bf16,f16,f32}. A matrix is one group.
struct Nvfp4QuantizeParams {
  // Plain: [groups, rows, cols]; silu_mul: [groups, rows, 2 * cols]. Any element-aligned address.
  const void* x;
  const float* global_scale;  // [1] or [groups] on the device; nullptr = 1
  const int32_t* row_counts;  // [groups] on the device: rows of x that count, others are not read; nullptr = all
  uint8_t* packed;            // [groups, rows, cols / 2], contiguous, 8-byte aligned; low nibble = even column
  uint8_t* scales;  // e4m3, 128x4 swizzled: groups * align(rows, 128) * align(cols / 16, 4) bytes, all of them written
  int64_t x_row_stride;         // elements
  int64_t x_group_stride;       // elements
  int32_t rows;                 // of a group, >= 1
  int32_t cols;                 // output columns, multiple of 16
  int32_t atoms_k;              // ceil(cols / 64): atoms along a row of scales
  uint32_t units;               // of work for a warp: groups * align(rows, 128) / 8 * units_k, < 2^31
  int32_t global_scale_stride;  // 1 = one of each group, 0 = one for all
  int32_t is_reciprocal;        // 1 = global_scale holds 1 / gs
  int32_t is_aligned;           // groups and rows of x start at multiples of 16 bytes
  int32_t gate_first;           // silu_mul: 1 = columns [0, cols) are gate and [cols, 2 * cols) up; 0 = up, then gate
  uint32_t atoms_of_unit;       // 1 to Nvfp4QuantizeTraits::most_atoms
  math::Divisor units_k;        // ceil(atoms_k / atoms_of_unit)
  math::Divisor sector_rows_of_group;  // align(rows, 128) / 8: sectors down the rows of a group
};
static_assert(sizeof(Nvfp4QuantizeParams) == 120);

// b12x_mxfp8_quantize_{bf16,f16,f32}.
struct Mxfp8QuantizeParams {
  const void* x;                     // [rows, cols]; any element-aligned address
  uint8_t* values;                   // e4m3, [rows, cols], contiguous, 16-byte aligned
  uint8_t* scales;                   // ue8m0, [rows, cols / 32], contiguous
  int64_t x_row_stride;              // elements
  uint32_t half_blocks;              // rows * cols / 16, < 2^31
  int32_t is_aligned;                // rows of x start at multiples of 16 bytes
  math::Divisor half_blocks_of_row;  // cols / 16; cols is a multiple of 32
};
static_assert(sizeof(Mxfp8QuantizeParams) == 56);

// b12x_nvfp4_amax_{bf16,f16,f32}: max |x| over the finite values of x, then global_scale = amax / 2688 (1 if amax is
// 0).
struct Nvfp4AmaxParams {
  const void* x;        // [rows, cols]; any element-aligned address
  float* global_scale;  // [1], written by the last block
  uint32_t*
      workspace;  // [2] = {bits of the maximum, arrived blocks}: zero before the first launch, zero again after each
  int64_t x_row_stride;  // elements between rows of x
  uint32_t units;        // of all rows, >= 1
  uint32_t rows;         // >= 1
  int32_t cols;          // >= 1
  int32_t cols_of_last;  // of the last row: fewer where a line has been cut into rows
  int32_t is_aligned;    // all rows start at multiples of 16 bytes
  math::Divisor units_of_row;
};
static_assert(sizeof(Nvfp4AmaxParams) == 64);

}  // namespace b12x

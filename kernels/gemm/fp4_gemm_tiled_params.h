// fp4_gemm_tiled_params.h: the parameter block of the tiled FP4 GEMM, shared by host and device.
// C[l] = alpha * (A[l] sa[l]) (B[l] sb[l])^T + bias; FP32 accumulation, one rounding. A is [l, m, k / 2] uint8, B
// (weights) [l, n, k / 2] uint8, both with k fastest and row and batch pitches that are multiples of 16 bytes.
#pragma once

#include <cstdint>

#include "kernels/gemm/fp4_gemm_tiled_traits.h"
#include "kernels/ptx/tensor_map.h"

namespace b12x {

// b12x_nvfp4_gemm_tiled_{64x128,128x128}_{bf16,f16,f32}, b12x_nvfp4_gemm_tiled_128x256_{bf16,f16},
// b12x_mxfp4_gemm_tiled_64x128_{bf16,f16,f32}. Maps and order of sums as Fp4GemmTiledTraits says.
struct Fp4GemmTiledParams {
  TensorMap a_map;          // over A
  TensorMap b_map;          // over B
  const uint8_t* a_scales;  // [l] times scales of [m, k / block], 128x4 swizzled, 16-byte aligned; padding may be NaN
  const uint8_t* b_scales;  // [l] times scales of [n, k / block], likewise
  int64_t a_scales_stride;  // bytes between batches
  int64_t b_scales_stride;
  const float* alpha;      // [1] on the device; nullptr = 1
  const float* bias;       // [n]; nullptr = none
  void* c;                 // [l, m, n], 16-byte aligned
  int64_t c_row_stride;    // elements, multiple of 8
  int64_t c_batch_stride;  // elements, multiple of 8
  uint8_t* workspace;      // Fp4GemmTiledTraits::workspace_bytes; counters are 0 between launches
  int32_t m;               // >= 1
  int32_t n;               // multiple of 8
  int32_t k;               // multiple of 32
  int32_t row_tiles;       // of a batch
  int32_t column_tiles;
  StreamKWork work;
};
static_assert(sizeof(Fp4GemmTiledParams) == 448);

}  // namespace b12x

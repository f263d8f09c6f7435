// gemm_params.h: the parameter blocks of the NVFP4 dense GEMM kernels, shared by host and device.
// C[m, n] = alpha * sum over k of (a[m, k] * sa[m, k / 16]) * (b[n, k] * sb[n, k / 16]); FP32 accumulation, one
// rounding. A is [m, k / 2] uint8, B (weights) is [n, k / 2] uint8, both with k fastest and row pitches that are
// multiples of 16 bytes.
#pragma once

#include <cstdint>

#include "kernels/gemm/stream_k.h"
#include "kernels/math/divisor.h"
#include "kernels/ptx/tensor_map.h"

namespace b12x {

// b12x_nvfp4_gemm_skinny_m{8,16,32}_{bf16,f16,f32}: C[l] = alpha * A[l] * B[l]^T + bias. Maps as
// nvfp4_gemm_skinny_traits.h says. b12x_nvfp4_gemm_skinny_quantize_m8_{bf16,f16}{,_f32}: A is of bf16 or f16, quantised
// by the kernel.
struct Nvfp4GemmSkinnyParams {
  TensorMap a_map;        // over A [l, m, k / 2]
  TensorMap b_map[4];     // over B [l, n, k / 2]: 4 chunks, 3, 2 and 1
  TensorMap a_scale_map;  // over [l] times align(m, 128) * align(k / 16, 4) bytes; all padding may hold anything
  TensorMap b_scale_map;  // over [l] times align(n, 128) * align(k / 16, 4) bytes
  // What every warp needs first, in one line of the constant cache: a line that has to come from DRAM costs a cold
  // launch about a microsecond.
  StreamKWork work;         // of all batches' tiles, in chunks of 64 k
  math::Divisor row_tiles;  // of a batch
  int32_t m;                // 1 to 8, 16 or 32, by the entry
  int32_t n;                // multiple of 8
  int32_t k;                // multiple of 32
  const float* alpha;       // [1]; nullptr = 1
  const float* bias;        // [n]; nullptr = 0
  void* c;                  // [l, m, n], 16-byte aligned
  uint8_t* workspace;       // Nvfp4GemmSkinnyTraits::workspace_bytes; counters are 0 between launches
  int64_t c_row_stride;     // elements, multiple of 8
  int64_t c_batch_stride;   // elements, multiple of 8
  // Of the quantising entries, which have one batch; A's maps are not used then.
  const void* x;              // A [m, k], of 16-bit elements, 16-byte aligned
  const float* global_scale;  // [1]; nullptr = 1
  int64_t x_row_stride;       // elements, multiple of 8
  int32_t is_reciprocal;      // 1 = global_scale holds 1 / gs
};
static_assert(sizeof(Nvfp4GemmSkinnyParams) == 1088);

}  // namespace b12x

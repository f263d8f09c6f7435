// quant_params.h: the parameter blocks of the NVFP4 quantisation kernels, shared by host and device.
// Each kernel is `extern "C" __global__ void b12x_<name>(const __grid_constant__ <Params> p)`; see quant_traits.h for
// launches.
#pragma once

#include <cstdint>

namespace b12x {

// b12x_nvfp4_quantize_{bf16,f16,f32} and b12x_nvfp4_silu_mul_quantize_{bf16,f16,f32}.
struct Nvfp4QuantizeParams {
  const void* x;              // plain: [rows, cols]; silu_mul: [rows, 2 * cols]; any element-aligned address
  const float* global_scale;  // [1] on the device, finite and > 0; nullptr = 1
  uint8_t* packed;            // [rows, cols / 2], contiguous, 8-byte aligned; low nibble = even column
  uint8_t* scales;            // e4m3, 128x4 swizzled: align(rows, 128) * align(cols / 16, 4) bytes, all of them written
  int64_t x_row_stride;       // elements between rows of x
  int32_t rows;               // >= 1
  int32_t cols;               // output columns, multiple of 16
  int32_t gate_first;  // silu_mul only: 1 = columns [0, cols) are gate and [cols, 2 * cols) up; 0 = up, then gate
  int32_t reserved;    // 0
};
static_assert(sizeof(Nvfp4QuantizeParams) == 56);

// b12x_nvfp4_amax_{bf16,f16,f32}: max |x| over the finite values of x, then global_scale = amax / 2688 (1 if amax is
// 0).
struct Nvfp4AmaxParams {
  const void* x;        // [rows, cols]; any element-aligned address
  float* global_scale;  // [1], written by the last block
  uint32_t*
      workspace;  // [2] = {bits of the maximum, arrived blocks}: zero before the first launch, zero again after each
  int64_t x_row_stride;  // elements between rows of x
  int32_t rows;          // >= 1
  int32_t cols;          // >= 1
};
static_assert(sizeof(Nvfp4AmaxParams) == 40);

}  // namespace b12x

// quant_host.hpp: quantisation and the scale layout on the host, without a card: the same bytes as the kernels of
// quant.hpp. For checkpoints, tests and tools; one value after the other. Inputs are f32 without gaps (bf16 and f16
// widen exactly). Sizes are the caller's to keep: nothing is checked but what is said here. Throw Error for columns of
// the wrong multiple.
#pragma once

#include <cstdint>

namespace b12x::host {

// Byte of the scale of (row, block) in the 128x4 order of a matrix with `blocks` blocks a row. See quant.hpp.
int64_t scale_offset(int64_t row, int64_t block, int64_t blocks);

// Row-major scales [rows, blocks] to 128x4 order, padding written as zero: align(rows, 128) * align(blocks, 4) bytes.
void swizzle_scales(const uint8_t* row_major, int64_t rows, int64_t blocks, uint8_t* swizzled);
// And back, padding dropped.
void unswizzle_scales(const uint8_t* swizzled, int64_t rows, int64_t blocks, uint8_t* row_major);

// amax(|x|) / 2688 over the finite ones of `count` values; 1 if that is 0.
float global_scale(const float* x, int64_t count);

// x [rows, cols], cols a multiple of 16 -> packed [rows, cols / 2] and e4m3 scales in 128x4 order, padding included.
void quantize_nvfp4(const float* x, int64_t rows, int64_t cols, float global_scale, uint8_t* packed, uint8_t* scales);

// x [rows, cols], cols a multiple of 32 -> e4m3 values [rows, cols] and ue8m0 scales [rows, cols / 32], row-major.
void quantize_mxfp8(const float* x, int64_t rows, int64_t cols, uint8_t* values, uint8_t* scales);

}  // namespace b12x::host

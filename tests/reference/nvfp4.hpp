// nvfp4.hpp: NVFP4 quantisation and its storage order, element by element, for tests.
#pragma once

#include <cstdint>
#include <vector>

namespace reference {

struct Nvfp4 {
  int64_t rows = 0, cols = 0;
  std::vector<uint8_t> packed;  // [rows, cols / 2]
  std::vector<uint8_t> scales;  // swizzled, padded with zeros
  bool is_mxfp4 = false;        // scales are ue8m0, one per 32 k: only what gemm.hpp computes with knows of it
};

int64_t scale_bytes(int64_t rows, int64_t cols);
// Where the scale of (row, block of 16) lies.
int64_t scale_offset(int64_t row, int64_t block, int64_t cols);

// amax / 2688 over finite values in f32; 1 if that is 0.
float global_scale(const std::vector<float>& x);
// x is [rows, cols] without gaps.
Nvfp4 quantize(const std::vector<float>& x, int64_t rows, int64_t cols, float global_scale);

// An operand whose products show every rounding of a GEMM: random values under scales from the whole range of e4m3, and
// three quarters of every second chunk of 64 the same as the chunk before it. With `alternates` those are negated, so
// that large sums of two operands of equal seeds' structure cancel and what was cut off below them is all that is left.
// The same bits on every machine. cols is a multiple of 64.
Nvfp4 hard_operand(int64_t rows, int64_t cols, uint64_t seed, bool alternates);

// Value times block scale of (row, col), without the global scale. NaN where the scale is.
double dequantize(const Nvfp4& tensor, int64_t row, int64_t col);

}  // namespace reference

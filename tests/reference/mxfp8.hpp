// mxfp8.hpp: MXFP8 quantisation by its definition, element by element, for tests.
#pragma once

#include <cstdint>
#include <vector>

namespace reference {

struct Mxfp8 {
  int64_t rows = 0, cols = 0;
  std::vector<uint8_t> values;  // e4m3, [rows, cols]
  std::vector<uint8_t> scales;  // ue8m0, [rows, cols / 32]
};

double decode_ue8m0(unsigned byte);  // 2^(byte - 127); 255 is NaN
// The smallest power of two, from 2^-127 on, under which amax is at most 448; of infinity what the largest f32 gets.
unsigned ue8m0_scale_of(double amax);
// x is [rows, cols] without gaps.
Mxfp8 quantize_mxfp8(const std::vector<float>& x, int64_t rows, int64_t cols);

}  // namespace reference

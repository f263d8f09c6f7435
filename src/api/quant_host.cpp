// quant_host.cpp: the formulas of quant.hpp as they are written there, over the number formats that the kernels share.
#include "b12x/quant_host.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "b12x/quant.hpp"
#include "base/check.hpp"
#include "kernels/math/e4m3.h"
#include "kernels/math/fp4.h"
#include "kernels/math/fp4_divide.h"
#include "kernels/math/mxfp8.h"
#include "kernels/tile/scale_layout.h"

namespace b12x::host {

int64_t scale_offset(int64_t row, int64_t block, int64_t blocks) {
  return tile::scale_offset(row, static_cast<int32_t>(block), tile::scale_atoms_k(static_cast<int32_t>(blocks)));
}

void swizzle_scales(const uint8_t* row_major, int64_t rows, int64_t blocks, uint8_t* swizzled) {
  std::fill_n(swizzled, tile::scale_bytes(rows, static_cast<int32_t>(blocks)), uint8_t{0});
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t block = 0; block < blocks; ++block) {
      swizzled[scale_offset(row, block, blocks)] = row_major[row * blocks + block];
    }
  }
}

void unswizzle_scales(const uint8_t* swizzled, int64_t rows, int64_t blocks, uint8_t* row_major) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t block = 0; block < blocks; ++block) {
      row_major[row * blocks + block] = swizzled[scale_offset(row, block, blocks)];
    }
  }
}

float global_scale(const float* x, int64_t count) {
  float amax = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isfinite(x[i])) amax = std::max(amax, std::abs(x[i]));
  }
  return amax > 0 ? amax / math::kNvfp4AmaxToScale : 1.f;
}

void quantize_nvfp4(const float* x, int64_t rows, int64_t cols, float global_scale, uint8_t* packed, uint8_t* scales) {
  constexpr int kBlock = math::kNvfp4Block;
  if (cols % kBlock != 0) fail("quantize_nvfp4: cols is ", cols, ", want a multiple of ", kBlock);
  const int64_t blocks = cols / kBlock;
  std::fill_n(scales, nvfp4_scale_bytes(rows, cols), uint8_t{0});
  std::fill_n(packed, rows * cols / 2, uint8_t{0});
  for (int64_t at = 0; at < rows * blocks; ++at) {
    const float* values = x + at * kBlock;
    float block_max = 0;
    bool is_nan = false;
    for (int i = 0; i < kBlock; ++i) {
      block_max = std::max(block_max, std::abs(values[i]));
      is_nan = is_nan || std::isnan(values[i]);
    }
    const float wanted = block_max / (math::kE2m1Max * global_scale);
    is_nan = is_nan || std::isnan(wanted);
    uint8_t& scale = scales[scale_offset(at / blocks, at % blocks, blocks)];
    scale = is_nan ? math::kE4m3Nan : math::e4m3_encode(wanted);
    if (is_nan) continue;
    const float divisor = std::max(math::e4m3_decode(scale) * global_scale, math::kNvfp4MinDivisor);
    for (int i = 0; i < kBlock; ++i) {
      const uint32_t code = math::e2m1_encode(values[i] / divisor);
      packed[(at * kBlock + i) / 2] |= static_cast<uint8_t>((code == 8 ? 0 : code) << (i % 2 * 4));  // 8: -0
    }
  }
}

void quantize_mxfp8(const float* x, int64_t rows, int64_t cols, uint8_t* values, uint8_t* scales) {
  constexpr int kBlock = math::kMxfp8Block;
  if (cols % kBlock != 0) fail("quantize_mxfp8: cols is ", cols, ", want a multiple of ", kBlock);
  for (int64_t block = 0; block < rows * cols / kBlock; ++block) {
    float block_max = 0;
    for (int i = 0; i < kBlock; ++i) block_max = std::max(block_max, std::abs(x[block * kBlock + i]));  // a NaN loses
    const uint32_t scale = math::ue8m0_scale_of(std::bit_cast<uint32_t>(block_max));
    scales[block] = static_cast<uint8_t>(scale);
    for (int64_t i = block * kBlock; i < (block + 1) * kBlock; ++i) {
      const uint8_t code = math::e4m3_encode(x[i] * math::ue8m0_reciprocal(scale));
      values[i] = code == 0x80 ? 0 : code;
    }
  }
}

}  // namespace b12x::host

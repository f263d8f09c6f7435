// nvfp4.cpp: the formula of include/b12x/quant.hpp, one IEEE f32 operation after the other.
#include "tests/reference/nvfp4.hpp"

#include <algorithm>
#include <cmath>

#include "tests/reference/number_formats.hpp"

namespace reference {
namespace {

constexpr int64_t kBlock = 16;
constexpr float kMinStep = 1e-30f;

}  // namespace

int64_t scale_bytes(int64_t rows, int64_t cols) { return (rows + 127) / 128 * 128 * ((cols / kBlock + 3) / 4 * 4); }

int64_t scale_offset(int64_t row, int64_t block, int64_t cols) {
  const int64_t atoms = (cols / kBlock + 3) / 4;  // along a row
  return (row / 128 * atoms + block / 4) * 512 + row % 32 * 16 + row % 128 / 32 * 4 + block % 4;
}

float global_scale(const std::vector<float>& x) {
  float amax = 0;
  for (const float value : x) {
    if (std::isfinite(value)) amax = std::max(amax, std::abs(value));
  }
  return amax > 0 ? amax / 2688.f : 1.f;
}

Nvfp4 quantize(const std::vector<float>& x, int64_t rows, int64_t cols, float gs) {
  Nvfp4 out{.rows = rows,
            .cols = cols,
            .packed = std::vector<uint8_t>(rows * cols / 2),
            .scales = std::vector<uint8_t>(scale_bytes(rows, cols))};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t block = 0; block < cols / kBlock; ++block) {
      const float* values = &x[row * cols + block * kBlock];
      uint8_t* packed = &out.packed[(row * cols + block * kBlock) / 2];
      uint8_t& scale = out.scales[scale_offset(row, block, cols)];
      if (std::any_of(values, values + kBlock, [](float v) { return std::isnan(v); })) {
        scale = 0x7F;
        continue;
      }
      float block_max = 0;
      for (int i = 0; i < kBlock; ++i) block_max = std::max(block_max, std::abs(values[i]));
      const float wanted = block_max / (6.f * gs);
      scale = static_cast<uint8_t>(encode_e4m3(wanted));
      if (std::isnan(wanted)) continue;  // the global scale is NaN
      const float step = std::max(static_cast<float>(decode_e4m3(scale)) * gs, kMinStep);
      for (int i = 0; i < kBlock; ++i) packed[i / 2] |= encode_e2m1(values[i] / step) << (i % 2 * 4);
    }
  }
  return out;
}

Nvfp4 hard_operand(int64_t rows, int64_t cols, uint64_t seed, bool alternates) {
  Nvfp4 out{.rows = rows,
            .cols = cols,
            .packed = std::vector<uint8_t>(rows * cols / 2),
            .scales = std::vector<uint8_t>(scale_bytes(rows, cols))};
  uint64_t state = seed;
  const auto random = [&state] {  // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
  };
  for (int64_t row = 0; row < rows; ++row) {
    uint8_t* packed = &out.packed[row * cols / 2];
    for (int64_t block = 0; block < cols / kBlock; ++block) {
      uint8_t& scale = out.scales[scale_offset(row, block, cols)];
      const bool repeats = block / 4 % 2 == 1 && block % 4 != 3;
      // The last block of a chunk stays small: it is what cancellation uncovers.
      scale = repeats ? out.scales[scale_offset(row, block - 4, cols)]
                      : static_cast<uint8_t>(random() % (block % 4 == 3 ? 0x28 : 0x7F));
      const uint64_t keep = random() % 8 == 0 ? 0 : 0xFF;  // some blocks are zeros under a scale that is not
      for (int64_t i = block * kBlock / 2; i < (block + 1) * kBlock / 2; ++i) {
        packed[i] = repeats ? packed[i - 32] ^ (alternates ? 0x88 : 0) : static_cast<uint8_t>(random() & keep);
      }
    }
  }
  return out;
}

double dequantize(const Nvfp4& tensor, int64_t row, int64_t col) {
  const uint8_t byte = tensor.packed[(row * tensor.cols + col) / 2];
  const unsigned nibble = col % 2 ? byte >> 4 : byte & 15;
  return decode_e2m1(nibble) * decode_e4m3(tensor.scales[scale_offset(row, col / kBlock, tensor.cols)] & 0x7F);
}

}  // namespace reference

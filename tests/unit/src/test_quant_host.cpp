// Quantisation and scale layout on the host, against the independent reference: every 16-bit input, and random shapes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "b12x/error.hpp"
#include "b12x/quant_host.hpp"
#include "tests/reference/mxfp8.hpp"
#include "tests/reference/number_formats.hpp"
#include "tests/reference/nvfp4.hpp"

using namespace b12x;

namespace {

void check_both(const std::vector<float>& x, int64_t rows, int64_t cols, float global_scale) {
  std::vector<uint8_t> packed(rows * cols / 2, 0xEE), scales(reference::scale_bytes(rows, cols), 0xEE);
  host::quantize_nvfp4(x.data(), rows, cols, global_scale, packed.data(), scales.data());
  const reference::Nvfp4 want = reference::quantize(x, rows, cols, global_scale);
  CHECK(packed == want.packed);
  CHECK(scales == want.scales);
  if (cols % 32 != 0) return;
  std::vector<uint8_t> values(rows * cols, 0xEE), powers(rows * cols / 32, 0xEE);
  host::quantize_mxfp8(x.data(), rows, cols, values.data(), powers.data());
  const reference::Mxfp8 want_mxfp8 = reference::quantize_mxfp8(x, rows, cols);
  CHECK(values == want_mxfp8.values);
  CHECK(powers == want_mxfp8.scales);
}

}  // namespace

TEST_CASE("all 2^16 inputs of bf16 and f16, in order and mixed") {
  for (const bool is_bf16 : {true, false}) {
    for (const int stride : {1, 40503}) {  // odd, so every pattern comes once
      std::vector<float> x(1 << 16);
      for (int i = 0; i < 1 << 16; ++i) {
        const auto bits = static_cast<uint16_t>(i * stride);
        x[i] = static_cast<float>(is_bf16 ? reference::decode_bf16(bits) : reference::decode_f16(bits));
      }
      for (const float global_scale :
           {1.f, 0.0371f, 0x1p-20f, 1e-38f, 1e30f, std::numeric_limits<float>::quiet_NaN()}) {
        check_both(x, 512, 128, global_scale);
      }
    }
  }
}

TEST_CASE("odd shapes, and their global scale") {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const auto& [rows, cols] : {std::pair{0, 16}, {1, 16}, {3, 48}, {129, 144}, {200, 320}}) {
    std::vector<float> x(rows * cols);
    for (float& value : x) value = normal(random);
    const float global_scale = host::global_scale(x.data(), static_cast<int64_t>(x.size()));
    CHECK(global_scale == reference::global_scale(x));
    check_both(x, rows, cols, global_scale);
  }
}

TEST_CASE("scales there and back") {
  std::mt19937 random(4);
  for (const auto& [rows, blocks] : {std::pair{1, 1}, {3, 5}, {128, 4}, {129, 9}, {300, 16}}) {
    std::vector<uint8_t> plain(rows * blocks), back(rows * blocks);
    for (uint8_t& byte : plain) byte = static_cast<uint8_t>(random() % 255 + 1);
    std::vector<uint8_t> swizzled(reference::scale_bytes(rows, 16 * blocks), 0xEE);
    host::swizzle_scales(plain.data(), rows, blocks, swizzled.data());
    for (int r = 0; r < rows; ++r) {
      for (int b = 0; b < blocks; ++b) {
        CHECK(host::scale_offset(r, b, blocks) == reference::scale_offset(r, b, 16 * blocks));
        CHECK(swizzled[reference::scale_offset(r, b, 16 * blocks)] == plain[r * blocks + b]);
      }
    }
    CHECK(std::count(swizzled.begin(), swizzled.end(), 0) == static_cast<int64_t>(swizzled.size() - plain.size()));
    host::unswizzle_scales(swizzled.data(), rows, blocks, back.data());
    CHECK(back == plain);
  }
}

TEST_CASE("columns that blocks do not fill are refused") {
  CHECK_THROWS_AS(host::quantize_nvfp4(nullptr, 1, 24, 1.f, nullptr, nullptr), Error);
  CHECK_THROWS_AS(host::quantize_mxfp8(nullptr, 1, 48, nullptr, nullptr), Error);
}

// The sm_90a stand-in's operands are exact: every e2m1 value times every block scale, computed as the stand-in computes
// it (e4m3 byte -> f16, times scale * 2^6 in f16), equals the real product without rounding.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "kernels/math/e4m3.h"
#include "kernels/math/fp4.h"
#include "kernels/ptx/e2m1_expand.h"

using namespace b12x;

namespace {

// Nearest f16, ties to even, of an exact double (products of two f16 are exact in double).
double round_to_f16(double x) {
  if (x == 0) return x;
  int exponent;
  std::frexp(x, &exponent);                                           // |x| in [2^(exponent-1), 2^exponent)
  const double step = std::ldexp(1.0, std::max(exponent - 11, -24));  // 11 significant bits, subnormal step 2^-24
  const double rounded = std::nearbyint(x / step) * step;
  return std::fabs(rounded) >= 65520 ? std::copysign(INFINITY, x) : rounded;
}

}  // namespace

TEST_CASE("nibbles land in e4m3 bytes of 2^-6 times their value, in order") {
  for (uint32_t four = 0; four < 1u << 16; ++four) {
    const uint32_t word = four | (four * 0x9E37u & 0xFFFFu) << 16;
    const ptx::E2m1x8AsE4m3 bytes = ptx::e2m1x8_as_e4m3(word);
    bool same = true;
    for (int i = 0; i < 8; ++i) {
      const uint32_t byte = ((i % 2 == 0 ? bytes.even : bytes.odd) >> (8 * (i / 2))) & 0xFFu;
      const float expanded = math::e4m3_decode(byte), wanted = math::e2m1_decode(word >> (4 * i) & 15u) * 0x1p-6f;
      same = same && expanded == wanted && std::signbit(expanded) == std::signbit(wanted);
    }
    CHECK(same);
  }
}

TEST_CASE("all 16 values x 127 scales are exact, sign bit of the scale ignored") {
  for (uint32_t raw = 0; raw < 256; ++raw) {
    const uint32_t byte = raw & ptx::kUnsignedScales & 0xFFu;
    if (byte == math::kE4m3Nan) continue;
    const double scale = math::e4m3_decode(byte);
    const double lane_scale = round_to_f16(round_to_f16(scale) * 64.0);
    CHECK(lane_scale == scale * 64.0);
    for (uint32_t code = 0; code < 16; ++code) {
      const double value = math::e2m1_decode(code) * 0x1p-6;
      CHECK(round_to_f16(value) == value);
      const double product = round_to_f16(value * lane_scale);
      CHECK(product == math::e2m1_decode(code) * scale);
      CHECK(std::isfinite(product));
      if (product != 0) CHECK(std::fabs(product) >= 0x1p-10);  // an f16 normal: no subnormal operand reaches the MMA
    }
  }
}

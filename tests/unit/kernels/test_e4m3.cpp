// e4m3 against its definition: the nearest of the 127 magnitudes, ties to the even code.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/math/e4m3.h"

using namespace b12x::math;

namespace {

double value(uint32_t code) {  // by the format's definition
  const int exponent = static_cast<int>(code >> 3), mantissa = static_cast<int>(code & 7);
  return exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
}

uint8_t nearest(float x) {
  if (std::isnan(x)) return kE4m3Nan;
  const double magnitude = std::min(std::fabs(static_cast<double>(x)), 448.0);
  uint32_t low = 0, high = 126;  // value(low) <= magnitude <= value(high)
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (value(middle) <= magnitude ? low : high) = middle;
  }
  const double down = magnitude - value(low), up = value(high) - magnitude;
  const uint32_t code = down < up || (down == up && low % 2 == 0) ? low : high;
  return static_cast<uint8_t>(code | (std::signbit(x) ? 0x80u : 0u));
}

}  // namespace

TEST_CASE("all 256 bytes decode to the format's values") {
  for (uint32_t byte = 0; byte < 256; ++byte) {
    if ((byte & 0x7F) == 0x7F) {
      CHECK(std::isnan(e4m3_decode(byte)));
    } else {
      CHECK(e4m3_decode(byte) == static_cast<float>(byte < 128 ? value(byte) : -value(byte & 0x7F)));
      CHECK(e4m3_encode(e4m3_decode(byte)) == byte);
    }
  }
}

TEST_CASE("saturation, NaN, subnormals") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(e4m3_encode(464.f) == 0x7E);
  CHECK(e4m3_encode(infinity) == 0x7E);
  CHECK(e4m3_encode(-infinity) == 0xFE);
  CHECK(e4m3_encode(std::numeric_limits<float>::quiet_NaN()) == 0x7F);
  CHECK(e4m3_encode(0x1p-10f) == 0);  // half of the smallest: tie to zero
  CHECK(e4m3_encode(0x3p-10f) == 2);  // 1.5 of it: tie to two
  CHECK(e4m3_encode(.00896f) == 5);   // the worked example of a subnormal block scale
}

TEST_CASE("every f32 whose low 12 bits are 0, 1 or all ones") {
  uint32_t wrong = 0;
  for (uint32_t high = 0; high < 1u << 20; ++high) {
    for (const uint32_t low : {0x000u, 0x001u, 0xFFFu}) {
      const float x = std::bit_cast<float>(high << 12 | low);
      if (e4m3_encode(x) != nearest(x)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

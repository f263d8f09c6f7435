// e2m1 against its definition: the nearest of the eight magnitudes, ties to the even code.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/math/fp4.h"

using namespace b12x::math;

namespace {

uint32_t nearest(float x) {
  if (std::isnan(x)) return 7;
  const double magnitude = std::min(std::fabs(static_cast<double>(x)), 6.0);
  uint32_t best = 0;
  for (uint32_t code = 1; code < 8; ++code) {
    const double now = std::fabs(e2m1_decode(code) - magnitude), before = std::fabs(e2m1_decode(best) - magnitude);
    if (now < before || (now == before && code % 2 == 0)) best = code;
  }
  return best | (std::signbit(x) ? 8u : 0u);
}

}  // namespace

TEST_CASE("the sixteen values") {
  const float magnitudes[8] = {0.f, 0.5f, 1.f, 1.5f, 2.f, 3.f, 4.f, 6.f};
  for (uint32_t code = 0; code < 8; ++code) {
    CHECK(e2m1_decode(code) == magnitudes[code]);
    CHECK(e2m1_decode(code | 8) == -magnitudes[code]);
    CHECK(e2m1_encode(magnitudes[code]) == code);
  }
}

TEST_CASE("ties, signs and specials") {
  const float ties[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.f};
  const uint32_t even[7] = {0, 2, 2, 4, 4, 6, 6};
  for (int i = 0; i < 7; ++i) {
    CHECK(e2m1_encode(ties[i]) == even[i]);
    CHECK(e2m1_encode(-ties[i]) == (even[i] | 8));
    CHECK(e2m1_encode(std::nextafterf(ties[i], 0.f)) == nearest(std::nextafterf(ties[i], 0.f)));
    CHECK(e2m1_encode(std::nextafterf(ties[i], 9.f)) == nearest(std::nextafterf(ties[i], 9.f)));
  }
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(e2m1_encode(infinity) == 7);
  CHECK(e2m1_encode(-infinity) == 15);
  CHECK(e2m1_encode(std::numeric_limits<float>::quiet_NaN()) == 7);
  CHECK(e2m1_encode(-std::numeric_limits<float>::quiet_NaN()) == 7);
  CHECK(e2m1_encode(-0.f) == 8);
  CHECK(e2m1_encode(1e-40f) == 0);
}

TEST_CASE("every f32 whose low 12 bits are 0, 1 or all ones") {
  uint32_t wrong = 0;
  for (uint32_t high = 0; high < 1u << 20; ++high) {
    for (const uint32_t low : {0x000u, 0x001u, 0xFFFu}) {
      const float x = std::bit_cast<float>(high << 12 | low);
      if (e2m1_encode(x) != nearest(x)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("negative zeros become +0 and nothing else changes") {
  uint32_t wrong = 0;
  for (uint32_t four = 0; four < 1u << 16; ++four) {
    for (const uint32_t word : {four, four << 16 | 0x8F08u, four << 8 | 0x80000008u}) {
      uint32_t expected = word;
      for (int i = 0; i < 32; i += 4) {
        if ((word >> i & 15u) == 8u) expected &= ~(15u << i);
      }
      if (e2m1x8_positive_zeros(word) != expected) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

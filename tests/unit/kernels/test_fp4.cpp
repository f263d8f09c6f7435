// e2m1 against its definition: the nearest of the eight magnitudes, ties to the even code.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/math/fp4.h"
#include "kernels/math/fp4_divide.h"
#include "kernels/ptx/e2m1_round.h"

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

TEST_CASE("signs join all magnitudes but zero") {
  uint32_t wrong = 0;
  for (uint32_t four = 0; four < 1u << 16; ++four) {
    for (const uint32_t word : {four, four << 16 | 0x8F08u, four << 8 | 0x80000008u}) {
      uint32_t expected = word;
      for (int i = 0; i < 32; i += 4) {
        if ((word >> i & 15u) == 8u) expected &= ~(15u << i);
      }
      if (e2m1x8_with_signs(word & 0x77777777u, word & 0x88888888u) != expected) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("the rounding stand-in: every f32 in [0, 6] whose low 12 bits are 0, 1 or all ones, and eight merged") {
  const uint32_t integer = std::bit_cast<uint32_t>(b12x::ptx::kE2m1Integer);
  uint32_t wrong = 0;
  for (uint32_t high = 0; high <= 0x40C00u; ++high) {
    for (const uint32_t low : {0x000u, 0x001u, 0xFFFu}) {
      const float x = std::min(std::bit_cast<float>(high << 12 | low), 6.f);
      if (b12x::ptx::e2m1_magnitude_bits(x) - integer != nearest(x)) ++wrong;
    }
  }
  CHECK(wrong == 0);
  uint32_t bits[8];
  for (uint32_t i = 0; i < 8; ++i) bits[i] = integer + (i * 5 + 3) % 8;  // 3, 0, 5, 2, 7, 4, 1, 6
  CHECK(b12x::ptx::e2m1x8_merge(bits) == 0x61472503u);
}

TEST_CASE("division by a shared divisor falls on the IEEE quotient's side of every tie") {
  const float ties[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.f};
  // All significands of the divisor (powers of two change nothing), all quotients within 4 ulp of a tie.
  uint32_t wrong = 0;
  for (uint32_t divisor_bits = 0x3F800000u; divisor_bits < 0x40000000u; ++divisor_bits) {
    const float divisor = std::bit_cast<float>(divisor_bits);
    const ReciprocalPair reciprocal = reciprocal_pair(divisor, 1.f / divisor);
    for (const float tie : ties) {
      const auto near = std::bit_cast<int32_t>(tie * divisor);
      for (int32_t step = -4; step <= 4; ++step) {
        const float x = std::bit_cast<float>(near + step);
        const float exact = x / divisor, ours = e2m1_quotient(x, reciprocal);
        wrong += (ours < tie) != (exact < tie) || (ours > tie) != (exact > tie);
      }
    }
  }
  CHECK(wrong == 0);
  // The ends of the range of divisors: nothing that counts underflows or overflows.
  for (const float scale : {0x1p-100f, kReciprocalMaxDivisor / 2}) {
    for (uint32_t divisor_bits = 0x3F800000u; divisor_bits < 0x40000000u; divisor_bits += 997) {
      const float divisor = std::bit_cast<float>(divisor_bits);
      const ReciprocalPair at_one = reciprocal_pair(divisor, 1.f / divisor);
      const ReciprocalPair scaled = reciprocal_pair(divisor * scale, 1.f / (divisor * scale));
      wrong += scaled.high * scale != at_one.high || scaled.low * scale != at_one.low;
    }
  }
  CHECK(wrong == 0);
}

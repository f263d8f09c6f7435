// e2m1_round.h: the sm_90a stand-in for cvt to e2m1, without a branch: the code of a magnitude m in [0, 6.5) is
//   RN(min(2 m, m + 2, m / 2 + 4))
// since the codes 0..7 of 0 .5 1 1.5 2 3 4 6 lie on three lines, the flattest of which counts. Rounding to an integer
// is monotonic, so it goes before the minimum: an fma with 1.5 * 2^23 rounds a line to an integer in the f32's low
// bits, once, ties to even.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/math/fp4.h"

namespace b12x::ptx {

inline constexpr float kE2m1Integer = 12582912.f;  // 1.5 * 2^23: one ulp is 1

// Bits of kE2m1Integer plus the code of m.
constexpr uint32_t e2m1_magnitude_bits(float m) {
  const auto below_2 = std::bit_cast<uint32_t>(fmaf(m, 2.f, kE2m1Integer));
  const auto below_4 = std::bit_cast<uint32_t>(m + (kE2m1Integer + 2.f));
  const auto from_4 = std::bit_cast<uint32_t>(fmaf(m, .5f, kE2m1Integer + 4.f));
  const uint32_t smaller = below_2 < below_4 ? below_2 : below_4;
  return smaller < from_4 ? smaller : from_4;
}

// Eight of them to nibbles, the first one lowest: what the constant adds up to is taken off once, modulo 2^32.
constexpr uint32_t e2m1x8_merge(const uint32_t (&bits)[8]) {
  uint32_t sum = 0;
  for (int i = 7; i >= 0; --i) sum = sum * 16 + bits[i];
  return sum - std::bit_cast<uint32_t>(kE2m1Integer) * 0x11111111u;
}

}  // namespace b12x::ptx

// mufu_reference.hpp: f32 bits in, the nearest f32 of rcp, rsqrt, sqrt, 2^x, log2, sin, cos, tanh out.
//
// Plain IEEE double arithmetic without fused multiply-add, so that every host and every GPU compiler that honours
// IEEE (nvcc -fmad=false --expt-relaxed-constexpr) gives the same bits. Relative error below 2^-48, hence correctly
// rounded except where the exact value lies within 2^-48 of a tie. Recorded MUFU answers are stored as differences to
// these functions, and they are the yardstick for the hardware model's error.
#pragma once

#include <bit>
#include <cstdint>

namespace sim::numerics::reference {

inline constexpr double kLn2 = 0.6931471805599453094;
inline constexpr double kTwoOverLn2 = 2.8853900817779268147;
inline constexpr double kTwoPi = 6.2831853071795864769;

// 2^exponent for a normal double.
constexpr double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

// Any finite f32 as a double, subnormals included (done in integers: device code may flush float operands).
constexpr double to_double(uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 23 & 0xff);
  const double significand = static_cast<double>((bits & 0x7fffff) | (exponent != 0 ? 0x800000u : 0u));
  const double magnitude = significand * power_of_two((exponent != 0 ? exponent : 1) - 150);
  return bits >> 31 != 0 ? -magnitude : magnitude;
}

// Round to nearest even into f32 bits, subnormals and overflow to infinity included.
constexpr uint32_t to_f32_bits(double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  const uint32_t sign = static_cast<uint32_t>(bits >> 63) << 31;
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
  if (exponent == 1024) return (bits & 0xfffffffffffffull) != 0 ? 0x7fffffffu : sign | 0x7f800000u;
  if (exponent < -150) return sign;
  const uint64_t significand = (bits & 0xfffffffffffffull) | 1ull << 52;
  const int drop = exponent >= -126 ? 29 : 29 + (-126 - exponent);
  const uint64_t kept = significand >> drop;
  const uint64_t rest = significand & ((1ull << drop) - 1);
  const uint64_t half = 1ull << (drop - 1);
  const uint64_t rounded = kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0);
  const uint64_t biased = exponent >= -126 ? static_cast<uint64_t>(exponent + 126) : 0;
  const uint64_t result = (biased << 23) + rounded;  // the hidden bit carries into the exponent
  return sign | (result >= 0x7f800000u ? 0x7f800000u : static_cast<uint32_t>(result));
}

// sqrt by Newton's method, then fixed to the nearest double below or equal in f32 terms: error below 2^-51.
constexpr double square_root(double x) {
  if (!(x > 0.0)) return 0.0;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  double y = std::bit_cast<double>((bits >> 1) + 0x1ff8000000000000ull);
  for (int i = 0; i < 6; ++i) y = 0.5 * (y + x / y);
  return y;
}

// 2^x for |x| < 1000: the integer part by exponent, the rest by its Taylor series.
constexpr double exp2(double x) {
  const int whole = static_cast<int>(x >= 0 ? x + 0.5 : x - 0.5);
  const double y = (x - whole) * kLn2;
  double sum = 1.0;
  for (int n = 17; n >= 1; --n) sum = 1.0 + y / n * sum;
  return sum * power_of_two(whole);
}

// log2(x) for a positive normal double: exponent + 2/ln2 * atanh((m-1)/(m+1)) with m in [0.75, 1.5).
constexpr double log2(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);
  if (m >= 1.5) {
    m *= 0.5;
    ++exponent;
  }
  const double z = (m - 1.0) / (m + 1.0);
  const double z2 = z * z;
  double sum = 0.0;
  for (int n = 23; n >= 1; n -= 2) sum = sum * z2 + 1.0 / n;
  return exponent + kTwoOverLn2 * (z * sum);
}

// sin(2 pi turns) for |turns| <= 0.125, Taylor series.
constexpr double sin_small(double turns) {
  const double y = turns * kTwoPi;
  const double y2 = y * y;
  double sum = 1.0;
  for (int n = 18; n >= 2; n -= 2) sum = 1.0 - y2 / (n * (n + 1.0)) * sum;
  return y * sum;
}

// cos(2 pi turns) for |turns| <= 0.125, Taylor series.
constexpr double cos_small(double turns) {
  const double y = turns * kTwoPi;
  const double y2 = y * y;
  double sum = 1.0;
  for (int n = 18; n >= 2; n -= 2) sum = 1.0 - y2 / (n * (n - 1.0)) * sum;
  return sum;
}

// sin(2 pi turns) for |turns| < 2^40; a quarter turn is added for cos by the caller's flag.
constexpr double sin_turns(double turns, bool cosine) {
  const int64_t eighths = static_cast<int64_t>(turns >= 0 ? turns * 4.0 + 0.5 : turns * 4.0 - 0.5);
  const double rest = turns - static_cast<double>(eighths) * 0.25;
  const int quadrant = static_cast<int>((eighths + (cosine ? 1 : 0)) & 3);
  const double value = (quadrant & 1) != 0 ? cos_small(rest) : sin_small(rest);
  return (quadrant & 2) != 0 ? -value : value;
}

constexpr double tanh(double x) {
  const double magnitude = x < 0 ? -x : x;
  if (magnitude > 20.0) return x < 0 ? -1.0 : 1.0;
  if (magnitude < 0.125) {
    const double y = x * x;  // series of tanh to x^13
    return x * (1.0 - y * (1.0 / 3 -
                           y * (2.0 / 15 - y * (17.0 / 315 -
                                                y * (62.0 / 2835 - y * (1382.0 / 155925 - y * (21844.0 / 6081075)))))));
  }
  const double e = exp2(2.0 / kLn2 * magnitude);
  const double value = (e - 1.0) / (e + 1.0);
  return x < 0 ? -value : value;
}

}  // namespace sim::numerics::reference

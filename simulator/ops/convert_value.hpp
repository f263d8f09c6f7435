// Exact conversion of one value between integers and floating-point formats, with any rounding. Integers and floats
// narrow through "odd" values: truncated, with the last bit set when something was lost, so that the final rounding
// sees the truth.
#pragma once

#include <cmath>
#include <limits>

#include "ops/float_views.hpp"

namespace sim {

using numerics::Round;

// The double next to `x` that its integer origin rounds to oddly.
template <class T>
double odd_f64(T x) {
  const double nearest = static_cast<double>(x);
  const __int128 back = static_cast<__int128>(nearest);
  if (back == static_cast<__int128>(x)) return nearest;
  uint64_t bits = std::bit_cast<uint64_t>(nearest);
  const __int128 exact = static_cast<__int128>(x);
  if (exact > 0 ? back > exact : back < exact) --bits;
  return std::bit_cast<double>(bits | 1);
}

// An integer to f64, rounded once.
template <Round kRound, class T>
double to_f64(T x) {
  const double nearest = static_cast<double>(x);
  const __int128 back = static_cast<__int128>(nearest), exact = static_cast<__int128>(x);
  if (kRound == Round::kNearestEven || back == exact) return nearest;
  const bool wants_less = kRound == Round::kDown || (kRound == Round::kZero && exact > 0);
  if (wants_less == (back < exact)) return nearest;
  const uint64_t bits = std::bit_cast<uint64_t>(nearest);  // not zero, which would be exact
  return std::bit_cast<double>((nearest > 0) == wants_less ? bits - 1 : bits + 1);
}

template <Round kRound>
float to_f32(double x) {
  const float nearest = static_cast<float>(x);
  if constexpr (kRound == Round::kNearestEven) return nearest;
  const double back = nearest;
  if (x != x || back == x) return nearest;
  const bool wants_less = kRound == Round::kDown || (kRound == Round::kZero && x > 0);
  if (wants_less == (back < x)) return nearest;
  const uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (nearest == 0)
    return wants_less ? -std::numeric_limits<float>::denorm_min() : std::numeric_limits<float>::denorm_min();
  return std::bit_cast<float>((nearest > 0) == wants_less ? bits - 1 : bits + 1);
}

// To an integral value. A NaN becomes quiet; not every instruction set's trunc, floor and ceil do that.
template <Round kRound>
double to_integral(double x) {
  if (x != x) return std::bit_cast<double>(std::bit_cast<uint64_t>(x) | 1ull << 51);
  switch (kRound) {
    case Round::kNearestEven:
      return std::nearbyint(x);
    case Round::kZero:
      return std::trunc(x);
    case Round::kDown:
      return std::floor(x);
    default:
      return std::ceil(x);
  }
}

// Out of range: the nearest limit. NaN: `nan`.
template <class D>
D to_integer(double integral, D nan) {
  constexpr double kBeyond = sizeof(D) == 8 ? (std::is_signed_v<D> ? 0x1p63 : 0x1p64)
                                            : static_cast<double>(std::numeric_limits<D>::max()) + 1.0;
  if (integral != integral) return nan;
  if (integral >= kBeyond) return std::numeric_limits<D>::max();
  if (integral < static_cast<double>(std::numeric_limits<D>::min())) return std::numeric_limits<D>::min();
  return static_cast<D>(integral);
}

}  // namespace sim

// mma_round.hpp: the last step of every floating-point mma: an exact sum, as integer times power of two, to f32 or f16.
#pragma once

#include <bit>
#include <cstdint>

#include "formats.hpp"

namespace sim::numerics {

// Only a zero is asked to go 63 or more to the left; the mask makes that a shift that C++ has.
constexpr int64_t shift_toward_zero(int64_t value, int left) {
  if (left >= 0) return value * (int64_t{1} << (left & 63));
  if (left <= -63) return 0;
  return value < 0 ? -(-value >> -left) : value >> -left;
}

// sum * 2^unit to f32 bits, cut toward zero; 2^128 and above give infinity, and what is cut to zero is +0.
constexpr uint32_t sum_to_f32(int64_t sum, int unit) {
  if (sum == 0) return 0;
  const uint64_t magnitude = static_cast<uint64_t>(sum < 0 ? -sum : sum);
  const uint32_t sign = sum < 0 ? 0x80000000u : 0;
  const int top = 63 - std::countl_zero(magnitude);
  const int exponent = top + unit;
  if (exponent >= 128) return sign | kInfinityF32;
  const int last = (exponent >= -126 ? exponent : -126) - 23;  // exponent of the last bit that f32 keeps
  const int64_t kept = shift_toward_zero(static_cast<int64_t>(magnitude), unit - last);
  const uint32_t biased = exponent >= -126 ? static_cast<uint32_t>(exponent + 126) : 0;
  const uint32_t code = (biased << 23) + static_cast<uint32_t>(kept);
  return code == 0 ? 0 : sign | code;
}

// sum * 2^unit to the nearest f16; what rounds to zero is +0.
constexpr uint32_t sum_to_f16(int64_t sum, int unit) {
  if (sum == 0) return 0;
  const uint64_t magnitude = static_cast<uint64_t>(sum < 0 ? -sum : sum);
  const uint32_t sign = sum < 0 ? 0x8000u : 0;
  const int top = 63 - std::countl_zero(magnitude);
  const int exponent = top + unit;
  if (exponent >= 17) return sign | kF16.infinity;
  const int last = (exponent >= -14 ? exponent : -14) - 10;
  const uint64_t kept =
      last > unit ? round_off(magnitude, last - unit, Round::kNearestEven, false) : magnitude << (unit - last);
  const uint32_t biased = exponent >= -14 ? static_cast<uint32_t>(exponent + 14) : 0;
  const uint32_t code = (biased << 10) + static_cast<uint32_t>(kept);
  return code == 0 ? 0 : sign | (code > kF16.largest ? kF16.infinity : code);
}

}  // namespace sim::numerics

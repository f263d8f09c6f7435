// divisor.h: integer division by a number that the host knows: one high multiplication and a shift on the device.
#pragma once

#include <bit>
#include <cstdint>

namespace b12x::math {

// quotient(n) = n / value for n < 2^31. With 2^(shift - 1) < value <= 2^shift, multiplier = ceil(2^(31 + shift) /
// value) is off by less than value <= 2^shift, so n * multiplier is off by less than 2^(31 + shift): never a whole
// quotient.
struct Divisor {
  uint32_t value = 1;  // 1 .. 2^31
  uint32_t multiplier = 1u << 31;
  uint32_t shift = 0;

  static constexpr Divisor of(uint32_t value) {
    const auto log2 = static_cast<uint32_t>(std::bit_width(value - 1));
    const uint64_t power = uint64_t{1} << (31 + log2);
    return {value, static_cast<uint32_t>((power + value - 1) / value), log2};
  }

  // Of twice n, so that the high half is n * multiplier >> 31.
  constexpr uint32_t quotient(uint32_t n) const {
    return static_cast<uint32_t>(uint64_t{2 * n} * multiplier >> 32) >> shift;
  }
};

}  // namespace b12x::math

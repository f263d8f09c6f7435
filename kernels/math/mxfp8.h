// mxfp8.h: MXFP8's block scale. 32 neighbours share a power of two, 2^(byte - 127), byte 255 = NaN (ue8m0); the
// elements are e4m3. The scale is the smallest power of two that keeps the block's largest magnitude within 448, so
// nothing finite saturates (OCP's other rule, floor(log2(amax)) - 8, clips up to an eighth of the top octave).
#pragma once

#include <bit>
#include <cstdint>

namespace b12x::math {

inline constexpr int kMxfp8Block = 32;  // elements that share a scale

// Bits of amax (f32, not NaN) -> scale byte. 448 = 1.75 * 2^8: amax = m * 2^e needs 2^(e - 8) up to m = 1.75, else 2^(e
// - 7); adding what 1.75 lacks to 2 carries into the exponent exactly above 1.75. Infinity gets 247, what the largest
// f32 gets.
constexpr uint32_t ue8m0_scale_of(uint32_t amax_bits) {
  const uint32_t exponent = (amax_bits + 0x1FFFFFu) >> 23;
  return exponent > 8 ? exponent - 8 : 0;
}

// 2^(127 - byte), exact: what values are multiplied with. byte <= 247.
constexpr float ue8m0_reciprocal(uint32_t byte) { return std::bit_cast<float>((254u - byte) << 23); }

// Four e4m3 bytes: every negative zero becomes +0. Magnitude + 127 carries into the sign exactly where it is not zero.
constexpr uint32_t e4m3x4_positive_zeros(uint32_t word) {
  return word & (((word & 0x7F7F7F7Fu) + 0x7F7F7F7Fu) | 0x7F7F7F7Fu);
}

}  // namespace b12x::math

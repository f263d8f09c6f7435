// fp4.h: e2m1, the 4-bit float of NVFP4: sign, 2 exponent bits, 1 mantissa bit; magnitudes 0, .5, 1, 1.5, 2, 3, 4, 6.
// Two values a byte, even index in the low nibble; eight a 32-bit word, index i at bits 4i..4i+3.
#pragma once

#include <bit>
#include <cstdint>

namespace b12x::math {

inline constexpr float kE2m1Max = 6.f;
inline constexpr int kNvfp4Block = 16;              // elements that share an e4m3 scale
inline constexpr float kNvfp4AmaxToScale = 2688.f;  // largest e4m3 times largest e2m1: global scale = amax / 2688

constexpr float e2m1_decode(uint32_t nibble) {
  const uint32_t exponent = (nibble >> 1) & 3u, mantissa = nibble & 1u;
  const float magnitude = exponent == 0 ? 0.5f * static_cast<float>(mantissa)
                                        : static_cast<float>((2u + mantissa) << (exponent - 1)) * 0.5f;
  return (nibble & 8u) != 0 ? -magnitude : magnitude;
}

// cvt.rn.satfinite.e2m1 of one f32, exactly: nearest, ties to the even code, |x| > 6 gives 6, NaN gives +6, -0 stays
// -0. Below 1 the grid is 0.5, so adding 2^22 rounds there; from 1 on e2m1 is f32 with 22 mantissa bits rounded away.
constexpr uint32_t e2m1_encode(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return 7u;
  const uint32_t sign = (bits >> 28) & 8u;
  const uint32_t clamped = magnitude < 0x40C00000u ? magnitude : 0x40C00000u;
  const uint32_t below_one = std::bit_cast<uint32_t>(std::bit_cast<float>(clamped) + 4194304.f) - 0x4A800000u;
  const uint32_t from_one = ((clamped + 0x1FFFFFu + ((clamped >> 22) & 1u)) >> 22) - 252u;
  return sign | (clamped < 0x3F800000u ? below_one : from_one);
}

// Eight magnitude codes 0..7 and the signs of their values (bit 3 of each nibble) to eight nibbles; what rounded to
// zero is +0. Magnitude + 7 carries into bit 3 exactly where the magnitude is not zero.
constexpr uint32_t e2m1x8_with_signs(uint32_t magnitudes, uint32_t signs) {
  return magnitudes | (signs & (magnitudes + 0x77777777u) & 0x88888888u);
}

}  // namespace b12x::math

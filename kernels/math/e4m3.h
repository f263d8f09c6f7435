// e4m3.h: the 8-bit float of NVFP4's block scales: sign, 4 exponent bits (bias 7), 3 mantissa bits, no infinity, NaN =
// 0x7F. As a scale of the block-scaled MMA the sign bit is ignored.
#pragma once

#include <bit>
#include <cstdint>

namespace b12x::math {

inline constexpr float kE4m3Max = 448.f;
inline constexpr uint8_t kE4m3Nan = 0x7F;

constexpr float e4m3_decode(uint32_t byte) {
  const uint32_t exponent = (byte >> 3) & 15u, mantissa = byte & 7u;
  if ((byte & 0x7Fu) == kE4m3Nan) return std::bit_cast<float>(0x7FC00000u);
  const float magnitude = exponent == 0 ? static_cast<float>(mantissa) * 0x1p-9f
                                        : std::bit_cast<float>(((exponent + 120u) << 23) | (mantissa << 20));
  return (byte & 0x80u) != 0 ? -magnitude : magnitude;
}

// cvt.rn.satfinite.e4m3 of one f32, exactly: nearest, ties to even, |x| > 448 gives 448, NaN gives 0x7F.
// Below 2^-6 the grid is 2^-9, so adding 2^14 rounds there; from 2^-6 on e4m3 is f32 with 20 mantissa bits rounded
// away.
constexpr uint8_t e4m3_encode(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return kE4m3Nan;
  const uint32_t sign = (bits >> 24) & 0x80u;
  const uint32_t clamped = magnitude < 0x43E00000u ? magnitude : 0x43E00000u;
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(clamped) + 16384.f) - 0x46800000u;
  const uint32_t normal = ((clamped + 0x7FFFFu + ((clamped >> 20) & 1u)) >> 20) - 960u;
  return static_cast<uint8_t>(sign | (clamped < 0x3C800000u ? subnormal : normal));
}

}  // namespace b12x::math

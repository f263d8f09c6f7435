// exp.h: e^x and SiLU in IEEE f32 multiplications, additions and divisions alone, so that a GPU, the simulator and any
// CPU compute the same bits (kernels are compiled with -fmad=false). No approximate instruction, no table.
//   n = round(x / ln 2), r = x - n ln 2 in two exact-product steps, e^r = 1 + r + r^2 P(r), times 2^n in two steps so
//   that overflow and subnormals come out right. Largest error against FP64: 1.03 ulp over the normal range.
#pragma once

#include <bit>
#include <cstdint>

namespace b12x::math {

// 2^n for n in [-126, 127].
constexpr float power_of_two(int32_t n) { return std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23); }

constexpr float exp_f32(float x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f;       // 355 / 512: times |n| <= 150 it is exact
  constexpr float kLn2Low = -2.12194440e-4f;     // ln 2 - kLn2High
  constexpr float kRoundToInteger = 12582912.f;  // 1.5 * 2^23: one ulp is 1
  constexpr float kLimit = 104.f;                // e^104 overflows, e^-104 rounds to zero
  const float clamped = x < -kLimit ? -kLimit : (x > kLimit ? kLimit : x);
  const float shifted = clamped * kLog2E + kRoundToInteger;
  const float n_float = shifted - kRoundToInteger;
  const int32_t n = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRoundToInteger);
  const float r = (clamped - n_float * kLn2High) - n_float * kLn2Low;
  // Least-squares fit, reweighted towards equal error, on |r| <= 0.35: largest error 3.4e-9.
  float p = 0x1.6dbc66p-10f;
  p = p * r + 0x1.124148p-7f;
  p = p * r + 0x1.555454p-5f;
  p = p * r + 0x1.555486p-3f;
  p = p * r + 0.5f;
  p = p * r * r;
  const float e_r = (p + r) + 1.f;
  const int32_t half = n >> 1;
  return e_r * power_of_two(half) * power_of_two(n - half);
}

// x * sigmoid(x) = x / (1 + e^-x). NaN stays NaN; -inf gives NaN as IEEE arithmetic has it (-inf / inf).
constexpr float silu_f32(float x) { return x / (1.f + exp_f32(-x)); }

}  // namespace b12x::math

// silu.h: SiLU, x / (1 + e^-x), in IEEE f32 fused multiply-adds and one reciprocal, so that a GPU, the simulator and
// any CPU compute the same bits. No approximate instruction, no table.
//   y = -x log2(e), n = an integer near it, e^-x = 2^n 2^(y - n): a polynomial for the second factor, one fma to put
//   them together and add 1.
// Clamps are free: fma.sat limits its result to [0, 1] (NaN becomes 0), so n is found in units of 254 and the fraction
// in a unit that is a little longer than its interval. The device's half is quant/silu_mul.cuh.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace b12x::math {

// 1 + e^-x, at most 1.75 * 2^127: always finite, 1 for NaN. fma_sat(a, b, c) = a * b + c, rounded once and clamped.
template <typename FmaSat>
constexpr float silu_denominator(float x, FmaSat fma_sat) {
  constexpr float kOneIsUlp = 8388608.f;  // 2^23
  // The low bits hold n + 127 from 0 to 254, the exponent of 2^n; 0 stands for zero.
  const float shifted = fmaf(fma_sat(x, -1.44269504f / 254.f, 0.498800218f), 254.f, kOneIsUlp);
  // fraction = s (y - n) + 0.1957245, where s = 65435 / 65536 leaves room at both ends for an n that is 2^-16 off, and
  // s log2(e) is a float within 2^-37. The inner fma is exact.
  const float fraction = fma_sat(x, -1.4404716f, fmaf(shifted, -65435.f / 65536.f, 8375807.f));
  // Fit of 2^((fraction - 0.1957245) / s) in f32 arithmetic: largest relative error 1.3e-7.
  float p = 0x1.b13704p-10f;
  p = fmaf(p, fraction, 0x1.02aa78p-7f);
  p = fmaf(p, fraction, 0x1.91176p-5f);
  p = fmaf(p, fraction, 0x1.aeac4ep-3f);
  p = fmaf(p, fraction, 0x1.3648a6p-1f);
  p = fmaf(p, fraction, 0x1.bef37ep-1f);
  return fmaf(p, std::bit_cast<float>(std::bit_cast<uint32_t>(shifted) << 23), 1.f);
}

// x times the reciprocal of the denominator. Above 2^126 the reciprocal counts as 0: from x = -87.34 on the result is
// -0, where 1.1e-36 or less would be exact. NaN stays NaN; -inf gives NaN (-inf * 0), as IEEE arithmetic has -inf /
// inf.
constexpr float silu_f32(float x) {
  const auto fma_sat = [](float a, float b, float c) {
    const float sum = fmaf(a, b, c);
    return sum > 0.f ? (sum < 1.f ? sum : 1.f) : 0.f;
  };
  const float denominator = silu_denominator(x, fma_sat);
  return x * (denominator > 0x1p126f ? 0.f : 1.f / denominator);
}

}  // namespace b12x::math

// nvfp4_block.cuh: 16 neighbours of a row, as words of their type -> 8 bytes of e2m1 and the e4m3 byte of their scale.
//   sf = e4m3(blockmax / (6 gs)), S = f32(sf), q = e2m1(x / max(S gs, 1e-30)), IEEE f32 throughout;
// values that round to zero are +0; a block with NaN gets sf = NaN and nibbles 0; Inf saturates (sf 448, +-6).
#pragma once

#include <cstdint>

#include "kernels/math/e4m3.h"
#include "kernels/math/element.cuh"
#include "kernels/math/fp4.h"
#include "kernels/math/fp4_divide.h"
#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/mufu.cuh"

namespace b12x::math {

struct Nvfp4Block {
  uint2 packed;  // 16 nibbles, element i at bits 4i
  uint8_t scale;
};

template <typename Element>
inline constexpr int kNvfp4Words = kNvfp4Block / Element::kPerWord;

// 0 < global_scale <= 2^116: amax / 2688 of finite values is never more.
template <typename Element>
B12X_DEVICE Nvfp4Block quantize_nvfp4_block(const uint32_t (&words)[kNvfp4Words<Element>], float global_scale) {
  constexpr int kWords = kNvfp4Words<Element>;
  uint32_t magnitudes[kWords];
  for (int i = 0; i < kWords; ++i) magnitudes[i] = words[i] & Element::kMagnitude;
  const float block_max = Element::largest(magnitudes);
  const float wanted = __fdiv_rn(block_max, kE2m1Max * global_scale);
  if (!(wanted >= 0.f)) return {{0, 0}, kE4m3Nan};  // NaN in the block, or a global scale that is none

  const uint16_t scale = ptx::cvt_rn_satfinite_e4m3x2_f32(0.f, wanted);
  const float decoded = ptx::cvt_f32_f16(static_cast<uint16_t>(ptx::cvt_rn_f16x2_e4m3x2(scale)));
  float divisor = fmaxf(decoded * global_scale, kNvfp4MinDivisor);

  float values[kNvfp4Block];
  for (int i = 0; i < kWords; ++i) Element::unpack(magnitudes[i], &values[i * Element::kPerWord]);
  // Under a scale that is neither saturated nor below the smallest e4m3, quotients stay under 6.375: the products with
  // the reciprocal cannot overflow. Elsewhere, and where the reciprocal would lose bits, bring the values into range.
  if (!(block_max <= 6.4f * divisor && divisor <= kReciprocalMaxDivisor)) {
    const float shrink = divisor > kReciprocalMaxDivisor ? 0x1p-64f : 1.f;  // what gets subnormal is below d / 4
    divisor *= shrink;
    for (float& value : values) value = fminf(value * shrink, kE2m1Max * divisor);
  }
  // One Newton step makes the approximation the correctly rounded reciprocal (as in nvcc's own 1.f / x).
  const float near = ptx::rcp_approx_ftz_f32(divisor);
  const ReciprocalPair reciprocal = reciprocal_pair(divisor, fmaf(near, fmaf(-divisor, near, 1.f), near));
  for (float& value : values) value = e2m1_quotient(value, reciprocal);
  const auto half = [&](int first) {
    return e2m1x8_with_signs(ptx::cvt_rn_satfinite_e2m1x8_f32(&values[first]),
                             Element::signs(&words[first / Element::kPerWord]));
  };
  return {{half(0), half(8)}, static_cast<uint8_t>(scale)};
}

}  // namespace b12x::math

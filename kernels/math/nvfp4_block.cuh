// nvfp4_block.cuh: 16 neighbours of a row, as words of their type -> 8 bytes of e2m1 and the e4m3 byte of their scale.
//   sf = e4m3(blockmax / (6 gs)), S = f32(sf), q = e2m1(x / max(S gs, 1e-30)), IEEE f32 throughout;
// values that round to zero are +0; a block with NaN gets sf = NaN and nibbles 0; Inf saturates (sf 448, +-6).
#pragma once

#include <cstdint>

#include "kernels/math/e4m3.h"
#include "kernels/math/element.cuh"
#include "kernels/math/fp4.h"
#include "kernels/math/fp4_divide.h"
#include "kernels/math/reciprocal.cuh"
#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"

namespace b12x::math {

struct Nvfp4Block {
  uint2 packed;  // 16 nibbles, element i at bits 4i
  uint8_t scale;
};

template <typename Element>
inline constexpr int kNvfp4Words = kNvfp4Block / Element::kPerWord;

// A global scale gs and what follows from it alone: 0 < gs <= 2^116 (amax / 2688 of finite values is never more), or
// NaN.
struct Nvfp4Scale {
  float global_scale;
  float reciprocal;  // 1 / (6 gs), correctly rounded; NaN where it or products with it might leave f32's normal range

  B12X_DEVICE bool is_usual() const { return reciprocal > 0.f; }
};

B12X_DEVICE Nvfp4Scale nvfp4_scale(float global_scale) {
  const bool usual = global_scale >= 0x1p-60f && global_scale <= 0x1p50f;
  return {global_scale, usual ? reciprocal(kE2m1Max * global_scale) : __uint_as_float(0x7FC00000u)};
}

template <typename Element>
B12X_DEVICE Nvfp4Block quantize_nvfp4_block(const uint32_t (&words)[kNvfp4Words<Element>], const Nvfp4Scale& of_all) {
  constexpr int kWords = kNvfp4Words<Element>;
  uint32_t magnitudes[kWords];
  for (int i = 0; i < kWords; ++i) magnitudes[i] = words[i] & Element::kMagnitude;
  const float block_max = Element::largest(magnitudes);
  float values[kNvfp4Block];
  for (int i = 0; i < kWords; ++i) Element::unpack_magnitudes(magnitudes[i], &values[i * Element::kPerWord]);

  uint16_t scale;
  float divisor;
  const auto set_scale = [&](float wanted) {
    scale = ptx::cvt_rn_satfinite_e4m3x2_f32(0.f, wanted);
    divisor = ptx::cvt_f32_f16(static_cast<uint16_t>(ptx::cvt_rn_f16x2_e4m3x2(scale))) * of_all.global_scale;
  };
  // The IEEE quotient block_max / (6 gs), as nvcc's own division has it where nothing overflows or underflows.
  const float six_scales = kE2m1Max * of_all.global_scale;
  const float near = block_max * of_all.reciprocal;
  const float wanted = fmaf(fmaf(-six_scales, near, block_max), of_all.reciprocal, near);
  set_scale(wanted);
  // A normal e4m3 that is not saturated is within a sixteenth: quotients stay under 6.375, and products with the
  // reciprocal cannot overflow. Elsewhere (zeros, tiny blocks, Inf, NaN, extreme scales) divide by IEEE and bring the
  // values into range.
  if (!(wanted >= 0x1p-6f && wanted <= kE4m3Max)) {
    const float exact = __fdiv_rn(block_max, six_scales);
    if (!(exact >= 0.f)) return {{0, 0}, kE4m3Nan};  // NaN in the block, or a global scale that is none
    set_scale(exact);
    divisor = fmaxf(divisor, kNvfp4MinDivisor);
    const float shrink = divisor > kReciprocalMaxDivisor ? 0x1p-64f : 1.f;  // what gets subnormal is below d / 4
    divisor *= shrink;
    for (float& value : values) value = fminf(value * shrink, kE2m1Max * divisor);
  }
  const ReciprocalPair pair = reciprocal_pair(divisor, reciprocal(divisor));
  for (float& value : values) value = e2m1_quotient(value, pair);
  const auto half = [&](int first) {
    return e2m1x8_with_signs(ptx::cvt_rn_satfinite_e2m1x8_f32(&values[first]),
                             Element::signs(&words[first / Element::kPerWord]));
  };
  return {{half(0), half(8)}, static_cast<uint8_t>(scale)};
}

}  // namespace b12x::math

// cvt.cuh: conversions between f32 and the narrow formats. sm_90a lacks cvt to e2m1: there roundings of f32 additions
// stand in (kernels/ptx/e2m1_round.h).
#pragma once

#include <cstdint>

#include "kernels/ptx/device.h"
#include "kernels/ptx/e2m1_round.h"

namespace b12x::ptx {

// cvt.rn.bf16x2.f32 d, high, low;   PTX ISA 7.0, sm_80
B12X_DEVICE uint32_t cvt_rn_bf16x2_f32(float high, float low) {
  uint32_t d;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
  return d;
}

// cvt.rn.f16x2.f32 d, high, low;   PTX ISA 7.0, sm_80
B12X_DEVICE uint32_t cvt_rn_f16x2_f32(float high, float low) {
  uint32_t d;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
  return d;
}

// cvt.f32.f16 d, a;
B12X_DEVICE float cvt_f32_f16(uint16_t a) {
  float d;
  asm("cvt.f32.f16 %0, %1;" : "=f"(d) : "h"(a));
  return d;
}

// cvt.rn.satfinite.e4m3x2.f32 d, high, low;   PTX ISA 7.8, sm_89. NaN gives 0x7F.
B12X_DEVICE uint16_t cvt_rn_satfinite_e4m3x2_f32(float high, float low) {
  uint16_t d;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(d) : "f"(high), "f"(low));
  return d;
}

// cvt.rn.f16x2.e4m3x2 d, a;   PTX ISA 7.8, sm_89. Exact; the upper byte goes to the upper half.
B12X_DEVICE uint32_t cvt_rn_f16x2_e4m3x2(uint16_t a) {
  uint32_t d;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(d) : "h"(a));
  return d;
}

// cvt.rn.f16x2.e4m3x2 of both halves of a register, which the instruction selects by itself where it sees them
// unpacked.
B12X_DEVICE void cvt_rn_f16x2_e4m3x4(uint32_t a, uint32_t& low, uint32_t& high) {
  asm("{\n.reg .b16 l, h;\nmov.b32 {l, h}, %2;\ncvt.rn.f16x2.e4m3x2 %0, l;\ncvt.rn.f16x2.e4m3x2 %1, h;\n}"
      : "=r"(low), "=r"(high)
      : "r"(a));
}

// Four times cvt.rn.satfinite.e2m1x2.f32 d, high, low;   PTX ISA 8.6, sm_100a and sm_120f. v[i] goes to bits 4i..4i+3.
// The stand-in takes 0 <= v[i] < 6.5 only: magnitudes that are saturated already.
B12X_DEVICE uint32_t cvt_rn_satfinite_e2m1x8_f32(const float* v) {
#if __CUDA_ARCH__ >= 1000
  uint32_t d;
  asm("{\n"
      ".reg .b8 byte0, byte1, byte2, byte3;\n"
      "cvt.rn.satfinite.e2m1x2.f32 byte0, %2, %1;\n"
      "cvt.rn.satfinite.e2m1x2.f32 byte1, %4, %3;\n"
      "cvt.rn.satfinite.e2m1x2.f32 byte2, %6, %5;\n"
      "cvt.rn.satfinite.e2m1x2.f32 byte3, %8, %7;\n"
      "mov.b32 %0, {byte0, byte1, byte2, byte3};\n"
      "}"
      : "=r"(d)
      : "f"(v[0]), "f"(v[1]), "f"(v[2]), "f"(v[3]), "f"(v[4]), "f"(v[5]), "f"(v[6]), "f"(v[7]));
  return d;
#else
  uint32_t bits[8];
  for (int i = 0; i < 8; ++i) bits[i] = e2m1_magnitude_bits(v[i]);
  return e2m1x8_merge(bits);
#endif
}

}  // namespace b12x::ptx

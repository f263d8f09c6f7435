// element.cuh: the 16- and 32-bit element types of activations, as the kernels see them: 32-bit words to f32 and back.
#pragma once

#include <cstdint>

#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"

namespace b12x::math {

struct Bf16 {
  using Storage = uint16_t;
  static constexpr int kPerWord = 2;
  B12X_DEVICE static void unpack(uint32_t word, float* values) {
    values[0] = __uint_as_float(word << 16);
    values[1] = __uint_as_float(word & 0xFFFF0000u);
  }
  B12X_DEVICE static uint32_t pack(float low, float high) { return ptx::cvt_rn_bf16x2_f32(high, low); }
};

struct F16 {
  using Storage = uint16_t;
  static constexpr int kPerWord = 2;
  B12X_DEVICE static void unpack(uint32_t word, float* values) {
    values[0] = ptx::cvt_f32_f16(static_cast<uint16_t>(word));
    values[1] = ptx::cvt_f32_f16(static_cast<uint16_t>(word >> 16));
  }
  B12X_DEVICE static uint32_t pack(float low, float high) { return ptx::cvt_rn_f16x2_f32(high, low); }
};

struct F32 {
  using Storage = uint32_t;
  static constexpr int kPerWord = 1;
  B12X_DEVICE static void unpack(uint32_t word, float* values) { values[0] = __uint_as_float(word); }
};

}  // namespace b12x::math

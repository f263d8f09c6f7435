// element.cuh: the 16- and 32-bit element types of activations, as the kernels see them: 32-bit words to f32 and back,
// and the largest magnitude of some words. Magnitudes order like their bits, and every NaN lies above infinity: one
// integer maximum finds both.
#pragma once

#include <cstdint>

#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/packed.cuh"

namespace b12x::math {

// Bits of the largest 16-bit magnitude of N words.
template <int N>
B12X_DEVICE uint32_t max_magnitude_16(const uint32_t (&words)[N]) {
  uint32_t pair = words[0] & 0x7FFF7FFFu;
  for (int i = 1; i < N; ++i) pair = ptx::max_u16x2(pair, words[i] & 0x7FFF7FFFu);
  return max(pair & 0xFFFFu, pair >> 16);
}

struct Bf16 {
  using Storage = uint16_t;
  static constexpr int kPerWord = 2;
  B12X_DEVICE static void unpack(uint32_t word, float* values) {
    values[0] = __uint_as_float(word << 16);
    values[1] = __uint_as_float(word & 0xFFFF0000u);
  }
  B12X_DEVICE static uint32_t pack(float low, float high) { return ptx::cvt_rn_bf16x2_f32(high, low); }
  template <int N>
  B12X_DEVICE static float max_magnitude(const uint32_t (&words)[N]) {  // NaN if one is
    return __uint_as_float(max_magnitude_16(words) << 16);
  }
};

struct F16 {
  using Storage = uint16_t;
  static constexpr int kPerWord = 2;
  B12X_DEVICE static void unpack(uint32_t word, float* values) {
    values[0] = ptx::cvt_f32_f16(static_cast<uint16_t>(word));
    values[1] = ptx::cvt_f32_f16(static_cast<uint16_t>(word >> 16));
  }
  B12X_DEVICE static uint32_t pack(float low, float high) { return ptx::cvt_rn_f16x2_f32(high, low); }
  template <int N>
  B12X_DEVICE static float max_magnitude(const uint32_t (&words)[N]) {
    return ptx::cvt_f32_f16(static_cast<uint16_t>(max_magnitude_16(words)));
  }
};

struct F32 {
  using Storage = uint32_t;
  static constexpr int kPerWord = 1;
  B12X_DEVICE static void unpack(uint32_t word, float* values) { values[0] = __uint_as_float(word); }
  template <int N>
  B12X_DEVICE static float max_magnitude(const uint32_t (&words)[N]) {
    uint32_t bits = 0;
    for (int i = 0; i < N; ++i) bits = max(bits, words[i] & 0x7FFFFFFFu);
    return __uint_as_float(bits);
  }
};

}  // namespace b12x::math

// element.cuh: the 16- and 32-bit element types of activations, as the kernels see them: 32-bit words to f32 and back.
// For quantisation a word is parted into magnitudes and signs. Magnitudes order like their bits, and every NaN lies
// above infinity: one integer maximum finds both.
#pragma once

#include <cstdint>

#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/packed.cuh"

namespace b12x::math {

// Bits of the largest of the 16-bit magnitudes in N words.
template <int N>
B12X_DEVICE uint32_t max_magnitude_16(const uint32_t (&magnitudes)[N]) {
  uint32_t pair = magnitudes[0];
  for (int i = 1; i < N; ++i) pair = ptx::max_u16x2(pair, magnitudes[i]);
  return max(pair & 0xFFFFu, pair >> 16);
}

// Bits 7 of the bytes of `even` and `odd` (elements 0, 2, 4, 6 and 1, 3, 5, 7) to bit 3 of the nibbles of eight
// elements.
B12X_DEVICE uint32_t sign_nibbles(uint32_t even, uint32_t odd) {
  return (odd & 0x80808080u) | ((even >> 4) & 0x08080808u);
}

// Of two 16-bit magnitudes in each word and the largest finite ones so far, both with kInfinity's distance from 0x8000
// added: infinity and NaN are negative then, and less than any finite one.
template <uint32_t kInfinity>
B12X_DEVICE uint32_t max_finite_16(uint32_t largest, uint32_t magnitudes) {
  return ptx::max_s16x2(largest, magnitudes + 0x10001u * (0x8000u - kInfinity));
}
template <uint32_t kInfinity>
B12X_DEVICE uint32_t finite_magnitude_16(uint32_t largest) {
  constexpr uint32_t kZero = 0x8000u - kInfinity;
  return max(max(largest & 0xFFFFu, largest >> 16), kZero) - kZero;
}

// Signs of eight 16-bit elements in four words: their top bytes, even elements apart from odd ones.
B12X_DEVICE uint32_t sign_nibbles_16(const uint32_t* words) {
  const uint32_t low = __byte_perm(words[0], words[1], 0x7351), high = __byte_perm(words[2], words[3], 0x7351);
  return sign_nibbles(__byte_perm(low, high, 0x5410), __byte_perm(low, high, 0x7632));
}

// Four neighbours from element `index`, a multiple of 4, rounded to 16 bits.
template <typename Element>
B12X_DEVICE void store4_packed(void* c, int64_t index, float4 v) {
  *reinterpret_cast<uint2*>(static_cast<uint16_t*>(c) + index) = {Element::pack(v.x, v.y), Element::pack(v.z, v.w)};
}

struct Bf16 {
  using Storage = uint16_t;
  static constexpr int kPerWord = 2;
  static constexpr uint32_t kMagnitude = 0x7FFF7FFFu;
  B12X_DEVICE static void unpack(uint32_t word, float* values) {
    values[0] = __uint_as_float(word << 16);
    values[1] = __uint_as_float(word & 0xFFFF0000u);
  }
  // The same of a word without signs: a byte permutation, since the compiler would move a shift before the mask.
  B12X_DEVICE static void unpack_magnitudes(uint32_t word, float* values) {
    values[0] = __uint_as_float(__byte_perm(word, 0, 0x1044));
    values[1] = __uint_as_float(word & 0xFFFF0000u);
  }
  B12X_DEVICE static uint32_t pack(float low, float high) { return ptx::cvt_rn_bf16x2_f32(high, low); }
  template <int N>
  B12X_DEVICE static float largest(const uint32_t (&magnitudes)[N]) {  // NaN if one is
    return __uint_as_float(max_magnitude_16(magnitudes) << 16);
  }
  // Largest finite magnitudes so far, from 0, and those of a word more; then the f32's bits of the largest.
  B12X_DEVICE static uint32_t max_finite(uint32_t largest, uint32_t magnitudes) {
    return max_finite_16<0x7F80u>(largest, magnitudes);
  }
  B12X_DEVICE static uint32_t finite_bits(uint32_t largest) { return finite_magnitude_16<0x7F80u>(largest) << 16; }
  B12X_DEVICE static uint32_t signs(const uint32_t* words) { return sign_nibbles_16(words); }  // of eight elements
  B12X_DEVICE static void store4(void* c, int64_t index, float4 v) { store4_packed<Bf16>(c, index, v); }
};

struct F16 {
  using Storage = uint16_t;
  static constexpr int kPerWord = 2;
  static constexpr uint32_t kMagnitude = 0x7FFF7FFFu;
  B12X_DEVICE static void unpack(uint32_t word, float* values) {
    values[0] = ptx::cvt_f32_f16(static_cast<uint16_t>(word));
    values[1] = ptx::cvt_f32_f16(static_cast<uint16_t>(word >> 16));
  }
  B12X_DEVICE static void unpack_magnitudes(uint32_t word, float* values) { unpack(word, values); }
  B12X_DEVICE static uint32_t pack(float low, float high) { return ptx::cvt_rn_f16x2_f32(high, low); }
  template <int N>
  B12X_DEVICE static float largest(const uint32_t (&magnitudes)[N]) {
    return ptx::cvt_f32_f16(static_cast<uint16_t>(max_magnitude_16(magnitudes)));
  }
  B12X_DEVICE static uint32_t max_finite(uint32_t largest, uint32_t magnitudes) {
    return max_finite_16<0x7C00u>(largest, magnitudes);
  }
  B12X_DEVICE static uint32_t finite_bits(uint32_t largest) {
    return __float_as_uint(ptx::cvt_f32_f16(static_cast<uint16_t>(finite_magnitude_16<0x7C00u>(largest))));
  }
  B12X_DEVICE static uint32_t signs(const uint32_t* words) { return sign_nibbles_16(words); }
  B12X_DEVICE static void store4(void* c, int64_t index, float4 v) { store4_packed<F16>(c, index, v); }
};

struct F32 {
  using Storage = uint32_t;
  static constexpr int kPerWord = 1;
  static constexpr uint32_t kMagnitude = 0x7FFFFFFFu;
  B12X_DEVICE static void unpack(uint32_t word, float* values) { values[0] = __uint_as_float(word); }
  B12X_DEVICE static void unpack_magnitudes(uint32_t word, float* values) { unpack(word, values); }
  template <int N>
  B12X_DEVICE static float largest(const uint32_t (&magnitudes)[N]) {
    uint32_t bits = 0;
    for (int i = 0; i < N; ++i) bits = max(bits, magnitudes[i]);
    return __uint_as_float(bits);
  }
  B12X_DEVICE static uint32_t max_finite(uint32_t largest, uint32_t magnitude) {
    return magnitude < 0x7F800000u ? max(largest, magnitude) : largest;
  }
  B12X_DEVICE static uint32_t finite_bits(uint32_t largest) { return largest; }
  B12X_DEVICE static uint32_t signs(const uint32_t* words) {
    const auto tops = [](uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
      return __byte_perm(__byte_perm(a, b, 0x73), __byte_perm(c, d, 0x73), 0x5410);
    };
    return sign_nibbles(tops(words[0], words[2], words[4], words[6]), tops(words[1], words[3], words[5], words[7]));
  }
  B12X_DEVICE static void store4(void* c, int64_t index, float4 v) {
    *reinterpret_cast<float4*>(static_cast<float*>(c) + index) = v;
  }
};

}  // namespace b12x::math

// Floating-point formats as types: how the bits of a lane become a float or double and back. Arithmetic results go
// through encode(), which makes every NaN the canonical one, as the ISA asks for .f32, .f16 and .bf16.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "numerics/formats.hpp"

namespace sim {

// Subnormals to zero of the same sign.
inline float flush(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits);
}
inline uint32_t canonical(float x) { return x != x ? numerics::kNanF32 : std::bit_cast<uint32_t>(x); }

struct F32 {
  using Bits = uint32_t;
  using Value = float;
  static Value decode(Bits bits) { return std::bit_cast<float>(bits); }
  static Bits encode(Value x) { return canonical(x); }
};
struct F32Ftz {
  using Bits = uint32_t;
  using Value = float;
  static Value decode(Bits bits) { return flush(std::bit_cast<float>(bits)); }
  static Bits encode(Value x) { return canonical(flush(x)); }
};
struct F64 {
  using Bits = uint64_t;
  using Value = double;
  static Value decode(Bits bits) { return std::bit_cast<double>(bits); }
  static Bits encode(Value x) { return std::bit_cast<uint64_t>(x); }
};
// 16-bit formats compute in double, whose one extra rounding never changes a sum or product of 8- or 11-bit
// significands; encode() rounds double to odd f32 first, then to nearest even.
inline uint32_t odd_f32(double x) {
  const float nearest = static_cast<float>(x);
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  const double back = nearest;
  if (x != x || back == x) return bits;
  const bool is_too_large = (x > 0) ? back > x : back < x;
  if (is_too_large) --bits;  // magnitude towards zero; from infinity to the largest value
  return bits | 1;
}
struct F16 {
  using Bits = uint32_t;  // in a 32-bit lane; only 16 count
  using Value = double;
  static Value decode(Bits bits) { return _cvtsh_ss(static_cast<unsigned short>(bits)); }
  static Bits encode(Value x) {
    if (x != x) return numerics::kNanF16;
    return _cvtss_sh(std::bit_cast<float>(odd_f32(x)), _MM_FROUND_TO_NEAREST_INT);
  }
};
struct F16Ftz : F16 {
  static Value decode(Bits bits) { return F16::decode((bits & 0x7c00) == 0 ? bits & 0x8000 : bits); }
  static Bits encode(Value x) {
    const Bits bits = F16::encode(x);
    return (bits & 0x7c00) == 0 ? bits & 0x8000 : bits;
  }
};
struct Bf16 {
  using Bits = uint32_t;
  using Value = double;
  static Value decode(Bits bits) { return std::bit_cast<float>(bits << 16); }
  static Bits encode(Value x) { return numerics::f32_to_bf16_rn(odd_f32(x)); }
};

}  // namespace sim

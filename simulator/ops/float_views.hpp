// Floating-point formats as types: how the bits of a lane become a float or double and back. Arithmetic results go
// through encode(), which makes every NaN the canonical one, as the ISA asks for .f32, .f16 and .bf16. And the host's
// rounding modes, and what a NaN of .f64 becomes.
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
// binary16 to f32 and back, to nearest even, as F16C does it. A widened NaN keeps its sign and payload, and is quiet;
// what becomes of a NaN on the way back does not matter.
inline float half_to_f32(uint32_t half) {
#ifdef __F16C__
  return _cvtsh_ss(static_cast<unsigned short>(half));
#else
  if ((half & 0x7fff) > 0x7c00) return std::bit_cast<float>((half & 0x8000) << 16 | 0x7fc00000 | (half & 0x3ff) << 13);
  return std::bit_cast<float>(numerics::f16_to_f32(half));
#endif
}
inline uint32_t f32_to_half(float x) {
#ifdef __F16C__
  return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#else
  return numerics::f32_to_f16_rn(std::bit_cast<uint32_t>(x));
#endif
}
struct F16 {
  using Bits = uint32_t;  // in a 32-bit lane; only 16 count
  using Value = double;
  static Value decode(Bits bits) { return half_to_f32(bits); }
  static Bits encode(Value x) {
    if (x != x) return numerics::kNanF16;
    return f32_to_half(std::bit_cast<float>(odd_f32(x)));
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

enum class Mode : uint32_t { kNearest = 0x0000, kDown = 0x2000, kUp = 0x4000, kZero = 0x6000 };  // MXCSR bits 14..13

// The host's rounding mode for one lane loop. The barriers keep the loop's loads and stores inside.
template <Mode kMode>
struct Rounding {
  Rounding() {
    if constexpr (kMode != Mode::kNearest) {
      _mm_setcsr((_mm_getcsr() & ~0x6000u) | static_cast<uint32_t>(kMode));
      asm volatile("" ::: "memory");
    }
  }
  ~Rounding() {
    if constexpr (kMode != Mode::kNearest) {
      asm volatile("" ::: "memory");
      _mm_setcsr(_mm_getcsr() & ~0x6000u);
    }
  }
};

// f64 keeps the payload of a NaN: of the second operand before the third before the first, of a dividend before its
// divisor (an H100's answers). `bits` is what the host made of it.
inline bool is_nan(uint64_t bits) { return (bits & ~(1ull << 63)) > 0x7ff0000000000000ull; }
inline uint64_t quiet(uint64_t bits) { return bits | 1ull << 51; }
inline uint64_t propagate(uint64_t bits, uint64_t first, uint64_t second) {
  if (!is_nan(bits)) return bits;
  return is_nan(first) ? quiet(first) : is_nan(second) ? quiet(second) : bits;
}
inline uint64_t propagate(uint64_t bits, uint64_t first, uint64_t second, uint64_t third) {
  return is_nan(first) ? propagate(bits, first, first) : propagate(bits, second, third);
}

}  // namespace sim

// formats.hpp: bits of one number format in, bits of another out: e2m1, e2m3, e3m2, e4m3, e5m2, ue8m0, f16, bf16, tf32.
//
// Everything travels as bits (f32 as uint32_t), so no host rounding mode, flush mode or NaN canonicalisation can touch
// a value. One decoder and one encoder, driven by a Format row, serve all formats; the named functions are the PTX cvt
// forms with their saturation and NaN rules (PTX ISA 9.4, "cvt"). f32 subnormals are honoured: flushing belongs to the
// instruction that asks for .ftz.
#pragma once

#include <bit>
#include <cstdint>

namespace sim::numerics {

enum class Round { kNearestEven, kZero, kDown, kUp, kNearestAway };

struct Format {
  int exponent_bits;
  int mantissa_bits;
  uint32_t largest;   // code of the largest finite magnitude
  uint32_t infinity;  // code of infinity; 0 = the format has none
  uint32_t nan;       // what NaN encodes to (e2m1, e2m3, e3m2 have no NaN: it becomes the largest value)
  bool has_nan;
  constexpr int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  constexpr uint32_t sign() const { return 1u << (exponent_bits + mantissa_bits); }
};

inline constexpr Format kE2m1{2, 1, 0x7, 0, 0x7, false};
inline constexpr Format kE2m3{2, 3, 0x1f, 0, 0x1f, false};
inline constexpr Format kE3m2{3, 2, 0x1f, 0, 0x1f, false};
inline constexpr Format kE4m3{4, 3, 0x7e, 0, 0x7f, true};
inline constexpr Format kE5m2{5, 2, 0x7b, 0x7c, 0x7f, true};
inline constexpr Format kF16{5, 10, 0x7bff, 0x7c00, 0x7fff, true};
inline constexpr Format kBf16{8, 7, 0x7f7f, 0x7f80, 0x7fff, true};
inline constexpr Format kTf32{8, 10, 0x3fbff, 0x3fc00, 0x3ffff, true};  // the upper 19 bits of an f32
inline constexpr Format kF32{8, 23, 0x7f7fffff, 0x7f800000, 0x7fffffff, true};

inline constexpr uint32_t kNanF32 = 0x7fffffff;  // the canonical NaN of every arithmetic instruction
inline constexpr uint16_t kNanF16 = 0x7fff;
inline constexpr uint32_t kInfinityF32 = 0x7f800000;

constexpr bool is_nan_f32(uint32_t bits) { return (bits & 0x7fffffff) > kInfinityF32; }
constexpr bool is_infinity_f32(uint32_t bits) { return (bits & 0x7fffffff) == kInfinityF32; }

// Drops `count` >= 1 bits of a magnitude with the given rounding.
constexpr uint64_t round_off(uint64_t magnitude, int count, Round round, bool negative) {
  if (count > 62) {  // less than half a unit
    const bool up = (round == Round::kUp && !negative) || (round == Round::kDown && negative);
    return magnitude != 0 && up ? 1 : 0;
  }
  const uint64_t kept = magnitude >> count;
  const uint64_t rest = magnitude & ((1ull << count) - 1);
  const uint64_t half = 1ull << (count - 1);
  bool up = false;
  switch (round) {
    case Round::kNearestEven:
      up = rest > half || (rest == half && (kept & 1) != 0);
      break;
    case Round::kNearestAway:
      up = rest >= half;
      break;
    case Round::kZero:
      break;
    case Round::kDown:
      up = negative && rest != 0;
      break;
    case Round::kUp:
      up = !negative && rest != 0;
      break;
  }
  return kept + (up ? 1 : 0);
}

// f32 bits to the code of a narrower format. Overflow gives infinity (the largest value when `saturate`, when the
// format has no infinity, or when the rounding mode points inward); infinity itself saturates only when asked.
constexpr uint32_t encode(Format format, uint32_t f32, Round round, bool saturate) {
  const bool negative = f32 >> 31 != 0;
  const uint32_t magnitude = f32 & 0x7fffffff;
  if (magnitude > kInfinityF32) return format.nan;
  const uint32_t sign = negative ? format.sign() : 0;
  if (magnitude == kInfinityF32) return sign | (saturate || format.infinity == 0 ? format.largest : format.infinity);
  const int field = static_cast<int>(magnitude >> 23);
  const int exponent = (field != 0 ? field : 1) - 127;
  const uint64_t significand = (magnitude & 0x7fffff) | (field != 0 ? 0x800000u : 0u);
  const int smallest = 1 - format.bias();
  const int below = exponent < smallest ? smallest - exponent : 0;
  const uint64_t kept = round_off(significand, 23 - format.mantissa_bits + below, round, negative);
  const uint64_t steps = exponent > smallest ? static_cast<uint64_t>(exponent - smallest) : 0;
  const uint64_t code = (steps << format.mantissa_bits) + kept;  // the hidden bit carries into the exponent
  if (code <= format.largest) return sign | static_cast<uint32_t>(code);
  const bool inward =
      round == Round::kZero || (round == Round::kDown && !negative) || (round == Round::kUp && negative);
  return sign | (saturate || inward || format.infinity == 0 ? format.largest : format.infinity);
}

// Code of a narrow format to f32 bits: exact. NaN gives `nan` (canonical unless the caller keeps the payload).
constexpr uint32_t decode(Format format, uint32_t code) {
  const uint32_t sign = (code & format.sign()) != 0 ? 0x80000000u : 0;
  const uint32_t magnitude = code & (format.sign() - 1);
  if (format.has_nan && format.infinity == 0 && magnitude == format.nan) return kNanF32;
  if (format.infinity != 0 && magnitude > format.infinity) return kNanF32;
  if (format.infinity != 0 && magnitude == format.infinity) return sign | kInfinityF32;
  const uint32_t field = magnitude >> format.mantissa_bits;
  const uint32_t mantissa = magnitude & ((1u << format.mantissa_bits) - 1);
  if (field != 0 || format.exponent_bits == 8)  // bf16 and tf32 subnormals are f32 subnormals, bit for bit
    return sign | (field + 127 - static_cast<uint32_t>(format.bias())) << 23 | mantissa << (23 - format.mantissa_bits);
  if (mantissa == 0) return sign;
  const int top = std::bit_width(mantissa) - 1;  // normalise a subnormal
  const int exponent = 1 - format.bias() - format.mantissa_bits + top;
  return sign | static_cast<uint32_t>(exponent + 127) << 23 | ((mantissa << (23 - top)) & 0x7fffff);
}

// --- decoding: narrow code to f32 bits, all exact ---
constexpr uint32_t e2m1_to_f32(uint32_t nibble) { return decode(kE2m1, nibble & 0xf); }
constexpr uint32_t e2m3_to_f32(uint32_t code) { return decode(kE2m3, code & 0x3f); }
constexpr uint32_t e3m2_to_f32(uint32_t code) { return decode(kE3m2, code & 0x3f); }
constexpr uint32_t e4m3_to_f32(uint32_t code) { return decode(kE4m3, code & 0xff); }
constexpr uint32_t e5m2_to_f32(uint32_t code) { return decode(kE5m2, code & 0xff); }
constexpr uint32_t f16_to_f32(uint32_t code) { return decode(kF16, code & 0xffff); }
constexpr uint32_t bf16_to_f32(uint32_t code) { return decode(kBf16, code & 0xffff); }
// ue4m3, a scale factor: e4m3 whose sign bit is ignored.
constexpr uint32_t ue4m3_to_f32(uint32_t code) { return decode(kE4m3, code & 0x7f); }
// ue8m0, a scale factor: 2^(code - 127), 0xff is NaN, 0 is 2^-127 (an f32 subnormal).
constexpr uint32_t ue8m0_to_f32(uint32_t code) {
  code &= 0xff;
  return code == 0xff ? kNanF32 : code == 0 ? 0x00400000u : code << 23;
}

// --- encoding from f32 bits; each named after its cvt form ---
constexpr uint8_t f32_to_e2m1_rn_satfinite(uint32_t x) {
  return static_cast<uint8_t>(encode(kE2m1, x, Round::kNearestEven, true));
}
constexpr uint8_t f32_to_e2m3_rn_satfinite(uint32_t x) {
  return static_cast<uint8_t>(encode(kE2m3, x, Round::kNearestEven, true));
}
constexpr uint8_t f32_to_e3m2_rn_satfinite(uint32_t x) {
  return static_cast<uint8_t>(encode(kE3m2, x, Round::kNearestEven, true));
}
constexpr uint8_t f32_to_e4m3_rn_satfinite(uint32_t x) {
  return static_cast<uint8_t>(encode(kE4m3, x, Round::kNearestEven, true));
}
constexpr uint8_t f32_to_e5m2_rn_satfinite(uint32_t x) {
  return static_cast<uint8_t>(encode(kE5m2, x, Round::kNearestEven, true));
}
constexpr uint16_t f32_to_f16(uint32_t x, Round round, bool saturate = false) {
  return static_cast<uint16_t>(encode(kF16, x, round, saturate));
}
constexpr uint16_t f32_to_bf16(uint32_t x, Round round, bool saturate = false) {
  return static_cast<uint16_t>(encode(kBf16, x, round, saturate));
}
constexpr uint16_t f32_to_f16_rn(uint32_t x) { return f32_to_f16(x, Round::kNearestEven); }
constexpr uint16_t f32_to_f16_rz(uint32_t x) { return f32_to_f16(x, Round::kZero); }
constexpr uint16_t f32_to_bf16_rz(uint32_t x) { return f32_to_bf16(x, Round::kZero); }
// The hot one, for any f32: the carry of the addition is the rounding.
constexpr uint16_t f32_to_bf16_rn(uint32_t x) {
  if (is_nan_f32(x)) return 0x7fff;
  return static_cast<uint16_t>((x + 0x7fff + (x >> 16 & 1)) >> 16);
}
// tf32 as f32 bits whose low 13 bits are zero (cvt.rna.tf32.f32 and the .rn, .rz forms). A NaN becomes one canonical
// one, but .rna only cuts it, and .satfinite steps back from the infinity that it sees in its exponent (an H100's
// answers).
constexpr uint32_t f32_to_tf32(uint32_t x, Round round, bool saturate = false) {
  if (!is_nan_f32(x)) return encode(kTf32, x, round, saturate) << 13;
  return round == Round::kNearestAway ? (x & ~0x1fffu) - (saturate ? 0x2000 : 0) : 0x7fffe000;
}
constexpr uint32_t f32_to_tf32_rna(uint32_t x) { return f32_to_tf32(x, Round::kNearestAway); }

// ue8m0: the sign is ignored; rz takes the power of two below, rp the one above. Values up to 2^-127 give code 0.
constexpr uint8_t f32_to_ue8m0_rz(uint32_t x, bool saturate) {
  const uint32_t magnitude = x & 0x7fffffff;
  if (magnitude > kInfinityF32) return 0xff;
  if (magnitude == kInfinityF32) return saturate ? 0xfe : 0xff;
  return static_cast<uint8_t>(magnitude >> 23);
}
constexpr uint8_t f32_to_ue8m0_rp(uint32_t x, bool saturate) {
  const uint32_t magnitude = x & 0x7fffffff;
  if (magnitude > kInfinityF32) return 0xff;
  if (magnitude == kInfinityF32) return saturate ? 0xfe : 0xff;
  if (magnitude < 0x00800000u) return magnitude > 0x00400000u ? 1 : 0;
  const uint32_t code = (magnitude >> 23) + ((magnitude & 0x7fffff) != 0 ? 1 : 0);
  return static_cast<uint8_t>(code == 0xff && saturate ? 0xfe : code);
}

// --- between 16-bit and 8-bit or narrower; all but the two encoders are exact ---
constexpr uint16_t e4m3_to_f16(uint32_t code) { return f32_to_f16_rn(e4m3_to_f32(code)); }
constexpr uint16_t e5m2_to_f16(uint32_t code) { return f32_to_f16_rn(e5m2_to_f32(code)); }
constexpr uint16_t e2m1_to_f16(uint32_t nibble) { return f32_to_f16_rn(e2m1_to_f32(nibble)); }
constexpr uint16_t e2m3_to_f16(uint32_t code) { return f32_to_f16_rn(e2m3_to_f32(code)); }
constexpr uint16_t e3m2_to_f16(uint32_t code) { return f32_to_f16_rn(e3m2_to_f32(code)); }
constexpr uint16_t ue8m0_to_bf16(uint32_t code) { return f32_to_bf16_rn(ue8m0_to_f32(code)); }
constexpr uint8_t f16_to_e4m3_rn_satfinite(uint32_t x) { return f32_to_e4m3_rn_satfinite(f16_to_f32(x)); }
constexpr uint8_t f16_to_e5m2_rn_satfinite(uint32_t x) { return f32_to_e5m2_rn_satfinite(f16_to_f32(x)); }

// --- packed forms; `high` is PTX's first source (operand a), as the x2 destinations have it ---
constexpr uint8_t f32_to_e2m1x2_rn_satfinite(uint32_t high, uint32_t low) {
  return static_cast<uint8_t>(f32_to_e2m1_rn_satfinite(high) << 4 | f32_to_e2m1_rn_satfinite(low));
}
constexpr uint16_t f32_to_e4m3x2_rn_satfinite(uint32_t high, uint32_t low) {
  return static_cast<uint16_t>(f32_to_e4m3_rn_satfinite(high) << 8 | f32_to_e4m3_rn_satfinite(low));
}
constexpr uint16_t f32_to_e5m2x2_rn_satfinite(uint32_t high, uint32_t low) {
  return static_cast<uint16_t>(f32_to_e5m2_rn_satfinite(high) << 8 | f32_to_e5m2_rn_satfinite(low));
}
constexpr uint32_t f32_to_f16x2_rn(uint32_t high, uint32_t low) {
  return static_cast<uint32_t>(f32_to_f16_rn(high)) << 16 | f32_to_f16_rn(low);
}
constexpr uint32_t f32_to_bf16x2_rn(uint32_t high, uint32_t low) {
  return static_cast<uint32_t>(f32_to_bf16_rn(high)) << 16 | f32_to_bf16_rn(low);
}
constexpr uint32_t e4m3x2_to_f16x2(uint32_t pair) {
  return static_cast<uint32_t>(e4m3_to_f16(pair >> 8)) << 16 | e4m3_to_f16(pair);
}
constexpr uint32_t e5m2x2_to_f16x2(uint32_t pair) {
  return static_cast<uint32_t>(e5m2_to_f16(pair >> 8)) << 16 | e5m2_to_f16(pair);
}
constexpr uint32_t e2m1x2_to_f16x2(uint32_t pair) {
  return static_cast<uint32_t>(e2m1_to_f16(pair >> 4)) << 16 | e2m1_to_f16(pair);
}
constexpr uint32_t ue8m0x2_to_bf16x2(uint32_t pair) {
  return static_cast<uint32_t>(ue8m0_to_bf16(pair >> 8)) << 16 | ue8m0_to_bf16(pair);
}
constexpr uint16_t f16x2_to_e4m3x2_rn_satfinite(uint32_t pair) {
  return static_cast<uint16_t>(f16_to_e4m3_rn_satfinite(pair >> 16) << 8 | f16_to_e4m3_rn_satfinite(pair));
}
constexpr uint16_t f16x2_to_e5m2x2_rn_satfinite(uint32_t pair) {
  return static_cast<uint16_t>(f16_to_e5m2_rn_satfinite(pair >> 16) << 8 | f16_to_e5m2_rn_satfinite(pair));
}

}  // namespace sim::numerics

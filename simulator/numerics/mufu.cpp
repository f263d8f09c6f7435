// mufu.cpp: the special function unit: special values, table look-up, quadratic interpolation in integers, exponent.
//
//   sum = (c0 << step) + bias + c1 * x + c2 * square(x)      x: the 17 bits (rcp 16) below the segment index
// square() is the unit's own: rows of partial products lose what falls below its last column. Everything is cut, never
// rounded; the biases stand for rounding. Tables: mufu_tables.inc, found by capture/fit_mufu.py.
#include "mufu.hpp"

#include <array>
#include <bit>
#include <memory>

#include "formats.hpp"

namespace sim::numerics {
namespace {

struct Row {
  int32_t c0, c1, c2;
};

#include "mufu_tables.inc"

constexpr uint32_t kSign = 0x80000000u;
constexpr uint32_t kFraction = 0x7fffff;
constexpr uint32_t kOne = 0x3f800000;

// square(x) for every 17-bit x, in units of 2^19; made at first use (1 ms), 256 KB.
class Squares {
 public:
  Squares() : table_(new uint16_t[1 << 17]) {
    for (uint32_t x = 0; x < 1u << 17; ++x) {
      uint32_t total = 0;
      for (uint32_t rest = x; rest != 0; rest &= rest - 1) total += x >> (18 - std::countr_zero(rest));
      table_[x] = static_cast<uint16_t>(total >> 1);
    }
  }
  int64_t operator[](uint32_t x) const { return table_[x]; }

 private:
  std::unique_ptr<uint16_t[]> table_;
};

int64_t square(uint32_t x) {
  static const Squares squares;
  return squares[x];
}

int64_t interpolate(const Row& row, uint32_t x, int64_t squared, int step, int64_t bias) {
  return (int64_t{row.c0} << step) + bias + int64_t{row.c1} * x + int64_t{row.c2} * squared;
}

float as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
uint32_t as_bits(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return is_nan_f32(bits) ? kNanF32 : bits;
}

uint32_t exponent_field(uint32_t x) { return x >> 23 & 0xff; }
bool is_flushed(uint32_t x) { return exponent_field(x) == 0; }  // zero and, in the unit, subnormals

// A 24-bit significand (2^24 after a carry) with a biased exponent; below the normal range the unit answers zero.
uint32_t compose(uint32_t sign, int exponent, int64_t significand) {
  if (significand == int64_t{1} << 24) {
    significand >>= 1;
    ++exponent;
  }
  if (exponent <= 0) return sign;
  if (exponent >= 255) return sign | kInfinityF32;
  return sign | static_cast<uint32_t>(exponent) << 23 | (static_cast<uint32_t>(significand) & kFraction);
}

// A positive fixed-point number in units of 2^-point to f32, cut.
uint32_t normalise(uint32_t sign, int64_t value, int point) {
  if (value == 0) return sign;
  const int top = 63 - std::countl_zero(static_cast<uint64_t>(value));
  const int64_t significand = top >= 23 ? value >> (top - 23) : value << (23 - top);
  return compose(sign, top - point + 127, significand);
}

// 2^x from x as a 7.23 fixed-point number, cut; a negative x is complemented, so 2^-x uses the fraction 1 - f - 2^-23.
uint32_t unit_ex2(uint32_t x) {
  if (is_nan_f32(x)) return kNanF32;
  const bool negative = x >> 31 != 0;
  const int shift = static_cast<int>(exponent_field(x)) - 127;
  if (is_flushed(x)) return kOne;
  if (shift >= 7) return negative ? 0 : kInfinityF32;
  const uint64_t significand = (x & kFraction) | 0x800000;
  const uint64_t fixed = shift >= 0 ? significand << shift : shift > -24 ? significand >> -shift : 0;
  int whole = static_cast<int>(fixed >> 23);
  uint32_t fraction = static_cast<uint32_t>(fixed) & kFraction;
  if (negative) {
    whole = fraction != 0 ? -whole - 1 : -whole;
    fraction = fraction != 0 ? fraction ^ kFraction : 0;
  }
  const uint32_t x17 = fraction & 0x1ffff;
  const int64_t sum = interpolate(kEx2Table[fraction >> 17], x17, square(x17), 13, 0x77e2);
  return compose(0, whole + 127, sum >> 15);
}

uint32_t unit_rcp(uint32_t x) {
  if (is_nan_f32(x)) return kNanF32;
  const uint32_t sign = x & kSign;
  if (is_flushed(x)) return sign | kInfinityF32;
  if (is_infinity_f32(x)) return sign;
  const uint32_t fraction = x & kFraction;
  const uint32_t x16 = fraction & 0xffff;
  const int64_t sum = interpolate(kRcpTable[fraction >> 16], x16, square(x16 << 1), 13, 0x47e7);
  return compose(sign, 253 - static_cast<int>(exponent_field(x)), sum >> 15);
}

uint32_t unit_rsqrt(uint32_t x) {
  if (is_nan_f32(x)) return kNanF32;
  if (is_flushed(x)) return (x & kSign) | kInfinityF32;
  if (x >> 31 != 0) return kNanF32;
  if (is_infinity_f32(x)) return 0;
  const int exponent = static_cast<int>(exponent_field(x)) - 127;
  const uint32_t fraction = (x & kFraction) | static_cast<uint32_t>(exponent & 1) << 23;
  if (fraction == 0) return static_cast<uint32_t>(127 - (exponent >> 1)) << 23;  // a power of four: exact
  const uint32_t x17 = fraction & 0x1ffff;
  const int64_t sum = interpolate(kRsqrtTable[fraction >> 17], x17, square(x17) << 2, 14, 0x7fff);
  return compose(0, 126 - (exponent >> 1), sum >> 16);
}

uint32_t unit_sqrt(uint32_t x) {
  if (is_nan_f32(x)) return kNanF32;
  if (is_flushed(x)) return x & kSign;
  if (x >> 31 != 0) return kNanF32;
  if (is_infinity_f32(x)) return x;
  const int exponent = static_cast<int>(exponent_field(x)) - 127;
  const uint32_t fraction = (x & kFraction) | static_cast<uint32_t>(exponent & 1) << 23;
  const uint32_t x17 = fraction & 0x1ffff;
  const int64_t sum = interpolate(kSqrtTable[fraction >> 17], x17, square(x17) << 1, 15, 0xffff);
  return compose(0, 127 + (exponent >> 1), sum >> 17);
}

// exponent + log2(1.f) in units of 2^-36; a negative sum is complemented instead of negated.
uint32_t unit_lg2(uint32_t x) {
  if (is_nan_f32(x)) return kNanF32;
  if (is_flushed(x)) return kSign | kInfinityF32;
  if (x >> 31 != 0) return kNanF32;
  if (is_infinity_f32(x)) return x;
  const uint32_t fraction = x & kFraction;
  const uint32_t x17 = fraction & 0x1ffff;
  int64_t sum = 0;
  if (x != kOne) sum = interpolate(kLg2Table[fraction >> 17], x17, square(x17) << 1, 12, 0x3345) >> 2;
  sum += (static_cast<int64_t>(exponent_field(x)) - 127) * (int64_t{1} << 36);
  return sum < 0 ? normalise(kSign, ~sum, 36) : normalise(0, sum, 36);
}

// sin or cos of an f32 number of turns, read as quarter turns with 23 fraction bits, cut.
uint32_t unit_sine(uint32_t turns, bool cosine) {
  if (exponent_field(turns) == 255) return kNanF32;
  const int shift = static_cast<int>(exponent_field(turns)) - 127 + 2;
  const uint64_t significand = is_flushed(turns) ? 0 : (turns & kFraction) | 0x800000;
  const uint64_t position = shift >= 0    ? (shift < 40 ? significand << shift : 0)
                            : shift > -24 ? significand >> -shift
                                          : 0;
  const uint32_t quarter = static_cast<uint32_t>(position >> 23) + (cosine ? 1 : 0);
  const uint32_t fraction = static_cast<uint32_t>(position) & kFraction;
  const uint32_t folded = (quarter & 1) != 0 ? fraction ^ kFraction : fraction;
  const uint32_t sign = ((quarter >> 1 & 1) << 31) ^ (cosine ? 0 : turns & kSign);
  const uint32_t x17 = folded & 0x1ffff;
  return normalise(sign, interpolate(kSinTable[folded >> 17], x17, square(x17), 11, 0), 37);
}

// x / (2 pi) as an f32, cut (FMUL.RZ); what the unit would flush becomes zero.
uint32_t turns_of(uint32_t x) {
  const uint32_t sign = x & kSign;
  if (exponent_field(x) == 255) return x;
  const double exact = static_cast<double>(as_float(x)) * static_cast<double>(as_float(0x3e22f983));
  const uint64_t bits = std::bit_cast<uint64_t>(exact);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023 + 127;
  if (exponent <= 0) return sign;
  return sign | static_cast<uint32_t>(exponent) << 23 | (static_cast<uint32_t>(bits >> 29) & kFraction);
}

// Below 2^-8 tanh is x; octaves from there to 8 are cut into 2^log2 segments of 17-bit x; from 8 on it is 1.
struct TanhOctave {
  uint8_t first_row, log2_segments;
};
constexpr std::array<TanhOctave, 11> kTanhOctaves = {
    {{0, 0}, {1, 0}, {2, 0}, {3, 1}, {5, 1}, {7, 2}, {11, 2}, {15, 2}, {19, 3}, {27, 4}, {43, 3}}};

uint32_t unit_tanh(uint32_t x) {
  if (is_nan_f32(x)) return kNanF32;
  const uint32_t sign = x & kSign, field = exponent_field(x), fraction = x & kFraction;
  if (field < 119) return x;
  if (field >= 130) return sign | kOne;
  const TanhOctave octave = kTanhOctaves[field - 119];
  const uint32_t position = fraction >> (6 - octave.log2_segments);
  const uint32_t x17 = position & 0x1ffff;
  const int64_t sum = interpolate(kTanhTable[octave.first_row + (position >> 17)], x17, square(x17), 15, 0);
  return normalise(sign, sum, field < 124 ? 48 : 40);
}

bool below_normal(uint32_t x) { return (x & ~kSign) < 0x00800000u; }

}  // namespace

uint32_t rcp_approx_ftz_f32(uint32_t x) { return unit_rcp(x); }
uint32_t rcp_approx_f32(uint32_t x) {
  const float factor = (x & ~kSign) > 0x7e800000u && !is_nan_f32(x) ? 0.25f : below_normal(x) ? 0x1p24f : 1.0f;
  return as_bits(factor * as_float(unit_rcp(as_bits(as_float(x) * factor))));
}
uint32_t rsqrt_approx_ftz_f32(uint32_t x) { return unit_rsqrt(x); }
uint32_t rsqrt_approx_f32(uint32_t x) {
  if (!below_normal(x)) return unit_rsqrt(x);
  return as_bits(as_float(unit_rsqrt(as_bits(as_float(x) * 0x1p24f))) * 0x1p12f);
}
uint32_t sqrt_approx_ftz_f32(uint32_t x) { return unit_sqrt(x); }
uint32_t sqrt_approx_f32(uint32_t x) {
  if (!below_normal(x)) return unit_sqrt(x);
  return as_bits(as_float(unit_sqrt(as_bits(as_float(x) * 0x1p24f))) * 0x1p-12f);
}
uint32_t ex2_approx_ftz_f32(uint32_t x) { return unit_ex2(x); }
uint32_t ex2_approx_f32(uint32_t x) {
  if (!(as_float(x) < -126.0f)) return unit_ex2(x);
  const float root = as_float(unit_ex2(as_bits(as_float(x) * 0.5f)));
  return as_bits(root * root);
}
uint32_t lg2_approx_ftz_f32(uint32_t x) { return unit_lg2(x); }
uint32_t lg2_approx_f32(uint32_t x) {
  if (!below_normal(x)) return unit_lg2(x);
  return as_bits(as_float(unit_lg2(as_bits(as_float(x) * 0x1p24f))) - 24.0f);
}
uint32_t sin_approx_ftz_f32(uint32_t x) { return unit_sine(turns_of(x), false); }
uint32_t sin_approx_f32(uint32_t x) { return unit_sine(turns_of(x), false); }
uint32_t cos_approx_ftz_f32(uint32_t x) { return unit_sine(turns_of(x), true); }
uint32_t cos_approx_f32(uint32_t x) { return unit_sine(turns_of(x), true); }
uint32_t tanh_approx_f32(uint32_t x) { return unit_tanh(x); }

// The 16-bit forms are the f32 ones, cut to 16 bits; only what exceeds f16's range becomes infinity.
uint16_t ex2_approx_f16(uint16_t x) {
  constexpr uint32_t kBeyondF16 = 0x47800000;  // 65536
  const uint32_t result = unit_ex2(f16_to_f32(x));
  return result >= kBeyondF16 && !is_nan_f32(result) ? static_cast<uint16_t>(kF16.infinity) : f32_to_f16_rz(result);
}
uint16_t ex2_approx_ftz_bf16(uint16_t x) { return f32_to_bf16_rz(unit_ex2(bf16_to_f32(x))); }
uint16_t tanh_approx_f16(uint16_t x) { return f32_to_f16_rz(unit_tanh(f16_to_f32(x))); }
uint16_t tanh_approx_bf16(uint16_t x) { return f32_to_bf16_rz(unit_tanh(bf16_to_f32(x))); }

}  // namespace sim::numerics

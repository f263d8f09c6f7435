// mma_output.hpp: one element of D from its row of A and its column of B, in 64-bit integers, straight from the model
// in mma_rules.hpp. Dense and sparse products (mma_exact.cpp, mma_sparse.cpp) differ in how they find the pairs of
// factors.
//
// 64 bits are enough: a product has at most 22 significant bits and stands at most fraction_bits + 1 = 26 above the
// cut (a scaled group: 20 and 36), and no form adds more than 33 terms.
#pragma once

#include "mma_round.hpp"
#include "mma_rules.hpp"

namespace sim::numerics {

inline constexpr int kMmaRows = 16, kMmaColumns = 8, kMmaMaxK = 64;

constexpr Format format_of(Element element) {
  switch (element) {
    case Element::kF16:
      return kF16;
    case Element::kBf16:
      return kBf16;
    case Element::kTf32:
      return kTf32;
    case Element::kE4m3:
      return kE4m3;
    case Element::kE5m2:
      return kE5m2;
    case Element::kE2m3:
      return kE2m3;
    case Element::kE3m2:
      return kE3m2;
    default:
      return kE2m1;
  }
}

constexpr int container_bits(const MmaForm& form, Element element) {
  if (element == Element::kTf32) return 32;
  if (element == Element::kF16 || element == Element::kBf16) return 16;
  return form.k == 64 ? 4 : 8;
}

// The element's code inside its container: kind::f8f6f4 keeps e2m1 in bits [5:2] and 6-bit types in bits [5:0].
constexpr uint32_t code_of(Element element, int bits, uint32_t container) {
  if (bits == 32) return container >> 13;
  if (bits == 8 && element == Element::kE2m1) return container >> 2 & 0xf;
  if (element == Element::kE2m3 || element == Element::kE3m2) return container & 0x3f;
  return container;
}

// significand * 2^(exponent - the format's mantissa bits); subnormals keep the smallest exponent.
struct Value {
  int32_t significand = 0;
  int32_t exponent = 0;
  bool nan = false;
  bool infinity = false;
};

constexpr Value unpack(Format format, uint32_t code) {
  const bool negative = (code & format.sign()) != 0;
  const uint32_t magnitude = code & (format.sign() - 1);
  const uint32_t mantissa = magnitude & ((1u << format.mantissa_bits) - 1);
  const int field = static_cast<int>(magnitude >> format.mantissa_bits);
  Value value;
  if (format.has_nan && magnitude > format.largest) {
    value.infinity = format.infinity != 0 && magnitude == format.infinity;
    value.nan = !value.infinity;
    value.significand = negative ? -1 : 1;
    return value;
  }
  const int32_t significand = static_cast<int32_t>(mantissa | (field != 0 ? 1u << format.mantissa_bits : 0u));
  value.significand = negative ? -significand : significand;
  value.exponent = (field != 0 ? field : 1) - format.bias();
  return value;
}

// Scale factors of each row of A and column of B, one for each block of k.
struct Scales {
  Value a[kMmaRows][4];
  Value b[kMmaColumns][4];
  int blocks = 0;
  int mantissa_bits = 0;
};

constexpr Value unpack_scale(BlockScale kind, uint32_t code) {
  if (kind == BlockScale::k4xUe4m3) return unpack(kE4m3, code & 0x7f);
  Value value{1, static_cast<int32_t>(code) - 127, code == 0xff, false};
  return value;
}

inline void load_scales(const MmaForm& form, const MmaOperands& operands, Scales& scales) {
  scales.blocks = form.scale == BlockScale::k1xUe8m0 ? 1 : form.scale == BlockScale::k2xUe8m0 ? 2 : 4;
  scales.mantissa_bits = form.scale == BlockScale::k4xUe4m3 ? kE4m3.mantissa_bits : 0;
  for (int block = 0; block < scales.blocks; ++block) {
    for (int row = 0; row < kMmaRows; ++row) {
      const uint32_t word = operands.scale_a[scale_a_lane(row, operands.thread_a)];
      scales.a[row][block] = unpack_scale(form.scale, word >> 8 * (operands.byte_a + block) & 0xff);
    }
    for (int column = 0; column < kMmaColumns; ++column) {
      const uint32_t word = operands.scale_b[scale_b_lane(column, operands.thread_b)];
      scales.b[column][block] = unpack_scale(form.scale, word >> 8 * (operands.byte_b + block) & 0xff);
    }
  }
}

// The terms of one output: each is significand * 2^unit and takes part in the alignment with `exponent`.
struct Terms {
  int64_t significand[kMmaMaxK + 1];
  int unit[kMmaMaxK + 1];
  int exponent[kMmaMaxK + 1];
  int count = 0;
  bool nan = false;
  bool infinity[2] = {false, false};  // [negative]

  void add(int64_t value, int value_unit, int value_exponent) {
    significand[count] = value;
    unit[count] = value_unit;
    exponent[count++] = value_exponent;
  }
};

inline uint32_t fuse(const MmaRule& rule, const Terms& terms) {
  const bool half = rule.rounding == Rounding::kF16NearestEven;
  if (terms.nan || (terms.infinity[0] && terms.infinity[1])) return half ? kNanF16 : kNanF32;
  if (terms.infinity[0] || terms.infinity[1]) {
    const bool negative = terms.infinity[1];
    return half ? kF16.infinity | (negative ? 0x8000u : 0) : kInfinityF32 | (negative ? 0x80000000u : 0);
  }
  int largest = rule.zero;
  for (int i = 0; i < terms.count; ++i)
    if (terms.exponent[i] > largest) largest = terms.exponent[i];
  const int cut = largest - rule.fraction_bits;
  int64_t sum = 0;
  for (int i = 0; i < terms.count; ++i) sum += shift_toward_zero(terms.significand[i], terms.unit[i] - cut);
  return half ? sum_to_f16(sum, cut) : sum_to_f32(sum, cut);
}

// One factor pair: notes NaN and infinities, returns the exact product's significand.
inline int64_t multiply(const Value& x, const Value& y, Terms& terms) {
  if (x.nan || y.nan) terms.nan = true;
  if (x.infinity || y.infinity) {
    if (x.significand == 0 || y.significand == 0) terms.nan = true;
    terms.infinity[(x.significand < 0) != (y.significand < 0)] = true;
    return 0;
  }
  return int64_t{x.significand} * y.significand;
}

inline void add_accumulator(const MmaRule& rule, uint32_t code, Terms& terms) {
  const Format format = rule.accumulator == Accumulator::kF16 ? kF16 : kF32;
  const Value c = unpack(format, code);
  if (c.nan) terms.nan = true;
  if (c.infinity) terms.infinity[c.significand < 0] = true;
  const bool zero = c.significand == 0 || c.nan || c.infinity;
  terms.add(zero ? 0 : c.significand, c.exponent - format.mantissa_bits, zero ? rule.zero : c.exponent);
}

// `row_a` and `column_b` hold form.k values; `row` and `column` choose the scales.
inline uint32_t output(const MmaForm& form, const MmaRule& rule, const Value* row_a, const Value* column_b,
                       const Scales& scales, int row, int column, uint32_t c) {
  Terms terms;
  add_accumulator(rule, c, terms);
  const int product_bits = format_of(form.a).mantissa_bits + format_of(form.b).mantissa_bits;
  const int block_k = scales.blocks != 0 ? form.k / scales.blocks : form.k;
  for (int k = 0; k < form.k; k += rule.group) {
    Value one{1, 0, false, false};
    const Value& sa = scales.blocks != 0 ? scales.a[row][k / block_k] : one;
    const Value& sb = scales.blocks != 0 ? scales.b[column][k / block_k] : one;
    if (sa.nan || sb.nan) terms.nan = true;
    const int64_t scale = int64_t{sa.significand} * sb.significand;
    const int scale_exponent = sa.exponent + sb.exponent;
    const Value* a = row_a + k;
    const Value* b = column_b + k;
    int64_t sum = 0;
    int unit = scale_exponent - 2 * scales.mantissa_bits - product_bits;
    int exponent = scale_exponent;
    bool zero = true;
    if (rule.group == 1) {
      sum = multiply(*a, *b, terms);
      zero = sum == 0;
      unit += a->exponent + b->exponent;
      exponent += a->exponent + b->exponent;
    } else {  // e2m1: products in units of 2^-2, subnormals (0.5) included, whatever the exponents
      for (int i = 0; i < rule.group; ++i) {
        sum += multiply(a[i], b[i], terms) * (int64_t{1} << (a[i].exponent + b[i].exponent));
      }
      zero = false;  // a group is aligned by its scales, whatever its products
    }
    zero = zero || scale == 0;
    terms.add(zero ? 0 : sum * scale, unit, zero ? rule.zero : exponent);
  }
  return fuse(rule, terms);
}

}  // namespace sim::numerics

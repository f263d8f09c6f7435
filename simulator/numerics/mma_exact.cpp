// mma_exact.cpp: one output element at a time, in 64-bit integers, straight from the model in mma_rules.hpp.
//
// 64 bits are enough: a product has at most 22 significant bits and stands at most fraction_bits + 1 = 26 above the
// cut (a scaled group: 20 and 36), and no form adds more than 33 terms.
#include "mma_exact.hpp"

#include <bit>
#include <cstdlib>

#include "mma_round.hpp"
#include "mma_rules.hpp"

namespace sim::numerics {
namespace {

constexpr int kRows = 16, kColumns = 8, kMaxK = 64;

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

struct Tile {
  Value a[kRows][kMaxK];
  Value b[kColumns][kMaxK];
};

// Element j of a lane's register: `per` elements a register, t = lane % 4, `half` the 16-byte half of the row.
constexpr int k_of(int t, int half, int j, int per) { return per * t + j + 4 * per * half; }

void load_tile(const MmaForm& form, const MmaOperands& operands, Tile& tile) {
  const Format format_a = format_of(form.a), format_b = format_of(form.b);
  const int bits = container_bits(form, form.a), per = 32 / bits;
  const int halves = form.k * bits / 128;
  const uint32_t mask = bits == 32 ? ~0u : (1u << bits) - 1;
  for (int half = 0; half < halves; ++half)
    for (int lane = 0; lane < 32; ++lane)
      for (int j = 0; j < per; ++j) {
        const int k = k_of(lane & 3, half, j, per), g = lane >> 2;
        for (int upper = 0; upper < 2; ++upper) {
          const uint32_t container = operands.a[2 * half + upper][lane] >> j * bits & mask;
          tile.a[g + 8 * upper][k] = unpack(format_a, code_of(form.a, bits, container));
        }
        const uint32_t container = operands.b[half][lane] >> j * bits & mask;
        tile.b[g][k] = unpack(format_b, code_of(form.b, bits, container));
      }
}

// Scale factors of each row of A and column of B, one for each block of k.
struct Scales {
  Value a[kRows][4];
  Value b[kColumns][4];
  int blocks = 0;
  int mantissa_bits = 0;
};

constexpr Value unpack_scale(BlockScale kind, uint32_t code) {
  if (kind == BlockScale::k4xUe4m3) return unpack(kE4m3, code & 0x7f);
  Value value{1, static_cast<int32_t>(code) - 127, code == 0xff, false};
  return value;
}

void load_scales(const MmaForm& form, const MmaOperands& operands, Scales& scales) {
  scales.blocks = form.scale == BlockScale::k1xUe8m0 ? 1 : form.scale == BlockScale::k2xUe8m0 ? 2 : 4;
  scales.mantissa_bits = form.scale == BlockScale::k4xUe4m3 ? kE4m3.mantissa_bits : 0;
  for (int block = 0; block < scales.blocks; ++block) {
    for (int row = 0; row < kRows; ++row) {
      const uint32_t word = operands.scale_a[scale_a_lane(row, operands.thread_a)];
      scales.a[row][block] = unpack_scale(form.scale, word >> 8 * (operands.byte_a + block) & 0xff);
    }
    for (int column = 0; column < kColumns; ++column) {
      const uint32_t word = operands.scale_b[scale_b_lane(column, operands.thread_b)];
      scales.b[column][block] = unpack_scale(form.scale, word >> 8 * (operands.byte_b + block) & 0xff);
    }
  }
}

// The terms of one output: each is significand * 2^unit and takes part in the alignment with `exponent`.
struct Terms {
  int64_t significand[kMaxK + 1];
  int unit[kMaxK + 1];
  int exponent[kMaxK + 1];
  int count = 0;
  bool nan = false;
  bool infinity[2] = {false, false};  // [negative]

  void add(int64_t value, int value_unit, int value_exponent) {
    significand[count] = value;
    unit[count] = value_unit;
    exponent[count++] = value_exponent;
  }
};

uint32_t fuse(const MmaRule& rule, const Terms& terms) {
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
int64_t multiply(const Value& x, const Value& y, Terms& terms) {
  if (x.nan || y.nan) terms.nan = true;
  if (x.infinity || y.infinity) {
    if (x.significand == 0 || y.significand == 0) terms.nan = true;
    terms.infinity[(x.significand < 0) != (y.significand < 0)] = true;
    return 0;
  }
  return int64_t{x.significand} * y.significand;
}

void add_accumulator(const MmaRule& rule, uint32_t code, Terms& terms) {
  const Format format = rule.accumulator == Accumulator::kF16 ? kF16 : kF32;
  const Value c = unpack(format, code);
  if (c.nan) terms.nan = true;
  if (c.infinity) terms.infinity[c.significand < 0] = true;
  const bool zero = c.significand == 0 || c.nan || c.infinity;
  terms.add(zero ? 0 : c.significand, c.exponent - format.mantissa_bits, zero ? rule.zero : c.exponent);
}

uint32_t output(const MmaForm& form, const MmaRule& rule, const Tile& tile, const Scales& scales, int row, int column,
                uint32_t c) {
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
    const Value* a = &tile.a[row][k];
    const Value* b = &tile.b[column][k];
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

}  // namespace

template <Arch kArch>
void mma_exact_float(const MmaForm& form, const MmaOperands& operands) {
  const MmaRule* rule = find_mma_rule(kArch, form);
  if (rule == nullptr) std::abort();  // find_mma never hands out such a form
  Tile tile;
  Scales scales;
  load_tile(form, operands, tile);
  if (form.scale != BlockScale::kNone) load_scales(form, operands, scales);
  uint32_t result[4][32];
  const bool half = form.accumulator == Accumulator::kF16;
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const int row = (lane >> 2) + 8 * (v >> 1), column = 2 * (lane & 3) + (v & 1);
      const uint32_t c = half ? operands.c[v >> 1][lane] >> 16 * (v & 1) & 0xffff : operands.c[v][lane];
      result[v][lane] = output(form, *rule, tile, scales, row, column, c);
    }
  for (int lane = 0; lane < 32; ++lane)
    for (int v = 0; v < 4; ++v) {
      if (!half) operands.d[v][lane] = result[v][lane];
      if (half && v % 2 == 0) operands.d[v / 2][lane] = result[v][lane] | result[v + 1][lane] << 16;
    }
}

template void mma_exact_float<Arch::kSm90>(const MmaForm&, const MmaOperands&);
template void mma_exact_float<Arch::kSm120>(const MmaForm&, const MmaOperands&);

void mma_exact_integer(const MmaForm& form, const MmaOperands& operands) {
  int32_t a[kRows][kMaxK], b[kColumns][kMaxK];
  const auto widen = [](Element element, uint32_t byte) {
    return element == Element::kS8 ? static_cast<int32_t>(static_cast<int8_t>(byte))
                                   : static_cast<int32_t>(byte & 0xff);
  };
  for (int half = 0; half < form.k / 16; ++half)
    for (int lane = 0; lane < 32; ++lane)
      for (int j = 0; j < 4; ++j) {
        const int k = k_of(lane & 3, half, j, 4), g = lane >> 2;
        a[g][k] = widen(form.a, operands.a[2 * half][lane] >> 8 * j);
        a[g + 8][k] = widen(form.a, operands.a[2 * half + 1][lane] >> 8 * j);
        b[g][k] = widen(form.b, operands.b[half][lane] >> 8 * j);
      }
  uint32_t result[4][32];
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const int row = (lane >> 2) + 8 * (v >> 1), column = 2 * (lane & 3) + (v & 1);
      int64_t sum = static_cast<int32_t>(operands.c[v][lane]);
      for (int k = 0; k < form.k; ++k) sum += int64_t{a[row][k]} * b[column][k];
      if (form.satfinite) sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
      result[v][lane] = static_cast<uint32_t>(sum);
    }
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) operands.d[v][lane] = result[v][lane];
}

void mma_exact_f8_by_f16(const MmaForm& form, const MmaOperands& operands) {
  const MmaForm half_form{Element::kF16, Element::kF16};
  uint32_t a[2][4][32], b[2][2][32], sum[4][32] = {};
  const auto pair = [](Element element, uint32_t word, int step) {
    const uint32_t low = word >> 16 * step & 0xff, high = word >> (16 * step + 8) & 0xff;
    if (element == Element::kE4m3) return e4m3_to_f16(low) | static_cast<uint32_t>(e4m3_to_f16(high)) << 16;
    return e5m2_to_f16(low) | static_cast<uint32_t>(e5m2_to_f16(high)) << 16;
  };
  for (int step = 0; step < 2; ++step)
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) a[step][i][lane] = pair(form.a, operands.a[i][lane], step);
      for (int i = 0; i < 2; ++i) b[step][i][lane] = pair(form.b, operands.b[i][lane], step);
    }
  for (int step = 0; step < 2; ++step) {
    const MmaOperands once{{sum[0], sum[1], sum[2], sum[3]},
                           {a[step][0], a[step][1], a[step][2], a[step][3]},
                           {b[step][0], b[step][1]},
                           {sum[0], sum[1], sum[2], sum[3]}};
    mma_exact_float<Arch::kSm90>(half_form, once);
  }
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const float total = std::bit_cast<float>(sum[v][lane]) + std::bit_cast<float>(operands.c[v][lane]);
      const uint32_t bits = std::bit_cast<uint32_t>(total);
      operands.d[v][lane] = is_nan_f32(bits) ? kNanF32 : bits;
    }
}

}  // namespace sim::numerics

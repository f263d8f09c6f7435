// mma_rows.cpp: the model of mma_rules.hpp as plain loops over the 16 rows of a column, which the compiler vectorises.
//
// Elements become exact f32 values with their exponents. Products of two are exact too; cut at the column's largest
// exponent they fit an int32, and eight of them still do. The block-scaled k64 forms sum 16 products in int16. Tiles
// with NaN, infinity or (bf16, tf32) products outside f32's normal range go to the scalar path.
#include "mma_rows.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "mma_exact.hpp"
#include "mma_round.hpp"
#include "mma_rules.hpp"

#pragma GCC push_options
#pragma GCC target("avx2")
#pragma GCC optimize("O3")  // loops of 16 in registers

namespace sim::numerics {
namespace {

constexpr int kRows = 16, kColumns = 8;
constexpr int kZeroExponent = -8192;  // of a zero factor: wins no maximum

struct Number {
  float value;
  int32_t exponent;  // not below the format's smallest; kZeroExponent for zero
};

constexpr Number number_of(Format format, uint32_t code) {
  const uint32_t bits = decode(format, code);
  const uint32_t field = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
  const int exponent = field != 0 ? static_cast<int>(field) - 127 : std::bit_width(fraction) - 150;
  const bool zero = (bits & 0x7fffffff) == 0;
  return {std::bit_cast<float>(bits), zero ? kZeroExponent : std::max(exponent, 1 - format.bias())};
}

// Container byte to number, for each type that lives in bytes.
struct ByteTable {
  Number entry[256];
};
template <Element kElement>
const ByteTable& byte_table() {
  static const ByteTable table = [] {
    ByteTable made;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      if (kElement == Element::kE4m3) made.entry[byte] = number_of(kE4m3, byte);
      if (kElement == Element::kE5m2) made.entry[byte] = number_of(kE5m2, byte);
      if (kElement == Element::kE2m3) made.entry[byte] = number_of(kE2m3, byte & 0x3f);
      if (kElement == Element::kE3m2) made.entry[byte] = number_of(kE3m2, byte & 0x3f);
      if (kElement == Element::kE2m1) made.entry[byte] = number_of(kE2m1, byte >> 2 & 0xf);
    }
    return made;
  }();
  return table;
}
const ByteTable& byte_table(Element element) {
  switch (element) {
    case Element::kE4m3:
      return byte_table<Element::kE4m3>();
    case Element::kE5m2:
      return byte_table<Element::kE5m2>();
    case Element::kE2m3:
      return byte_table<Element::kE2m3>();
    case Element::kE3m2:
      return byte_table<Element::kE3m2>();
    default:
      return byte_table<Element::kE2m1>();
  }
}

// Accumulators and results, by column: what every form shares.
struct Columns {
  double c[kColumns][kRows];
  int32_t exponent[kColumns][kRows];
  bool special = false;

  Columns(const MmaForm& form, const MmaRule& rule, const MmaOperands& operands) {
    const bool half = form.accumulator == Accumulator::kF16;
    for (int v = 0; v < 4; ++v)
      for (int lane = 0; lane < 32; ++lane) {
        const int row = (lane >> 2) + 8 * (v >> 1), column = 2 * (lane & 3) + (v & 1);
        const Number number = half ? number_of(kF16, operands.c[v >> 1][lane] >> 16 * (v & 1) & 0xffff)
                                   : number_of(kF32, operands.c[v][lane]);
        c[column][row] = static_cast<double>(number.value);
        exponent[column][row] = std::max(number.exponent, rule.zero);
        special = special || !std::isfinite(number.value);
      }
  }
};

void store(const MmaForm& form, const MmaOperands& operands, const int64_t (&sum)[kColumns][kRows],
           const int32_t (&unit)[kColumns][kRows]) {
  for (int lane = 0; lane < 32; ++lane)
    for (int v = 0; v < 4; ++v) {
      const int row = (lane >> 2) + 8 * (v >> 1), column = 2 * (lane & 3) + (v & 1);
      if (form.accumulator == Accumulator::kF32) {
        operands.d[v][lane] = sum_to_f32(sum[column][row], unit[column][row]);
      } else if (v % 2 == 0) {
        operands.d[v / 2][lane] = sum_to_f16(sum[column][row], unit[column][row]) |
                                  sum_to_f16(sum[column + 1][row], unit[column + 1][row]) << 16;
      }
    }
}

// Adds C, cut like every other term, to a column's sums.
void add_accumulators(const double (&c)[kRows], const int32_t (&unit)[kRows], int64_t (&sum)[kRows]) {
  for (int row = 0; row < kRows; ++row) {
    const double power = std::bit_cast<double>(static_cast<uint64_t>(1023 - unit[row]) << 52);
    sum[row] += static_cast<int64_t>(c[row] * power);
  }
}

// --- one product a term ---

struct Products {
  float a[32][kRows], b[kColumns][32];
  int32_t exponent_a[32][kRows], exponent_b[kColumns][32];
  bool special = false;

  void note(Number number) { special = special || !std::isfinite(number.value); }

  // `decode_a` and `decode_b` turn the j-th container of a word into a Number.
  template <class DecodeA, class DecodeB>
  void load(const MmaOperands& operands, int k_total, int per, DecodeA decode_a, DecodeB decode_b) {
    for (int half = 0; half < k_total / (4 * per); ++half)
      for (int lane = 0; lane < 32; ++lane)
        for (int j = 0; j < per; ++j) {
          const int g = lane >> 2, k = per * (lane & 3) + j + 4 * per * half;
          const Number upper = decode_a(operands.a[2 * half][lane], j);
          const Number lower = decode_a(operands.a[2 * half + 1][lane], j);
          const Number right = decode_b(operands.b[half][lane], j);
          a[k][g] = upper.value, exponent_a[k][g] = upper.exponent;
          a[k][g + 8] = lower.value, exponent_a[k][g + 8] = lower.exponent;
          b[g][k] = right.value, exponent_b[g][k] = right.exponent;
          note(upper), note(lower), note(right);
        }
  }

  // bf16 and tf32: products must be normal f32 (a subnormal factor lies at most 10 below its exponent), and so must
  // 2^(25 - largest).
  bool in_range(int k_total) const {
    int top_a = kZeroExponent, top_b = kZeroExponent, low_a = 1000, low_b = 1000;
    for (int k = 0; k < k_total; ++k) {
      for (int row = 0; row < kRows; ++row) {
        const int exponent = exponent_a[k][row];
        top_a = std::max(top_a, exponent);
        low_a = std::min(low_a, exponent == kZeroExponent ? 1000 : exponent);
      }
      for (int n = 0; n < kColumns; ++n) {
        const int exponent = exponent_b[n][k];
        top_b = std::max(top_b, exponent);
        low_b = std::min(low_b, exponent == kZeroExponent ? 1000 : exponent);
      }
    }
    return top_a + top_b <= 125 && low_a + low_b >= -100;
  }

  // Largest product exponent of each row, then the sum of the products cut `fraction_bits` below `largest`.
  void raise(int k_total, int n, int32_t (&largest)[kRows]) const {
    for (int k = 0; k < k_total; ++k)
      for (int row = 0; row < kRows; ++row)
        largest[row] = std::max(largest[row], exponent_a[k][row] + exponent_b[n][k]);
  }
  void add(int k_total, int n, const int32_t (&largest)[kRows], int fraction_bits, int64_t (&sum)[kRows]) const {
    float power[kRows];  // outside these bounds every product is cut to zero, or is zero
    for (int row = 0; row < kRows; ++row) {
      const int shift = std::min(std::max(fraction_bits - largest[row], -110), 126);
      power[row] = std::bit_cast<float>(static_cast<uint32_t>(127 + shift) << 23);
    }
    for (int first = 0; first < k_total; first += 8) {
      int32_t part[kRows] = {};
      for (int k = first; k < std::min(first + 8, k_total); ++k)
        for (int row = 0; row < kRows; ++row) part[row] += static_cast<int32_t>(a[k][row] * b[n][k] * power[row]);
      for (int row = 0; row < kRows; ++row) sum[row] += part[row];
    }
  }
};

// False when the scalar path has to do it.
bool load_products(const MmaForm& form, const MmaOperands& operands, Products& tile) {
  const auto from_f16 = [](uint32_t word, int j) { return number_of(kF16, word >> 16 * j & 0xffff); };
  const auto from_bf16 = [](uint32_t word, int j) { return number_of(kBf16, word >> 16 * j & 0xffff); };
  const auto from_tf32 = [](uint32_t word, int) { return number_of(kTf32, word >> 13); };
  if (form.a == Element::kF16) {
    tile.load(operands, form.k, 2, from_f16, from_f16);
  } else if (form.a == Element::kBf16) {
    tile.load(operands, form.k, 2, from_bf16, from_bf16);
    return !tile.special && tile.in_range(form.k);
  } else if (form.a == Element::kTf32) {
    tile.load(operands, form.k, 1, from_tf32, from_tf32);
    return !tile.special && tile.in_range(form.k);
  } else {
    const Number *table_a = byte_table(form.a).entry, *table_b = byte_table(form.b).entry;
    tile.load(
        operands, form.k, 4, [&](uint32_t word, int j) { return table_a[word >> 8 * j & 0xff]; },
        [&](uint32_t word, int j) { return table_b[word >> 8 * j & 0xff]; });
  }
  return !tile.special;
}

// --- groups of 16 products ---

struct Groups {
  int16_t a[64][kRows], b[kColumns][64];            // twice the value
  int32_t scale_a[4][kRows], scale_b[kColumns][4];  // significands
  int32_t exponent_a[4][kRows], exponent_b[kColumns][4];
  bool special = false;

  explicit Groups(const MmaForm& form, const MmaOperands& operands) {
    static constexpr int16_t kTwice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    for (int half = 0; half < 2; ++half)
      for (int lane = 0; lane < 32; ++lane) {
        const int g = lane >> 2, t = lane & 3;
        const uint32_t upper = operands.a[2 * half][lane], lower = operands.a[2 * half + 1][lane];
        const uint32_t right = operands.b[half][lane];
        for (int j = 0; j < 8; ++j) {
          const int k = 8 * t + j + 32 * half;
          a[k][g] = kTwice[upper >> 4 * j & 15];
          a[k][g + 8] = kTwice[lower >> 4 * j & 15];
          b[g][k] = kTwice[right >> 4 * j & 15];
        }
      }
    const int blocks = form.scale == BlockScale::k2xUe8m0 ? 2 : 4;
    for (int group = 0; group < 4; ++group) {
      const int block = group * blocks / 4;
      for (int row = 0; row < kRows; ++row)
        load_scale(form.scale,
                   operands.scale_a[scale_a_lane(row, operands.thread_a)] >> 8 * (operands.byte_a + block) & 0xff,
                   scale_a[group][row], exponent_a[group][row]);
      for (int n = 0; n < kColumns; ++n)
        load_scale(form.scale,
                   operands.scale_b[scale_b_lane(n, operands.thread_b)] >> 8 * (operands.byte_b + block) & 0xff,
                   scale_b[n][group], exponent_b[n][group]);
    }
  }

  void load_scale(BlockScale kind, uint32_t code, int32_t& significand, int32_t& exponent) {
    if (kind == BlockScale::k4xUe4m3) {
      special = special || (code & 0x7f) == 0x7f;
      const int32_t field = static_cast<int32_t>(code >> 3 & 15);
      significand = static_cast<int32_t>(code & 7) | (field != 0 ? 8 : 0);
      exponent = significand == 0 ? kZeroExponent : std::max(field, 1) - 7;
    } else {
      special = special || code == 0xff;
      significand = 8;  // in the units of ue4m3, so that both kinds share what follows
      exponent = static_cast<int32_t>(code) - 127;
    }
  }

  // One column: group sums in quarters of 1/64, aligned and cut.
  void add(int n, int fraction_bits, int32_t (&largest)[kRows], int64_t (&sum)[kRows]) const {
    int32_t term[4][kRows], exponent[4][kRows];
    for (int group = 0; group < 4; ++group) {
      int16_t dot[kRows] = {};
      for (int k = 16 * group; k < 16 * group + 16; ++k)
        for (int row = 0; row < kRows; ++row) dot[row] = static_cast<int16_t>(dot[row] + a[k][row] * b[n][k]);
      for (int row = 0; row < kRows; ++row) {
        term[group][row] = dot[row] * scale_a[group][row] * scale_b[n][group];
        exponent[group][row] = exponent_a[group][row] + exponent_b[n][group];
        largest[row] = std::max(largest[row], exponent[group][row]);
      }
    }
    for (const auto& [values, exponents] : {std::pair(term[0], exponent[0]), std::pair(term[1], exponent[1]),
                                            std::pair(term[2], exponent[2]), std::pair(term[3], exponent[3])})
      for (int row = 0; row < kRows; ++row)
        sum[row] +=
            values[row] == 0 ? 0 : shift_toward_zero(values[row], exponents[row] - 8 - largest[row] + fraction_bits);
  }
};

}  // namespace

template <Arch kArch>
void mma_rows(const MmaForm& form, const MmaOperands& operands) {
  const MmaRule& rule = *find_mma_rule(kArch, form);
  Columns columns(form, rule, operands);
  int64_t sum[kColumns][kRows] = {};
  int32_t unit[kColumns][kRows];
  if (rule.group == 16) {
    const Groups tile(form, operands);
    if (tile.special || columns.special) return mma_exact_float<kArch>(form, operands);
    for (int n = 0; n < kColumns; ++n) {
      tile.add(n, rule.fraction_bits, columns.exponent[n], sum[n]);
      for (int row = 0; row < kRows; ++row) unit[n][row] = columns.exponent[n][row] - rule.fraction_bits;
      add_accumulators(columns.c[n], unit[n], sum[n]);
    }
    return store(form, operands, sum, unit);
  }
  Products tile;
  if (!load_products(form, operands, tile) || columns.special) return mma_exact_float<kArch>(form, operands);
  int32_t scale_a[kRows] = {}, scale_b[kColumns] = {};  // exponents
  if (form.scale == BlockScale::k1xUe8m0) {
    bool nan = false;
    const auto exponent = [&nan](uint32_t code) {
      nan = nan || code == 0xff;
      return static_cast<int32_t>(code) - 127;
    };
    for (int row = 0; row < kRows; ++row)
      scale_a[row] = exponent(operands.scale_a[scale_a_lane(row, operands.thread_a)] >> 8 * operands.byte_a & 0xff);
    for (int n = 0; n < kColumns; ++n)
      scale_b[n] = exponent(operands.scale_b[scale_b_lane(n, operands.thread_b)] >> 8 * operands.byte_b & 0xff);
    if (nan) return mma_exact_float<kArch>(form, operands);
  }
  for (int n = 0; n < kColumns; ++n) {
    int32_t largest[kRows];  // before the scales, which move all products of a row and column against C
    for (int row = 0; row < kRows; ++row) largest[row] = columns.exponent[n][row] - scale_a[row] - scale_b[n];
    tile.raise(form.k, n, largest);
    tile.add(form.k, n, largest, rule.fraction_bits, sum[n]);
    for (int row = 0; row < kRows; ++row) unit[n][row] = largest[row] + scale_a[row] + scale_b[n] - rule.fraction_bits;
    add_accumulators(columns.c[n], unit[n], sum[n]);
  }
  store(form, operands, sum, unit);
}

template void mma_rows<Arch::kSm90>(const MmaForm&, const MmaOperands&);
template void mma_rows<Arch::kSm120>(const MmaForm&, const MmaOperands&);

}  // namespace sim::numerics

#pragma GCC pop_options

// mma_avx512.cpp: the model of mma_rules.hpp on 16 rows at once: a zmm register is one column of C, a lane is a row.
//
//   registers of A, C --transpose4--> vectors over rows        registers of B --decode--> words to broadcast
//   for each column n:  largest exponent -> cut every term at it -> add exactly -> round once
//   vectors over rows --transpose4--> registers of D
// Every step is exact but the two that the hardware rounds: products and scaled group sums fit an f32 significand, cut
// terms fit int32 (f32 sums) or a double's 53 bits (k64). Tiles with NaN, infinity or (bf16, tf32) products outside
// f32's normal range go to the scalar path.
#include "mma_avx512.hpp"

#include <immintrin.h>

#include "mma_exact.hpp"

// Only this file may use AVX-512, and only in its own functions: a compiler flag would leak into shared inline code.
#pragma GCC push_options
#pragma GCC diagnostic ignored "-Wuninitialized"  // gcc 12's own intrinsics start from undefined registers
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prefer-vector-width=512")

namespace sim::numerics {
namespace {

constexpr int kTruncate = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
constexpr int kNonFinite = 0x01 | 0x08 | 0x10 | 0x80;  // vfpclass: quiet NaN, +inf, -inf, signalling NaN

struct Quad {
  __m512i v[4];
};

// Transposes the 4x4 words of each 128-bit block across four vectors; its own inverse. Four halves of two registers
// (lane 4g + t) become one vector for each t, whose lane 4b + j is row 4j + b.
inline Quad transpose4(const Quad& in) {
  const __m512i a = _mm512_unpacklo_epi32(in.v[0], in.v[1]), b = _mm512_unpackhi_epi32(in.v[0], in.v[1]);
  const __m512i c = _mm512_unpacklo_epi32(in.v[2], in.v[3]), d = _mm512_unpackhi_epi32(in.v[2], in.v[3]);
  return {{_mm512_unpacklo_epi64(a, c), _mm512_unpackhi_epi64(a, c), _mm512_unpacklo_epi64(b, d),
           _mm512_unpackhi_epi64(b, d)}};
}

inline __m512i load(const uint32_t* words) { return _mm512_loadu_si512(words); }

inline Quad load_rows(const uint32_t* upper, const uint32_t* lower) {  // rows 0-7 and 8-15
  return transpose4({{load(upper), load(upper + 16), load(lower), load(lower + 16)}});
}

inline void store_rows(uint32_t* upper, uint32_t* lower, const Quad& columns) {
  const Quad out = transpose4(columns);
  _mm512_storeu_si512(upper, out.v[0]);
  _mm512_storeu_si512(upper + 16, out.v[1]);
  _mm512_storeu_si512(lower, out.v[2]);
  _mm512_storeu_si512(lower + 16, out.v[3]);
}

inline __m512d low_double(__m512 x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
inline __m512d high_double(__m512 x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }

// Exponent of each element, not below `smallest` (subnormals); zeros give -infinity, which wins no maximum.
inline __m512 exponent_of(__m512 x, __m512 smallest) {
  const __mmask16 nonzero = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  const __m512 exponent = _mm512_getexp_ps(x);
  return _mm512_mask_max_ps(exponent, nonzero, exponent, smallest);
}

// One half (8 rows) of the last step: total * 2^-shift to f32, toward zero; 2^128 and above become infinity.
inline __m256i round_half(__m512d total, __m512d shift) {
  const __m512d value = _mm512_scalef_pd(total, _mm512_sub_pd(_mm512_setzero_pd(), shift));
  const __m256i bits = _mm256_castps_si256(_mm512_cvt_roundpd_ps(value, kTruncate));
  const __mmask8 over = _mm512_cmp_pd_mask(_mm512_abs_pd(value), _mm512_set1_pd(0x1p128), _CMP_GE_OQ);
  const __m256i infinity = _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(static_cast<int>(0x80000000u))),
                                           _mm256_set1_epi32(0x7f800000));
  const __m256i result = _mm256_mask_mov_epi32(bits, over, infinity);
  return _mm256_maskz_mov_epi32(_mm256_test_epi32_mask(result, _mm256_set1_epi32(0x7fffffff)), result);  // never -0
}

inline __m512i round_total(__m512d low, __m512d high, __m512d shift_low, __m512d shift_high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(round_half(low, shift_low)), round_half(high, shift_high), 1);
}

struct Accumulators {
  __m512 value[8];     // [column], lane 4b + j = row 4j + b
  __m512 exponent[8];  // zeros read as the rule's exponent of zero
  __mmask16 special = 0;
};

inline void load_accumulators(const MmaOperands& operands, float zero, Accumulators& out) {
  for (int odd = 0; odd < 2; ++odd) {
    const Quad columns = load_rows(operands.c[odd], operands.c[2 + odd]);
    for (int t = 0; t < 4; ++t) {
      const __m512 c = _mm512_castsi512_ps(columns.v[t]);
      out.value[2 * t + odd] = c;
      out.exponent[2 * t + odd] = _mm512_max_ps(exponent_of(c, _mm512_set1_ps(-126.0f)), _mm512_set1_ps(zero));
      out.special |= _mm512_fpclass_ps_mask(c, kNonFinite);
    }
  }
}

inline void store_columns(const MmaOperands& operands, const __m512i* columns) {
  for (int odd = 0; odd < 2; ++odd)
    store_rows(operands.d[odd], operands.d[2 + odd],
               {{columns[odd], columns[2 + odd], columns[4 + odd], columns[6 + odd]}});
}

// --- one product a term: f16, bf16, tf32 and the 8-bit containers ---

// Turns the j-th element of each word into an f32. 8-bit types pass through f16: `shift` puts the exponent field's last
// bit on f16's, `factor` mends the bias.
template <Element kElement>
struct Decoder {
  static constexpr int kPerWord = kElement == Element::kTf32                                ? 1
                                  : kElement == Element::kF16 || kElement == Element::kBf16 ? 2
                                                                                            : 4;
  static constexpr float kSmallest = kElement == Element::kBf16 || kElement == Element::kTf32  ? -126.0f
                                     : kElement == Element::kF16 || kElement == Element::kE5m2 ? -14.0f
                                     : kElement == Element::kE4m3                              ? -6.0f
                                     : kElement == Element::kE3m2                              ? -2.0f
                                                                                               : 0.0f;
  static __m512 half(__m512i low16) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(low16)); }

  // sign bit at `sign`, magnitude of `bits` bits at `first`; placed in an f16 and rescaled by 2^(15 - bias).
  static __m512 small(__m512i word, int j, int first, int bits, int shift, float factor) {
    const __m512i code = _mm512_srli_epi32(word, static_cast<unsigned>(8 * j + first));
    const __m512i magnitude = _mm512_and_si512(code, _mm512_set1_epi32((1 << bits) - 1));
    const __m512i sign = _mm512_and_si512(code, _mm512_set1_epi32(1 << bits));
    const __m512i f16 = _mm512_or_si512(_mm512_slli_epi32(magnitude, static_cast<unsigned>(shift)),
                                        _mm512_slli_epi32(sign, static_cast<unsigned>(15 - bits)));
    return _mm512_mul_ps(half(f16), _mm512_set1_ps(factor));
  }

  static __m512 get(__m512i word, int j) {
    switch (kElement) {
      case Element::kF16:
        return half(j == 0 ? word : _mm512_srli_epi32(word, 16));
      case Element::kBf16:
        return _mm512_castsi512_ps(j == 0 ? _mm512_slli_epi32(word, 16)
                                          : _mm512_and_si512(word, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
      case Element::kTf32:
        return _mm512_castsi512_ps(_mm512_and_si512(word, _mm512_set1_epi32(~0x1fff)));
      case Element::kE4m3:
        return small(word, j, 0, 7, 7, 0x1p8f);
      case Element::kE5m2:
        return small(word, j, 0, 7, 8, 1.0f);
      case Element::kE2m3:
        return small(word, j, 0, 5, 7, 0x1p14f);
      case Element::kE3m2:
        return small(word, j, 0, 5, 8, 0x1p12f);
      default:
        return small(word, j, 2, 3, 9, 0x1p14f);
    }
  }

  // e4m3 has a NaN that its f16 image has not.
  static __mmask16 special(__m512 value) {
    if constexpr (kElement == Element::kE4m3)
      return _mm512_cmp_ps_mask(_mm512_abs_ps(value), _mm512_set1_ps(480.0f), _CMP_EQ_OQ);
    return _mm512_fpclass_ps_mask(value, kNonFinite);
  }
};

// Operands of one tile: exact f32 values, and exponents as int16 twice in a word (for two columns of C at once).
template <int kK, int kPer>
struct Products {
  static constexpr int kHalves = kK / (4 * kPer);
  __m512 a[kK];
  __m512i exponent_a[kK];
  alignas(64) float b[kHalves * kPer][32];             // [word's half and element][lane 4n + t]
  alignas(64) int32_t exponent_b[kHalves * kPer][16];  // lane 4n + t: column n low, column n + 4 high
  bool special = false;                                // NaN, infinity or a product outside the exact range

  static constexpr int b_row(int k) { return k / (4 * kPer) * kPer + k % kPer; }
  static constexpr int b_lane(int k) { return k / kPer % 4; }
};

constexpr int kZeroExponent = -8192;  // of a zero factor: wins no maximum

// Exponents as integers, not below `smallest`; collects the extremes of the values themselves for the range check.
template <bool kWide>
inline __m512i integer_exponent(__m512 x, float smallest, __m512& top, __m512& bottom) {
  const __mmask16 nonzero = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  const __m512 exponent = _mm512_getexp_ps(x);
  if constexpr (kWide) {
    top = _mm512_mask_max_ps(top, nonzero, top, exponent);
    bottom = _mm512_mask_min_ps(bottom, nonzero, bottom, exponent);
  }
  const __m512 clamped = _mm512_max_ps(exponent, _mm512_set1_ps(smallest));
  return _mm512_mask_cvtps_epi32(_mm512_set1_epi32(kZeroExponent), nonzero, clamped);
}

template <Element kA, Element kB, int kK>
inline void load_products(const MmaOperands& operands, Products<kK, Decoder<kA>::kPerWord>& out) {
  using A = Decoder<kA>;
  using B = Decoder<kB>;
  constexpr int kPer = A::kPerWord;
  constexpr bool kWide = A::kSmallest == -126.0f;
  static_assert(kPer == B::kPerWord && kK % (4 * kPer) == 0);
  __mmask16 special = 0;
  __m512 top_a = _mm512_set1_ps(-1000.0f), bottom_a = _mm512_set1_ps(1000.0f), top_b = top_a, bottom_b = bottom_a;
  for (int half = 0; half < out.kHalves; ++half) {
    const Quad words = load_rows(operands.a[2 * half], operands.a[2 * half + 1]);
    for (int t = 0; t < 4; ++t)
      for (int j = 0; j < kPer; ++j) {
        const int k = (half * 4 + t) * kPer + j;
        out.a[k] = A::get(words.v[t], j);
        special |= A::special(out.a[k]);
        const __m512i exponent = integer_exponent<kWide>(out.a[k], A::kSmallest, top_a, bottom_a);
        out.exponent_a[k] = _mm512_mask_blend_epi16(0xaaaaaaaa, exponent, _mm512_slli_epi32(exponent, 16));
      }
    for (int j = 0; j < kPer; ++j) {
      const __m512 low = B::get(load(operands.b[half]), j), high = B::get(load(operands.b[half] + 16), j);
      special |= B::special(low) | B::special(high);
      _mm512_store_ps(&out.b[half * kPer + j][0], low);
      _mm512_store_ps(&out.b[half * kPer + j][16], high);
      const __m512i low_exponent = integer_exponent<kWide>(low, B::kSmallest, top_b, bottom_b);
      const __m512i high_exponent = integer_exponent<kWide>(high, B::kSmallest, top_b, bottom_b);
      _mm512_store_si512(out.exponent_b[half * kPer + j],
                         _mm512_mask_blend_epi16(0xaaaaaaaa, low_exponent, _mm512_slli_epi32(high_exponent, 16)));
    }
  }
  out.special = special != 0;
  if constexpr (kWide) {  // exact products must be normal f32, and 2^(25 - largest) too
    const float top = _mm512_reduce_max_ps(top_a) + _mm512_reduce_max_ps(top_b);
    const float bottom = _mm512_reduce_min_ps(bottom_a) + _mm512_reduce_min_ps(bottom_b);
    out.special = out.special || top > 125.0f || bottom < -100.0f;
  }
}

// One column: cut every product at 2^(largest - 25), add, add C, round. `moved` is the scales' exponent.
template <int kK, int kPer, bool kScaled>
inline __m512i sum_column(const Products<kK, kPer>& tile, int n, __m512 largest, __m512 c, __m512 moved) {
  const __m512 shift = _mm512_sub_ps(_mm512_set1_ps(25.0f), largest);
  // Beyond these bounds every product is cut to zero, or is zero.
  const __m512 bounded = _mm512_min_ps(_mm512_max_ps(shift, _mm512_set1_ps(-110.0f)), _mm512_set1_ps(126.0f));
  const __m512 unit = _mm512_scalef_ps(_mm512_set1_ps(1.0f), bounded);
  const __m512 shift_c = kScaled ? _mm512_sub_ps(shift, moved) : shift;
  const __m512d shift_low = low_double(shift_c), shift_high = high_double(shift_c);
  __m512d low = _mm512_roundscale_pd(_mm512_scalef_pd(low_double(c), shift_low), kTruncate);
  __m512d high = _mm512_roundscale_pd(_mm512_scalef_pd(high_double(c), shift_high), kTruncate);
#pragma GCC unroll 4
  for (int block = 0; block < kK; block += 8) {  // a cut product is below 2^27: 8 of them fit an int32
    __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int k = block; k < block + 8; ++k) {
      const __m512 b = _mm512_set1_ps(tile.b[tile.b_row(k)][4 * n + tile.b_lane(k)]);
      sum = _mm512_add_epi32(sum, _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_mul_ps(tile.a[k], b), unit)));
    }
    low = _mm512_add_pd(low, _mm512_cvtepi32_pd(_mm512_castsi512_si256(sum)));
    high = _mm512_add_pd(high, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(sum, 1)));
  }
  return round_total(low, high, shift_low, shift_high);
}

// kScaled: one ue8m0 factor for each row and column over all k, which moves every product against C.
template <Element kA, Element kB, int kK, bool kScaled, Arch kArch>
void mma_products(const MmaForm& form, const MmaOperands& operands) {
  constexpr int kPer = Decoder<kA>::kPerWord;
  Products<kK, kPer> tile;
  load_products<kA, kB, kK>(operands, tile);
  Accumulators c;
  load_accumulators(operands, -133.0f, c);
  __m512 scale_a = _mm512_setzero_ps();  // exponents
  float scale_b[8] = {};
  if constexpr (kScaled) {
    uint32_t rows[16];
    for (int row = 0; row < 16; ++row) {
      const uint32_t code = operands.scale_a[scale_a_lane(row, operands.thread_a)] >> 8 * operands.byte_a & 0xff;
      rows[4 * (row & 3) + (row >> 2)] = code;
      tile.special = tile.special || code == 0xff;
    }
    scale_a = _mm512_cvtepi32_ps(_mm512_sub_epi32(load(rows), _mm512_set1_epi32(254)));
    for (int n = 0; n < 8; ++n) {
      const uint32_t code = operands.scale_b[scale_b_lane(n, operands.thread_b)] >> 8 * operands.byte_b & 0xff;
      scale_b[n] = static_cast<float>(code);
      tile.special = tile.special || code == 0xff;
    }
  }
  if (tile.special || c.special != 0) return mma_exact_float<kArch>(form, operands);

  __m512i columns[8];
  for (int n = 0; n < 4; ++n) {
    __m512i pair = _mm512_set1_epi16(2 * kZeroExponent);
#pragma GCC unroll 32
    for (int k = 0; k < kK; ++k)
      pair = _mm512_max_epi16(
          pair, _mm512_add_epi16(tile.exponent_a[k],
                                 _mm512_set1_epi32(tile.exponent_b[tile.b_row(k)][4 * n + tile.b_lane(k)])));
    for (int upper = 0; upper < 2; ++upper) {
      const int column = n + 4 * upper;
      const __m512i exponents = _mm512_srai_epi32(upper != 0 ? pair : _mm512_slli_epi32(pair, 16), 16);
      const __m512 moved = kScaled ? _mm512_add_ps(scale_a, _mm512_set1_ps(scale_b[column])) : _mm512_setzero_ps();
      const __m512 from_c = kScaled ? _mm512_sub_ps(c.exponent[column], moved) : c.exponent[column];
      const __m512 largest = _mm512_max_ps(from_c, _mm512_cvtepi32_ps(exponents));
      columns[column] = sum_column<kK, kPer, kScaled>(tile, column, largest, c.value[column], moved);
    }
  }
  store_columns(operands, columns);
}

// --- mxf4nvf4 with four ue4m3 scales: groups of 16 products ---

inline __m512i e2m1_table(int bias) {  // nibble to bias + twice its value
  alignas(16) int8_t bytes[16];
  constexpr int8_t kTwice[8] = {0, 1, 2, 3, 4, 6, 8, 12};
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<int8_t>(bias + kTwice[i]);
    bytes[i + 8] = static_cast<int8_t>(bias - kTwice[i]);
  }
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes)));
}

// ue4m3 codes in the low bytes of the words to values (times `factor`) and exponents.
inline __m512 scale_values(__m512i codes, float factor) {
  const __m512i f16 = _mm512_slli_epi32(_mm512_and_si512(codes, _mm512_set1_epi32(0x7f)), 7);
  return _mm512_mul_ps(_mm512_cvtph_ps(_mm512_cvtepi32_epi16(f16)), _mm512_set1_ps(factor));
}

void mma_nvfp4(const MmaForm& form, const MmaOperands& operands) {
  const __m512i low_nibbles = _mm512_set1_epi32(0x0f0f0f0f);
  const __m512i table_a = e2m1_table(12), table_b = e2m1_table(0);
  // A: bytes 12 + 2a (unsigned), four k each; even[word] holds the even nibbles of a word, odd[word] the odd ones.
  __m512i even_a[8], odd_a[8];
  for (int half = 0; half < 2; ++half) {
    const Quad words = load_rows(operands.a[2 * half], operands.a[2 * half + 1]);
    for (int t = 0; t < 4; ++t) {
      const __m512i word = words.v[t];
      even_a[4 * half + t] = _mm512_shuffle_epi8(table_a, _mm512_and_si512(word, low_nibbles));
      odd_a[4 * half + t] = _mm512_shuffle_epi8(table_a, _mm512_and_si512(_mm512_srli_epi32(word, 4), low_nibbles));
    }
  }
  // B, by lane 4n + t: the same bytes signed, and what A's bias of 12 adds to a group.
  alignas(64) uint32_t even_b[2][32], odd_b[2][32], excess_b[2][32];
  const __m512i twelves = _mm512_set1_epi8(12);
  for (int half = 0; half < 2; ++half)
    for (int part = 0; part < 32; part += 16) {
      const __m512i word = load(operands.b[half] + part);
      const __m512i even = _mm512_shuffle_epi8(table_b, _mm512_and_si512(word, low_nibbles));
      const __m512i odd = _mm512_shuffle_epi8(table_b, _mm512_and_si512(_mm512_srli_epi32(word, 4), low_nibbles));
      __m512i excess = _mm512_dpbusd_epi32(_mm512_setzero_si512(), twelves, even);
      excess = _mm512_dpbusd_epi32(excess, twelves, odd);
      excess = _mm512_add_epi32(excess, _mm512_shuffle_epi32(excess, _MM_PERM_CDAB));
      _mm512_store_si512(&even_b[half][part], even);
      _mm512_store_si512(&odd_b[half][part], odd);
      _mm512_store_si512(&excess_b[half][part], _mm512_sub_epi32(_mm512_setzero_si512(), excess));
    }
  // Scales. Lane 4b + j of the gathered words is row 4j + b: registers' lanes 4b + 2 tid (+ 16 for j odd, + 1 for j >
  // 1).
  const __m512i pick_a = _mm512_add_epi32(_mm512_set_epi32(29, 13, 28, 12, 25, 9, 24, 8, 21, 5, 20, 4, 17, 1, 16, 0),
                                          _mm512_set1_epi32(2 * operands.thread_a));
  const __m512i words_a = _mm512_permutex2var_epi32(load(operands.scale_a), pick_a, load(operands.scale_a + 16));
  const __m512i pick_b = _mm512_add_epi32(_mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 28, 24, 20, 16, 12, 8, 4, 0),
                                          _mm512_set1_epi32(operands.thread_b));
  const __m256i words_b =
      _mm512_castsi512_si256(_mm512_permutex2var_epi32(load(operands.scale_b), pick_b, load(operands.scale_b + 16)));
  const __m512i nan = _mm512_set1_epi8(0x7f);
  __mmask64 special = _mm512_cmpeq_epi8_mask(_mm512_and_si512(words_a, nan), nan);
  special |= _mm512_cmpeq_epi8_mask(_mm512_and_si512(_mm512_zextsi256_si512(words_b), nan), nan);
  __m512 scale_a[4], exponent_a[4];
  const __m512 smallest = _mm512_set1_ps(-6.0f);
  for (int group = 0; group < 4; ++group) {
    const __m512 value = scale_values(_mm512_srli_epi32(words_a, static_cast<unsigned>(8 * group)), 0x1p8f);
    exponent_a[group] = exponent_of(value, smallest);
    scale_a[group] = _mm512_mul_ps(value, _mm512_set1_ps(0.25f));  // products are in quarters
  }
  alignas(64) float scale_b[32], exponent_b[32];  // [4 n + group]
  for (int part = 0; part < 2; ++part) {
    const __m128i bytes = part == 0 ? _mm256_castsi256_si128(words_b) : _mm256_extracti128_si256(words_b, 1);
    const __m512 value = scale_values(_mm512_cvtepu8_epi32(bytes), 0x1p8f);
    _mm512_store_ps(scale_b + 16 * part, value);
    _mm512_store_ps(exponent_b + 16 * part, exponent_of(value, smallest));
  }
  Accumulators c;
  load_accumulators(operands, -139.0f, c);
  if (special != 0 || c.special != 0) return mma_exact_float<Arch::kSm120>(form, operands);

  __m512i columns[8];
  for (int n = 0; n < 8; ++n) {
    __m512 largest = c.exponent[n];
    __m512 terms[4];
    for (int group = 0; group < 4; ++group) {
      const int half = group >> 1, lane = 4 * n + 2 * (group & 1), word = 4 * half + 2 * (group & 1);
      __m512i sum = _mm512_set1_epi32(static_cast<int>(excess_b[half][lane]));
      sum = _mm512_dpbusd_epi32(sum, even_a[word], _mm512_set1_epi32(static_cast<int>(even_b[half][lane])));
      sum = _mm512_dpbusd_epi32(sum, odd_a[word], _mm512_set1_epi32(static_cast<int>(odd_b[half][lane])));
      sum = _mm512_dpbusd_epi32(sum, even_a[word + 1], _mm512_set1_epi32(static_cast<int>(even_b[half][lane + 1])));
      sum = _mm512_dpbusd_epi32(sum, odd_a[word + 1], _mm512_set1_epi32(static_cast<int>(odd_b[half][lane + 1])));
      largest = _mm512_max_ps(largest, _mm512_add_ps(exponent_a[group], _mm512_set1_ps(exponent_b[4 * n + group])));
      terms[group] =
          _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale_a[group]), _mm512_set1_ps(scale_b[4 * n + group]));
    }
    const __m512 shift = _mm512_sub_ps(_mm512_set1_ps(35.0f), largest);
    const __m512d shift_low = low_double(shift), shift_high = high_double(shift);
    const __m512d unit_low = _mm512_scalef_pd(_mm512_set1_pd(1.0), shift_low);
    const __m512d unit_high = _mm512_scalef_pd(_mm512_set1_pd(1.0), shift_high);
    __m512d low = _mm512_roundscale_pd(_mm512_mul_pd(low_double(c.value[n]), unit_low), kTruncate);
    __m512d high = _mm512_roundscale_pd(_mm512_mul_pd(high_double(c.value[n]), unit_high), kTruncate);
    for (const __m512& term : terms) {
      low = _mm512_add_pd(low, _mm512_roundscale_pd(_mm512_mul_pd(low_double(term), unit_low), kTruncate));
      high = _mm512_add_pd(high, _mm512_roundscale_pd(_mm512_mul_pd(high_double(term), unit_high), kTruncate));
    }
    columns[n] = round_total(low, high, shift_low, shift_high);
  }
  store_columns(operands, columns);
}

template <Arch kArch>
MmaFunction find_16_bit(const MmaForm& form) {
  const bool wide = form.k == 16;
  if (form.a == Element::kF16)
    return wide ? mma_products<Element::kF16, Element::kF16, 16, false, kArch>
                : mma_products<Element::kF16, Element::kF16, 8, false, kArch>;
  if (form.a == Element::kBf16)
    return wide ? mma_products<Element::kBf16, Element::kBf16, 16, false, kArch>
                : mma_products<Element::kBf16, Element::kBf16, 8, false, kArch>;
  if (form.a == Element::kTf32 && form.k == 8) return mma_products<Element::kTf32, Element::kTf32, 8, false, kArch>;
  return nullptr;
}

template <Element kA, bool kScaled>
MmaFunction find_8_bit(Element b) {
  switch (b) {
    case Element::kE4m3:
      return mma_products<kA, Element::kE4m3, 32, kScaled, Arch::kSm120>;
    case Element::kE5m2:
      return mma_products<kA, Element::kE5m2, 32, kScaled, Arch::kSm120>;
    case Element::kE2m1:
      return mma_products<kA, Element::kE2m1, 32, kScaled, Arch::kSm120>;
    default:
      return nullptr;  // the 6-bit types are rare: scalar
  }
}

template <bool kScaled>
MmaFunction find_8_bit(const MmaForm& form) {
  switch (form.a) {
    case Element::kE4m3:
      return find_8_bit<Element::kE4m3, kScaled>(form.b);
    case Element::kE5m2:
      return find_8_bit<Element::kE5m2, kScaled>(form.b);
    case Element::kE2m1:
      return find_8_bit<Element::kE2m1, kScaled>(form.b);
    default:
      return nullptr;
  }
}

}  // namespace

MmaFunction find_mma_avx512(Arch arch, const MmaForm& form) {
  if (form.accumulator != Accumulator::kF32) return nullptr;
  if (form.scale == BlockScale::k4xUe4m3) return mma_nvfp4;
  if (form.scale == BlockScale::k1xUe8m0) return find_8_bit<true>(form);
  if (form.scale != BlockScale::kNone) return nullptr;
  if (form.a <= Element::kTf32)
    return arch == Arch::kSm90 ? find_16_bit<Arch::kSm90>(form) : find_16_bit<Arch::kSm120>(form);
  return arch == Arch::kSm120 && form.k == 32 ? find_8_bit<false>(form) : nullptr;
}

}  // namespace sim::numerics

#pragma GCC pop_options

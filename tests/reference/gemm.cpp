// gemm.cpp: see the header. Everything is integers: e2m1 in halves, scale significands in eighths.
#include "tests/reference/gemm.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace reference {
namespace {

constexpr int kGroups = 4, kGroup = 16;
constexpr int kFractionBits = 35;
constexpr int kZeroExponent = -139;  // what a zero counts as when terms are aligned
constexpr float kNan = std::bit_cast<float>(0x7FFFFFFFu);
constexpr int kHalves[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};  // e2m1 in units of 1/2

// value = significand * 2^(exponent - point); `exponent` is what alignment looks at.
struct Term {
  int64_t significand = 0;
  int exponent = kZeroExponent;
  int point = 0;
};

Term term_of_f32(float c) {
  if (c == 0) return {};
  const uint32_t bits = std::bit_cast<uint32_t>(c);
  const int field = bits >> 23 & 0xFF;
  const int64_t fraction = bits & 0x7FFFFF;
  const int64_t significand = field == 0 ? fraction : fraction | 0x800000;
  return {bits >> 31 ? -significand : significand, std::max(field, 1) - 127, 23};
}

struct Scale {
  int64_t significand;  // in eighths
  int exponent;
};
Scale scale_of(uint8_t byte) {
  const int field = byte >> 3 & 15, fraction = byte & 7;
  return {field == 0 ? fraction : fraction | 8, std::max(field, 1) - 7};
}

Term term_of_group(const uint8_t* a, const uint8_t* b, uint8_t scale_a, uint8_t scale_b) {
  int64_t sum = 0;  // in quarters
  for (int i = 0; i < kGroup; ++i) sum += kHalves[a[i]] * kHalves[b[i]];
  const Scale sa = scale_of(scale_a), sb = scale_of(scale_b);
  if (sa.significand * sb.significand == 0) return {};
  return {sum * sa.significand * sb.significand, sa.exponent + sb.exponent, 2 + 3 + 3};
}

// The term in units of 2^-unit, what is below a unit cut off.
int64_t in_units(const Term& term, int unit) {
  const int shift = term.exponent - term.point + unit;
  if (shift >= 0) return term.significand << shift;
  if (shift < -62) return 0;
  const int64_t magnitude = std::abs(term.significand) >> -shift;
  return term.significand < 0 ? -magnitude : magnitude;
}

// sum * 2^-unit, rounded towards zero to f32.
float to_f32_towards_zero(int64_t sum, int unit) {
  if (sum == 0) return 0;
  const uint64_t magnitude = std::abs(sum);
  const int exponent = std::bit_width(magnitude) - 1 - unit;  // of the leading bit
  if (exponent > 127) return sum < 0 ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  const int lowest = std::max(exponent, -126) - 23;  // weight of f32's last bit there
  const int drop = lowest + unit;
  const uint64_t kept = drop > 0 ? (drop > 63 ? 0 : magnitude >> drop << drop) : magnitude;
  const double value = std::ldexp(static_cast<double>(kept), -unit);  // at most 24 bits: exact
  return static_cast<float>(sum < 0 ? -value : value);
}

std::vector<double> dequantize_all(const Nvfp4& tensor) {
  std::vector<double> values(tensor.rows * tensor.cols);
  for (size_t i = 0; i < values.size(); ++i) values[i] = dequantize(tensor, i / tensor.cols, i % tensor.cols);
  return values;
}

std::vector<uint8_t> unpack(const Nvfp4& tensor) {
  std::vector<uint8_t> nibbles(tensor.rows * tensor.cols);
  for (size_t i = 0; i < nibbles.size(); ++i)
    nibbles[i] = i % 2 ? tensor.packed[i / 2] >> 4 : tensor.packed[i / 2] & 15;
  return nibbles;
}

}  // namespace

float mma_nvfp4_k64(const uint8_t (&a)[64], const uint8_t (&b)[64], const uint8_t (&scale_a)[4],
                    const uint8_t (&scale_b)[4], float c) {
  for (int g = 0; g < kGroups; ++g) {
    if ((scale_a[g] & 0x7F) == 0x7F || (scale_b[g] & 0x7F) == 0x7F) return kNan;
  }
  if (std::isnan(c)) return kNan;
  if (std::isinf(c)) return c;
  Term terms[kGroups + 1];
  for (int g = 0; g < kGroups; ++g) {
    terms[g] = term_of_group(a + kGroup * g, b + kGroup * g, scale_a[g], scale_b[g]);
  }
  terms[kGroups] = term_of_f32(c);
  int largest = kZeroExponent;
  for (const Term& term : terms) largest = std::max(largest, term.exponent);
  const int unit = kFractionBits - largest;
  int64_t sum = 0;
  for (const Term& term : terms) sum += in_units(term, unit);
  return to_f32_towards_zero(sum, unit);
}

// Accumulators that took nothing are +0, which changes no sum.
float pairwise(const float (&p)[8]) { return ((p[0] + p[1]) + (p[2] + p[3])) + ((p[4] + p[5]) + (p[6] + p[7])); }

std::vector<GemmResult> gemm(const Nvfp4& a, const Nvfp4& b, const std::function<Order(int64_t column)>& order_of) {
  const int64_t k = a.cols, chunks = (k + 63) / 64;
  const std::vector<uint8_t> a_nibbles = unpack(a), b_nibbles = unpack(b);
  const std::vector<double> a_values = dequantize_all(a), b_values = dequantize_all(b);
  std::vector<GemmResult> results(a.rows * b.rows);
  for (int64_t n = 0; n < b.rows; ++n) {
    Order order = order_of(n);
    const bool is_plain = order.segments.empty();
    if (is_plain) order.segments = {std::vector<int>(chunks, 0)};
    for (int64_t m = 0; m < a.rows; ++m) {
      GemmResult& result = results[m * b.rows + n];
      int64_t chunk = 0;
      for (size_t s = 0; s < order.segments.size(); ++s) {
        float partial[8] = {};
        for (const int accumulator : order.segments[s]) {
          uint8_t va[64] = {}, vb[64] = {}, sa[4] = {}, sb[4] = {};  // beyond k: zeros, scales too
          const int64_t valid = std::min<int64_t>(64, k - 64 * chunk);
          std::copy_n(&a_nibbles[m * k + 64 * chunk], valid, va);
          std::copy_n(&b_nibbles[n * k + 64 * chunk], valid, vb);
          for (int g = 0; g < valid / kGroup; ++g) {
            sa[g] = a.scales[scale_offset(m, 4 * chunk + g, k)];
            sb[g] = b.scales[scale_offset(n, 4 * chunk + g, k)];
          }
          partial[accumulator] = mma_nvfp4_k64(va, vb, sa, sb, partial[accumulator]);
          ++chunk;
        }
        const float sum = is_plain ? partial[0] : pairwise(partial);
        result.sum = s == 0 ? sum : result.sum + sum;
      }
      for (int64_t i = 0; i < k; ++i) {
        const double product = a_values[m * k + i] * b_values[n * k + i];
        result.exact += product;
        result.magnitude += std::abs(product);
      }
    }
  }
  return results;
}

}  // namespace reference

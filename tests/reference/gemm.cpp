// gemm.cpp: see the header. Everything is integers: e2m1 in halves, scale significands in eighths.
#include "tests/reference/gemm.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "tests/reference/number_formats.hpp"

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
Scale scale_of(uint8_t byte, bool is_ue8m0) {
  if (is_ue8m0) return {8, byte - 127};

  const int field = byte >> 3 & 15, fraction = byte & 7;
  return {field == 0 ? fraction : fraction | 8, std::max(field, 1) - 7};
}

Term term_of_group(const uint8_t* a, const uint8_t* b, const Scale& sa, const Scale& sb) {
  int64_t sum = 0;  // in quarters
  for (int i = 0; i < kGroup; ++i) sum += kHalves[a[i]] * kHalves[b[i]];
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

std::vector<uint8_t> unpack(const Nvfp4& tensor) {
  std::vector<uint8_t> nibbles(tensor.rows * tensor.cols);
  for (size_t i = 0; i < nibbles.size(); ++i)
    nibbles[i] = i % 2 ? tensor.packed[i / 2] >> 4 : tensor.packed[i / 2] & 15;
  return nibbles;
}

// Four groups of 16, and c.
float sum_of_groups(const uint8_t* a, const uint8_t* b, const Scale (&scale_a)[4], const Scale (&scale_b)[4], float c) {
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

// An operand as the models read it.
struct Unpacked {
  std::vector<uint8_t> nibbles;  // [rows, chunks * 64], zeros beyond k
  std::vector<uint8_t> scales;   // [rows, chunks * blocks of a chunk], zeros beyond k
  std::vector<double> values;    // [rows, k]
};

Unpacked unpack_all(const Nvfp4& tensor) {
  const int64_t k = tensor.cols, chunks = (k + 63) / 64;
  const int block = tensor.is_mxfp4 ? 32 : 16, blocks = 64 / block;
  Unpacked out{.nibbles = std::vector<uint8_t>(tensor.rows * chunks * 64),
               .scales = std::vector<uint8_t>(tensor.rows * chunks * blocks),
               .values = std::vector<double>(tensor.rows * k)};
  const std::vector<uint8_t> nibbles = unpack(tensor);
  for (int64_t row = 0; row < tensor.rows; ++row) {
    std::copy_n(&nibbles[row * k], k, &out.nibbles[row * chunks * 64]);
    for (int64_t b = 0; b < k / block; ++b) {
      const uint8_t byte = tensor.scales[tensor.is_mxfp4 ? mxfp4_scale_offset(row, b, k) : scale_offset(row, b, k)];
      out.scales[row * chunks * blocks + b] = byte;
      const double scale = !tensor.is_mxfp4 ? decode_e4m3(byte & 0x7F)
                           : byte == 255    ? std::numeric_limits<double>::quiet_NaN()
                                            : std::ldexp(1., byte - 127);
      for (int64_t i = b * block; i < (b + 1) * block; ++i) {
        out.values[row * k + i] = decode_e2m1(nibbles[row * k + i]) * scale;
      }
    }
  }
  return out;
}

}  // namespace

float mma_nvfp4_k64(const uint8_t (&a)[64], const uint8_t (&b)[64], const uint8_t (&scale_a)[4],
                    const uint8_t (&scale_b)[4], float c) {
  Scale sa[kGroups], sb[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    if ((scale_a[g] & 0x7F) == 0x7F || (scale_b[g] & 0x7F) == 0x7F) return kNan;
    sa[g] = scale_of(scale_a[g], false), sb[g] = scale_of(scale_b[g], false);
  }
  return sum_of_groups(a, b, sa, sb, c);
}

float mma_mxfp4_k64(const uint8_t (&a)[64], const uint8_t (&b)[64], const uint8_t (&scale_a)[2],
                    const uint8_t (&scale_b)[2], float c) {
  Scale sa[kGroups], sb[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    if (scale_a[g / 2] == 0xFF || scale_b[g / 2] == 0xFF) return kNan;
    sa[g] = scale_of(scale_a[g / 2], true), sb[g] = scale_of(scale_b[g / 2], true);
  }
  return sum_of_groups(a, b, sa, sb, c);
}

int64_t mxfp4_scale_bytes(int64_t rows, int64_t cols) { return (rows + 127) / 128 * 128 * ((cols / 32 + 3) / 4 * 4); }

int64_t mxfp4_scale_offset(int64_t row, int64_t block, int64_t cols) {
  const int64_t atoms = (cols / 32 + 3) / 4;  // along a row
  return (row / 128 * atoms + block / 4) * 512 + row % 32 * 16 + row % 128 / 32 * 4 + block % 4;
}

Nvfp4 mxfp4_operand(int64_t rows, int64_t cols, uint64_t seed) {
  Nvfp4 out{.rows = rows,
            .cols = cols,
            .packed = std::vector<uint8_t>(rows * cols / 2),
            .scales = std::vector<uint8_t>(mxfp4_scale_bytes(rows, cols)),
            .is_mxfp4 = true};
  std::mt19937_64 random(seed);
  for (uint8_t& byte : out.packed) byte = static_cast<uint8_t>(random());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t block = 0; block < cols / 32; ++block) {
      const uint64_t r = random();
      out.scales[mxfp4_scale_offset(row, block, cols)] =
          static_cast<uint8_t>(r % 32 == 0 ? (r & 32 ? 147 : 107) : 115 + r / 64 % 25);
    }
  }
  return out;
}

// Accumulators that took nothing are +0, which changes no sum.
float pairwise(std::array<float, Order::kAccumulators> p) {
  for (size_t left = p.size() / 2; left > 0; left /= 2) {
    for (size_t i = 0; i < left; ++i) p[i] = p[2 * i] + p[2 * i + 1];
  }
  return p[0];
}

std::vector<GemmResult> gemm(const Nvfp4& a, const Nvfp4& b,
                             const std::function<const Order&(int64_t row, int64_t column)>& order_of) {
  const int64_t k = a.cols, chunks = (k + 63) / 64;
  const Unpacked ua = unpack_all(a), ub = unpack_all(b);
  const auto multiply = [&](int64_t m, int64_t n, int64_t chunk, float c) {
    uint8_t va[64], vb[64];
    std::copy_n(&ua.nibbles[(m * chunks + chunk) * 64], 64, va);
    std::copy_n(&ub.nibbles[(n * chunks + chunk) * 64], 64, vb);
    if (a.is_mxfp4) {
      uint8_t sa[2], sb[2];
      std::copy_n(&ua.scales[(m * chunks + chunk) * 2], 2, sa);
      std::copy_n(&ub.scales[(n * chunks + chunk) * 2], 2, sb);
      return mma_mxfp4_k64(va, vb, sa, sb, c);
    }
    uint8_t sa[4], sb[4];
    std::copy_n(&ua.scales[(m * chunks + chunk) * 4], 4, sa);
    std::copy_n(&ub.scales[(n * chunks + chunk) * 4], 4, sb);
    return mma_nvfp4_k64(va, vb, sa, sb, c);
  };
  std::vector<GemmResult> results(a.rows * b.rows);
  for (int64_t m = 0; m < a.rows; ++m) {
    for (int64_t n = 0; n < b.rows; ++n) {
      GemmResult& result = results[m * b.rows + n];
      const Order& order = order_of(m, n);
      int64_t chunk = 0;
      for (size_t s = 0; s < order.segments.size(); ++s) {
        std::array<float, Order::kAccumulators> partial{};
        for (const int accumulator : order.segments[s]) {
          partial[accumulator] = multiply(m, n, chunk++, partial[accumulator]);
        }
        const float sum = pairwise(partial);
        result.sum = s == 0 ? sum : result.sum + sum;
      }
      if (order.segments.empty()) {
        for (; chunk < chunks; ++chunk) result.sum = multiply(m, n, chunk, result.sum);
      }
      for (int64_t i = 0; i < k; ++i) {
        const double product = ua.values[m * k + i] * ub.values[n * k + i];
        result.exact += product;
        result.magnitude += std::abs(product);
      }
    }
  }
  return results;
}

}  // namespace reference

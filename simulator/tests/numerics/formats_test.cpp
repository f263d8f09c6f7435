// Every conversion of numerics/formats.hpp against a slow one that knows only the table of a format's values.
#include "numerics/formats.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

using namespace sim::numerics;

namespace {

struct Case {
  const char* name;
  Format format;
};
const Case kCases[] = {{"e2m1", kE2m1}, {"e2m3", kE2m3}, {"e3m2", kE3m2}, {"e4m3", kE4m3},
                       {"e5m2", kE5m2}, {"f16", kF16},   {"bf16", kBf16}, {"tf32", kTf32}};

// The value of a code by the definition of a binary format.
double value_of(const Format& format, uint32_t code) {
  const int field = static_cast<int>(code >> format.mantissa_bits);
  const double fraction = std::ldexp(code & ((1u << format.mantissa_bits) - 1), -format.mantissa_bits);
  return field == 0 ? std::ldexp(fraction, 1 - format.bias()) : std::ldexp(1.0 + fraction, field - format.bias());
}

// Positive values of all finite codes, rising; one more entry is where the next code would be.
class Reference {
 public:
  explicit Reference(const Format& format) : format_(format) {
    for (uint32_t code = 0; code <= format.largest + 1; ++code) values_.push_back(value_of(format, code));
  }

  uint32_t encode(uint32_t bits, Round round, bool saturate) {
    const float x = std::bit_cast<float>(bits);
    if (std::isnan(x)) return format_.nan;
    const uint32_t sign = std::signbit(x) ? format_.sign() : 0;
    const uint32_t overflow = saturate || format_.infinity == 0 ? format_.largest : format_.infinity;
    const double magnitude = std::fabs(static_cast<double>(x));
    if (std::isinf(x)) return sign | overflow;
    uint32_t below = last_ < values_.size() && values_[last_] <= magnitude ? last_ : 0;  // values_[below] <= magnitude
    uint32_t above = static_cast<uint32_t>(values_.size());
    if (below + 1 < above && magnitude < values_[below + 1]) above = below + 1;
    while (above - below > 1) {
      const uint32_t middle = (below + above) / 2;
      (values_[middle] <= magnitude ? below : above) = middle;
    }
    last_ = below;
    bool up = false;
    if (below == format_.largest + 1) {
      up = round != Round::kZero;  // far beyond: any rounding but toward zero leaves the range
      below = format_.largest;
      if ((round == Round::kDown && !std::signbit(x)) || (round == Round::kUp && std::signbit(x))) up = false;
    } else if (values_[below] != magnitude) {
      const double low = magnitude - values_[below], high = values_[below + 1] - magnitude;
      if (round == Round::kNearestEven) up = high < low || (high == low && below % 2 == 1);
      if (round == Round::kNearestAway) up = high <= low;
      if (round == Round::kUp) up = !std::signbit(x);
      if (round == Round::kDown) up = std::signbit(x);
    }
    const uint32_t code = below + (up ? 1 : 0);
    return sign | (code > format_.largest ? overflow : code);
  }

  const std::vector<double>& values() const { return values_; }

 private:
  Format format_;
  std::vector<double> values_;
  uint32_t last_ = 0;  // where the last input lay: rising inputs need no search
};

// Every exponent with edge and random mantissas, and both neighbours of every value and of every tie.
std::vector<uint32_t> sample(const Reference& reference) {
  std::vector<uint32_t> inputs;
  std::mt19937 random(12);
  for (uint32_t head = 0; head < 512; ++head) {
    for (uint32_t mantissa : {0u, 1u, 2u, 0x3fffffu, 0x400000u, 0x400001u, 0x7ffffeu, 0x7fffffu})
      inputs.push_back(head << 23 | mantissa);
    for (int i = 0; i < 24; ++i) inputs.push_back(head << 23 | (random() & 0x7fffff));
  }
  for (size_t i = 0; i + 1 < reference.values().size(); ++i)
    for (double value : {reference.values()[i], (reference.values()[i] + reference.values()[i + 1]) / 2}) {
      const float nearest = static_cast<float>(value);
      for (int step = -1; step <= 1; ++step) {
        const uint32_t bits = std::bit_cast<uint32_t>(nearest) + static_cast<uint32_t>(step);
        inputs.push_back(bits);
        inputs.push_back(bits ^ 0x80000000u);
      }
    }
  return inputs;
}

constexpr Round kRounds[] = {Round::kNearestEven, Round::kZero, Round::kDown, Round::kUp, Round::kNearestAway};

// 2^exponent at or next to |x| without floating-point tricks: the ue8m0 code, sign ignored.
uint32_t ue8m0_reference(uint32_t bits, bool up, bool saturate) {
  const float x = std::fabs(std::bit_cast<float>(bits));
  if (std::isnan(x)) return 0xff;
  if (std::isinf(x)) return saturate ? 0xfe : 0xff;
  uint32_t code = 0;
  if (up) {
    while (code < 0xff && std::ldexp(1.0, static_cast<int>(code) - 127) < static_cast<double>(x)) ++code;
    return code == 0xff && saturate ? 0xfe : code;
  }
  while (code < 0xfe && std::ldexp(1.0, static_cast<int>(code) + 1 - 127) <= static_cast<double>(x)) ++code;
  return code;
}

}  // namespace

TEST_CASE("every code decodes to its value, and a decoded value encodes to its code") {
  for (const Case& c : kCases) {
    CAPTURE(std::string(c.name));
    for (uint32_t code = 0; code < 2 * c.format.sign(); ++code) {
      const uint32_t magnitude = code & (c.format.sign() - 1);
      const uint32_t bits = decode(c.format, code);
      const float decoded = std::bit_cast<float>(bits);
      if (magnitude <= c.format.largest) {
        const double want = value_of(c.format, magnitude);
        REQUIRE(static_cast<double>(decoded) == ((code & c.format.sign()) != 0 ? -want : want));
        REQUIRE(std::signbit(decoded) == ((code & c.format.sign()) != 0));
        REQUIRE(encode(c.format, bits, Round::kNearestEven, true) == code);
      } else if (c.format.infinity != 0 && magnitude == c.format.infinity) {
        REQUIRE(std::isinf(decoded));
      } else {
        REQUIRE(bits == kNanF32);
      }
    }
  }
  CHECK(ue8m0_to_f32(0) == 0x00400000u);
  CHECK(ue8m0_to_f32(127) == 0x3f800000u);
  CHECK(ue8m0_to_f32(255) == kNanF32);
  CHECK(ue8m0_to_bf16(0) == 0x0040);
  CHECK(ue4m3_to_f32(0xb8) == 0x3f800000u);
}

TEST_CASE("encoding picks the nearest value by the table, in every rounding mode") {
  for (const Case& c : kCases) {
    CAPTURE(std::string(c.name));
    Reference reference(c.format);
    for (uint32_t bits : sample(reference))
      for (Round round : kRounds)
        for (bool saturate : {false, true}) {
          const uint32_t got = encode(c.format, bits, round, saturate), want = reference.encode(bits, round, saturate);
          if (got != want) FAIL_CHECK(bits << " round " << static_cast<int>(round) << ": " << got << " != " << want);
        }
  }
}

TEST_CASE("the cvt forms follow the table of the PTX manual") {
  const auto f = [](float x) { return std::bit_cast<uint32_t>(x); };
  const uint32_t nan = 0xffc12345u, infinity = kInfinityF32;
  struct Tie {
    float x;
    uint8_t code;
  };
  for (const Tie& t :
       {Tie{0.25f, 0}, Tie{0.75f, 2}, Tie{1.25f, 2}, Tie{1.75f, 4}, Tie{2.5f, 4}, Tie{3.5f, 6}, Tie{5, 6}})
    CHECK(f32_to_e2m1_rn_satfinite(f(t.x)) == t.code);
  CHECK(f32_to_e2m1_rn_satfinite(nan) == 0x7);
  CHECK(f32_to_e2m1_rn_satfinite(infinity | 0x80000000u) == 0xf);
  CHECK(f32_to_e2m1_rn_satfinite(f(-0.0f)) == 0x8);
  CHECK(f32_to_e2m1x2_rn_satfinite(f(3.0f), f(1.0f)) == 0x52);
  CHECK(f32_to_e4m3_rn_satfinite(f(464.0f)) == 0x7e);
  CHECK(f32_to_e4m3_rn_satfinite(nan) == 0x7f);
  CHECK(f32_to_e4m3_rn_satfinite(infinity) == 0x7e);
  CHECK(f32_to_e5m2_rn_satfinite(infinity) == 0x7b);
  CHECK(f32_to_e5m2_rn_satfinite(nan) == 0x7f);
  CHECK(f32_to_e2m3_rn_satfinite(nan) == 0x1f);
  CHECK(f32_to_e3m2_rn_satfinite(f(-100.0f)) == 0x3f);
  CHECK(f32_to_bf16_rn(nan) == 0x7fff);
  CHECK(f32_to_bf16_rn(0x7f7fffffu) == 0x7f80);
  CHECK(f32_to_bf16(0x7f7fffffu, Round::kNearestEven, true) == 0x7f7f);
  CHECK(f32_to_bf16_rz(0x7f7fffffu) == 0x7f7f);
  CHECK(f32_to_f16_rn(f(65520.0f)) == 0x7c00);
  CHECK(f32_to_f16_rz(f(65520.0f)) == 0x7bff);
  CHECK(f32_to_tf32_rna(0x3f801000u) == 0x3f802000u);
  CHECK(f32_to_tf32_rna(nan) == (nan & ~0x1fffu));
  CHECK(f32_to_ue8m0_rz(f(1.5f), true) == 0x7f);
  CHECK(f32_to_ue8m0_rp(f(-1.5f), true) == 0x80);
  CHECK(f32_to_ue8m0_rp(0x7f7fffffu, true) == 0xfe);
  CHECK(f32_to_ue8m0_rp(0x7f7fffffu, false) == 0xff);
  CHECK(e4m3x2_to_f16x2(0x7f38) == 0x7fff3c00u);
  CHECK(e2m1x2_to_f16x2(0xf1) == 0xc6003800u);
  CHECK(f16x2_to_e4m3x2_rn_satfinite(0x7fff3c00u) == 0x7f38);
}

TEST_CASE("ue8m0 takes the power of two below or above, whatever the sign") {
  for (uint32_t head = 0; head < 512; ++head)
    for (uint32_t mantissa : {0u, 1u, 0x3fffffu, 0x400000u, 0x400001u, 0x7fffffu})
      for (bool saturate : {false, true}) {
        const uint32_t bits = head << 23 | mantissa;
        REQUIRE(f32_to_ue8m0_rz(bits, saturate) == ue8m0_reference(bits, false, saturate));
        REQUIRE(f32_to_ue8m0_rp(bits, saturate) == ue8m0_reference(bits, true, saturate));
      }
}

TEST_CASE("exhaustive: all 2^32 inputs of the conversions from f32" * doctest::skip()) {
  std::vector<Reference> references;
  for (const Case& c : kCases) references.emplace_back(c.format);
  uint64_t wrong = 0;
  for (uint64_t input = 0; input < 1ull << 32; ++input) {
    const uint32_t bits = static_cast<uint32_t>(input);
    for (size_t i = 0; i < references.size(); ++i)
      wrong += encode(kCases[i].format, bits, Round::kNearestEven, true) !=
               references[i].encode(bits, Round::kNearestEven, true);
    wrong += f32_to_bf16_rn(bits) != encode(kBf16, bits, Round::kNearestEven, false);
  }
  CHECK(wrong == 0);
}

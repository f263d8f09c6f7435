// silu_f32 against FP64: every bf16 and f16, f32 in between, and the edges of the range.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/math/silu.h"

using namespace b12x::math;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// In ulps of the exact result, where it is a normal f32 and x lies above the cut to -0.
double error_of(float x) {
  const double exact = x / (1.0 + std::exp(-static_cast<double>(x)));
  const float size = std::fabs(static_cast<float>(exact));
  if (!(x > -87.33f && size >= 0x1p-126f && size < kInfinity)) return 0;
  return std::fabs(silu_f32(x) - exact) / (std::nextafter(size, kInfinity) - size);
}

// The largest over all f32 whose low `free_bits` bits are zero, `step` apart.
double worst_error(int free_bits, uint32_t step) {
  double worst = 0;
  for (uint64_t high = 0; high < uint64_t{1} << (32 - free_bits); high += step) {
    worst = std::max(worst, error_of(std::bit_cast<float>(static_cast<uint32_t>(high << free_bits))));
  }
  return worst;
}

}  // namespace

TEST_CASE("every bf16 is within 2.6 ulp of f32") {
  const double worst = worst_error(16, 1);
  CHECK(worst <= 2.6);
  CHECK(worst > 1);
}

TEST_CASE("every f32 of 11 significant bits, and so every f16, is within 3 ulp") { CHECK(worst_error(13, 1) <= 3.0); }

TEST_CASE("f32 are within 4 ulp") { CHECK(worst_error(0, 1999) <= 4.0); }

TEST_CASE("silu_f32 at the edges") {
  CHECK(silu_f32(0.f) == 0.f);
  CHECK(std::signbit(silu_f32(-0.f)));
  for (float x = 17.5f; x < kInfinity; x *= 1.37f) CHECK(silu_f32(x) == x);
  CHECK(silu_f32(kInfinity) == kInfinity);
  CHECK(silu_f32(-87.33f) == doctest::Approx(-87.33 * std::exp(-87.33)).epsilon(1e-6));
  for (float x = -87.34f; x > -kInfinity; x *= 1.37f) {
    CHECK(silu_f32(x) == 0.f);
    CHECK(std::signbit(silu_f32(x)));
  }
  CHECK(std::isnan(silu_f32(-kInfinity)));
  CHECK(std::isnan(silu_f32(std::numeric_limits<float>::quiet_NaN())));
}

// Next to 2^126 it would depend on the approximation whether the unit flushes the reciprocal: no f32 may come that
// near.
TEST_CASE("no denominator lies within 2^-20 of 2^126") {
  const auto fma_sat = [](float a, float b, float c) { return std::clamp(fmaf(a, b, c), 0.f, 1.f); };
  int above = 0, below = 0;
  double nearest = 1;
  for (float x = -88.f; x < -86.5f; x = std::nextafter(x, 0.f)) {
    const double distance = silu_denominator(x, fma_sat) * 0x1p-126 - 1.0;
    nearest = std::min(nearest, std::fabs(distance));
    (distance > 0 ? above : below) += 1;
  }
  CHECK(nearest >= 0x1p-20);
  CHECK(above > 50000);
  CHECK(below > 50000);
}

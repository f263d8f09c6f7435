// exp_f32 and silu_f32 against FP64, and at the edges of the range.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/math/exp.h"

using namespace b12x::math;

namespace {
constexpr float kInfinity = std::numeric_limits<float>::infinity();
double ulp_of(double x) { return std::nextafter(static_cast<float>(x), kInfinity) - static_cast<float>(x); }
}  // namespace

TEST_CASE("exp_f32 is within 1.1 ulp over the normal range") {
  double worst = 0;
  for (float x = -87.f; x < 88.5f; x += 0.00037f) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::fabs(exp_f32(x) - exact) / ulp_of(exact));
  }
  CHECK(worst <= 1.1);
  CHECK(worst > 0.4);
}

TEST_CASE("exp_f32 at the edges") {
  CHECK(exp_f32(0.f) == 1.f);
  CHECK(exp_f32(-0.f) == 1.f);
  CHECK(exp_f32(89.f) == kInfinity);
  CHECK(exp_f32(kInfinity) == kInfinity);
  CHECK(exp_f32(-kInfinity) == 0.f);
  CHECK(exp_f32(-104.f) == 0.f);
  CHECK(std::isnan(exp_f32(std::numeric_limits<float>::quiet_NaN())));
  CHECK(exp_f32(-100.f) == doctest::Approx(std::exp(-100.0)).epsilon(0.02));  // subnormal: 27 steps of 2^-149
}

TEST_CASE("silu_f32") {
  for (float x = -20.f; x < 20.f; x += 0.0113f) {
    const double exact = x / (1.0 + std::exp(-static_cast<double>(x)));
    CHECK(std::fabs(silu_f32(x) - exact) <= 3.0 * ulp_of(std::fabs(exact)));
  }
  CHECK(silu_f32(0.f) == 0.f);
  CHECK(silu_f32(200.f) == 200.f);
  CHECK(silu_f32(kInfinity) == kInfinity);
  CHECK(silu_f32(-200.f) == 0.f);
  CHECK(std::isnan(silu_f32(-kInfinity)));
  CHECK(std::isnan(silu_f32(std::numeric_limits<float>::quiet_NaN())));
}

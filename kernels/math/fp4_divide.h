// fp4_divide.h: dividing many numbers by one, rounded as far as e2m1 can see. One IEEE division costs ten instructions;
// here it is two, after some for the divisor: 1 / d as an unevaluated sum high + low of two f32, and x / d = RN(x high
// + RN(x low)). That is not always the IEEE quotient, but it lies on the same side of (or on) each of the seven ties of
// e2m1, for every d and x: proved by trying all 2^23 significands of d with the x next to every tie
// (tests/unit/kernels/test_fp4.cpp); away from a tie an error of one ulp does not matter. The last factor of `low` is
// needed: without it one pair (d = 1.ff..fe, x = 0.5) comes out wrong.
#pragma once

#include <cmath>

namespace b12x::math {

struct ReciprocalPair {
  float high, low;
};

// Divisors in [2^-100, 2^64] keep every bit of `low` that counts clear of underflow.
inline constexpr float kReciprocalMaxDivisor = 0x1p64f;
inline constexpr float kNvfp4MinDivisor = 1e-30f;  // a block scale that underflowed to 0 must not divide by zero

// `high` is 1 / divisor, correctly rounded.
constexpr ReciprocalPair reciprocal_pair(float divisor, float high) {
  const float error = fmaf(-divisor, high, 1.f);  // exact
  return {high, high * fmaf(error, error, error)};
}

// |x / d| <= 2^100.
constexpr float e2m1_quotient(float x, const ReciprocalPair& reciprocal) {
  return fmaf(x, reciprocal.high, x * reciprocal.low);
}

}  // namespace b12x::math

// Division by a number known before: against the processor's, at every multiple's edges.
#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

#include "kernels/math/divisor.h"

using b12x::math::Divisor;

TEST_CASE("quotients of n < 2^31") {
  constexpr uint32_t kLimit = 1u << 31;
  for (const uint32_t value :
       {1u, 2u, 3u, 5u, 7u, 10u, 16u, 64u, 127u, 641u, 65535u, 65536u, 65537u, 1000003u, kLimit - 1, kLimit}) {
    const Divisor divisor = Divisor::of(value);
    CHECK(divisor.value == value);
    uint32_t wrong = 0;
    const auto check = [&](uint32_t n) { wrong += n < kLimit && divisor.quotient(n) != n / value; };
    for (uint32_t n = 0; n < 70000; ++n) check(n), check(kLimit - 1 - n);
    for (uint64_t multiple = value; multiple < kLimit; multiple += value * (1 + multiple / value / 1000)) {
      check(static_cast<uint32_t>(multiple) - 1), check(static_cast<uint32_t>(multiple));
    }
    CHECK(wrong == 0);
  }
}

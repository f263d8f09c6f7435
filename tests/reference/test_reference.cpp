// The references against examples that were published or follow by hand.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "tests/reference/gemm.hpp"
#include "tests/reference/number_formats.hpp"
#include "tests/reference/nvfp4.hpp"

using namespace reference;

TEST_CASE("every code of the small formats survives a round trip, and neighbours' midpoints go to the even code") {
  for (unsigned code = 0; code < 8; ++code) CHECK(encode_e2m1(static_cast<float>(decode_e2m1(code))) == code);
  for (unsigned code = 0; code < 0x7F; ++code) CHECK(encode_e4m3(static_cast<float>(decode_e4m3(code))) == code);
  for (unsigned code = 0; code < 7; ++code) {
    const auto middle = static_cast<float>((decode_e2m1(code) + decode_e2m1(code + 1)) / 2);
    CHECK(encode_e2m1(middle) == code + code % 2);
  }
  CHECK(encode_e2m1(-3.5f) == 14);  // -4
  CHECK(encode_e2m1(-0.25f) == 0);  // never -0
  CHECK(encode_e2m1(1e30f) == 7);
  CHECK(encode_e4m3(1e30f) == 0x7E);
}

TEST_CASE("16-bit encodings agree with the compiler's") {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(x)) continue;
    const auto half = static_cast<_Float16>(x);
    CHECK(encode_f16(x) == std::bit_cast<uint16_t>(half));
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    CHECK(encode_bf16(x) == static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
  }
}

TEST_CASE("the worked example of NVFP4: blocks of maximum 1 and 2e-5 under global scale 1 / 2688") {
  const float gs = 1.f / 2688.f;
  std::vector<float> x(32, 0.f);
  x[0] = 0.1f, x[1] = -0.2f, x[2] = 1.0f, x[3] = 0.03f;
  x[16] = 2e-5f;
  CHECK(global_scale(x) == gs);
  const Nvfp4 q = quantize(x, 1, 32, gs);
  CHECK(q.scales[0] == 0x7E);
  CHECK(q.packed[0] == 0xA1);
  CHECK(q.packed[1] == 0x07);
  CHECK(q.scales[1] == 5);  // subnormal: 5 * 2^-9
}

TEST_CASE("directed sums of the block-scaled MMA") {
  uint8_t a[64] = {}, b[64] = {};
  uint8_t one[4];
  std::memset(one, 0x38, 4);
  // 2^23 - 2^23 - 0.5 - 0.25 - 0.125 = -0.875: 35 bits below the largest term keep all of it.
  a[0] = 9, b[0] = 2;    // -0.5
  a[16] = 9, b[16] = 1;  // -0.25
  uint8_t scale_a[4] = {0x38, 0x38, 0x30, 0x38};
  a[32] = 9, b[32] = 1;  // -0.25 * 0.5
  CHECK(mma_nvfp4_k64(a, b, scale_a, one, 0.f) == -0.875f);
  // Beside 2^23 in C the sum is cut towards zero at f32's last bit there, which is 1.
  CHECK(mma_nvfp4_k64(a, b, scale_a, one, 8388608.f) == 8388607.f);
  CHECK(std::isnan(mma_nvfp4_k64(a, b, {0x7F, 0x38, 0x38, 0x38}, one, 0.f)));
  // C below 2^-35 of the largest exponent is cut off before the sum.
  CHECK(mma_nvfp4_k64(a, b, scale_a, one, 0x1p-36f) == -0.875f);
}

TEST_CASE("directed sums of the MXFP4 MMA: scales are powers of two from 2^-127 to 2^127, 255 is NaN") {
  uint8_t a[64] = {}, b[64] = {};
  a[0] = 3, b[0] = 4;    // 1.5 * 2
  a[40] = 1, b[40] = 1;  // 0.25
  CHECK(mma_mxfp4_k64(a, b, {127, 127}, {127, 127}, 1.f) == 4.25f);
  CHECK(mma_mxfp4_k64(a, b, {0, 130}, {254, 127}, 0.f) == 5.f);  // 3 * 2^-127 * 2^127 + 0.25 * 8
  CHECK(mma_mxfp4_k64(a, b, {0, 0}, {0, 0}, 0.f) == 0.f);        // 3 * 2^-254
  CHECK(mma_mxfp4_k64(a, b, {0, 0}, {0, 0}, 0x1p-149f) == 0x1p-149f);
  CHECK(std::isinf(mma_mxfp4_k64(a, b, {254, 0}, {254, 0}, 1.f)));
  CHECK(std::isnan(mma_mxfp4_k64(a, b, {127, 255}, {127, 127}, 1.f)));
}

TEST_CASE("an exact sum is returned exactly in every order") {
  std::mt19937 random(3);
  std::vector<float> x(64 * 5 * 8);
  for (float& value : x) value = static_cast<float>(static_cast<int>(random() % 13) - 6);
  const Nvfp4 q = quantize(x, 8, 64 * 5, 1.f);
  for (const Order& order : {Order{}, Order{{{0, 1, 2, 3, 0}}}, Order{{{0}, {0, 1}, {0, 1}}}}) {
    for (const GemmResult& result : gemm(q, q, [&](int64_t, int64_t) -> const Order& { return order; }))
      CHECK(result.sum == result.exact);
  }
}

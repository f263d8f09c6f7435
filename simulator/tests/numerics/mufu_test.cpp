// The special function unit's model against an H200: sums over blocks of 2^20 inputs, recorded by capture/.
//
// data/mufu_h200.u64 has 4096 sums of each form below, in this order, so every one of the 2^32 inputs is covered;
// data/half_h200.u64 has 16 sums (of 4096 inputs) of each 16-bit form.
#include "numerics/mufu.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "numerics/capture/mufu_inputs.hpp"
#include "numerics/mufu_reference.hpp"

using namespace sim::numerics;

namespace {

struct Form {
  const char* name;
  uint32_t (*function)(uint32_t);
};
const Form kForms[] = {{"rcp.approx.ftz.f32", rcp_approx_ftz_f32},
                       {"rcp.approx.f32", rcp_approx_f32},
                       {"rsqrt.approx.ftz.f32", rsqrt_approx_ftz_f32},
                       {"rsqrt.approx.f32", rsqrt_approx_f32},
                       {"sqrt.approx.ftz.f32", sqrt_approx_ftz_f32},
                       {"sqrt.approx.f32", sqrt_approx_f32},
                       {"ex2.approx.ftz.f32", ex2_approx_ftz_f32},
                       {"ex2.approx.f32", ex2_approx_f32},
                       {"lg2.approx.ftz.f32", lg2_approx_ftz_f32},
                       {"lg2.approx.f32", lg2_approx_f32},
                       {"sin.approx.ftz.f32", sin_approx_ftz_f32},
                       {"sin.approx.f32", sin_approx_f32},
                       {"cos.approx.ftz.f32", cos_approx_ftz_f32},
                       {"cos.approx.f32", cos_approx_f32},
                       {"tanh.approx.f32", tanh_approx_f32}};
struct HalfForm {
  const char* name;
  uint16_t (*function)(uint16_t);
};
const HalfForm kHalfForms[] = {{"ex2.approx.f16", ex2_approx_f16},
                               {"ex2.approx.ftz.bf16", ex2_approx_ftz_bf16},
                               {"tanh.approx.f16", tanh_approx_f16},
                               {"tanh.approx.bf16", tanh_approx_bf16}};

std::vector<uint64_t> recorded(const char* name, size_t count) {
  std::ifstream file(std::string("simulator/tests/numerics/data/") + name, std::ios::binary);
  std::vector<uint64_t> words(count);
  file.read(reinterpret_cast<char*>(words.data()), static_cast<std::streamsize>(8 * count));
  REQUIRE_MESSAGE(static_cast<size_t>(file.gcount()) == 8 * count, name << " is missing or short");
  return words;
}

uint64_t block_sum(const Form& form, uint32_t block) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < 1u << 20; ++i) {
    const uint32_t x = block << 20 | i;
    sum += capture::mix(x, form.function(x));
  }
  return sum;
}

}  // namespace

TEST_CASE("blocks of 2^20 inputs give the answers of the H200") {
  const std::vector<uint64_t> want = recorded("mufu_h200.u64", std::size(kForms) * 4096);
  // Subnormals and zero; the flush edges of rcp; around 1; [4, 8) of tanh and sin; infinity and NaN; negatives.
  const uint32_t blocks[] = {0x000, 0x3f0, 0x3f8, 0x3fd, 0x408, 0x7e8, 0x7f8, 0x800, 0xbf0, 0xc2f};
  for (size_t form = 0; form < std::size(kForms); ++form)
    for (uint32_t block : blocks) {
      CAPTURE(std::string(kForms[form].name));
      CAPTURE(block);
      CHECK(block_sum(kForms[form], block) == want[form * 4096 + block]);
    }
}

TEST_CASE("exhaustive: all 2^32 inputs give the answers of the H200" * doctest::skip()) {
  const std::vector<uint64_t> want = recorded("mufu_h200.u64", std::size(kForms) * 4096);
  for (size_t form = 0; form < std::size(kForms); ++form) {
    uint32_t wrong = 0, first = 0;
    for (uint32_t block = 4096; block-- > 0;)
      if (block_sum(kForms[form], block) != want[form * 4096 + block]) {
        ++wrong;
        first = block;
      }
    CHECK_MESSAGE(wrong == 0, kForms[form].name << ": " << wrong << " blocks differ, the first is " << first);
  }
}

TEST_CASE("all 2^16 inputs of the 16-bit forms give the answers of the H200") {
  const std::vector<uint64_t> want = recorded("half_h200.u64", std::size(kHalfForms) * 16);
  for (size_t form = 0; form < std::size(kHalfForms); ++form)
    for (uint32_t block = 0; block < 16; ++block) {
      uint64_t sum = 0;
      for (uint32_t x = block << 12; x < (block + 1) << 12; ++x)
        sum += capture::mix(x, kHalfForms[form].function(static_cast<uint16_t>(x)));
      CAPTURE(std::string(kHalfForms[form].name));
      CAPTURE(block);
      CHECK(sum == want[form * 16 + block]);
    }
}

TEST_CASE("the unit stays within the errors that the PTX manual promises") {
  uint32_t rcp_worst = 0, ex2_worst = 0;
  for (uint32_t i = 0; i < 1u << 23; i += 97) {
    const uint32_t x = 0x3f800000u + i;
    const double value = reference::to_double(x);
    const auto distance = [](uint32_t a, uint32_t b) { return a > b ? a - b : b - a; };
    rcp_worst = std::max(rcp_worst, distance(rcp_approx_ftz_f32(x), reference::to_f32_bits(1.0 / value)));
    ex2_worst = std::max(ex2_worst, distance(ex2_approx_ftz_f32(x), reference::to_f32_bits(reference::exp2(value))));
  }
  CHECK(rcp_worst <= 1);
  CHECK(ex2_worst <= 2);
}

// Kernels rest on this where they need an IEEE reciprocal: powers of two change nothing in the normal range.
TEST_CASE("one Newton step makes the reciprocal the correctly rounded one, for all significands") {
  uint32_t wrong = 0;
  for (uint32_t bits = 0x3F800000u; bits < 0x40000000u; ++bits) {
    const float x = std::bit_cast<float>(bits), near = std::bit_cast<float>(rcp_approx_ftz_f32(bits));
    wrong += std::fma(near, std::fma(-x, near, 1.f), near) != 1.f / x;
  }
  CHECK(wrong == 0);
}

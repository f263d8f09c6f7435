// mufu_inputs.hpp: which inputs are recorded and how answers are summed. Shared by the capture program on the GPU and
// by the tests that replay the record on the host.
#pragma once

#include <bit>
#include <cstdint>

namespace sim::numerics::capture {

inline constexpr uint32_t kSamples = 1u << 17;

// splitmix64 finaliser of (input, answer). A block's hash is the sum over its inputs, so any order gives the same sum.
constexpr uint64_t mix(uint32_t input, uint32_t answer) {
  uint64_t z = (static_cast<uint64_t>(input) << 32 | answer) + 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

// index < 2^17: 512 signs and exponents x 256 mantissas (16 from each end of the range, 224 scattered).
constexpr uint32_t sample_input(uint32_t index) {
  const uint32_t head = index >> 8;
  const uint32_t k = index & 255;
  uint32_t mantissa = static_cast<uint32_t>(mix(head, k) & 0x7fffff);
  if (k < 16) mantissa = k;
  if (k >= 240) mantissa = 0x7fffff - (255 - k);
  return head << 23 | mantissa;
}

// x / (2 pi) as sin.approx and cos.approx form it: f32 product with 0x3e22f983 rounded toward zero (normal range).
constexpr double turns_of(double x) {
  const double exact = x * static_cast<double>(std::bit_cast<float>(0x3e22f983u));  // 48 bits: exact in double
  return std::bit_cast<double>(std::bit_cast<uint64_t>(exact) & ~((1ull << 29) - 1));
}

}  // namespace sim::numerics::capture

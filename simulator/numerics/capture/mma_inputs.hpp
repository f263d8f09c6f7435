// mma_inputs.hpp: (form, distribution, tile, lane) in, operand registers of one warp-wide mma out.
//
// Counter-based, so the GPU that records and the host that replays make the same tiles without storing them.
// Distributions: 0 uniform bits, 1 near-equal exponents, 2 neighbours in k cancel, 3 subnormals and zeros,
// 4 wide exponents with big and small C, 5 like 1 with NaN, infinity, zero and the largest finite value sprinkled in,
// 6 sums near and below the smallest f32 (formats with 8 exponent bits; the others get small values).
#pragma once

#include <cstdint>

#include "mufu_inputs.hpp"

namespace sim::numerics::capture {

inline constexpr int kDistributions = 7;
inline constexpr uint32_t kTilesPerBlock = 1024;
inline constexpr uint32_t kTileBlocks = 256;  // 262,144 tiles of each form and distribution are hashed
inline constexpr uint32_t kStoredTiles = 32;  // and so many kept in full

struct Layout {
  int exponent_bits;
  int mantissa_bits;
};
inline constexpr Layout kF16{5, 10}, kBf16{8, 7}, kTf32{8, 10}, kF32{8, 23}, kE4m3{4, 3}, kE5m2{5, 2}, kE2m1{2, 1};

// One element. `centre` moves the exponents of distributions 1, 2 and 5 (0 for A and B).
constexpr uint32_t element(Layout layout, int distribution, uint64_t random, int centre = 0) {
  const uint32_t exponents = (1u << layout.exponent_bits) - 1;
  const int bias = static_cast<int>(exponents >> 1);
  const uint32_t mantissa = static_cast<uint32_t>(random) & ((1u << layout.mantissa_bits) - 1);
  const uint32_t sign = static_cast<uint32_t>(random >> 63);
  const uint32_t pick = static_cast<uint32_t>(random >> 24) & 0xffff;
  uint32_t exponent = pick & exponents;
  if (distribution == 1 || distribution == 2 || distribution == 5) {
    const int wanted = bias + centre + static_cast<int>(pick & 3) - 2;
    exponent = wanted < 0 ? 0 : static_cast<uint32_t>(wanted);
  }
  if (distribution == 3) exponent = pick % 3;
  if (distribution == 4) exponent = exponents / 4 + pick % (exponents / 2 + 1);
  if (distribution == 6) {
    const int wanted = bias - 68 - static_cast<int>(pick % 11);
    exponent = wanted < 0 ? pick & 1 : static_cast<uint32_t>(wanted);
  }
  uint32_t bits = exponent << layout.mantissa_bits | mantissa;
  const uint32_t rare = static_cast<uint32_t>(random >> 40) & 0xff;
  if ((distribution == 3 || distribution == 6) && rare < 32) bits = 0;
  if (distribution == 5) {
    if (rare == 0) bits = exponents << layout.mantissa_bits;                                               // infinity
    if (rare == 1) bits = exponents << layout.mantissa_bits | (1u << (layout.mantissa_bits - 1));          // NaN
    if (rare == 2) bits = ((exponents - 1) << layout.mantissa_bits) | ((1u << layout.mantissa_bits) - 1);  // largest
    if (rare >= 3 && rare < 16) bits = 0;
  }
  return bits | sign << (layout.exponent_bits + layout.mantissa_bits);
}

// Register `reg` of operand `operand` (0 A, 1 B) with elements of `width` bits, `pair_step` apart for cancellation:
// width 32 pairs register i with i + pair_step, narrower ones pair neighbours inside the register.
constexpr uint32_t operand_register(Layout layout, int width, int pair_step, int distribution, uint32_t tile,
                                    int operand, int reg, int lane) {
  uint32_t result = 0;
  for (int j = 0; j < 32 / width; ++j) {
    int source_reg = reg, source_j = j;
    bool flip = false;
    if (distribution == 2) {
      flip = width == 32 ? (reg / pair_step & 1) != 0 : (j & 1) != 0;
      if (width == 32 && flip) source_reg -= pair_step;
      if (width != 32) source_j &= ~1;
    }
    const uint32_t place = static_cast<uint32_t>(operand << 12 | source_reg << 9 | lane << 4 | source_j);
    const uint64_t random = mix(tile * 8u + static_cast<uint32_t>(distribution), place);
    uint32_t bits = element(layout, distribution, random);
    if (flip && operand == 0) bits ^= 1u << (layout.exponent_bits + layout.mantissa_bits);
    if (flip && operand == 1) bits ^= static_cast<uint32_t>(random >> 50) & 1;
    if (width == 32) bits = bits << 13 | (static_cast<uint32_t>(random >> 32) & 0x1fff);  // tf32: low bits are ignored
    result |= bits << (j * width % 32);
  }
  return result;
}

// Register `reg` of C: f32, or two f16 when `half`. `product_scale` is the exponent of the smallest normal product.
constexpr uint32_t accumulator_register(bool half, int product_scale, int distribution, uint32_t tile, int reg,
                                        int lane) {
  const uint32_t place = static_cast<uint32_t>(2 << 12 | reg << 9 | lane << 4);
  const uint64_t random = mix(tile * 8u + static_cast<uint32_t>(distribution), place);
  if (half) {
    const uint64_t other = mix(tile * 8u + static_cast<uint32_t>(distribution), place | 1);
    return element(kF16, distribution, random) | element(kF16, distribution, other) << 16;
  }
  const uint32_t sign = static_cast<uint32_t>(random >> 63) << 31;
  const uint32_t mantissa = static_cast<uint32_t>(random) & 0x7fffff;
  const int pick = static_cast<int>(random >> 24 & 0xffff);
  if (distribution == 3) {
    const int exponent = 127 + product_scale + pick % 12 - 4;
    if ((random >> 40 & 7) == 0) return sign;
    return sign | (exponent > 0 ? static_cast<uint32_t>(exponent) << 23 : 0) | mantissa;
  }
  if (distribution == 6) return (pick & 1) != 0 ? 0 : sign | mantissa >> pick / 2 % 24;
  if (distribution == 4) return sign | static_cast<uint32_t>(127 + pick % 96 - 48) << 23 | mantissa;
  return element(kF32, distribution, random, 2);
}

}  // namespace sim::numerics::capture

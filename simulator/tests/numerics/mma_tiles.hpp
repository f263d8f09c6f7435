// Tiles for the forms of mma.sync that no Hopper has: the registers of one instruction, and how they are filled.
#pragma once

#include <algorithm>
#include <random>

#include "numerics/mma.hpp"

namespace sim::numerics::test {

// Registers of one instruction.
struct Tile {
  uint32_t a[4][32], b[2][32], c[4][32], d[4][32], scale_a[32], scale_b[32];

  MmaOperands operands() {
    return {
        {d[0], d[1], d[2], d[3]}, {a[0], a[1], a[2], a[3]}, {b[0], b[1]}, {c[0], c[1], c[2], c[3]}, scale_a, scale_b};
  }
};

struct Sm120Form {
  const char* name;
  MmaForm form;
};
inline constexpr Sm120Form kSm120Forms[] = {
    {"mxf4nvf4 4X ue4m3", {Element::kE2m1, Element::kE2m1, Accumulator::kF32, 64, BlockScale::k4xUe4m3}},
    {"mxf4nvf4 4X ue8m0", {Element::kE2m1, Element::kE2m1, Accumulator::kF32, 64, BlockScale::k4xUe8m0}},
    {"mxf4 2X ue8m0", {Element::kE2m1, Element::kE2m1, Accumulator::kF32, 64, BlockScale::k2xUe8m0}},
    {"mxf8f6f4 e4m3", {Element::kE4m3, Element::kE4m3, Accumulator::kF32, 32, BlockScale::k1xUe8m0}},
    {"mxf8f6f4 e5m2 e2m1", {Element::kE5m2, Element::kE2m1, Accumulator::kF32, 32, BlockScale::k1xUe8m0}},
    {"mxf8f6f4 e3m2 e2m3", {Element::kE3m2, Element::kE2m3, Accumulator::kF32, 32, BlockScale::k1xUe8m0}},
    {"f8f6f4 e4m3 e5m2", {Element::kE4m3, Element::kE5m2, Accumulator::kF32, 32}},
    {"f8f6f4 e2m1 e4m3", {Element::kE2m1, Element::kE4m3, Accumulator::kF32, 32}},
    {"e4m3 k16", {Element::kE4m3, Element::kE4m3, Accumulator::kF32, 16}},
    {"f8f6f4 e4m3 to f16", {Element::kE4m3, Element::kE4m3, Accumulator::kF16, 32}}};

inline constexpr int kSituations = 7;

// Situations: 0 any bits, 1 near-equal scales and small C, 2 a column cancels in pairs, 3 subnormal and zero scales,
// 4 one NaN scale or operand, 5 huge or tiny C, 6 groups of zeros whose scales tower over the others'.
inline void fill(Tile& tile, const MmaForm& form, int situation, std::mt19937& random) {
  const bool nvfp4 = form.scale == BlockScale::k4xUe4m3;
  for (auto& reg : tile.a)
    for (uint32_t& word : reg) word = random();
  for (auto& reg : tile.b)
    for (uint32_t& word : reg) word = random();
  if (situation == 2)
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        tile.a[i][lane] &= 0x77777777u & ~0x80808080u;  // neighbours: +x and -x times nearly the same
        const uint32_t low = tile.a[i][lane] & (form.k == 64 ? 0x0f0f0f0fu : 0x00ff00ffu);
        tile.a[i][lane] = low | (form.k == 64 ? low << 4 | 0x80808080u : low << 8 | 0x80008000u);
      }
  if (situation == 6)
    for (auto& reg : tile.a)
      for (int row = 0; row < 8; ++row)
        if (random() % 2 == 0) std::fill(reg + 4 * row, reg + 4 * row + 2, 0x80000000u);  // the first half of 64 k
  for (int lane = 0; lane < 32; ++lane)
    for (uint32_t* scales : {tile.scale_a, tile.scale_b}) {
      uint32_t word = random();
      const uint32_t exponents = random() & 0x01010101u;
      if (situation != 0) word = nvfp4 ? (word & 0x07070707u) + 0x38383838u : 0x7f7f7f7fu + exponents;
      if (situation == 3) word = nvfp4 ? random() & 0x0b0b0b0bu & (0u - (random() & 1)) : random() & 0x03030303u;
      if (situation == 3 && !nvfp4 && random() % 2 == 0) word = 0x37373737u + (random() & 0x07070707u);
      if (situation == 6) word = nvfp4 ? (random() & 1) != 0 ? 0x0101017eu : 0x017e010fu : 0x9060a070u;
      if (situation == 5) word = nvfp4 ? random() & 0x7e7e7e7eu : random() & 0x7f7f7f7fu;
      if (situation == 4 && random() % 64 == 0) word |= 0xff;
      scales[lane] = word;
    }
  for (auto& reg : tile.c)
    for (uint32_t& word : reg) {
      const uint32_t sign = random() & 0x80000000u, mantissa = random() & 0x7fffff;
      word = sign | mantissa | (122 + random() % 10) << 23;
      if (situation == 0) word = random();
      if (situation == 3) word = random() % 3 == 0 ? 0 : sign | mantissa | random() % 100 << 23;
      if (situation == 6) word = sign | mantissa | (random() % 2 == 0 ? 0u : 60 + random() % 50) << 23;
      if (situation == 5) word = sign | mantissa | (random() % 2 == 0 ? 200 + random() % 55 : random() % 60) << 23;
      if (form.accumulator == Accumulator::kF16) word = (random() & 0xbfffbfffu);
    }
}

}  // namespace sim::numerics::test

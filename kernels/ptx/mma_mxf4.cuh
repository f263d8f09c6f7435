// mma_mxf4.cuh: the block-scaled MXFP4 MMA (e2m1 with a ue8m0 scale per 32 k). It exists on sm_120f; on sm_90a f16 MMAs
// and two multiplications stand in for it.
//
// A scale is 2^(byte - 127), 255 is NaN: 2^-127 to 2^127 is far outside f16. So the stand-in multiplies unscaled e2m1
// values, 32 k from +0, whose sum is a multiple of 1/4 below 1153 and exact however it is rounded, and then adds
// sum * 2^e to the accumulator, e = the sum of both exponents, in [-254, 254]. 2^e need not be an f32, so it goes in as
// two halves: sum * 2^(e / 2) is exact (or overflows where the product does as well), and the second is one fma.
#pragma once

#include <cstdint>

#include "kernels/ptx/device.h"
#include "kernels/ptx/mma.cuh"

namespace b12x::ptx {

#if __CUDA_ARCH__ >= 1200

inline constexpr int kMxfp4MmaUnroll = 2;  // chunks of 64 k that a loop over MMAs may hold at once

struct Mxfp4A {
  uint32_t words[4];
  uint32_t scales;
};
struct Mxfp4B {
  uint32_t words[2];
  uint32_t scales;
};

// scales: bytes 0 and 1 are the ue8m0 scales of k 0..31 and 32..63 of row tile::a_scale_row(lane).
B12X_DEVICE Mxfp4A mxfp4_a(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, uint32_t scales) {
  return {{w0, w1, w2, w3}, scales};
}
// scales: likewise, of column tile::b_scale_column(lane).
B12X_DEVICE Mxfp4B mxfp4_b(uint32_t w0, uint32_t w1, uint32_t scales) { return {{w0, w1}, scales}; }

// mma.sync.aligned.kind::mxf4.block_scale.scale_vec::2X.m16n8k64.row.col.f32.e2m1.e2m1.f32.ue8m0
//     d, a, b, d, scale_a, {0, 0}, scale_b, {0, 0};   PTX ISA 8.7, sm_120f. One in 16 cycles an SM sub-partition.
B12X_DEVICE void mma_m16n8k64_mxf4(float (&d)[4], const Mxfp4A& a, const Mxfp4B& b) {
  asm("mma.sync.aligned.kind::mxf4.block_scale.scale_vec::2X.m16n8k64.row.col.f32.e2m1.e2m1.f32.ue8m0 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3}, %10, {0, 0}, %11, {0, 0};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b.words[0]), "r"(b.words[1]),
        "r"(a.scales), "r"(b.scales));
}

#else

inline constexpr int kMxfp4MmaUnroll = 1;  // operands are four times as large: two chunks of them would spill

struct Mxfp4A {
  uint32_t f16x2[4][4];  // [step][register of m16n8k16]
  uint32_t scales[2];    // spread, of row g, and of row g + 8
};
struct Mxfp4B {
  uint32_t f16x2[4][2];
  uint32_t scales[2];  // spread, of column 2t, and of column 2t + 1
};

// Two bytes in two halves of a register, NaN as a number that no sum of two others reaches.
inline constexpr uint32_t kSpreadNan = 1024;
B12X_DEVICE uint32_t spread_scales(uint32_t scales) {
  const uint32_t low = scales & 255u, high = scales >> 8 & 255u;
  return (low == 255u ? kSpreadNan : low) | (high == 255u ? kSpreadNan : high) << 16;
}

B12X_DEVICE Mxfp4A mxfp4_a(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, uint32_t scales) {
  const uint32_t words[4] = {w0, w1, w2, w3}, spread = spread_scales(scales);
  Mxfp4A a;
  for (int row = 0; row < 2; ++row) {
    a.scales[row] = __shfl_sync(0xFFFFFFFFu, spread, row, 4);
    for (int half = 0; half < 2; ++half) {
      uint32_t f16x2[4];
      nvfp4_expand(words[row + 2 * half], kTwoToThe6F16x2, f16x2);
      for (int i = 0; i < 4; ++i) a.f16x2[2 * half + i / 2][row + 2 * (i % 2)] = f16x2[i];
    }
  }
  return a;
}

B12X_DEVICE Mxfp4B mxfp4_b(uint32_t w0, uint32_t w1, uint32_t scales) {
  const uint32_t words[2] = {w0, w1}, spread = spread_scales(scales);
  const int t = static_cast<int>(threadIdx.x & 3u);
  Mxfp4B b;
  for (int column = 0; column < 2; ++column) {
    b.scales[column] = __shfl_sync(0xFFFFFFFFu, spread, 4 * (2 * t + column));
  }
  for (int half = 0; half < 2; ++half) {
    uint32_t f16x2[4];
    nvfp4_expand(words[half], kTwoToThe6F16x2, f16x2);
    for (int i = 0; i < 4; ++i) b.f16x2[2 * half + i / 2][i % 2] = f16x2[i];
  }
  return b;
}

// 2^(byte - 127), which for 0 is a subnormal.
B12X_DEVICE float power_of_two(uint32_t byte) { return __uint_as_float(byte == 0 ? 0x00400000u : byte << 23); }

B12X_DEVICE void mma_m16n8k64_mxf4(float (&d)[4], const Mxfp4A& a, const Mxfp4B& b) {
  for (int half = 0; half < 2; ++half) {
    float sum[4] = {};
    mma_m16n8k16_f32_f16(sum, a.f16x2[2 * half], b.f16x2[2 * half]);
    mma_m16n8k16_f32_f16(sum, a.f16x2[2 * half + 1], b.f16x2[2 * half + 1]);
    for (int v = 0; v < 4; ++v) {
      const uint32_t bytes = (a.scales[v / 2] + b.scales[v % 2]) >> (16 * half) & 0xFFFFu;  // 127 + 127 too large
      const float first = bytes < kSpreadNan ? power_of_two(bytes / 2) : __uint_as_float(0x7FFFFFFFu);
      d[v] = fmaf(sum[v] * first, power_of_two(bytes - bytes / 2), d[v]);
    }
  }
}

#endif

}  // namespace b12x::ptx

// mma.cuh: tensor-core instructions. The block-scaled NVFP4 MMA exists on sm_120f; on sm_90a four f16 MMAs stand in for
// it.
//
// Every NVFP4 product (e2m1 * e4m3) has six significant bits and lies between 2^-10 and 2688, so it is exact in f16.
// The stand-in expands each operand once per load (`nvfp4_a`, `nvfp4_b`), with the block scale multiplied in, and lets
// four m16n8k16 MMAs sum it in the order of tile::stand_in_k. Operands are exact; only the order and width of the sums
// differ.
#pragma once

#include <cstdint>

#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/e2m1_expand.h"

namespace b12x::ptx {

// mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 d, a, b, d;   PTX ISA 7.0, sm_80
B12X_DEVICE void mma_m16n8k16_f32_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#if __CUDA_ARCH__ >= 1200

struct Nvfp4A {
  uint32_t words[4];
  uint32_t scales;
};
struct Nvfp4B {
  uint32_t words[2];
  uint32_t scales;
};

// words: the operand as ldmatrix.x4 gives it; scales: four e4m3 bytes of row tile::a_scale_row(lane), blocks k / 16 =
// 0..3.
B12X_DEVICE Nvfp4A nvfp4_a(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, uint32_t scales) {
  return {{w0, w1, w2, w3}, scales};
}
// scales: four e4m3 bytes of column tile::b_scale_column(lane).
B12X_DEVICE Nvfp4B nvfp4_b(uint32_t w0, uint32_t w1, uint32_t scales) { return {{w0, w1}, scales}; }

// mma.sync.aligned.kind::mxf4nvf4.block_scale.scale_vec::4X.m16n8k64.row.col.f32.e2m1.e2m1.f32.ue4m3
//     d, a, b, d, scale_a, {0, kScaleLanes}, scale_b, {0, 0};   PTX ISA 8.7, sm_120f. One in 16 cycles an SM
//     sub-partition.
template <int kScaleLanes = 0>
B12X_DEVICE void mma_m16n8k64_mxf4nvf4(float (&d)[4], const Nvfp4A& a, const Nvfp4B& b) {
  asm("mma.sync.aligned.kind::mxf4nvf4.block_scale.scale_vec::4X.m16n8k64.row.col.f32.e2m1.e2m1.f32.ue4m3 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3}, %10, {0, %12}, %11, {0, 0};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b.words[0]), "r"(b.words[1]),
        "r"(a.scales), "r"(b.scales), "n"(kScaleLanes));
}

// Scales of an octet of rows of each quarter of an atom, which lie side by side: rows of quarters 2 p and 2 p + 1 are
// slots 0 to 7 and 8 to 15 of A operand p. Lane (g, q) takes row g of quarter q, so operand p's are those of the lanes
// that selector {0, p} names.
struct Nvfp4QuarterScales {
  uint32_t bytes;

  B12X_DEVICE Nvfp4QuarterScales(const uint8_t* octet, uint32_t mask)
      : bytes(*reinterpret_cast<const uint32_t*>(&octet[threadIdx.x % 32 * 4]) & mask) {}
};
template <int kPair>
B12X_DEVICE Nvfp4A nvfp4_a(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, const Nvfp4QuarterScales& scales) {
  return {{w0, w1, w2, w3}, scales.bytes};
}

// N token tiles; A's scales by selector {0, kScaleLanes}.
template <int kScaleLanes = 0, int N>
B12X_DEVICE void mma_m16n8k64_mxf4nvf4(float (&d)[N][4], const Nvfp4A& a, const Nvfp4B (&b)[N]) {
  for (int j = 0; j < N; ++j) mma_m16n8k64_mxf4nvf4<kScaleLanes>(d[j], a, b[j]);
}

// What an accumulator of mma_m16n8k64_mxf4nvf4 stands for.
B12X_DEVICE float nvfp4_sum(float accumulator) { return accumulator; }

#else

struct Nvfp4A {
  uint32_t f16x2[4][4];  // [step][register of m16n8k16]
};
struct Nvfp4B {
  uint32_t f16x2[4][2];
};

// mul.rn.f16x2 d, a, b;   PTX ISA 4.2, sm_53
B12X_DEVICE uint32_t mul_rn_f16x2(uint32_t a, uint32_t b) {
  uint32_t d;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

// Both halves of a register, each in both halves of one of its own.
B12X_DEVICE void broadcast_f16x2(uint32_t pair, uint32_t& low, uint32_t& high) {
  asm("{\n.reg .b16 l, h;\nmov.b32 {l, h}, %2;\nmov.b32 %0, {l, l};\nmov.b32 %1, {h, h};\n}"
      : "=r"(low), "=r"(high)
      : "r"(pair));
}

// The block scales of this lane's eight nibbles in each K half, of a row of which the lane has all four. A lane's k are
// 8t..8t+7 and 32 + 8t..: blocks t / 2 and 2 + t / 2 of the four bytes.
B12X_DEVICE uint32_t nvfp4_lane_scales(uint32_t scales) {
  const uint32_t block = (threadIdx.x & 3u) / 2;
  const uint32_t bytes = __byte_perm(scales & kUnsignedScales, 0, block * 0x11u + 0x20u);
  return cvt_rn_f16x2_e4m3x2(static_cast<uint16_t>(bytes));
}

// Eight nibbles -> f16x2 of 2^-6 * value * scale, exact: {n0 n2}, {n4 n6}, {n1 n3}, {n5 n7}.
B12X_DEVICE void nvfp4_expand(uint32_t word, uint32_t scale, uint32_t (&d)[4]) {
  const E2m1x8AsE4m3 bytes = e2m1x8_as_e4m3(word);
  cvt_rn_f16x2_e4m3x4(bytes.even, d[0], d[1]);
  cvt_rn_f16x2_e4m3x4(bytes.odd, d[2], d[3]);
  for (int i = 0; i < 4; ++i) d[i] = mul_rn_f16x2(d[i], scale);
}

// pairs: nvfp4_lane_scales of slots g and g + 8.
B12X_DEVICE Nvfp4A nvfp4_a_of_pairs(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, const uint32_t (&pairs)[2]) {
  const uint32_t words[4] = {w0, w1, w2, w3};
  Nvfp4A a;
  for (int row = 0; row < 2; ++row) {
    uint32_t lane_scales[2];
    broadcast_f16x2(pairs[row], lane_scales[0], lane_scales[1]);
    for (int half = 0; half < 2; ++half) {
      uint32_t f16x2[4];
      nvfp4_expand(words[row + 2 * half], lane_scales[half], f16x2);
      for (int i = 0; i < 4; ++i) a.f16x2[2 * half + i / 2][row + 2 * (i % 2)] = f16x2[i];
    }
  }
  return a;
}

B12X_DEVICE Nvfp4A nvfp4_a(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, uint32_t scales) {
  // Lanes t and t ^ 1 want the same blocks of both rows, and each has one of these rows.
  const uint32_t own = nvfp4_lane_scales(scales);
  return nvfp4_a_of_pairs(w0, w1, w2, w3, {__shfl_sync(0xFFFFFFFFu, own, 0, 2), __shfl_sync(0xFFFFFFFFu, own, 1, 2)});
}

// Scales of an octet of rows of each quarter of an atom, which lie side by side: rows of quarters 2 p and 2 p + 1 are
// slots 0 to 7 and 8 to 15 of A operand p. Here a lane takes row g of all four.
struct Nvfp4QuarterScales {
  uint32_t quarters[4];

  B12X_DEVICE Nvfp4QuarterScales(const uint8_t* octet, uint32_t mask) {
    const uint4 row = *reinterpret_cast<const uint4*>(&octet[threadIdx.x % 32 / 4 * 16]);
    const uint32_t words[4] = {row.x, row.y, row.z, row.w};
    for (int q = 0; q < 4; ++q) quarters[q] = words[q] & mask;
  }
};
template <int kPair>
B12X_DEVICE Nvfp4A nvfp4_a(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, const Nvfp4QuarterScales& scales) {
  return nvfp4_a_of_pairs(
      w0, w1, w2, w3,
      {nvfp4_lane_scales(scales.quarters[2 * kPair]), nvfp4_lane_scales(scales.quarters[2 * kPair + 1])});
}

B12X_DEVICE Nvfp4B nvfp4_b(uint32_t w0, uint32_t w1, uint32_t scales) {
  const uint32_t words[2] = {w0, w1};
  Nvfp4B b;
  const uint32_t pair = nvfp4_lane_scales(scales);  // each lane of a column has its scales
  uint32_t lane_scales[2];
  broadcast_f16x2(mul_rn_f16x2(pair, kTwoToThe6F16x2), lane_scales[0], lane_scales[1]);
  for (int half = 0; half < 2; ++half) {
    uint32_t f16x2[4];
    nvfp4_expand(words[half], lane_scales[half], f16x2);
    for (int i = 0; i < 4; ++i) b.f16x2[2 * half + i / 2][i % 2] = f16x2[i];
  }
  return b;
}

// A's values carry 2^-6: a multiplication a register is saved, and one a sum is left to do.
B12X_DEVICE float nvfp4_sum(float accumulator) { return 64.f * accumulator; }

B12X_DEVICE void mma_m16n8k64_mxf4nvf4(float (&d)[4], const Nvfp4A& a, const Nvfp4B& b) {
  for (int step = 0; step < 4; ++step) mma_m16n8k16_f32_f16(d, a.f16x2[step], b.f16x2[step]);
}
// Of one A and N columns' B: the same sums, in an order in which neighbours do not wait for each other.
template <int = 0, int N>
B12X_DEVICE void mma_m16n8k64_mxf4nvf4(float (&d)[N][4], const Nvfp4A& a, const Nvfp4B (&b)[N]) {
  for (int step = 0; step < 4; ++step) {
    for (int j = 0; j < N; ++j) mma_m16n8k16_f32_f16(d[j], a.f16x2[step], b[j].f16x2[step]);
  }
}

#endif

}  // namespace b12x::ptx

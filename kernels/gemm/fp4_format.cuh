// fp4_format.cuh: what NVFP4 and MXFP4 differ in, as a kernel sees it: operands, the MMA, and where the scales of a
// chunk of 64 k lie in the atoms of a stage. One entry a format; scales come as the 32 bits that an atom has of a row.
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_traits.h"
#include "kernels/ptx/device.h"
#include "kernels/ptx/mma.cuh"
#include "kernels/ptx/mma_mxf4.cuh"

namespace b12x {

// Four ue4m3 scales a chunk: an atom each.
struct Nvfp4Format {
  using A = ptx::Nvfp4A;
  using B = ptx::Nvfp4B;
  static constexpr int kScaleBlock = 16;
  static constexpr uint32_t kHalfChunk = 0x0000FFFFu;  // the scales of a chunk's first 32 k
  static constexpr int kUnroll = 2;                    // chunks that a loop may hold at once

  B12X_DEVICE static int atom(int chunk) { return chunk; }
  B12X_DEVICE static uint32_t scales_of(uint32_t atom_row, int) { return atom_row; }
  B12X_DEVICE static A a(const uint32_t (&w)[4], uint32_t scales) {
    return ptx::nvfp4_a(w[0], w[1], w[2], w[3], scales);
  }
  B12X_DEVICE static B b(uint32_t w0, uint32_t w1, uint32_t scales) { return ptx::nvfp4_b(w0, w1, scales); }
  B12X_DEVICE static void mma(float (&d)[4], const A& a, const B& b) { ptx::mma_m16n8k64_mxf4nvf4(d, a, b); }
  B12X_DEVICE static float sum(float accumulator) { return ptx::nvfp4_sum(accumulator); }
};

// Two ue8m0 scales a chunk: half an atom.
struct Mxfp4Format {
  using A = ptx::Mxfp4A;
  using B = ptx::Mxfp4B;
  static constexpr int kScaleBlock = 32;
  static constexpr uint32_t kHalfChunk = 0x000000FFu;
  static constexpr int kUnroll = ptx::kMxfp4MmaUnroll;

  B12X_DEVICE static int atom(int chunk) { return chunk / 2; }
  B12X_DEVICE static uint32_t scales_of(uint32_t atom_row, int chunk) { return atom_row >> (16 * (chunk % 2)); }
  B12X_DEVICE static A a(const uint32_t (&w)[4], uint32_t scales) {
    return ptx::mxfp4_a(w[0], w[1], w[2], w[3], scales);
  }
  B12X_DEVICE static B b(uint32_t w0, uint32_t w1, uint32_t scales) { return ptx::mxfp4_b(w0, w1, scales); }
  B12X_DEVICE static void mma(float (&d)[4], const A& a, const B& b) { ptx::mma_m16n8k64_mxf4(d, a, b); }
  B12X_DEVICE static float sum(float accumulator) { return accumulator; }
};

}  // namespace b12x

// gemm.hpp: exact models of the NVFP4 GEMM kernels, for tests. The tensor core's block-scaled m16n8k64 is modelled by
// its published arithmetic (GST-FDPA: groups of 16 exact, aligned to the largest term, cut at 35 fractional bits, sum
// rounded towards zero to f32); the kernels' orders of accumulation are those of kernels/gemm/nvfp4_gemm_traits.h.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/reference/nvfp4.hpp"

namespace reference {

// One output of the MMA: c + sum over 64 k. Nibbles one a byte; scales are ue4m3 (sign ignored), one per 16 k.
float mma_nvfp4_k64(const uint8_t (&a)[64], const uint8_t (&b)[64], const uint8_t (&scale_a)[4],
                    const uint8_t (&scale_b)[4], float c);

enum class Order {
  kTiled,   // one accumulator, chunks of 64 ascending
  kSkinny,  // chunk i goes to accumulator i % 4; ((0 + 1) + 2) + 3
};

struct GemmResult {
  float sum = 0;         // as the kernel has it before alpha
  double exact = 0;      // FP64 product of the dequantised operands, before alpha
  double magnitude = 0;  // sum of |a b|, before alpha
};
// [m, n] results of A [m, k] and B [n, k].
std::vector<GemmResult> gemm(const Nvfp4& a, const Nvfp4& b, Order order);

}  // namespace reference

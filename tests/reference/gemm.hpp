// gemm.hpp: exact models of the NVFP4 GEMM kernels, for tests. The tensor core's block-scaled m16n8k64 is modelled by
// its published arithmetic (GST-FDPA: groups of 16 exact, aligned to the largest term, cut at 35 fractional bits, sum
// rounded towards zero to f32); the kernels' orders of accumulation are those of kernels/gemm/nvfp4_gemm_traits.h.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/reference/nvfp4.hpp"

namespace reference {

// One output of the MMA: c + sum over 64 k. Nibbles one a byte; scales are ue4m3 (sign ignored), one per 16 k.
float mma_nvfp4_k64(const uint8_t (&a)[64], const uint8_t (&b)[64], const uint8_t (&scale_a)[4],
                    const uint8_t (&scale_b)[4], float c);

// Which f32 accumulator takes each chunk of 64 k, and how they are added.
struct Order {
  std::vector<std::vector<int>> segments;  // accumulator 0..7 of each chunk; empty: one accumulator for all, ascending
  // A segment's sum is ((p0 + p1) + (p2 + p3)) + ((p4 + p5) + (p6 + p7)); the segments' sums are added in order.
};

struct GemmResult {
  float sum = 0;         // as the kernel has it before alpha
  double exact = 0;      // FP64 product of the dequantised operands, before alpha
  double magnitude = 0;  // sum of |a b|, before alpha
};
// [m, n] results of A [m, k] and B [n, k].
// `order_of` tells the order for an output column (a row of B).
std::vector<GemmResult> gemm(const Nvfp4& a, const Nvfp4& b, const std::function<Order(int64_t column)>& order_of);

}  // namespace reference

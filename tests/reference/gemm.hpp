// gemm.hpp: exact models of the FP4 GEMM kernels, for tests. The tensor core's block-scaled m16n8k64 is modelled by its
// published arithmetic (GST-FDPA: groups of 16 exact, aligned to the largest term, cut at 35 fractional bits, sum
// rounded towards zero to f32); the order in which a kernel adds is an argument.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/reference/nvfp4.hpp"

namespace reference {

// One output of the MMA: c + sum over 64 k. Nibbles one a byte; scales are ue4m3 (sign ignored), one per 16 k.
float mma_nvfp4_k64(const uint8_t (&a)[64], const uint8_t (&b)[64], const uint8_t (&scale_a)[4],
                    const uint8_t (&scale_b)[4], float c);

// The same with ue8m0 scales, one per 32 k.
float mma_mxfp4_k64(const uint8_t (&a)[64], const uint8_t (&b)[64], const uint8_t (&scale_a)[2],
                    const uint8_t (&scale_b)[2], float c);

// An MXFP4 operand: random values, scales 2^-12 to 2^12 with some 2^-20 and 2^20 among them; padding as given. cols is
// a multiple of 32.
Nvfp4 mxfp4_operand(int64_t rows, int64_t cols, uint64_t seed);
int64_t mxfp4_scale_bytes(int64_t rows, int64_t cols);
int64_t mxfp4_scale_offset(int64_t row, int64_t block, int64_t cols);

// Which f32 accumulator takes each chunk of 64 k, and how they are added.
struct Order {
  static constexpr int kAccumulators = 16;
  std::vector<std::vector<int>> segments;  // accumulator of each chunk; empty: one accumulator for all, ascending
  // A segment's sum is ((p0 + p1) + (p2 + p3)) + ((p4 + p5) + ..) + ..; the segments' sums are added in order.
};

struct GemmResult {
  float sum = 0;         // as the kernel has it before alpha
  double exact = 0;      // FP64 product of the dequantised operands, before alpha
  double magnitude = 0;  // sum of |a b|, before alpha
};
// [m, n] results of A [m, k] and B [n, k]. `order_of` tells the order of an output.
std::vector<GemmResult> gemm(const Nvfp4& a, const Nvfp4& b,
                             const std::function<const Order&(int64_t row, int64_t column)>& order_of);

}  // namespace reference

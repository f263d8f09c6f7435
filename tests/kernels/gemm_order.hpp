// The order in which the GEMM kernels add, worked out from a plan's grid alone: what nvfp4_gemm_skinny_traits.h
// promises, by other arithmetic.
#pragma once

#include <algorithm>

#include "b12x/gemm.hpp"
#include "tests/reference/gemm.hpp"

namespace b12x::testing {

inline reference::Order order_of_column(const GemmPlan& plan, int64_t column) {
  reference::Order order;
  if (plan.problem.m > 32) return order;
  const int accumulators = plan.problem.m <= 8 ? 8 : 4;
  const int64_t chunks = (plan.problem.k + 63) / 64, blocks = plan.launch.grid[0];
  const int64_t all = (plan.problem.n + 127) / 128 * chunks, tile = column / 128;
  // The first all % blocks blocks have one chunk more than the others.
  int64_t block_begin = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t block_end = block_begin + all / blocks + (block < all % blocks ? 1 : 0);
    const int64_t left = std::min(block_end, (tile + 1) * chunks) - std::max(block_begin, tile * chunks);
    block_begin = block_end;
    if (left <= 0) continue;
    std::vector<int>& segment = order.segments.emplace_back();
    for (int chunk = 0; chunk < left; ++chunk) segment.push_back(chunk % accumulators);
  }
  return order;
}

}  // namespace b12x::testing

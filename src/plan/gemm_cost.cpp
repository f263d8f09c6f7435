// gemm_cost.cpp: a GEMM plan -> what its launch does: MMAs, bytes, waves, balance. Counted from shapes, for `explain`
// and for tests; nothing is chosen here.
#include <algorithm>

#include "b12x/gemm.hpp"
#include "base/align.hpp"

namespace b12x {
namespace {

constexpr int64_t kMmaK = 64, kMmaRows = 16, kMmaColumns = 8;

// Whole tiles are dealt round, the units of shared ones in equal parts, so the first block has the most of both.
double balance_of(const GemmPlan& plan, int64_t units_a_tile, int64_t sms) {
  const int64_t blocks = plan.launch.grid[0], whole = plan.tiles - plan.shared_tiles;
  const int64_t most =
      ceil_div(whole, blocks) * units_a_tile + ceil_div(plan.shared_tiles * units_a_tile, plan.sharing_blocks);
  return most == 0 ? 1. : static_cast<double>(plan.tiles * units_a_tile) / static_cast<double>(most * sms);
}

}  // namespace

GemmCost gemm_cost(const GemmPlan& plan, const DeviceInfo& device) {
  const GemmProblem& p = plan.problem;
  if (p.m == 0) return {.waves = 0, .balance = 1};
  const int64_t chunks = ceil_div(p.k, kMmaK), row_tiles = ceil_div(p.m, plan.tile_m);
  GemmCost cost;
  if (plan.family == GemmKernel::kSkinny) {
    // Weights are the MMA's rows; token tiles beyond m are not multiplied.
    cost.mma_count = plan.tiles * plan.tile_n / kMmaRows * ceil_div(p.m, kMmaColumns) * chunks;
    cost.useful_mma_count = p.l * ceil_div(p.n, kMmaRows) * ceil_div(p.m, kMmaColumns) * chunks;
  } else {
    cost.mma_count = plan.tiles * (plan.tile_m / kMmaRows) * (plan.tile_n / kMmaColumns) * chunks;
    cost.useful_mma_count = p.l * ceil_div(p.m, kMmaRows) * ceil_div(p.n, kMmaColumns) * chunks;
  }
  const int64_t scales_k = align_up(p.k / scale_block(p.format), 4);
  const int64_t out_bytes = p.l * p.m * p.n * static_cast<int64_t>(bytes_of(p.out_dtype));
  const int64_t packed_row = p.k / 2 + p.k / scale_block(p.format);
  const bool quantizes = p.a_dtype != DType::kU8;
  const int64_t a_row = quantizes ? p.k * static_cast<int64_t>(bytes_of(p.a_dtype)) : packed_row;
  cost.compulsory_bytes = p.l * (p.m * a_row + p.n * packed_row) + out_bytes;

  // Copies stop at the matrix's edge. Values are read once for a tile, or by a block with whole tiles once for all.
  // Scales come by atoms of 128 rows, those of few tokens by lines of 16 bytes, of narrow tiles by their rows.
  const bool is_shared = plan.shared_tiles == plan.tiles;
  const bool is_skinny = plan.family == GemmKernel::kSkinny;
  const int64_t column_tiles = is_skinny ? plan.tiles / p.l : ceil_div(p.n, plan.tile_n);
  const int64_t a_scale_rows = is_skinny ? 4 * plan.tile_m : 128;
  const int64_t b_scale_rows = is_skinny ? plan.tile_n : ceil_div(plan.tile_n, 128) * 128;
  const int64_t a_bytes = quantizes ? (is_shared ? plan.tiles : plan.launch.grid[0]) * p.m * a_row
                                    : column_tiles * (p.m * p.k / 2 + row_tiles * a_scale_rows * scales_k);
  const int64_t b_bytes = row_tiles * (p.n * p.k / 2 + column_tiles * b_scale_rows * scales_k);
  cost.read_bytes = p.l * (a_bytes + b_bytes);

  const int64_t units = is_skinny ? chunks : ceil_div(p.k, plan.tile_k);
  cost.waves = static_cast<double>(plan.tiles) / device.sm_count;
  cost.balance = balance_of(plan, units, device.sm_count);
  return cost;
}

}  // namespace b12x

// gemm.cpp: m, n, k and the card -> GEMM kernel, tile and launch. All choice is in kRoutes: few tokens go to the kernel
// that streams weights through all SMs, more of them to output tiles.
#include "b12x/gemm.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/align.hpp"
#include "base/check.hpp"
#include "kernels/gemm/nvfp4_gemm_traits.h"
#include "plan/print.hpp"

namespace b12x {
namespace {

constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max();

using Tiled64 = Nvfp4GemmTiledTraits<64>;
using Tiled128 = Nvfp4GemmTiledTraits<128>;
using Skinny = Nvfp4GemmSkinnyTraits;

enum class Route { kSkinny, kTiled64, kTiled128 };

// The first row whose limit holds. The skinny kernel takes its 32 tokens in one pass over the weights; beyond that it
// would read them again, and a tiled one reads them once for 64 or 128.
struct RouteRow {
  int64_t m_up_to;
  Route route;
};
constexpr std::array<RouteRow, 3> kRoutes{{
    {Skinny::kTileTokens, Route::kSkinny},
    {Tiled64::kTileM, Route::kTiled64},
    {kMaxSize, Route::kTiled128},
}};
static_assert(kRoutes[0].m_up_to < kRoutes[1].m_up_to && kRoutes[1].m_up_to < kRoutes[2].m_up_to, "limits must climb");

template <class Traits>
void fill_tiled(GemmPlan& plan, std::string_view bf16, std::string_view f16, const DeviceInfo& device) {
  const int64_t tiles = Traits::tiles(plan.problem.m, plan.problem.n);
  plan.kernel = plan.problem.out_dtype == DType::kBf16 ? bf16 : f16;
  plan.launch.grid[0] = static_cast<uint32_t>(std::min<int64_t>(tiles, device.sm_count));
  plan.launch.block[0] = Traits::kThreads;
  plan.launch.shared_bytes = sizeof(typename Traits::Smem);
  plan.tile_m = Traits::kTileM;
  plan.tile_n = Traits::kTileN;
  plan.a_box_rows = Traits::kTileM;
  plan.b_box_rows = Traits::kTileN;
  plan.box_bytes = Traits::kRowBytes;
}

void fill_skinny(GemmPlan& plan) {
  const int64_t m = plan.problem.m;
  plan.kernel = plan.problem.out_dtype == DType::kBf16 ? "b12x_nvfp4_gemm_skinny_bf16" : "b12x_nvfp4_gemm_skinny_f16";
  plan.launch.grid[0] = static_cast<uint32_t>(Skinny::row_tiles(plan.problem.n));
  plan.launch.grid[1] = static_cast<uint32_t>(Skinny::token_groups(m));
  plan.launch.block[0] = Skinny::kThreads;
  plan.launch.shared_bytes = sizeof(Skinny::Smem);
  plan.tile_m = Skinny::kTileTokens;
  plan.tile_n = Skinny::kTileN;
  plan.a_box_rows = Skinny::a_box_rows(m);
  plan.b_box_rows = Skinny::kTileN / Skinny::kMmaRows;
  plan.box_bytes = Skinny::kRowBytes;
}

}  // namespace

GemmPlan plan_gemm(const GemmProblem& problem, const DeviceInfo& device) {
  const auto& [m, n, k, out_dtype] = problem;
  if (m < 0 || m > kMaxSize) fail("gemm: m is ", m, ", want 0 to ", kMaxSize);
  if (n < 8 || n > kMaxSize || n % 8 != 0) {
    fail("gemm: n is ", n, ", want a positive multiple of 8: an output row is stored in pieces of 16 bytes");
  }
  if (k < kChunkK || k > kMaxSize || k % kChunkK != 0) {
    fail("gemm: k is ", k, ", want a positive multiple of ", kChunkK,
         ": one block-scaled MMA spans that many; pad a and b with zeros");
  }
  if (out_dtype != DType::kBf16 && out_dtype != DType::kF16) {
    fail("gemm: out has dtype ", name_of(out_dtype), ", want bfloat16 or float16");
  }

  GemmPlan plan{.problem = problem};
  const auto row = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const RouteRow& r) { return m <= r.m_up_to; });
  switch (row->route) {
    case Route::kSkinny:
      fill_skinny(plan);
      break;
    case Route::kTiled64:
      fill_tiled<Tiled64>(plan, "b12x_nvfp4_gemm_tiled_m64_bf16", "b12x_nvfp4_gemm_tiled_m64_f16", device);
      break;
    case Route::kTiled128:
      fill_tiled<Tiled128>(plan, "b12x_nvfp4_gemm_tiled_bf16", "b12x_nvfp4_gemm_tiled_f16", device);
      break;
  }
  return plan;
}

std::string to_string(const GemmPlan& plan) {
  const GemmProblem& problem = plan.problem;
  return str("gemm[", plan.kernel, " m=", problem.m, " n=", problem.n, " k=", problem.k, " tile=", plan.tile_m, "x",
             plan.tile_n, " ", launch_string(plan.launch), " ws=", plan.workspace_bytes, "]");
}

}  // namespace b12x

size_t std::hash<b12x::GemmPlan>::operator()(const b12x::GemmPlan& plan) const noexcept {
  return b12x::hash_all(plan.kernel, plan.problem.m, plan.problem.n, plan.problem.k, plan.launch.grid[0]);
}

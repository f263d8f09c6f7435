// gemm.cpp: m, n, k and the card -> GEMM kernel, tile and launch. All choice is in kRoutes: few tokens go to the kernel
// that streams weights through all SMs, more of them to output tiles.
#include "b12x/gemm.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/align.hpp"
#include "base/check.hpp"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "kernels/gemm/nvfp4_gemm_traits.h"
#include "plan/print.hpp"

namespace b12x {
namespace {

constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max();

using Tiled64 = Nvfp4GemmTiledTraits<64>;
using Tiled128 = Nvfp4GemmTiledTraits<128>;

enum class Route { kSkinny8, kSkinny16, kSkinny32, kTiled64, kTiled128 };

// The first row whose limit holds. The skinny kernel takes its 32 tokens in one pass over the weights; beyond that it
// would read them again, and a tiled one reads them once for 64 or 128.
struct RouteRow {
  int64_t m_up_to;
  Route route;
};
constexpr std::array<RouteRow, 5> kRoutes{{
    {Nvfp4GemmSkinnyTraits<1>::kTokens, Route::kSkinny8},
    {Nvfp4GemmSkinnyTraits<2>::kTokens, Route::kSkinny16},
    {Nvfp4GemmSkinnyTraits<4>::kTokens, Route::kSkinny32},
    {Tiled64::kTileM, Route::kTiled64},
    {kMaxSize, Route::kTiled128},
}};
static_assert(std::ranges::is_sorted(kRoutes, std::ranges::less_equal{}, &RouteRow::m_up_to), "limits must climb");

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

template <class Traits>
void fill_skinny(GemmPlan& plan, std::string_view bf16, std::string_view f16, std::string_view f32,
                 const DeviceInfo& device) {
  const auto& [m, n, k, out_dtype] = plan.problem;
  plan.kernel = out_dtype == DType::kBf16 ? bf16 : out_dtype == DType::kF16 ? f16 : f32;
  plan.tiles = Traits::tiles(n, 1);
  if (plan.tiles * Traits::chunks_of_k(k) > kMaxSize)
    fail("gemm: n * k is ", n, " * ", k, ", too large for one launch");
  const int64_t blocks = Traits::blocks(n, k, 1, device.sm_count);
  plan.launch.grid[0] = static_cast<uint32_t>(blocks);
  plan.launch.block[0] = Traits::kThreads;
  plan.launch.shared_bytes = sizeof(typename Traits::Smem);
  plan.launch.overlaps_previous = true;
  plan.tile_m = Traits::kTokens;
  plan.tile_n = Traits::kTileN;
  plan.a_box_rows = Traits::kTokens;
  plan.b_box_rows = Traits::kTileN;
  plan.box_bytes = Traits::kRowBytes;
  plan.workspace_bytes = static_cast<size_t>(Traits::workspace_bytes(blocks));
}

}  // namespace

GemmPlan plan_gemm(const GemmProblem& problem, const DeviceInfo& device) {
  const auto& [m, n, k, out_dtype] = problem;
  if (m < 0 || m > kMaxSize) fail("gemm: m is ", m, ", want 0 to ", kMaxSize);
  if (n < 8 || n > kMaxSize || n % 8 != 0) {
    fail("gemm: n is ", n, ", want a positive multiple of 8: an output row is stored in pieces of 16 bytes");
  }
  const bool is_skinny = m <= Nvfp4GemmSkinnyTraits<4>::kTokens;
  const int k_step = is_skinny ? kChunkK / 2 : kChunkK;
  if (k < k_step || k > kMaxSize || k % k_step != 0) {
    fail("gemm: k is ", k, ", want a positive multiple of ", k_step, "; pad a and b with zeros");
  }
  if (out_dtype != DType::kBf16 && out_dtype != DType::kF16 && !(is_skinny && out_dtype == DType::kF32)) {
    fail("gemm: out has dtype ", name_of(out_dtype), ", want bfloat16 or float16, or float32 up to 32 tokens");
  }

  GemmPlan plan{.problem = problem};
  const auto row = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const RouteRow& r) { return m <= r.m_up_to; });
  switch (row->route) {
    case Route::kSkinny8:
      fill_skinny<Nvfp4GemmSkinnyTraits<1>>(plan, "b12x_nvfp4_gemm_skinny_m8_bf16", "b12x_nvfp4_gemm_skinny_m8_f16",
                                            "b12x_nvfp4_gemm_skinny_m8_f32", device);
      break;
    case Route::kSkinny16:
      fill_skinny<Nvfp4GemmSkinnyTraits<2>>(plan, "b12x_nvfp4_gemm_skinny_m16_bf16", "b12x_nvfp4_gemm_skinny_m16_f16",
                                            "b12x_nvfp4_gemm_skinny_m16_f32", device);
      break;
    case Route::kSkinny32:
      fill_skinny<Nvfp4GemmSkinnyTraits<4>>(plan, "b12x_nvfp4_gemm_skinny_m32_bf16", "b12x_nvfp4_gemm_skinny_m32_f16",
                                            "b12x_nvfp4_gemm_skinny_m32_f32", device);
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

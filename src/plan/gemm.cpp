// gemm.cpp: sizes, formats and the card -> GEMM kernel, tile, division of work and launch. All choice is in kRoutes:
// few tokens go to the kernel that streams weights through all SMs, more of them to output tiles.
#include "b12x/gemm.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/align.hpp"
#include "base/check.hpp"
#include "kernels/gemm/fp4_gemm_tiled_traits.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "plan/print.hpp"

namespace b12x {
namespace {

constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max();
constexpr int kStepK = 32;  // half an MMA: 16 bytes of a row, the least that TMA moves

// Entries by output type; an empty one does not exist.
struct Entries {
  std::string_view bf16, f16, f32;
};
std::string_view entry_of(const Entries& entries, DType out) {
  return out == DType::kBf16 ? entries.bf16 : out == DType::kF16 ? entries.f16 : entries.f32;
}

void fill_common(GemmPlan& plan, const auto& traits, int64_t blocks, int64_t shared_bytes) {
  using Traits = std::remove_cvref_t<decltype(traits)>;
  plan.launch.grid[0] = static_cast<uint32_t>(blocks);
  plan.launch.block[0] = Traits::kThreads;
  plan.launch.shared_bytes = static_cast<uint32_t>(shared_bytes);
  plan.launch.overlaps_previous = true;
  plan.tile_n = Traits::kTileN;
  plan.tile_k = 2 * Traits::kRowBytes;
  plan.stages = Traits::kStages;
}

template <class Traits>
void fill_skinny(GemmPlan& plan, int64_t sms) {
  const GemmProblem& p = plan.problem;
  plan.family = GemmKernel::kSkinny;
  plan.tile_m = Traits::kTokens;
  plan.tiles = Traits::row_tiles(p.n) * p.l;
  const auto [blocks, shared_tiles, sharing_blocks] = Traits::divide(plan.tiles, Traits::chunks_of_k(p.k), sms);
  fill_common(plan, Traits{}, blocks, Traits::shared_bytes(p.m, p.k));
  plan.shared_tiles = shared_tiles;
  plan.sharing_blocks = static_cast<int>(sharing_blocks);
  plan.workspace_bytes = static_cast<size_t>(Traits::workspace_bytes(shared_tiles, sharing_blocks));
}

template <class Traits>
void fill_tiled(GemmPlan& plan, int64_t sms) {
  const GemmProblem& p = plan.problem;
  plan.family = GemmKernel::kTiled;
  plan.tile_m = Traits::kTileM;
  plan.tiles = Traits::row_tiles(p.m) * Traits::column_tiles(p.n) * p.l;
  const auto [blocks, shared_tiles] = Traits::divide(plan.tiles, Traits::stages(p.k), sms);
  fill_common(plan, Traits{}, blocks, sizeof(typename Traits::Smem));
  plan.shared_tiles = shared_tiles;
  plan.sharing_blocks = static_cast<int>(blocks);
  plan.workspace_bytes = static_cast<size_t>(Traits::workspace_bytes(shared_tiles, blocks));
}

// Units of work, which are counted in 32 bits: chunks of the skinny kernels, tiles of the others.
template <class Traits>
int64_t skinny_units(const GemmProblem& p) {
  return Traits::row_tiles(p.n) * p.l * Traits::chunks_of_k(p.k);
}
template <class Traits>
int64_t tiled_units(const GemmProblem& p) {
  return Traits::row_tiles(p.m) * Traits::column_tiles(p.n) * p.l;
}

// The first row that a problem fits is its kernel: in `format`, m_from <= m <= m_up_to, with an entry for the output's
// type, and at least `waves` output tiles an SM.
//   up to 32      the skinny kernels take their tokens in one pass over the weights, in steps of the MMA's 8 columns
//   up to 64      beyond that they would read the weights again; a tiled kernel reads them once for 64 rows
//   from 2048     L2 serves 18 bytes a clock and SM of 128 x 128 tiles at the MMAs' full rate, near what it can do on
//                 188 SMs (kernels of 4 x 128 x 128 / (128 + 128) multiplies a byte); 128 x 256 needs 13.5. It is worth
//                 its fewer, larger tiles once they fill a wave. F32 output is left out: its Hopper build would spill
//   in between    128 x 128
struct Route {
  const char* name;
  Fp4Format format;
  int64_t m_from, m_up_to;
  int64_t waves;
  Entries entries;
  void (*fill)(GemmPlan&, int64_t sms);
  int64_t (*units)(const GemmProblem&);
  DType a_dtype = DType::kU8;
};
using Nvfp4Tiled64 = Fp4GemmTiledTraits<16, 64, 128>;
using Nvfp4Tiled128 = Fp4GemmTiledTraits<16, 128, 128>;
using Nvfp4Tiled256 = Fp4GemmTiledTraits<16, 128, 256>;
using Mxfp4Tiled64 = Fp4GemmTiledTraits<32, 64, 128>;
using Nvfp4QuantizingSkinny = Nvfp4GemmSkinnyTraits<1, true>;
constexpr std::array<Route, 9> kRoutes{{
    {"skinny m<=8",
     Fp4Format::kNvfp4,
     0,
     Nvfp4GemmSkinnyTraits<1>::kTokens,
     0,
     {"b12x_nvfp4_gemm_skinny_m8_bf16", "b12x_nvfp4_gemm_skinny_m8_f16", "b12x_nvfp4_gemm_skinny_m8_f32"},
     fill_skinny<Nvfp4GemmSkinnyTraits<1>>,
     skinny_units<Nvfp4GemmSkinnyTraits<1>>},
    {"skinny m<=16",
     Fp4Format::kNvfp4,
     0,
     Nvfp4GemmSkinnyTraits<2>::kTokens,
     0,
     {"b12x_nvfp4_gemm_skinny_m16_bf16", "b12x_nvfp4_gemm_skinny_m16_f16", "b12x_nvfp4_gemm_skinny_m16_f32"},
     fill_skinny<Nvfp4GemmSkinnyTraits<2>>,
     skinny_units<Nvfp4GemmSkinnyTraits<2>>},
    {"skinny m<=32",
     Fp4Format::kNvfp4,
     0,
     Nvfp4GemmSkinnyTraits<4>::kTokens,
     0,
     {"b12x_nvfp4_gemm_skinny_m32_bf16", "b12x_nvfp4_gemm_skinny_m32_f16", "b12x_nvfp4_gemm_skinny_m32_f32"},
     fill_skinny<Nvfp4GemmSkinnyTraits<4>>,
     skinny_units<Nvfp4GemmSkinnyTraits<4>>},
    {"tiled 64x128",
     Fp4Format::kNvfp4,
     0,
     Nvfp4Tiled64::kTileM,
     0,
     {"b12x_nvfp4_gemm_tiled_64x128_bf16", "b12x_nvfp4_gemm_tiled_64x128_f16", "b12x_nvfp4_gemm_tiled_64x128_f32"},
     fill_tiled<Nvfp4Tiled64>,
     tiled_units<Nvfp4Tiled64>},
    {"tiled 128x256",
     Fp4Format::kNvfp4,
     2048,
     kMaxSize,
     1,
     {"b12x_nvfp4_gemm_tiled_128x256_bf16", "b12x_nvfp4_gemm_tiled_128x256_f16", ""},
     fill_tiled<Nvfp4Tiled256>,
     tiled_units<Nvfp4Tiled256>},
    {"tiled 128x128",
     Fp4Format::kNvfp4,
     0,
     kMaxSize,
     0,
     {"b12x_nvfp4_gemm_tiled_128x128_bf16", "b12x_nvfp4_gemm_tiled_128x128_f16", "b12x_nvfp4_gemm_tiled_128x128_f32"},
     fill_tiled<Nvfp4Tiled128>,
     tiled_units<Nvfp4Tiled128>},
    {"tiled 64x128",
     Fp4Format::kMxfp4,
     0,
     kMaxSize,
     0,
     {"b12x_mxfp4_gemm_tiled_64x128_bf16", "b12x_mxfp4_gemm_tiled_64x128_f16", "b12x_mxfp4_gemm_tiled_64x128_f32"},
     fill_tiled<Mxfp4Tiled64>,
     tiled_units<Mxfp4Tiled64>},
    {"quantise, skinny m<=8",
     Fp4Format::kNvfp4,
     0,
     Nvfp4QuantizingSkinny::kTokens,
     0,
     {"b12x_nvfp4_gemm_skinny_quantize_m8_bf16", "", "b12x_nvfp4_gemm_skinny_quantize_m8_bf16_f32"},
     fill_skinny<Nvfp4QuantizingSkinny>,
     skinny_units<Nvfp4QuantizingSkinny>,
     DType::kBf16},
    {"quantise, skinny m<=8",
     Fp4Format::kNvfp4,
     0,
     Nvfp4QuantizingSkinny::kTokens,
     0,
     {"", "b12x_nvfp4_gemm_skinny_quantize_m8_f16", "b12x_nvfp4_gemm_skinny_quantize_m8_f16_f32"},
     fill_skinny<Nvfp4QuantizingSkinny>,
     skinny_units<Nvfp4QuantizingSkinny>,
     DType::kF16},
}};
// Of a format, no row hides one after it, and the last takes what is left, of packed A.
constexpr bool is_ladder(Fp4Format format) {
  int64_t reached = -1;
  const Route* last = nullptr;
  for (const Route& route : kRoutes) {
    if (route.format != format || route.a_dtype != DType::kU8) continue;
    if (route.m_from == 0 && route.m_up_to <= reached) return false;
    if (route.m_from == 0) reached = route.m_up_to;
    last = &route;
  }
  return last != nullptr && last->m_from == 0 && last->m_up_to == kMaxSize && last->waves == 0 &&
         !last->entries.f32.empty();
}
static_assert(is_ladder(Fp4Format::kNvfp4) && is_ladder(Fp4Format::kMxfp4));

// Why the kernel cannot do the problem; empty if it can.
std::string refusal(const Route& route, const GemmProblem& p, const DeviceInfo& device) {
  if (route.a_dtype != p.a_dtype) return str("takes a of ", name_of(route.a_dtype), ", not ", name_of(p.a_dtype));
  if (route.format != p.format) return str("multiplies ", name_of(route.format), ", not ", name_of(p.format));
  if (p.m > route.m_up_to) return str("takes at most ", route.m_up_to, " rows, m is ", p.m);
  if (p.m < route.m_from) return str("is for ", route.m_from, " rows and more, m is ", p.m);
  if (entry_of(route.entries, p.out_dtype).empty()) return str("has no ", name_of(p.out_dtype), " output");
  if (route.units(p) > kMaxSize) return str("counts ", route.units(p), " units of work, in 32 bits");
  if (route.units(p) < route.waves * device.sm_count) {
    return str("has ", route.units(p), " tiles of this size for ", device.sm_count, " SMs");
  }
  if (p.a_dtype == DType::kU8) return "";
  if (p.l != 1) return str("takes one batch, l is ", p.l);
  if (const int64_t bytes = Nvfp4QuantizingSkinny::shared_bytes(p.m, p.k); bytes > kSmemPerBlock) {
    return str("would want ", bytes, " bytes of shared memory for all of a, ", kSmemPerBlock, " are there");
  }
  return "";
}

GemmPlan plan_of(const Route& route, const GemmProblem& problem, const DeviceInfo& device) {
  GemmPlan plan{.problem = problem};
  plan.kernel = entry_of(route.entries, problem.out_dtype);
  route.fill(plan, device.sm_count);
  return plan;
}

void check_problem(const GemmProblem& p) {
  if (p.m < 0 || p.m > kMaxSize) fail("gemm: m is ", p.m, ", want 0 to ", kMaxSize);
  if (p.n < 8 || p.n > kMaxSize || p.n % 8 != 0) {
    fail("gemm: n is ", p.n, ", want a positive multiple of 8: an output row is stored in pieces of 16 bytes");
  }
  if (p.k < kStepK || p.k > kMaxSize || p.k % kStepK != 0) {
    fail("gemm: k is ", p.k, ", want a positive multiple of ", kStepK, "; pad a and b with zeros");
  }
  if (p.l < 1 || p.l > kMaxSize) fail("gemm: l is ", p.l, ", want 1 to ", kMaxSize);
  if (p.out_dtype != DType::kBf16 && p.out_dtype != DType::kF16 && p.out_dtype != DType::kF32) {
    fail("gemm: out has dtype ", name_of(p.out_dtype), ", want bfloat16, float16 or float32");
  }
  if (p.a_dtype != DType::kU8 && p.a_dtype != DType::kBf16 && p.a_dtype != DType::kF16) {
    fail("gemm: a has dtype ", name_of(p.a_dtype), ", want uint8 (packed FP4), or bfloat16 or float16 to be quantised");
  }
}

}  // namespace

const char* name_of(Fp4Format format) { return format == Fp4Format::kNvfp4 ? "nvfp4" : "mxfp4"; }
int scale_block(Fp4Format format) { return format == Fp4Format::kNvfp4 ? 16 : 32; }

int64_t gemm_scale_bytes(Fp4Format format, int64_t rows, int64_t k) {
  return align_up(rows, 128) * align_up(k / scale_block(format), 4);
}

bool can_quantize_a(const GemmProblem& problem) {
  check_problem(problem);
  return problem.a_dtype != DType::kU8 &&
         std::ranges::any_of(kRoutes, [&](const Route& route) { return refusal(route, problem, {}).empty(); });
}

GemmPlan plan_gemm(const GemmProblem& problem, const DeviceInfo& device) {
  check_problem(problem);
  for (const Route& route : kRoutes) {
    if (refusal(route, problem, device).empty()) return plan_of(route, problem, device);
  }
  for (const Route& route : kRoutes) {
    if (problem.a_dtype == DType::kU8 || route.a_dtype != problem.a_dtype) continue;
    fail("gemm: a of ", name_of(problem.a_dtype),
         " has to be quantised first (quantize_nvfp4): the kernel that does so itself ",
         refusal(route, problem, device));
  }
  fail("gemm: m, n, k, l = ", problem.m, ", ", problem.n, ", ", problem.k, ", ", problem.l,
       " are more tiles than one launch counts; split m or l");
}

std::vector<GemmCandidate> gemm_candidates(const GemmProblem& problem, const DeviceInfo& device) {
  const GemmPlan chosen = plan_gemm(problem, device);
  const GemmCost cost = gemm_cost(chosen, device);
  std::vector<GemmCandidate> candidates;
  for (const Route& route : kRoutes) {
    if (route.format != problem.format || route.a_dtype != problem.a_dtype) continue;
    GemmCandidate& candidate = candidates.emplace_back();
    candidate.name = route.name;
    candidate.reason = refusal(route, problem, device);
    candidate.can_run = candidate.reason.empty();
    if (!candidate.can_run) continue;
    candidate.plan = plan_of(route, problem, device);
    candidate.is_chosen = candidate.plan == chosen;
    if (candidate.is_chosen) {
      candidate.reason = "the first of the list that fits";
      continue;
    }
    const GemmCost other = gemm_cost(candidate.plan, device);
    const auto percent = [](int64_t a, int64_t b) { return b == 0 ? 100 : a * 100 / b; };
    candidate.reason = str("comes after the chosen one: ", percent(other.mma_count, cost.mma_count), " % of its MMAs, ",
                           percent(other.read_bytes, cost.read_bytes), " % of its reads, tiles of ",
                           candidate.plan.tile_m, " x ", candidate.plan.tile_n, " on ", candidate.plan.launch.grid[0],
                           " blocks, ", std::lround(100 * other.balance), " % balance");
  }
  return candidates;
}

std::string to_string(const GemmPlan& plan) {
  const GemmProblem& p = plan.problem;
  return str("gemm[", plan.kernel, " m=", p.m, " n=", p.n, " k=", p.k, p.l != 1 ? str(" l=", p.l) : "",
             " tile=", plan.tile_m, "x", plan.tile_n, "x", plan.tile_k, " tiles=", plan.tiles,
             " shared=", plan.shared_tiles,
             plan.shared_tiles != 0 && plan.sharing_blocks != static_cast<int>(plan.launch.grid[0])
                 ? str("/", plan.sharing_blocks)
                 : "",
             " ", launch_string(plan.launch), " ws=", plan.workspace_bytes, "]");
}

}  // namespace b12x

size_t std::hash<b12x::GemmPlan>::operator()(const b12x::GemmPlan& plan) const noexcept {
  const b12x::GemmProblem& p = plan.problem;
  return b12x::hash_all(plan.kernel, p.m, p.n, p.k, p.l, plan.launch.grid[0]);
}

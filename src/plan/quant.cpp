// quant.cpp: shapes and element type -> quantisation kernel and launch. One kernel per element type and input; the
// grid covers the scale bytes, at most as many blocks as fit the card at once.
#include "b12x/quant.hpp"

#include <array>
#include <limits>

#include "base/align.hpp"
#include "base/check.hpp"
#include "kernels/quant/quant_traits.h"
#include "plan/print.hpp"

namespace b12x {
namespace {

struct KernelRow {
  DType dtype;
  std::string_view global_scale;
  std::string_view quantize;
  std::string_view silu_mul_quantize;
  std::string_view quantize_mxfp8;
};
constexpr std::array<KernelRow, 3> kKernels{{
    {DType::kBf16, "b12x_nvfp4_amax_bf16", "b12x_nvfp4_quantize_bf16", "b12x_nvfp4_silu_mul_quantize_bf16",
     "b12x_mxfp8_quantize_bf16"},
    {DType::kF16, "b12x_nvfp4_amax_f16", "b12x_nvfp4_quantize_f16", "b12x_nvfp4_silu_mul_quantize_f16",
     "b12x_mxfp8_quantize_f16"},
    {DType::kF32, "b12x_nvfp4_amax_f32", "b12x_nvfp4_quantize_f32", "b12x_nvfp4_silu_mul_quantize_f32",
     "b12x_mxfp8_quantize_f32"},
}};

// Rows, padded to 128, and columns are int32 in the kernels; units of work are counted in 31 bits.
constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max() - 127;
constexpr int64_t kMaxUnits = std::numeric_limits<int32_t>::max();

const KernelRow& kernels_of(std::string_view op, DType dtype) {
  for (const KernelRow& row : kKernels) {
    if (row.dtype == dtype) return row;
  }
  fail(op, ": x has dtype ", name_of(dtype), ", want bfloat16, float16 or float32");
}

void check_sizes(std::string_view op, int64_t rows, int64_t cols) {
  if (rows < 0 || rows > kMaxSize) fail(op, ": rows is ", rows, ", want 0 to ", kMaxSize);
  if (cols < 1 || cols > kMaxSize) fail(op, ": cols is ", cols, ", want 1 to ", kMaxSize);
}

void check_blocks(std::string_view op, int64_t cols, int block) {
  if (cols % block != 0) {
    fail(op, ": cols is ", cols, ", want a multiple of ", block, ": that many neighbours share one scale");
  }
}

const char* name_of_input(QuantizeInput input) {
  switch (input) {
    case QuantizeInput::kPlain:
      return "plain";
    case QuantizeInput::kGateUp:
      return "silu(gate,up)";
    case QuantizeInput::kUpGate:
      return "silu(up,gate)";
  }
  fail("quantize_nvfp4: unknown input layout ", static_cast<int>(input));
}

}  // namespace

int64_t nvfp4_scale_bytes(int64_t rows, int64_t cols) { return Nvfp4QuantizeTraits::scale_bytes(rows, cols); }

GlobalScalePlan plan_global_scale(const GlobalScaleProblem& problem, const DeviceInfo& device) {
  const std::string_view op = "global_scale";
  check_sizes(op, problem.rows, problem.cols);
  using Traits = Nvfp4AmaxTraits;
  const __int128 units = __int128{problem.rows} * Traits::units_of_row(problem.cols, bytes_of(problem.dtype));
  if (units > kMaxUnits) fail(op, ": ", problem.rows, " x ", problem.cols, " values, want fewer than about 2^40");
  GlobalScalePlan plan{.problem = problem,
                       .kernel = kernels_of(op, problem.dtype).global_scale,
                       .launch = {},
                       .workspace_bytes = Traits::kWorkspaceBytes};
  plan.launch.grid[0] = static_cast<uint32_t>(Traits::grid(static_cast<int64_t>(units), device.sm_count));
  plan.launch.block[0] = Traits::kThreads;
  return plan;
}

QuantizePlan plan_quantize(const QuantizeProblem& problem, const DeviceInfo& device) {
  const std::string_view op = "quantize_nvfp4";
  check_sizes(op, problem.rows, problem.cols);
  using Traits = Nvfp4QuantizeTraits;
  check_blocks(op, problem.cols, Traits::kBlockElements);
  if (problem.groups < 0 || problem.groups > kMaxSize) {
    fail(op, ": groups is ", problem.groups, ", want 0 to ", kMaxSize);
  }
  const auto units_of = [&](int atoms) {
    return __int128{problem.groups} * Traits::units(problem.rows, problem.cols, atoms);
  };
  const bool is_one_wave = units_of(1) <= Traits::kWarps * Traits::resident_blocks(device.sm_count);
  const int atoms =
      is_one_wave ? 1 : Traits::most_atoms(bytes_of(problem.dtype), problem.input != QuantizeInput::kPlain);
  const __int128 units = units_of(atoms);
  if (units > kMaxUnits) {
    fail(op, ": ", problem.groups, " x ", problem.rows, " x ", problem.cols, " values, want fewer than about 2^40");
  }
  const KernelRow& row = kernels_of(op, problem.dtype);
  QuantizePlan plan{.problem = problem,
                    .kernel = problem.input == QuantizeInput::kPlain ? row.quantize : row.silu_mul_quantize,
                    .launch = {},
                    .atoms_of_unit = atoms,
                    .workspace_bytes = 0};
  plan.launch.grid[0] = static_cast<uint32_t>(Traits::grid(static_cast<int64_t>(units), device.sm_count));
  plan.launch.block[0] = Traits::kThreads;
  return plan;
}

QuantizeMxfp8Plan plan_quantize_mxfp8(const QuantizeMxfp8Problem& problem, const DeviceInfo& device) {
  const std::string_view op = "quantize_mxfp8";
  check_sizes(op, problem.rows, problem.cols);
  using Traits = Mxfp8QuantizeTraits;
  check_blocks(op, problem.cols, Traits::kBlockElements);
  if (problem.rows * (problem.cols / Traits::kLaneElements) > std::numeric_limits<int32_t>::max()) {
    fail(op, ": ", problem.rows, " x ", problem.cols, " values, want fewer than 2^35");
  }
  QuantizeMxfp8Plan plan{
      .problem = problem, .kernel = kernels_of(op, problem.dtype).quantize_mxfp8, .launch = {}, .workspace_bytes = 0};
  plan.launch.grid[0] = static_cast<uint32_t>(Traits::grid(problem.rows, problem.cols, device.sm_count));
  plan.launch.block[0] = Traits::kThreads;
  return plan;
}

std::string to_string(const GlobalScalePlan& plan) {
  return str("global_scale[", plan.kernel, " rows=", plan.problem.rows, " cols=", plan.problem.cols, " ",
             launch_string(plan.launch), " ws=", plan.workspace_bytes, "]");
}

std::string to_string(const QuantizePlan& plan) {
  return str("quantize[", plan.kernel, " groups=", plan.problem.groups, " rows=", plan.problem.rows,
             " cols=", plan.problem.cols, " input=", name_of_input(plan.problem.input),
             plan.problem.global_scale_is_reciprocal ? " gs=reciprocal " : " ", launch_string(plan.launch),
             " ws=", plan.workspace_bytes, "]");
}

std::string to_string(const QuantizeMxfp8Plan& plan) {
  return str("quantize_mxfp8[", plan.kernel, " rows=", plan.problem.rows, " cols=", plan.problem.cols, " ",
             launch_string(plan.launch), " ws=", plan.workspace_bytes, "]");
}

}  // namespace b12x

// A plan follows from its problem and the card, so kernel and grid with the problem tell plans apart.
size_t std::hash<b12x::GlobalScalePlan>::operator()(const b12x::GlobalScalePlan& plan) const noexcept {
  return b12x::hash_all(plan.kernel, plan.problem.rows, plan.problem.cols, plan.launch.grid[0]);
}

size_t std::hash<b12x::QuantizePlan>::operator()(const b12x::QuantizePlan& plan) const noexcept {
  return b12x::hash_all(plan.kernel, plan.problem.groups, plan.problem.rows, plan.problem.cols,
                        static_cast<int>(plan.problem.input), plan.problem.global_scale_is_reciprocal,
                        plan.launch.grid[0]);
}

size_t std::hash<b12x::QuantizeMxfp8Plan>::operator()(const b12x::QuantizeMxfp8Plan& plan) const noexcept {
  return b12x::hash_all(plan.kernel, plan.problem.rows, plan.problem.cols, plan.launch.grid[0]);
}

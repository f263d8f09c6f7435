// gemm.hpp: dense GEMM of NVFP4 operands, C[m, n] = alpha * sum over k of (a sa)[m, k] * (b sb)[n, k].
// FP32 accumulation inside the tensor core, one rounding (nearest even) to the output type at the end.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "b12x/device.hpp"
#include "b12x/launch_shape.hpp"
#include "b12x/tensor.hpp"
#include "b12x/workspace.hpp"

namespace b12x {

struct GemmProblem {
  int64_t m = 0;                   // tokens, 0 is a no-op
  int64_t n = 0;                   // multiple of 8
  int64_t k = 0;                   // multiple of 64; of 32 up to 32 tokens
  DType out_dtype = DType::kBf16;  // kBf16, kF16; up to 32 tokens also kF32
  bool operator==(const GemmProblem&) const = default;
};

struct GemmPlan {
  GemmProblem problem;
  std::string_view kernel{};
  LaunchShape launch{};
  int tile_m = 0;  // rows of A in one output tile
  int tile_n = 0;  // rows of B in one output tile
  int64_t tiles = 0;
  int a_box_rows = 0;  // rows of A that one TMA copy brings
  int b_box_rows = 0;
  int box_bytes = 0;  // bytes of k in one TMA copy, = the swizzle's span
  size_t workspace_bytes = 0;
  bool operator==(const GemmPlan&) const = default;
};

struct GemmArgs {
  TensorView a;         // [m, k / 2] uint8, contiguous, 16-byte aligned
  TensorView a_scales;  // nvfp4_scale_bytes(m, k) bytes, swizzled, 16-byte aligned; padding may hold anything
  TensorView b;         // [n, k / 2] uint8, contiguous, 16-byte aligned: weights as torch.nn.Linear stores them
  TensorView b_scales;  // nvfp4_scale_bytes(n, k) bytes, likewise
  TensorView alpha;     // [1] float32, usually gs_a * gs_b; data == nullptr means 1
  TensorView out;       // [m, n] of problem.out_dtype, columns adjacent, row stride a multiple of 8, 16-byte aligned
};

GemmPlan plan_gemm(const GemmProblem& problem, const DeviceInfo& device);  // pure
std::string to_string(const GemmPlan& plan);                               // one line
void load(const GemmPlan& plan, const Device& device);
void run_gemm(const GemmPlan& plan, const GemmArgs& args, const Workspace& workspace, const Stream& stream);

}  // namespace b12x

template <>
struct std::hash<b12x::GemmPlan> {
  size_t operator()(const b12x::GemmPlan& plan) const noexcept;
};

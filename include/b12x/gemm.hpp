// gemm.hpp: dense GEMM of FP4 operands, C[l, m, n] = alpha * sum over k of (a sa)[l, m, k] * (b sb)[l, n, k] + bias[n].
// FP32 accumulation inside the tensor core; alpha * sum, or fma(alpha, sum, bias), in FP32; one rounding (nearest even)
// to the output type at the end.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "b12x/device.hpp"
#include "b12x/launch_shape.hpp"
#include "b12x/tensor.hpp"
#include "b12x/workspace.hpp"

namespace b12x {

enum class Fp4Format : uint8_t {
  kNvfp4,  // an e4m3 scale per 16 k, its sign ignored
  kMxfp4,  // a ue8m0 scale per 32 k: 2^(byte - 127), 255 is NaN
};
const char* name_of(Fp4Format format);  // "nvfp4", "mxfp4"
int scale_block(Fp4Format format);      // k that share a scale: 16, 32

// Bytes of the swizzled scales of [rows, k]: align(rows, 128) * align(k / scale_block, 4).
int64_t gemm_scale_bytes(Fp4Format format, int64_t rows, int64_t k);

struct GemmProblem {
  int64_t m = 0;                   // tokens, 0 is a no-op
  int64_t n = 0;                   // multiple of 8
  int64_t k = 0;                   // multiple of 32
  int64_t l = 1;                   // batches
  DType out_dtype = DType::kBf16;  // kBf16, kF16, kF32
  Fp4Format format = Fp4Format::kNvfp4;
  // kU8: a is packed FP4. kBf16, kF16: a holds values that the kernel quantises to NVFP4, to the bits that
  // quant.hpp's kernel gives, where can_quantize_a says so.
  DType a_dtype = DType::kU8;
  bool a_scale_is_reciprocal = false;  // a_global_scale holds 2688 / amax, not amax / 2688
  bool operator==(const GemmProblem&) const = default;
};

enum class GemmKernel : uint8_t { kSkinny, kTiled };

struct GemmPlan {
  GemmProblem problem;
  GemmKernel family = GemmKernel::kTiled;
  std::string_view kernel{};
  LaunchShape launch{};
  int tile_m = 0;            // rows of A in one output tile
  int tile_n = 0;            // rows of B in one output tile
  int tile_k = 0;            // k of one pipeline stage
  int stages = 0;            // of the pipeline
  int64_t tiles = 0;         // of all batches
  int64_t shared_tiles = 0;  // of these, cut along k among blocks, whose sums pass through the workspace
  int sharing_blocks = 1;    // that do so: the first of the grid
  size_t workspace_bytes = 0;
  bool operator==(const GemmPlan&) const = default;
};

struct GemmArgs {
  // [m, k / 2] uint8, or [l, m, k / 2]; k adjacent, row and batch strides multiples of 16, 16-byte aligned. Values to
  // be quantised: [m, k] of problem.a_dtype; k adjacent, row stride a multiple of 8, 16-byte aligned.
  TensorView a;
  // l * gemm_scale_bytes(format, m, k) bytes, swizzled, batch after batch, 16-byte aligned; padding may hold anything.
  // Without data where a is to be quantised.
  TensorView a_scales;
  TensorView b;         // [n, k / 2] or [l, n, k / 2], likewise: weights as torch.nn.Linear stores them
  TensorView b_scales;  // l * gemm_scale_bytes(format, n, k) bytes, likewise
  TensorView alpha;     // [1] float32, usually gs_a * gs_b; data == nullptr means 1
  TensorView bias{};    // [n] float32, 16-byte aligned; data == nullptr means none
  // [1] float32, what a is quantised with; data == nullptr means 1. alpha holds what undoes it.
  TensorView a_global_scale{};
  // [m, n] or [l, m, n] of problem.out_dtype, columns adjacent, row and batch strides multiples of 8, 16-byte aligned
  TensorView out;
};

// Whether a kernel exists that quantises a of problem.a_dtype itself: NVFP4, one batch, up to 8 rows that fit into
// shared memory quantised (m * k * 9 / 16 bytes of about 27 KB), output of a's type or f32. Pure.
bool can_quantize_a(const GemmProblem& problem);

GemmPlan plan_gemm(const GemmProblem& problem, const DeviceInfo& device);  // pure
std::string to_string(const GemmPlan& plan);                               // one line
void load(const GemmPlan& plan, const Device& device);
void run_gemm(const GemmPlan& plan, const GemmArgs& args, const Workspace& workspace, const Stream& stream);

// Every kernel that plan_gemm could have chosen, in its order, and why it chose as it did. Pure.
struct GemmCandidate {
  std::string name;  // "skinny m<=8", "tiled 128x256"
  bool can_run = false;
  bool is_chosen = false;
  std::string reason;  // one sentence
  GemmPlan plan;       // where can_run
};
std::vector<GemmCandidate> gemm_candidates(const GemmProblem& problem, const DeviceInfo& device);

// What a plan's launch does, counted from shapes.
struct GemmCost {
  int64_t mma_count = 0;         // block-scaled m16n8k64, warp-wide
  int64_t useful_mma_count = 0;  // that many would do without padding
  int64_t compulsory_bytes = 0;  // every operand and the output once
  int64_t read_bytes = 0;        // what blocks copy into shared memory: through L2, not all from DRAM
  double waves = 0;              // units of work over those that all SMs do at once
  double balance = 0;            // mean work of an SM over that of the busiest; 1 is even
};
GemmCost gemm_cost(const GemmPlan& plan, const DeviceInfo& device);

}  // namespace b12x

template <>
struct std::hash<b12x::GemmPlan> {
  size_t operator()(const b12x::GemmPlan& plan) const noexcept;
};

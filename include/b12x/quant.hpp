// quant.hpp: quantisation of [rows, cols] along its columns. NVFP4, blocks of 16, of one matrix or of groups of rows:
//   gs = amax / 2688, over finite values (1 if all are zero)        S = e4m3(min(448, blockmax / (6 gs)))
//   q  = e2m1(x / max(S gs, 1e-30)), nearest even, saturating        x is about q S gs
// A block with a NaN becomes S = NaN, q = 0. Values that round to zero are +0. Scales are stored 128x4 swizzled: the
// byte of (row r, block b) is at ((r / 128) * (B / 4) + b / 4) * 512 + (r % 32) * 16 + (r % 128 / 32) * 4 + b % 4,
// with B = align(cols / 16, 4) and rows padded to 128; padding is written as zero. Groups lie one after another.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "b12x/device.hpp"
#include "b12x/launch_shape.hpp"
#include "b12x/tensor.hpp"
#include "b12x/workspace.hpp"

namespace b12x {

// Bytes of the swizzled scales of [rows, cols]: align(rows, 128) * align(cols / 16, 4).
int64_t nvfp4_scale_bytes(int64_t rows, int64_t cols);

// global_scale = amax(|x|) / 2688, over finite values; 1 if that is 0.
struct GlobalScaleProblem {
  int64_t rows = 0;
  int64_t cols = 0;
  DType dtype = DType::kBf16;  // kF16, kBf16, kF32
  bool operator==(const GlobalScaleProblem&) const = default;
};
struct GlobalScalePlan {
  GlobalScaleProblem problem;
  std::string_view kernel{};
  LaunchShape launch{};
  size_t workspace_bytes = 0;
  bool operator==(const GlobalScalePlan&) const = default;
};
struct GlobalScaleArgs {
  TensorView x;             // [rows, cols], columns adjacent
  TensorView global_scale;  // [1] float32, written
};

enum class QuantizeInput {
  kPlain,   // x is [rows, cols]
  kGateUp,  // x is [rows, 2 * cols] = gate, up; what is quantised is silu(gate) * up
  kUpGate,  // x is [rows, 2 * cols] = up, gate
};
struct QuantizeProblem {
  int64_t rows = 0;  // of each group
  int64_t cols = 0;  // of the output, multiple of 16
  DType dtype = DType::kBf16;
  QuantizeInput input = QuantizeInput::kPlain;
  int64_t groups = 1;
  // Two conventions are in use. false: gs as above, what a product is multiplied with afterwards (a checkpoint's
  // input_scale). true: its reciprocal, 2688 / amax, what x is multiplied with (FlashInfer, b12x 0.7.2's quantiser);
  // the kernel takes gs = 1 / global_scale and goes on as above.
  bool global_scale_is_reciprocal = false;
  bool operator==(const QuantizeProblem&) const = default;
};
struct QuantizePlan {
  QuantizeProblem problem;
  std::string_view kernel{};
  LaunchShape launch{};
  int atoms_of_unit = 1;  // 128x4 atoms of scales that a warp writes 32 bytes of at once
  size_t workspace_bytes = 0;
  bool operator==(const QuantizePlan&) const = default;
};
struct QuantizeArgs {
  // x, packed and row_counts have a first dimension [groups]; x and packed may do without it if groups is 1.
  TensorView x;             // see QuantizeInput; columns adjacent, rows and groups may be apart
  TensorView global_scale;  // float32, one or [groups], in (0, 2^116]; data == nullptr means 1
  TensorView packed;        // [rows, cols / 2] uint8, contiguous, written
  TensorView scales;        // groups * nvfp4_scale_bytes(rows, cols) bytes, uint8 or float8_e4m3fn, contiguous, written
  // [groups] int32: x's first row_counts[g] rows count, the others are not read, and their values and scales are
  // written as zero. Counts beyond [0, rows] are taken as the nearer end. data == nullptr: all rows count.
  TensorView row_counts{};
};

// MXFP8: 32 neighbours of a row share a power of two, ue8m0 = 2^(byte - 127), the smallest that keeps their largest
// magnitude within 448; values are e4m3(x / scale), nearest even, +0 for what rounds to zero. A NaN stays NaN in its
// element and does not count for the scale; Inf becomes +-448 under byte 247, the scale of the largest f32.
struct QuantizeMxfp8Problem {
  int64_t rows = 0;
  int64_t cols = 0;  // multiple of 32
  DType dtype = DType::kBf16;
  bool operator==(const QuantizeMxfp8Problem&) const = default;
};
struct QuantizeMxfp8Plan {
  QuantizeMxfp8Problem problem;
  std::string_view kernel{};
  LaunchShape launch{};
  size_t workspace_bytes = 0;
  bool operator==(const QuantizeMxfp8Plan&) const = default;
};
struct QuantizeMxfp8Args {
  TensorView x;       // [rows, cols]; columns adjacent, rows may be apart
  TensorView values;  // [rows, cols] uint8 or float8_e4m3fn, contiguous, written
  TensorView scales;  // [rows, cols / 32] uint8, contiguous, written
};

// Pure functions of their arguments. Throw Error for what no kernel can do.
GlobalScalePlan plan_global_scale(const GlobalScaleProblem& problem, const DeviceInfo& device);
QuantizePlan plan_quantize(const QuantizeProblem& problem, const DeviceInfo& device);
QuantizeMxfp8Plan plan_quantize_mxfp8(const QuantizeMxfp8Problem& problem, const DeviceInfo& device);
std::string to_string(const GlobalScalePlan& plan);  // one line
std::string to_string(const QuantizePlan& plan);
std::string to_string(const QuantizeMxfp8Plan& plan);

// Loads the plan's kernel on the device, once; the only call that may allocate in the driver.
void load(const GlobalScalePlan& plan, const Device& device);
void load(const QuantizePlan& plan, const Device& device);
void load(const QuantizeMxfp8Plan& plan, const Device& device);

// Checks, fills parameters, launches. 0 rows launch nothing.
void run_global_scale(const GlobalScalePlan& plan, const GlobalScaleArgs& args, const Workspace& workspace,
                      const Stream& stream);
void run_quantize(const QuantizePlan& plan, const QuantizeArgs& args, const Workspace& workspace, const Stream& stream);
void run_quantize_mxfp8(const QuantizeMxfp8Plan& plan, const QuantizeMxfp8Args& args, const Workspace& workspace,
                        const Stream& stream);

}  // namespace b12x

template <>
struct std::hash<b12x::GlobalScalePlan> {
  size_t operator()(const b12x::GlobalScalePlan& plan) const noexcept;
};
template <>
struct std::hash<b12x::QuantizePlan> {
  size_t operator()(const b12x::QuantizePlan& plan) const noexcept;
};
template <>
struct std::hash<b12x::QuantizeMxfp8Plan> {
  size_t operator()(const b12x::QuantizeMxfp8Plan& plan) const noexcept;
};

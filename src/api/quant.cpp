// quant.cpp: checks of the quantisation ops, their parameter blocks, their launches.
#include "b12x/quant.hpp"

#include <array>
#include <string_view>

#include "base/align.hpp"
#include "base/check.hpp"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"
#include "runtime/device_state.hpp"
#include "runtime/launch.hpp"

namespace b12x {
namespace {

// `wanted` behind a dimension of groups, which a single group may leave out.
void check_grouped_shape(const Named& named, int64_t groups, std::array<int64_t, 2> wanted, std::string_view meaning) {
  if (groups == 1 && named.tensor.rank == 2) {
    check_shape(named, {wanted[0], wanted[1]}, meaning);
  } else {
    check_shape(named, {groups, wanted[0], wanted[1]}, str("groups, ", meaning));
  }
}

// The first group's matrix.
TensorView group_of(const TensorView& tensor) {
  if (tensor.rank == 2) return tensor;
  return {.data = tensor.data,
          .dtype = tensor.dtype,
          .device = tensor.device,
          .rank = 2,
          .shape = {tensor.shape[1], tensor.shape[2]},
          .strides = {tensor.strides[1], tensor.strides[2]}};
}

// Whether all rows start at multiples of 16 bytes; `strides` or-ed together. A silu_mul row's second half starts a
// multiple of 32 bytes on, so it is aligned as the row is.
bool is_aligned(const TensorView& x, int64_t strides) {
  return (reinterpret_cast<uintptr_t>(x.data) | static_cast<uint64_t>(strides) * bytes_of(x.dtype)) % 16 == 0;
}

}  // namespace

void load(const GlobalScalePlan& plan, const Device& device) {
  device.state().load_kernel(plan.kernel, plan.launch.shared_bytes);
}

void load(const QuantizePlan& plan, const Device& device) {
  device.state().load_kernel(plan.kernel, plan.launch.shared_bytes);
}

void load(const QuantizeMxfp8Plan& plan, const Device& device) {
  device.state().load_kernel(plan.kernel, plan.launch.shared_bytes);
}

void run_global_scale(const GlobalScalePlan& plan, const GlobalScaleArgs& args, const Workspace& workspace,
                      const Stream& stream) {
  const std::string_view op = "global_scale";
  const auto& [rows, cols, dtype] = plan.problem;
  const MemoryDevice here = stream.device.memory();
  const Named x{op, "x", args.x};
  check_dtype(x, {dtype});
  check_shape(x, {rows, cols}, "rows, cols of the plan");
  check_rows(x);
  check_device(x, here);
  check_scalar({op, "global_scale", args.global_scale}, here);
  if (workspace.bytes < plan.workspace_bytes) {
    fail(op, ": workspace has ", workspace.bytes, " bytes, want ", plan.workspace_bytes);
  }
  if (rows == 0) return;

  // Rows that touch each other are one line: cut into units, the last of them what is left.
  using Traits = Nvfp4AmaxTraits;
  const bool is_line = args.x.strides[0] == cols;
  const int64_t unit = Traits::unit_elements(bytes_of(dtype)), units_of_line = ceil_div(rows * cols, unit);
  const int64_t units_of_row = is_line ? 1 : Traits::units_of_row(cols, bytes_of(dtype));
  const Nvfp4AmaxParams params{
      .x = args.x.data,
      .global_scale = static_cast<float*>(args.global_scale.data),
      .workspace = static_cast<uint32_t*>(workspace.data),
      .x_row_stride = is_line ? unit : args.x.strides[0],
      .units = static_cast<uint32_t>(is_line ? units_of_line : rows * units_of_row),
      .rows = static_cast<uint32_t>(is_line ? units_of_line : rows),
      .cols = static_cast<int32_t>(is_line ? unit : cols),
      .cols_of_last = static_cast<int32_t>(is_line ? rows * cols - (units_of_line - 1) * unit : cols),
      .is_aligned = is_aligned(args.x, is_line ? unit : args.x.strides[0]),
      .units_of_row = math::Divisor::of(static_cast<uint32_t>(units_of_row))};
  runtime::launch(plan, &params, stream);
}

void run_quantize(const QuantizePlan& plan, const QuantizeArgs& args, const Workspace&, const Stream& stream) {
  const std::string_view op = "quantize_nvfp4";
  const QuantizeProblem& problem = plan.problem;
  const int64_t groups = problem.groups, rows = problem.rows, cols = problem.cols;
  const MemoryDevice here = stream.device.memory();
  const Named x{op, "x", args.x};
  check_dtype(x, {problem.dtype});
  if (problem.input == QuantizeInput::kPlain) {
    check_grouped_shape(x, groups, {rows, cols}, "rows, cols of the plan");
  } else {
    check_grouped_shape(x, groups, {rows, 2 * cols}, "rows, 2 * cols of the plan: gate and up side by side");
  }
  const TensorView x_group = group_of(args.x);
  check_rows({op, "x", x_group});
  check_device(x, here);
  const bool has_scales = args.global_scale.data != nullptr && args.global_scale.elements() != 1;
  if (args.global_scale.data != nullptr) {
    const Named global_scale{op, "global_scale", args.global_scale};
    check_dtype(global_scale, {DType::kF32});
    check_device(global_scale, here);
    check_contiguous(global_scale);
    if (has_scales && args.global_scale.elements() != groups) {
      fail(op, ": global_scale has shape ", shape_string(args.global_scale), ", want one element",
           groups == 1 ? "" : str(" or [", groups, "] = groups"));
    }
  }
  if (args.row_counts.data != nullptr) {
    const Named row_counts{op, "row_counts", args.row_counts};
    check_dtype(row_counts, {DType::kI32});
    check_shape(row_counts, {groups}, "groups");
    check_contiguous(row_counts);
    check_device(row_counts, here);
  }
  const Named packed{op, "packed", args.packed};
  check_dtype(packed, {DType::kU8});
  check_grouped_shape(packed, groups, {rows, cols / 2}, "rows, cols / 2");
  check_contiguous(packed);
  check_device(packed, here);
  check_aligned(packed, 8);
  const Named scales{op, "scales", args.scales};
  check_scales(
      scales, groups * nvfp4_scale_bytes(rows, cols),
      groups == 1 ? "align(rows, 128) * align(cols / 16, 4)" : "groups * align(rows, 128) * align(cols / 16, 4)");
  check_device(scales, here);
  if (rows == 0 || groups == 0) return;

  using Traits = Nvfp4QuantizeTraits;
  const int atoms = plan.atoms_of_unit;
  const int64_t x_group_stride = args.x.rank == 3 ? args.x.strides[0] : 0;
  const Nvfp4QuantizeParams params{
      .x = args.x.data,
      .global_scale = static_cast<const float*>(args.global_scale.data),
      .row_counts = static_cast<const int32_t*>(args.row_counts.data),
      .packed = static_cast<uint8_t*>(args.packed.data),
      .scales = static_cast<uint8_t*>(args.scales.data),
      .x_row_stride = x_group.strides[0],
      .x_group_stride = x_group_stride,
      .rows = static_cast<int32_t>(rows),
      .cols = static_cast<int32_t>(cols),
      .atoms_k = static_cast<int32_t>(Traits::atoms_k(cols)),
      .units = static_cast<uint32_t>(groups * Traits::units(rows, cols, atoms)),
      .global_scale_stride = has_scales,
      .is_reciprocal = problem.global_scale_is_reciprocal,
      .is_aligned = is_aligned(args.x, x_group.strides[0] | x_group_stride),
      .gate_first = problem.input == QuantizeInput::kGateUp,
      .atoms_of_unit = static_cast<uint32_t>(atoms),
      .units_k = math::Divisor::of(static_cast<uint32_t>(Traits::units_k(cols, atoms))),
      .sector_rows_of_group = math::Divisor::of(static_cast<uint32_t>(Traits::sector_rows(rows)))};
  runtime::launch(plan, &params, stream);
}

void run_quantize_mxfp8(const QuantizeMxfp8Plan& plan, const QuantizeMxfp8Args& args, const Workspace&,
                        const Stream& stream) {
  const std::string_view op = "quantize_mxfp8";
  const auto& [rows, cols, dtype] = plan.problem;
  const MemoryDevice here = stream.device.memory();
  using Traits = Mxfp8QuantizeTraits;
  const Named x{op, "x", args.x};
  check_dtype(x, {dtype});
  check_shape(x, {rows, cols}, "rows, cols of the plan");
  check_rows(x);
  check_device(x, here);
  const Named values{op, "values", args.values};
  check_dtype(values, {DType::kU8, DType::kE4m3});
  check_shape(values, {rows, cols}, "rows, cols of the plan");
  check_contiguous(values);
  check_device(values, here);
  check_aligned(values, Traits::kLaneElements);
  const Named scales{op, "scales", args.scales};
  check_dtype(scales, {DType::kU8});
  check_shape(scales, {rows, cols / Traits::kBlockElements}, "rows, cols / 32");
  check_contiguous(scales);
  check_device(scales, here);
  if (rows == 0) return;

  const int64_t half_blocks_of_row = cols / Traits::kLaneElements;
  const Mxfp8QuantizeParams params{.x = args.x.data,
                                   .values = static_cast<uint8_t*>(args.values.data),
                                   .scales = static_cast<uint8_t*>(args.scales.data),
                                   .x_row_stride = args.x.strides[0],
                                   .half_blocks = static_cast<uint32_t>(rows * half_blocks_of_row),
                                   .is_aligned = is_aligned(args.x, args.x.strides[0]),
                                   .half_blocks_of_row = math::Divisor::of(static_cast<uint32_t>(half_blocks_of_row))};
  runtime::launch(plan, &params, stream);
}

}  // namespace b12x

// quant.cpp: checks of the quantisation ops, their parameter blocks, their launches.
#include "b12x/quant.hpp"

#include "base/check.hpp"
#include "kernels/quant/quant_params.h"
#include "runtime/device_state.hpp"
#include "runtime/launch.hpp"

namespace b12x {

void load(const GlobalScalePlan& plan, const Device& device) {
  device.state().load_kernel(plan.kernel, plan.launch.shared_bytes);
}

void load(const QuantizePlan& plan, const Device& device) {
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

  const Nvfp4AmaxParams params{.x = args.x.data,
                               .global_scale = static_cast<float*>(args.global_scale.data),
                               .workspace = static_cast<uint32_t*>(workspace.data),
                               .x_row_stride = args.x.strides[0],
                               .rows = static_cast<int32_t>(rows),
                               .cols = static_cast<int32_t>(cols)};
  runtime::launch(plan, &params, stream);
}

void run_quantize(const QuantizePlan& plan, const QuantizeArgs& args, const Workspace&, const Stream& stream) {
  const std::string_view op = "quantize_nvfp4";
  const auto& [rows, cols, dtype, input] = plan.problem;
  const MemoryDevice here = stream.device.memory();
  const Named x{op, "x", args.x};
  check_dtype(x, {dtype});
  if (input == QuantizeInput::kPlain) {
    check_shape(x, {rows, cols}, "rows, cols of the plan");
  } else {
    check_shape(x, {rows, 2 * cols}, "rows, 2 * cols of the plan: gate and up side by side");
  }
  check_rows(x);
  check_device(x, here);
  if (args.global_scale.data != nullptr) check_scalar({op, "global_scale", args.global_scale}, here);
  const Named packed{op, "packed", args.packed};
  check_dtype(packed, {DType::kU8});
  check_shape(packed, {rows, cols / 2}, "rows, cols / 2");
  check_contiguous(packed);
  check_device(packed, here);
  check_aligned(packed, 8);
  const Named scales{op, "scales", args.scales};
  check_scales(scales, nvfp4_scale_bytes(rows, cols), "align(rows, 128) * align(cols / 16, 4)");
  check_device(scales, here);
  if (rows == 0) return;

  const Nvfp4QuantizeParams params{.x = args.x.data,
                                   .global_scale = static_cast<const float*>(args.global_scale.data),
                                   .packed = static_cast<uint8_t*>(args.packed.data),
                                   .scales = static_cast<uint8_t*>(args.scales.data),
                                   .x_row_stride = args.x.strides[0],
                                   .rows = static_cast<int32_t>(rows),
                                   .cols = static_cast<int32_t>(cols),
                                   .gate_first = input == QuantizeInput::kGateUp,
                                   .reserved = 0};
  runtime::launch(plan, &params, stream);
}

}  // namespace b12x

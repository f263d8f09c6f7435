// gemm.cpp: checks of the dense GEMM, its tensor maps and parameter block, its launch.
#include "b12x/gemm.hpp"

#include <bit>

#include "b12x/quant.hpp"
#include "base/check.hpp"
#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "runtime/device_state.hpp"
#include "runtime/launch.hpp"
#include "runtime/tensor_map.hpp"

namespace b12x {
namespace {

constexpr std::string_view kOp = "gemm";

// One operand: packed values and their scales. `rows_name` is m or n.
void check_operand(const Named& packed, const Named& scales, int64_t rows, int64_t k, std::string_view rows_name,
                   MemoryDevice here) {
  check_dtype(packed, {DType::kU8});
  check_shape(packed, {rows, k / 2}, str(rows_name, ", k / 2"));
  check_contiguous(packed);
  check_device(packed, here);
  check_aligned(packed, 16);
  check_scales(scales, nvfp4_scale_bytes(rows, k), str("align(", rows_name, ", 128) * align(k / 16, 4)"));
  check_device(scales, here);
  check_aligned(scales, 16);
}

TensorMap map_of(const TensorView& packed, int box_rows, int box_bytes, const Device& device, std::string_view what) {
  const runtime::ByteMatrix matrix{.data = packed.data,
                                   .rows = packed.shape[0],
                                   .row_bytes = packed.shape[1],
                                   .row_stride_bytes = packed.shape[1],
                                   .box_rows = box_rows,
                                   .box_bytes = box_bytes};
  return std::bit_cast<TensorMap>(runtime::encode_tensor_map(device, matrix, what));
}

// The skinny kernels read a batch; `box_bytes` of the swizzle's 64.
TensorMap batch_map_of(const TensorView& packed, int box_rows, int box_bytes, const Device& device,
                       std::string_view what) {
  const runtime::ByteMatrix matrix{.data = packed.data,
                                   .rows = packed.shape[0],
                                   .row_bytes = packed.shape[1],
                                   .row_stride_bytes = packed.shape[1],
                                   .box_rows = box_rows,
                                   .box_bytes = box_bytes,
                                   .swizzle_bytes = 64,
                                   .batches = 1,
                                   .batch_stride_bytes = packed.shape[0] * packed.shape[1]};
  return std::bit_cast<TensorMap>(runtime::encode_tensor_map(device, matrix, what));
}

void launch_skinny(const GemmPlan& plan, const GemmArgs& args, const Workspace& workspace, const Stream& stream) {
  const auto& [m, n, k, out_dtype] = plan.problem;
  if (workspace.bytes < plan.workspace_bytes) {
    fail(kOp, ": the workspace has ", workspace.bytes, " bytes, the plan wants ", plan.workspace_bytes);
  }
  const auto b_map = [&](int box_bytes) {
    return batch_map_of(args.b, plan.b_box_rows, box_bytes, stream.device, "gemm: b");
  };
  const SkinnyWork work = SkinnyWork::of(plan.tiles * Nvfp4GemmSkinnyTraits<1>::chunks_of_k(k), plan.launch.grid[0]);
  const Nvfp4GemmSkinnyParams params{
      .a_map = batch_map_of(args.a, plan.a_box_rows, plan.box_bytes, stream.device, "gemm: a"),
      .b_map = {b_map(64), b_map(32)},
      .a_scales = static_cast<const uint8_t*>(args.a_scales.data),
      .b_scales = static_cast<const uint8_t*>(args.b_scales.data),
      .alpha = static_cast<const float*>(args.alpha.data),
      .bias = nullptr,
      .c = args.out.data,
      .workspace = static_cast<uint8_t*>(workspace.data),
      .a_scales_stride = nvfp4_scale_bytes(m, k),
      .b_scales_stride = nvfp4_scale_bytes(n, k),
      .c_row_stride = m > 1 ? args.out.strides[0] : n,
      .c_batch_stride = 0,
      .m = static_cast<int32_t>(m),
      .n = static_cast<int32_t>(n),
      .k = static_cast<int32_t>(k),
      .tiles = static_cast<int32_t>(plan.tiles),
      .work_base = work.base,
      .work_extra = work.extra};
  runtime::launch(plan, &params, stream);
}

}  // namespace

void load(const GemmPlan& plan, const Device& device) {
  device.state().load_kernel(plan.kernel, plan.launch.shared_bytes);
}

void run_gemm(const GemmPlan& plan, const GemmArgs& args, const Workspace& workspace, const Stream& stream) {
  const auto& [m, n, k, out_dtype] = plan.problem;
  const MemoryDevice here = stream.device.memory();
  check_operand({kOp, "a", args.a}, {kOp, "a_scales", args.a_scales}, m, k, "m", here);
  check_operand({kOp, "b", args.b}, {kOp, "b_scales", args.b_scales}, n, k, "n", here);
  if (args.alpha.data != nullptr) check_scalar({kOp, "alpha", args.alpha}, here);
  const Named out{kOp, "out", args.out};
  check_dtype(out, {out_dtype});
  check_shape(out, {m, n}, "m, n");
  check_rows(out);
  check_device(out, here);
  check_aligned(out, 16);
  if (m > 1 && args.out.strides[0] % 8 != 0) {
    fail(kOp, ": out has row stride ", args.out.strides[0], ", want a multiple of 8: rows are stored 16 bytes at once");
  }
  if (m == 0) return;
  if (plan.workspace_bytes != 0) return launch_skinny(plan, args, workspace, stream);

  const Nvfp4GemmParams params{.a_map = map_of(args.a, plan.a_box_rows, plan.box_bytes, stream.device, "gemm: a"),
                               .b_map = map_of(args.b, plan.b_box_rows, plan.box_bytes, stream.device, "gemm: b"),
                               .a_scales = static_cast<const uint8_t*>(args.a_scales.data),
                               .b_scales = static_cast<const uint8_t*>(args.b_scales.data),
                               .alpha = static_cast<const float*>(args.alpha.data),
                               .c = args.out.data,
                               .c_row_stride = m > 1 ? args.out.strides[0] : n,
                               .m = static_cast<int32_t>(m),
                               .n = static_cast<int32_t>(n),
                               .k = static_cast<int32_t>(k),
                               .a_box_rows = plan.a_box_rows};
  runtime::launch(plan, &params, stream);
}

}  // namespace b12x

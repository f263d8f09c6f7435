// gemm.cpp: checks of the dense GEMM, its tensor maps and parameter block, its launch.
#include "b12x/gemm.hpp"

#include <bit>

#include "base/align.hpp"
#include "base/check.hpp"
#include "kernels/gemm/fp4_gemm_tiled_params.h"
#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "runtime/device_state.hpp"
#include "runtime/launch.hpp"
#include "runtime/tensor_map.hpp"

namespace b12x {
namespace {

constexpr std::string_view kOp = "gemm";

// A tensor of l matrices, or of one in two dimensions, as both are used.
struct Batch {
  TensorView tensor;  // rank 3
  int64_t row_stride = 0, batch_stride = 0;
};

// [l, rows, cols] or, where l is 1, [rows, cols]; columns adjacent, rows and batches `step` elements or a multiple of
// it apart and without overlap. `meaning` explains the last two sizes.
Batch check_batch(const Named& named, int64_t l, int64_t rows, int64_t cols, int64_t step, std::string_view meaning) {
  const TensorView& tensor = named.tensor;
  if (tensor.rank == 3) {
    check_shape(named, {l, rows, cols}, str("l, ", meaning));
  } else if (l == 1) {
    check_shape(named, {rows, cols}, meaning);
  } else {
    fail(kOp, ": ", named.name, " has shape ", shape_string(tensor), ", want [", l, ", ", rows, ", ", cols, "] = l, ",
         meaning);
  }
  Batch batch{.tensor = tensor};
  if (tensor.rank == 2) {
    batch.tensor.rank = 3;
    batch.tensor.shape = {1, rows, cols};
    batch.tensor.strides = {rows * cols, tensor.strides[0], tensor.strides[1]};
  }
  if (tensor.elements() == 0) return batch;
  const auto& strides = batch.tensor.strides;
  batch.row_stride = rows > 1 ? strides[1] : cols;
  batch.batch_stride = l > 1 ? strides[0] : rows * batch.row_stride;
  const auto refuse = [&](std::string_view what, int64_t stride, const std::string& wanted) {
    fail(kOp, ": ", named.name, " has ", what, " stride ", stride, ", want ", wanted, "; pass a contiguous copy");
  };
  if (cols > 1 && strides[2] != 1) refuse("column", strides[2], "1");
  if (batch.row_stride < cols || batch.row_stride % step != 0) {
    refuse("row", batch.row_stride, str("a multiple of ", step, " (16 bytes are moved at once) of at least ", cols));
  }
  const int64_t extent = (rows - 1) * batch.row_stride + cols;
  if (l > 1 && (batch.batch_stride < extent || batch.batch_stride % step != 0)) {
    refuse("batch", batch.batch_stride, str("a multiple of ", step, " of at least ", extent));
  }
  return batch;
}

struct Operand {
  Batch packed;
  const uint8_t* scales = nullptr;
  int64_t scales_stride = 0;
};

// One operand: packed values and their scales. `rows_name` is m or n.
Operand check_operand(const GemmProblem& p, const Named& packed, const Named& scales, int64_t rows,
                      std::string_view rows_name, MemoryDevice here) {
  check_dtype(packed, {DType::kU8});
  Operand operand{.packed = check_batch(packed, p.l, rows, p.k / 2, 16, str(rows_name, ", k / 2"))};
  check_device(packed, here);
  check_aligned(packed, 16);
  operand.scales = static_cast<const uint8_t*>(scales.tensor.data);
  operand.scales_stride = gemm_scale_bytes(p.format, rows, p.k);
  check_scales(scales, p.l * operand.scales_stride,
               str(p.l > 1 ? "l * " : "", "align(", rows_name, ", 128) * align(k / ", scale_block(p.format), ", 4)"));
  check_device(scales, here);
  check_aligned(scales, 16);
  return operand;
}

// A that the kernel quantises: values, no scales, and what to quantise with.
Operand check_values(const GemmProblem& p, const GemmArgs& args, MemoryDevice here) {
  const Named a{kOp, "a", args.a};
  check_dtype(a, {p.a_dtype});
  Operand operand{.packed = check_batch(a, p.l, p.m, p.k, 8, "m, k")};
  check_device(a, here);
  check_aligned(a, 16);
  if (args.a_scales.data != nullptr) {
    fail(kOp, ": a_scales has shape ", shape_string(args.a_scales), ", want none: a of ", name_of(p.a_dtype),
         " is quantised by the kernel, whose scales stay in it");
  }
  return operand;
}

TensorMap encode(const runtime::ByteTensor& tensor, const Device& device, std::string_view what) {
  return std::bit_cast<TensorMap>(runtime::encode_tensor_map(device, tensor, what));
}

// Over {k / 2, rows, batches}.
TensorMap map_of(const Batch& packed, int box_rows, int box_bytes, const Device& device, std::string_view what) {
  const auto& [batches, rows, row_bytes] =
      std::array{packed.tensor.shape[0], packed.tensor.shape[1], packed.tensor.shape[2]};
  return encode({.data = packed.tensor.data,
                 .rank = 3,
                 .sizes = {row_bytes, rows, batches},
                 .strides = {packed.row_stride, packed.batch_stride},
                 .box = {box_bytes, box_rows, 1},
                 .swizzle_bytes = box_bytes},
                device, what);
}

// All that a launch takes, checked.
struct Checked {
  Operand a, b;
  Batch out;
  const float *alpha, *bias, *a_global_scale;
  uint8_t* workspace;
};

Checked check_args(const GemmPlan& plan, const GemmArgs& args, const Workspace& workspace, MemoryDevice here) {
  const GemmProblem& p = plan.problem;
  const bool quantizes = p.a_dtype != DType::kU8;
  Checked checked{.a = quantizes
                           ? check_values(p, args, here)
                           : check_operand(p, {kOp, "a", args.a}, {kOp, "a_scales", args.a_scales}, p.m, "m", here),
                  .b = check_operand(p, {kOp, "b", args.b}, {kOp, "b_scales", args.b_scales}, p.n, "n", here),
                  .out = {},
                  .alpha = static_cast<const float*>(args.alpha.data),
                  .bias = static_cast<const float*>(args.bias.data),
                  .a_global_scale = static_cast<const float*>(args.a_global_scale.data),
                  .workspace = static_cast<uint8_t*>(workspace.data)};
  if (args.alpha.data != nullptr) {
    check_scalar({kOp, "alpha", args.alpha}, here);
    check_aligned({kOp, "alpha", args.alpha}, 4);
  }
  if (args.a_global_scale.data != nullptr) {
    if (!quantizes) fail(kOp, ": a_global_scale came with packed a, want none: multiply alpha by it");
    check_scalar({kOp, "a_global_scale", args.a_global_scale}, here);
    check_aligned({kOp, "a_global_scale", args.a_global_scale}, 4);
  }
  if (args.bias.data != nullptr) {
    const Named bias{kOp, "bias", args.bias};
    check_dtype(bias, {DType::kF32});
    check_shape(bias, {p.n}, "n");
    check_contiguous(bias);
    check_device(bias, here);
    check_aligned(bias, 16);
  }
  const Named out{kOp, "out", args.out};
  check_dtype(out, {p.out_dtype});
  checked.out = check_batch(out, p.l, p.m, p.n, 8, "m, n");
  check_device(out, here);
  check_aligned(out, 16);
  if (p.m != 0 && workspace.bytes < plan.workspace_bytes) {
    fail(kOp, ": the workspace has ", workspace.bytes, " bytes, the plan wants ", plan.workspace_bytes,
         "; allocate plan.workspace_bytes and clear them once with workspace_init");
  }
  if (const auto past = reinterpret_cast<uintptr_t>(workspace.data) % 256; past != 0) {
    fail(kOp, ": the workspace starts at a multiple of 256 bytes plus ", past, ", want a multiple of 256");
  }
  return checked;
}

// Maps as nvfp4_gemm_skinny_traits.h has them. A dimension of one has a stride that is not used.
template <class Traits>
void launch_skinny(const GemmPlan& plan, const Checked& args, const Stream& stream) {
  const GemmProblem& p = plan.problem;
  const Batch& b = args.b.packed;
  const bool is_grouped = Traits::is_grouped(p.n);
  const auto b_map = [&](int chunks) {
    return encode({.data = b.tensor.data,
                   .rank = 4,
                   .sizes = {p.k / 2, is_grouped ? 32 : p.n, is_grouped ? p.n / 32 : 1, p.l},
                   .strides = {b.row_stride, is_grouped ? 32 * b.row_stride : b.row_stride, b.batch_stride},
                   .box = {chunks * kChunkK / 2, Traits::kQuarterRows, is_grouped ? 4 : 1, 1},
                   .swizzle_bytes = Traits::kColumnBytes},
                  stream.device, "gemm: b");
  };
  const auto scale_map = [&](const Operand& operand, int octets, std::string_view what) {
    return encode({.data = operand.scales,
                   .rank = 4,
                   .sizes = {Traits::kOctetScaleBytes, 4, operand.scales_stride / kScaleAtomBytes, p.l},
                   .strides = {Traits::kOctetScaleBytes, kScaleAtomBytes, operand.scales_stride},
                   .box = {Traits::kOctetScaleBytes, octets, Traits::kColumnChunks, 1},
                   .swizzle_bytes = 0},
                  stream.device, what);
  };
  Nvfp4GemmSkinnyParams params{
      .a_map = {},
      .b_map = {b_map(4), b_map(3), b_map(2), b_map(1)},
      .a_scale_map = {},
      .b_scale_map = scale_map(args.b, Traits::kOctets, "gemm: b_scales"),
      .work = StreamKWork::of(plan.tiles, plan.shared_tiles, Traits::chunks_of_k(p.k), plan.sharing_blocks),
      .row_tiles = math::Divisor::of(static_cast<uint32_t>(Traits::row_tiles(p.n))),
      .m = static_cast<int32_t>(p.m),
      .n = static_cast<int32_t>(p.n),
      .k = static_cast<int32_t>(p.k),
      .alpha = args.alpha,
      .bias = args.bias,
      .c = args.out.tensor.data,
      .workspace = args.workspace,
      .c_row_stride = args.out.row_stride,
      .c_batch_stride = args.out.batch_stride,
      .x = args.a.packed.tensor.data,
      .global_scale = args.a_global_scale,
      .x_row_stride = args.a.packed.row_stride,
      .is_reciprocal = p.a_scale_is_reciprocal};
  if constexpr (!Traits::kQuantizes) {
    params.a_map = map_of(args.a.packed, Traits::kTokens, Traits::kColumnBytes, stream.device, "gemm: a");
    params.a_scale_map = scale_map(args.a, Traits::kTokenTiles, "gemm: a_scales");
  }
  runtime::launch(plan, &params, stream);
}

void launch_tiled(const GemmPlan& plan, const Checked& args, const Stream& stream) {
  const GemmProblem& p = plan.problem;
  const int row_bytes = plan.tile_k / 2;
  const Fp4GemmTiledParams params{
      .a_map = map_of(args.a.packed, plan.tile_m, row_bytes, stream.device, "gemm: a"),
      .b_map = map_of(args.b.packed, plan.tile_n, row_bytes, stream.device, "gemm: b"),
      .a_scales = args.a.scales,
      .b_scales = args.b.scales,
      .a_scales_stride = args.a.scales_stride,
      .b_scales_stride = args.b.scales_stride,
      .alpha = args.alpha,
      .bias = args.bias,
      .c = args.out.tensor.data,
      .c_row_stride = args.out.row_stride,
      .c_batch_stride = args.out.batch_stride,
      .workspace = args.workspace,
      .m = static_cast<int32_t>(p.m),
      .n = static_cast<int32_t>(p.n),
      .k = static_cast<int32_t>(p.k),
      .row_tiles = static_cast<int32_t>(ceil_div(p.m, plan.tile_m)),
      .column_tiles = static_cast<int32_t>(ceil_div(p.n, plan.tile_n)),
      .work = StreamKWork::of(plan.tiles, plan.shared_tiles, ceil_div(p.k, plan.tile_k), plan.sharing_blocks)};
  runtime::launch(plan, &params, stream);
}

}  // namespace

void load(const GemmPlan& plan, const Device& device) {
  device.state().load_kernel(plan.kernel, plan.launch.shared_bytes);
}

void run_gemm(const GemmPlan& plan, const GemmArgs& args, const Workspace& workspace, const Stream& stream) {
  const Checked checked = check_args(plan, args, workspace, stream.device.memory());
  if (plan.problem.m == 0) return;
  if (plan.problem.a_dtype != DType::kU8) {
    launch_skinny<Nvfp4GemmSkinnyTraits<1, true>>(plan, checked, stream);
  } else if (plan.family == GemmKernel::kSkinny) {
    with_skinny_traits(plan.tile_m, [&]<int kTokenTiles> {
      launch_skinny<Nvfp4GemmSkinnyTraits<kTokenTiles>>(plan, checked, stream);
    });
  } else {
    launch_tiled(plan, checked, stream);
  }
}

}  // namespace b12x

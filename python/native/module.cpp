// module.cpp: what Python calls. Tensors come in by DLPack and decide the device: CPU tensors run on the simulated card
// (in place, finished when the call returns), CUDA tensors on their GPU and the framework's current stream. Every call
// plans (pure, microseconds), loads on first use, takes a workspace from a pool and runs.
#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/tuple.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/function.h>
#include <tvm/ffi/optional.h>
#include <tvm/ffi/string.h>

#include <map>
#include <mutex>
#include <vector>

#include "b12x/device.hpp"
#include "b12x/gemm.hpp"
#include "b12x/quant.hpp"
#include "b12x/workspace.hpp"
#include "convert.hpp"

namespace b12x::python {
namespace {

namespace ffi = tvm::ffi;
using OptionalTensor = ffi::Optional<ffi::TensorView>;

// Which driver serves which tensors. CPU: the bundled simulator; CUDA: the system's; select_driver replaces either.
class Drivers {
 public:
  Device device(MemoryDevice memory) {
    const std::lock_guard lock(mutex_);
    const Device device = Device::open(memory.place == Place::kCpu ? cpu_ : cuda_, memory.ordinal);
    if (device.memory() == memory) return device;
    throw Error(ErrorKind::kDriver, "driver " + device.driver() + " cannot use memory on " + to_string(memory));
  }

  Place select(const std::string& name) {
    const Place place = Device::open(name).memory().place;
    const std::lock_guard lock(mutex_);
    (place == Place::kCpu ? cpu_ : cuda_) = name;
    return place;
  }

 private:
  std::mutex mutex_;
  std::string cpu_ = "sim";
  std::string cuda_ = "gpu";
};

// Kept until the process ends: drivers may be gone before static destructors run.
Drivers& drivers() {
  static auto& instance = *new Drivers;
  return instance;
}

// CPU calls take turns: two threads may pass the same tensor, which can be registered once only.
std::mutex& cpu_turn() {
  static std::mutex mutex;
  return mutex;
}

// Runs `body(stream)` where `tensors` lie (the first one decides; the op's checks refuse the others).
template <class Body>
void run_on(const std::vector<TensorView>& tensors, Body&& body) {
  const MemoryDevice memory = tensors.front().device;
  const Device device = drivers().device(memory);
  if (memory.place == Place::kCuda) {
    body(Stream{device, TVMFFIEnvGetStream(kDLCUDA, memory.ordinal)});
    return;
  }
  const std::lock_guard lock(cpu_turn());
  const HostMemoryScope scope(device, tensors);
  const Stream stream{device};
  body(stream);
  check_status(stream);
}

void global_scale(ffi::TensorView x_in, ffi::TensorView out) {
  with_errors([&] {
    const TensorView x = view_of("quantize_nvfp4: x", x_in);
    const GlobalScaleArgs args{.x = x, .global_scale = view_of("quantize_nvfp4: global_scale", out)};
    static auto& pool = *new WorkspacePool("global_scale");
    run_on({args.x, args.global_scale}, [&](const Stream& stream) {
      const GlobalScalePlan plan =
          plan_global_scale({.rows = x.shape[0], .cols = x.shape[1], .dtype = x.dtype}, stream.device.info());
      load(plan, stream.device);
      run_global_scale(plan, args, pool.get(stream, plan.workspace_bytes), stream);
    });
  });
}

// x: [rows, cols] or [groups, rows, cols]. input: 0 plain, 1 gate then up, 2 up then gate.
void quantize(ffi::TensorView x_in, ffi::TensorView scale_in, ffi::TensorView packed, ffi::TensorView scales,
              OptionalTensor row_counts, int64_t input, bool global_scale_is_reciprocal) {
  with_errors([&] {
    const TensorView x = view_of("quantize_nvfp4: x", x_in);
    QuantizeArgs args{.x = x,
                      .global_scale = view_of("quantize_nvfp4: global_scale", scale_in),
                      .packed = view_of("quantize_nvfp4: packed", packed),
                      .scales = view_of("quantize_nvfp4: scales", scales)};
    std::vector<TensorView> tensors{args.x, args.global_scale, args.packed, args.scales};
    if (row_counts.has_value()) {
      args.row_counts = view_of("quantize_nvfp4: row_counts", *row_counts);
      tensors.push_back(args.row_counts);
    }
    const QuantizeInput layout = input == 0   ? QuantizeInput::kPlain
                                 : input == 1 ? QuantizeInput::kGateUp
                                              : QuantizeInput::kUpGate;
    const int64_t x_cols = x.shape[x.rank - 1];
    run_on(tensors, [&](const Stream& stream) {
      const QuantizePlan plan = plan_quantize({.rows = x.shape[x.rank - 2],
                                               .cols = layout == QuantizeInput::kPlain ? x_cols : x_cols / 2,
                                               .dtype = x.dtype,
                                               .input = layout,
                                               .groups = x.rank == 3 ? x.shape[0] : 1,
                                               .global_scale_is_reciprocal = global_scale_is_reciprocal},
                                              stream.device.info());
      load(plan, stream.device);
      run_quantize(plan, args, {}, stream);
    });
  });
}

void quantize_mxfp8(ffi::TensorView x, ffi::TensorView values, ffi::TensorView scales) {
  with_errors([&] {
    const QuantizeMxfp8Args args{.x = view_of("quantize_mxfp8: x", x),
                                 .values = view_of("quantize_mxfp8: values", values),
                                 .scales = view_of("quantize_mxfp8: scales", scales)};
    run_on({args.x, args.values, args.scales}, [&](const Stream& stream) {
      const QuantizeMxfp8Plan plan = plan_quantize_mxfp8(
          {.rows = args.x.shape[0], .cols = args.x.shape[1], .dtype = args.x.dtype}, stream.device.info());
      load(plan, stream.device);
      run_quantize_mxfp8(plan, args, {}, stream);
    });
  });
}

Fp4Format format_of(const ffi::String& name) {
  if (name == "nvfp4") return Fp4Format::kNvfp4;
  if (name == "mxfp4") return Fp4Format::kMxfp4;
  throw Error(ErrorKind::kArgument, "gemm: format is '" + std::string(name) + "', want nvfp4 or mxfp4");
}

// a and b are [rows, k / 2] or [l, rows, k / 2], or a is [rows, k] of values to quantise; what does not fit is refused
// by run_gemm.
GemmProblem problem_of(const TensorView& a, const TensorView& b, DType out, const ffi::String& format,
                       bool scale_is_reciprocal) {
  const bool is_batch = a.rank == 3, is_packed = a.dtype != DType::kBf16 && a.dtype != DType::kF16;
  return {.m = a.shape[is_batch],
          .n = b.shape[b.rank == 3],
          .k = (is_packed ? 2 : 1) * a.shape[1 + is_batch],
          .l = is_batch ? a.shape[0] : 1,
          .out_dtype = out,
          .format = format_of(format),
          .a_dtype = is_packed ? DType::kU8 : a.dtype,
          .a_scale_is_reciprocal = scale_is_reciprocal};
}

// a_scales: of packed a. a_global_scale: of values.
void gemm(ffi::TensorView a, OptionalTensor a_scales, OptionalTensor a_global_scale, ffi::TensorView b,
          ffi::TensorView b_scales, OptionalTensor alpha, OptionalTensor bias, ffi::TensorView out, ffi::String format,
          bool scale_is_reciprocal) {
  with_errors([&] {
    GemmArgs args{.a = view_of("gemm: a", a),
                  .a_scales = {},
                  .b = view_of("gemm: b", b),
                  .b_scales = view_of("gemm: b_scales", b_scales),
                  .alpha = {},
                  .bias = {},
                  .out = view_of("gemm: out", out)};
    std::vector<TensorView> tensors{args.a, args.b, args.b_scales, args.out};
    const auto take = [&](TensorView& into, const char* name, const OptionalTensor& tensor) {
      if (!tensor.has_value()) return;
      into = view_of(name, *tensor);
      tensors.push_back(into);
    };
    take(args.a_scales, "gemm: a_scales", a_scales);
    take(args.a_global_scale, "gemm: a_global_scale", a_global_scale);
    take(args.alpha, "gemm: alpha", alpha);
    take(args.bias, "gemm: bias", bias);
    static auto& pool = *new WorkspacePool("gemm");
    run_on(tensors, [&](const Stream& stream) {
      const GemmPlan plan =
          plan_gemm(problem_of(args.a, args.b, args.out.dtype, format, scale_is_reciprocal), stream.device.info());
      load(plan, stream.device);
      run_gemm(plan, args, pool.get(stream, plan.workspace_bytes), stream);
    });
  });
}

// Whether one launch quantises `a`, as it lies in memory, and multiplies it by NVFP4 b.
bool gemm_quantizes(ffi::TensorView a, ffi::TensorView b, ffi::TensorView out) {
  return with_errors([&] {
    const TensorView values = view_of("gemm: a", a);
    if (values.rank != 2 || (values.dtype != DType::kBf16 && values.dtype != DType::kF16)) return false;
    const bool is_aligned = reinterpret_cast<uintptr_t>(values.data) % 16 == 0 && values.strides[1] == 1 &&
                            (values.shape[0] <= 1 || values.strides[0] % 8 == 0);
    if (!is_aligned) return false;
    return can_quantize_a(problem_of(values, view_of("gemm: b", b), view_of("gemm: out", out).dtype, "nvfp4", false));
  });
}

// "cpu" or "cuda": where tensors must lie to run on the driver that is selected.
ffi::String select_driver(ffi::String name) {
  return with_errors([&] { return ffi::String(drivers().select(name) == Place::kCpu ? "cpu" : "cuda"); });
}

MemoryDevice memory_of(const ffi::String& place, int64_t ordinal) {
  return {place == "cpu" ? Place::kCpu : Place::kCuda, static_cast<int>(ordinal)};
}

// (name, compute capability, SMs, shared bytes a block, driver, is simulated)
ffi::Tuple<ffi::String, int64_t, int64_t, int64_t, ffi::String, bool> device_info(ffi::String place, int64_t ordinal) {
  return with_errors([&] {
    const Device device = drivers().device(memory_of(place, ordinal));
    const DeviceInfo& info = device.info();
    return ffi::Tuple<ffi::String, int64_t, int64_t, int64_t, ffi::String, bool>(
        info.name, info.compute_capability, info.sm_count, info.shared_bytes_per_block, device.driver(),
        device.is_simulated());
  });
}

using StatRow = ffi::Tuple<ffi::String, int64_t, int64_t, double>;

ffi::Array<StatRow> kernel_stats_of(ffi::String place, int64_t ordinal) {
  return with_errors([&] {
    ffi::Array<StatRow> rows;
    for (const KernelStat& stat : kernel_stats(drivers().device(memory_of(place, ordinal)))) {
      rows.push_back(
          StatRow(stat.name, static_cast<int64_t>(stat.calls), static_cast<int64_t>(stat.instructions), stat.seconds));
    }
    return rows;
  });
}

void reset_kernel_stats_of(ffi::String place, int64_t ordinal) {
  with_errors([&] { reset_kernel_stats(drivers().device(memory_of(place, ordinal))); });
}

DType dtype_of(const char* name, const ffi::String& given, std::initializer_list<DType> known) {
  std::string wanted;
  for (const DType dtype : known) {
    if (given == name_of(dtype)) return dtype;
    wanted += std::string(wanted.empty() ? "" : ", ") + name_of(dtype);
  }
  throw Error(ErrorKind::kArgument,
              "gemm: " + std::string(name) + " is '" + std::string(given) + "', want one of " + wanted);
}

// (kernel, plan as one line, {tile m, n, k, stages, tiles, shared tiles, blocks, threads, shared bytes, workspace
// bytes}, {MMAs, useful MMAs, compulsory bytes, read bytes}, waves, balance)
using PlanRow = ffi::Tuple<ffi::String, ffi::String, ffi::Array<int64_t>, ffi::Array<int64_t>, double, double>;

PlanRow row_of(const GemmPlan& plan, const DeviceInfo& card) {
  const GemmCost cost = gemm_cost(plan, card);
  return PlanRow(ffi::String(std::string(plan.kernel)), ffi::String(to_string(plan)),
                 ffi::Array<int64_t>{plan.tile_m, plan.tile_n, plan.tile_k, plan.stages, plan.tiles, plan.shared_tiles,
                                     int64_t{plan.launch.grid[0]}, int64_t{plan.launch.block[0]},
                                     int64_t{plan.launch.shared_bytes}, static_cast<int64_t>(plan.workspace_bytes)},
                 ffi::Array<int64_t>{cost.mma_count, cost.useful_mma_count, cost.compulsory_bytes, cost.read_bytes},
                 cost.waves, cost.balance);
}

// Every kernel of the format for a card of `sm_count` SMs: (name, can run, is chosen, reason, plan or nothing).
using CandidateRow = ffi::Tuple<ffi::String, bool, bool, ffi::String, ffi::Optional<PlanRow>>;

ffi::Array<CandidateRow> gemm_plans(int64_t m, int64_t n, int64_t k, int64_t l, ffi::String out, ffi::String format,
                                    ffi::String a, int64_t sm_count) {
  return with_errors([&] {
    const GemmProblem problem{.m = m,
                              .n = n,
                              .k = k,
                              .l = l,
                              .out_dtype = dtype_of("out", out, {DType::kBf16, DType::kF16, DType::kF32}),
                              .format = format_of(format),
                              .a_dtype = dtype_of("a", a, {DType::kU8, DType::kBf16, DType::kF16})};
    const DeviceInfo card{
        .name = "", .compute_capability = 120, .sm_count = static_cast<int>(sm_count), .shared_bytes_per_block = 0};
    ffi::Array<CandidateRow> rows;
    for (const GemmCandidate& candidate : gemm_candidates(problem, card)) {
      ffi::Optional<PlanRow> plan;
      if (candidate.can_run) plan = row_of(candidate.plan, card);
      rows.push_back(CandidateRow(ffi::String(candidate.name), candidate.can_run, candidate.is_chosen,
                                  ffi::String(candidate.reason), plan));
    }
    return rows;
  });
}

int64_t kernel_registers_of(ffi::String kernel) {
  return with_errors([&] { return int64_t{kernel_registers(std::string(kernel))}; });
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(global_scale, global_scale);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(quantize, quantize);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(quantize_mxfp8, quantize_mxfp8);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(gemm, gemm);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(gemm_quantizes, gemm_quantizes);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(select_driver, select_driver);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(device_info, device_info);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(kernel_stats, kernel_stats_of);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(reset_kernel_stats, reset_kernel_stats_of);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(gemm_plans, gemm_plans);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(kernel_registers, kernel_registers_of);

}  // namespace b12x::python

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

void gemm(ffi::TensorView a, ffi::TensorView a_scales, ffi::TensorView b, ffi::TensorView b_scales,
          OptionalTensor alpha, ffi::TensorView out) {
  with_errors([&] {
    GemmArgs args{.a = view_of("gemm: a", a),
                  .a_scales = view_of("gemm: a_scales", a_scales),
                  .b = view_of("gemm: b", b),
                  .b_scales = view_of("gemm: b_scales", b_scales),
                  .alpha = {},
                  .out = view_of("gemm: out", out)};
    std::vector<TensorView> tensors{args.a, args.a_scales, args.b, args.b_scales, args.out};
    if (alpha.has_value()) {
      args.alpha = view_of("gemm: alpha", *alpha);
      tensors.push_back(args.alpha);
    }
    static auto& pool = *new WorkspacePool("gemm");
    run_on(tensors, [&](const Stream& stream) {
      const GemmPlan plan =
          plan_gemm({.m = args.a.shape[0], .n = args.b.shape[0], .k = 2 * args.a.shape[1], .out_dtype = args.out.dtype},
                    stream.device.info());
      load(plan, stream.device);
      run_gemm(plan, args, pool.get(stream, plan.workspace_bytes), stream);
    });
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

// One line about the plan that `gemm` would use; for people and tests.
ffi::String describe_gemm(int64_t m, int64_t n, int64_t k, ffi::String place, int64_t ordinal) {
  return with_errors([&] {
    const Device device = drivers().device(memory_of(place, ordinal));
    return ffi::String(to_string(plan_gemm({.m = m, .n = n, .k = k}, device.info())));
  });
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(global_scale, global_scale);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(quantize, quantize);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(quantize_mxfp8, quantize_mxfp8);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(gemm, gemm);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(select_driver, select_driver);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(device_info, device_info);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(kernel_stats, kernel_stats_of);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(reset_kernel_stats, reset_kernel_stats_of);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(describe_gemm, describe_gemm);

}  // namespace b12x::python

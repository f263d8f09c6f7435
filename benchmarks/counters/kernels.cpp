// kernels.cpp: launches every NVFP4 kernel of the library a few times with fixed data, so that a profiler on a GPU and
// the simulator count the same work:  counter_kernels [DRIVER], a driver as Device::open takes it. ncu_compare.py runs
// it under both.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "b12x/device.hpp"
#include "b12x/gemm.hpp"
#include "b12x/quant.hpp"
#include "b12x/workspace.hpp"

using namespace b12x;

namespace {

// Bytes as 16-bit or 32-bit floats between 1 and 2 with either sign: no NaN, no lucky zeros.
std::vector<uint8_t> numbers(int64_t count, DType dtype) {
  std::vector<uint8_t> bytes;
  uint32_t state = 1;
  for (int64_t n = 0; n < count; ++n) {
    state = state * 1664525u + 1013904223u;
    const uint32_t sign = state >> 31, fraction = state >> 8 & 0x7fffff;
    const uint32_t f32 = sign << 31 | 127u << 23 | fraction, f16 = sign << 15 | 15u << 10 | fraction >> 13;
    const uint32_t value = dtype == DType::kF32 ? f32 : dtype == DType::kBf16 ? f32 >> 16 : f16;
    for (int k = 0; k < (dtype == DType::kF32 ? 4 : 2); ++k) bytes.push_back(static_cast<uint8_t>(value >> 8 * k));
  }
  return bytes;
}

TensorView view(const DeviceBuffer& buffer, DType dtype, const Device& device, std::initializer_list<int64_t> shape) {
  return TensorView::contiguous(buffer.data(), dtype, device.memory(), shape);
}

// A cleared workspace.
DeviceBuffer scratch(size_t bytes, const Stream& stream) {
  DeviceBuffer buffer(stream.device, bytes);
  workspace_init({buffer.data(), buffer.bytes()}, stream);
  return buffer;
}

struct Nvfp4 {
  DeviceBuffer packed, scales;
};

Nvfp4 quantize(int64_t rows, int64_t cols, DType dtype, QuantizeInput input, const Stream& stream) {
  const Device& device = stream.device;
  const int64_t wide = input == QuantizeInput::kPlain ? cols : 2 * cols;
  const std::vector<uint8_t> values = numbers(rows * wide, dtype);
  DeviceBuffer x(device, values.size()), gs(device, 4);
  x.upload(values.data(), x.bytes());
  const TensorView x_view = view(x, dtype, device, {rows, wide}), gs_view = view(gs, DType::kF32, device, {1});
  const GlobalScalePlan amax = plan_global_scale({.rows = rows, .cols = wide, .dtype = dtype}, device.info());
  load(amax, device);
  const DeviceBuffer workspace = scratch(amax.workspace_bytes, stream);
  run_global_scale(amax, {.x = x_view, .global_scale = gs_view}, {workspace.data(), workspace.bytes()}, stream);

  Nvfp4 out{DeviceBuffer(device, rows * cols / 2), DeviceBuffer(device, nvfp4_scale_bytes(rows, cols))};
  const QuantizePlan plan = plan_quantize({.rows = rows, .cols = cols, .dtype = dtype, .input = input}, device.info());
  load(plan, device);
  run_quantize(plan,
               {.x = x_view,
                .global_scale = gs_view,
                .packed = view(out.packed, DType::kU8, device, {rows, cols / 2}),
                .scales = view(out.scales, DType::kU8, device, {nvfp4_scale_bytes(rows, cols)})},
               {}, stream);
  check_status(stream);  // x must live until the kernels have read it
  return out;
}

// a, with its scales if it is packed, times `b`.
void multiply(const GemmProblem& problem, const TensorView& a, const TensorView& a_scales, const Nvfp4& b,
              const Stream& stream) {
  const Device& device = stream.device;
  const auto& [m, n, k] = std::array{problem.m, problem.n, problem.k};
  const GemmPlan plan = plan_gemm(problem, device.info());
  load(plan, device);
  const DeviceBuffer c(device, m * n * bytes_of(problem.out_dtype)), workspace = scratch(plan.workspace_bytes, stream);
  run_gemm(plan,
           {.a = a,
            .a_scales = a_scales,
            .b = view(b.packed, DType::kU8, device, {n, k / 2}),
            .b_scales = view(b.scales, DType::kU8, device, {nvfp4_scale_bytes(n, k)}),
            .alpha = {},
            .out = view(c, problem.out_dtype, device, {m, n})},
           {workspace.data(), workspace.bytes()}, stream);
  check_status(stream);
  std::printf("%s\n", to_string(plan).c_str());
}

void multiply_packed(int64_t m, int64_t n, int64_t k, DType out_dtype, const Stream& stream) {
  const Nvfp4 a = quantize(m, k, DType::kBf16, QuantizeInput::kPlain, stream);
  const Nvfp4 b = quantize(n, k, DType::kBf16, QuantizeInput::kPlain, stream);
  multiply({.m = m, .n = n, .k = k, .out_dtype = out_dtype}, view(a.packed, DType::kU8, stream.device, {m, k / 2}),
           view(a.scales, DType::kU8, stream.device, {nvfp4_scale_bytes(m, k)}), b, stream);
}

void quantize_and_multiply(int64_t m, int64_t n, int64_t k, DType dtype, const Stream& stream) {
  const Nvfp4 b = quantize(n, k, DType::kBf16, QuantizeInput::kPlain, stream);
  const std::vector<uint8_t> values = numbers(m * k, dtype);
  DeviceBuffer x(stream.device, values.size());
  x.upload(values.data(), x.bytes());
  multiply({.m = m, .n = n, .k = k, .out_dtype = dtype, .a_dtype = dtype}, view(x, dtype, stream.device, {m, k}), {}, b,
           stream);
}

void run(const char* driver) {
  const Stream stream{Device::open(driver)};
  for (const DType dtype : {DType::kBf16, DType::kF16, DType::kF32}) {
    quantize(512, 1024, dtype, QuantizeInput::kPlain, stream);
    quantize(256, 1024, dtype, QuantizeInput::kGateUp, stream);
  }
  for (const DType dtype : {DType::kBf16, DType::kF16}) {
    multiply_packed(8, 512, 1024, dtype, stream);
    quantize_and_multiply(8, 512, 1024, dtype, stream);
    multiply_packed(64, 512, 1024, dtype, stream);
    multiply_packed(256, 512, 1024, dtype, stream);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "gpu");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "counter_kernels: %s\n", error.what());
    return 1;
  }
  return 0;
}

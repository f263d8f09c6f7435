// gemm.cpp: the whole C++ API in one program. Quantises two matrices to NVFP4 and multiplies them, on the simulated
// card or on a GPU:  example_gemm [sim|gpu]
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "b12x/device.hpp"
#include "b12x/gemm.hpp"
#include "b12x/quant.hpp"
#include "b12x/workspace.hpp"

using namespace b12x;

namespace {

struct Nvfp4 {
  DeviceBuffer packed, scales;
};

Nvfp4 quantize(const std::vector<float>& values, int64_t rows, int64_t cols, const Stream& stream) {
  const Device& device = stream.device;
  DeviceBuffer x(device, values.size() * sizeof(float));
  x.upload(values.data(), x.bytes());
  Nvfp4 out{DeviceBuffer(device, rows * cols / 2), DeviceBuffer(device, nvfp4_scale_bytes(rows, cols))};

  const QuantizePlan plan = plan_quantize({.rows = rows, .cols = cols, .dtype = DType::kF32}, device.info());
  load(plan, device);
  const auto view = [&](const DeviceBuffer& buffer, DType dtype, std::initializer_list<int64_t> shape) {
    return TensorView::contiguous(buffer.data(), dtype, device.memory(), shape);
  };
  run_quantize(plan,
               {.x = view(x, DType::kF32, {rows, cols}),
                .global_scale = {},  // 1: the values below fit as they are
                .packed = view(out.packed, DType::kU8, {rows, cols / 2}),
                .scales = view(out.scales, DType::kU8, {nvfp4_scale_bytes(rows, cols)})},
               {}, stream);
  check_status(stream);  // x must live until the kernel has read it
  return out;
}

int run(const char* driver) {
  const Device device = Device::open(driver);
  const Stream stream{device};
  constexpr int64_t m = 4, n = 8, k = 64;
  const Nvfp4 a = quantize(std::vector<float>(m * k, 1.5f), m, k, stream);
  const Nvfp4 b = quantize(std::vector<float>(n * k, 3.f), n, k, stream);

  const GemmPlan plan = plan_gemm({.m = m, .n = n, .k = k, .out_dtype = DType::kBf16}, device.info());
  load(plan, device);
  DeviceBuffer c(device, m * n * 2), workspace(device, plan.workspace_bytes);
  workspace_init({workspace.data(), workspace.bytes()}, stream);
  const auto bytes = [&](const DeviceBuffer& buffer, std::initializer_list<int64_t> shape) {
    return TensorView::contiguous(buffer.data(), DType::kU8, device.memory(), shape);
  };
  run_gemm(plan,
           {.a = bytes(a.packed, {m, k / 2}),
            .a_scales = bytes(a.scales, {nvfp4_scale_bytes(m, k)}),
            .b = bytes(b.packed, {n, k / 2}),
            .b_scales = bytes(b.scales, {nvfp4_scale_bytes(n, k)}),
            .alpha = {},
            .bias = {},
            .out = TensorView::contiguous(c.data(), DType::kBf16, device.memory(), {m, n})},
           {workspace.data(), workspace.bytes()}, stream);
  check_status(stream);

  std::vector<uint16_t> result(m * n);
  c.download(result.data(), c.bytes());
  std::printf("%s\n%s\nc[0][0] = 0x%04x, want 0x4390 = 288 = 64 * 1.5 * 3\n", device.info().name.c_str(),
              to_string(plan).c_str(), result[0]);
  return result[0] == 0x4390 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "sim");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

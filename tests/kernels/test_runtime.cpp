// Opening drivers and devices, loading images, launching, statistics, workspaces: each failure is one clear error.
#include <algorithm>
#include <cstring>

#include "b12x/quant.hpp"
#include "runtime/device_state.hpp"
#include "runtime/images.hpp"
#include "runtime/tensor_map.hpp"
#include "tests/kernels/support.hpp"

using namespace b12x;
using namespace b12x::testing;

TEST_CASE("the device says what it is and is opened once") {
  const Device device = card();
  CHECK(device.is_simulated());
  CHECK(device.memory() == MemoryDevice{Place::kCpu, 0});
  CHECK(device.info().sm_count > 0);
  CHECK(device.info().shared_bytes_per_block >= 101376);
  CHECK((device.info().compute_capability >= 120 || device.info().compute_capability == 90));
  CHECK(Device::open("sim") == device);
}

TEST_CASE("drivers and devices that cannot be opened") {
  const auto message = [](std::string_view driver, int ordinal = 0) {
    return message_of([&] { Device::open(driver, ordinal); });
  };
  CHECK(contains(message("/nonexistent/libcuda.so.1"), "cannot open /nonexistent/libcuda.so.1"));
  CHECK(contains(message("/nonexistent/libcuda.so.1"), "a driver is \"gpu\", \"sim\" or the path"));
  CHECK(contains(message("libm.so.6"), "driver libm.so.6 has no cuInit: not a CUDA driver"));
  CHECK(contains(message("sim", 7), "no device 7"));
  CHECK(contains(message("sim", -1), "no device -1"));
}

TEST_CASE("a damaged image is named, with what is wrong") {
  const runtime::KernelImage& whole = runtime::kernel_images().front();
  std::vector<unsigned char> bytes(whole.begin, whole.end);
  const auto message = [&](size_t size) {
    const runtime::KernelImage image{whole.entry, bytes.data(), bytes.data() + size, whole.registers};
    return message_of([&] { runtime::load_image(card().state(), image); });
  };
  const std::string head = "kernel " + std::string(whole.entry) + ": its embedded fatbin is corrupt: ";
  CHECK(contains(message(8), head + "it has 8 bytes"));
  CHECK(contains(message(bytes.size() - 100), head));
  CHECK(contains(message(bytes.size() - 100), "its header says " + std::to_string(bytes.size())));
  bytes[0] ^= 0xFF;
  CHECK(contains(message(bytes.size()), head + "it starts with 0x"));
  bytes[0] ^= 0xFF;

  // A whole frame around damaged code: the driver refuses it, and the error names the kernel.
  const std::string directive = ".visible .entry";
  for (auto at = bytes.begin();;) {
    at = std::search(at, bytes.end(), directive.begin(), directive.end());
    if (at == bytes.end()) break;
    std::copy_n("%visible %entry", directive.size(), at);
  }
  const std::string refusal = message(bytes.size());
  CHECK(contains(refusal, "cuModuleLoadData of " + std::string(whole.entry) + " failed: CUDA_ERROR_"));
}

TEST_CASE("a kernel that the library lacks") {
  CHECK(contains(message_of([] { card().state().load_kernel("b12x_no_such_kernel", 0); }),
                 "kernel b12x_no_such_kernel is not in this build"));
}

TEST_CASE("every embedded kernel loads on this card") {
  for (const runtime::KernelImage& image : runtime::kernel_images()) {
    CAPTURE(std::string(image.entry));
    CHECK_NOTHROW(card().state().load_kernel(image.entry, 0));
    CHECK(card().state().find_kernel(image.entry, 0) != nullptr);
  }
}

TEST_CASE("a plan runs only after it was loaded") {
  const Device device = card();
  QuantizePlan plan = plan_quantize({.rows = 1, .cols = 16}, device.info());
  plan.launch.shared_bytes = 60000;  // no load allowed this much
  GuardedBuffer x(32), packed(8), scales(512);
  const QuantizeArgs args{.x = TensorView::contiguous(x.data(), DType::kBf16, {}, {1, 16}),
                          .global_scale = {},
                          .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {1, 8}),
                          .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {512})};
  const std::string message = message_of([&] { run_quantize(plan, args, {}, Stream{device}); });
  CHECK(contains(message, "plan quantize[b12x_nvfp4_quantize_bf16 groups=1 rows=1 cols=16"));
  CHECK(contains(message, "is not loaded on " + device.info().name));
}

TEST_CASE("statistics count calls and what the simulator executed, until they are reset") {
  const Device device = card();
  const QuantizePlan plan = plan_quantize({.rows = 4, .cols = 32}, device.info());
  load(plan, device);
  GuardedBuffer x(4 * 32 * 2), packed(64), scales(512);
  const QuantizeArgs args{.x = TensorView::contiguous(x.data(), DType::kBf16, {}, {4, 32}),
                          .global_scale = {},
                          .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {4, 16}),
                          .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {512})};
  reset_kernel_stats(device);
  for (int i = 0; i < 3; ++i) run_quantize(plan, args, {}, Stream{device});
  check_status(Stream{device});
  const std::vector<KernelStat> stats = kernel_stats(device);
  REQUIRE(stats.size() == 1);
  CHECK(stats[0].name == plan.kernel);
  CHECK(stats[0].calls == 3);
  CHECK(stats[0].instructions > 100);
  CHECK(stats[0].seconds > 0);
  reset_kernel_stats(device);
  CHECK(kernel_stats(device).empty());
}

TEST_CASE("a pool's workspace is cleared, aligned, kept, and only grows") {
  const Device device = card();
  const Stream stream{device};
  WorkspacePool pool("test");
  CHECK(pool.get(stream, 0).data == nullptr);
  const Workspace first = pool.get(stream, 1000);
  CHECK(first.bytes >= 1000);
  CHECK(reinterpret_cast<uintptr_t>(first.data) % 256 == 0);
  const auto* bytes = static_cast<const uint8_t*>(first.data);
  CHECK(std::all_of(bytes, bytes + first.bytes, [](uint8_t byte) { return byte == 0; }));
  CHECK(pool.get(stream, 10).data == first.data);
  const Workspace grown = pool.get(stream, first.bytes + 1);
  CHECK(grown.bytes >= 2 * first.bytes);
  CHECK(grown.data != first.data);
  CHECK(pool.get(stream, 1000).data == grown.data);
}

TEST_CASE("tensor maps: what the driver refuses is said with the tensor's name") {
  alignas(64) static uint8_t memory[4096];
  runtime::ByteTensor tensor{
      .data = memory, .rank = 2, .sizes = {64, 4}, .strides = {64}, .box = {64, 4}, .swizzle_bytes = 64};
  CHECK_NOTHROW(runtime::encode_tensor_map(card(), tensor, "x"));
  tensor.data = memory + 1;
  CHECK(contains(message_of([&] { runtime::encode_tensor_map(card(), tensor, "gemm: a"); }),
                 "cuTensorMapEncodeTiled of gemm: a failed: CUDA_ERROR_INVALID_VALUE"));
  tensor.swizzle_bytes = 48;
  CHECK(contains(message_of([&] { runtime::encode_tensor_map(card(), tensor, "gemm: a"); }), "no swizzle of 48 bytes"));
}

TEST_CASE("host memory is the card's for the scope alone, overlapping views counted once") {
  const Device device = card();
  std::vector<uint16_t> x(4 * 32, 0x3F80);
  std::vector<uint8_t> packed(64, 0), scales(512, 0xFF);
  const TensorView whole = TensorView::contiguous(x.data(), DType::kBf16, {}, {4, 32});
  const TensorView part = TensorView::contiguous(x.data() + 32, DType::kBf16, {}, {2, 32});
  const QuantizeArgs args{.x = whole,
                          .global_scale = {},
                          .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {4, 16}),
                          .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {512})};
  const QuantizePlan plan = plan_quantize({.rows = 4, .cols = 32}, device.info());
  load(plan, device);
  for (int i = 0; i < 2; ++i) {  // the second scope finds the ranges free again
    const HostMemoryScope scope(device, {whole, part, args.packed, args.scales});
    run_quantize(plan, args, {}, Stream{device});
    check_status(Stream{device});
  }
  CHECK(packed[0] == 0x77);                               // 1 / (1 / 6) = 6 in every nibble
  CHECK(scales[0] == reference::encode_e4m3(1.f / 6.f));  // under global scale 1
  CHECK(scales[511] == 0);
}

// Quantisation in CUDA graphs, on two streams, and on memory past 2 GiB.
#include <algorithm>
#include <vector>

#include "tests/kernels/driver_support.hpp"
#include "tests/kernels/quantize_support.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

// A matrix that has its global scale computed and is quantised under it.
struct Chain {
  static constexpr int64_t kRows = 37, kCols = 208;
  const Device device = card();
  GuardedBuffer x{kRows * kCols * 2}, scale{4}, packed{kRows * kCols / 2}, scales{128 * 16};
  DeviceBuffer memory{device, 256};
  GlobalScalePlan scale_plan = plan_global_scale({.rows = kRows, .cols = kCols}, device.info());
  QuantizePlan plan = plan_quantize({.rows = kRows, .cols = kCols}, device.info());

  Chain() {
    load(scale_plan, device), load(plan, device);
    workspace_init({memory.data(), memory.bytes()}, Stream{device});
    check_status(Stream{device});
  }
  std::vector<float> set_input(unsigned seed) {
    std::vector<float> values = random_values(kRows * kCols, seed, 0.1f * static_cast<float>(1 + seed));
    for (float& value : values) value = round_to(value, DType::kBf16);
    x.fill(encode(values, DType::kBf16));
    return values;
  }
  void launch(const Stream& stream) {
    const TensorView view = TensorView::contiguous(x.data(), DType::kBf16, {}, {kRows, kCols});
    const TensorView gs = TensorView::contiguous(scale.data(), DType::kF32, {}, {1});
    run_global_scale(scale_plan, {.x = view, .global_scale = gs}, {memory.data(), memory.bytes()}, stream);
    run_quantize(plan,
                 {.x = view,
                  .global_scale = gs,
                  .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {kRows, kCols / 2}),
                  .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {128 * 16})},
                 {}, stream);
  }
  void check(const std::vector<float>& values) {
    const float gs = reference::global_scale(values);
    CHECK(scale.read_as<float>()[0] == gs);
    check_equal({packed.read(), scales.read()}, reference::quantize(values, kRows, kCols, gs));
  }
};

}  // namespace

TEST_CASE("captured once, replayed on inputs that changed") {
  Chain chain;
  const OwnStream stream;
  const Graph graph(stream, [&] { chain.launch({chain.device, stream.handle}); });
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const std::vector<float> values = chain.set_input(seed);
    graph.replay(stream);
    check_status({chain.device, stream.handle});
    chain.check(values);
  }
}

TEST_CASE("two streams at once, each with its own workspace") {
  Chain one, other;
  const OwnStream first, second;
  for (unsigned round = 0; round < 4; ++round) {
    const std::vector<float> a = one.set_input(round), b = other.set_input(100 - round);
    one.launch({one.device, first.handle});
    other.launch({other.device, second.handle});
    check_status({one.device, first.handle});
    check_status({other.device, second.handle});
    one.check(a), other.check(b);
  }
}

TEST_CASE("rows and groups of x that lie past 2^32 bytes") {
  const Device device = card();
  // Two groups of two rows: 2^31 elements from row to row, so the last row starts 3 * 2^32 bytes after the first.
  constexpr int64_t kCols = 96, kStride = int64_t{1} << 31;
  const DeviceBuffer x(device, (3 * kStride + kCols) * 2);
  std::vector<float> values = random_values(4 * kCols, 9);
  for (float& value : values) value = round_to(value, DType::kBf16);
  for (int64_t row = 0; row < 4; ++row) {
    const std::vector<uint8_t> bytes = encode({&values[row * kCols], &values[row * kCols] + kCols}, DType::kBf16);
    copy_to(static_cast<uint8_t*>(x.data()) + row * kStride * 2, bytes);
  }
  TensorView view = TensorView::contiguous(x.data(), DType::kBf16, {}, {2, 2, kCols});
  view.strides[0] = 2 * kStride, view.strides[1] = kStride;
  const Output got = run_quantize_on(device, {.rows = 2, .cols = kCols, .groups = 2}, view, {0.05f});
  for (int64_t g = 0; g < 2; ++g) {
    const auto first = values.begin() + g * 2 * kCols;
    const reference::Nvfp4 want = reference::quantize({first, first + 2 * kCols}, 2, kCols, 0.05f);
    CHECK(std::equal(want.packed.begin(), want.packed.end(), got.packed.begin() + g * kCols));
    CHECK(std::equal(want.scales.begin(), want.scales.end(), got.scales.begin() + g * 128 * 8));
  }
}

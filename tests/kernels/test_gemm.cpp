// The GEMM kernels against the exact model of the tensor core (bit for bit, on cards that have the block-scaled MMA)
// and against an FP64 product (everywhere): every route of the planner, ragged edges, poisoned padding, strided output.
#include <algorithm>
#include <array>
#include <cmath>

#include "b12x/gemm.hpp"
#include "b12x/workspace.hpp"
#include "tests/kernels/gemm_order.hpp"
#include "tests/kernels/support.hpp"
#include "tests/reference/gemm.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

constexpr uint8_t kNanScale = 0x7F;

// Scales of padding rows are NaN: a kernel that lets them into a result is found out.
reference::Nvfp4 operand(int64_t rows, int64_t k, unsigned seed, bool alternates = false) {
  reference::Nvfp4 tensor = reference::hard_operand(rows, k, seed, alternates);
  for (int64_t row = rows; row < (rows + 127) / 128 * 128; ++row) {
    for (int64_t block = 0; block < k / 16; ++block) tensor.scales[reference::scale_offset(row, block, k)] = kNanScale;
  }
  return tensor;
}

struct DeviceOperand {
  GuardedBuffer packed, scales;
  TensorView packed_view, scales_view;

  explicit DeviceOperand(const reference::Nvfp4& tensor) : packed(tensor.packed.size()), scales(tensor.scales.size()) {
    packed.fill(tensor.packed);
    scales.fill(tensor.scales);
    packed_view = TensorView::contiguous(packed.data(), DType::kU8, {}, {tensor.rows, tensor.cols / 2});
    scales_view = TensorView::contiguous(scales.data(), DType::kU8, {}, {static_cast<int64_t>(tensor.scales.size())});
  }
};

// Runs a * b^T; the output's rows are `gap` elements apart, and what lies between them must stay.
std::vector<uint16_t> run(const DeviceOperand& a, const DeviceOperand& b, DType dtype, const float* alpha,
                          int64_t gap = 0) {
  const Device device = card();
  const Stream stream{device};
  const int64_t m = a.packed_view.shape[0], n = b.packed_view.shape[0], k = 2 * a.packed_view.shape[1];
  const int64_t stride = n + gap;
  GuardedBuffer out(m * stride * 2), alpha_memory(4);
  GemmArgs args{.a = a.packed_view,
                .a_scales = a.scales_view,
                .b = b.packed_view,
                .b_scales = b.scales_view,
                .alpha = {},
                .out = TensorView::contiguous(out.data(), dtype, {}, {m, n})};
  args.out.strides[0] = stride;
  if (alpha != nullptr) {
    alpha_memory.fill(alpha, 4);
    args.alpha = TensorView::contiguous(alpha_memory.data(), DType::kF32, {}, {1});
  }
  const GemmPlan plan = plan_gemm({.m = m, .n = n, .k = k, .out_dtype = dtype}, device.info());
  load(plan, device);
  const DeviceBuffer workspace(device, plan.workspace_bytes);
  workspace_init({workspace.data(), workspace.bytes()}, stream);
  run_gemm(plan, args, {workspace.data(), workspace.bytes()}, stream);
  check_status(stream);
  const std::vector<uint16_t> all = out.read_as<uint16_t>();
  std::vector<uint16_t> result;
  for (int64_t row = 0; row < m; ++row) {
    result.insert(result.end(), &all[row * stride], &all[row * stride] + n);
    const bool is_clean = std::all_of(&all[row * stride] + n, &all[row * stride] + stride,
                                      [](uint16_t value) { return value == 0xA5A5; });
    if (!is_clean) FAIL("the gap after row ", row, " was written");
  }
  return result;
}

// One 16-bit ulp of the result plus 2^-20 of the sum of magnitudes.
void check_close(uint16_t got, const reference::GemmResult& want, float alpha, DType dtype) {
  const bool is_bf16 = dtype == DType::kBf16;
  const double value = is_bf16 ? reference::decode_bf16(got) : reference::decode_f16(got);
  const double exact = alpha * want.exact;
  const double ulp = is_bf16 ? reference::bf16_ulp(exact) : reference::f16_ulp(exact);
  const double limit = ulp + std::ldexp(std::abs(alpha) * want.magnitude, -20);
  if (!(std::abs(value - exact) <= limit)) FAIL("got ", value, ", FP64 has ", exact, ", allowed ", limit);
}

void check_gemm(int64_t m, int64_t n, int64_t k, DType dtype, const float* alpha, int64_t gap = 0) {
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  CAPTURE(std::string(name_of(dtype)));
  const reference::Nvfp4 a = operand(m, k, static_cast<unsigned>(m), true),
                         b = operand(n, k, static_cast<unsigned>(n + k));
  const std::vector<uint16_t> got = run(DeviceOperand(a), DeviceOperand(b), dtype, alpha, gap);
  const GemmPlan plan = plan_gemm({.m = m, .n = n, .k = k, .out_dtype = dtype}, card().info());
  const std::vector<reference::GemmResult> want =
      reference::gemm(a, b, [&](int64_t column) { return order_of_column(plan, column); });
  const float factor = alpha != nullptr ? *alpha : 1.f;
  for (int64_t i = 0; i < m * n; ++i) {
    CAPTURE(i / n);
    CAPTURE(i % n);
    check_close(got[i], want[i], factor, dtype);
    if (!has_block_scaled_mma()) continue;
    const float product = factor * want[i].sum;
    const uint16_t exact = dtype == DType::kBf16 ? reference::encode_bf16(product) : reference::encode_f16(product);
    if (got[i] != exact) FAIL("got bits ", got[i], ", the exact model has ", exact);
  }
}

constexpr float kAlpha = 0.0123f;

}  // namespace

TEST_CASE("every token count around the tiles' edges") {
  for (const int64_t m : {1, 2, 7, 16, 17, 33, 64, 65, 127, 128, 129, 200})
    check_gemm(m, 136, 192, DType::kBf16, &kAlpha);
}

TEST_CASE("widths that fill no tile, and one that fills it exactly") {
  for (const int64_t n : {8, 24, 64, 72, 128, 264}) {
    for (const int64_t m : {5, 40, 70}) check_gemm(m, n, 128, DType::kBf16, nullptr);
  }
}

TEST_CASE("depths from one MMA to more than the pipeline holds") {
  for (const int64_t k : {64, 128, 256, 320, 1152, 1728}) {
    for (const int64_t m : {3, 50, 130}) check_gemm(m, 40, k, DType::kBf16, &kAlpha);
  }
  for (const int64_t k : {32, 96, 160, 1120})
    for (const int64_t m : {1, 12, 30}) check_gemm(m, 136, k, DType::kBf16, &kAlpha);
}

TEST_CASE("half precision output, with and without alpha") {
  const float small = 1e-7f;
  for (const int64_t m : {9, 33, 66}) {
    check_gemm(m, 136, 256, DType::kF16, &small);
    check_gemm(m, 16, 64, DType::kBf16, nullptr);
  }
}

TEST_CASE("rows of the output may be apart") {
  for (const int64_t m : {4, 36, 140}) check_gemm(m, 72, 128, DType::kBf16, &kAlpha, 16);
}

TEST_CASE("a persistent block computes more than one tile") {
  // More tiles than any card has SMs would take minutes; two SMs' worth of a plan shows the same loop.
  const Device device = card();
  DeviceInfo two_sms = device.info();
  two_sms.sm_count = 2;
  const reference::Nvfp4 a = operand(130, 192, 1), b = operand(392, 192, 2);
  const DeviceOperand device_a(a), device_b(b);
  GuardedBuffer out(130 * 392 * 2);
  const GemmPlan plan = plan_gemm({.m = 130, .n = 392, .k = 192}, two_sms);
  REQUIRE(plan.launch.grid[0] == 2);
  load(plan, device);
  run_gemm(plan,
           {.a = device_a.packed_view,
            .a_scales = device_a.scales_view,
            .b = device_b.packed_view,
            .b_scales = device_b.scales_view,
            .alpha = {},
            .out = TensorView::contiguous(out.data(), DType::kBf16, {}, {130, 392})},
           {}, Stream{device});
  check_status(Stream{device});
  CHECK(out.read_as<uint16_t>() == run(device_a, device_b, DType::kBf16, nullptr));
}

TEST_CASE("blocks that end one tile and go on to the next, in one workspace for all shapes") {
  // Few SMs, so that a block has parts of several tiles; bit for bit what each order of sums gives.
  const Device device = card();
  const Stream stream{device};
  const DeviceBuffer workspace(device, 1 << 20);
  workspace_init({workspace.data(), workspace.bytes()}, stream);
  for (const int sms : {3, 5, 7, 16}) {
    DeviceInfo few = device.info();
    few.sm_count = sms;
    for (const auto& [m, n, k] :
         {std::array<int64_t, 3>{1, 520, 832}, {8, 264, 1120}, {13, 640, 448}, {30, 136, 960}}) {
      CAPTURE(sms);
      CAPTURE(m);
      const reference::Nvfp4 a = operand(m, k, 11, true), b = operand(n, k, 12);
      const DeviceOperand device_a(a), device_b(b);
      GuardedBuffer out(m * n * 4);
      const GemmPlan plan = plan_gemm({.m = m, .n = n, .k = k, .out_dtype = DType::kF32}, few);
      REQUIRE(plan.workspace_bytes <= workspace.bytes());
      load(plan, device);
      run_gemm(plan,
               {.a = device_a.packed_view,
                .a_scales = device_a.scales_view,
                .b = device_b.packed_view,
                .b_scales = device_b.scales_view,
                .alpha = {},
                .out = TensorView::contiguous(out.data(), DType::kF32, {}, {m, n})},
               {workspace.data(), workspace.bytes()}, stream);
      check_status(stream);
      const std::vector<float> got = out.read_as<float>();
      const std::vector<reference::GemmResult> want =
          reference::gemm(a, b, [&](int64_t column) { return order_of_column(plan, column); });
      for (int64_t i = 0; i < m * n; ++i) {
        if (!(std::abs(got[i] - want[i].exact) <= std::ldexp(want[i].magnitude, -20)))
          FAIL("output ", i, " is ", got[i]);
        if (has_block_scaled_mma() && got[i] != want[i].sum) FAIL("output ", i, ": ", got[i], " is not ", want[i].sum);
      }
    }
  }
}

TEST_CASE("a NaN scale reaches its own row or column and no other") {
  for (const int64_t m : {20, 50, 100}) {
    CAPTURE(m);
    reference::Nvfp4 a = operand(m, 192, 3), b = operand(72, 192, 4);
    a.scales[reference::scale_offset(m - 2, 7, 192)] = kNanScale;
    b.scales[reference::scale_offset(5, 0, 192)] = kNanScale;
    const std::vector<uint16_t> got = run(DeviceOperand(a), DeviceOperand(b), DType::kBf16, nullptr);
    for (int64_t i = 0; i < m * 72; ++i) {
      const bool is_nan = std::isnan(reference::decode_bf16(got[i]));
      if (is_nan != (i / 72 == m - 2 || i % 72 == 5)) FAIL("row ", i / 72, " column ", i % 72, " is NaN: ", is_nan);
    }
  }
}

TEST_CASE("equal inputs give equal bits") {
  for (const int64_t m : {32, 48, 96}) {
    const DeviceOperand a(operand(m, 512, 5)), b(operand(256, 512, 6));
    CHECK(run(a, b, DType::kBf16, &kAlpha) == run(a, b, DType::kBf16, &kAlpha));
  }
}

TEST_CASE("wrong arguments are refused by name, and nothing is launched") {
  const Device device = card();
  const Stream stream{device};
  const DeviceOperand a(operand(4, 128, 1)), b(operand(16, 128, 2));
  GuardedBuffer out(4 * 16 * 2);
  const GemmArgs good{.a = a.packed_view,
                      .a_scales = a.scales_view,
                      .b = b.packed_view,
                      .b_scales = b.scales_view,
                      .alpha = {},
                      .out = TensorView::contiguous(out.data(), DType::kBf16, {}, {4, 16})};
  const GemmPlan plan = plan_gemm({.m = 4, .n = 16, .k = 128}, device.info());
  load(plan, device);
  const DeviceBuffer workspace(device, plan.workspace_bytes);
  const auto message = [&](auto&& change) {
    GemmArgs args = good;
    change(args);
    return message_of([&] { run_gemm(plan, args, {workspace.data(), workspace.bytes()}, stream); });
  };
  reset_kernel_stats(device);
  CHECK(contains(message([](GemmArgs& g) { g.a.shape[1] = 32; }), "a has shape [4, 32], want [4, 64] = m, k / 2"));
  CHECK(contains(message([](GemmArgs& g) { g.b.shape[0] = 8; }), "b has shape [8, 64], want [16, 64] = n, k / 2"));
  CHECK(contains(message([](GemmArgs& g) { g.a.dtype = DType::kF16; }), "a has dtype float16, want uint8"));
  CHECK(contains(message([](GemmArgs& g) { g.a.strides[0] = 80; }), "a of shape [4, 64] is not contiguous"));
  CHECK(contains(message([](GemmArgs& g) { g.b_scales.shape[0] = 512; }),
                 "b_scales has 512 bytes, want 1024 = align(n, 128) * align(k / 16, 4)"));
  CHECK(contains(message([](GemmArgs& g) { g.b_scales.dtype = DType::kF32; }),
                 "b_scales has dtype float32, want uint8 or float8_e4m3fn"));
  CHECK(contains(message([](GemmArgs& g) { g.a.data = static_cast<char*>(g.a.data) + 8; }),
                 "a starts at an address that is not a multiple of 16"));
  CHECK(contains(message([](GemmArgs& g) { g.b.device = {Place::kCuda, 0}; }), "b is on cuda:0, want cpu"));
  CHECK(contains(message([](GemmArgs& g) { g.out.dtype = DType::kF16; }), "out has dtype float16, want bfloat16"));
  CHECK(contains(message([](GemmArgs& g) { g.out.strides[0] = 20; }), "row stride 20, want a multiple of 8"));
  CHECK(contains(message([](GemmArgs& g) { g.alpha = g.out; }), "alpha has dtype bfloat16, want float32"));
  CHECK(kernel_stats(device).empty());
  out.read();
}

TEST_CASE("no tokens: nothing is launched") {
  const Device device = card();
  const DeviceOperand b(operand(16, 64, 2));
  const GemmPlan plan = plan_gemm({.m = 0, .n = 16, .k = 64}, device.info());
  reset_kernel_stats(device);
  run_gemm(plan,
           {.a = TensorView::contiguous(nullptr, DType::kU8, {}, {0, 32}),
            .a_scales = TensorView::contiguous(nullptr, DType::kU8, {}, {0}),
            .b = b.packed_view,
            .b_scales = b.scales_view,
            .alpha = {},
            .out = TensorView::contiguous(nullptr, DType::kBf16, {}, {0, 16})},
           {}, Stream{device});
  CHECK(kernel_stats(device).empty());
}

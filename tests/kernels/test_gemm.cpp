// The GEMM kernels against the exact model of the tensor core (bit for bit, on cards that have the block-scaled MMA)
// and against an FP64 product (everywhere): every route of the planner, edges of each, formats, batches. What is
// refused is in test_gemm_refusals.cpp, graphs and streams in test_gemm_streams.cpp, the sweep over sizes in
// gemm_sweep.cpp.
#include <algorithm>
#include <array>
#include <cmath>

#include "b12x/gemm.hpp"
#include "b12x/workspace.hpp"
#include "tests/kernels/gemm_case.hpp"
#include "tests/kernels/support.hpp"
#include "tests/reference/gemm.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

constexpr float kAlpha = 0.0123f;

void check(const GemmCase& c) {
  if (const std::string wrong = check_case(card(), c); !wrong.empty()) FAIL_CHECK(to_string(c), ": ", wrong);
}

}  // namespace

TEST_CASE("widths that fill no tile, and one that fills it exactly") {
  for (const int64_t n : {8, 24, 64, 72, 128, 264}) {
    for (const int64_t m : {5, 40, 70}) check({.problem = {.m = m, .n = n, .k = 128}, .alpha = {}});
  }
}

TEST_CASE("depths from half an MMA to more than the pipeline holds") {
  for (const int64_t k : {32, 64, 96, 128, 160, 320, 1120, 1728}) {
    for (const int64_t m : {3, 12, 50, 130}) check({.problem = {.m = m, .n = 40, .k = k}, .alpha = kAlpha});
  }
}

TEST_CASE("MXFP4: rows, widths and depths") {
  for (const int64_t m : {1, 33, 64, 130}) {
    for (const int64_t k : {32, 64, 96, 128, 160, 416}) {
      check({.problem = {.m = m, .n = 72, .k = k, .format = Fp4Format::kMxfp4}, .alpha = kAlpha});
    }
  }
  check({.problem = {.m = 70, .n = 264, .k = 256, .l = 2, .out_dtype = DType::kF32, .format = Fp4Format::kMxfp4},
         .alpha = kAlpha,
         .has_bias = true});
}

TEST_CASE("every output type with alpha and bias, on every kernel") {
  for (const DType dtype : {DType::kBf16, DType::kF16, DType::kF32}) {
    for (const int64_t m : {8, 16, 32, 64, 128}) {
      const GemmProblem problem{.m = m, .n = 136, .k = 192, .out_dtype = dtype};
      check({.problem = problem, .alpha = 1e-6f});
      check({.problem = problem, .alpha = 1e-6f, .has_bias = true});
      check({.problem = problem, .alpha = {}, .has_bias = dtype != DType::kF16});
    }
  }
}

TEST_CASE("batches, their gaps, and gaps between rows") {
  for (const int64_t m : {1, 20, 40, 140}) {
    check({.problem = {.m = m, .n = 72, .k = 160, .l = 3}, .alpha = kAlpha});
    check({.problem = {.m = m, .n = 136, .k = 128, .l = 2, .out_dtype = DType::kF32},
           .alpha = kAlpha,
           .has_bias = true,
           .a_gap = 16,
           .b_gap = 48,
           .out_gap = 8,
           .a_batch_gap = 32,
           .b_batch_gap = 16,
           .out_batch_gap = 24});
    check({.problem = {.m = m, .n = 72, .k = 128}, .alpha = kAlpha, .a_gap = 64, .out_gap = 16});
  }
}

TEST_CASE("activations quantised by the kernel: types, scales, gaps, depths, whole and shared tiles") {
  for (const auto& [a, out] : {std::pair{DType::kBf16, DType::kBf16}, std::pair{DType::kBf16, DType::kF32},
                               std::pair{DType::kF16, DType::kF16}, std::pair{DType::kF16, DType::kF32}}) {
    for (const int64_t k : {32, 64, 288, 1120}) {
      for (const int64_t m : {0, 1, 3, 8}) {
        check({.problem = {.m = m, .n = 136, .k = k, .out_dtype = out, .a_dtype = a},
               .alpha = 1e-3f,
               .has_bias = m == 3,
               .a_gap = m == 8 ? 24 : 0,
               .sm_count = 3,
               .a_global_scale = 0.02f});
      }
    }
    check({.problem = {.m = 5, .n = 264, .k = 2112, .out_dtype = out, .a_dtype = a, .a_scale_is_reciprocal = true},
           .alpha = 1e-3f,
           .sm_count = 7,
           .a_global_scale = 0.5f});
  }
}

TEST_CASE("tiles of 128 x 256, whole and cut, ragged on both sides") {
  // One SM or two: a full wave of tiles, which such a plan wants, is then a few.
  for (const int sms : {1, 5}) {
    check({.problem = {.m = 2049, .n = 264, .k = 96}, .alpha = kAlpha, .sm_count = sms});
  }
  check({.problem = {.m = 2048, .n = 136, .k = 1056, .out_dtype = DType::kF16},
         .alpha = 1e-7f,
         .has_bias = true,
         .sm_count = 11});
}

TEST_CASE("tiles cut along k, in less than a wave and after full waves") {
  for (const int64_t m : {40, 130}) {
    for (const int64_t k : {1536, 2080, 4128}) check({.problem = {.m = m, .n = 136, .k = k}, .alpha = kAlpha});
    check({.problem = {.m = m, .n = 264, .k = 1024, .l = 2}, .alpha = kAlpha, .has_bias = true, .sm_count = 5});
    check({.problem = {.m = m, .n = 520, .k = 800, .out_dtype = DType::kF32}, .alpha = kAlpha, .sm_count = 3});
  }
  check({.problem = {.m = 130, .n = 136, .k = 1536, .format = Fp4Format::kMxfp4}, .alpha = kAlpha});
}

TEST_CASE("a persistent block computes more than one tile") {
  for (const int64_t m : {130, 600}) {
    check({.problem = {.m = m, .n = 392, .k = 192}, .alpha = kAlpha, .sm_count = 2});
  }
}

TEST_CASE("MXFP4 scales from 2^-127 to 2^127, and NaN") {
  // One product a row and column, so that the result is one power of two, or beyond what f32 holds. The scales of the
  // blocks of zeros are least, since the tensor core aligns what it adds to the largest.
  const Device device = card();
  const Stream stream{device};
  constexpr int64_t m = 40, n = 256, k = 64;
  reference::Nvfp4 a{.rows = m,
                     .cols = k,
                     .packed = std::vector<uint8_t>(m * k / 2),
                     .scales = std::vector<uint8_t>(reference::mxfp4_scale_bytes(m, k)),
                     .is_mxfp4 = true};
  reference::Nvfp4 b{.rows = n,
                     .cols = k,
                     .packed = std::vector<uint8_t>(n * k / 2),
                     .scales = std::vector<uint8_t>(reference::mxfp4_scale_bytes(n, k)),
                     .is_mxfp4 = true};
  const auto a_scale = [](int64_t row) { return static_cast<int>(row * 255 / (m - 1)); };
  for (int64_t row = 0; row < m; ++row) {
    a.packed[row * k / 2 + 17] = 0x03;  // k = 34: 1.5
    a.scales[reference::mxfp4_scale_offset(row, 1, k)] = static_cast<uint8_t>(a_scale(row));
  }
  for (int64_t row = 0; row < n; ++row) {
    b.packed[row * k / 2 + 17] = 0x0A;  // -1
    b.scales[reference::mxfp4_scale_offset(row, 1, k)] = static_cast<uint8_t>(row);
  }
  GuardedBuffer a_packed(a.packed.size()), a_scales(a.scales.size()), b_packed(b.packed.size()),
      b_scales(b.scales.size()), out(m * n * 4);
  a_packed.fill(a.packed), a_scales.fill(a.scales), b_packed.fill(b.packed), b_scales.fill(b.scales);
  const GemmPlan plan =
      plan_gemm({.m = m, .n = n, .k = k, .out_dtype = DType::kF32, .format = Fp4Format::kMxfp4}, device.info());
  load(plan, device);
  const auto bytes = [](const GuardedBuffer& buffer, std::initializer_list<int64_t> shape) {
    return TensorView::contiguous(buffer.data(), DType::kU8, {}, shape);
  };
  run_gemm(plan,
           {.a = bytes(a_packed, {m, k / 2}),
            .a_scales = bytes(a_scales, {static_cast<int64_t>(a.scales.size())}),
            .b = bytes(b_packed, {n, k / 2}),
            .b_scales = bytes(b_scales, {static_cast<int64_t>(b.scales.size())}),
            .alpha = {},
            .bias = {},
            .out = TensorView::contiguous(out.data(), DType::kF32, {}, {m, n})},
           {}, stream);
  check_status(stream);
  const std::vector<float> got = out.read_as<float>();
  for (int64_t i = 0; i < m * n; ++i) {
    const int sa = a_scale(i / n), sb = static_cast<int>(i % n);
    CAPTURE(sa);
    CAPTURE(sb);
    if (sa == 255 || sb == 255) {
      CHECK(std::isnan(got[i]));
    } else if (const double want = std::ldexp(-1.5, sa + sb - 254); std::abs(want) >= 0x1p-148) {
      CHECK(got[i] == static_cast<float>(want));  // exact, or infinite
    } else {
      CHECK(std::abs(got[i]) <= 0x1p-148f);  // the tensor core cuts, the stand-in rounds
    }
  }
}

TEST_CASE("blocks that end one tile and go on to the next, in one workspace for all shapes and kernels") {
  // Few SMs, so that a block has parts of several tiles.
  const Stream stream{card()};
  const DeviceBuffer memory(card(), 4 << 20);
  const Workspace workspace{memory.data(), memory.bytes()};
  workspace_init(workspace, stream);
  for (const int sms : {3, 5, 7, 16}) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 520, 832},
                                  {8, 264, 1120},
                                  {50, 392, 1120},
                                  {13, 640, 448},
                                  {130, 136, 1600},
                                  {30, 136, 960},
                                  {70, 72, 2080}}) {
      check({.problem = {.m = m, .n = n, .k = k, .out_dtype = DType::kF32},
             .alpha = {},
             .sm_count = sms,
             .workspace = &workspace});
    }
  }
}

TEST_CASE("a NaN scale reaches its own row or column and no other") {
  for (const int64_t m : {20, 50, 100}) {
    CAPTURE(m);
    const Device device = card();
    const Stream stream{device};
    constexpr int64_t n = 72, k = 192;
    reference::Nvfp4 a = reference::hard_operand(m, k, 3, true), b = reference::hard_operand(n, k, 4, false);
    a.scales[reference::scale_offset(m - 2, 7, k)] = 0x7F;
    b.scales[reference::scale_offset(5, 0, k)] = 0xFF;
    GuardedBuffer a_packed(a.packed.size()), a_scales(a.scales.size()), b_packed(b.packed.size()),
        b_scales(b.scales.size()), out(m * n * 2);
    a_packed.fill(a.packed), a_scales.fill(a.scales), b_packed.fill(b.packed), b_scales.fill(b.scales);
    const auto bytes = [](const GuardedBuffer& buffer, std::initializer_list<int64_t> shape) {
      return TensorView::contiguous(buffer.data(), DType::kU8, {}, shape);
    };
    const GemmPlan plan = plan_gemm({.m = m, .n = n, .k = k}, device.info());
    load(plan, device);
    const DeviceBuffer workspace(device, plan.workspace_bytes);
    workspace_init({workspace.data(), workspace.bytes()}, stream);
    run_gemm(plan,
             {.a = bytes(a_packed, {m, k / 2}),
              .a_scales = bytes(a_scales, {static_cast<int64_t>(a.scales.size())}),
              .b = bytes(b_packed, {n, k / 2}),
              .b_scales = bytes(b_scales, {static_cast<int64_t>(b.scales.size())}),
              .alpha = {},
              .bias = {},
              .out = TensorView::contiguous(out.data(), DType::kBf16, {}, {m, n})},
             {workspace.data(), workspace.bytes()}, stream);
    check_status(stream);
    const std::vector<uint16_t> got = out.read_as<uint16_t>();
    for (int64_t i = 0; i < m * n; ++i) {
      const bool is_nan = std::isnan(reference::decode_bf16(got[i]));
      if (is_nan != (i / n == m - 2 || i % n == 5)) FAIL("row ", i / n, " column ", i % n, " is NaN: ", is_nan);
    }
  }
}

TEST_CASE("no tokens: nothing is launched") {
  const Device device = card();
  for (const Fp4Format format : {Fp4Format::kNvfp4, Fp4Format::kMxfp4}) {
    const GemmPlan plan = plan_gemm({.m = 0, .n = 16, .k = 64, .format = format}, device.info());
    const GuardedBuffer b(16 * 32), b_scales(512);
    reset_kernel_stats(device);
    run_gemm(plan,
             {.a = TensorView::contiguous(nullptr, DType::kU8, {}, {0, 32}),
              .a_scales = TensorView::contiguous(nullptr, DType::kU8, {}, {0}),
              .b = TensorView::contiguous(b.data(), DType::kU8, {}, {16, 32}),
              .b_scales = TensorView::contiguous(b_scales.data(), DType::kU8, {}, {512}),
              .alpha = {},
              .bias = {},
              .out = TensorView::contiguous(nullptr, DType::kBf16, {}, {0, 16})},
             {}, Stream{device});
    CHECK(kernel_stats(device).empty());
  }
}

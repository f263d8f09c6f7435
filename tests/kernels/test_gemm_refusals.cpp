// What run_gemm refuses, tensor by tensor: each message names the tensor, what came and what was wanted, and nothing is
// launched. Sizes that no plan takes are in tests/unit/src/test_plan.cpp.
#include <functional>
#include <vector>

#include "b12x/gemm.hpp"
#include "b12x/workspace.hpp"
#include "tests/kernels/support.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

// Arguments that fit a problem. The checks look at no byte, so all tensors share one aligned address.
struct Fitting {
  GemmProblem problem;
  std::vector<uint8_t> memory = std::vector<uint8_t>(1 << 16);
  uint8_t* base = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory.data()) + 255) / 256 * 256);
  GemmPlan plan = plan_gemm(problem, card().info());
  DeviceBuffer workspace{card(), plan.workspace_bytes};
  GemmArgs args{};

  explicit Fitting(const GemmProblem& p) : problem(p) {
    args = {.a = view(DType::kU8, {p.l, p.m, p.k / 2}),
            .a_scales = view(DType::kU8, {p.l * gemm_scale_bytes(p.format, p.m, p.k)}),
            .b = view(DType::kU8, {p.l, p.n, p.k / 2}),
            .b_scales = view(DType::kU8, {p.l * gemm_scale_bytes(p.format, p.n, p.k)}),
            .alpha = view(DType::kF32, {1}),
            .bias = view(DType::kF32, {p.n}),
            .out = view(p.out_dtype, {p.l, p.m, p.n})};
    if (p.a_dtype == DType::kU8) return;
    args.a = view(p.a_dtype, {p.m, p.k});
    args.a_scales = {};
    args.a_global_scale = view(DType::kF32, {1});
  }
  TensorView view(DType dtype, std::initializer_list<int64_t> shape) const {
    return TensorView::contiguous(base, dtype, {}, shape);
  }
};

struct Refusal {
  std::function<void(GemmArgs&)> change;
  const char* message;
};

// The whole message of each refusal, and no launch.
void check_refused(const Fitting& good, const std::vector<Refusal>& refusals) {
  const Stream stream{card()};
  load(good.plan, card());
  reset_kernel_stats(card());
  for (const Refusal& refusal : refusals) {
    GemmArgs args = good.args;
    refusal.change(args);
    CHECK(message_of([&] { run_gemm(good.plan, args, {good.workspace.data(), good.workspace.bytes()}, stream); }) ==
          refusal.message);
  }
  check_status(stream);
  CHECK(kernel_stats(card()).empty());
}

void move(TensorView& tensor, int bytes) { tensor.data = static_cast<uint8_t*>(tensor.data) + bytes; }
constexpr MemoryDevice kElsewhere{Place::kCuda, 0};

}  // namespace

// The skinny kernel and a tiled one; what they share is checked once.
TEST_CASE("shapes") {
  const Fitting one({.m = 4, .n = 16, .k = 128});
  check_refused(
      one,
      {{[](auto& g) { g.a.shape[2] = 32; }, "gemm: a has shape [1, 4, 32], want [1, 4, 64] = l, m, k / 2"},
       {[](auto& g) { g.b.shape[1] = 8; }, "gemm: b has shape [1, 8, 64], want [1, 16, 64] = l, n, k / 2"},
       {[&](auto& g) { g.b = one.view(DType::kU8, {8, 64}); }, "gemm: b has shape [8, 64], want [16, 64] = n, k / 2"},
       {[&](auto& g) { g.b = one.view(DType::kU8, {1024}); }, "gemm: b has shape [1024], want [16, 64] = n, k / 2"},
       {[](auto& g) { g.out.shape[2] = 24; }, "gemm: out has shape [1, 4, 24], want [1, 4, 16] = l, m, n"},
       {[](auto& g) { g.a_scales.shape[0] = 512; },
        "gemm: a_scales has 512 bytes, want 1024 = align(m, 128) * align(k / 16, 4) (128x4 swizzled, "
        "padded)"},
       {[](auto& g) { g.b_scales.shape[0] = 2048; },
        "gemm: b_scales has 2048 bytes, want 1024 = align(n, 128) * align(k / 16, 4) (128x4 swizzled, "
        "padded)"},
       {[](auto& g) { g.alpha.shape[0] = 2; }, "gemm: alpha has shape [2], want one element"},
       {[](auto& g) { g.bias.shape[0] = 15; }, "gemm: bias has shape [15], want [16] = n"}});
  const Fitting batch({.m = 64, .n = 16, .k = 64, .l = 2, .format = Fp4Format::kMxfp4});
  check_refused(batch,
                {{[&](auto& g) { g.a = batch.view(DType::kU8, {64, 32}); },
                  "gemm: a has shape [64, 32], want [2, 64, 32] = l, m, k / 2"},
                 {[](auto& g) { g.out.shape[0] = 3; }, "gemm: out has shape [3, 64, 16], want [2, 64, 16] = l, m, n"},
                 {[](auto& g) { g.b_scales.shape[0] = 512; },
                  "gemm: b_scales has 512 bytes, want 1024 = l * align(n, 128) * align(k / 32, 4) (128x4 swizzled, "
                  "padded)"}});
}

TEST_CASE("dtypes") {
  check_refused(
      Fitting({.m = 40, .n = 16, .k = 64}),
      {{[](auto& g) { g.a.dtype = DType::kF16; }, "gemm: a has dtype float16, want uint8"},
       {[](auto& g) { g.b.dtype = DType::kE4m3; }, "gemm: b has dtype float8_e4m3fn, want uint8"},
       {[](auto& g) { g.a_scales.dtype = DType::kF32; },
        "gemm: a_scales has dtype float32, want uint8 or float8_e4m3fn"},
       {[](auto& g) { g.b_scales.dtype = DType::kI32; }, "gemm: b_scales has dtype int32, want uint8 or float8_e4m3fn"},
       {[](auto& g) { g.out.dtype = DType::kF16; }, "gemm: out has dtype float16, want bfloat16"},
       {[](auto& g) { g.alpha.dtype = DType::kBf16; }, "gemm: alpha has dtype bfloat16, want float32"},
       {[](auto& g) { g.bias.dtype = DType::kBf16; }, "gemm: bias has dtype bfloat16, want float32"}});
}

TEST_CASE("strides") {
  const Fitting good({.m = 64, .n = 16, .k = 64, .l = 2});
  const char* rows =
      "gemm: a has row stride 40, want a multiple of 16 (16 bytes are moved at once) of at least 32; pass "
      "a contiguous copy";
  check_refused(
      good,
      {{[](auto& g) { g.a.strides[1] = 40; }, rows},
       {[](auto& g) { g.b.strides[1] = 16; },
        "gemm: b has row stride 16, want a multiple of 16 (16 bytes are moved at once) of at least 32; pass a contiguous "
        "copy"},
       {[](auto& g) { g.b.strides[1] = -32; },
        "gemm: b has row stride -32, want a multiple of 16 (16 bytes are moved at once) of at least 32; pass a contiguous "
        "copy"},
       {[](auto& g) { g.out.strides[1] = 20; },
        "gemm: out has row stride 20, want a multiple of 8 (16 bytes are moved at once) of at least 16; pass a contiguous "
        "copy"},
       {[](auto& g) { g.a.strides[2] = 2; }, "gemm: a has column stride 2, want 1; pass a contiguous copy"},
       {[](auto& g) { g.out.strides[2] = 64; }, "gemm: out has column stride 64, want 1; pass a contiguous copy"},
       {[](auto& g) { g.a.strides[0] = 2040; },
        "gemm: a has batch stride 2040, want a multiple of 16 of at least 2048; pass a contiguous copy"},
       {[](auto& g) { g.b.strides[0] = 0; },
        "gemm: b has batch stride 0, want a multiple of 16 of at least 512; pass a contiguous copy"},
       {[](auto& g) { g.a.strides[0] = 2056; },
        "gemm: a has batch stride 2056, want a multiple of 16 of at least 2048; pass a contiguous copy"},
       {[](auto& g) { g.out.strides[0] = 1028; },
        "gemm: out has batch stride 1028, want a multiple of 8 of at least 1024; pass a contiguous copy"},
       {[&](auto& g) {
          g.b_scales = good.view(DType::kU8, {1024, 1});
          g.b_scales.strides[0] = 2;
        },
        "gemm: b_scales of shape [1024, 1] is not contiguous; pass a contiguous copy"},
       {[](auto& g) { g.bias.strides[0] = 2; }, "gemm: bias of shape [16] is not contiguous; pass a contiguous copy"}});
}

TEST_CASE("addresses") {
  const Fitting good({.m = 4, .n = 16, .k = 128});
  check_refused(good, {{[](auto& g) { move(g.a, 8); },
                        "gemm: a starts at a multiple of 16 bytes plus 8, want a multiple of 16; pass a copy"},
                       {[](auto& g) { move(g.b, 1); },
                        "gemm: b starts at a multiple of 16 bytes plus 1, want a multiple of 16; pass a copy"},
                       {[](auto& g) { move(g.a_scales, 4); },
                        "gemm: a_scales starts at a multiple of 16 bytes plus 4, want a multiple of 16; pass a copy"},
                       {[](auto& g) { move(g.b_scales, 12); },
                        "gemm: b_scales starts at a multiple of 16 bytes plus 12, want a multiple of 16; pass a copy"},
                       {[](auto& g) { move(g.out, 2); },
                        "gemm: out starts at a multiple of 16 bytes plus 2, want a multiple of 16; pass a copy"},
                       {[](auto& g) { move(g.bias, 4); },  // four of a token's columns are read at once
                        "gemm: bias starts at a multiple of 16 bytes plus 4, want a multiple of 16; pass a copy"},
                       {[](auto& g) { move(g.alpha, 2); },
                        "gemm: alpha starts at a multiple of 4 bytes plus 2, want a multiple of 4; pass a copy"}});
}

TEST_CASE("values that the kernel quantises") {
  const Fitting good({.m = 4, .n = 16, .k = 128, .a_dtype = DType::kBf16});
  check_refused(
      good,
      {{[](auto& g) { g.a.dtype = DType::kF16; }, "gemm: a has dtype float16, want bfloat16"},
       {[](auto& g) { g.a.shape[1] = 64; }, "gemm: a has shape [4, 64], want [4, 128] = m, k"},
       {[](auto& g) { g.a.strides[0] = 132; },
        "gemm: a has row stride 132, want a multiple of 8 (16 bytes are moved at once) of at least 128; pass a contiguous "
        "copy"},
       {[](auto& g) { move(g.a, 2); },
        "gemm: a starts at a multiple of 16 bytes plus 2, want a multiple of 16; pass a copy"},
       {[](auto& g) { g.a.device = kElsewhere; },
        "gemm: a is on cuda:0, want cpu: all tensors of a call lie on the device that it runs on"},
       {[&](auto& g) { g.a_scales = good.view(DType::kU8, {1024}); },
        "gemm: a_scales has shape [1024], want none: a of bfloat16 is quantised by the kernel, whose scales stay in it"},
       {[](auto& g) { g.a_global_scale.dtype = DType::kF16; }, "gemm: a_global_scale has dtype float16, want float32"},
       {[](auto& g) { g.a_global_scale.shape[0] = 2; }, "gemm: a_global_scale has shape [2], want one element"},
       {[](auto& g) { move(g.a_global_scale, 2); },
        "gemm: a_global_scale starts at a multiple of 4 bytes plus 2, want a multiple of 4; pass a copy"}});
  const Fitting packed({.m = 4, .n = 16, .k = 128});
  check_refused(packed, {{[&](auto& g) { g.a_global_scale = packed.view(DType::kF32, {1}); },
                          "gemm: a_global_scale came with packed a, want none: multiply alpha by it"}});
}

TEST_CASE("devices") {
  const std::string tail = " is on cuda:0, want cpu: all tensors of a call lie on the device that it runs on";
  const Fitting good({.m = 70, .n = 16, .k = 64});
  load(good.plan, card());
  reset_kernel_stats(card());
  const std::pair<const char*, TensorView GemmArgs::*> tensors[] = {
      {"a", &GemmArgs::a},         {"a_scales", &GemmArgs::a_scales}, {"b", &GemmArgs::b},
      {"alpha", &GemmArgs::alpha}, {"b_scales", &GemmArgs::b_scales}, {"bias", &GemmArgs::bias},
      {"out", &GemmArgs::out}};
  for (const auto& [name, member] : tensors) {
    GemmArgs args = good.args;
    (args.*member).device = kElsewhere;
    CHECK(message_of([&] { run_gemm(good.plan, args, {good.workspace.data(), good.workspace.bytes()}, {card()}); }) ==
          "gemm: " + std::string(name) + tail);
  }
  CHECK(kernel_stats(card()).empty());
}

TEST_CASE("workspaces") {
  const Fitting good({.m = 4, .n = 16, .k = 128});
  load(good.plan, card());
  reset_kernel_stats(card());
  const auto message = [&](const Workspace& workspace) {
    return message_of([&] { run_gemm(good.plan, good.args, workspace, {card()}); });
  };
  const std::string bytes = std::to_string(good.plan.workspace_bytes);
  CHECK(message({}) == "gemm: the workspace has 0 bytes, the plan wants " + bytes +
                           "; allocate plan.workspace_bytes and clear them once with workspace_init");
  CHECK(message({good.base + 16, good.plan.workspace_bytes}) ==
        "gemm: the workspace starts at a multiple of 256 bytes plus 16, want a multiple of 256");
  CHECK(kernel_stats(card()).empty());
}

TEST_CASE("a plan of another card's kernel, or one that was not loaded") {
  const Fitting good({.m = 4, .n = 16, .k = 128});
  GemmPlan plan = good.plan;
  plan.launch.shared_bytes += 1024;  // no load allowed this much
  reset_kernel_stats(card());
  const std::string message =
      message_of([&] { run_gemm(plan, good.args, {good.workspace.data(), good.workspace.bytes()}, {card()}); });
  CHECK(contains(message, "plan gemm[b12x_nvfp4_gemm_skinny_m8_bf16 m=4 n=16 k=128"));
  CHECK(contains(message, "is not loaded on " + card().info().name));
  CHECK(kernel_stats(card()).empty());
}

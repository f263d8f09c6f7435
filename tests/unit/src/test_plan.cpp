// Plans: what is chosen for which sizes, how a plan prints, that it is a key, and what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "b12x/error.hpp"
#include "b12x/gemm.hpp"
#include "b12x/quant.hpp"
#include "kernels/gemm/nvfp4_gemm_traits.h"
#include "kernels/quant/quant_traits.h"
#include "runtime/images.hpp"

using namespace b12x;

namespace {

const DeviceInfo kCard{.name = "card", .compute_capability = 120, .sm_count = 188, .shared_bytes_per_block = 101376};
const DeviceInfo kSmallCard{
    .name = "small", .compute_capability = 120, .sm_count = 4, .shared_bytes_per_block = 101376};

template <class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("few tokens stream the weights, more go to tiles") {
  const auto kernel = [](int64_t m) { return std::string(plan_gemm({.m = m, .n = 256, .k = 128}, kCard).kernel); };
  for (const int64_t m : {1, 2, 7, 8}) CHECK(kernel(m) == "b12x_nvfp4_gemm_skinny_m8_bf16");
  for (const int64_t m : {9, 16}) CHECK(kernel(m) == "b12x_nvfp4_gemm_skinny_m16_bf16");
  for (const int64_t m : {17, 32}) CHECK(kernel(m) == "b12x_nvfp4_gemm_skinny_m32_bf16");
  for (const int64_t m : {33, 64}) CHECK(kernel(m) == "b12x_nvfp4_gemm_tiled_m64_bf16");
  for (const int64_t m : {65, 128, 5000}) CHECK(kernel(m) == "b12x_nvfp4_gemm_tiled_bf16");
  CHECK(plan_gemm({.m = 1, .n = 8, .k = 64, .out_dtype = DType::kF16}, kCard).kernel ==
        "b12x_nvfp4_gemm_skinny_m8_f16");
  CHECK(plan_gemm({.m = 20, .n = 8, .k = 96, .out_dtype = DType::kF32}, kCard).kernel ==
        "b12x_nvfp4_gemm_skinny_m32_f32");
  CHECK(plan_gemm({.m = 65, .n = 8, .k = 64, .out_dtype = DType::kF16}, kCard).kernel == "b12x_nvfp4_gemm_tiled_f16");
}

TEST_CASE("gemm launches cover the output once") {
  // Tiles of 128 x 128, persistent: never more blocks than tiles or SMs.
  CHECK(plan_gemm({.m = 200, .n = 136, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{4, 1, 1});
  CHECK(plan_gemm({.m = 4096, .n = 4096, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{188, 1, 1});
  CHECK(plan_gemm({.m = 4096, .n = 4096, .k = 64}, kSmallCard).launch.grid == std::array<uint32_t, 3>{4, 1, 1});
  CHECK(plan_gemm({.m = 40, .n = 136, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{2, 1, 1});
  // Up to 32 tokens every SM streams weights, where there are enough of them.
  CHECK(plan_gemm({.m = 32, .n = 136, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{2, 1, 1});
  CHECK(plan_gemm({.m = 32, .n = 4096, .k = 4096}, kCard).launch.grid == std::array<uint32_t, 3>{188, 1, 1});
  for (const int64_t m : {1, 40, 100}) {
    const GemmPlan plan = plan_gemm({.m = m, .n = 128, .k = 128}, kCard);
    CHECK(plan.launch.shared_bytes <= static_cast<uint32_t>(kCard.shared_bytes_per_block));
    CHECK((plan.workspace_bytes != 0) == (m <= 32));
  }
}

TEST_CASE("the token box of the skinny kernel is the smallest that holds the tokens") {
  const auto box = [](int64_t m) { return plan_gemm({.m = m, .n = 128, .k = 128}, kCard).a_box_rows; };
  CHECK(box(1) == 8);
  CHECK(box(8) == 8);
  CHECK(box(9) == 16);
  CHECK(box(17) == 32);
}

TEST_CASE("gemm sizes that no kernel can do are refused with the reason") {
  const auto message = [](int64_t m, int64_t n, int64_t k, DType dtype = DType::kBf16) {
    return message_of([&] { plan_gemm({.m = m, .n = n, .k = k, .out_dtype = dtype}, kCard); });
  };
  CHECK(contains(message(1, 128, 48), "k is 48, want a positive multiple of 32"));
  CHECK(contains(message(33, 128, 96), "k is 96, want a positive multiple of 64"));
  CHECK(contains(message(1, 128, 0), "k is 0"));
  CHECK(contains(message(1, 12, 64), "n is 12, want a positive multiple of 8"));
  CHECK(contains(message(-1, 8, 64), "m is -1"));
  CHECK(contains(message(int64_t{1} << 31, 8, 64), "m is 2147483648, want 0 to 2147483647"));
  CHECK(contains(message(33, 8, 64, DType::kF32),
                 "out has dtype float32, want bfloat16 or float16, or float32 up to 32 tokens"));
  CHECK(message(0, 8, 64).empty());
}

TEST_CASE("quantise plans: kernel by dtype and input, grid bounded by what is resident") {
  CHECK(plan_quantize({.rows = 1, .cols = 16, .dtype = DType::kF32}, kCard).kernel == "b12x_nvfp4_quantize_f32");
  CHECK(plan_quantize({.rows = 1, .cols = 16, .dtype = DType::kBf16, .input = QuantizeInput::kUpGate}, kCard).kernel ==
        "b12x_nvfp4_silu_mul_quantize_bf16");
  // 128 x 4 scale bytes = 512 threads' work = 2 blocks of 256.
  CHECK(plan_quantize({.rows = 1, .cols = 16}, kCard).launch.grid[0] == 2);
  CHECK(plan_quantize({.rows = 1, .cols = 16, .groups = 5}, kCard).launch.grid[0] == 10);
  CHECK(plan_quantize({.rows = 1 << 20, .cols = 4096}, kCard).launch.grid[0] ==
        188u * Nvfp4QuantizeTraits::kMaxBlocksPerSm);
  CHECK(plan_global_scale({.rows = 9, .cols = 16}, kCard).launch.grid[0] == 2);
  CHECK(plan_global_scale({.rows = 9, .cols = 16}, kCard).workspace_bytes == Nvfp4AmaxTraits::kWorkspaceBytes);
  CHECK(nvfp4_scale_bytes(129, 80) == 256 * 8);
  CHECK(nvfp4_scale_bytes(int64_t{1} << 24, 4096) == int64_t{1} << 32);  // past 2^31
}

TEST_CASE("quantise sizes that no kernel can do are refused with the reason") {
  CHECK(contains(message_of([] { plan_quantize({.rows = 1, .cols = 24}, kCard); }),
                 "quantize_nvfp4: cols is 24, want a multiple of 16"));
  CHECK(contains(message_of([] { plan_quantize({.rows = 1, .cols = 16, .dtype = DType::kU8}, kCard); }),
                 "x has dtype uint8, want bfloat16, float16 or float32"));
  CHECK(contains(message_of([] { plan_quantize({.rows = 1, .cols = 16, .groups = -1}, kCard); }), "groups is -1"));
  CHECK(contains(message_of([] { plan_quantize({.rows = int64_t{1} << 31, .cols = 16}, kCard); }),
                 "rows is 2147483648, want 0 to 2147483520"));
  CHECK(contains(message_of([] { plan_quantize({.rows = 1 << 28, .cols = 128, .groups = 64}, kCard); }),
                 "64 x 268435456 x 128 values, want fewer than about 2^40"));
  CHECK(contains(message_of([] { plan_global_scale({.rows = 1, .cols = 0}, kCard); }), "cols is 0"));
}

TEST_CASE("a plan prints as one line and is a map key") {
  const GemmPlan plan = plan_gemm({.m = 4, .n = 256, .k = 512}, kCard);
  const std::string text = to_string(plan);
  CHECK(contains(text, "gemm[b12x_nvfp4_gemm_skinny_m8_bf16 m=4 n=256 k=512 "));
  CHECK(text.find('\n') == std::string::npos);
  CHECK(contains(to_string(plan_quantize({.rows = 4, .cols = 64}, kCard)),
                 "quantize[b12x_nvfp4_quantize_bf16 groups=1 rows=4"));
  CHECK(contains(to_string(plan_global_scale({.rows = 4, .cols = 64}, kCard)), "ws=8]"));

  std::unordered_map<GemmPlan, int> plans;
  for (const int64_t m : {1, 2, 40}) plans[plan_gemm({.m = m, .n = 256, .k = 512}, kCard)] = static_cast<int>(m);
  CHECK(plans.size() == 3);
  CHECK(plans.at(plan_gemm({.m = 40, .n = 256, .k = 512}, kCard)) == 40);
  CHECK(plan_gemm({.m = 400, .n = 4096, .k = 64}, kCard) != plan_gemm({.m = 400, .n = 4096, .k = 64}, kSmallCard));
}

TEST_CASE("every kernel that a plan can name is in the library") {
  const auto images = runtime::kernel_images();
  const auto has = [&](std::string_view name) {
    return std::any_of(images.begin(), images.end(), [&](const auto& image) { return image.entry == name; });
  };
  for (const DType dtype : {DType::kBf16, DType::kF16, DType::kF32}) {
    CHECK(has(plan_global_scale({.rows = 1, .cols = 16, .dtype = dtype}, kCard).kernel));
    for (const QuantizeInput input : {QuantizeInput::kPlain, QuantizeInput::kGateUp, QuantizeInput::kUpGate}) {
      CHECK(has(plan_quantize({.rows = 1, .cols = 16, .dtype = dtype, .input = input}, kCard).kernel));
    }
    if (dtype == DType::kF32) continue;
    for (const int64_t m : {1, 40, 100})
      CHECK(has(plan_gemm({.m = m, .n = 8, .k = 64, .out_dtype = dtype}, kCard).kernel));
  }
}

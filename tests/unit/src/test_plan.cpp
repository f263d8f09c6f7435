// Plans: what is chosen for which sizes, how a plan prints, that it is a key, and what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "b12x/error.hpp"
#include "b12x/gemm.hpp"
#include "b12x/quant.hpp"
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
  const auto kernel = [](const GemmProblem& problem) { return std::string(plan_gemm(problem, kCard).kernel); };
  const auto of_rows = [&](int64_t m) { return kernel({.m = m, .n = 4096, .k = 128}); };
  for (const int64_t m : {1, 2, 7, 8}) CHECK(of_rows(m) == "b12x_nvfp4_gemm_skinny_m8_bf16");
  for (const int64_t m : {9, 16}) CHECK(of_rows(m) == "b12x_nvfp4_gemm_skinny_m16_bf16");
  for (const int64_t m : {17, 32}) CHECK(of_rows(m) == "b12x_nvfp4_gemm_skinny_m32_bf16");
  for (const int64_t m : {33, 64}) CHECK(of_rows(m) == "b12x_nvfp4_gemm_tiled_64x128_bf16");
  for (const int64_t m : {65, 128, 2047}) CHECK(of_rows(m) == "b12x_nvfp4_gemm_tiled_128x128_bf16");
  for (const int64_t m : {2048, 50000}) CHECK(of_rows(m) == "b12x_nvfp4_gemm_tiled_128x256_bf16");
  // 16 x 2 tiles of 128 x 256 would leave most SMs idle.
  CHECK(kernel({.m = 2048, .n = 512, .k = 128}) == "b12x_nvfp4_gemm_tiled_128x128_bf16");
  CHECK(kernel({.m = 1, .n = 8, .k = 64, .out_dtype = DType::kF16}) == "b12x_nvfp4_gemm_skinny_m8_f16");
  CHECK(kernel({.m = 20, .n = 8, .k = 96, .out_dtype = DType::kF32}) == "b12x_nvfp4_gemm_skinny_m32_f32");
  CHECK(kernel({.m = 4096, .n = 4096, .k = 64, .out_dtype = DType::kF32}) == "b12x_nvfp4_gemm_tiled_128x128_f32");
  for (const int64_t m : {1, 64, 5000}) {
    CHECK(kernel({.m = m, .n = 8, .k = 32, .format = Fp4Format::kMxfp4}) == "b12x_mxfp4_gemm_tiled_64x128_bf16");
  }
}

TEST_CASE("few rows of values are quantised by the gemm, as far as shared memory goes") {
  const auto problem = [](int64_t m, int64_t k, DType a, DType out) {
    return GemmProblem{.m = m, .n = 4096, .k = k, .out_dtype = out, .a_dtype = a};
  };
  const auto kernel = [&](DType a, DType out) {
    return std::string(plan_gemm(problem(3, 4096, a, out), kCard).kernel);
  };
  CHECK(kernel(DType::kBf16, DType::kBf16) == "b12x_nvfp4_gemm_skinny_quantize_m8_bf16");
  CHECK(kernel(DType::kBf16, DType::kF32) == "b12x_nvfp4_gemm_skinny_quantize_m8_bf16_f32");
  CHECK(kernel(DType::kF16, DType::kF16) == "b12x_nvfp4_gemm_skinny_quantize_m8_f16");
  CHECK(kernel(DType::kF16, DType::kF32) == "b12x_nvfp4_gemm_skinny_quantize_m8_f16_f32");

  // 27,648 bytes: 2 KB and 256 bytes of scales a row of 4096.
  const GemmPlan plan = plan_gemm(problem(8, 4096, DType::kBf16, DType::kBf16), kCard);
  const GemmPlan packed = plan_gemm({.m = 8, .n = 4096, .k = 4096}, kCard);
  CHECK(plan.launch.shared_bytes == packed.launch.shared_bytes - 6 * 3072 + 8 * 2304);
  CHECK(plan.shared_tiles == packed.shared_tiles);
  CHECK(plan.sharing_blocks == packed.sharing_blocks);
  CHECK(plan.workspace_bytes == packed.workspace_bytes);
  CHECK(gemm_cost(plan, kCard).read_bytes - gemm_cost(packed, kCard).read_bytes ==
        packed.tiles * (8 * 8192 - 8 * 2048 - 32 * 256));

  const std::pair<int64_t, int64_t> deepest[] = {{1, 49152}, {2, 24576}, {3, 16384}, {4, 12288}, {6, 8192}, {8, 6144}};
  for (const auto& [m, k] : deepest) {
    CHECK(can_quantize_a(problem(m, k, DType::kBf16, DType::kBf16)));
    CHECK_FALSE(can_quantize_a(problem(m, k + 32, DType::kBf16, DType::kBf16)));
  }
  CHECK_FALSE(can_quantize_a({.m = 8, .n = 4096, .k = 4096}));

  const std::string first = " has to be quantised first (quantize_nvfp4): the kernel that does so itself ";
  const auto refusal = [](const GemmProblem& p) { return message_of([&] { plan_gemm(p, kCard); }); };
  CHECK(refusal(problem(9, 64, DType::kBf16, DType::kBf16)) ==
        "gemm: a of bfloat16" + first + "takes at most 8 rows, m is 9");
  CHECK(refusal(problem(8, 6176, DType::kBf16, DType::kBf16)) ==
        "gemm: a of bfloat16" + first + "would want 102432 bytes of shared memory for all of a, 101376 are there");
  CHECK(refusal(problem(1, 64, DType::kF16, DType::kBf16)) == "gemm: a of float16" + first + "has no bfloat16 output");
  GemmProblem other = problem(1, 64, DType::kF16, DType::kF16);
  other.l = 2;
  CHECK(refusal(other) == "gemm: a of float16" + first + "takes one batch, l is 2");
  other = problem(1, 64, DType::kF16, DType::kF16);
  other.format = Fp4Format::kMxfp4;
  CHECK(refusal(other) == "gemm: a of float16" + first + "multiplies nvfp4, not mxfp4");
  CHECK(refusal(problem(1, 64, DType::kF32, DType::kF32)) ==
        "gemm: a has dtype float32, want uint8 (packed FP4), or bfloat16 or float16 to be quantised");
  const std::vector<GemmCandidate> all = gemm_candidates(problem(2, 4096, DType::kBf16, DType::kBf16), kCard);
  REQUIRE(all.size() == 1);
  CHECK(all[0].is_chosen);
}

TEST_CASE("gemm launches cover the output once") {
  const auto plan = [](const GemmProblem& problem, const DeviceInfo& card) { return plan_gemm(problem, card); };
  // Tiles of 128 x 128, persistent: never more blocks than SMs.
  CHECK(plan({.m = 200, .n = 136, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{4, 1, 1});
  CHECK(plan({.m = 200, .n = 136, .k = 64, .l = 3}, kCard).tiles == 12);
  CHECK(plan({.m = 1024, .n = 4096, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{188, 1, 1});
  CHECK(plan({.m = 1024, .n = 4096, .k = 64}, kSmallCard).launch.grid == std::array<uint32_t, 3>{4, 1, 1});
  CHECK(plan({.m = 40, .n = 136, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{2, 1, 1});
  // 2 tiles with k enough for 5 pieces of 6 stages each.
  CHECK(plan({.m = 40, .n = 136, .k = 4096}, kCard).launch.grid == std::array<uint32_t, 3>{10, 1, 1});
  CHECK(plan({.m = 40, .n = 136, .k = 4096}, kCard).shared_tiles == 2);
  // Up to 32 tokens every SM streams weights, where there are enough of them.
  CHECK(plan({.m = 32, .n = 136, .k = 64}, kCard).launch.grid == std::array<uint32_t, 3>{3, 1, 1});
  CHECK(plan({.m = 32, .n = 4096, .k = 4096}, kCard).launch.grid == std::array<uint32_t, 3>{188, 1, 1});
  for (const int64_t m : {1, 40, 100, 4096}) {
    const GemmPlan some = plan({.m = m, .n = 4096, .k = 128}, kCard);
    CHECK(some.launch.shared_bytes <= static_cast<uint32_t>(kCard.shared_bytes_per_block));
    CHECK((some.workspace_bytes != 0) == (m <= 32));
  }
}

TEST_CASE("what a gemm plan costs, counted on paper") {
  // 4096^3: 32 x 16 tiles of 128 x 256, 8 x 32 MMAs each for every one of 64 chunks.
  const GemmPlan wide = plan_gemm({.m = 4096, .n = 4096, .k = 4096}, kCard);
  const GemmCost cost = gemm_cost(wide, kCard);
  CHECK(wide.tiles == 512);
  CHECK(cost.mma_count == 512 * 8 * 32 * 64);
  CHECK(cost.useful_mma_count == cost.mma_count);
  CHECK(cost.compulsory_bytes == 2 * 4096 * (2048 + 256) + 4096 * 4096 * 2);
  CHECK(cost.read_bytes == 16 * 4096 * (2048 + 256) + 32 * 4096 * (2048 + 256));
  // One whole wave, then 324 tiles of 32 stages over 188 SMs: 56 stages for the longest, 55.1 on average.
  CHECK(wide.shared_tiles == 324);
  CHECK(cost.balance == doctest::Approx(512. * 32 / ((32 + 56) * 188)));
  // One token: 2 m16 rows a tile, one n8 column.
  const GemmCost one = gemm_cost(plan_gemm({.m = 1, .n = 4096, .k = 4096}, kCard), kCard);
  CHECK(one.mma_count == 32 * 8 * 64);
  CHECK(one.balance == doctest::Approx(128. * 64 / (44 * 188)));
  CHECK(gemm_cost(plan_gemm({.m = 0, .n = 8, .k = 64}, kCard), kCard).mma_count == 0);
}

TEST_CASE("every kernel of a format says why it was chosen or not") {
  const std::vector<GemmCandidate> all = gemm_candidates({.m = 12, .n = 256, .k = 128}, kCard);
  REQUIRE(all.size() == 6);
  CHECK(contains(all[0].reason, "takes at most 8 rows, m is 12"));
  CHECK_FALSE(all[0].can_run);
  CHECK(all[1].is_chosen);
  CHECK(all[1].plan == plan_gemm({.m = 12, .n = 256, .k = 128}, kCard));
  CHECK(contains(all[2].reason, "comes after the chosen one: 100 % of its MMAs"));  // n8 columns beyond m are left out
  CHECK(all[3].reason ==
        "comes after the chosen one: 400 % of its MMAs, 93 % of its reads, tiles of 64 x 128 on 2 blocks, 1 % balance");
  CHECK(contains(all[4].reason, "is for 2048 rows and more, m is 12"));
  CHECK(gemm_candidates({.m = 12, .n = 256, .k = 128, .format = Fp4Format::kMxfp4}, kCard).size() == 1);
}

TEST_CASE("gemm sizes that no kernel can do are refused with the reason") {
  const auto message = [](int64_t m, int64_t n, int64_t k, DType dtype = DType::kBf16, int64_t l = 1) {
    return message_of([&] { plan_gemm({.m = m, .n = n, .k = k, .l = l, .out_dtype = dtype}, kCard); });
  };
  CHECK(contains(message(1, 128, 48), "k is 48, want a positive multiple of 32"));
  CHECK(contains(message(1, 128, 0), "k is 0"));
  CHECK(contains(message(1, 12, 64), "n is 12, want a positive multiple of 8"));
  CHECK(contains(message(-1, 8, 64), "m is -1"));
  CHECK(contains(message(int64_t{1} << 31, 8, 64), "m is 2147483648, want 0 to 2147483647"));
  CHECK(contains(message(1, 8, 64, DType::kBf16, 0), "l is 0, want 1 to 2147483647"));
  CHECK(contains(message(33, 8, 64, DType::kU8), "out has dtype uint8, want bfloat16, float16 or float32"));
  CHECK(contains(message(1 << 30, 1 << 30, 64), "are more tiles than one launch counts"));
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
  CHECK(plan_global_scale({.rows = 17, .cols = 16}, kCard).launch.grid[0] == 2);
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
    for (const int64_t m : {1, 9, 17, 40, 100, 4096}) {
      CHECK(has(plan_gemm({.m = m, .n = 4096, .k = 64, .out_dtype = dtype}, kCard).kernel));
    }
    CHECK(has(plan_gemm({.m = 1, .n = 8, .k = 64, .out_dtype = dtype, .format = Fp4Format::kMxfp4}, kCard).kernel));
  }
}

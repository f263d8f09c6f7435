// gemm_sweep.cpp: hundreds of GEMMs that reach every edge of every kernel, on the simulator or on a GPU:
//   b12x_gemm_sweep [--driver sim|gpu|PATH] [--slice N] [--of P/Q]
// --slice N runs every N-th case (default 1: all), --of P/Q the P-th of Q parts of what is left. Prints a line for each
// case that fails and a count; the exit code is 1 if any did. How a case is checked: gemm_case.hpp.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "tests/kernels/gemm_case.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

constexpr float kAlpha = 0.0123f;

// Every token count up to 130 and those round 256 and 2048: n, k and the rest go round lists of lengths that have no
// common factor, so that each meets many of the others. Big ones get little n and k.
std::vector<GemmCase> all_cases() {
  constexpr int64_t kWidths[] = {8, 136, 24, 264, 64, 392, 128, 72, 16, 120, 520};
  constexpr int64_t kDepths[] = {64, 32, 192, 96, 128, 352, 1120};
  constexpr DType kTypes[] = {DType::kBf16, DType::kF16, DType::kF32};
  std::vector<int64_t> rows;
  for (int64_t m = 0; m <= 130; ++m) rows.push_back(m);
  for (const int64_t m : {255, 256, 257, 2047, 2048, 2049}) rows.push_back(m);

  std::vector<GemmCase> cases;
  int64_t turn = 0;
  const auto add = [&](int64_t m, Fp4Format format) {
    ++turn;
    const bool is_big = m > 130;
    GemmCase c{.problem = {.m = m,
                           .n = is_big ? kWidths[turn % 4] : kWidths[turn % 11],
                           .k = is_big ? kDepths[turn % 3] : kDepths[turn % 7],
                           .l = turn % 5 == 0 && !is_big ? 2 : 1,
                           .out_dtype = kTypes[turn % 3],
                           .format = format},
               .alpha = kAlpha};
    if (turn % 4 == 0) c.alpha.reset();
    if (c.problem.out_dtype == DType::kF16) c.alpha = 1e-7f;
    c.has_bias = turn % 2 == 0;
    if (turn % 9 == 0) c.a_gap = 16, c.b_gap = 32, c.out_gap = 8;
    if (turn % 10 == 0) c.a_batch_gap = 48, c.b_batch_gap = 16, c.out_batch_gap = 40;
    if (turn % 6 == 0) c.sm_count = static_cast<int>(2 + turn % 17);  // more waves, more pieces
    cases.push_back(c);
  };
  for (int round = 0; round < 2; ++round) {
    for (const int64_t m : rows) add(m, Fp4Format::kNvfp4);
  }
  for (const int64_t m : rows) add(m, Fp4Format::kMxfp4);

  // Depths at which tiles are cut into 2 to 8 pieces, and sizes that need a wave of the widest tile.
  for (const int64_t k : {768, 1536, 1568, 2304, 4096, 6176}) {
    for (const int64_t m : {33, 64, 100}) {
      cases.push_back({.problem = {.m = m, .n = 136, .k = k}, .alpha = kAlpha});
      cases.push_back({.problem = {.m = m, .n = 72, .k = k, .l = 2, .out_dtype = DType::kF32},
                       .alpha = kAlpha,
                       .has_bias = true,
                       .sm_count = 7});
    }
  }
  // Few tokens: whole tiles and a rest that is shared, deep enough for some turns of the ring.
  for (const int64_t m : {1, 8, 9, 16, 17, 32}) {
    for (const int64_t n : {136, 264, 512}) {
      for (const int64_t k : {4096, 6176})
        cases.push_back({.problem = {.m = m, .n = n, .k = k}, .alpha = kAlpha, .sm_count = 3});
    }
  }
  for (const int64_t n : {8, 136, 256, 264, 520}) {
    for (const int sms : {1, 3, 16}) {
      cases.push_back({.problem = {.m = 2049, .n = n, .k = 160}, .alpha = kAlpha, .sm_count = sms});
    }
  }
  // Quantised by the kernel: whole tiles and shared ones, scales of both conventions, all of shared memory.
  for (int64_t m = 0; m <= 8; ++m) {
    const int64_t most = 49152 / std::max<int64_t>(m, 1) / 256 * 256;
    for (const int64_t k : {int64_t{32}, int64_t{96}, int64_t{352}, int64_t{4096}, most}) {
      const DType type = (m + k / 32) % 2 == 0 ? DType::kBf16 : DType::kF16;
      const bool is_wide = k <= 352;
      GemmCase c{.problem = {.m = m, .n = is_wide ? kWidths[(m + k / 32) % 11] : 40, .k = k, .a_dtype = type},
                 .alpha = type == DType::kF16 ? 1e-4f : kAlpha,
                 .has_bias = m % 2 == 0,
                 .a_gap = k == 96 ? 8 : 0,
                 .sm_count = is_wide ? 3 : 5,
                 .a_global_scale = 0.25f};
      c.problem.out_dtype = m % 3 == 0 ? DType::kF32 : type;
      c.problem.a_scale_is_reciprocal = m % 4 == 2;
      cases.push_back(c);
    }
  }
  return cases;
}

}  // namespace

int main(int argc, char** argv) {
  std::string driver = "sim";
  int slice = 1, part = 0, parts = 1;
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--driver") == 0 && has_value) {
      driver = argv[++i];
    } else if (std::strcmp(argv[i], "--slice") == 0 && has_value && std::atoi(argv[i + 1]) > 0) {
      slice = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--of") == 0 && has_value &&
               std::sscanf(argv[i + 1], "%d/%d", &part, &parts) == 2 && parts > 0 && part >= 0 && part < parts) {
      ++i;
    } else {
      std::fprintf(stderr, "usage: %s [--driver sim|gpu|PATH] [--slice N] [--of P/Q, P from 0]\n", argv[0]);
      return 2;
    }
  }
  try {
    const Device device = Device::open(driver);
    const std::vector<GemmCase> cases = all_cases();
    size_t run = 0, failed = 0;
    for (size_t i = 0; i < cases.size(); i += slice) {
      if (static_cast<int>(i / slice % parts) != part) continue;
      ++run;
      const std::string wrong = check_case(device, cases[i]);
      if (wrong.empty()) continue;
      ++failed;
      std::printf("FAILED %s: %s\n", to_string(cases[i]).c_str(), wrong.c_str());
    }
    std::printf("%zu of %zu cases run on %s, %zu failed\n", run, cases.size(), device.info().name.c_str(), failed);
    return failed == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "b12x_gemm_sweep: %s\n", error.what());
    return 1;
  }
}

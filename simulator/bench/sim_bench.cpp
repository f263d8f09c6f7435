// Speed of the simulator on one core, each row a PTX loop of its own: warp instructions per second for register
// arithmetic in a short loop and in one as long as a big kernel, and for shared memory; block-scaled NVFP4 MMAs per
// second; and what it costs to be counted and to be checked. Prints one JSON object; speed.py makes a table of it.
//   sim_bench [--seconds S]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <iterator>
#include <span>
#include <string>

#include "checkers/checkers.hpp"
#include "counters/counters.hpp"
#include "machine/launch.hpp"

namespace {

using namespace sim;

constexpr uint32_t kThreads = 128;  // four warps

struct Row {
  const char* key;
  int unroll;                            // loop bodies; two more instructions and the branch close each round
  std::function<std::string(int)> body;  // body n of the unrolled loop, one instruction
  RunOptions options{};
  std::span<const MakeObserver> observers{};
};

std::string reg(int n) { return "%r" + std::to_string(n); }

// Dependent chains over eight registers, as compilers leave them: integer, logic and fused multiply-add in turn.
std::string alu_body(int n) {
  const std::string d = reg(1 + n % 8), a = reg(1 + (n + 3) % 8), b = reg(1 + (n + 5) % 8);
  switch (n % 4) {
    case 0:
      return "add.s32 " + d + ", " + a + ", " + b + ";\n";
    case 1:
      return "fma.rn.f32 " + d + ", " + a + ", " + b + ", " + d + ";\n";
    case 2:
      return "xor.b32 " + d + ", " + a + ", " + b + ";\n";
    default:
      return "shl.b32 " + d + ", " + a + ", 1;\n";
  }
}

// A row of words per warp, a column with stride 31, and a store.
std::string shared_body(int n) {
  switch (n % 3) {
    case 0:
      return "ld.shared.u32 " + reg(1 + n % 8) + ", [%r20+" + std::to_string(128 * (n % 4)) + "];\n";
    case 1:
      return "ld.shared.u32 " + reg(1 + n % 8) + ", [%r21+" + std::to_string(4 * n) + "];\n";
    default:
      return "st.shared.u32 [%r20+" + std::to_string(128 * (n % 4)) + "], " + reg(1 + n % 8) + ";\n";
  }
}

// Arithmetic and conversion in no regular order: a short pattern is one that branch predictors learn.
std::string mixed_body(int n) {
  const uint32_t random = static_cast<uint32_t>(n) * 2654435761u >> 16;
  const std::string d = reg(1 + static_cast<int>(random % 8)), a = reg(1 + static_cast<int>(random / 8 % 8)),
                    b = reg(1 + static_cast<int>(random / 64 % 8));
  const char* const forms[] = {"add.s32 ", "and.b32 ", "xor.b32 ", "shl.b32 ", "shr.u32 ", "mul.lo.s32 ", "add.f32 ",
                               "mul.f32 ", "max.s32 ", "min.u32 ", "sub.s32 ", "or.b32 ",  "max.f32 "};
  const uint32_t which = random / 512 % 16;
  if (which < std::size(forms)) return forms[which] + d + ", " + a + ", " + b + ";\n";
  if (which == 13) return "fma.rn.f32 " + d + ", " + a + ", " + b + ", " + d + ";\n";
  if (which == 14) return "prmt.b32 " + d + ", " + a + ", " + b + ", 0x5410;\n";
  return "cvt.rn.bf16x2.f32 " + d + ", " + a + ", " + b + ";\n";
}

// A load and a store of a row of shared memory among six instructions of arithmetic, each warp in its own rows.
std::string watched_body(int n) {
  if (n % 8 == 0)
    return "ld.shared.u32 " + reg(1 + n / 8 % 8) + ", [%r20+" + std::to_string(512 * (n / 8 % 4)) + "];\n";
  if (n % 8 == 4)
    return "st.shared.u32 [%r20+" + std::to_string(512 * (n / 8 % 4)) + "], " + reg(1 + n / 8 % 8) + ";\n";
  return alu_body(n);
}

std::string mma_body(int n) {
  const int c = 30 + 4 * (n % 4);
  const std::string acc = "{%f" + std::to_string(c) + ", %f" + std::to_string(c + 1) + ", %f" + std::to_string(c + 2) +
                          ", %f" + std::to_string(c + 3) + "}";
  return "mma.sync.aligned.kind::mxf4nvf4.block_scale.scale_vec::4X.m16n8k64.row.col.f32.e2m1.e2m1.f32.ue4m3 " + acc +
         ", {%r1, %r2, %r3, %r4}, {%r5, %r6}, " + acc + ", %r7, {0, 0}, %r8, {0, 0};\n";
}

std::string program(const Row& row) {
  std::string text =
      ".version 8.8\n.target sm_120a\n.address_size 64\n"
      ".visible .entry bench(.param .u32 rounds)\n.maxntid 128\n{\n"
      ".reg .pred %p<2>;\n.reg .b32 %r<64>;\n.reg .f32 %f<64>;\n.shared .align 16 .b8 area[16384];\n"
      "ld.param.u32 %r0, [rounds];\nmov.u32 %r9, %tid.x;\n";
  for (int n = 1; n <= 8; ++n) text += "mad.lo.s32 " + reg(n) + ", %r9, 2654435761, " + std::to_string(n * 97) + ";\n";
  text += "and.b32 %r7, %r7, 0x3f3f3f3f;\nand.b32 %r8, %r8, 0x3f3f3f3f;\n";  // scales stay small
  for (int n = 30; n < 46; ++n) text += "mov.f32 %f" + std::to_string(n) + ", 0f00000000;\n";
  text +=
      "mov.u32 %r20, area;\nshl.b32 %r21, %r9, 2;\nadd.u32 %r20, %r20, %r21;\n"
      "mov.u32 %r21, area;\nmad.lo.u32 %r21, %r9, 124, %r21;\n$loop:\n";
  for (int n = 0; n < row.unroll; ++n) text += row.body(n);
  text += "sub.s32 %r0, %r0, 1;\nsetp.ne.s32 %p1, %r0, 0;\n@%p1 bra $loop;\nret;\n}\n";
  return text;
}

// The run is on this thread alone; its processor time does not count what other programs take of the core.
double processor_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double measure(const Row& row, double seconds) {
  const auto module = load_ptx(program(row), row.key);
  const Kernel& kernel = *module->kernels.at(0);
  Memory memory;
  LaunchConfig config;
  config.block = {kThreads, 1, 1};
  double best = 0;
  uint32_t rounds = 64;
  for (double spent = 0; spent < seconds;) {
    const double begin = processor_seconds();
    const LaunchResult result =
        run_grid(kernel, config, &rounds, memory, *find_card("rtx-pro-6000"), row.options, row.observers);
    if (result.status != LaunchResult::Status::kOk) {
      std::fprintf(stderr, "sim_bench: %s: %s\n", row.key, result.report.c_str());
      std::exit(1);
    }
    const double taken = processor_seconds() - begin;
    spent += taken;
    const double counted = static_cast<double>(rounds) * row.unroll * (kThreads / kWarpSize);
    if (taken > 0.02)
      best = std::max(best, counted / taken);
    else
      rounds *= 4;
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 1.0;
  for (int n = 1; n < argc; ++n) {
    if (std::strcmp(argv[n], "--seconds") == 0 && n + 1 < argc)
      seconds = std::atof(argv[++n]);
    else
      return std::fprintf(stderr, "usage: sim_bench [--seconds S]\n"), 2;
  }
  setenv("B12X_SIM_THREADS", "1", 1);
  RunOptions counting;
  counting.counts = true;
  const MakeObserver counters[] = {sim::counters::count_grid};
  RunOptions checking;
  checking.checks_races = checking.checks_init = checking.checks_sync = true;
  checking.async = AsyncMode::kHostile;
  const MakeObserver checkers[] = {sim::checkers::check_grid};
  Row rows[] = {{"alu", 32, alu_body},
                {"alu_long", 8000, mixed_body},
                {"shared", 32, shared_body},
                {"mxf4nvf4", 32, mma_body},
                {"watched", 64, watched_body},
                {"counted", 64, watched_body, counting, counters},
                {"checked", 64, watched_body, checking, checkers}};
  std::printf("{");
  for (const Row& row : rows) std::printf("%s\"%s\": %.0f", &row == rows ? "" : ", ", row.key, measure(row, seconds));
  std::printf("}\n");
  return 0;
}

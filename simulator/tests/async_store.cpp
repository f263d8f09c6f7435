// st.async and red.async: what arrives in shared memory, when the mbarrier says so, and what the checks see.
#include "async_kernel.hpp"
#include "checkers_kernel.hpp"

using namespace sim;
using namespace sim::test;

namespace {

std::string on_barrier(uint32_t bytes, const std::string& stores) {
  return "  mbarrier.init.shared::cta.b64 [%r1], 1;\n  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r1], " +
         std::to_string(bytes) + ";\n" + stores +
         "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r1], 0;\n  @!%p1 bra WAIT;\n";
}
std::string show(int count) {
  std::string text;
  for (int k = 0; k < count; ++k)
    text += "  ld.shared.b64 %rd7, [%r2+" + std::to_string(8 * k) + "];\n  st.global.b64 [%rd2+" +
            std::to_string(8 * k) + "], %rd7;\n";
  return text;
}
// Without cluster dimensions an H100 ends st.async and red.async with "illegal instruction".
const Launch kAlone{.block = {1}, .cluster = {1, 1, 1}};
constexpr char kStore[] = ".shared::cluster.mbarrier::complete_tx::bytes";

}  // namespace

TEST_CASE("st.async brings one, two or four registers, and the mbarrier hears of their bytes") {
  const std::string values =
      "  mov.u32 %r4, 0x11111111;\n  mov.u32 %r5, 0x22222222;\n  mov.u32 %r6, 0x33333333;\n  mov.u32 %r7, 0x44444444;\n"
      "  mov.u64 %rd4, 0x5555555555555555;\n  mov.u64 %rd5, 0x6666666666666666;\n";
  std::string zeros;
  for (int k = 0; k < 8; ++k) zeros += "  st.shared.b64 [%r2+" + std::to_string(8 * k) + "], 0;\n";
  for (const std::string weak : {"", ".weak"}) {
    const std::string op = "  st.async" + weak + kStore;
    const Outcome o = run_ok(
        values + zeros +
            on_barrier(4 + 8 + 8 + 16 + 16, op + ".b32 [%r2], %r4, [%r1];\n" + op + ".u64 [%r2+8], %rd4, [%r1];\n" +
                                                op + ".v2.f32 [%r2+16], {%r5, %r6}, [%r1];\n" + op +
                                                ".v2.s64 [%r2+32], {%rd4, %rd5}, [%r1];\n" + op +
                                                ".v4.u32 [%r2+48], {%r4, %r5, %r6, %r7}, [%r1];\n") +
            show(8),
        kAlone);
    CHECK((o.out[0] & 0xffffffff) == 0x11111111);
    CHECK(o.out[1] == 0x5555555555555555);
    CHECK(o.out[2] == 0x3333333322222222);
    CHECK(o.out[4] == 0x5555555555555555);
    CHECK(o.out[5] == 0x6666666666666666);
    CHECK(o.out[6] == 0x2222222211111111);
    CHECK(o.out[7] == 0x4444444433333333);
  }
}

TEST_CASE("red.async folds into shared memory as red does") {
  struct Case {
    const char* op;
    uint32_t old, operand, want;
  };
  for (const Case& c : {Case{"add.u32", 0xfffffff0, 0x20, 0x10},
                        {"add.s32", 7, 0xfffffffe, 5},
                        {"min.u32", 0x80000000, 5, 5},
                        {"min.s32", 0x80000000, 5, 0x80000000},
                        {"max.u32", 0x80000000, 5, 0x80000000},
                        {"max.s32", 0x80000000, 5, 5},
                        {"inc.u32", 7, 7, 0},
                        {"inc.u32", 3, 7, 4},
                        {"dec.u32", 0, 9, 9},
                        {"dec.u32", 4, 9, 3},
                        {"and.b32", 0xf0f0, 0x3c3c, 0x3030},
                        {"or.b32", 0xf0f0, 0x3c3c, 0xfcfc},
                        {"xor.b32", 0xf0f0, 0x3c3c, 0xcccc}})
    for (const std::string space : {"", ".shared::cluster"}) {
      CAPTURE(c.op);
      const Outcome o = run_ok(
          "  st.shared.b64 [%r2], " + std::to_string(c.old) + ";\n  mov.u32 %r4, " + std::to_string(c.operand) + ";\n" +
              on_barrier(4, "  red.async.relaxed.cluster" + space + ".mbarrier::complete_tx::bytes." + c.op +
                                " [%r2], %r4, [%r1];\n") +
              show(1),
          kAlone);
      CHECK((o.out[0] & 0xffffffff) == c.want);
    }
  for (const std::string type : {"u64", "s64"}) {
    const Outcome o =
        run_ok("  st.shared.b64 [%r2], 0xffffffff;\n  mov.u64 %rd4, 0x100000001;\n" +
                   on_barrier(8, "  red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add." +
                                     type + " [%r2], %rd4, [%r1];\n") +
                   show(1),
               kAlone);
    CHECK(o.out[0] == 0x200000000);
  }
}

TEST_CASE("a misaligned vector and a barrier that is none end the launch") {
  check_fault(
      on_barrier(8, "  st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%r2+4], {%r4, %r5}, [%r1];\n"),
      "not aligned", kAlone, LaunchResult::Status::kMisalignedAddress);
  const std::string store = "  st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r2], %r4, [%r1];\n";
  check_fault(store, "before mbarrier.init", kAlone);
  check_fault(store, "needs a launch with cluster dimensions");
}

TEST_CASE("lanes store side by side; who reads before the wait races, who waits does not, without a proxy fence") {
  const std::string begin =
      "@%p3 mbarrier.init.shared.b64 [%r2], 1;\nbar.sync 0;\n@%p3 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n"
      "st.shared.u32 [%r7], %r3;\nbar.sync 0;\n"
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r7], %r3, [%r2];\n";
  const std::string wait = "$wait:\nmbarrier.try_wait.parity.shared.b64 %p6, [%r2], 0;\n@!%p6 bra $wait;\n";
  const std::string read = "xor.b32 %r12, %r7, 128;\nld.shared.u32 %r11, [%r12];";
  const Launch launch{.block = {64}, .cluster = {1, 1, 1}};
  check_found(begin + read + " // here\n" + wait, Check::kRace, "race", "races with the", launch);
  check_silent(begin + wait + read, Check::kRace, launch);
  check_silent(begin + wait + read, Check::kSync, launch);
}

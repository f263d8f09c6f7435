// The race checker on the smallest kernels: each racy one is told at its line, its repaired twin is silent.
#include "checkers_kernel.hpp"

using namespace sim;
using namespace sim::test;

namespace {

void races(const std::string& body, const std::string& text, const Launch& launch = {.block = {64}}) {
  check_found(body, Check::kRace, "race", text, launch);
}
void is_silent(const std::string& body, const Launch& launch = {.block = {64}}) {
  check_silent(body, Check::kRace, launch);
}

}  // namespace

TEST_CASE("CTA barriers order warps") {
  const std::string write = "st.shared.u32 [%r7], %r3;\n",
                    read = "xor.b32 %r10, %r7, 128;\nld.shared.u32 %r11, [%r10];";
  races(write + read + " // here\n", "races with the");
  is_silent(write + "bar.sync 0;\n" + read);
  // The write after the read of others races as well.
  races("ld.shared.u32 %r11, [%r1];\nst.shared.u32 [%r1+4], 0; // here\n", "write races with the");
}

TEST_CASE("lanes of a warp are ordered by bar.warp.sync alone") {
  const std::string write = "st.shared.u32 [%r7], %r3;\n", read = "xor.b32 %r10, %r7, 4;\nld.shared.u32 %r11, [%r10];";
  const Launch warp{.block = {32}};
  races(write + read + " // here\n", "lanes of a warp are ordered by __syncwarp() alone", warp);
  is_silent(write + "bar.warp.sync -1;\n" + read, warp);
  // A shuffle orders no memory.
  races(write + "shfl.sync.bfly.b32 %r12, %r3, 1, 31, -1;\n" + read + " // here\n", "races with the", warp);
  is_silent(write + "ld.shared.u32 %r11, [%r7];\n", warp);  // one's own
}

TEST_CASE("lanes of one instruction that write one word race whatever they write") {
  const Launch warp{.block = {32}};
  races("st.shared.u32 [%r1], 7; // here\n", "write races with the write by", warp);
  is_silent("@%p1 st.shared.u32 [%r1], 7;\n", warp);
}

TEST_CASE("bytes of one word have histories of their own") {
  const std::string write = "add.u32 %r10, %r1, %r3;\nst.shared.u8 [%r10], %r3;\n";
  is_silent(write + "ld.shared.u8 %r11, [%r10];\n");
  races(write + "xor.b32 %r10, %r10, 1;\nld.shared.u8 %r11, [%r10]; // here\n", "races with the");
  races(
      write +
          "shl.b32 %r11, %r3, 2;\nadd.u32 %r11, %r11, %r1;\nand.b32 %r11, %r11, -49;\nld.shared.u32 %r12, [%r11]; // here\n",
      "races with the");
  is_silent(write + "bar.sync 0;\nst.shared.u32 [%r7], 1;\nbar.sync 0;\n" + write);
}

TEST_CASE("named barriers order those that take part") {
  // Warp 0 produces for warp 1 over barrier 1, warp 2 stays outside.
  const std::string produce = "@!%p2 bra $rest;\nst.shared.u32 [%r7], %r3;\nbar.arrive 1, 64;\nbra $end;\n$rest:\n";
  const std::string consume = "setp.eq.u32 %p5, %r6, 1;\n@%p5 bar.sync 1, 64;\n";
  is_silent(produce + consume + "@%p5 ld.shared.u32 %r10, [%r7-128];\n$end:\n", {.block = {96}});
  races(produce + consume + "sub.u32 %r10, %r7, 256;\n@!%p5 ld.shared.u32 %r11, [%r10]; // here\n$end:\n",
        "races with the", {.block = {96}});
  // bar.arrive releases, it does not acquire: the producer must not touch what the consumer does before its barrier.
  races(
      "@%p2 bra $arrive;\nst.shared.u32 [%r1], 1;\nbar.sync 1, 64;\nbra $end;\n$arrive:\nbar.arrive 1, 64;\n"
      "@%p1 ld.shared.u32 %r10, [%r1]; // here\n$end:\n",
      "races with the", {.block = {33}});
}

TEST_CASE("an mbarrier releases the lanes that arrive, not their warp") {
  const std::string init = "@%p3 mbarrier.init.shared.b64 [%r2], 1;\nbar.sync 0;\n";
  const std::string wait = "$wait:\nmbarrier.try_wait.parity.shared.b64 %p6, [%r2], 0;\n@!%p6 bra $wait;\n";
  const std::string read = "ld.shared.u32 %r10, [%r7-128];";
  const auto pair = [&](const std::string& sync) {
    return init + "@!%p2 bra $wait;\nst.shared.u32 [%r7], %r3;\n" + sync +
           "@%p1 mbarrier.arrive.shared.b64 _, [%r2];\nbra $end;\n" + wait + read;
  };
  races(pair("") + " // here\n$end:\n", "test.ptx:24  st.shared.u32  block (0,0,0) warp 0 lane 1");
  is_silent(pair("bar.warp.sync -1;\n") + "\n$end:\n");
}

TEST_CASE("what one lane has waited for, the others learn by bar.warp.sync") {
  const auto body = [](const std::string& sync) {
    return "@%p3 mbarrier.init.shared.b64 [%r2], 1;\nbar.sync 0;\n@!%p2 bra $consume;\n@%p1 st.shared.u32 [%r1], 1;\n"
           "@%p1 mbarrier.arrive.shared.b64 _, [%r2];\nbra $end;\n$consume:\n@!%p1 bra $after;\n"
           "$wait:\nmbarrier.try_wait.parity.shared.b64 %p6, [%r2], 0;\n@!%p6 bra $wait;\n$after:\n" +
           sync + "ld.shared.u32 %r10, [%r1];";
  };
  races(body("") + " // here\n$end:\n", "races with the");
  is_silent(body("bar.warp.sync -1;\n") + "\n$end:\n");
}

TEST_CASE("fences and strong accesses order blocks, within their scope") {
  const auto body = [](const std::string& fence, const std::string& store, const std::string& load,
                       const std::string& after, const std::string& mark) {
    return "@!%p3 bra $end;\nsetp.ne.u32 %p5, %r4, 0;\n@%p5 bra $consume;\nst.global.u32 [%rd1], 7;\n" + fence + store +
           " [%rd1+128], 1;\nbra $end;\n$consume:\n" + load + " %r10, [%rd1+128];\nsetp.eq.u32 %p6, %r10, 0;\n" +
           "@%p6 bra $consume;\n" + after + "ld.global.u32 %r11, [%rd1];" + mark + "\n$end:\n";
  };
  const Launch two{.grid = {2}};
  const std::string fence = "fence.acq_rel.gpu;\n", membar = "membar.gl;\n";
  is_silent(body("", "st.release.gpu.global.u32", "ld.acquire.gpu.global.u32", "", ""), two);
  is_silent(body(membar, "st.volatile.global.u32", "ld.volatile.global.u32", membar, ""), two);
  is_silent(body(fence, "st.relaxed.gpu.global.u32", "ld.relaxed.gpu.global.u32", fence, ""), two);
  races(body("", "st.relaxed.gpu.global.u32", "ld.acquire.gpu.global.u32", "", " // here"), "races with the", two);
  races(body(fence, "st.relaxed.gpu.global.u32", "ld.relaxed.gpu.global.u32", "", " // here"), "races with the", two);
  races(body("fence.acq_rel.cta;\n", "st.relaxed.gpu.global.u32", "ld.acquire.gpu.global.u32", "", " // here"),
        "races with the", two);
}

TEST_CASE("a scope that does not reach the other block") {
  const std::string body =
      "@!%p3 bra $end;\nsetp.ne.u32 %p5, %r4, 0;\n@%p5 bra $consume;\nst.release.cta.global.u32 [%rd1+128], 1;\n"
      "bra $end;\n$consume:\nld.acquire.gpu.global.u32 %r10, [%rd1+128]; // here\n$end:\n";
  races(body, "a .cta or .cluster scope does not reach the other block", {.grid = {2}});
}

TEST_CASE("atomics race with ordinary accesses and with other sizes, not with each other") {
  is_silent("atom.global.add.u32 %r10, [%rd1], 1;\n", {.grid = {3}, .block = {64}});
  is_silent("red.shared.add.u32 [%r1], 1;\nbar.sync 0;\nld.shared.u32 %r10, [%r1];\n");
  races("red.shared.add.u32 [%r1], 1;\nld.shared.u32 %r10, [%r1]; // here\n", "read races with the strong write");
  races("@%p2 red.shared.add.u32 [%r1], 1;\n@!%p2 red.shared.add.u64 [%r1], 1; // here\n", "they differ in size");
}

TEST_CASE("every block that bumps a counter after a fence is ordered before the last one") {
  const auto body = [](const std::string& fence, const std::string& mark) {
    return "shl.b32 %r10, %r4, 2;\ncvt.u64.u32 %rd10, %r10;\nadd.u64 %rd10, %rd1, %rd10;\n"
           "@%p3 st.global.u32 [%rd10], 1;\n" +
           fence + "@!%p3 bra $end;\natom.global.add.u32 %r11, [%rd1+512], 1;\n" + fence +
           "setp.ne.u32 %p5, %r11, 2;\n@%p5 bra $end;\nld.global.u32 %r12, [%rd1];\nld.global.u32 %r13, [%rd1+4];" +
           mark + "\n$end:\n";
  };
  is_silent(body("membar.gl;\n", ""), {.grid = {3}});
  CHECK(!run_checked(body("", ""), Check::kRace, {.grid = {3}}).result.findings.empty());
}

// mbarriers, cp.async, bulk copies and their groups, through PTX: the words of the objects as Hopper has them, phases
// and parities, rings of several warps, and the report of every misuse that is certain.
#include "machine/async.hpp"

#include <doctest/doctest.h>

#include <random>

#include "program.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

// One thread: `body` uses %rd2 (out), %rd1 (in), %r1 (shared address of the 8-byte-aligned `bar`), %r2 (of `tile`, 4096
// bytes), %tid in %r3, scratch %r4.., %rd4.., %p1..
std::string kernel(const std::string& body, const char* target = "sm_90a") {
  return header(target) + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .shared .align 8 .b64 bar[8];
  .shared .align 128 .b8 tile[4096];
  .reg .b32 %r<40>; .reg .b64 %rd<40>; .reg .pred %p<10>; .reg .b16 %rs<4>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, bar;
  mov.u32 %r2, tile;
  mov.u32 %r3, %tid.x;
)" + body +
         "\n  ret;\n}\n";
}

struct Outcome {
  LaunchResult result;
  std::vector<uint64_t> out;
};

std::vector<uint8_t> pattern(size_t bytes) {
  std::vector<uint8_t> data(bytes);
  for (size_t k = 0; k < bytes; ++k) data[k] = static_cast<uint8_t>(k * 7 + k / 256);
  return data;
}

Outcome run(const std::string& body, const Launch& launch = {.block = {1}}) {
  Program program(kernel(body));
  std::vector<uint8_t> in = pattern(4096);
  Outcome o;
  o.out.assign(1024, 0xcccccccccccccccc);
  program.add(in, "in");
  program.add(o.out, "out");
  o.result = program.run("test", launch, {pointer(in), pointer(o.out)});
  return o;
}

Outcome run_ok(const std::string& body, const Launch& launch = {.block = {1}}) {
  Outcome o = run(body, launch);
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  return o;
}

void check_fault(const std::string& body, const std::string& text, const Launch& launch = {.block = {1}},
                 Status status = Status::kIllegalInstruction) {
  CAPTURE(body);
  const Outcome o = run(body, launch);
  CHECK(o.result.status == status);
  CAPTURE(o.result.report);
  CHECK(contains(o.result.report, text));
}

TEST_CASE("the mbarrier word: states that an H100 returned") {
  // After init 5; arrive; arrive 2; expect_tx 100; complete_tx 40; arrive.expect_tx 7; arrive; complete_tx 67;
  // arrive_drop: the upper half of each returned state, as recorded on an H100 (the lower half of a state is not the
  // object's).
  const Outcome o = run_ok(R"(
  mbarrier.init.shared::cta.b64 [%r1], 5;
  ld.shared.b64 %rd5, [%r1];
  st.global.b64 [%rd2], %rd5;
  mbarrier.arrive.shared::cta.b64 %rd5, [%r1];
  st.global.b64 [%rd2+8], %rd5;
  mbarrier.arrive.shared::cta.b64 %rd5, [%r1], 2;
  st.global.b64 [%rd2+16], %rd5;
  mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r1], 100;
  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r1], 40;
  mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 %rd5, [%r1], 7;
  ld.shared.b64 %rd6, [%r1];
  st.global.b64 [%rd2+24], %rd6;
  mbarrier.arrive.shared::cta.b64 %rd5, [%r1];
  st.global.b64 [%rd2+32], %rd5;
  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r1], 67;
  mbarrier.arrive_drop.shared::cta.b64 %rd5, [%r1];
  st.global.b64 [%rd2+40], %rd5;
  mbarrier.arrive.noComplete.shared::cta.b64 %rd5, [%r1], 2;
  st.global.b64 [%rd2+48], %rd5;
  mbarrier.pending_count.b64 %r5, %rd5;
  st.global.b32 [%rd2+56], %r5;
  mbarrier.arrive.shared::cta.b64 %rd5, [%r1], 2;
  st.global.b64 [%rd2+64], %rd5;
  mbarrier.arrive.shared::cta.b64 %rd5, [%r1], 4;
  st.global.b64 [%rd2+72], %rd5;
  mbarrier.init.shared::cta.b64 [%r1], 1;
  mbarrier.arrive.shared::cta.b64 %rd5, [%r1];
  mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r1], 1048575;
  mbarrier.arrive.shared::cta.b64 %rd5, [%r1];
  ld.shared.b64 %rd6, [%r1];
  st.global.b64 [%rd2+80], %rd6;)");
  const auto upper = [&](int k) { return o.out[k] >> 32; };
  CHECK(upper(0) == 0x7fffd800);
  CHECK(upper(1) == 0x7fffd800);
  CHECK(upper(2) == 0x7fffe000);
  CHECK(upper(3) == 0x7ffffbff);
  CHECK(upper(4) == 0x7ffffbff);
  CHECK(upper(5) == 0xffffd800);
  CHECK(upper(6) == 0xffffe000);
  CHECK(static_cast<uint32_t>(o.out[7]) == 4);
  CHECK(upper(8) == 0xfffff000);
  CHECK(upper(9) == 0x7fffe000);
  CHECK(o.out[10] == 0x80000200003ffffe);
}

TEST_CASE("the fields survive encoding at their limits") {
  for (const uint32_t pending : {0u, 1u, 77u, Mbarrier::kMaxCount})
    for (const uint32_t expected : {1u, 2u, Mbarrier::kMaxCount})
      for (const int32_t tx :
           {0, 1, -1, static_cast<int32_t>(Mbarrier::kMaxCount), -static_cast<int32_t>(Mbarrier::kMaxCount)})
        for (const uint32_t parity : {0u, 1u}) {
          const Mbarrier b{parity, pending, expected, tx};
          const Mbarrier c = Mbarrier::decode(b.encode());
          CHECK(c.parity == parity);
          CHECK(c.pending == pending);
          CHECK(c.expected == expected);
          CHECK(c.tx == tx);
        }
}

// Stores the predicate as 0 or 1.
std::string tell(const std::string& p, int index) {
  return "  selp.b32 %r9, 1, 0, " + p + ";\n  st.global.b32 [%rd2+" + std::to_string(8 * index) + "], %r9;\n";
}

TEST_CASE("phases, parities and states") {
  const std::string body = R"(
  mbarrier.init.shared.b64 [%r1], 2;
  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;
)" + tell("%p1", 0) + "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 1;\n" +
                           tell("%p1", 1) + R"(
  mbarrier.arrive.shared.b64 %rd5, [%r1];
  mbarrier.test_wait.shared.b64 %p1, [%r1], %rd5;
)" + tell("%p1", 2) + R"(
  mbarrier.arrive.release.cta.shared::cta.b64 _, [%r1];
  mbarrier.test_wait.acquire.cta.shared::cta.b64 %p1, [%r1], %rd5;
)" + tell("%p1", 3) + "  mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p1, [%r1], 0;\n" +
                           tell("%p1", 4) + "  mbarrier.try_wait.parity.shared::cta.b64 %p1, [%r1], 1, 1000;\n" +
                           tell("%p1", 5) + R"(
  // through a generic address
  cvt.u64.u32 %rd7, %r1;
  cvta.shared.u64 %rd7, %rd7;
  mbarrier.arrive.b64 %rd8, [%rd7], 2;
  mbarrier.try_wait.b64 %p1, [%rd7], %rd8;
)" + tell("%p1", 6) + "  mbarrier.try_wait.relaxed.cluster.shared::cta.b64 %p1, [%r1], %rd5, 20;\n" +
                           tell("%p1", 7);
  const Outcome o = run_ok(body);
  const int want[] = {0, 1, 0, 1, 1, 0, 1, 0};
  for (int k = 0; k < 8; ++k) {
    CAPTURE(k);
    CHECK(static_cast<int>(static_cast<uint32_t>(o.out[k])) == want[k]);
  }
}

TEST_CASE("a phase needs both its arrivals and its bytes") {
  const std::string body =
      "  mbarrier.init.shared.b64 [%r1], 1;\n"
      "  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 48;\n"
      "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;\n" +
      tell("%p1", 0) +
      "  mbarrier.complete_tx.shared::cluster.b64 [%r1], 32;\n"
      "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;\n" +
      tell("%p1", 1) +
      "  mbarrier.complete_tx.shared::cluster.b64 [%r1], 16;\n"
      "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;\n" +
      tell("%p1", 2) +
      // bytes that arrive before they are announced
      "  mbarrier.complete_tx.shared::cluster.b64 [%r1], 16;\n"
      "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 1;\n" +
      tell("%p1", 3) +
      "  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 16;\n"
      "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 1;\n" +
      tell("%p1", 4) +
      // arrive_drop: the phases after it await one less
      "  mbarrier.init.shared.b64 [%r1+8], 2;\n  mbarrier.arrive_drop.shared.b64 _, [%r1+8];\n"
      "  mbarrier.arrive.shared.b64 _, [%r1+8];\n  mbarrier.arrive.shared.b64 _, [%r1+8];\n"
      "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1+8], 1;\n" +
      tell("%p1", 5);
  const Outcome o = run_ok(body);
  const int want[] = {0, 0, 1, 0, 1, 1};
  for (int k = 0; k < 6; ++k) {
    CAPTURE(k);
    CHECK(static_cast<int>(static_cast<uint32_t>(o.out[k])) == want[k]);
  }
}

TEST_CASE("misuse of mbarriers") {
  check_fault("  mbarrier.arrive.shared.b64 _, [%r1];", "used before mbarrier.init");
  check_fault(
      "  mbarrier.init.shared.b64 [%r1], 1;\n  mbarrier.inval.shared.b64 [%r1];\n  mbarrier.arrive.shared.b64 _, [%r1];",
      "used before mbarrier.init");
  check_fault("  mbarrier.init.shared.b64 [%r1], 0;", "outside 1 .. 2^20-1");
  check_fault("  mbarrier.init.shared.b64 [%r1], 2;\n  mbarrier.arrive.shared.b64 _, [%r1], 3;",
              "arrival of 3 where 2 of 2");
  check_fault("  mbarrier.init.shared.b64 [%r1], 1;\n  mbarrier.arrive.noComplete.shared.b64 %rd5, [%r1], 1;",
              "would complete");
  check_fault(
      "  mbarrier.init.shared.b64 [%r1], 1;\n  mbarrier.expect_tx.shared.b64 [%r1], 1048575;\n"
      "  mbarrier.expect_tx.shared.b64 [%r1], 1;",
      "tx-count 1048576");
  check_fault(
      "  mbarrier.init.shared.b64 [%r1], 1;\n  mov.b32 %r5, 5;\n  st.shared.b32 [%r1+4], %r5;\n"
      "  mbarrier.arrive.shared.b64 _, [%r1];",
      "overwritten by an ordinary store");
  check_fault("  mbarrier.init.shared.b64 [%r1+4], 1;", "not aligned to 8 bytes", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault("  mbarrier.init.shared.b64 [%r1+65536], 1;", "past shared memory", {.block = {1}},
              Status::kIllegalAddress);
  check_fault("  mbarrier.init.b64 [%rd1], 1;", "does not lie in shared memory");
}

TEST_CASE("a wait that nobody satisfies is a deadlock, and the report has the barrier") {
  const Outcome d = run(R"(
  setp.ne.u32 %p1, %r3, 0;
  @!%p1 mbarrier.init.shared.b64 [%r1], 33;
  bar.sync 0;
  setp.lt.u32 %p2, %r3, 32;
  @!%p2 bra LOOP;
  mbarrier.arrive.shared.b64 _, [%r1];
LOOP:
  mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;
  @!%p1 bra LOOP;
)",
                        {.block = {64}});
  CHECK(d.result.status == Status::kDeadlock);
  CAPTURE(d.result.report);
  CHECK(contains(d.result.report, "mbarrier.try_wait"));
  CHECK(contains(d.result.report, "awaits 1 of 33 arrivals"));
}

// A producer warp fills a ring of 3 stages with cp.async or bulk copies, 2 consumer warps sum what they read.
TEST_CASE("a ring between a producer warp and two consumer warps") {
  for (const bool uses_bulk : {true, false}) {
    CAPTURE(uses_bulk);
    const std::string copy = uses_bulk ? R"(
  @%p3 bra P_NEXT;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r14], 256;
  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r16], [%rd5], 256, [%r14];
)"
                                       : R"(
  shl.b32 %r17, %r3, 3;
  add.u32 %r16, %r16, %r17;
  cvt.u64.u32 %rd6, %r17;
  add.u64 %rd6, %rd6, %rd5;
  cp.async.ca.shared.global [%r16], [%rd6], 8;
  cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%r14];
)";
    const std::string body = R"(
  setp.ne.u32 %p3, %r3, 0;
  @%p3 bra READY;
)" + [&] {
      std::string inits;
      for (int s = 0; s < 3; ++s)
        inits += "  mbarrier.init.shared::cta.b64 [%r1+" + std::to_string(16 * s) + "], " + (uses_bulk ? "1" : "32") +
                 ";\n  mbarrier.init.shared::cta.b64 [%r1+" + std::to_string(16 * s + 8) + "], 64;\n";
      return inits;
    }() + R"(
  fence.mbarrier_init.release.cluster;
  fence.proxy.async.shared::cta;
READY:
  bar.sync 0;
  mov.b32 %r10, 0;            // stage
  mov.b32 %r11, 0;            // parity
  mov.b32 %r12, 0;            // step
  mov.b32 %r20, 0;            // sum
  setp.ge.u32 %p1, %r3, 32;
  @%p1 bra CONSUME;
PRODUCE:
  shl.b32 %r13, %r10, 4;
  add.u32 %r14, %r1, %r13;    // full
  xor.b32 %r15, %r11, 1;
P_WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r14+8], %r15;
  @!%p2 bra P_WAIT;
  mul.lo.u32 %r16, %r10, 256;
  add.u32 %r16, %r16, %r2;
  mul.wide.u32 %rd5, %r12, 256;
  add.u64 %rd5, %rd5, %rd1;
)" + copy + R"(
P_NEXT:
  add.u32 %r10, %r10, 1;
  setp.eq.u32 %p2, %r10, 3;
  @%p2 mov.b32 %r10, 0;
  @%p2 xor.b32 %r11, %r11, 1;
  add.u32 %r12, %r12, 1;
  setp.lt.u32 %p2, %r12, 16;
  @%p2 bra PRODUCE;
  bra END;
CONSUME:
  shl.b32 %r13, %r10, 4;
  add.u32 %r14, %r1, %r13;
C_WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r14], %r11;
  @!%p2 bra C_WAIT;
  mul.lo.u32 %r16, %r10, 256;
  add.u32 %r16, %r16, %r2;
  sub.u32 %r17, %r3, 32;
  shl.b32 %r17, %r17, 2;
  add.u32 %r16, %r16, %r17;
  ld.shared.b32 %r18, [%r16];
  mad.lo.u32 %r20, %r18, %r12, %r20;
  mbarrier.arrive.release.cta.shared::cta.b64 _, [%r14+8];
  add.u32 %r10, %r10, 1;
  setp.eq.u32 %p2, %r10, 3;
  @%p2 mov.b32 %r10, 0;
  @%p2 xor.b32 %r11, %r11, 1;
  add.u32 %r12, %r12, 1;
  setp.lt.u32 %p2, %r12, 16;
  @%p2 bra CONSUME;
  cvt.u64.u32 %rd5, %r17;
  add.u64 %rd5, %rd5, %rd2;
  st.global.b32 [%rd5], %r20;
END:
)";
    const Outcome o = run_ok(body, {.block = {96}});
    const std::vector<uint8_t> in = pattern(4096);
    for (int t = 0; t < 64; ++t) {
      uint32_t sum = 0;
      for (uint32_t step = 0; step < 16; ++step) {
        uint32_t word;
        std::memcpy(&word, in.data() + 256 * step + 4 * t, 4);
        sum += word * step;
      }
      uint32_t got;
      std::memcpy(&got, reinterpret_cast<const uint8_t*>(o.out.data()) + 4 * t, 4);
      CHECK(got == sum);
    }
  }
}

// Copies `bytes` of shared memory from `tile` to out, one thread.
std::string dump(int bytes) {
  std::string text;
  for (int at = 0; at < bytes; at += 8)
    text += "  ld.shared.b64 %rd30, [%r2+" + std::to_string(at) + "];\n  st.global.b64 [%rd2+" + std::to_string(at) +
            "], %rd30;\n";
  return text;
}
std::string poison(int bytes) {
  std::string text = "  mov.b64 %rd30, 0xcccccccccccccccc;\n";
  for (int at = 0; at < bytes; at += 8) text += "  st.shared.b64 [%r2+" + std::to_string(at) + "], %rd30;\n";
  return text;
}

TEST_CASE("cp.async: sizes, zero fill, ignored sources, hints") {
  const Outcome o = run_ok(poison(160) + R"(
  mov.b32 %r5, 6;
  mov.b64 %rd9, 0;
  setp.eq.u32 %p1, %r3, 0;
  cp.async.ca.shared.global [%r2], [%rd1+4], 4;
  cp.async.ca.shared.global [%r2+8], [%rd1+8], 8;
  cp.async.cg.shared.global [%r2+16], [%rd1+16], 16;
  cp.async.cg.shared::cta.global.L2::128B [%r2+32], [%rd1+32], 16, %r5;
  cp.async.cg.shared.global [%r2+48], [%rd1+48], 16, 0;
  cp.async.ca.shared.global.L2::256B [%r2+64], [%rd1+64], 8, %p1;
  cp.async.ca.shared.global [%r2+72], [%rd1+72], 8, !%p1;
  cp.async.cg.shared.global.L2::cache_hint [%r2+80], [%rd1+80], 16, %rd9;
  cp.async.cg.shared.global.L2::cache_hint.L2::64B [%r2+96], [%rd1+96], 16, %r5, %rd9;
  cp.async.cg.shared.global [%r2+112], [%rd1+1048576], 16, 0;
  cp.async.commit_group;
  cp.async.ca.shared.global [%r2+128], [%rd1+128], 4;
  cp.async.wait_group 0;
  cp.async.wait_all;
)" + dump(160));
  const std::vector<uint8_t> in = pattern(4096);
  std::vector<uint8_t> want(160, 0xcc);
  const auto copy = [&](int to, int from, int bytes, int size) {
    for (int k = 0; k < size; ++k) want[to + k] = k < bytes ? in[from + k] : 0;
  };
  copy(0, 4, 4, 4);
  copy(8, 8, 8, 8);
  copy(16, 16, 16, 16);
  copy(32, 32, 6, 16);
  copy(48, 48, 0, 16);
  copy(64, 64, 0, 8);
  copy(72, 72, 8, 8);
  copy(80, 80, 16, 16);
  copy(96, 96, 6, 16);
  copy(112, 0, 0, 16);
  copy(128, 128, 4, 4);
  CHECK(std::memcmp(o.out.data(), want.data(), want.size()) == 0);
}

TEST_CASE("cp.async faults") {
  check_fault("  cp.async.cg.shared.global [%r2+8], [%rd1], 16;", "not aligned to 16 bytes", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault("  cp.async.cg.shared.global [%r2], [%rd1+8], 16;", "not aligned to 16 bytes", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault("  cp.async.cg.shared.global [%r2], [%rd1+4096], 16;", "past in", {.block = {1}},
              Status::kIllegalAddress);
  check_fault("  cp.async.cg.shared.global [%r2+8192], [%rd1], 16;", "past shared memory", {.block = {1}},
              Status::kIllegalAddress);
  check_fault("  mov.b32 %r5, 17;\n  cp.async.cg.shared.global [%r2], [%rd1], 16, %r5;", "src-size 17");
  Program program(kernel("  cp.async.cg.shared.global [%r2], [%rd1], 16;"));
  CHECK_THROWS(Program(kernel("  cp.async.cg.shared.global [%r2], [%rd1];")));
}

TEST_CASE("cp.async.mbarrier.arrive: without .noinc the initial count does not include it") {
  const Outcome o = run_ok(R"(
  setp.ne.u32 %p3, %r3, 0;
  @%p3 bra READY;
  mbarrier.init.shared.b64 [%r1], 32;
  mbarrier.init.shared.b64 [%r1+8], 1;
READY:
  bar.sync 0;
  cp.async.mbarrier.arrive.noinc.shared.b64 [%r1];
  cp.async.mbarrier.arrive.shared::cta.b64 [%r1+8];
  bar.sync 0;
  @%p3 bra END;
  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;
)" + tell("%p1", 0) + "  mbarrier.test_wait.parity.shared.b64 %p1, [%r1+8], 0;\n" +
                               tell("%p1", 1) + "END:\n",
                           {.block = {32}});
  CHECK(static_cast<uint32_t>(o.out[0]) == 1);
  CHECK(static_cast<uint32_t>(o.out[1]) == 0);
}

TEST_CASE("bulk copies in both directions, inside shared memory, and prefetches") {
  const Outcome o = run_ok(R"(
  mbarrier.init.shared.b64 [%r1], 1;
  mov.b64 %rd9, 0;
  mov.b16 %rs1, 1;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 208;
  cp.async.bulk.prefetch.L2.global [%rd1+256], 512;
  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd1+16], 64, [%r1];
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%r2+64], [%rd1+256], 32, [%r1], %rd9;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r2+96], [%rd1+512], 32, [%r1], %rs1;
  cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r2+128], [%r2+32], 80, [%r1];
W: mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;
  @!%p1 bra W;
  fence.proxy.async;
  cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r2], 96;
  cp.async.bulk.commit_group;
  cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%rd2+96], [%r2+96], 112, %rd9;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group.read 1;
  cp.async.bulk.wait_group 0;
)",
                           {.block = {1}});
  const std::vector<uint8_t> in = pattern(4096);
  std::vector<uint8_t> want(208);
  std::memcpy(want.data(), in.data() + 16, 64);
  std::memcpy(want.data() + 64, in.data() + 256, 32);
  std::memcpy(want.data() + 96, in.data() + 512, 32);
  std::memcpy(want.data() + 128, want.data() + 32, 80);
  CHECK(std::memcmp(o.out.data(), want.data(), want.size()) == 0);
}

TEST_CASE("bulk copy faults") {
  const std::string init = "  mbarrier.init.shared.b64 [%r1], 1;\n";
  const std::string load = "  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes ";
  check_fault(init + load + "[%r2+8], [%rd1], 16, [%r1];", "not aligned to 16", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault(init + load + "[%r2], [%rd1+8], 16, [%r1];", "not aligned to 16", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault(init + load + "[%r2], [%rd1], 24, [%r1];", "not a multiple of 16", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault(init + load + "[%r2], [%rd1+4080], 32, [%r1];", "past in", {.block = {1}}, Status::kIllegalAddress);
  check_fault(init + load + "[%r2+4096], [%rd1], 16, [%r1];", "past shared memory", {.block = {1}},
              Status::kIllegalAddress);
  check_fault(load + "[%r2], [%rd1], 16, [%r1];", "used before mbarrier.init");
  check_fault(
      init +
          "  mov.b16 %rs1, 3;\n  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
          "[%r2], [%rd1], 16, [%r1], %rs1;",
      "multicast");
}

// The bulk reduction of 16 bytes of `shared` into `global`.
std::vector<uint8_t> reduce(const std::string& op, std::vector<uint8_t> shared, std::vector<uint8_t> global) {
  Program program(
      kernel("  ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1];\n"
             "  st.shared.v4.b32 [%r2], {%r10, %r11, %r12, %r13};\n"
             "  fence.proxy.async.shared::cta;\n"
             "  cp.reduce.async.bulk.global.shared::cta.bulk_group." +
             op +
             " [%rd2], [%r2], 16;\n"
             "  cp.async.bulk.commit_group;\n  cp.async.bulk.wait_group 0;"));
  program.add(shared, "in");
  program.add(global, "out");
  program.run_ok("test", {.block = {1}}, {pointer(shared), pointer(global)});
  return global;
}

template <class T>
void check_reduce(const std::string& op, std::vector<T> shared, std::vector<T> global, std::vector<T> want) {
  CAPTURE(op);
  const auto bytes = [](const std::vector<T>& v) {
    std::vector<uint8_t> b(16);
    std::memcpy(b.data(), v.data(), 16);
    return b;
  };
  CHECK(reduce(op, bytes(shared), bytes(global)) == bytes(want));
}

TEST_CASE("bulk reductions") {
  check_reduce<uint32_t>("add.u32", {1, 2, 3, 0xffffffff}, {10, 20, 30, 2}, {11, 22, 33, 1});
  check_reduce<int32_t>("min.s32", {-1, 2, 3, 4}, {0, 1, 5, 4}, {-1, 1, 3, 4});
  check_reduce<uint32_t>("min.u32", {0xffffffff, 2, 3, 4}, {0, 1, 5, 4}, {0, 1, 3, 4});
  check_reduce<uint32_t>("max.u32", {0xffffffff, 2, 3, 4}, {0, 1, 5, 4}, {0xffffffff, 2, 5, 4});
  check_reduce<int64_t>("max.s64", {-5, 7}, {-6, 6}, {-5, 7});
  check_reduce<uint64_t>("add.u64", {1, ~0ull}, {~0ull, 5}, {0, 4});
  check_reduce<uint32_t>("inc.u32", {3, 3, 3, 3}, {0, 2, 3, 9}, {1, 3, 0, 0});
  check_reduce<uint32_t>("dec.u32", {3, 3, 3, 3}, {0, 2, 3, 9}, {3, 1, 2, 3});
  check_reduce<uint32_t>("and.b32", {12, 1, 0, 7}, {10, 1, 9, 5}, {8, 1, 0, 5});
  check_reduce<uint64_t>("xor.b64", {12, 1}, {10, 3}, {6, 2});
  check_reduce<float>("add.f32", {1.5f, -2, 0x1p-140f, 1e38f}, {1, 2, 0x1p-140f, 3.3e38f},
                      {2.5f, 0, 0x1p-139f, INFINITY});
  check_reduce<double>("add.f64", {1.5, -2}, {1, 2}, {2.5, 0});
  check_reduce<uint16_t>("add.noftz.f16", {0x3c00, 0x0001, 0x7bff, 0x7e00, 0, 0, 0, 0},
                         {0x3c00, 0x0001, 0x7bff, 0, 0, 0, 0, 0x8000}, {0x4000, 0x0002, 0x7c00, 0x7fff, 0, 0, 0, 0});
  check_reduce<uint16_t>("add.noftz.bf16", {0x3f80, 0x4380, 1, 2, 3, 4, 5, 6}, {0x3f80, 0x3f80, 1, 2, 3, 4, 5, 6},
                         {0x4000, 0x4380, 2, 4, 6, 8, 10, 12});
  check_reduce<uint16_t>("max.f16", {0x3c00, 0x7fff, 0x8000, 0xbc00, 0, 0, 0, 0},
                         {0x4000, 0x3c00, 0x0000, 0xb800, 0, 0, 0, 0}, {0x4000, 0x3c00, 0x0000, 0xb800, 0, 0, 0, 0});
}

TEST_CASE("fences of proxies are accepted") {
  run_ok(R"(
  fence.proxy.async;
  fence.proxy.async.global;
  fence.proxy.async.shared::cta;
  fence.proxy.async.shared::cluster;
  fence.proxy.alias;
  fence.mbarrier_init.release.cluster;
  fence.proxy.tensormap::generic.release.gpu;
)");
}

}  // namespace

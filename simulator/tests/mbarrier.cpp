// mbarriers through PTX: the words of the objects as Hopper has them, phases, parities and states, arrivals of copies,
// rings of several warps, and the report of every misuse that is certain.
#include <doctest/doctest.h>

#include "async_kernel.hpp"
#include "machine/async.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

// Only the upper half of a returned state is the object's; Hopper leaves something else in the lower.
std::string state_to(int index) {
  return "  shr.u64 %rd6, %rd5, 32;\n  st.global.b64 [%rd2+" + std::to_string(8 * index) + "], %rd6;\n";
}

TEST_CASE("states are those that an H100 returned") {
  const Outcome o =
      run_ok("  mbarrier.init.shared::cta.b64 [%r1], 5;\n  mbarrier.arrive.shared::cta.b64 %rd5, [%r1];\n" +
             state_to(0) + "  mbarrier.arrive.shared::cta.b64 %rd5, [%r1], 2;\n" + state_to(1) +
             "  mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r1], 100;\n"
             "  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r1], 40;\n"
             "  mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 %rd5, [%r1], 7;\n"
             "  mbarrier.arrive.shared::cta.b64 %rd5, [%r1];\n" +
             state_to(2) + "  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r1], 67;\n" +
             "  mbarrier.arrive_drop.shared::cta.b64 %rd5, [%r1];\n" + state_to(3) +
             "  mbarrier.arrive.noComplete.shared::cta.b64 %rd5, [%r1], 2;\n" + state_to(4) +
             "  mbarrier.pending_count.b64 %r5, %rd5;\n  cvt.u64.u32 %rd7, %r5;\n  st.global.b64 [%rd2+40], %rd7;\n"
             "  mbarrier.arrive.shared::cta.b64 %rd5, [%r1], 2;\n" +
             state_to(6) + "  mbarrier.arrive.shared::cta.b64 %rd5, [%r1], 4;\n" + state_to(7));
  const uint64_t want[] = {0x7fffd800, 0x7fffe000, 0x7ffffbff, 0xffffd800, 0xffffe000, 4, 0xfffff000, 0x7fffe000};
  for (int k = 0; k < 8; ++k) {
    CAPTURE(k);
    CHECK(o.out[k] == want[k]);
  }
}

TEST_CASE("the word that an H100 left in shared memory") {
  // init 1, arrive, expect_tx 2^20 - 1, arrive
  CHECK(Mbarrier{1, 0, 1, 1048575}.encode() == 0x80000200003ffffe);
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
  const Outcome o = run_ok(body, {.block = {1}, .options = kInTurn});  // a try_wait may fail for nothing
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
  bar.warp.sync -1;           // lanes that copy nothing must not fall behind: parity tells one phase from the next only
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
                           {.block = {32}, .options = kInTurn});
  CHECK(static_cast<uint32_t>(o.out[0]) == 1);
  CHECK(static_cast<uint32_t>(o.out[1]) == 0);
}

}  // namespace

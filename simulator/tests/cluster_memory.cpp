// Shared memory of other blocks of a cluster: loads, stores and atomics, mbarriers, st.async and red.async, bulk copies
// and multicasts, and what happens at a block that is not there. Launches on card h200 are held against an H100's.
#include "cluster_kernel.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

const Launch kPair{.grid = {2}, .cluster = {2, 1, 1}};

Outcome run_ok(const std::string& body, const Launch& launch = kPair) {
  Outcome o = run(body, launch);
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  return o;
}

void ends(const std::string& body, const std::string& why, Status status, Launch launch = kPair) {
  CAPTURE(body);
  launch.options = kInTurn;
  const Outcome o = run(body, launch);
  CHECK(o.result.status == status);
  CHECK_MESSAGE(contains(o.result.report, why), o.result.report);
}

// %r10 = &data[tid] of the other block of a pair, %r12 = area of it.
const std::string kOther = R"(
  xor.b32 %r9, %r22, 1;
  mapa.shared::cluster.u32 %r10, %r20, %r9;
  mov.u32 %r11, area;
  mapa.shared::cluster.u32 %r12, %r11, %r9;
)";

// Each block has an mbarrier of one arrival, which every block knows of; thread 0 has %p0.
const std::string kBarriers = R"(
  setp.eq.u32 %p0, %r21, 0;
  @%p0 mbarrier.init.shared::cta.b64 [%r24], 1;
  fence.mbarrier_init.release.cluster;
)" + cluster_sync() + "  mapa.shared::cluster.u32 %r25, %r24, %r9;\n";

std::string expect(uint32_t bytes) {
  return "  @%p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r24], " + std::to_string(bytes) + ";\n";
}
const std::string kWait =
    "$wait:\n  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [%r24], 0;\n  @!%p3 bra $wait;\n";

const std::string kShowArea = R"(
  mad.lo.u32 %r30, %r21, 4, %r11;
  ld.shared.u32 %r31, [%r30];
  st.global.u32 [%rd4], %r31;
)" + cluster_sync();

uint32_t in_word(size_t n) {
  uint32_t word = 0;
  for (size_t k = 4 * n; k < 4 * n + 4; ++k)
    word |= static_cast<uint32_t>(static_cast<uint8_t>(k * 7 + k / 256)) << (k % 4 * 8);
  return word;
}

}  // namespace

TEST_CASE("a block reads, writes and updates the shared memory of another, by shared and generic addresses") {
  const Outcome o = run_ok(kOther + R"(
  mad.lo.u32 %r1, %r22, 100, %r21;
  st.shared.u32 [%r20], %r1;
  setp.eq.u32 %p1, %r21, 0;
  @%p1 st.shared.u32 [%r11], 3;
  @%p1 st.shared.u32 [%r11+8], 3;
)" + cluster_sync() + R"(
  ld.shared::cluster.u32 %r2, [%r10];
  cvt.u64.u32 %rd5, %r10;
  cvta.shared::cluster.u64 %rd6, %rd5;
  ld.u32 %r3, [%rd6];
  add.u32 %r2, %r2, %r3;
  st.global.u32 [%rd4], %r2;
)" + cluster_sync() + R"(
  add.u32 %r4, %r21, 7;
  st.shared::cluster.u32 [%r10], %r4;
  atom.relaxed.cluster.shared::cluster.add.u32 %r5, [%r12], %r21;
  red.relaxed.cluster.shared::cluster.max.u32 [%r12+8], %r21;
)" + cluster_sync() + R"(
  ld.shared.u32 %r6, [%r20];
  st.global.u32 [%rd4+128], %r6;
  @%p1 ld.shared.u32 %r7, [%r11];
  @%p1 ld.shared.u32 %r8, [%r11+8];
  @%p1 st.global.u32 [%rd2+256], %r7;
  @%p1 st.global.u32 [%rd2+260], %r8;
)" + cluster_sync(),
                           {.grid = {4}, .cluster = {2, 1, 1}});
  for (uint32_t b = 0; b < 4; ++b) {
    const uint32_t* const out = &o.out[b * kWordsOfBlock];
    for (uint32_t t = 0; t < 32; ++t) {
      CHECK(out[t] == 2 * ((b % 2 == 0 ? 100 : 0) + t));
      CHECK(out[32 + t] == t + 7);
    }
    CHECK(out[64] == 3 + 496);
    CHECK(out[65] == 31);
  }
}

TEST_CASE("lanes of one instruction reach different blocks") {
  const Outcome o = run_ok(R"(
  mad.lo.u32 %r1, %r22, 1000, %r21;
  st.shared.u32 [%r20], %r1;
)" + cluster_sync() + R"(
  and.b32 %r2, %r21, 3;
  mapa.shared::cluster.u32 %r3, %r20, %r2;
  ld.shared::cluster.u32 %r4, [%r3];
  st.global.u32 [%rd4], %r4;
)" + cluster_sync(),
                           {.grid = {4}, .cluster = {4, 1, 1}});
  for (uint32_t b = 0; b < 4; ++b)
    for (uint32_t t = 0; t < 32; ++t) CHECK(o.out[b * kWordsOfBlock + t] == t % 4 * 1000 + t);
}

TEST_CASE("an mbarrier hears of arrivals and bytes of other blocks") {
  // Rank 0 arrives for rank 1, with the count that rank 1's mbarrier lacks; both announce and deliver bytes by hand.
  const Outcome o = run_ok(kOther + R"(
  setp.eq.u32 %p0, %r21, 0;
  @%p0 mbarrier.init.shared::cta.b64 [%r24], 3;
  fence.mbarrier_init.release.cluster;
)" + cluster_sync() + R"(
  mapa.shared::cluster.u32 %r25, %r24, %r9;
  mad.lo.u32 %r1, %r22, 100, %r21;
  st.shared::cluster.u32 [%r10], %r1;
  bar.warp.sync 0xffffffff;
  @%p0 mbarrier.expect_tx.relaxed.cluster.shared::cluster.b64 [%r25], 16;
  @%p0 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r25], 2;
  @%p0 mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r25], 16;
  @%p0 mbarrier.arrive.release.cluster.shared::cta.b64 %rd7, [%r24];
)" + kWait + R"(
  ld.shared.u32 %r2, [%r20];
  st.global.u32 [%rd4], %r2;
)" + cluster_sync());
  for (uint32_t b = 0; b < 2; ++b)
    for (uint32_t t = 0; t < 32; ++t) CHECK(o.out[b * kWordsOfBlock + t] == (1 - b) * 100 + t);
}

TEST_CASE("st.async and red.async land in another block, and its mbarrier hears of them") {
  const std::string form = ".mbarrier::complete_tx::bytes";
  const Outcome stored = run_ok(kOther + kBarriers + expect(128) + R"(
  mad.lo.u32 %r1, %r22, 50, %r21;
  mad.lo.u32 %r2, %r21, 4, %r12;
  st.async.shared::cluster)" + form +
                                ".b32 [%r2], %r1, [%r25];\n" + kWait + kShowArea);
  const Outcome reduced = run_ok(kOther + "  mad.lo.u32 %r30, %r21, 4, %r11;\n  st.shared.u32 [%r30], 1000;\n" +
                                 kBarriers + expect(128) + R"(
  mad.lo.u32 %r1, %r22, 50, %r21;
  mad.lo.u32 %r2, %r21, 4, %r12;
  red.async.relaxed.cluster.shared::cluster)" +
                                 form + ".add.u32 [%r2], %r1, [%r25];\n" + kWait + kShowArea);
  for (uint32_t b = 0; b < 2; ++b)
    for (uint32_t t = 0; t < 32; ++t) {
      CHECK(stored.out[b * kWordsOfBlock + t] == (1 - b) * 50 + t);
      CHECK(reduced.out[b * kWordsOfBlock + t] == 1000 + (1 - b) * 50 + t);
    }
}

TEST_CASE("bulk copies go from the shared memory of a block to that of another, and from global memory to any") {
  const Outcome moved =
      run_ok(kOther + "  mad.lo.u32 %r1, %r22, 50, %r21;\n  st.shared.u32 [%r20], %r1;\n" +
             "  fence.proxy.async.shared::cta;\n  bar.sync 0;\n  mov.u32 %r26, data;\n" + kBarriers + expect(128) + R"(
  @%p0 cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r12], [%r26], 128, [%r25];
)" + kWait + kShowArea);
  const Outcome loaded = run_ok(kOther + kBarriers + expect(128) + R"(
  mul.wide.u32 %rd5, %r22, 128;
  add.u64 %rd5, %rd1, %rd5;
  @%p0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r12], [%rd5], 128, [%r25];
)" + kWait + kShowArea);
  for (uint32_t b = 0; b < 2; ++b)
    for (uint32_t t = 0; t < 32; ++t) {
      CHECK(moved.out[b * kWordsOfBlock + t] == (1 - b) * 50 + t);
      CHECK(loaded.out[b * kWordsOfBlock + t] == in_word((1 - b) * 32 + t));
    }
}

TEST_CASE("a multicast lands at one place in every block that the mask names, and each one's mbarrier hears of it") {
  // Rank 0 sends to ranks 1 and 3, rank 2 to all.
  const Outcome o = run_ok(kOther + kBarriers + R"(
  and.b32 %r1, %r22, 1;
  setp.eq.u32 %p4, %r1, 1;
  selp.u32 %r2, 256, 128, %p4;
  @%p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r24], %r2;
)" + cluster_sync() + R"(
  setp.eq.u32 %p5, %r22, 0;
  setp.eq.u32 %p6, %r22, 2;
  and.pred %p5, %p5, %p0;
  and.pred %p6, %p6, %p0;
  mov.u16 %rs1, 10;
  mov.u16 %rs2, 15;
  @%p5 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r11], [%rd1], 128, [%r24], %rs1;
  @%p6 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r11+128], [%rd1+128], 128, [%r24], %rs2;
)" + kWait + R"(
  mad.lo.u32 %r30, %r21, 4, %r11;
  ld.shared.u32 %r31, [%r30+128];
  st.global.u32 [%rd4+128], %r31;
  @!%p4 bra $done;
  ld.shared.u32 %r31, [%r30];
  st.global.u32 [%rd4], %r31;
$done:
)" + cluster_sync(),
                           {.grid = {4}, .cluster = {4, 1, 1}});
  for (uint32_t b = 0; b < 4; ++b)
    for (uint32_t t = 0; t < 32; ++t) {
      CHECK(o.out[b * kWordsOfBlock + t] == (b % 2 == 1 ? in_word(t) : kUntouched));
      CHECK(o.out[b * kWordsOfBlock + 32 + t] == in_word(32 + t));
    }
}

TEST_CASE("16 blocks pass a word round") {
  const Outcome o = run_ok(R"(
  setp.eq.u32 %p0, %r21, 0;
  @%p0 mbarrier.init.shared::cta.b64 [%r24], 1;
  fence.mbarrier_init.release.cluster;
)" + cluster_sync() + R"(
  @!%p0 bra $done;
  add.u32 %r1, %r22, 1;
  rem.u32 %r1, %r1, %r23;
  mapa.shared::cluster.u32 %r2, %r20, %r1;
  mapa.shared::cluster.u32 %r3, %r24, %r1;
  mov.u32 %r4, 1;
  setp.eq.u32 %p1, %r22, 0;
  @%p1 bra $send;
)" + kWait + R"(
  ld.shared.u32 %r4, [%r20];
  mad.lo.u32 %r4, %r4, 3, %r22;
$send:
  st.shared::cluster.u32 [%r2], %r4;
  mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r3];
  st.global.u32 [%rd2], %r4;
$done:
)" + cluster_sync(),
                           {.grid = {16}, .block = {32}, .cluster = {16, 1, 1}});
  uint32_t word = 1;
  for (uint32_t b = 0; b < 16; ++b) {
    if (b != 0) word = word * 3 + b;
    CHECK(o.out[b * kWordsOfBlock] == word);
  }
}

TEST_CASE("what names a block that is not there, or a form that reaches its own block alone, ends the launch") {
  const std::string load = "  ld.shared::cluster.u32 %r1, [%r10];\n";
  const std::string rank5 = "  mapa.shared::cluster.u32 %r10, %r20, 5;\n";
  ends(rank5 + load, "rank 5, the cluster has 2 blocks", Status::kAbsentBlock);
  ends(rank5 + "  mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r10];\n", "rank 5", Status::kAbsentBlock);
  ends("  mapa.shared::cluster.u32 %r10, %r20, 1;\n" + load, "the launch has no clusters", Status::kIllegalInstruction,
       {.grid = {2}});
  ends(kOther + "  ld.shared::cluster.u32 %r1, [%r10+300000];\n", "past shared memory of block (1,0,0)",
       Status::kIllegalAddress);
  ends(kOther + "  ld.shared.u32 %r1, [%r10];\n", "without .shared::cluster", Status::kIllegalInstruction);
  ends(kOther + "  ld.shared::cluster.u32 %r1, [%r10+2];\n", "not aligned", Status::kMisalignedAddress);
  ends(kOther + kBarriers + "  mbarrier.arrive.shared::cta.b64 %rd5, [%r25];\n", "without .shared::cluster",
       Status::kIllegalInstruction);
  ends(kOther + kBarriers + R"(
  cvt.u64.u32 %rd5, %r25;
  cvta.shared::cluster.u64 %rd6, %rd5;
  mbarrier.test_wait.parity.b64 %p1, [%rd6], 0;
)",
       "only arrive, expect_tx and complete_tx", Status::kIllegalInstruction);
  const std::string store = "  st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r10], %r1, [%r24];\n";
  ends(kOther + kBarriers + store, "they have to be in one block", Status::kIllegalInstruction);
  ends(kOther + kBarriers + R"(
  mov.u16 %rs1, 5;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r11], [%rd1], 16, [%r24], %rs1;
)",
       "mask 5, the cluster has 2 blocks", Status::kAbsentBlock);
  // Rank 1, which ends the barrier, goes on first and leaves.
  ends(kOther + cluster_sync() + R"(
  setp.eq.u32 %p1, %r22, 1;
  @%p1 exit;
)" + load,
       "shared memory of block (1,0,0), which has ended", Status::kAbsentBlock);
}

TEST_CASE("cards of compute capability 12 have clusters and no multicast") {
  std::string text = kernel(kOther + kBarriers + expect(16) + R"(
  mov.u16 %rs1, 3;
  @%p0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r11], [%rd1], 16, [%r24], %rs1;
)" + kWait,
                            "");
  Program program(text);
  std::vector<uint8_t> in(8192);
  std::vector<uint32_t> out(1024);
  program.add(in, "in");
  program.add(out, "out");
  Launch launch = kPair;
  launch.card = "rtx-pro-6000";
  const LaunchResult result = program.run("test", launch, {pointer(in), pointer(out)});
  CHECK(result.status == Status::kIllegalInstruction);
  CHECK_MESSAGE(contains(result.report, "has no multicast"), result.report);
}

TEST_CASE("a seed's schedule of clusters replays to the bit, and seeds differ") {
  // Who comes first at a counter of rank 0.
  const auto order = [](uint64_t seed) {
    Launch launch{.grid = {8}, .block = {64}, .cluster = {4, 1, 1}};
    launch.options = RunOptions{};
    launch.options->seed = seed;
    const Outcome o = run(R"(
  setp.eq.u32 %p0, %r21, 0;
  mov.u32 %r11, area;
  @%p0 st.shared.u32 [%r11], 0;
)" + cluster_sync() + R"(
  mapa.shared::cluster.u32 %r12, %r11, 0;
  atom.relaxed.cluster.shared::cluster.add.u32 %r1, [%r12], 1;
  st.global.u32 [%rd4], %r1;
)" + cluster_sync(),
                          launch);
    REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
    for (uint32_t c = 0; c < 2; ++c) {
      std::vector<uint32_t> tickets;
      for (uint32_t b = 4 * c; b < 4 * c + 4; ++b)
        tickets.insert(tickets.end(), &o.out[b * kWordsOfBlock], &o.out[b * kWordsOfBlock] + 64);
      std::sort(tickets.begin(), tickets.end());
      for (uint32_t n = 0; n < tickets.size(); ++n) CHECK(tickets[n] == n);
    }
    return o.out;
  };
  size_t different = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    CHECK(order(seed) == order(seed));
    different += order(seed) != order(seed + 1);
  }
  CHECK(different >= 4);
}

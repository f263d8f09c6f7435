// Seeded schedules: the same seed is the same run, other seeds are other interleavings, a missing barrier shows in some
// of them, and what hardware promises (room, progress, deadlock) holds in all.
#include <algorithm>
#include <set>

#include "program.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

RunOptions seeded(uint64_t seed) {
  RunOptions options;
  options.seed = seed;
  return options;
}

struct Result {
  LaunchResult launch;
  std::vector<uint32_t> data;
};

// `body` has %rd1 (data, 256 words of 0), %r0 (tid.x), %r9 (ctaid.x), `area` (1 KB, shared) in %r1, scratch.
Result run(const std::string& body, Launch launch, const RunOptions& options) {
  launch.options = options;
  Result r;
  r.data.assign(256, 0);
  Program program(header() +
                  ".visible .entry k(.param .u64 data)\n{\n.reg .pred %p<8>;\n.reg .b32 %r<16>;\n.reg .b64 %rd<8>;\n"
                  ".shared .align 16 .b8 area[1024];\nld.param.u64 %rd1, [data];\nmov.u32 %r0, %tid.x;\n"
                  "mov.u32 %r9, %ctaid.x;\nmov.u32 %r1, area;\n" +
                  body + "\n$done:\nret;\n}\n");
  program.add(r.data, "data");
  r.launch = program.run("k", launch, {pointer(r.data)});
  return r;
}

std::vector<uint32_t> run_ok(const std::string& body, const Launch& launch, uint64_t seed) {
  const Result r = run(body, launch, seeded(seed));
  REQUIRE_MESSAGE(r.launch.status == Status::kOk, r.launch.report);
  return r.data;
}

// Each warp draws a ticket and writes its number there: data[1 + k] is the k-th warp of all.
constexpr char kTickets[] = R"(
    and.b32 %r2, %r0, 31;
    setp.ne.u32 %p1, %r2, 0;
    @%p1 bra $done;
    atom.global.add.u32 %r3, [%rd1], 1;
    shr.u32 %r4, %r0, 5;
    mad.lo.u32 %r4, %r9, 4, %r4;
    mul.wide.u32 %rd2, %r3, 4;
    add.s64 %rd2, %rd2, %rd1;
    st.global.u32 [%rd2+4], %r4;)";

}  // namespace

TEST_CASE("the same seed is the same run, other seeds are others") {
  std::set<std::vector<uint32_t>> orders;
  for (uint64_t seed = 1; seed <= 20; ++seed) {  // 0 is no seed: blocks then run on as many host threads as there are
    const Result once = run(kTickets, {.grid = {8}, .block = {128}}, seeded(seed));
    const Result again = run(kTickets, {.grid = {8}, .block = {128}}, seeded(seed));
    REQUIRE(once.launch.status == Status::kOk);
    CHECK(once.data == again.data);
    CHECK(once.launch.counters.warp_instructions == again.launch.counters.warp_instructions);
    orders.insert(once.data);
    std::vector<uint32_t> sorted(once.data.begin() + 1, once.data.begin() + 33);
    std::sort(sorted.begin(), sorted.end());
    for (uint32_t k = 0; k < 32; ++k) CHECK(sorted[k] == k);
  }
  CHECK(orders.size() == 20);
  RunOptions second = seeded(1);
  second.launch = 1;  // the next launch of a process has an order of its own
  CHECK(run(kTickets, {.grid = {8}, .block = {128}}, second).data !=
        run(kTickets, {.grid = {8}, .block = {128}}, seeded(1)).data);
}

TEST_CASE("a fault under a seed is reported alike each time") {
  const std::string body = "setp.ne.u32 %p1, %r0, 40;\n@%p1 bra $done;\nst.global.u32 [%rd1+4096], %r0;";
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Result once = run(body, {.grid = {6}, .block = {64}}, seeded(seed));
    CHECK(once.launch.status == Status::kIllegalAddress);
    CHECK(contains(once.launch.report, "block (0,0,0) thread 40"));  // of the lowest block, as without a seed
    CHECK(once.launch.report == run(body, {.grid = {6}, .block = {64}}, seeded(seed)).launch.report);
  }
}

TEST_CASE("a missing bar.sync shows within 20 seeds") {
  const auto body = [](const char* barrier) {
    return std::string(R"(
    st.shared.u32 [area], 0;
    bar.sync 0;
    setp.ne.u32 %p1, %r0, 32;
    @%p1 bra $written;
    st.shared.u32 [area], 7;
  $written:
    )") + barrier +
           R"(
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $done;
    ld.shared.u32 %r2, [area];
    st.global.u32 [%rd1], %r2;)";
  };
  CHECK(run_ok(body(""), {.block = {64}}, 0)[0] == 7);  // in turn, the mistake is invisible
  int wrong = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    wrong += run_ok(body(""), {.block = {64}}, seed)[0] != 7;
    CHECK(run_ok(body("bar.sync 0;"), {.block = {64}}, seed)[0] == 7);
  }
  CHECK(wrong >= 4);
}

TEST_CASE("a missing bar.warp.sync shows within 20 seeds") {
  // The upper lanes write in a branch; then each lane reads its partner's word.
  const auto body = [](const char* sync) {
    return std::string(R"(
    mad.lo.u32 %r2, %r0, 4, %r1;
    st.shared.u32 [%r2], %r0;
    bar.warp.sync -1;
    setp.lt.u32 %p1, %r0, 16;
    @%p1 bra $met;
    mad.lo.u32 %r3, %r0, 100, 0;
    st.shared.u32 [%r2], %r3;
  $met:
    )") + sync +
           R"(
    xor.b32 %r4, %r0, 16;
    mad.lo.u32 %r4, %r4, 4, %r1;
    ld.shared.u32 %r5, [%r4];
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd2, %rd2, %rd1;
    st.global.u32 [%rd2], %r5;)";
  };
  const auto is_right = [](const std::vector<uint32_t>& data) {
    for (uint32_t lane = 0; lane < 16; ++lane)
      if (data[lane] != (lane + 16) * 100) return false;
    return true;
  };
  CHECK(is_right(run_ok(body(""), {.block = {32}}, 0)));
  int wrong = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    wrong += !is_right(run_ok(body(""), {.block = {32}}, seed));
    CHECK(is_right(run_ok(body("bar.warp.sync -1;"), {.block = {32}}, seed)));
  }
  CHECK(wrong >= 3);
}

TEST_CASE("a flag that is published before its data shows within 20 seeds") {
  // Block 0 sets the flag, then the data, with a fence between; the others take the data when they see the flag.
  const auto body = [](const char* first, const char* second) {
    return std::string("setp.ne.u32 %p1, %r9, 0;\n@%p1 bra $spin;\n") + first + "fence.acq_rel.gpu;\n" + second +
           R"(
    bra.uni $done;
  $spin:
    ld.acquire.gpu.global.u32 %r2, [%rd1];
    setp.eq.u32 %p2, %r2, 0;
    @%p2 bra $spin;
    ld.global.u32 %r3, [%rd1+4];
    mul.wide.u32 %rd2, %r9, 4;
    add.s64 %rd2, %rd2, %rd1;
    st.global.u32 [%rd2+8], %r3;)";
  };
  const char* const flag = "st.release.gpu.global.u32 [%rd1], 1;\n";
  const char* const data = "st.global.u32 [%rd1+4], 9;\n";
  const auto is_right = [](const std::vector<uint32_t>& all) {
    return std::all_of(all.begin() + 3, all.begin() + 8, [](uint32_t x) { return x == 9; });
  };
  int wrong = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    wrong += !is_right(run_ok(body(flag, data), {.grid = {6}, .block = {1}}, seed));
    CHECK(is_right(run_ok(body(data, flag), {.grid = {6}, .block = {1}}, seed)));
  }
  CHECK(wrong >= 1);
}

TEST_CASE("spinning warps starve nobody") {
  // Every warp waits for the one above it; the last one works for long before it lets them go.
  const std::string body = R"(
    shr.u32 %r2, %r0, 5;
    mad.lo.u32 %r3, %r2, 4, %r1;
    st.shared.u32 [%r3], 0;
    bar.sync 0;
    setp.eq.u32 %p1, %r2, 7;
    @%p1 bra $work;
  $spin:
    ld.volatile.shared.u32 %r4, [%r3+4];
    setp.eq.u32 %p2, %r4, 0;
    @%p2 bra $spin;
    bra.uni $free;
  $work:
    mov.u32 %r5, 0;
  $loop:
    add.u32 %r5, %r5, 1;
    fence.acq_rel.cta;
    setp.lt.u32 %p3, %r5, 5000;
    @%p3 bra $loop;
  $free:
    st.volatile.shared.u32 [%r3], 1;
    setp.eq.u32 %p4, %r0, 0;
    @%p4 st.global.u32 [%rd1], 1;)";
  for (uint64_t seed = 0; seed <= 12; ++seed) CHECK(run_ok(body, {.block = {256}}, seed)[0] == 1);
}

TEST_CASE("a deadlock of many polling warps is found, turns or not") {
  const std::string body =
      "$spin:\nfence.acq_rel.gpu;\nfence.acq_rel.gpu;\nld.volatile.global.u32 %r2, [%rd1];\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 bra $spin;";
  for (uint64_t seed = 0; seed <= 6; ++seed)
    CHECK(run(body, {.grid = {3}, .block = {1024}}, seeded(seed)).launch.status == Status::kDeadlock);
}

TEST_CASE("try_wait may fail for nothing under a seed, never without") {
  const std::string body = R"(
    mbarrier.init.shared.b64 [%r1], 1;
    mbarrier.arrive.shared.b64 _, [%r1];
    mov.u32 %r2, 0;
  $try:
    add.u32 %r2, %r2, 1;
    mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;
    @!%p1 bra $try;
    st.global.u32 [%rd1], %r2;)";
  int retried = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) retried += run_ok(body, {.block = {1}}, seed)[0] > 1;
  CHECK(retried > 0);
  CHECK(retried < 15);  // one in eight
  CHECK(run_ok(body, {.block = {1}}, 0)[0] == 1);
}

TEST_CASE("blocks start in any order, but no more than fit at a time") {
  // Each block of 1024 threads fills an SM of the 48: data[0] counts starts, data[1] those that run, data[2] their
  // maximum.
  const std::string body = R"(
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $done;
    atom.global.add.u32 %r2, [%rd1], 1;
    atom.global.add.u32 %r4, [%rd1+4], 1;
    add.u32 %r4, %r4, 1;
    red.global.max.u32 [%rd1+8], %r4;
    mul.wide.u32 %rd2, %r2, 4;
    add.s64 %rd2, %rd2, %rd1;
    st.global.u32 [%rd2+12], %r9;
    fence.acq_rel.gpu;
    fence.acq_rel.gpu;
    red.global.add.s32 [%rd1+4], -1;)";
  int in_order = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const auto data = run_ok(body, {.grid = {60}, .block = {1024}, .card = "gb10"}, seed);
    CHECK(data[0] == 60);
    CHECK(data[1] == 0);
    CHECK(data[2] <= 48);
    std::vector<uint32_t> order(data.begin() + 3, data.begin() + 63);
    in_order += std::is_sorted(order.begin(), order.end());
    std::sort(order.begin(), order.end());
    for (uint32_t k = 0; k < 60; ++k) CHECK(order[k] == k);
    // A barrier of as many as fit passes, one of more never starts them all.
    const Launch full{.grid = {48}, .block = {1024}, .card = "gb10"},
        over{.grid = {49}, .block = {1024}, .card = "gb10"};
    CHECK(run(kGridBarrier, full, seeded(seed)).launch.status == Status::kOk);
    const Result dead = run(kGridBarrier, over, seeded(seed));
    CHECK(dead.launch.status == Status::kDeadlock);
    CHECK(contains(dead.launch.report, "1 of 49 blocks have not started: 48 are resident"));
  }
  CHECK(in_order == 0);
  RunOptions ordered;
  ordered.async = AsyncMode::kHostile;  // ordered, in turn
  CHECK(run(kGridBarrier, {.grid = {49}, .block = {1024}, .card = "gb10"}, ordered).launch.status == Status::kDeadlock);
}

// Warps whose lanes part: nested branches, loops of different length, early exit, waiting for lanes of the same warp,
// and the instructions that bring lanes together.
#include "program.hpp"

using namespace sim;
using namespace sim::test;

namespace {

// Runs a body on one warp with out[lane] as result; %r0 is the lane, %rd0 the address of out[lane], %r1 the result.
std::vector<uint32_t> run_lanes(const std::string& body, LaunchResult* result = nullptr, uint32_t threads = 32,
                                std::optional<RunOptions> options = {}) {
  std::vector<uint32_t> out(threads, 0xdeadbeef);
  Program program(header() +
                  ".visible .entry k(.param .u64 out)\n{\n.reg .pred %p<8>;\n.reg .b32 %r<16>;\n.reg .b64 %rd<8>;\n"
                  ".shared .align 16 .b8 area[256];\n"
                  "ld.param.u64 %rd1, [out];\nmov.u32 %r0, %tid.x;\nmul.wide.u32 %rd2, %r0, 4;\n"
                  "add.s64 %rd0, %rd1, %rd2;\nmov.u32 %r1, 0;\n" +
                  body + "\n$done:\nst.global.u32 [%rd0], %r1;\nret;\n}\n");
  program.add(out, "out");
  const LaunchResult r = program.run("k", {.block = {threads}, .options = options}, {pointer(out)});
  if (result != nullptr)
    *result = r;
  else
    REQUIRE_MESSAGE(r.status == LaunchResult::Status::kOk, r.report);
  return out;
}

}  // namespace

TEST_CASE("nested branches reconverge") {
  // Outer split by lane 16, inner by odd lanes; all lanes then vote together.
  const auto out = run_lanes(R"(
    setp.lt.u32 %p1, %r0, 16;
    and.b32 %r2, %r0, 1;
    setp.eq.u32 %p2, %r2, 1;
    @%p1 bra $low;
    @%p2 bra $high_odd;
    add.u32 %r1, %r1, 1000;
    bra.uni $high_end;
  $high_odd:
    add.u32 %r1, %r1, 2000;
  $high_end:
    bra.uni $end;
  $low:
    @%p2 bra $low_odd;
    add.u32 %r1, %r1, 3000;
    bra.uni $end;
  $low_odd:
    add.u32 %r1, %r1, 4000;
  $end:
    activemask.b32 %r3;
    popc.b32 %r3, %r3;
    add.u32 %r1, %r1, %r3;)",
                             nullptr, 32, kInTurn);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t base = lane < 16 ? (lane % 2 ? 4000 : 3000) : (lane % 2 ? 2000 : 1000);
    CHECK(out[lane] == base + 32);  // converged again
  }
}

TEST_CASE("loops of different length") {
  const auto out = run_lanes(R"(
    mov.u32 %r2, 0;
  $loop:
    setp.ge.u32 %p1, %r2, %r0;
    @%p1 bra $end;
    add.u32 %r1, %r1, %r2;
    add.u32 %r2, %r2, 1;
    bra.uni $loop;
  $end:
    activemask.b32 %r3;
    popc.b32 %r3, %r3;
    mad.lo.u32 %r1, %r3, 10000, %r1;)",
                             nullptr, 32, kInTurn);
  for (uint32_t lane = 0; lane < 32; ++lane) CHECK(out[lane] == 320000 + lane * (lane - 1) / 2 * (lane != 0));
}

TEST_CASE("lanes exit early and the others go on together") {
  std::vector<uint32_t> out = run_lanes(R"(
    setp.lt.u32 %p1, %r0, 5;
    @%p1 exit;
    bar.sync 0;
    activemask.b32 %r1;)");
  for (uint32_t lane = 0; lane < 32; ++lane) CHECK(out[lane] == (lane < 5 ? 0xdeadbeef : 0xffffffe0));
}

TEST_CASE("a lane that spins lets the lane that it waits for go on") {
  // Lane 0 waits in a loop at a lower pc for the flag that lane 31 sets behind it: lowest pc first alone would starve
  // it.
  const auto out = run_lanes(R"(
    st.shared.u32 [area], 0;
    bar.warp.sync -1;
    setp.eq.u32 %p1, %r0, 31;
    @%p1 bra $producer;
  $spin:
    ld.volatile.shared.u32 %r1, [area];
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra $spin;
    bra.uni $done;
  $producer:
    st.shared.u32 [area], 77;
    mov.u32 %r1, 5;)");
  for (uint32_t lane = 0; lane < 32; ++lane) CHECK(out[lane] == (lane == 31 ? 5 : 77));
}

TEST_CASE("a spin on a plain load gives way too") {
  const auto out = run_lanes(R"(
    st.shared.u32 [area], 0;
    bar.warp.sync -1;
    setp.eq.u32 %p1, %r0, 31;
    @%p1 bra $producer;
  $spin:
    ld.shared.u32 %r1, [area];
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra $spin;
    bra.uni $done;
  $producer:
    st.shared.u32 [area], 77;)");
  for (uint32_t lane = 0; lane < 31; ++lane) CHECK(out[lane] == 77);
}

TEST_CASE("lanes hand a ticket on within the warp") {
  // Every lane waits for its number: 32 splits that poll and help each other.
  const auto out = run_lanes(R"(
    st.shared.u32 [area], 0;
    bar.warp.sync -1;
  $spin:
    ld.volatile.shared.u32 %r2, [area];
    setp.ne.u32 %p1, %r2, %r0;
    @%p1 bra $spin;
    ld.shared.u32 %r1, [area+4];
    st.shared.u32 [area+4], %r0;
    add.u32 %r2, %r2, 1;
    st.volatile.shared.u32 [area], %r2;)");
  for (uint32_t lane = 1; lane < 32; ++lane) CHECK(out[lane] == lane - 1);
}

TEST_CASE("bar.warp.sync gathers lanes, also from different places") {
  const auto out = run_lanes(R"(
    setp.lt.u32 %p1, %r0, 8;
    @%p1 bra $few;
    st.shared.u32 [area], 11;
    bar.warp.sync -1;
    ld.shared.u32 %r1, [area+4];
    bra.uni $done;
  $few:
    st.shared.u32 [area+4], 22;
    bar.warp.sync -1;
    ld.shared.u32 %r1, [area];)");
  for (uint32_t lane = 0; lane < 32; ++lane) CHECK(out[lane] == (lane < 8 ? 11 : 22));
}

TEST_CASE("shfl waits for the lanes of its mask") {
  const auto out = run_lanes(R"(
    mov.u32 %r2, %r0;
    setp.gt.u32 %p1, %r0, 3;
    @%p1 bra $join;
    mul.lo.u32 %r2, %r2, 100;
  $join:
    shfl.sync.bfly.b32 %r1|%p2, %r2, 16, 31, -1;)");
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t other = lane ^ 16;
    CHECK(out[lane] == (other <= 3 ? other * 100 : other));
  }
}

TEST_CASE("lanes that never meet are reported at the instruction") {
  LaunchResult result;
  run_lanes(R"(
    setp.lt.u32 %p1, %r0, 16;
    @%p1 bra $low;
    shfl.sync.idx.b32 %r1, %r0, 0, 31, -1;
    bra.uni $done;
  $low:
    shfl.sync.idx.b32 %r1, %r0, 0, 31, -1;)",
            &result);
  CHECK(result.status == LaunchResult::Status::kIllegalInstruction);
  CHECK(contains(result.report,
                 "shfl.sync.idx.b32  block (0,0,0) thread 16: lanes 16-31 wait here for lanes 0-15, which never come"));
}

TEST_CASE("a lane outside its own member mask") {
  LaunchResult result;
  run_lanes("vote.sync.ballot.b32 %r1, %p1, 0x7fffffff;", &result);
  CHECK(contains(result.report, "block (0,0,0) thread 31: lane is not in its own member mask"));
}

TEST_CASE("a guard that splits an aligned barrier") {
  LaunchResult result;
  run_lanes("setp.lt.u32 %p1, %r0, 4;\n@%p1 bar.sync 0;", &result);
  CHECK(contains(result.report, "thread 0: an .aligned instruction under a guard that only lanes 0-3 pass"));
}

TEST_CASE("brx.idx") {
  const auto out = run_lanes(R"(
    and.b32 %r2, %r0, 3;
  $table: .branchtargets $a, $b, $c, $b;
    brx.idx %r2, $table;
  $a:
    mov.u32 %r1, 1;
    bra.uni $done;
  $b:
    mov.u32 %r1, 2;
    bra.uni $done;
  $c:
    mov.u32 %r1, 3;)");
  const uint32_t expected[] = {1, 2, 3, 2};
  for (uint32_t lane = 0; lane < 32; ++lane) CHECK(out[lane] == expected[lane % 4]);
}

// Grids: barriers of a block, blocks that wait for each other on few host threads, deadlocks told from waiting, time.
#include <cstdlib>

#include "program.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

struct HostThreads {
  explicit HostThreads(const char* n) { setenv("B12X_SIM_THREADS", n, 1); }
  ~HostThreads() { unsetenv("B12X_SIM_THREADS"); }
};

constexpr char kRegisters[] =
    ".reg .pred %p<8>;\n.reg .b32 %r<16>;\n.reg .b64 %rd<8>;\n.shared .align 16 .b8 area[1024];\n"
    "ld.param.u64 %rd1, [data];\nmov.u32 %r0, %tid.x;\nmov.u32 %r9, %ctaid.x;\n";

std::string entry(const std::string& body) {
  return header() + ".visible .entry k(.param .u64 data)\n{\n" + kRegisters + body + "\n$done:\nret;\n}\n";
}

}  // namespace

TEST_CASE("bar.sync orders the warps of a block") {
  std::vector<uint32_t> data(256);
  Program program(entry(R"(
    mov.u32 %r1, area;
    mad.lo.u32 %r1, %r0, 4, %r1;
    st.shared.u32 [%r1], %r0;
    bar.sync 0;
    mov.u32 %r2, area;
    xor.b32 %r3, %r0, 255;
    mad.lo.u32 %r2, %r3, 4, %r2;
    ld.shared.u32 %r4, [%r2];
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r4;)"));
  program.add(data, "data");
  program.run_ok("k", {.block = {256}}, {pointer(data)});
  for (uint32_t n = 0; n < 256; ++n) CHECK(data[n] == 255 - n);
}

TEST_CASE("named barriers: producers arrive, consumers wait") {
  std::vector<uint32_t> data(64);
  Program program(entry(R"(
    setp.lt.u32 %p1, %r0, 32;
    @%p1 bra $consume;
    mov.u32 %r1, area;
    mad.lo.u32 %r1, %r0, 4, %r1;
    st.shared.u32 [%r1], %r0;
    bar.arrive 1, 64;
    bra.uni $done;
  $consume:
    bar.sync 1, 64;
    mov.u32 %r1, area;
    mad.lo.u32 %r1, %r0, 4, %r1;
    ld.shared.u32 %r2, [%r1+128];
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r2;)"));
  program.add(data, "data");
  program.run_ok("k", {.block = {64}}, {pointer(data)});
  for (uint32_t n = 0; n < 32; ++n) CHECK(data[n] == n + 32);
}

TEST_CASE("bar.red counts, and joins predicates") {
  std::vector<uint32_t> data(96);
  Program program(entry(R"(
    setp.lt.u32 %p1, %r0, 70;
    setp.lt.u32 %p2, %r0, 200;
    setp.eq.u32 %p3, %r0, 300;
    bar.red.popc.u32 %r1, 0, %p1;
    bar.red.and.pred %p4, 1, %p1;
    bar.red.and.pred %p5, 2, 96, %p2;
    bar.red.or.pred %p6, 3, !%p1;
    bar.red.or.pred %p7, 0, %p3;
    selp.u32 %r2, 1, 0, %p4;
    selp.u32 %r3, 2, 0, %p5;
    selp.u32 %r4, 4, 0, %p6;
    selp.u32 %r5, 8, 0, %p7;
    shl.b32 %r1, %r1, 8;
    or.b32 %r1, %r1, %r2;
    or.b32 %r1, %r1, %r3;
    or.b32 %r1, %r1, %r4;
    or.b32 %r1, %r1, %r5;
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r1;)"));
  program.add(data, "data");
  program.run_ok("k", {.block = {96}}, {pointer(data)});
  for (uint32_t n = 0; n < 96; ++n) CHECK(data[n] == (70u << 8 | 2 | 4));
}

TEST_CASE("barriers that are used wrongly are faults") {
  std::vector<uint32_t> data(64);
  const auto report = [&](const char* body, uint32_t threads = 64) {
    Program program(entry(body));
    program.add(data, "data");
    const LaunchResult result = program.run("k", {.block = {threads}, .options = kInTurn}, {pointer(data)});
    CHECK(result.status == Status::kIllegalInstruction);
    return result.report;
  };
  CHECK(contains(
      report("bar.sync 0, 33;"),
      "test.ptx:13  bar.sync  block (0,0,0) thread 0: barrier 0 counts 33 threads, which is not a multiple of 32"));
  CHECK(contains(report("mov.u32 %r1, 16;\nbar.sync %r1;"), "barrier 16 does not exist: a CTA has barriers 0 to 15"));
  CHECK(contains(report("bar.sync 3, 128;"), "barrier 3 counts 128 threads, but the block has 64"));
  CHECK(contains(report("setp.lt.u32 %p1, %r0, 32;\n@%p1 bra $a;\nbar.sync 2, 64;\nbra.uni $done;\n$a:\nbar.sync 2;"),
                 "barrier 2 counts 64 threads here, but the threads that already wait count all"));
  CHECK(contains(report("bar.sync 1, 32;\nbar.arrive 4, 64;\nbar.arrive 4, 64;\nbar.sync 0, 0;"),
                 "barrier 0 counts 0 threads"));
}

TEST_CASE("barrier.sync without .aligned collects the lanes of a warp") {
  std::vector<uint32_t> data(32);
  Program program(entry(R"(
    mov.u32 %r1, 1;
    setp.lt.u32 %p1, %r0, 10;
    @%p1 bra $few;
    barrier.cta.sync 0;
    bra.uni $end;
  $few:
    mov.u32 %r1, 2;
    barrier.cta.sync 0;
  $end:
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r1;)"));
  program.add(data, "data");
  program.run_ok("k", {.block = {32}}, {pointer(data)});
  for (uint32_t n = 0; n < 32; ++n) CHECK(data[n] == (n < 10 ? 2 : 1));
}

TEST_CASE("a block of 48 threads") {
  std::vector<uint32_t> data(48);
  Program program(entry(R"(
    bar.sync 0;
    activemask.b32 %r1;
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r1;)"));
  program.add(data, "data");
  program.run_ok("k", {.block = {48}}, {pointer(data)});
  CHECK(data[0] == 0xffffffff);
  CHECK(data[47] == 0x0000ffff);
}

TEST_CASE("the cluster barrier of a cluster of one block") {
  std::vector<uint32_t> data(128);
  Program program(entry(R"(
    mov.u32 %r1, area;
    mad.lo.u32 %r1, %r0, 4, %r1;
    st.shared.u32 [%r1], %r0;
    barrier.cluster.arrive.release.aligned;
    barrier.cluster.wait.acquire.aligned;
    xor.b32 %r3, %r0, 127;
    mov.u32 %r2, area;
    mad.lo.u32 %r2, %r3, 4, %r2;
    ld.shared.u32 %r4, [%r2];
    barrier.cluster.arrive;
    barrier.cluster.wait;
    mul.wide.u32 %rd2, %r0, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r4;)"));
  program.add(data, "data");
  program.run_ok("k", {.block = {128}}, {pointer(data)});
  for (uint32_t n = 0; n < 128; ++n) CHECK(data[n] == 127 - n);
}

TEST_CASE("300 blocks meet at a spinning grid barrier on two host threads, and on one") {
  for (const char* threads : {"2", "1"}) {
    const HostThreads host(threads);
    std::vector<uint32_t> data(301);
    Program program(entry(std::string(kGridBarrier) + R"(
      setp.ne.u32 %p1, %r0, 0;
      @%p1 bra $done;
      ld.relaxed.gpu.global.u32 %r5, [%rd1];
      mul.wide.u32 %rd2, %r9, 4;
      add.s64 %rd2, %rd1, %rd2;
      st.global.u32 [%rd2+4], %r5;)"));
    program.add(data, "data");
    program.run_ok("k", {.grid = {300}, .block = {64}}, {pointer(data)});
    for (uint32_t n = 0; n <= 300; ++n) CHECK(data[n] == 300);
  }
}

TEST_CASE("a grid barrier of more blocks than can be resident is a deadlock") {
  const HostThreads host("2");
  std::vector<uint32_t> data(1);
  Program program(entry(kGridBarrier));
  program.add(data, "data");
  // 48 SMs, 1 block of 1024 threads each.
  const LaunchResult result = program.run("k", {.grid = {49}, .block = {1024}, .card = "gb10"}, {pointer(data)});
  CHECK(result.status == Status::kDeadlock);
  CHECK(contains(result.report, "deadlock in k: no warp can get on and no operation is pending\n"));
  CHECK(
      contains(result.report,
               "\n  block (0,0,0) warp 0: lane 0 polls at test.ptx:20 (ld.acquire.gpu.global.u32); lanes 1-31 wait at "
               "test.ptx:24 (bar.sync): for lane 0\n"));
  CHECK(contains(result.report,
                 "\n  block (0,0,0) warps 1-31: lanes 0-31 wait at test.ptx:24 (bar.sync 0): barrier 0 has 992 of 1024 "
                 "threads, missing warp 0\n"));
  CHECK(contains(result.report,
                 "\n  1 of 49 blocks have not started: 48 are resident (1 on each of 48 SMs), and none of them "
                 "ends"));
}

TEST_CASE("the report of a deadlock, to the letter") {
  std::vector<uint32_t> data(1);
  Program program(entry(R"(
    setp.gt.u32 %p1, %r0, 95;
    @%p1 bra $last;
    bar.sync 1, 128;
    bra.uni $done;
  $last:
    ld.volatile.global.u32 %r1, [%rd1];
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra $last;)"));
  program.add(data, "data");
  const LaunchResult result = program.run("k", {.block = {128}}, {pointer(data)});
  CHECK(result.status == Status::kDeadlock);
  CHECK(result.report ==
        "deadlock in k: no warp can get on and no operation is pending\n"
        "  block (0,0,0) warps 0-2: lanes 0-31 wait at test.ptx:16 (bar.sync 1, 128): barrier 1 has 96 of 128 "
        "threads, missing warp 3\n"
        "  block (0,0,0) warp 3: lanes 0-31 poll at test.ptx:19 (ld.volatile.global.u32)");
}

TEST_CASE("a warp that exits does not hold a barrier without count, and does one with") {
  std::vector<uint32_t> data(1);
  Program program(entry("setp.lt.u32 %p1, %r0, 32;\n@%p1 exit;\nbar.sync 0;"));
  program.add(data, "data");
  program.run_ok("k", {.block = {96}}, {pointer(data)});
  Program counted(entry("setp.lt.u32 %p1, %r0, 32;\n@%p1 exit;\nbar.sync 0, 96;"));
  counted.add(data, "data");
  const LaunchResult result = counted.run("k", {.block = {96}}, {pointer(data)});
  CHECK(result.status == Status::kDeadlock);
  CHECK(contains(result.report, "barrier 0 has 64 of 96 threads, warp 0 exited"));
}

TEST_CASE("a bounded spin ends by its own clock") {
  for (const char* clock : {"%globaltimer", "%clock64"}) {
    std::vector<uint32_t> data(2);
    Program program(entry(std::string("mov.u64 %rd3, ") + clock +
                          ";\n$spin:\nld.volatile.global.u32 %r1, [%rd1];\n"
                          "setp.ne.u32 %p1, %r1, 0;\n@%p1 bra $done;\nmov.u64 %rd4, " +
                          clock +
                          ";\n"
                          "sub.s64 %rd4, %rd4, %rd3;\nsetp.lt.u64 %p2, %rd4, 10000000000;\n@%p2 bra $spin;\n"
                          "st.global.u32 [%rd1+4], 1;"));
    program.add(data, "data");
    program.run_ok("k", {.block = {32}}, {pointer(data)});  // ten seconds, or ten thousand million cycles
    CHECK(data[1] == 1);
  }
}

TEST_CASE("a bounded spin that counts its tries ends too") {
  std::vector<uint32_t> data(2);
  Program program(entry(R"(
    mov.u32 %r2, 0;
  $spin:
    nanosleep.u32 100;
    ld.volatile.global.u32 %r1, [%rd1];
    add.u32 %r2, %r2, 1;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $done;
    setp.lt.u32 %p2, %r2, 5000;
    @%p2 bra $spin;
    st.global.u32 [%rd1+4], %r2;)"));
  program.add(data, "data");
  program.run_ok("k", {.block = {64}}, {pointer(data)});
  CHECK(data[1] == 5000);
}

TEST_CASE("a spin lock that nobody releases is a deadlock") {
  std::vector<uint32_t> data{1};
  Program program(entry(R"(
  $spin:
    atom.acquire.gpu.global.cas.b32 %r1, [%rd1], 0, 1;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $spin;)"));
  program.add(data, "data");
  const LaunchResult result = program.run("k", {.grid = {3}, .block = {32}}, {pointer(data)});
  CHECK(result.status == Status::kDeadlock);
  CHECK(contains(result.report,
                 "\n  block (2,0,0) warp 0: lanes 0-31 poll at test.ptx:15 (atom.acquire.gpu.global.cas.b32)"));
}

TEST_CASE("a lock that is released makes everybody's turn come") {
  for (const char* threads : {"1", "2"}) {
    const HostThreads host(threads);
    std::vector<uint32_t> data(2);
    Program program(entry(R"(
  $spin:
    atom.acquire.gpu.global.cas.b32 %r1, [%rd1], 0, 1;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $spin;
    ld.volatile.global.u32 %r2, [%rd1+4];
    add.u32 %r2, %r2, 1;
    st.volatile.global.u32 [%rd1+4], %r2;
    fence.acq_rel.gpu;
    atom.release.gpu.global.exch.b32 %r3, [%rd1], 0;)"));
    program.add(data, "data");
    program.run_ok("k", {.grid = {20}, .block = {64}}, {pointer(data)});
    CHECK(data[1] == 20 * 64);
  }
}

TEST_CASE("the fault of the lowest block is the one reported") {
  std::vector<uint32_t> data(4);
  for (int repeat = 0; repeat < 5; ++repeat) {
    Program program(entry("setp.lt.u32 %p1, %r9, 7;\n@%p1 bra $done;\ntrap;"));
    program.add(data, "data");
    const LaunchResult result = program.run("k", {.grid = {64}, .block = {32}}, {pointer(data)});
    CHECK(result.status == Status::kTrap);
    CHECK(result.report == "test.ptx:15  trap  block (7,0,0) thread 0: trap\n  k  warp 0 lane 0  test.ptx:15: trap");
  }
}

TEST_CASE("special registers") {
  std::vector<uint32_t> data(2 * 3 * 4 * 2 * 16);
  Program program(entry(R"(
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, %tid.y;
    mov.u32 %r3, %tid.z;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %ntid.y;
    mad.lo.u32 %r6, %r3, %r5, %r2;
    mad.lo.u32 %r6, %r6, %r4, %r1;
    mov.u32 %r7, %ctaid.y;
    mov.u32 %r8, %nctaid.x;
    mad.lo.u32 %r7, %r7, %r8, %r9;
    mad.lo.u32 %r7, %r7, 24, %r6;
    mul.wide.u32 %rd2, %r7, 32;
    add.s64 %rd2, %rd1, %rd2;
    st.global.v4.u32 [%rd2], {%r1, %r2, %r3, %r9};
    mov.u32 %r10, %laneid;
    mov.u32 %r11, %lanemask_lt;
    mov.u32 %r12, %ctaid.y;
    mov.u32 %r13, %nctaid.y;
    st.global.v4.u32 [%rd2+16], {%r10, %r11, %r12, %r13};)"));
  program.add(data, "data");
  program.run_ok("k", {.grid = {2, 2}, .block = {2, 3, 4}}, {pointer(data)});
  for (uint32_t by = 0; by < 2; ++by)
    for (uint32_t bx = 0; bx < 2; ++bx)
      for (uint32_t t = 0; t < 24; ++t) {
        const uint32_t* row = &data[((by * 2 + bx) * 24 + t) * 8];
        const uint32_t expected[] = {t % 2, t / 2 % 3, t / 6, bx, t, (1u << t) - 1, by, 2};
        for (int n = 0; n < 8; ++n) CHECK(row[n] == expected[n]);
      }
}

TEST_CASE("setmaxnreg keeps its books") {
  std::vector<uint32_t> data(1);
  const auto run = [&](const char* body, uint32_t threads) {
    Program program(entry(body));
    program.add(data, "data");
    return program.run("k", {.block = {threads}}, {pointer(data)});
  };
  CHECK(run("setmaxnreg.dec.sync.aligned.u32 40;\nsetmaxnreg.inc.sync.aligned.u32 232;", 256).status == Status::kOk);
  CHECK(contains(run("setmaxnreg.dec.sync.aligned.u32 40;\nsetmaxnreg.dec.sync.aligned.u32 48;", 128).report,
                 "from 40 to 48 registers: .dec must not grow"));
  CHECK(contains(run("setmaxnreg.inc.sync.aligned.u32 232;", 384).report,
                 "the warps of the block now ask for 66816 registers, the block has had 64512 since its launch"));
  // 640 threads have 96 each at their launch: an SM has the registers that these ask for, the block has not
  CHECK(contains(run("setp.lt.u32 %p1, %r0, 128;\n@%p1 bra $first;\nsetmaxnreg.inc.sync.aligned.u32 96;\nbra $done;\n"
                     "$first:\nsetmaxnreg.inc.sync.aligned.u32 128;",
                     640)
                     .report,
                 "registers, the block has had 61440 since its launch: .inc would wait for ever"));
  CHECK(contains(run("setmaxnreg.dec.sync.aligned.u32 20;", 128).report,
                 "20 registers: must be a multiple of 8 from 24 to 256"));
}

TEST_CASE("launches that cannot be are refused in words") {
  std::vector<uint32_t> data(1);
  Program program(entry(""));
  program.add(data, "data");
  const LaunchResult large = program.run("k", {.block = {32}, .shared = 200000}, {pointer(data)});
  CHECK(large.status == Status::kLaunchFailed);
  CHECK(large.report == "k: a block does not fit on an SM of NVIDIA RTX PRO 6000 Blackwell Workstation Edition");
  CHECK(program.run("k", {.block = {32}, .shared = 200000, .card = "h200"}, {pointer(data)}).status == Status::kOk);
}

// The checks of barriers, mbarriers and copies, and of memory that nothing wrote: each fault told at its line, its
// repaired twin silent.
#include "checkers_kernel.hpp"

using namespace sim;
using namespace sim::test;

namespace {

void slips(const std::string& body, const std::string& text, const Launch& launch = {.block = {64}}) {
  check_found(body, Check::kSync, "sync", text, launch);
}
void is_right(const std::string& body, const Launch& launch = {.block = {64}}) {
  check_silent(body, Check::kSync, launch);
}
void is_unwritten(const std::string& body, const std::string& text = "that nothing has written") {
  check_found(body, Check::kInit, "init", text);
}
void is_written(const std::string& body) { check_silent(body, Check::kInit); }

// Of all findings.
std::string texts(const std::string& body) {
  std::string all;
  for (const Finding& f : run_checked(body, Check::kSync).result.findings) all += f.text + "\n";
  return all;
}

const std::string kInit = "@%p3 mbarrier.init.shared.b64 [%r2], 1;\nbar.sync 0;\n";
const std::string kExpect = "@%p3 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n";
const std::string kLoad =
    "@%p3 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 256, [%r2];";
const std::string kWait = "$wait:\nmbarrier.try_wait.parity.shared.b64 %p6, [%r2], 0;\n@!%p6 bra $wait;\n";

}  // namespace

TEST_CASE("an mbarrier is made once") {
  is_right("@%p2 mbarrier.init.shared.b64 [%r2], 1;\nbar.sync 0;\n");  // by a whole warp at once
  CHECK(contains(texts("add.u32 %r10, %r5, 1;\n@%p2 mbarrier.init.shared.b64 [%r2], %r10;\n"),
                 "initialises an mbarrier that is live"));
  slips(kInit + "@%p3 mbarrier.init.shared.b64 [%r2], 1; // here\n", "initialises an mbarrier that is live");
  is_right(kInit + "@%p3 mbarrier.inval.shared.b64 [%r2];\n@%p3 mbarrier.init.shared.b64 [%r2], 1;\n");
}

TEST_CASE("a block does not end before its copies") {
  slips(kInit + kExpect + kLoad + " // here\n", "nobody has waited for this copy");
  is_right(kInit + kExpect + kLoad + "\n" + kWait);
  const std::string store =
      "st.shared.u32 [%r7], %r3;\nfence.proxy.async;\nbar.sync 0;\n@!%p3 bra $end;\n"
      "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256;";
  slips(store + " // here\ncp.async.bulk.commit_group;\n$end:\n", "has not waited (wait_group.read)");
  is_right(store + "\ncp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;\n$end:\n");
}

TEST_CASE("a block does not end before its cp.async copies") {
  const std::string copy = "cp.async.ca.shared.global [%r7], [%rd1], 4;", commit = "cp.async.commit_group;\n";
  slips(copy + " // here\n" + commit, "nobody has waited for this copy");
  slips(copy + " // here\n" + commit + "cp.async.wait_group 1;\n", "nobody has waited for this copy");
  is_right(copy + "\n" + commit + commit + "cp.async.wait_group 1;\n");  // an empty group is left
  is_right(copy + "\ncp.async.wait_all;\n");
  is_right("@%p3 mbarrier.init.shared.b64 [%r2], 64;\nbar.sync 0;\n" + copy +
           "\ncp.async.mbarrier.arrive.noinc.shared.b64 [%r2];\n" + kWait);
}

// A flag that warps wait for without being ordered by it.
const std::string kRaise = "st.volatile.global.u32 [%rd1], 1;\n",
                  kSee = "$flag:\nld.volatile.global.u32 %r10, [%rd1];\nsetp.eq.u32 %p8, %r10, 0;\n@%p8 bra $flag;\n";

TEST_CASE("bytes are announced in a phase that the lane knows to have begun") {
  const std::string arrive = "mbarrier.arrive.shared.b64 _, [%r2];\n",
                    expect = "@%p3 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;",
                    next = "$next:\nmbarrier.try_wait.parity.shared.b64 %p6, [%r2], 1;\n@!%p6 bra $next;\n";
  const std::string other = kInit + "setp.eq.u32 %p7, %r3, 32;\n@%p7 " + arrive;
  slips(other + "@%p7 " + kRaise + kSee + expect + " // here\n", "they may be meant for that one");
  is_right(other + kWait + expect + "\n" + kLoad + "\n" + next);
  is_right(kInit + "@%p3 " + arrive + expect + "\n" + kLoad + "\n@!%p3 bra $end;\n" + next +
           "$end:\n");  // who arrives alone knows
}

TEST_CASE("phases do not lap a waiter") {
  const std::string arrive = "mbarrier.arrive.shared.b64 _, [%r2];\n",
                    test = "@!%p2 mbarrier.test_wait.parity.shared.b64 %p6, [%r2], 0;";
  slips(kInit + "@%p3 " + arrive + "@%p3 " + arrive + "@%p3 " + kRaise + kSee + test + " // here\n",
        "waits for phase 0, but the mbarrier is in phase 2");
  is_right(kInit + "@%p3 " + arrive + "@%p3 " + kRaise + kSee + test + "\n");
  is_right(kInit + "@%p3 " + arrive + kWait + "bar.sync 0;\n@%p3 " + arrive + "bar.sync 0;\n" + test +
           "\n");  // it knows of the first
}

TEST_CASE("a parity tells phases apart for those who know of the one before") {
  const std::string arrive = "@%p7 mbarrier.arrive.shared.b64 _, [%r2];\n",
                    other = kInit + "setp.eq.u32 %p7, %r3, 32;\n" + arrive,
                    second = "@!%p7 mbarrier.test_wait.parity.shared.b64 %p6, [%r2], 1;",
                    third = "@!%p7 mbarrier.test_wait.parity.shared.b64 %p6, [%r2], 0;",
                    raise = "@%p7 " + kRaise + kSee, text = "nothing has told the lane that phase 0 is over";
  slips(other + raise + second + " // here\n", text);               // fails: it waits for phase 1
  slips(other + arrive + raise + second + " // here\n", text);      // passes: phase 1 is over
  is_right(kInit + "setp.eq.u32 %p7, %r3, 32;\n" + second + "\n");  // before any phase: passes
  is_right(other + kWait + second + "\n");
  is_right(other + kWait + "bar.sync 0;\n" + arrive + raise + second + "\n");
  slips(other + kWait + "bar.sync 0;\n" + arrive + arrive + raise + third + " // here\n",
        "nothing has told the lane that phase 1 is over");
  // A wait that acquires nothing tells of the phase all the same; a state names its phase.
  const std::string relaxed =
      "$relaxed:\nmbarrier.try_wait.parity.relaxed.cta.shared.b64 %p6, [%r2], 0;\n@!%p6 bra $relaxed;\n";
  is_right(other + relaxed + "bar.sync 0;\n" + arrive + raise + second + "\n");
  const std::string state = "mbarrier.arrive.shared.b64 %rd5, [%r2];\n";
  is_right(other + raise + "@%p3 " + state + "@%p3 mbarrier.test_wait.shared.b64 %p6, [%r2], %rd5;\n");
}

TEST_CASE("one lane issues a copy") {
  const auto store = [](const std::string& guard, const std::string& mark) {
    return "st.shared.u32 [%r7], %r3;\nfence.proxy.async;\nbar.sync 0;\n" + guard +
           "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256;" + mark +
           "\ncp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\n";
  };
  slips(store("@%p2 ", " // here"), "one lane is to issue the copy");
  is_right(store("@%p3 ", ""));
}

TEST_CASE("bulk groups are those of the own thread") {
  const auto body = [](const std::string& who, const std::string& mark) {
    return "st.shared.u32 [%r7], %r3;\nfence.proxy.async;\nbar.sync 0;\n"
           "@%p3 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256;" +
           mark + "\n@%p3 cp.async.bulk.commit_group;\nbar.sync 0;\n" + who + " cp.async.bulk.wait_group.read 0;\n";
  };
  slips(body("@!%p2", " // here"), "has not waited (wait_group.read)");
  is_right(body("@%p2", ""));
  is_right(body("", ""));  // waiting for none costs nothing
}

TEST_CASE("arrivals at a barrier that nobody completes") {
  slips("@%p2 bar.arrive 1, 64; // here\n", "arrivals of a generation that did not complete");
  is_right("@%p2 bar.arrive 1, 64;\n@!%p2 bar.sync 1, 64;\n");
}

TEST_CASE("bytes that an mbarrier still awaits") {
  // The wait is for the bytes to have come: nobody can wait for the phase.
  const auto partly = [](const std::string& bytes) {
    return "@%p3 mbarrier.init.shared.b64 [%r2], 2; // here\nbar.sync 0;\n"
           "@%p3 mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r2], " +
           bytes + ";\n" + kLoad + "\nbar.sync 0;\n@%p3 mbarrier.arrive.shared.b64 _, [%r2];\n";
  };
  CHECK(contains(texts(partly("272")), "awaits 16 bytes"));
  CHECK_FALSE(contains(texts(partly("256")), "awaits"));
  // Expected by a producer that goes one stage further than it fills, and awaited by nobody.
  is_right(kInit + "@%p3 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n");
}

TEST_CASE("reads of shared memory that nothing wrote") {
  is_unwritten("ld.shared.u32 %r10, [%r7]; // here\n");
  is_written("st.shared.u32 [%r7], 1;\nld.shared.u32 %r10, [%r7];\n");
  is_unwritten("st.shared.u8 [%r7], 1;\nld.shared.u32 %r10, [%r7]; // here\n", "reads 3 of 4 bytes");
  is_unwritten("red.shared.add.u32 [%r7], 1; // here\n");
  is_written(kInit + kExpect + kLoad + "\n" + kWait + "ld.shared.u32 %r10, [%r7];\n");
  // Padding may come along in a wide load.
  const std::string wide = "and.b32 %r10, %r7, -16;\nld.shared.v4.u32 {%r11, %r12, %r13, %r14}, [%r10];";
  is_written("@%p3 st.shared.u32 [%r1], 1;\nbar.sync 0;\n@%p3 ld.shared.v4.u32 {%r11, %r12, %r13, %r14}, [%r1];\n");
  is_unwritten(wide + " // here\n");
}

TEST_CASE("a matrix row and a store's source that nothing wrote") {
  is_unwritten(
      "shl.b32 %r10, %r5, 4;\nadd.u32 %r10, %r10, %r1;\n"
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r11, %r12, %r13, %r14}, [%r10]; // here\n");
  is_unwritten("@%p3 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256; // here\n",
               "of which nothing was");
}

TEST_CASE("reads of device memory that nothing wrote") {
  const auto module = load_ptx(header("sm_90a") + R"(
.visible .entry test(.param .u64 from, .param .u64 to) {
  .reg .b64 %rd<6>; .reg .b32 %r<4>;
  ld.param.u64 %rd1, [from];
  ld.param.u64 %rd2, [to];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd3, %r1, 4;
  add.u64 %rd1, %rd1, %rd3;
  add.u64 %rd2, %rd2, %rd3;
  ld.global.u32 %r2, [%rd1];
  st.global.u32 [%rd2], %r2;
  ret;
}
)",
                               "test.ptx");
  Memory memory;
  memory.track_writes(true);
  const uint64_t a = memory.allocate(128, "a"), b = memory.allocate(128, "b");
  RunOptions options;
  options.checks_init = true;
  const MakeObserver observers[] = {checkers::check_grid};
  LaunchConfig config;
  config.block = {32};
  const auto found = [&](uint64_t from, uint64_t to) {
    const uint64_t params[] = {from, to};
    return run_grid(*module->find("test"), config, params, memory, *find_card("h200"), options, observers).findings;
  };
  memory.note_write(a, 127);
  const auto findings = found(a, b);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == "init");
  CHECK(findings[0].lanes == 1u << 31);
  CHECK(contains(findings[0].text, "reads 1 of 4 bytes that nothing has written: byte 124 of a (cuMemAlloc #1, 128"));
  CHECK(found(b, a).empty());  // the kernel has written it, whatever the values are worth
  CHECK(found(a, b).empty());
  REQUIRE(memory.free(b));
  CHECK(found(memory.allocate(128, "c"), a).size() == 1);
  memory.track_writes(false);
  CHECK(found(memory.allocate(128, "d"), a).empty());
}

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

const std::string kInit = "@%p3 mbarrier.init.shared.b64 [%r2], 1;\nbar.sync 0;\n";
const std::string kExpect = "@%p3 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n";
const std::string kLoad =
    "@%p3 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 256, [%r2];";
const std::string kWait = "$wait:\nmbarrier.try_wait.parity.shared.b64 %p6, [%r2], 0;\n@!%p6 bra $wait;\n";

}  // namespace

TEST_CASE("an mbarrier is made once") {
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
           "@%p3 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256;\n@%p3 cp.async.bulk.commit_group;\n"
           "bar.sync 0;\n" +
           who + " cp.async.bulk.wait_group.read 0;" + mark + "\nbar.sync 0;\n@%p3 cp.async.bulk.wait_group 0;\n";
  };
  slips(body("@!%p2", " // here"), "of which this warp has none");
  is_right(body("@%p2", ""));
}

TEST_CASE("arrivals at a barrier that nobody completes") {
  slips("@%p2 bar.arrive 1, 64; // here\n", "arrivals of a generation that did not complete");
  is_right("@%p2 bar.arrive 1, 64;\n@!%p2 bar.sync 1, 64;\n");
}

TEST_CASE("bytes that an mbarrier still awaits") {
  slips(
      "@%p3 mbarrier.init.shared.b64 [%r2], 1; // here\n@%p3 mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r2], 16;\n",
      "awaits 16 bytes");
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

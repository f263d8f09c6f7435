// The race checker and asynchronous copies: waits, groups, the asynchronous proxy and its fence.
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

const std::string kInit = "@%p3 mbarrier.init.shared.b64 [%r2], 1;\nbar.sync 0;\n";
const std::string kLoad =
    "@!%p3 bra $wait;\nmbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n"
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 256, [%r2];\n";
const std::string kWait = "$wait:\nmbarrier.try_wait.parity.shared.b64 %p6, [%r2], 0;\n@!%p6 bra $wait;\n";

}  // namespace

TEST_CASE("cp.async: the own thread waits for its groups, a barrier tells the others") {
  const std::string copy =
      "shl.b32 %r10, %r3, 2;\ncvt.u64.u32 %rd10, %r10;\nadd.u64 %rd10, %rd1, %rd10;\n"
      "cp.async.ca.shared.global [%r7], [%rd10], 4;\ncp.async.commit_group;\n";
  const std::string own = "ld.shared.u32 %r11, [%r7];", other = "xor.b32 %r12, %r7, 128;\nld.shared.u32 %r11, [%r12];";
  races(copy + own + " // here\n", "nothing has waited for that copy");
  is_silent(copy + "cp.async.wait_group 0;\n" + own);
  races(copy + "cp.async.wait_group 1;\n" + own + " // here\n", "nothing has waited for that copy");
  races(copy + "cp.async.wait_group 0;\n" + other + " // here\n", "races with the");
  races(copy + "bar.sync 0;\ncp.async.wait_group 0;\n" + other + " // here\n", "races with the");
  is_silent(copy + "cp.async.wait_all;\nbar.sync 0;\n" + other);
  // Zero-fill beside a copy (TIRx-kernels 202).
  races(copy + "st.shared.u32 [%r7], 0; // here\ncp.async.wait_all;\n", "races with the");
}

TEST_CASE("cp.async.mbarrier.arrive stands for the thread's copies before it") {
  const auto body = [](const std::string& before, const std::string& after) {
    return "@%p3 mbarrier.init.shared.b64 [%r2], 64;\nbar.sync 0;\nshl.b32 %r10, %r3, 2;\ncvt.u64.u32 %rd10, %r10;\n"
           "add.u64 %rd10, %rd1, %rd10;\n" +
           before + "cp.async.mbarrier.arrive.noinc.shared.b64 [%r2];\n" + after + kWait +
           "xor.b32 %r12, %r7, 128;\nld.shared.u32 %r11, [%r12];";
  };
  const std::string copy = "cp.async.ca.shared.global [%r7], [%rd10], 4;\n";
  is_silent(body(copy, ""));
  races(body("", copy) + " // here\n", "nothing has waited for that copy");
}

TEST_CASE("bulk loads are waited for on their mbarrier") {
  const std::string read = "ld.shared.u32 %r10, [%r7];";
  is_silent(kInit + kLoad + kWait + read);
  races(kInit +
            "@!%p3 bra $on;\nmbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n"
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 256, [%r2];\n$on:\n" +
            read + " // here\n",
        "races with the");
  // A ring slot needs no fence before it is filled again, only order.
  const std::string again =
      "@!%p3 bra $end;\nmbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 256, [%r2];";
  is_silent(kInit + kLoad + kWait + read + "\nbar.sync 0;\n" + again + "\n$end:\n");
  races(kInit + kLoad + kWait + read + "\n" + again + " // here\n$end:\n", "asynchronous write races with the read");
}

TEST_CASE("generic stores reach the asynchronous proxy by fence.proxy.async") {
  const auto body = [](const std::string& before, const std::string& after, const std::string& mark) {
    return "st.shared.u32 [%r7], %r3;\n" + before + "bar.sync 0;\n" + after +
           "@%p3 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256;" + mark +
           "\n@%p3 cp.async.bulk.commit_group;\n@%p3 cp.async.bulk.wait_group 0;\n";
  };
  const std::string fence = "fence.proxy.async.shared::cta;\n";
  is_silent(body(fence, "", ""));
  is_silent(body("", fence, ""));
  is_silent(body("", "fence.proxy.async;\n", ""));
  races(body("", "", " // here"), "without a fence.proxy.async");
  races(body("fence.proxy.async.global;\n", "", " // here"), "without a fence.proxy.async");
  // The fence comes before the lane has learnt of the others' stores.
  races(
      "st.shared.u32 [%r7], %r3;\n@%p3 fence.proxy.async;\nbar.sync 0;\n"
      "@%p3 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256; // here\n",
      "without a fence.proxy.async");
}

TEST_CASE("a source may be reused after the wait of the thread that issued the store") {
  const auto body = [](const std::string& wait, const std::string& sync, const std::string& mark) {
    return "st.shared.u32 [%r7], %r3;\nfence.proxy.async.shared::cta;\nbar.sync 0;\n"
           "@%p3 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256;\n@%p3 cp.async.bulk.commit_group;\n" +
           wait + sync + "st.shared.u32 [%r7], 0;" + mark + "\n@%p3 cp.async.bulk.wait_group 0;\n";
  };
  is_silent(body("@%p3 cp.async.bulk.wait_group.read 0;\n", "bar.sync 0;\n", ""));
  races(body("", "bar.sync 0;\n", " // here"), "races with the");
  races(body("@%p3 cp.async.bulk.wait_group.read 0;\n", "", " // here"), "races with the");
  // Another thread's wait waits for nothing (TransformerEngine 3417).
  races(body("setp.eq.u32 %p7, %r3, 32;\n@%p7 cp.async.bulk.wait_group.read 0;\n", "bar.sync 0;\n", " // here"),
        "nothing has waited for that copy");
}

TEST_CASE("wait_group.read frees the source, wait_group shows the destination") {
  const auto body = [](const std::string& wait, const std::string& mark) {
    return "st.shared.u32 [%r7], %r3;\nfence.proxy.async.shared::cta;\nbar.sync 0;\n@!%p3 bra $end;\n"
           "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r1], 256;\ncp.async.bulk.commit_group;\n" +
           wait + "ld.global.u32 %r10, [%rd1];" + mark + "\ncp.async.bulk.wait_group 0;\n$end:\n";
  };
  is_silent(body("cp.async.bulk.wait_group 0;\n", ""));
  races(body("cp.async.bulk.wait_group.read 0;\n", " // here"), "read races with the asynchronous write");
}

TEST_CASE("an mbarrier must be initialised before others use it") {
  const std::string use = "@%p2 bra $end;\n@%p1 mbarrier.arrive.shared.b64 _, [%r2];";
  check_found("@%p3 mbarrier.init.shared.b64 [%r2], 1;\n" + use + " // here\n$end:\n", Check::kSync, "sync",
              "whose initialisation is not ordered before it");
  check_silent(kInit + use + "\n$end:\n", Check::kSync);
  check_silent(
      "@%p3 mbarrier.init.shared.b64 [%r2], 1;\n@%p3 fence.mbarrier_init.release.cluster;\n"
      "barrier.cluster.arrive.relaxed;\nbarrier.cluster.wait.acquire;\n" +
          use + "\n$end:\n",
      Check::kSync);
}

TEST_CASE("the bytes of a live mbarrier are no memory for loads and stores") {
  check_found(kInit + "@%p3 mbarrier.arrive.shared.b64 _, [%r2];\n@%p3 ld.shared.u32 %r10, [%r2]; // here\n",
              Check::kSync, "sync", "reads an mbarrier that is in use");
  check_silent(kInit + "@%p3 mbarrier.inval.shared.b64 [%r2];\n@%p3 ld.shared.u32 %r10, [%r2];\n", Check::kSync);
}

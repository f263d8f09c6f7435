// What an observer hears of asynchronous copies, in order, for each moment at which they may land.
#include "async_kernel.hpp"
#include "machine/async.hpp"

using namespace sim;
using namespace sim::test;

namespace {

std::string heard;  // of the one block that a test runs

struct Listener : Observer {
  void async_issued(Warp&, const Instr&, int lane, AsyncOperation& o) override {
    heard += "issue" + std::to_string(o.ordinal) + " ";
    CHECK(o.lane == static_cast<uint32_t>(lane));
    CHECK(o.thread() == static_cast<uint32_t>(lane));
    o.each_range([](const AsyncRange& r) {
      heard += std::string(r.is_write ? "w" : "r") + (r.is_shared ? "s" : "g") + std::to_string(r.bytes) + " ";
    });
    if (o.barrier == 0) heard += "group" + std::to_string(o.sequence) + " ";
  }
  void async_completed(Block&, AsyncOperation& o) override { heard += "end" + std::to_string(o.ordinal) + " "; }
  void group_commit(Warp&, const Instr&, CopyGroup g) override {
    heard += g == CopyGroup::kBulk ? "commit-bulk " : "commit ";
  }
  void group_wait(Warp&, const Instr&, CopyGroup, const uint32_t* pending, bool is_read) override {
    heard += (is_read ? "wait-read" : "wait") + std::to_string(pending[0]) + " ";
  }
  void mbarrier(Warp&, const Instr&, int, uint32_t, MbarrierUse use, uint32_t value, uint64_t phase, Order order,
                Scope) override {
    if (use != MbarrierUse::kCompleteTx && use != MbarrierUse::kArrive) return;
    heard += std::string(use == MbarrierUse::kArrive ? "arrive" : "tx") + std::to_string(value) + "@" +
             std::to_string(phase) + (order == Order::kRelease ? "r " : " ");
  }
};

std::string hear(const std::string& body, AsyncMode mode) {
  heard.clear();
  const std::unique_ptr<Module> module = load_ptx(kernel(body), "test.ptx");
  Memory memory;
  std::vector<uint8_t> in = pattern(4096), out(4096);
  REQUIRE(memory.register_host(pointer(in), in.size(), "in"));
  REQUIRE(memory.register_host(pointer(out), out.size(), "out"));
  LaunchConfig config;
  RunOptions options;
  options.async = mode;
  const uint64_t params[] = {pointer(in), pointer(out)};
  const MakeObserver observers[] = {
      [](const Grid&) -> std::unique_ptr<Observer> { return std::make_unique<Listener>(); }};
  const LaunchResult result =
      run_grid(*module->find("test"), config, params, memory, *find_card("h200"), options, observers);
  REQUIRE_MESSAGE(result.status == LaunchResult::Status::kOk, result.report);
  return heard;
}

constexpr AsyncMode kEager = AsyncMode::kEager, kHostile = AsyncMode::kHostile;

}  // namespace

TEST_CASE("cp.async and its groups") {
  const std::string body = R"(
  cp.async.cg.shared.global [%r2], [%rd1], 16;
  cp.async.commit_group;
  mov.b32 %r5, 5;
  cp.async.ca.shared.global [%r2+16], [%rd1+16], 8, %r5;
  cp.async.commit_group;
  cp.async.wait_group 1;
  cp.async.wait_group 0;
)";
  CHECK(hear(body, kEager) == "issue0 rg16 ws16 group0 end0 commit issue1 rg5 ws8 group1 end1 commit wait1 wait0 ");
  CHECK(hear(body, kHostile) == "issue0 rg16 ws16 group0 commit issue1 rg5 ws8 group1 commit wait1 end0 wait0 end1 ");
}

TEST_CASE("a load ends before its mbarrier hears of it, and one that nobody waits for never ends") {
  const std::string load = R"(
  mbarrier.init.shared.b64 [%r1], 1;
  mbarrier.expect_tx.shared.b64 [%r1], 32;
  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 32, [%r1];
)";
  CHECK(hear(load, kEager) == "issue0 rg32 ws32 end0 tx32@0r ");
  CHECK(hear(load, kHostile) == "issue0 rg32 ws32 ");
  // The arrival comes later than the wait's first look: only the copy is in flight.
  const std::string wait = "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;\n  @!%p1 bra W;\n";
  const std::string heard_of_wait = hear(load + "  mbarrier.arrive.shared.b64 _, [%r1];\n" + wait, kHostile);
  CHECK(contains(heard_of_wait, "issue0 rg32 ws32 "));
  CHECK(heard_of_wait.ends_with("end0 tx32@0r "));
}

TEST_CASE("cp.async.mbarrier.arrive ends behind the copies that it stands for") {
  const std::string body = R"(
  mbarrier.init.shared.b64 [%r1], 1;
  cp.async.cg.shared.global [%r2], [%rd1], 16;
  cp.async.mbarrier.arrive.noinc.shared.b64 [%r1];
W: mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;
  @!%p1 bra W;
)";
  CHECK(hear(body, kHostile) == "issue0 rg16 ws16 group0 issue1 end0 end1 arrive1@0r ");
}

TEST_CASE("a bulk store ends at wait_group, or with its block") {
  const std::string store = R"(
  st.shared.v2.b64 [%r2], {%rd1, %rd1};
  fence.proxy.async.shared::cta;
  cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r2], 16;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group.read 0;
)";
  CHECK(hear(store, kHostile) == "issue0 rs16 wg16 group0 commit-bulk wait-read0 end0 ");
  CHECK(hear(store + "  cp.async.bulk.wait_group 0;\n", kHostile) ==
        "issue0 rs16 wg16 group0 commit-bulk wait-read0 wait0 end0 ");
}

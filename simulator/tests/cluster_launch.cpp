// clusterlaunchcontrol: blocks that go on with the work of blocks which have not started. Whatever is granted or
// refused, every tile of the grid is done once.
#include "program.hpp"

using namespace sim;
using namespace sim::test;

namespace {

// Every tile adds 1 to out[tile] and its first block's index + 1 to by[tile]; `query` fills %r10, %r11, %r12 with the
// granted id. Thread 0 asks while the block works.
std::string persistent(const std::string& query) {
  return header() + R"(
.visible .entry tiles(.param .u64 out, .param .u64 by) {
  .shared .align 16 .b8 answer[16];
  .shared .align 8 .b64 bar;
  .reg .b32 %r<40>; .reg .b64 %rd<9>; .reg .pred %p<9>; .reg .b128 %q;
  ld.param.u64 %rd1, [out];
  ld.param.u64 %rd2, [by];
  mov.u32 %r1, answer;
  mov.u32 %r2, bar;
  mov.u32 %r3, %tid.x;
  setp.eq.u32 %p1, %r3, 0;
  mov.u32 %r4, 0;
  mov.u32 %r10, %ctaid.x;
  mov.u32 %r11, %ctaid.y;
  mov.u32 %r12, %ctaid.z;
  mov.u32 %r20, %nctaid.x;
  mov.u32 %r21, %nctaid.y;
  mad.lo.u32 %r22, %r12, %r21, %r11;
  mad.lo.u32 %r22, %r22, %r20, %r10;
  add.u32 %r22, %r22, 1;
  @%p1 mbarrier.init.shared::cta.b64 [%r2], 1;
  bar.sync 0;
NEXT:
  @!%p1 bra WORK;
  fence.acquire.sync_restrict::shared::cluster.cluster;
  fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster;
  mbarrier.arrive.expect_tx.relaxed.cluster.shared::cta.b64 _, [%r2], 16;
  clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128 [%r1], [%r2];
WORK:
  mad.lo.u32 %r23, %r12, %r21, %r11;
  mad.lo.u32 %r23, %r23, %r20, %r10;
  mul.wide.u32 %rd3, %r23, 4;
  add.u64 %rd4, %rd1, %rd3;
  add.u64 %rd5, %rd2, %rd3;
  @%p1 red.global.add.u32 [%rd4], 1;
  @%p1 red.global.add.u32 [%rd5], %r22;
WAIT:
  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p2, [%r2], %r4;
  @!%p2 bra WAIT;
  xor.b32 %r4, %r4, 1;
  ld.shared.b128 %q, [%r1];
  clusterlaunchcontrol.query_cancel.is_canceled.pred.b128 %p3, %q;
  @!%p3 bra DONE;
)" + query +
         R"(
  fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster;
  fence.release.sync_restrict::shared::cta.cluster;
  bar.sync 0;
  bra NEXT;
DONE:
  ret;
}
)";
}

const std::string kVector =
    "clusterlaunchcontrol.query_cancel.get_first_ctaid.v4.b32.b128 {%r10, %r11, %r12, _}, %q;\n";
const std::string kSingle =
    "clusterlaunchcontrol.query_cancel.get_first_ctaid::x.b32.b128 %r10, %q;\n"
    "clusterlaunchcontrol.query_cancel.get_first_ctaid::y.b32.b128 %r11, %q;\n"
    "clusterlaunchcontrol.query_cancel.get_first_ctaid::z.b32.b128 %r12, %q;\n";

// How many blocks ran; every tile must have been done once.
size_t check_tiles(const std::string& query, const Launch& launch) {
  Program program(persistent(query));
  const size_t tiles = launch.grid.count();
  std::vector<uint32_t> out(tiles, 0), by(tiles, 0);
  program.add(out, "out");
  program.add(by, "by");
  const LaunchResult result = program.run("tiles", launch, {pointer(out), pointer(by)});
  REQUIRE_MESSAGE(result.status == LaunchResult::Status::kOk, result.report);
  for (const Finding& f : result.findings) FAIL_CHECK(f.text);
  CHECK(out == std::vector<uint32_t>(tiles, 1));
  std::vector<uint32_t> blocks = by;
  for (const uint32_t block : blocks) {
    REQUIRE(block >= 1);
    CHECK(by[block - 1] == block);  // a block that did another's tile has done its own
  }
  std::sort(blocks.begin(), blocks.end());
  return static_cast<size_t>(std::unique(blocks.begin(), blocks.end()) - blocks.begin());
}

}  // namespace

TEST_CASE("blocks take over tiles of a grid in three dimensions until none is left") {
  for (const std::string& query : {kVector, kSingle}) {
    const size_t blocks = check_tiles(query, {.grid = {5, 4, 3}, .block = {64}, .options = kInTurn});
    CHECK(blocks < 60);  // blocks start when others wait: some tiles were taken over
  }
}

TEST_CASE("grants and refusals of any schedule do every tile once, and no check objects") {
  RunOptions options;
  options.async = AsyncMode::kHostile;
  options.checks_races = options.checks_init = options.checks_sync = true;
  size_t fewest = ~size_t{0}, most = 0;
  for (options.seed = 1; options.seed <= 12; ++options.seed) {
    const size_t blocks = check_tiles(kVector, {.grid = {7, 3, 1}, .block = {64}, .options = options});
    fewest = std::min(fewest, blocks);
    most = std::max(most, blocks);
  }
  CHECK(fewest < most);  // the seed chose
}

TEST_CASE("a cluster takes over a whole cluster, of which one request tells all its blocks") {
  std::string text = persistent(kVector + "  add.u32 %r10, %r10, %r30;\n");
  const auto change = [&](const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  };
  const std::string sync = "barrier.cluster.arrive.aligned;\n  barrier.cluster.wait.aligned;\n";
  change("  bar.sync 0;\nNEXT:",
         "  mov.u32 %r30, %cluster_ctarank;\n  setp.eq.u32 %p7, %r30, 0;\n"
         "  fence.mbarrier_init.release.cluster;\n  " +
             sync + "NEXT:");
  change("  clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128",
         "  @%p7 clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes"
         ".multicast::cluster::all.b128");
  change("  bar.sync 0;\n  bra NEXT;", "  " + sync + "  bra NEXT;");
  change("DONE:\n", "DONE:\n  " + sync);
  RunOptions options;
  options.async = AsyncMode::kHostile;
  options.checks_races = options.checks_init = options.checks_sync = true;
  size_t taken = 0;
  for (options.seed = 0; options.seed <= 8; ++options.seed) {
    Program program(text);
    std::vector<uint32_t> out(24, 0), by(24, 0);
    program.add(out, "out");
    program.add(by, "by");
    const LaunchResult result =
        program.run("tiles", {.grid = {8, 3}, .block = {64}, .cluster = {2, 1, 1}, .options = options},
                    {pointer(out), pointer(by)});
    REQUIRE_MESSAGE(result.status == LaunchResult::Status::kOk, result.report);
    for (const Finding& f : result.findings) FAIL_CHECK(f.text);
    CHECK(out == std::vector<uint32_t>(24, 1));
    for (uint32_t tile = 0; tile < 24; ++tile) {
      CHECK((by[tile] - 1) % 2 == tile % 2);  // by the block of its rank
      taken += by[tile] != tile + 1;
    }
  }
  CHECK(taken > 0);
}

TEST_CASE("the answer is there when its mbarrier says so, and not before") {
  std::string text = persistent(kVector);
  const size_t wait = text.find("  @!%p2 bra WAIT;\n");
  text.erase(wait, std::string("  @!%p2 bra WAIT;\n").size());
  Program program(text);
  std::vector<uint32_t> out(4, 0), by(4, 0);
  program.add(out, "out");
  program.add(by, "by");
  RunOptions options;
  options.checks_races = true;
  const LaunchResult result =
      program.run("tiles", {.grid = {4}, .block = {64}, .options = options}, {pointer(out), pointer(by)});
  REQUIRE(!result.findings.empty());
  CHECK(contains(result.findings.front().text, "ld.shared.b128"));
}

TEST_CASE("a card without it ends the launch, and so does an answer outside of shared memory") {
  Program program(persistent(kVector));
  std::vector<uint32_t> out(1, 0), by(1, 0);
  program.add(out, "out");
  program.add(by, "by");
  const LaunchResult result = program.run("tiles", {.block = {64}, .card = "h200"}, {pointer(out), pointer(by)});
  CHECK(result.status == LaunchResult::Status::kIllegalInstruction);
  CHECK(contains(result.report, "needs sm_100"));
}

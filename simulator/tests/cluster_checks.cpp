// What the checkers say of blocks of a cluster: each misuse is told at the marked line, the right program is silent,
// over several seeds and with copies as late as they may be.
#include "cluster_kernel.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

LaunchResult check_once(const std::string& text, uint64_t seed, uint32_t blocks) {
  Program program(text);
  std::vector<uint8_t> in(8192, 1);
  std::vector<uint32_t> out(16 * kWordsOfBlock);
  program.add(in, "in");
  program.add(out, "out");
  RunOptions options;
  options.checks_races = options.checks_sync = options.checks_init = true;
  options.async = AsyncMode::kHostile;
  options.seed = seed;
  return program.run(
      "test", {.grid = {2 * blocks}, .block = {64}, .card = "h200", .cluster = {blocks, 1, 1}, .options = options},
      {pointer(in), pointer(out)});
}

void silent(const std::string& body, uint32_t blocks = 2) {
  const std::string text = kernel(body, "");
  CAPTURE(body);
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const LaunchResult r = check_once(text, seed, blocks);
    CHECK_MESSAGE(r.status == Status::kOk, r.report);
    for (const Finding& f : r.findings) FAIL_CHECK(f.text);
  }
}

// A finding of `kind` at a line with "// here", by every seed unless `by_any`.
void found(const std::string& body, const std::string& kind, const std::string& what, bool by_any = false) {
  const std::string text = kernel(body, "");
  CAPTURE(body);
  std::vector<std::string> places;
  uint32_t line = 1;
  for (size_t at = 0, end; at < text.size(); at = end + 1, ++line) {
    end = text.find('\n', at);
    if (text.substr(at, end - at).ends_with("// here")) places.push_back("test.ptx:" + std::to_string(line) + "  ");
  }
  REQUIRE(!places.empty());
  uint64_t seeds = 0;
  std::string others;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    bool is_found = false;
    for (const Finding& f : check_once(text, seed, 2).findings) {
      const bool is_here = std::any_of(places.begin(), places.end(),
                                       [&](const std::string& place) { return f.text.starts_with(place); });
      is_found |= f.kind == kind && is_here && contains(f.text, what);
      others += f.kind + ": " + f.text + "\n";
    }
    seeds += is_found;
  }
  CHECK_MESSAGE((by_any ? seeds >= 1 : seeds == 8), seeds, " of 8 seeds, want ", kind, " ", what, "; found:\n", others);
}

const std::string kOther = R"(
  xor.b32 %r9, %r22, 1;
  mapa.shared::cluster.u32 %r10, %r20, %r9;
  mov.u32 %r11, area;
  mapa.shared::cluster.u32 %r12, %r11, %r9;
  setp.eq.u32 %p0, %r21, 0;
)";
const std::string kRead = "  ld.shared::cluster.u32 %r2, [%r10]; // here\n  st.global.u32 [%rd4], %r2;\n";
const std::string kReadOwn = "  ld.shared.u32 %r2, [%r20]; // here\n  st.global.u32 [%rd4], %r2;\n";
const std::string kStoreOwn = "  st.shared.u32 [%r20], %r21; // here\n";
const std::string kRelaxedSync = "  barrier.cluster.arrive.relaxed.aligned;\n  barrier.cluster.wait.aligned;\n";

const std::string kInit = "  @%p0 mbarrier.init.shared::cta.b64 [%r24], 1;\n  fence.mbarrier_init.release.cluster;\n";
const std::string kMap = "  mapa.shared::cluster.u32 %r25, %r24, %r9;\n";
std::string wait(const std::string& form) {
  return "$wait:\n  mbarrier.try_wait.parity" + form + ".shared::cta.b64 %p3, [%r24], 0;\n  @!%p3 bra $wait;\n";
}

}  // namespace

TEST_CASE("a barrier of the cluster orders its blocks, a missing or a relaxed one and one of the block do not") {
  silent(kOther + kStoreOwn + cluster_sync() + kRead + cluster_sync());
  found(kOther + cluster_sync() + kStoreOwn + kRead + cluster_sync(), "race", "races with the");
  found(kOther + cluster_sync() + kStoreOwn + "  bar.sync 0;\n" + kRead + cluster_sync(), "race", "races with the");
  found(kOther + cluster_sync() + kStoreOwn + kRelaxedSync + kRead + cluster_sync(), "race", "races with the");
  silent(kOther + cluster_sync() + kStoreOwn + "  fence.acq_rel.cluster;\n" + kRelaxedSync + kRead + cluster_sync());
  found(kOther + cluster_sync() + kStoreOwn + "  fence.acq_rel.cta;\n" + kRelaxedSync + kRead + cluster_sync(), "race",
        "races with the");
}

TEST_CASE("a store into another block is told to it by the barrier") {
  const std::string store = "  st.shared::cluster.u32 [%r10], %r21; // here\n";
  silent(kOther + cluster_sync() + store + cluster_sync() + kReadOwn);
  found(kOther + cluster_sync() + store + kReadOwn + cluster_sync(), "race", "races with the");
}

TEST_CASE("shared memory is used by others between the start and the end of its block alone") {
  silent(kOther + kStoreOwn + cluster_sync() + kRead + cluster_sync());
  found(kOther + "  st.shared::cluster.u32 [%r10], %r21; // here\n" + cluster_sync(), "sync",
        "nothing has told the lanes that this block has started");
  silent(kOther + kRelaxedSync + "  st.shared::cluster.u32 [%r10], %r21;\n" + cluster_sync());
  // The block may have ended: told from the order of events, or because it has.
  const std::string late = kOther + kStoreOwn + cluster_sync() + kRead;
  const std::string text = kernel(late, "");
  for (uint64_t seed = 0; seed < 8; ++seed) {
    bool is_found = false;
    std::string others;
    for (const Finding& f : check_once(text, seed, 2).findings) {
      is_found |= (f.kind == "race" && contains(f.text, "may have ended by then")) ||
                  (f.kind == "memcheck" && contains(f.text, "which has ended"));
      others += f.text + "\n";
    }
    CHECK_MESSAGE(is_found, others);
  }
}

TEST_CASE("an arrival of another block releases to it in the scope of the cluster") {
  const auto program = [](const std::string& arrive, const std::string& waits) {
    return kOther + kInit + cluster_sync() + kMap + R"(
  setp.eq.u32 %p1, %r22, 1;
  @%p1 bra $wait;
  @!%p0 bra $done;
  st.shared::cluster.u32 [%r10], 5; // here
  mbarrier.arrive)" +
           arrive + R"(.shared::cluster.b64 _, [%r25];
  bra $done;
)" + wait(waits) +
           R"(
  @%p0 ld.shared.u32 %r2, [%r20]; // here
  @%p0 st.global.u32 [%rd4], %r2;
$done:
)" + cluster_sync();
  };
  silent(program(".release.cluster", ".acquire.cluster"));
  found(program("", ".acquire.cluster"), "race", "races with the", true);
  found(program(".release.cluster", ""), "race", "races with the", true);
  found(program(".relaxed.cluster", ".acquire.cluster"), "race", "races with the", true);
}

TEST_CASE("an mbarrier of another block must be known to be made") {
  const auto program = [](const std::string& before) {
    return kOther + kRelaxedSync + kInit + before + kMap +
           "  @%p0 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r25]; // here\n" +
           wait(".acquire.cluster") + cluster_sync();
  };
  silent(program(cluster_sync()));
  silent(program(kRelaxedSync));  // behind fence.mbarrier_init
}

TEST_CASE("bytes of a multicast are there behind each block's own wait, and buffers are free behind an arrival") {
  const auto program = [](const std::string& waits, const std::string& frees) {
    return kOther + R"(
  @%p0 mbarrier.init.shared::cta.b64 [%r24], 1;
  @%p0 mbarrier.init.shared::cta.b64 [%r24+8], 4;
  fence.mbarrier_init.release.cluster;
)" + cluster_sync() +
           R"(
  mov.u32 %r1, 0;
  mov.u16 %rs1, 3;
  mad.lo.u32 %r13, %r21, 4, %r11;
  add.u32 %r14, %r24, 8;
  mapa.shared::cluster.u32 %r15, %r14, 0;
  and.b32 %r16, %r21, 31;
$round:
  @!%p0 bra $take;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r24], 256;
  setp.ne.u32 %p4, %r22, 0;
  @%p4 bra $take;
  setp.eq.u32 %p5, %r1, 0;
  @%p5 bra $fill;
  sub.u32 %r17, %r1, 1;
)" + frees +
           R"(
$fill:
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r11], [%rd1], 256, [%r24], %rs1; // here
$take:
)" + waits +
           R"(
  ld.shared.u32 %r2, [%r13]; // here
  st.global.u32 [%rd4], %r2;
  bar.warp.sync 0xffffffff;
  setp.eq.u32 %p6, %r16, 0;
  @%p6 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r15];
  add.u32 %r1, %r1, 1;
  setp.lt.u32 %p7, %r1, 2;
  @%p7 bra $round;
)" + cluster_sync();
  };
  const std::string take =
      "$wait:\n  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [%r24], %r1;\n  @!%p3 bra $wait;\n";
  const std::string free =
      "$free:\n  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [%r14], %r17;\n  @!%p3 bra $free;\n";
  silent(program(take, free));
  found(program(take, ""), "race", "races with the", true);
  found(program("", free), "race", "races with the", true);
}

TEST_CASE("the wrong block's mbarrier leaves the right one waiting") {
  const std::string text = kernel(kOther + kInit + cluster_sync() + R"(
  mapa.shared::cluster.u32 %r25, %r24, %r22;
  @%p0 mbarrier.expect_tx.relaxed.cluster.shared::cta.b64 [%r24], 4;
  setp.eq.u32 %p1, %r22, 0;
  and.pred %p1, %p1, %p0;
  @%p1 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r25];
)" + wait(".acquire.cluster"),
                                  "");
  const LaunchResult r = check_once(text, 3, 2);
  CHECK(r.status == Status::kDeadlock);
  CHECK_MESSAGE(contains(r.report, "awaits 1 of 1 arrivals"), r.report);
}

TEST_CASE("strong accesses of one word by blocks of a cluster need its scope") {
  const auto program = [](const std::string& scope) {
    return kOther + "  @%p0 st.shared.u32 [%r11], 0;\n" + cluster_sync() +
           "  mapa.shared::cluster.u32 %r12, %r11, 0;\n  @%p0 red.relaxed." + scope +
           ".shared::cluster.add.u32 [%r12], 1; // here\n" + cluster_sync();
  };
  silent(program("cluster"));
  silent(program("gpu"));
  found(program("cta"), "race", "a .cta scope does not reach the other block");
}

TEST_CASE("a word released and acquired in another block's shared memory orders what came before it") {
  const auto program = [](const std::string& scope) {
    return kOther + "  @%p0 st.shared.u32 [%r11], 0;\n" + cluster_sync() + R"(
  @!%p0 bra $done;
  setp.eq.u32 %p1, %r22, 1;
  @%p1 bra $poll;
  st.shared::cluster.u32 [%r10], 9; // here
  st.release.)" +
           scope + R"(.shared::cluster.u32 [%r12], 1;
  bra $done;
$poll:
  ld.acquire.)" +
           scope + R"(.shared::cta.u32 %r3, [%r11];
  setp.eq.u32 %p2, %r3, 0;
  @%p2 bra $poll;
)" + kReadOwn +
           "$done:\n" + cluster_sync();
  };
  silent(program("cluster"));
  silent(program("gpu"));
  found(program("cta"), "race", "races with the", true);
}

TEST_CASE("a block that reads what another never wrote is told of the bytes, and whose they are") {
  found(kOther + cluster_sync() + kRead + cluster_sync(), "init", "shared memory + 0x");
}

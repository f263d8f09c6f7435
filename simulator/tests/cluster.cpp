// Clusters of several blocks: who is where, their barrier, and shared memory that they reach in each other. Launches on
// card h200 are held against an H100's answers (hopper/README.md).
#include "cluster_kernel.hpp"
#include "machine/block.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

std::string show(const std::vector<std::string>& values) {
  std::string text;
  for (size_t n = 0; n < values.size(); ++n)
    text += "  mov.u32 %r30, " + values[n] + ";\n  st.global.u32 [%rd2+" + std::to_string(4 * n) + "], %r30;\n";
  return text;
}

const std::string kPlaces =
    "  mov.pred %p9, %is_explicit_cluster;\n  selp.u32 %r29, 1, 0, %p9;\n" +
    show({"%cluster_ctarank", "%cluster_nctarank", "%clusterid.x", "%clusterid.y", "%clusterid.z", "%nclusterid.x",
          "%nclusterid.y", "%nclusterid.z", "%cluster_ctaid.x", "%cluster_ctaid.y", "%cluster_ctaid.z",
          "%cluster_nctaid.x", "%cluster_nctaid.y", "%cluster_nctaid.z", "%r29"});

// What `kPlaces` stores in block `id`.
std::vector<uint32_t> place(const Dim3& grid, const Dim3& cluster, const Dim3& id, uint32_t is_named) {
  const uint32_t x = id.x % cluster.x, y = id.y % cluster.y, z = id.z % cluster.z;
  return {(z * cluster.y + y) * cluster.x + x,
          static_cast<uint32_t>(cluster.count()),
          id.x / cluster.x,
          id.y / cluster.y,
          id.z / cluster.z,
          grid.x / cluster.x,
          grid.y / cluster.y,
          grid.z / cluster.z,
          x,
          y,
          z,
          cluster.x,
          cluster.y,
          cluster.z,
          is_named};
}

void check_places(const Outcome& o, const Dim3& grid, const Dim3& cluster, uint32_t is_named) {
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  for (uint32_t n = 0; n < grid.count(); ++n) {
    CAPTURE(n);
    const std::vector<uint32_t> want = place(grid, cluster, block_id(grid, n), is_named);
    CHECK(std::equal(want.begin(), want.end(), o.out.begin() + n * kWordsOfBlock));
  }
}

}  // namespace

TEST_CASE("special registers say where a block is in its cluster and where that is in the grid") {
  struct Case {
    Dim3 grid, cluster;
  };
  for (const Case& c : {Case{{4}, {2}},
                        {{4, 4}, {2, 2}},
                        {{3, 2, 4}, {3, 1, 2}},
                        {{8}, {8}},
                        {{2, 3}, {1, 3}},
                        {{4, 2}, {1, 1, 1}},
                        {{16, 2}, {16}},
                        {{12}, {12}}})
    check_places(run(kPlaces, {.grid = c.grid, .cluster = c.cluster}), c.grid, c.cluster, 1);
  check_places(run(kPlaces, {.grid = {5}}), {5}, {1, 1, 1}, 0);
  check_places(run(kPlaces, {.grid = {4}}, ".reqnctapercluster 2"), {4}, {2, 1, 1}, 1);
  check_places(run(kPlaces, {.grid = {4}}, ".reqnctapercluster 1"), {4}, {1, 1, 1}, 1);
  check_places(run(kPlaces, {.grid = {4}, .cluster = {2, 1, 1}}, ".explicitcluster .maxclusterrank 2"), {4}, {2, 1, 1},
               1);
}

TEST_CASE("the grid of .blocksareclusters counts clusters") {
  check_places(run(kPlaces, {.grid = {2, 2}}, ".reqntid 32 .reqnctapercluster 2 .blocksareclusters"), {4, 2}, {2, 1, 1},
               1);
}

TEST_CASE("launches are refused whose clusters do not divide the grid, are too large or not what the kernel says") {
  const auto refused = [](const Launch& launch, const std::string& why, const std::string& directives = "") {
    const Outcome o = run("", launch, directives);
    CHECK(o.result.status == Status::kLaunchFailed);
    CHECK_MESSAGE(contains(o.result.report, why), o.result.report);
  };
  refused({.grid = {3}, .cluster = {2, 1, 1}}, "grid (3,1,1) is not a multiple of cluster (2,1,1)");
  refused({.grid = {2, 3}, .cluster = {1, 2, 1}}, "not a multiple");
  refused({.grid = {17}, .cluster = {17, 1, 1}}, "17 blocks, 16 are the most");
  refused({.grid = {4}, .cluster = {0, 1, 1}}, "a dimension of 0");
  refused({.grid = {4}, .cluster = {4, 1, 1}}, "not the kernel's .reqnctapercluster (2,1,1)", ".reqnctapercluster 2");
  refused({.grid = {4}}, "names no cluster dimensions", ".explicitcluster");
  refused({.grid = {4}, .cluster = {4, 1, 1}}, "larger than the kernel's .maxclusterrank 2",
          ".explicitcluster .maxclusterrank 2");
}

TEST_CASE("clusters fill the GPCs of the card, none spans two") {
  const Card& card = *find_card("h200");
  CHECK(resident_clusters(card, 1, 16) == 8);  // 66 pairs of SMs in 8 GPCs: 2 of 18 SMs, 6 of 16
  CHECK(resident_clusters(card, 1, 8) == 16);
  CHECK(resident_clusters(card, 1, 2) == 66);
  CHECK(resident_clusters(card, 2, 3) == 2 * 12 + 6 * 10);
}

TEST_CASE("addresses hold the rank of the block whose memory it is") {
  const Outcome o = run(R"(
  mov.u32 %r1, data;
  mapa.shared::cluster.u32 %r2, %r1, 1;
  getctarank.shared::cluster.u32 %r3, %r2;
  getctarank.shared::cluster.u32 %r4, %r1;
  cvta.shared.u64 %rd3, data;
  mapa.u64 %rd4, %rd3, 1;
  getctarank.u64 %r5, %rd4;
  cvta.to.shared::cluster.u64 %rd5, %rd4;
  cvt.u32.u64 %r6, %rd5;
  cvt.u64.u32 %rd6, %r2;
  cvta.shared::cluster.u64 %rd7, %rd6;
  setp.eq.u64 %p1, %rd7, %rd4;
  selp.u32 %r7, 1, 0, %p1;
  isspacep.shared::cta %p2, %rd4;
  selp.u32 %r8, 1, 0, %p2;
  isspacep.shared::cluster %p3, %rd4;
  selp.u32 %r9, 1, 0, %p3;
  isspacep.shared %p4, %rd3;
  selp.u32 %r10, 1, 0, %p4;
  isspacep.shared::cluster %p5, %rd1;
  selp.u32 %r11, 1, 0, %p5;
  mov.u32 %r12, %cluster_ctarank;
  mapa.shared::cluster.u32 %r13, %r1, %r12;
  setp.eq.u32 %p6, %r13, %r1;
  selp.u32 %r14, 1, 0, %p6;
  sub.u32 %r15, %r2, %r1;
)" + show({"%r3", "%r4", "%r5", "%r7", "%r8", "%r9", "%r10", "%r11", "%r14", "%r15"}),
                        {.grid = {2}, .cluster = {2, 1, 1}});
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  const std::vector<uint32_t> first = {1, 0, 1, 1, 0, 1, 1, 0, 1, 1 << 24}, second = {1, 1, 1, 1, 1, 1, 1, 0, 1, 0};
  CHECK(std::equal(first.begin(), first.end(), o.out.begin()));
  CHECK(std::equal(second.begin(), second.end(), o.out.begin() + kWordsOfBlock));
}

TEST_CASE("the barrier of a cluster holds all threads of all blocks, and those that have exited count no more") {
  for (const uint32_t blocks : {2u, 4u, 8u}) {
    for (const std::string aligned : {"", ".aligned"}) {
      // Rounds: each block adds its mark to a word of the next one's; barriers between.
      const Outcome o = run(R"(
  st.shared.u32 [%r20], 0;
)" + cluster_sync(aligned) + R"(
  mov.u32 %r1, 0;
$round:
  add.u32 %r2, %r22, 1;
  setp.eq.u32 %p1, %r2, %r23;
  selp.u32 %r2, 0, %r2, %p1;
  mapa.shared::cluster.u32 %r3, %r20, %r2;
  ld.shared::cluster.u32 %r4, [%r3];
)" + cluster_sync(aligned) + R"(
  ld.shared.u32 %r5, [%r20];
  mad.lo.u32 %r5, %r5, 3, %r22;
  st.shared.u32 [%r20], %r5;
)" + cluster_sync(aligned) + R"(
  ld.shared::cluster.u32 %r5, [%r3];
  mad.lo.u32 %r5, %r4, 5, %r5;
)" + cluster_sync(aligned) + R"(
  st.shared.u32 [%r20], %r5;
)" + cluster_sync(aligned) + R"(
  add.u32 %r1, %r1, 1;
  setp.lt.u32 %p2, %r1, 3;
  @%p2 bra $round;
  ld.shared.u32 %r6, [%r20];
  st.global.u32 [%rd4], %r6;
)" + cluster_sync(aligned),
                            {.grid = {blocks}, .block = {64}, .cluster = {blocks, 1, 1}});
      REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
      std::vector<uint32_t> words(blocks, 0);
      for (int round = 0; round < 3; ++round) {
        const std::vector<uint32_t> before = words;
        for (uint32_t b = 0; b < blocks; ++b) words[b] = before[b] * 3 + b;
        std::vector<uint32_t> after(blocks);
        for (uint32_t b = 0; b < blocks; ++b) after[b] = before[(b + 1) % blocks] * 5 + words[(b + 1) % blocks];
        words = after;
      }
      for (uint32_t b = 0; b < blocks; ++b)
        for (uint32_t t = 0; t < 64; ++t) CHECK(o.out[b * kWordsOfBlock + t] == words[b]);
    }
  }
  // Half of the warps and one whole block leave without an arrival.
  const Outcome o = run(R"(
  setp.eq.u32 %p1, %r22, 1;
  @%p1 exit;
  setp.ge.u32 %p1, %r21, 32;
  @%p1 exit;
)" + cluster_sync() + "  st.global.u32 [%rd4], 7;\n",
                        {.grid = {3}, .block = {64}, .cluster = {3, 1, 1}});
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  CHECK(o.out[0] == 7);
  CHECK(o.out[kWordsOfBlock] == kUntouched);
  CHECK(o.out[2 * kWordsOfBlock + 31] == 7);
  CHECK(o.out[2 * kWordsOfBlock + 32] == kUntouched);
}

TEST_CASE("lanes of a warp may come to the cluster's barrier apart") {
  const Outcome o = run(R"(
  st.shared.u32 [%r20], %r21;
  and.b32 %r1, %r21, 1;
  setp.eq.u32 %p1, %r1, 0;
  @%p1 bra $even;
  nanosleep.u32 100;
  barrier.cluster.arrive;
  barrier.cluster.wait;
  barrier.cluster.arrive;
  barrier.cluster.wait;
  bra $join;
$even:
  barrier.cluster.arrive;
  barrier.cluster.wait;
  barrier.cluster.arrive;
  barrier.cluster.wait;
$join:
  xor.b32 %r2, %r22, 1;
  mapa.shared::cluster.u32 %r3, %r20, %r2;
  ld.shared::cluster.u32 %r4, [%r3];
  st.global.u32 [%rd4], %r4;
)" + cluster_sync(),
                        {.grid = {2}, .block = {32}, .cluster = {2, 1, 1}});
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  for (uint32_t t = 0; t < 32; ++t) CHECK(o.out[t] == t);
}

TEST_CASE("a cluster's barrier that is misused, or that a warp never comes to, is told") {
  const auto ends = [](const std::string& body, const std::string& why, Status status = Status::kIllegalInstruction) {
    const Outcome o = run(body, {.grid = {2}, .block = {64}, .cluster = {2, 1, 1}, .options = kInTurn});
    CHECK(o.result.status == status);
    CHECK_MESSAGE(contains(o.result.report, why), o.result.report);
  };
  ends("  barrier.cluster.arrive;\n  barrier.cluster.arrive;\n", "arrives again at the barrier of its cluster");
  ends("  barrier.cluster.wait;\n", "has not arrived there");
  ends("  setp.lt.u32 %p1, %r21, 16;\n  @%p1 barrier.cluster.arrive.aligned;\n", "lanes 0-15 pass");
  ends(R"(
  setp.eq.u32 %p1, %r22, 1;
  @!%p1 bra $meet;
  setp.lt.u32 %p2, %r21, 32;
  @%p2 bra $meet;
$for_ever:
  ld.volatile.shared.u32 %r1, [%r20];
  setp.ne.u32 %p3, %r1, 7;
  @%p3 bra $for_ever;
$meet:
  barrier.cluster.arrive;
  barrier.cluster.wait;
)",
       "the cluster's barrier has 96 of 128 threads, missing block (1,0,0) warp 1", Status::kDeadlock);
}

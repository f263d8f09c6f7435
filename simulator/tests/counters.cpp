// Counters against numbers worked out by hand: bank conflicts, sectors, copies, the L2 model, waits, tensor forms.
#include "counters/counters.hpp"

#include "async_kernel.hpp"
#include "counters/banks.hpp"
#include "counters/l2.hpp"
#include "numerics/tensor_map.hpp"

using namespace sim;
using namespace sim::test;
using counters::Counter;
using counters::Counts;

namespace {

alignas(128) std::byte g_input[65536];
alignas(128) std::byte g_output[65536];

// Counters of one launch of `body` in the kernel of async_kernel.hpp, with a cold L2.
Counts count(const std::string& body, const Launch& launch = {}, const std::string& extra = "") {
  const auto module = load_ptx(kernel(body, "sm_90a") + extra, "test.ptx");
  const Kernel& test = *module->find("test");
  REQUIRE_MESSAGE(test.load_error.empty(), test.load_error);
  Memory memory;
  REQUIRE(memory.register_host(reinterpret_cast<uint64_t>(g_input), sizeof g_input, "in"));
  REQUIRE(memory.register_host(reinterpret_cast<uint64_t>(g_output), sizeof g_output, "out"));
  const uint64_t params[] = {reinterpret_cast<uint64_t>(g_input), reinterpret_cast<uint64_t>(g_output)};
  LaunchConfig config;
  config.grid = launch.grid;
  config.block = launch.block;
  RunOptions options;
  options.counts = true;
  counters::reset();
  counters::flush_l2();
  const MakeObserver observers[] = {counters::count_grid};
  const LaunchResult result = run_grid(test, config, params, memory, *find_card("h200"), options, observers);
  REQUIRE_MESSAGE(result.status == LaunchResult::Status::kOk, result.report);
  return counters::totals("test");
}

// %r5 = tile + lane * stride bytes.
std::string strided(int stride) { return "  mad.lo.u32 %r5, %r3, " + std::to_string(stride) + ", %r2;\n"; }
// %rd5 = in + lane * stride + offset bytes.
std::string global_strided(int stride, int offset = 0) {
  return "  mul.wide.u32 %rd4, %r3, " + std::to_string(stride) +
         ";\n  add.u64 %rd5, %rd1, %rd4;\n  add.u64 %rd5, %rd5, " + std::to_string(offset) + ";\n";
}

}  // namespace

TEST_CASE("bank conflicts of 4-byte loads: the greatest common divisor of stride and 32") {
  for (const int words : {1, 2, 4, 8, 32}) {
    CAPTURE(words);
    const Counts c = count(strided(4 * words) + "  ld.shared.u32 %r6, [%r5];\n");
    CHECK(c[Counter::kSharedLoadWavefronts] == static_cast<uint64_t>(words));
    CHECK(c[Counter::kSharedConflicts] == static_cast<uint64_t>(words - 1));
  }
  const Counts odd = count(strided(4 * 31) + "  ld.shared.u32 %r6, [%r5];\n");
  CHECK(odd[Counter::kSharedLoadWavefronts] == 1);
}

TEST_CASE("lanes that read one word share it, also parts of it") {
  CHECK(count("  ld.shared.u32 %r6, [%r2];\n")[Counter::kSharedLoadWavefronts] == 1);
  const Counts bytes = count(strided(1) + "  ld.shared.u8 %r6, [%r5];\n");  // 8 words of 4 lanes each
  CHECK(bytes[Counter::kSharedLoadWavefronts] == 1);
  // Lanes 0 to 15 want word 0, lanes 16 to 31 word 32: two words of bank 0.
  const Counts two = count("  shr.u32 %r4, %r3, 4;\n  mad.lo.u32 %r5, %r4, 128, %r2;\n  ld.shared.u32 %r6, [%r5];\n");
  CHECK(two[Counter::kSharedLoadWavefronts] == 2);
  CHECK(two[Counter::kSharedConflicts] == 1);
}

TEST_CASE("8-byte accesses go in halves, 16-byte accesses in quarters") {
  const Counts pairs = count(strided(8) + "  st.shared.v2.u32 [%r5], {%r3, %r3};\n");
  CHECK(pairs[Counter::kSharedStoreWavefronts] == 2);
  CHECK(pairs[Counter::kSharedConflicts] == 0);
  const Counts quads = count(strided(16) + "  ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r5];\n");
  CHECK(quads[Counter::kSharedLoadWavefronts] == 4);
  CHECK(quads[Counter::kSharedConflicts] == 0);
  const Counts straight = count(strided(64) + "  ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r5];\n");
  CHECK(straight[Counter::kSharedLoadWavefronts] == 4 * 4);  // lanes l and l + 2 share banks: 4 rows of 16 bytes each
  // Half of the lanes: the other halves and quarters take no wavefront.
  const Counts half =
      count("  setp.lt.u32 %p1, %r3, 16;\n" + strided(16) + "  @%p1 ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r5];\n");
  CHECK(half[Counter::kSharedLoadWavefronts] == 2);
}

TEST_CASE("a wide load in which lanes read in pairs goes in groups twice as large") {
  const std::string quad = "  ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r5];\n";
  const std::string pair = "  ld.shared.v2.u32 {%r6, %r7}, [%r5];\n";
  // Lane l reads row l >> 1, so that lanes l and l ^ 1 read the same: 16 rows of 16 bytes.
  const std::string neighbours = "  shr.u32 %r4, %r3, 1;\n  mad.lo.u32 %r5, %r4, 16, %r2;\n";
  CHECK(count(neighbours + quad)[Counter::kSharedLoadWavefronts] == 2);
  CHECK(count(neighbours + "  st.shared.v4.u32 [%r5], {%r3, %r3, %r3, %r3};\n")[Counter::kSharedStoreWavefronts] == 4);
  CHECK(count("  mov.u32 %r5, %r2;\n" + quad)[Counter::kSharedLoadWavefronts] == 2);
  CHECK(count("  mov.u32 %r5, %r2;\n" + pair)[Counter::kSharedLoadWavefronts] == 1);
  // Lane l reads row (l >> 2) + 8 (l & 1), as the scales of an A operand lie: lanes l and l ^ 2 read the same, and the
  // two times four rows of 16 lanes meet in the same banks.
  const Counts scales = count(
      "  shr.u32 %r4, %r3, 2;\n  and.b32 %r5, %r3, 1;\n  mad.lo.u32 %r4, %r5, 8, %r4;\n"
      "  mad.lo.u32 %r5, %r4, 16, %r2;\n" +
      quad);
  CHECK(scales[Counter::kSharedLoadWavefronts] == 4);
  CHECK(scales[Counter::kSharedConflicts] == 2);
  // Lane l reads row l >> 2: both kinds of pairs, and groups are doubled once.
  CHECK(count("  shr.u32 %r4, %r3, 2;\n  mad.lo.u32 %r5, %r4, 16, %r2;\n" + quad)[Counter::kSharedLoadWavefronts] == 2);
}

TEST_CASE("a tile of ldmatrix costs one wavefront where its rows are swizzled, eight where they are not") {
  // Rows of 128 bytes: lane l names row l, 16-byte column 0, or column (l % 8) as the 128-byte swizzle places it.
  const std::string load = "  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r6, %r7, %r8, %r9}, [%r5];\n";
  const Counts plain = count(strided(128) + load);
  CHECK(plain[Counter::kSharedLoadWavefronts] == 32);
  CHECK(plain[Counter::kSharedConflicts] == 28);
  const Counts swizzled =
      count(strided(128) + "  and.b32 %r4, %r3, 7;\n  shl.b32 %r4, %r4, 4;\n  xor.b32 %r5, %r5, %r4;\n" + load);
  CHECK(swizzled[Counter::kSharedLoadWavefronts] == 4);
  CHECK(swizzled[Counter::kSharedConflicts] == 0);
  // x1 looks at the addresses of lanes 0 to 7 alone.
  const Counts one = count(strided(128) + "  ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r6}, [%r5];\n");
  CHECK(one[Counter::kSharedLoadWavefronts] == 8);
  const Counts stored = count(strided(128) + "  stmatrix.sync.aligned.m8n8.x2.shared.b16 [%r5], {%r6, %r7};\n");
  CHECK(stored[Counter::kSharedStoreWavefronts] == 16);
}

TEST_CASE("atomics on one word of shared memory take a wavefront a lane") {
  CHECK(count("  atom.shared.add.u32 %r6, [%r2], 1;\n")[Counter::kSharedAtomicWavefronts] == 32);
  CHECK(count(strided(4) + "  red.shared.add.u32 [%r5], 1;\n")[Counter::kSharedAtomicWavefronts] == 1);
}

TEST_CASE("sectors of a global request") {
  struct Row {
    int stride, offset, sectors;
    const char* load;
  };
  const char* word = "  ld.global.u32 %r6, [%rd5];\n";
  const Row rows[] = {{0, 0, 1, word},  // broadcast
                      {4, 0, 4, word},  // 128 bytes
                      {4, 4, 5, word},  // the same, misaligned
                      {8, 0, 8, word},
                      {32, 0, 32, word},
                      {64, 0, 32, word},
                      {16, 0, 16, "  ld.global.v4.u32 {%r6, %r7, %r8, %r9}, [%rd5];\n"},
                      {1, 31, 2, "  ld.global.u8 %r6, [%rd5];\n"}};
  for (const Row& row : rows) {
    CAPTURE(row.stride);
    CAPTURE(row.offset);
    const Counts c = count(global_strided(row.stride, row.offset) + row.load);
    CHECK(c[Counter::kGlobalLoadRequests] == 1);
    CHECK(c[Counter::kGlobalLoadSectors] == static_cast<uint64_t>(row.sectors));
    CHECK(c[Counter::kL2ReadSectors] == static_cast<uint64_t>(row.sectors));
    CHECK(c[Counter::kDramReadBytes] == 32 * static_cast<uint64_t>(row.sectors));
  }
  const Counts stores = count(global_strided(4) + "  st.global.u32 [%rd5], %r3;\n  st.global.u32 [%rd5], %r3;\n");
  CHECK(stores[Counter::kGlobalStoreRequests] == 2);
  CHECK(stores[Counter::kGlobalStoreSectors] == 8);
  CHECK(stores[Counter::kL2HitSectors] == 4);
  CHECK(stores[Counter::kDramReadBytes] == 0);  // whole sectors are overwritten
  const Counts atomics = count(global_strided(4) + "  red.global.add.u32 [%rd5], 1;\n");
  CHECK(atomics[Counter::kGlobalAtomicSectors] == 4);
  CHECK(atomics[Counter::kDramReadBytes] == 128);
}

TEST_CASE("a generic access counts where it lands") {
  const Counts c =
      count("  cvt.u64.u32 %rd4, %r2;\n  cvta.shared.u64 %rd4, %rd4;\n  ld.u32 %r6, [%rd4];\n  ld.u32 %r6, [%rd1];\n");
  CHECK(c[Counter::kSharedLoadWavefronts] == 1);
  CHECK(c[Counter::kGlobalLoadSectors] == 1);
}

TEST_CASE("instructions count also where the guard lets no lane through") {
  // Of the kernel's own there are 5 and the return.
  const Counts c = count(
      "  setp.lt.u32 %p1, %r3, 8;\n  @%p1 add.u32 %r4, %r3, 1;\n  setp.gt.u32 %p1, %r3, 99;\n"
      "  @%p1 add.u32 %r4, %r3, 1;\n");
  CHECK(c[Counter::kInstExecuted] == 10);
  CHECK(c[Counter::kThreadInst] == 320);
  CHECK(c[Counter::kThreadInstOn] == 8 * 32 + 8);
}

TEST_CASE("asynchronous copies: bytes and sectors") {
  const Counts lanes = count(global_strided(16) + strided(16) +
                             "  cp.async.cg.shared.global [%r5], [%rd5], 16;\n  cp.async.wait_all;\n");
  CHECK(lanes[Counter::kCopyBytes] == 512);
  CHECK(lanes[Counter::kGlobalLoadRequests] == 1);
  CHECK(lanes[Counter::kGlobalLoadSectors] == 16);  // two lanes share each
  const Counts bulk = count(R"(
  mbarrier.init.shared.b64 [%r1], 1;
  mbarrier.arrive.expect_tx.shared.b64 %rd9, [%r1], 2048;
  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 2048, [%r1];
  cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r2], 1024;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
)",
                            {.block = {1}});
  CHECK(bulk[Counter::kBulkLoadBytes] == 2048);
  CHECK(bulk[Counter::kBulkStoreBytes] == 1024);
  CHECK(bulk[Counter::kL2ReadSectors] == 64);
  CHECK(bulk[Counter::kL2WriteSectors] == 32);
}

TEST_CASE("columns of pixels: the bytes of the whole column, the sectors of the pixels that exist") {
  // Four images of 8 pixels of 64 bytes; a column of 20 pixels from the last image's third on: 6 exist.
  numerics::TensorMapArguments a;
  a.mode = numerics::TensorMapMode::kIm2col;
  a.data_type = 2;
  a.rank = 3;
  a.address = reinterpret_cast<uint64_t>(g_input + 1024);
  a.dims = {16, 8, 4, 1, 1};
  a.strides = {64, 512};
  a.channels = 16;
  a.pixels = 20;
  std::string error;
  REQUIRE_MESSAGE(numerics::encode_tensor_map(a, {.shared_bytes = 200 * 1024}, g_input, error), error);
  const Counts c = count(R"(
  mbarrier.init.shared.b64 [%r1], 1;
  mbarrier.arrive.expect_tx.shared.b64 %rd9, [%r1], 1280;
  cp.async.bulk.tensor.3d.shared::cta.global.im2col.mbarrier::complete_tx::bytes [%r2], [%rd1, {0, 2, 3}], [%r1], {0};
)",
                         {.block = {1}});
  CHECK(c[Counter::kBulkLoadBytes] == 1280);
  CHECK(c[Counter::kL2ReadSectors] == 12);
}

TEST_CASE("waits: of barriers by warp instruction, of mbarriers by lane and outcome") {
  const Counts barrier = count("  bar.sync 0;\n  bar.sync 0;\n", {.block = {96}});
  CHECK(barrier[Counter::kBarrierWaits] == 6);
  // One thread: the phase in progress is 0, so a wait for parity 1 passes at once. After the only arrival, 0 does too.
  const Counts one = count(R"(
  mbarrier.init.shared.b64 [%r1], 1;
  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;
  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 1;
  mbarrier.arrive.shared.b64 %rd9, [%r1];
  mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0;
)",
                           {.block = {1}});
  CHECK(one[Counter::kMbarrierWaits] == 2);
  CHECK(one[Counter::kMbarrierWaitFails] == 1);
  CHECK(count("  ld.volatile.global.u32 %r6, [%rd1];\n  ld.acquire.gpu.global.u32 %r6, [%rd1];\n"
              "  ld.global.u32 %r6, [%rd1];\n")[Counter::kStrongLoads] == 2);
}

TEST_CASE("what is counted comes from all blocks, and launches add up") {
  const std::string body = global_strided(4) + "  ld.global.u32 %r6, [%rd5];\n";
  const Counts c = count(body, {.grid = {7}, .block = {64}});
  CHECK(c[Counter::kGlobalLoadRequests] == 14);
  CHECK(c[Counter::kL2ReadSectors] == 14 * 4);
  CHECK(c[Counter::kDramReadBytes] == 256);  // one buffer for all blocks
  const std::string json = counters::to_json(*find_card("h200"));
  CHECK(contains(json, "\"launches\":1"));
  CHECK(contains(json, "\"gpu\":\"h200\""));
  CHECK(contains(json, "\"global_load_requests\":14"));
}

TEST_CASE("tensor instructions by form") {
  const Counts c = count(
      "  mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%r10, %r11, %r12, %r13}, {%r4, %r5, %r6, %r7}, {%r8, %r9}, "
      "{%r10, %r11, %r12, %r13};\n"
      "  mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%r10, %r11, %r12, %r13}, {%r4, %r5}, {%r8}, "
      "{%r10, %r11, %r12, %r13};\n"
      "  mov.u32 %r2, 0x44444444;\n"
      "  mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%r10, %r11, %r12, %r13}, {%r4, %r5, %r6, %r7}, "
      "{%r4, %r5, %r6, %r7}, {%r10, %r11, %r12, %r13}, %r2, 0;\n"
      "  mma.sp.sync.aligned.m16n8k64.row.col.s32.s4.u4.s32 {%r10, %r11, %r12, %r13}, {%r4, %r5}, {%r8, %r9}, "
      "{%r10, %r11, %r12, %r13}, %r2, 0;\n");
  CHECK(c[Counter::kTensorInst] == 4);
  CHECK(c[Counter::kTensorCycles] == 6 + 3 + 6 + 3);  // sparse ones take the time of their kept elements
  const std::string json = counters::to_json(*find_card("h200"));
  CHECK(contains(json, R"({"form":"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32","inst":1,"cycles":6})"));
}

TEST_CASE("the L2 keeps what was used last, by sectors, and writes back what it drops") {
  using counters::L2;
  using counters::L2Access;
  L2 l2(16 * 128);  // one set of 16 lines
  CHECK(l2.access(0, 1, L2Access::kRead).dram_reads == 1);
  CHECK(l2.access(0, 4, L2Access::kRead).hits == 1);  // the line's other sectors are fetched
  CHECK(l2.access(0, 4, L2Access::kRead).hits == 4);
  CHECK(l2.access(4, 2, L2Access::kWrite).dram_reads == 0);
  CHECK(l2.access(8, 1, L2Access::kUpdate).dram_reads == 1);
  for (uint64_t line = 3; line < 16; ++line) CHECK(l2.access(4 * line, 1, L2Access::kRead).dram_writes == 0);
  CHECK(l2.access(0, 1, L2Access::kRead).hits == 1);          // 16 lines; line 1 is now the oldest
  CHECK(l2.access(64, 1, L2Access::kRead).dram_writes == 2);  // it was written: two sectors
  CHECK(l2.access(4, 1, L2Access::kRead).dram_reads == 1);    // and is gone
  CHECK(l2.access(0, 1, L2Access::kRead).hits == 1);          // line 0 was used since
  l2.clear();
  CHECK(l2.access(0, 1, L2Access::kRead).hits == 0);
}

TEST_CASE("a contiguous buffer of the L2's size fits") {
  counters::L2 l2(1 << 20);
  const uint64_t sectors = (1 << 20) / 32, start = 12345 * 4;
  CHECK(l2.access(start, sectors, counters::L2Access::kRead).dram_reads == sectors);
  CHECK(l2.access(start, sectors, counters::L2Access::kRead).hits == sectors);
}

// What a missing wait looks like when copies land lazily or as late as they may: poison or stale bytes where the wait
// is missing, the right bytes where it is there, for each kind of copy and each kind of wait.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "async_kernel.hpp"
#include "numerics/tensor_map.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

RunOptions with(AsyncMode mode, uint64_t seed = 0) {
  RunOptions options;
  options.async = mode;
  options.seed = seed;
  return options;
}
RunOptions hostile(uint64_t seed = 0) { return with(AsyncMode::kHostile, seed); }

// One thread, or `threads`; the first `count` words of the output.
std::vector<uint64_t> words(const std::string& body, const RunOptions& options, size_t count, uint32_t threads = 1) {
  Outcome o = run_ok(body, {.block = {threads}, .options = options});
  o.out.resize(count);
  return o.out;
}

std::vector<uint64_t> source(size_t first_word, size_t count) {
  const std::vector<uint8_t> bytes = pattern(4096);
  std::vector<uint64_t> all(count);
  std::memcpy(all.data(), bytes.data() + 8 * first_word, 8 * count);
  return all;
}
constexpr uint64_t kPoison = ~0ull;

// Words of `tile`, from byte `at` on, to the output's beginning.
std::string show(int at, int count) {
  std::string text;
  for (int k = 0; k < count; ++k)
    text += "  ld.shared.b64 %rd30, [%r2+" + std::to_string(at + 8 * k) + "];\n  st.global.b64 [%rd2+" +
            std::to_string(8 * k) + "], %rd30;\n";
  return text;
}

constexpr char kInit[] = "  mbarrier.init.shared.b64 [%r1], 1;\n";
constexpr char kWait[] = "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;\n  @!%p1 bra W;\n";
constexpr char kCopyTwo[] =
    "  cp.async.cg.shared.global [%r2], [%rd1], 16;\n  cp.async.commit_group;\n"
    "  cp.async.cg.shared.global [%r2+16], [%rd1+16], 16;\n  cp.async.commit_group;\n";

}  // namespace

TEST_CASE("cp.async: what no wait_group covers is poison") {
  const std::vector<uint64_t> data = source(0, 4);
  const std::vector<uint64_t> none(4, kPoison), first{data[0], data[1], kPoison, kPoison};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    CHECK(words(kCopyTwo + show(0, 4), hostile(seed), 4) == none);
    CHECK(words(std::string(kCopyTwo) + "  cp.async.wait_group 1;\n" + show(0, 4), hostile(seed), 4) == first);
    CHECK(words(std::string(kCopyTwo) + "  cp.async.wait_group 0;\n" + show(0, 4), hostile(seed), 4) == data);
    CHECK(words(std::string(kCopyTwo) + "  cp.async.wait_all;\n" + show(0, 4), hostile(seed), 4) == data);
  }
  CHECK(words(kCopyTwo + show(0, 4), with(AsyncMode::kEager), 4) == data);
  // A copy behind the last commit belongs to no group that wait_group could cover.
  const std::string open = "  cp.async.cg.shared.global [%r2], [%rd1], 16;\n  cp.async.wait_group 0;\n";
  CHECK(words(open + show(0, 2), hostile(), 2) == std::vector<uint64_t>(2, kPoison));
}

TEST_CASE("cp.async: lazy copies land between issue and wait") {
  const std::vector<uint64_t> data = source(0, 4);
  int landed = 0, late = 0;
  std::string steps;
  for (int k = 0; k < 8; ++k) steps += "  fence.acq_rel.cta;\n";
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto options = with(AsyncMode::kLazy, seed);
    landed += words(kCopyTwo + steps + show(0, 4), options, 4) == data;
    late += words(kCopyTwo + show(0, 4), options, 4) != data;
    CHECK(words(std::string(kCopyTwo) + "  cp.async.wait_group 0;\n" + show(0, 4), options, 4) == data);
  }
  CHECK(landed > 0);
  CHECK(late > 0);
}

TEST_CASE("cp.async groups belong to the thread that issued them") {
  // Thread 0 copies; a thread waits; all meet; thread 1 shows.
  const auto body = [](const char* waiting) {
    return "  setp.eq.u32 %p1, %r3, 0;\n  setp.eq.u32 %p2, %r3, 1;\n  setp.eq.u32 %p3, %r3, " + std::string(waiting) +
           ";\n  @%p1 cp.async.cg.shared.global [%r2], [%rd1], 16;\n  @%p1 cp.async.commit_group;\n"
           "  @%p3 cp.async.wait_group 0;\n  bar.sync 0;\n  @!%p2 bra END;\n" +
           show(0, 2) + "END:\n";
  };
  for (uint64_t seed = 0; seed < 4; ++seed) {
    CHECK(words(body("1"), hostile(seed), 2, 32) == std::vector<uint64_t>(2, kPoison));
    CHECK(words(body("0"), hostile(seed), 2, 32) == source(0, 2));
  }
}

TEST_CASE("cp.async.mbarrier.arrive arrives when the thread's copies have landed") {
  const std::string copies = std::string(kInit) +
                             "  cp.async.cg.shared.global [%r2], [%rd1], 16;\n"
                             "  cp.async.ca.shared.global [%r2+16], [%rd1+16], 8;\n"
                             "  cp.async.mbarrier.arrive.noinc.shared.b64 [%r1];\n";
  for (uint64_t seed = 0; seed < 8; ++seed) CHECK(words(copies + kWait + show(0, 3), hostile(seed), 3) == source(0, 3));
  CHECK(words(copies + show(0, 3), hostile(), 3) == std::vector<uint64_t>(3, kPoison));
}

constexpr char kLoad[] =
    "  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 64;\n"
    "  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 64, [%r1];\n";

TEST_CASE("a bulk load that is read before its mbarrier's wait is poison") {
  const std::string load = std::string(kInit) + kLoad;
  for (uint64_t seed = 0; seed < 8; ++seed) CHECK(words(load + kWait + show(0, 8), hostile(seed), 8) == source(0, 8));
  CHECK(words(load + show(0, 8), hostile(), 8) == std::vector<uint64_t>(8, kPoison));
  CHECK(words(load + show(0, 8), with(AsyncMode::kEager), 8) == source(0, 8));
  // A slot that is refilled while somebody still reads it.
  const std::string early = "  st.shared.b64 [%r2], %rd1;\n" + load;
  CHECK(words(early + show(0, 1), hostile(), 1)[0] == kPoison);
}

TEST_CASE("some seeds deliver a load early, and then in pieces of 16 bytes in any order") {
  std::string body = std::string(kInit) + kLoad;
  for (int k = 0; k < 24; ++k) body += "  fence.acq_rel.cta;\n";
  const std::vector<uint64_t> data = source(0, 8);
  int partial = 0, out_of_order = 0, none = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const std::vector<uint64_t> got = words(body + show(0, 8), hostile(seed), 8);
    int there = 0;
    for (size_t k = 0; k < 8; k += 2) {
      const bool is_there = got[k] == data[k] && got[k + 1] == data[k + 1];
      CHECK((is_there || (got[k] == kPoison && got[k + 1] == kPoison)));
      out_of_order += is_there && there < static_cast<int>(k / 2);
      there += is_there;
    }
    partial += there != 0 && there != 4;
    none += there == 0;
  }
  CHECK(partial > 0);
  CHECK(out_of_order > 0);
  CHECK(none > 0);
}

TEST_CASE("a tensor load that is read before its mbarrier's wait is poison") {
  // 4 rows of 16 f32 out of 1024 elements; the box lies one row past the end, so that fill is delivered, too.
  const auto show_box = [](const RunOptions& options, bool waits) {
    std::vector<uint32_t> in(48), out(64);
    for (size_t k = 0; k < in.size(); ++k) in[k] = static_cast<uint32_t>(k + 1);
    numerics::TensorMapArguments a;
    a.data_type = 7;
    a.rank = 2;
    a.address = pointer(in);
    a.dims = {16, 3};
    a.strides = {64};
    a.box = {16, 4};
    struct alignas(64) Map {
      std::byte bytes[128];
    } map;
    std::string error;
    REQUIRE_MESSAGE(numerics::encode_tensor_map(a, {.shared_bytes = 100 * 1024}, map.bytes, error), error);
    Program program(header("sm_90a") + R"(
.visible .entry test(.param .align 64 .b8 map[128], .param .u64 out) {
  .shared .align 128 .b8 tile[256];
  .shared .align 8 .b64 bar;
  .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .pred %p<3>;
  ld.param.u64 %rd2, [out];
  mov.b64 %rd3, map;
  cvta.param.u64 %rd3, %rd3;
  mov.u32 %r1, bar;
  mov.u32 %r2, tile;
  mov.b32 %r3, 0;
  mbarrier.init.shared.b64 [%r1], 1;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 256;
  cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes [%r2], [%rd3, {%r3, %r3}], [%r1];
)" + (waits ? "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;\n  @!%p1 bra W;\n" : "") +
                    R"(
S:
  add.u32 %r4, %r2, %r3;
  ld.shared.b32 %r5, [%r4];
  st.global.b32 [%rd2], %r5;
  add.u64 %rd2, %rd2, 4;
  add.u32 %r3, %r3, 4;
  setp.lt.u32 %p2, %r3, 256;
  @%p2 bra S;
  ret;
})");
    program.add(in, "in");
    program.add(out, "out");
    program.run_ok("test", {.block = {1}, .card = "h200", .options = options}, {map, pointer(out)});
    return out;
  };
  std::vector<uint32_t> want(64);
  for (size_t k = 0; k < 48; ++k) want[k] = static_cast<uint32_t>(k + 1);
  for (uint64_t seed = 0; seed < 8; ++seed) CHECK(show_box(hostile(seed), true) == want);
  CHECK(show_box(hostile(), false) == std::vector<uint32_t>(64, 0xffffffff));
  CHECK(show_box(with(AsyncMode::kEager), false) == want);
}

namespace {

// Thread 0 stores `tile` (first word 1) to the output; then `wait`; then the first word becomes 2.
std::string store(const std::string& wait) {
  return "  mov.b64 %rd5, 1;\n  mov.b64 %rd6, 2;\n  st.shared.v2.b64 [%r2], {%rd5, %rd5};\n"
         "  fence.proxy.async.shared::cta;\n"
         "  cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r2], 16;\n"
         "  cp.async.bulk.commit_group;\n" +
         wait + "  st.shared.b64 [%r2], %rd6;\n";
}

}  // namespace

TEST_CASE("the source of a bulk store is free after wait_group.read, and not before") {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    CHECK(words(store(""), hostile(seed), 2) == std::vector<uint64_t>{2, 1});  // written when the block ends
    CHECK(words(store("  cp.async.bulk.wait_group.read 1;\n"), hostile(seed), 1)[0] == 2);
    CHECK(words(store("  cp.async.bulk.wait_group.read 0;\n"), hostile(seed), 1)[0] == 1);
    CHECK(words(store("  cp.async.bulk.wait_group 0;\n"), hostile(seed), 1)[0] == 1);
  }
  CHECK(words(store(""), with(AsyncMode::kEager), 1)[0] == 1);
}

TEST_CASE("the result of a bulk store is there after wait_group, not after wait_group.read") {
  const std::string look = "  ld.global.b64 %rd7, [%rd2];\n  st.global.b64 [%rd2+64], %rd7;\n";
  for (uint64_t seed = 0; seed < 4; ++seed) {
    CHECK(words(store("  cp.async.bulk.wait_group.read 0;\n" + look), hostile(seed), 9)[8] == 0xcccccccccccccccc);
    CHECK(words(store("  cp.async.bulk.wait_group 0;\n" + look), hostile(seed), 9)[8] == 1);
  }
}

TEST_CASE("another thread's wait_group.read frees nothing") {
  const auto body = [](const char* waiting) {
    return "  setp.eq.u32 %p1, %r3, 0;\n  setp.eq.u32 %p2, %r3, 1;\n  setp.eq.u32 %p3, %r3, " + std::string(waiting) +
           R"(;
  mov.b64 %rd5, 1;
  mov.b64 %rd6, 2;
  @!%p1 bra ISSUED;
  st.shared.v2.b64 [%r2], {%rd5, %rd5};
  fence.proxy.async.shared::cta;
  cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r2], 16;
  cp.async.bulk.commit_group;
ISSUED:
  bar.sync 0;
  @%p3 cp.async.bulk.wait_group.read 0;
  bar.sync 0;
  @%p2 st.shared.b64 [%r2], %rd6;
)";
  };
  for (uint64_t seed = 0; seed < 4; ++seed) {
    CHECK(words(body("1"), hostile(seed), 1, 32)[0] == 2);
    CHECK(words(body("0"), hostile(seed), 1, 32)[0] == 1);
  }
}

TEST_CASE("a bulk reduction lands once, and poisons nothing") {
  const std::string body =
      "  mov.b64 %rd5, 5;\n  st.global.b64 [%rd2], %rd5;\n  st.shared.v2.b64 [%r2], {%rd5, %rd5};\n"
      "  fence.proxy.async.shared::cta;\n"
      "  cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u64 [%rd2], [%r2], 16;\n"
      "  cp.async.bulk.commit_group;\n";
  for (uint64_t seed = 0; seed < 4; ++seed) {
    CHECK(words(body + "  cp.async.bulk.wait_group 0;\n", hostile(seed), 1)[0] == 10);
    CHECK(words(body, hostile(seed), 1)[0] == 10);
  }
}

TEST_CASE("a copy that is waited for by looking at its bytes lands in the end") {
  // Hardware gets round to it, so this is no deadlock: a thread polls the last byte of a cp.async.
  const std::string poll =
      "P: ld.volatile.shared.b32 %r5, [%r2];\n  setp.eq.u32 %p1, %r5, 0xffffffff;\n  @%p1 bra P;\n";
  for (uint64_t seed = 0; seed < 4; ++seed)
    CHECK(words("  cp.async.cg.shared.global [%r2], [%rd1], 16;\n" + poll + show(0, 2), hostile(seed), 2) ==
          source(0, 2));
}

TEST_CASE("a deadlock is one only when no copy is in flight") {
  const std::string body =
      std::string(kInit) +
      "  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 64;\n"
      "  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 32, [%r1];\n";
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const Outcome o = run(body + kWait, {.block = {1}, .options = hostile(seed)});
    CHECK(o.result.status == Status::kDeadlock);
    CHECK(contains(o.result.report, "phase 0 awaits 0 of 1 arrivals and 32 bytes"));
  }
}

TEST_CASE("a mistake of a late copy is found at its instruction") {
  for (const AsyncMode mode : {AsyncMode::kEager, AsyncMode::kLazy, AsyncMode::kHostile})
    check_fault("  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 64, [%r1];",
                "used before mbarrier.init", {.block = {1}, .options = with(mode)});
}

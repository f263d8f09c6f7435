// cp.async, bulk copies and bulk reductions through PTX, with their groups, hints and faults.
#include <doctest/doctest.h>

#include <cmath>

#include "async_kernel.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

// Copies `bytes` of shared memory from `tile` to out, one thread.
std::string dump(int bytes) {
  std::string text;
  for (int at = 0; at < bytes; at += 8)
    text += "  ld.shared.b64 %rd30, [%r2+" + std::to_string(at) + "];\n  st.global.b64 [%rd2+" + std::to_string(at) +
            "], %rd30;\n";
  return text;
}
std::string poison(int bytes) {
  std::string text = "  mov.b64 %rd30, 0xcccccccccccccccc;\n";
  for (int at = 0; at < bytes; at += 8) text += "  st.shared.b64 [%r2+" + std::to_string(at) + "], %rd30;\n";
  return text;
}

TEST_CASE("cp.async: sizes, zero fill, ignored sources, hints") {
  const Outcome o = run_ok(poison(160) + R"(
  mov.b32 %r5, 6;
  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;
  setp.eq.u32 %p1, %r3, 0;
  cp.async.ca.shared.global [%r2], [%rd1+4], 4;
  cp.async.ca.shared.global [%r2+8], [%rd1+8], 8;
  cp.async.cg.shared.global [%r2+16], [%rd1+16], 16;
  cp.async.cg.shared::cta.global.L2::128B [%r2+32], [%rd1+32], 16, %r5;
  cp.async.cg.shared.global [%r2+48], [%rd1+48], 16, 0;
  cp.async.ca.shared.global.L2::256B [%r2+64], [%rd1+64], 8, %p1;
  cp.async.ca.shared.global [%r2+72], [%rd1+72], 8, !%p1;
  cp.async.cg.shared.global.L2::cache_hint [%r2+80], [%rd1+80], 16, %rd9;
  cp.async.cg.shared.global.L2::cache_hint.L2::64B [%r2+96], [%rd1+96], 16, %r5, %rd9;
  cp.async.cg.shared.global [%r2+112], [%rd1+1048576], 16, 0;
  cp.async.commit_group;
  cp.async.ca.shared.global [%r2+128], [%rd1+128], 4;
  cp.async.wait_group 0;
  cp.async.wait_all;
)" + dump(160));
  const std::vector<uint8_t> in = pattern(4096);
  std::vector<uint8_t> want(160, 0xcc);
  const auto copy = [&](int to, int from, int bytes, int size) {
    for (int k = 0; k < size; ++k) want[to + k] = k < bytes ? in[from + k] : 0;
  };
  copy(0, 4, 4, 4);
  copy(8, 8, 8, 8);
  copy(16, 16, 16, 16);
  copy(32, 32, 6, 16);
  copy(48, 48, 0, 16);
  copy(64, 64, 0, 8);
  copy(72, 72, 8, 8);
  copy(80, 80, 16, 16);
  copy(96, 96, 6, 16);
  copy(112, 0, 0, 16);
  copy(128, 128, 4, 4);
  CHECK(std::memcmp(o.out.data(), want.data(), want.size()) == 0);
}

TEST_CASE("cp.async faults") {
  check_fault("  cp.async.cg.shared.global [%r2+8], [%rd1], 16;", "not aligned to 16 bytes", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault("  cp.async.cg.shared.global [%r2], [%rd1+8], 16;", "not aligned to 16 bytes", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault("  cp.async.cg.shared.global [%r2], [%rd1+4096], 16;", "past in", {.block = {1}},
              Status::kIllegalAddress);
  check_fault("  cp.async.cg.shared.global [%r2+8192], [%rd1], 16;", "past shared memory", {.block = {1}},
              Status::kIllegalAddress);
  check_fault("  mov.b32 %r5, 17;\n  cp.async.cg.shared.global [%r2], [%rd1], 16, %r5;", "src-size 17");
  Program program(kernel("  cp.async.cg.shared.global [%r2], [%rd1], 16;"));
  CHECK_THROWS(Program(kernel("  cp.async.cg.shared.global [%r2], [%rd1];")));
}

constexpr char kWait[] = "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r1], 0;\n  @!%p1 bra W;\n";

TEST_CASE("bulk loads and a prefetch") {
  const Outcome o = run_ok(R"(
  mbarrier.init.shared.b64 [%r1], 1;
  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 128;
  cp.async.bulk.prefetch.L2.global [%rd1+256], 512;
  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd1+16], 64, [%r1];
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%r2+64], [%rd1+256], 32, [%r1], %rd9;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2+96], [%rd1+512], 32, [%r1];
)" + std::string(kWait) + dump(128));
  const std::vector<uint8_t> in = pattern(4096);
  std::vector<uint8_t> want(128);
  std::memcpy(want.data(), in.data() + 16, 64);
  std::memcpy(want.data() + 64, in.data() + 256, 32);
  std::memcpy(want.data() + 96, in.data() + 512, 32);
  CHECK(std::memcmp(o.out.data(), want.data(), want.size()) == 0);
}

TEST_CASE("a bulk load with a multicast mask of one rank") {
  const Outcome o = run_ok(R"(
  mbarrier.init.shared.b64 [%r1], 1;
  mov.b16 %rs1, 1;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 32;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r2], [%rd1+512], 32, [%r1], %rs1;
)" + std::string(kWait) + dump(32));
  CHECK(std::memcmp(o.out.data(), pattern(4096).data() + 512, 32) == 0);
}

TEST_CASE("a bulk copy inside shared memory needs a launch with cluster dimensions") {
  const std::string body = R"(
  mbarrier.init.shared.b64 [%r1], 1;
  ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1+64];
  st.shared.v4.b32 [%r2+128], {%r10, %r11, %r12, %r13};
  fence.proxy.async.shared::cta;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 16;
  cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r2], [%r2+128], 16, [%r1];
)" + std::string(kWait) + dump(16);
  check_fault(body, "needs a launch with cluster dimensions");
  std::string text = kernel(body);
  const std::string signature = "(.param .u64 in, .param .u64 out)";
  text.insert(text.find(signature) + signature.size(), " .reqnctapercluster 1, 1, 1");
  Program program(text);
  std::vector<uint8_t> in = pattern(4096), out(16);
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.block = {1}, .card = "h200"}, {pointer(in), pointer(out)});
  CHECK(std::equal(out.begin(), out.end(), in.begin() + 64));
}

TEST_CASE("bulk stores and their groups") {
  const Outcome o = run_ok(R"(
  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;
  ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1+32];
  st.shared.v4.b32 [%r2], {%r10, %r11, %r12, %r13};
  st.shared.v4.b32 [%r2+16], {%r13, %r12, %r11, %r10};
  st.shared.v4.b32 [%r2+32], {%r10, %r10, %r10, %r10};
  fence.proxy.async.shared::cta;
  cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r2], 32;
  cp.async.bulk.commit_group;
  cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%rd2+32], [%r2+32], 16, %rd9;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group.read 1;
  cp.async.bulk.wait_group 0;
)");
  const std::vector<uint8_t> in = pattern(4096);
  uint32_t words[4], got[12];
  std::memcpy(words, in.data() + 32, 16);
  std::memcpy(got, o.out.data(), 48);
  for (int k = 0; k < 4; ++k) {
    CHECK(got[k] == words[k]);
    CHECK(got[4 + k] == words[3 - k]);
    CHECK(got[8 + k] == words[0]);
  }
}

TEST_CASE("bulk copy faults") {
  const std::string init = "  mbarrier.init.shared.b64 [%r1], 1;\n";
  const std::string load = "  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes ";
  check_fault(init + load + "[%r2+8], [%rd1], 16, [%r1];", "not aligned to 16", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault(init + load + "[%r2], [%rd1+8], 16, [%r1];", "not aligned to 16", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault(init + load + "[%r2], [%rd1], 24, [%r1];", "not a multiple of 16", {.block = {1}},
              Status::kMisalignedAddress);
  check_fault(init + load + "[%r2], [%rd1+4080], 32, [%r1];", "past in", {.block = {1}}, Status::kIllegalAddress);
  check_fault(init + load + "[%r2+4096], [%rd1], 16, [%r1];", "past shared memory", {.block = {1}},
              Status::kIllegalAddress);
  check_fault(load + "[%r2], [%rd1], 16, [%r1];", "used before mbarrier.init");
  check_fault(
      init +
          "  mov.b16 %rs1, 3;\n  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
          "[%r2], [%rd1], 16, [%r1], %rs1;",
      "multicast to the cluster ranks of mask 3, the cluster has 1 blocks", {.block = {1}}, Status::kAbsentBlock);
}

// The bulk reduction of 16 bytes of `shared` into `global`.
std::vector<uint8_t> reduce(const std::string& op, std::vector<uint8_t> shared, std::vector<uint8_t> global) {
  Program program(
      kernel("  ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1];\n"
             "  st.shared.v4.b32 [%r2], {%r10, %r11, %r12, %r13};\n"
             "  fence.proxy.async.shared::cta;\n"
             "  cp.reduce.async.bulk.global.shared::cta.bulk_group." +
             op +
             " [%rd2], [%r2], 16;\n"
             "  cp.async.bulk.commit_group;\n  cp.async.bulk.wait_group 0;"));
  program.add(shared, "in");
  program.add(global, "out");
  program.run_ok("test", {.block = {1}, .card = "h200"}, {pointer(shared), pointer(global)});
  return global;
}

template <class T>
void check_reduce(const std::string& op, std::vector<T> shared, std::vector<T> global, std::vector<T> want) {
  CAPTURE(op);
  const auto bytes = [](const std::vector<T>& v) {
    std::vector<uint8_t> b(16);
    std::memcpy(b.data(), v.data(), 16);
    return b;
  };
  CHECK(reduce(op, bytes(shared), bytes(global)) == bytes(want));
}

TEST_CASE("bulk reductions") {
  check_reduce<uint32_t>("add.u32", {1, 2, 3, 0xffffffff}, {10, 20, 30, 2}, {11, 22, 33, 1});
  check_reduce<int32_t>("min.s32", {-1, 2, 3, 4}, {0, 1, 5, 4}, {-1, 1, 3, 4});
  check_reduce<uint32_t>("min.u32", {0xffffffff, 2, 3, 4}, {0, 1, 5, 4}, {0, 1, 3, 4});
  check_reduce<uint32_t>("max.u32", {0xffffffff, 2, 3, 4}, {0, 1, 5, 4}, {0xffffffff, 2, 5, 4});
  check_reduce<int64_t>("max.s64", {-5, 7}, {-6, 6}, {-5, 7});
  check_reduce<uint64_t>("add.u64", {1, ~0ull}, {~0ull, 5}, {0, 4});
  check_reduce<uint32_t>("inc.u32", {3, 3, 3, 3}, {0, 2, 3, 9}, {1, 3, 0, 0});
  check_reduce<uint32_t>("dec.u32", {3, 3, 3, 3}, {0, 2, 3, 9}, {3, 1, 2, 3});
  check_reduce<uint32_t>("and.b32", {12, 1, 0, 7}, {10, 1, 9, 5}, {8, 1, 0, 5});
  check_reduce<uint64_t>("xor.b64", {12, 1}, {10, 3}, {6, 2});
  check_reduce<float>("add.f32", {1.5f, -2, 0x1p-140f, 1e38f}, {1, 2, 0x1p-140f, 3.3e38f},
                      {2.5f, 0, 0x1p-139f, INFINITY});
  check_reduce<double>("add.f64", {1.5, -2}, {1, 2}, {2.5, 0});
  check_reduce<uint16_t>("add.noftz.f16", {0x3c00, 0x0001, 0x7bff, 0x7e00, 0, 0, 0, 0},
                         {0x3c00, 0x0001, 0x7bff, 0, 0, 0, 0, 0x8000}, {0x4000, 0x0002, 0x7c00, 0x7fff, 0, 0, 0, 0});
  check_reduce<uint16_t>("add.noftz.bf16", {0x3f80, 0x4380, 1, 2, 3, 4, 5, 6}, {0x3f80, 0x3f80, 1, 2, 3, 4, 5, 6},
                         {0x4000, 0x4380, 2, 4, 6, 8, 10, 12});
  check_reduce<uint16_t>("max.f16", {0x3c00, 0x7fff, 0x8000, 0xbc00, 0, 0, 0, 0},
                         {0x4000, 0x3c00, 0x0000, 0xb800, 0, 0, 0, 0}, {0x4000, 0x3c00, 0x0000, 0xb800, 0, 0, 0, 0});
}

TEST_CASE("cache hints change nothing that is copied") {
  const Outcome o = run_ok(poison(64) + R"(
  mbarrier.init.shared.b64 [%r1], 1;
  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;
  setp.eq.u32 %p1, %r3, 0;
  mov.b16 %rs1, 1;
  cp.async.ca.shared.global.L2::cache_hint [%r2], [%rd1+4], 4, %p1, %rd9;
  cp.async.cg.shared.global.L2::cache_hint.L2::128B [%r2+16], [%rd1+16], 16, !%p1, %rd9;
  cp.async.wait_all;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 32;
  cp.async.bulk.prefetch.L2.global.L2::cache_hint [%rd1+256], 512, %rd9;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint [%r2+32], [%rd1+512], 32, [%r1], %rs1, %rd9;
)" + std::string(kWait) + dump(64));
  const std::vector<uint8_t> in = pattern(4096);
  std::vector<uint8_t> want(64, 0xcc);
  std::fill_n(want.begin(), 4, 0);  // its source is ignored
  std::copy_n(in.begin() + 16, 16, want.begin() + 16);
  std::copy_n(in.begin() + 512, 32, want.begin() + 32);
  CHECK(std::memcmp(o.out.data(), want.data(), want.size()) == 0);
}

TEST_CASE("a bulk reduction with a cache hint") {
  Program program(kernel(R"(
  createpolicy.fractional.L2::evict_last.b64 %rd9, 1.0;
  ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1];
  st.shared.v4.b32 [%r2], {%r10, %r11, %r12, %r13};
  fence.proxy.async.shared::cta;
  cp.reduce.async.bulk.global.shared::cta.bulk_group.L2::cache_hint.add.u32 [%rd2], [%r2], 16, %rd9;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;)"));
  std::vector<uint32_t> in{1, 2, 3, ~0u}, out{10, 20, 30, 40};
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.block = {1}, .card = "h200"}, {pointer(in), pointer(out)});
  CHECK(out == std::vector<uint32_t>{11, 22, 33, 39});
}

TEST_CASE("a bulk reduction inside shared memory") {
  // 1, 2, 8, -1 onto 8, 1, 5, 2.
  for (const auto& [op, want] : {std::pair{"add.u32", std::vector<uint32_t>{9, 3, 13, 1}},
                                 std::pair{"and.b32", std::vector<uint32_t>{0, 0, 0, 2}},
                                 std::pair{"xor.b32", std::vector<uint32_t>{9, 3, 13, ~2u}},
                                 std::pair{"max.s32", std::vector<uint32_t>{8, 2, 8, 2}},
                                 std::pair{"min.u32", std::vector<uint32_t>{1, 1, 5, 2}}}) {
    CAPTURE(op);
    std::string text = kernel(R"(
  mbarrier.init.shared.b64 [%r1], 1;
  ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1];
  st.shared.v4.b32 [%r2+128], {%r10, %r11, %r12, %r13};
  ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1+16];
  st.shared.v4.b32 [%r2], {%r10, %r11, %r12, %r13};
  fence.proxy.async.shared::cta;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r1], 16;
  cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.)" +
                              std::string(op) + " [%r2], [%r2+128], 16, [%r1];\n" + kWait + dump(16));
    const std::string signature = "(.param .u64 in, .param .u64 out)";
    text.insert(text.find(signature) + signature.size(), " .reqnctapercluster 1, 1, 1");
    Program program(text);
    std::vector<uint32_t> in{1, 2, 8, ~0u, 8, 1, 5, 2}, out(4);
    program.add(in, "in");
    program.add(out, "out");
    program.run_ok("test", {.block = {1}, .card = "h200"}, {pointer(in), pointer(out)});
    CHECK(out == want);
  }
}

TEST_CASE("fences of proxies are accepted") {
  run_ok(R"(
  fence.proxy.async;
  fence.proxy.async.global;
  fence.proxy.async.shared::cta;
  fence.proxy.async.shared::cluster;
  fence.proxy.alias;
  fence.mbarrier_init.release.cluster;
  fence.proxy.tensormap::generic.release.gpu;
)");
}

}  // namespace

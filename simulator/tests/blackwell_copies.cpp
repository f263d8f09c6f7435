// Copies that came with Blackwell: four gathered rows of a matrix, stores of chosen bytes, zeros over shared memory.
#include "async_kernel.hpp"

#include "numerics/tensor_map.hpp"

using namespace sim;
using namespace sim::test;

namespace {

constexpr uint32_t kRows = 10, kColumns = 48, kBox = 32;  // of 2-byte elements

struct alignas(64) MapBytes {
  std::byte bytes[128];
};

MapBytes map_of(const void* data, uint32_t swizzle, uint32_t box_rows = 1) {
  numerics::TensorMapArguments a;
  a.data_type = 1;
  a.rank = 2;
  a.address = reinterpret_cast<uint64_t>(data);
  a.dims = {kColumns, kRows, 1, 1, 1};
  a.strides = {kColumns * 2};
  a.box = {kBox, box_rows, 1, 1, 1};
  a.swizzle = swizzle;
  MapBytes map;
  std::string error;
  REQUIRE_MESSAGE(numerics::encode_tensor_map(a, {.shared_bytes = 100 * 1024}, map.bytes, error), error);
  return map;
}

struct Gathered {
  LaunchResult result;
  std::vector<uint16_t> tile;
};

Gathered gather(int column, const std::array<int, 4>& rows, uint32_t swizzle, const std::string& hint = "",
                const char* card = "rtx-pro-6000", uint32_t box_rows = 1) {
  const std::string ptx = header() + R"(
.visible .entry test(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 c, .param .u32 r0, .param .u32 r1,
                     .param .u32 r2, .param .u32 r3) {
  .shared .align 1024 .b8 tile[512];
  .shared .align 8 .b64 bar;
  .reg .b32 %r<20>; .reg .b64 %rd<9>; .reg .pred %p<3>;
  ld.param.u64 %rd1, [out];
  ld.param.u32 %r1, [c]; ld.param.u32 %r2, [r0]; ld.param.u32 %r3, [r1]; ld.param.u32 %r4, [r2]; ld.param.u32 %r5, [r3];
  mov.u32 %r6, tile; mov.u32 %r7, bar; mov.u32 %r8, %tid.x;
  mov.b64 %rd2, map; cvta.param.u64 %rd2, %rd2;
  setp.ne.u32 %p1, %r8, 0;
  @%p1 bra READ;
  mbarrier.init.shared::cta.b64 [%r7], 1;
  fence.proxy.async.shared::cta;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r7], 256;
  createpolicy.fractional.L2::evict_first.b64 %rd3, 1.0;
  cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes)" +
                          hint + R"( [%r6], [%rd2, {%r1, %r2, %r3, %r4, %r5}], [%r7])" +
                          (hint.empty() ? "" : ", %rd3") + R"(;
READ:
  bar.sync 0;
WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r7], 0;
  @!%p2 bra WAIT;
  shl.b32 %r9, %r8, 3;
  add.u32 %r10, %r6, %r9;
  ld.shared.b64 %rd4, [%r10];
  cvt.u64.u32 %rd5, %r9;
  add.u64 %rd5, %rd5, %rd1;
  st.global.b64 [%rd5], %rd4;
  ret;
}
)";
  Program program(ptx);
  alignas(16) static std::array<uint16_t, kRows * kColumns> matrix;
  for (size_t k = 0; k < matrix.size(); ++k) matrix[k] = static_cast<uint16_t>(1000 + k);
  Gathered g;
  g.tile.assign(128, 0xcccc);
  program.add_range(matrix.data(), sizeof matrix, "matrix");
  program.add(g.tile, "tile");
  g.result = program.run(
      "test", {.block = {32}, .card = card},
      {map_of(matrix.data(), swizzle, box_rows), pointer(g.tile), column, rows[0], rows[1], rows[2], rows[3]});
  return g;
}

uint16_t element(int row, int column) {
  const bool is_inside =
      row >= 0 && row < static_cast<int>(kRows) && column >= 0 && column < static_cast<int>(kColumns);
  return static_cast<uint16_t>(is_inside ? 1000 + row * static_cast<int>(kColumns) + column : 0);
}

}  // namespace

TEST_CASE("gather4 brings the parts of four rows, in the order that was asked for, and zeros for those outside") {
  struct Case {
    int column;
    std::array<int, 4> rows;
  };
  for (const Case& c :
       {Case{0, {3, 0, 9, 3}}, Case{16, {7, 7, 1, 2}}, Case{24, {0, 10, -1, 5}}, Case{-8, {4, 3, 2, 1}}})
    for (const std::string hint : {"", ".L2::cache_hint"}) {
      CAPTURE(c.column);
      const Gathered g = gather(c.column, c.rows, 0, hint);
      REQUIRE_MESSAGE(g.result.status == LaunchResult::Status::kOk, g.result.report);
      for (size_t row = 0; row < 4; ++row)
        for (int k = 0; k < static_cast<int>(kBox); ++k)
          CHECK(g.tile[row * kBox + static_cast<size_t>(k)] == element(c.rows[row], c.column + k));
    }
}

TEST_CASE("gathered rows are swizzled as the rows of a box are") {
  const Gathered g = gather(0, {8, 6, 4, 2}, 2);  // 64-byte spans: 16-byte pieces of row r change places by r / 2
  REQUIRE_MESSAGE(g.result.status == LaunchResult::Status::kOk, g.result.report);
  for (uint32_t row = 0; row < 4; ++row)
    for (uint32_t k = 0; k < kBox; ++k) {
      const uint32_t at = row * 64 + k * 2, swizzled = at ^ (at >> 7 & 3) << 4;
      CHECK(g.tile[swizzled / 2] == element(static_cast<int>(8 - 2 * row), static_cast<int>(k)));
    }
}

TEST_CASE("gather4 is refused where it does not exist") {
  const auto refused = [](const Gathered& g, const std::string& text) {
    CHECK(g.result.status == LaunchResult::Status::kIllegalInstruction);
    CHECK_MESSAGE(contains(g.result.report, text), g.result.report);
  };
  refused(gather(0, {0, 1, 2, 3}, 0, "", "h200"), "needs sm_100");
  refused(gather(0, {0, 1, 2, 3}, 0, "", "rtx-pro-6000", 2), "have one row");
  refused(gather(4, {0, 1, 2, 3}, 0), "multiple of 16 bytes");
}

TEST_CASE("a tensor copy has as many coordinates as its opcode says") {
  const auto module = load_ptx(header() + R"(
.visible .entry k() { .reg .b32 %r<9>; .reg .b64 %rd<3>;
  cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, %r3}], [%r4];
  ret; }
.visible .entry l() { .reg .b32 %r<9>; .reg .b64 %rd<3>;
  cp.async.bulk.tensor.3d.shared::cta.global.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, %r3}], [%r4];
  ret; }
)",
                               "test.ptx");
  CHECK(!module->find("k")->load_error.empty());
  CHECK(!module->find("l")->load_error.empty());
}

TEST_CASE("modes of tensor copies that no card here has, or whose maps are not known, are refused by name") {
  const auto error = [](const std::string& statement) {
    return load_ptx(header() + ".visible .entry k() { .reg .b32 %r<9>; .reg .b64 %rd<3>; .reg .b16 %rs<3>; " +
                        statement + " ret; }",
                    "t.ptx")
        ->find("k")
        ->load_error;
  };
  for (const std::string opcode : {"cp.async.bulk.tensor.2d.global.shared::cta.tile::scatter4.bulk_group",
                                   "cp.async.bulk.prefetch.tensor.2d.L2.global.tile::gather4"})
    CHECK(contains(
        error(opcode + " [%rd1, {%r1, %r2, %r3, %r4, %r5}]" + (opcode.ends_with("bulk_group") ? ", [%r6];" : ";")),
        "needs sm_100a, sm_103a or sm_110a"));
  for (const auto& [mode, why] :
       {std::pair{"im2col::w::128", "needs sm_100a, sm_103a or sm_110a"}, {"im2col::w", "cuTensorMapEncodeIm2colWide"}})
    CHECK(contains(error("cp.async.bulk.tensor.3d.shared::cta.global." + std::string(mode) +
                         ".mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, %r3, %r4}], [%r5], {%rs1, %rs2};"),
                   why));
}

TEST_CASE("a store with a byte mask leaves the other bytes of each 16 alone") {
  for (const bool has_hint : {false, true}) {
    std::string body = "  mov.b16 %rs1, 0x8421;\n  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n";
    for (int k = 0; k < 12; ++k)
      body += "  mov.u32 %r4, " + std::to_string(0x01010101 * (k + 1)) + ";\n  st.shared.b32 [%r2+" +
              std::to_string(4 * k) + "], %r4;\n";
    body += "  fence.proxy.async;\n  cp.async.bulk.global.shared::cta.bulk_group";
    body +=
        has_hint ? ".L2::cache_hint.cp_mask [%rd2], [%r2], 48, %rd9, %rs1;\n" : ".cp_mask [%rd2], [%r2], 48, %rs1;\n";
    body += "  cp.async.bulk.commit_group;\n  cp.async.bulk.wait_group 0;\n";
    const Outcome o = run_on_blackwell(body);
    const auto* bytes = reinterpret_cast<const uint8_t*>(o.out.data());
    for (int k = 0; k < 64; ++k) {
      const bool is_copied = k < 48 && (0x8421 >> (k % 16) & 1) != 0;
      CHECK(bytes[k] == (is_copied ? k / 4 + 1 : 0xcc));
    }
  }
}

TEST_CASE("st.bulk writes zeros, and nothing beside them") {
  for (const std::string spelling :
       {"st.bulk.weak.shared::cta [%r5], %rd5, 0;\n", "st.bulk.shared::cta [%r5], %rd5, 0;\n",
        "st.bulk.weak [%rd6], %rd5, 0;\n", "st.bulk [%rd6], %rd5, 0;\n"}) {
    std::string body;
    for (int k = 0; k < 8; ++k) body += "  st.shared.b64 [%r2+" + std::to_string(8 * k) + "], 0x1111111111111111;\n";
    body +=
        "  add.u32 %r5, %r2, 16;\n  cvt.u64.u32 %rd6, %r5;\n  cvta.shared.u64 %rd6, %rd6;\n  mov.u64 %rd5, 24;\n  " +
        spelling;
    for (int k = 0; k < 8; ++k)
      body += "  ld.shared.b64 %rd7, [%r2+" + std::to_string(8 * k) + "];\n  st.global.b64 [%rd2+" +
              std::to_string(8 * k) + "], %rd7;\n";
    const Outcome o = run_on_blackwell(body);
    for (uint64_t k = 0; k < 8; ++k) CHECK(o.out[k] == (k >= 2 && k < 5 ? 0 : 0x1111111111111111));
  }
  const Outcome odd = run_on("sm_120a", "  mov.u64 %rd5, 12;\n  st.bulk.shared::cta [%r2], %rd5, 0;\n", {.block = {1}});
  CHECK(odd.result.status == LaunchResult::Status::kMisalignedAddress);
}

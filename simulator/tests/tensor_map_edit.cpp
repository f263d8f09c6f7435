// tensormap.replace, cp_fenceproxy and the fences of the tensor map proxy: edited maps are those that the encoder
// writes for the new arguments, copies follow them, and the race check asks for the fence that orders the two.
#include <array>
#include <random>

#include "numerics/tensor_map.hpp"
#include "program.hpp"

using namespace sim;
using namespace sim::test;
using numerics::TensorMapField;

namespace {

struct alignas(64) MapBytes {
  std::array<uint32_t, 32> words;
};

MapBytes encode(const numerics::TensorMapArguments& a) {
  MapBytes map{};
  std::string error;
  REQUIRE_MESSAGE(numerics::encode_tensor_map(a, {.shared_bytes = 200 * 1024},
                                              reinterpret_cast<std::byte*>(map.words.data()), error),
                  error);
  return map;
}
void edit(MapBytes& map, TensorMapField field, uint32_t ordinal, uint64_t value) {
  for (const numerics::WordEdit& e : numerics::replace_field(field, ordinal, value))
    map.words[e.word] = (map.words[e.word] & ~e.mask) | e.bits;
}
// tensormap.replace leaves what the driver works out of several fields: words 16 and 18.
void check_same(const MapBytes& edited, const MapBytes& encoded) {
  MapBytes a = edited, b = encoded;
  for (const size_t word : {16, 18}) a.words[word] = b.words[word] = 0;
  CHECK(a.words == b.words);
}

}  // namespace

TEST_CASE("every edited field is what the encoder writes for the new argument") {
  std::mt19937 random(7);
  const auto pick = [&](uint32_t low, uint32_t high) { return low + random() % (high - low + 1); };
  for (int round = 0; round < 200; ++round) {
    numerics::TensorMapArguments from, to;
    for (auto* a : {&from, &to}) {
      a->data_type = 7;  // f32
      a->rank = 5;
      a->address = uint64_t{random()} << 12;
      for (uint32_t d = 0; d < 5; ++d) {
        a->dims[d] = pick(1, 1u << 31);
        a->box[d] = d == 0 ? 4 * pick(1, 2) : pick(1, 6);
        a->steps[d] = pick(1, 8);
        if (d < 4) a->strides[d] = (uint64_t{random()} << 4 | uint64_t{pick(0, 15)} << 36) & ((1ull << 40) - 16);
      }
      a->swizzle = pick(1, 3);
      a->fill = pick(0, 1);
    }
    MapBytes map = encode(from);
    edit(map, TensorMapField::kAddress, 0, to.address);
    for (uint32_t d = 0; d < 5; ++d) {
      edit(map, TensorMapField::kBox, d, to.box[d]);
      edit(map, TensorMapField::kDim, d, to.dims[d]);
      edit(map, TensorMapField::kElementStep, d, to.steps[d]);
      if (d < 4) edit(map, TensorMapField::kStride, d, to.strides[d]);
    }
    edit(map, TensorMapField::kSwizzle, 0, to.swizzle);
    edit(map, TensorMapField::kFill, 0, to.fill);
    check_same(map, encode(to));
  }
}

TEST_CASE("rank is given less one, interleaving and types by PTX's numbers") {
  numerics::TensorMapArguments a;
  a.rank = 3;
  a.dims = {64, 4, 4, 1, 1};
  a.strides = {64, 256};
  a.box = {16, 2, 2, 1, 1};
  MapBytes map = encode(a);
  edit(map, TensorMapField::kInterleave, 0, 1);
  a.interleave = 1;
  check_same(map, encode(a));
  a.interleave = 0;
  // Driver's number of a type, and PTX's.
  constexpr std::pair<uint32_t, uint32_t> kTypes[] = {{0, 0}, {1, 1}, {2, 2},  {3, 3},  {4, 4},   {5, 5},  {6, 6},
                                                      {7, 7}, {8, 9}, {9, 10}, {10, 8}, {11, 11}, {12, 12}};
  for (const auto& [driver, ptx] : kTypes) {
    CAPTURE(driver);
    a.data_type = 0;
    map = encode(a);
    edit(map, TensorMapField::kType, 0, ptx);
    a.data_type = driver;
    check_same(map, encode(a));
  }
  map = encode(a);
  edit(map, TensorMapField::kRank, 0, 1);
  numerics::TensorMap decoded;
  std::string error;
  REQUIRE(numerics::decode_tensor_map(reinterpret_cast<const std::byte*>(map.words.data()), decoded, error));
  CHECK(decoded.rank == 2);
}

namespace {

// A warp takes the map of another tensor to shared memory, makes it one of rows 2 to 5 of a matrix of u32, 64 wide,
// publishes it and loads a box of 16 x 4 through it. `release` and `acquire` are what orders the edit and the load. At
// the end the published address becomes zero: recordings compare buffers, and a GPU has others.
std::string kernel(const std::string& edits, const std::string& release, const std::string& acquire,
                   const char* target = "sm_120a") {
  return header(target) + R"(
.visible .entry test(.param .u64 map, .param .u64 data, .param .u64 mine, .param .u64 out) {
  .shared .align 128 .b8 copy[128];
  .shared .align 128 .b8 tile[256];
  .shared .align 8 .b64 bar;
  .reg .b32 %r<20>; .reg .b64 %rd<20>; .reg .pred %p<4>;
  ld.param.u64 %rd1, [map]; ld.param.u64 %rd2, [data]; ld.param.u64 %rd3, [mine]; ld.param.u64 %rd4, [out];
  mov.u32 %r1, copy; mov.u32 %r2, tile; mov.u32 %r3, bar; mov.u32 %r4, %tid.x;
  mov.u32 %r10, 64; mov.u32 %r11, 4; mov.u64 %rd10, 256;
  shl.b32 %r5, %r4, 2; cvt.u64.u32 %rd5, %r5;
  add.u64 %rd6, %rd5, %rd1; add.u32 %r6, %r5, %r1;
  ld.global.b32 %r7, [%rd6]; st.shared.b32 [%r6], %r7;
  bar.warp.sync -1;
  setp.eq.u32 %p1, %r4, 0;
  add.u64 %rd2, %rd2, 512;
  @!%p1 bra READY;
)" + edits +
         R"(
  mbarrier.init.shared::cta.b64 [%r3], 1;
  fence.proxy.async.shared::cta;
READY:
  bar.warp.sync -1;
)" + release +
         R"(
  @!%p1 bra WAIT;
)" + acquire +
         R"(
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 256;
  cp.async.bulk.tensor.2d.shared::cta.global.mbarrier::complete_tx::bytes [%r2], [%rd3, {0, 0}], [%r3];
WAIT:
  bar.warp.sync -1;
TRY: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], 0;
  @!%p2 bra TRY;
  shl.b32 %r8, %r4, 3; add.u32 %r9, %r8, %r2; cvt.u64.u32 %rd7, %r8; add.u64 %rd7, %rd7, %rd4;
  ld.shared.b64 %rd8, [%r9]; st.global.b64 [%rd7], %rd8;
  @%p1 st.global.b64 [%rd3], 0;
  ret;
}
)";
}

const std::string kEdits =
    "tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%r1], %rd2;\n"
    "tensormap.replace.tile.rank.shared::cta.b1024.b32 [%r1], 1;\n"
    "tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%r1], 0, %r10;\n"
    "tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%r1], 1, %r11;\n"
    "tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%r1], 0, %rd10;\n"
    "tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r1], 0, 16;\n"
    "tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r1], 1, 4;\n"
    "tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%r1], 1, 1;\n"
    "tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%r1], 2;\n"
    "tensormap.replace.tile.interleave_layout.shared::cta.b1024.b32 [%r1], 0;\n"
    "tensormap.replace.tile.swizzle_mode.shared::cta.b1024.b32 [%r1], 0;\n"
    "tensormap.replace.tile.swizzle_atomicity.shared::cta.b1024.b32 [%r1], 0;\n"
    "tensormap.replace.tile.fill_mode.shared::cta.b1024.b32 [%r1], 0;\n";
const std::string kRelease =
    "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%rd3], [%r1], 128;\n";
const std::string kAcquire = "fence.proxy.tensormap::generic.acquire.gpu [%rd3], 128;\n";

struct Outcome {
  LaunchResult result;
  std::vector<uint32_t> out;
};

Outcome run(const std::string& text, const RunOptions& options = kInTurn, const char* card = "rtx-pro-6000") {
  Program program(text);
  alignas(64) static MapBytes map, mine;
  alignas(16) static std::array<uint32_t, 64 * 8> data;
  for (size_t k = 0; k < data.size(); ++k) data[k] = static_cast<uint32_t>(k);
  numerics::TensorMapArguments a;  // of something else altogether
  a.data_type = 6;
  a.rank = 1;
  a.address = 4096;
  a.dims = {8, 1, 1, 1, 1};
  a.box = {8, 1, 1, 1, 1};
  a.fill = 1;
  map = encode(a);
  mine = {};
  Outcome o;
  o.out.assign(64, 0xcccccccc);
  program.add_range(&map, 128, "map");
  program.add_range(&mine, 128, "mine");
  program.add_range(data.data(), sizeof data, "data");
  program.add(o.out, "out");
  o.result = program.run("test", {.block = {32}, .card = card, .options = options},
                         {reinterpret_cast<uint64_t>(&map), reinterpret_cast<uint64_t>(data.data()),
                          reinterpret_cast<uint64_t>(&mine), pointer(o.out)});
  return o;
}

void check_loaded(const Outcome& o) {
  REQUIRE_MESSAGE(o.result.status == LaunchResult::Status::kOk, o.result.report);
  for (const Finding& f : o.result.findings) FAIL_CHECK(f.text);
  for (uint32_t row = 0; row < 4; ++row)
    for (uint32_t k = 0; k < 16; ++k) CHECK(o.out[row * 16 + k] == (row + 2) * 64 + k);
}

RunOptions racing(uint64_t seed = 0) {
  RunOptions options;
  options.checks_races = options.checks_init = options.checks_sync = true;
  options.seed = seed;
  options.async = seed != 0 ? AsyncMode::kHostile : AsyncMode::kEager;
  return options;
}

}  // namespace

TEST_CASE("a map that a kernel edits and publishes is the one that a copy follows") {
  std::string hopper = kEdits;  // which has no swizzle atomicity
  const size_t line = hopper.find("tensormap.replace.tile.swizzle_atomicity");
  hopper.erase(line, hopper.find('\n', line) + 1 - line);
  check_loaded(run(kernel(hopper, kRelease, kAcquire, "sm_90a"), kInTurn, "h200"));
  check_loaded(run(kernel(kEdits, kRelease, kAcquire)));
  for (uint64_t seed = 0; seed < 4; ++seed) check_loaded(run(kernel(kEdits, kRelease, kAcquire), racing(seed)));
}

TEST_CASE("edits in place, in global memory and through generic addresses") {
  for (const std::string space : {".global", ""}) {
    std::string edits = kEdits;
    for (size_t at = 0; (at = edits.find(".shared::cta", at)) != std::string::npos;) edits.replace(at, 12, space);
    for (size_t at = 0; (at = edits.find("[%r1]", at)) != std::string::npos;) edits.replace(at, 5, "[%rd3]");
    std::string text = kernel(edits + "fence.proxy.tensormap::generic.release.gpu;\n", "", kAcquire);
    check_loaded(run(text, racing()));
  }
}

TEST_CASE("a copy that reads the map without the acquiring fence races with the lanes that published it") {
  const Outcome o = run(kernel(kEdits, kRelease, ""), racing());
  REQUIRE(!o.result.findings.empty());
  CHECK(contains(o.result.findings.front().text, "cp_fenceproxy"));
}

TEST_CASE("a lane that publishes what another edits needs a barrier of the warp between") {
  std::string text = kernel(kEdits, kRelease, kAcquire);
  const size_t at = text.find("READY:\n  bar.warp.sync -1;\n");
  text.replace(at, std::string("READY:\n  bar.warp.sync -1;\n").size(), "READY:\n");
  const Outcome o = run(text, racing());
  REQUIRE(!o.result.findings.empty());
  CHECK(contains(o.result.findings.front().text, "tensormap."));
}

TEST_CASE("what tensormap.replace does not take is refused when the module is loaded") {
  const auto error = [](const std::string& statement) {
    return load_ptx(header() + ".visible .entry k() { .reg .b32 %r<9>; .reg .b64 %rd<3>; " + statement + " ret; }",
                    "t.ptx")
        ->find("k")
        ->load_error;
  };
  CHECK(error("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r1], 4, %r2;").empty());
  CHECK(!error("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r1], 5, %r2;").empty());
  CHECK(!error("tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%r1], 4, %rd2;").empty());
  CHECK(!error("tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r1], %r3, %r2;").empty());
  CHECK(!error("tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%r1], 16;").empty());
  CHECK(!error("tensormap.replace.tile.swizzle_mode.shared::cta.b1024.b32 [%r1], 4;").empty());
  CHECK(!error("tensormap.replace.tile.fill_mode.shared::cta.b1024.b32 [%r1], %r2;").empty());
}

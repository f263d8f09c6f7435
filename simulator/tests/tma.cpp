// Tensor copies through PTX against a reference that knows one element at a time: random boxes of rank 1 to 5 with all
// swizzles, strides, element steps, fills and places partly or wholly outside the tensor; then every misuse that is
// certain.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <random>

#include "numerics/tensor_map.hpp"
#include "tensor_kernel.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

struct Tensor {
  uint32_t type = 0, element = 1, rank = 2;
  std::array<uint64_t, 5> dim{1, 1, 1, 1, 1};
  std::array<uint64_t, 5> stride{};  // bytes; [0] is the element
  std::array<uint32_t, 5> box{1, 1, 1, 1, 1}, step{1, 1, 1, 1, 1};
  std::array<int32_t, 5> start{};
  uint32_t swizzle = 0;
  bool fills_nan = false;

  uint32_t count(uint32_t d) const { return d == 0 || d >= rank ? box[d] : (box[d] + step[d] - 1) / step[d]; }
  uint32_t box_bytes() const {
    uint32_t n = element;
    for (uint32_t d = 0; d < rank; ++d) n *= count(d);
    return n;
  }
  uint64_t bytes() const {
    uint64_t last = 0;
    for (uint32_t d = 0; d < rank; ++d) last += (dim[d] - 1) * stride[d];
    return last + element + (16 - dim[0] * element % 16) % 16;  // the last row fills its 16-byte pieces
  }
  uint32_t pitch() const { return std::max(box[0] * element, swizzle == 0 ? 0u : 16u << swizzle); }
  uint32_t shared_bytes() const { return box_bytes() / (box[0] * element) * pitch(); }
};

MapBytes encode(const Tensor& t, uint64_t address) {
  numerics::TensorMapArguments a;
  a.data_type = t.type;
  a.rank = t.rank;
  a.address = address;
  a.dims = t.dim;
  std::copy(t.stride.begin() + 1, t.stride.end(), a.strides.begin());
  a.box = t.box;
  a.steps = t.step;
  a.swizzle = t.swizzle;
  a.fill = t.fills_nan ? 1 : 0;
  MapBytes map;
  std::string error;
  REQUIRE_MESSAGE(numerics::encode_tensor_map(a, {.shared_bytes = 100 * 1024}, map.bytes, error), error);
  return map;
}

// Calls f(offset in the tensor or -1 outside, offset in shared memory) for every byte of the box. `base`: the shared
// address of the box, whose bits the swizzle uses. Rows end with dimension 0 at loads, at the next multiple of 16 bytes
// at stores.
void each_byte(const Tensor& t, uint32_t base, bool stores, const std::function<void(int64_t, uint32_t)>& f) {
  const uint64_t row_end = stores ? (t.dim[0] * t.element + 15) / 16 * 16 / t.element : t.dim[0];
  const uint32_t mask = t.swizzle == 0 ? 0 : (1u << t.swizzle) - 1;
  uint32_t row = 0;
  std::array<uint32_t, 5> k{};
  for (k[4] = 0; k[4] < t.count(4); ++k[4])
    for (k[3] = 0; k[3] < t.count(3); ++k[3])
      for (k[2] = 0; k[2] < t.count(2); ++k[2])
        for (k[1] = 0; k[1] < t.count(1); ++k[1], ++row)
          for (k[0] = 0; k[0] < t.count(0); ++k[0])
            for (uint32_t b = 0; b < t.element; ++b) {
              int64_t at = b;
              bool inside = true;
              for (uint32_t d = 0; d < t.rank; ++d) {
                const int64_t c = int64_t{t.start[d]} + int64_t{k[d]} * (d == 0 ? 1 : t.step[d]);
                inside = inside && c >= 0 && c < static_cast<int64_t>(d == 0 ? row_end : t.dim[d]);
                at += c * static_cast<int64_t>(t.stride[d]);
              }
              const uint32_t linear = base + row * t.pitch() + k[0] * t.element + b;
              f(inside ? at : -1, (linear ^ (linear >> 7 & mask) << 4) - base);
            }
}

std::string load_text(uint32_t rank, const std::string& space = "shared::cta", const std::string& tile = "",
                      const std::string& hint = "", const std::string& operands = "") {
  return "  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r1], %r4;\n  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n  mov.b16 %rs1, 1;\n"
         "  cp.async.bulk.tensor." +
         std::to_string(rank) + "d." + space + ".global" + tile + ".mbarrier::complete_tx::bytes" + hint +
         " [%r2], [%rd5, " + coordinates(rank) + "], [%r1]" + operands +
         ";\nWAIT: mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r1], 0;\n  @!%p3 bra WAIT;\n";
}
Outcome run(const std::string& text, const Tensor& t, const std::vector<uint8_t>& memory, uint32_t offset = 0,
            uint32_t bytes = ~0u, const MapBytes* map = nullptr) {
  std::vector<int32_t> at(t.start.begin(), t.start.end());
  return run_kernel(
      text, at, memory, [&](uint64_t address) { return map != nullptr ? *map : encode(t, address); }, offset,
      bytes == ~0u ? t.box_bytes() : bytes);
}

constexpr std::pair<uint32_t, uint32_t> kTypes[] = {{0, 1}, {1, 2}, {2, 4}, {4, 8},
                                                    {6, 2}, {7, 4}, {9, 2}};  // code, bytes

Tensor random_tensor(std::mt19937& random) {
  const auto pick = [&](uint32_t low, uint32_t high) { return low + random() % (high - low + 1); };
  for (;;) {
    Tensor t;
    std::tie(t.type, t.element) = kTypes[random() % std::size(kTypes)];
    t.rank = pick(1, 5);
    t.swizzle = t.rank == 1 ? 0 : random() % 4;
    const uint32_t granule = 16 / t.element;
    const uint32_t widest = t.swizzle == 0 ? 8 : 1u << t.swizzle;  // 16-byte chunks in a row
    t.box[0] = granule * pick(1, widest);
    t.dim[0] = pick(1, t.box[0] * 2);
    t.stride[0] = t.element;
    uint64_t row = (t.dim[0] * t.element + 15) / 16 * 16;
    for (uint32_t d = 1; d < t.rank; ++d) {
      t.stride[d] = row + 16 * pick(0, 2);
      t.dim[d] = pick(1, 5);
      t.box[d] = pick(1, d == 1 ? 9 : 4);
      t.step[d] = random() % 4 == 0 ? pick(1, 3) : 1;
      row = t.stride[d] * t.dim[d];
    }
    t.start[0] = static_cast<int32_t>(granule) * (static_cast<int32_t>(pick(0, 6)) - 3);
    for (uint32_t d = 1; d < t.rank; ++d) t.start[d] = static_cast<int32_t>(pick(0, 8)) - 3;
    t.fills_nan = t.type >= 6 && random() % 2 == 0;
    if (t.box[0] <= 256 && t.shared_bytes() + 1024 <= kTile && t.bytes() <= 1 << 20) return t;
  }
}

void check_load(const Tensor& t, const std::string& text, uint32_t offset) {
  const std::vector<uint8_t> memory = random_bytes(t.bytes(), 3);
  check_loaded(run(text, t, memory, offset), memory, offset, t.type, t.fills_nan,
               [&](const auto& f) { each_byte(t, offset, false, f); });
}

TEST_CASE("random loads") {
  std::mt19937 random(2026);
  for (int k = 0; k < 300; ++k) {
    const Tensor t = random_tensor(random);
    CAPTURE(k);
    CAPTURE(t.rank);
    CAPTURE(t.swizzle);
    check_load(t, kernel(load_text(t.rank)), random() % 4 * 128);
  }
}

TEST_CASE("tf32 tensors round to nearest even on their way in") {
  // In, and what an H200 put into shared memory.
  constexpr std::pair<uint32_t, uint32_t> kWords[] = {
      {0x3f801000, 0x3f800000}, {0x3f803000, 0x3f804000}, {0xbf801000, 0xbf800000}, {0x3f801001, 0x3f802000},
      {0x7f800001, 0x7fffe000}, {0x7f801000, 0x7fffe000}, {0xffc00000, 0x7fffe000}, {0x7f7fffff, 0x7f800000},
      {0xff7ff000, 0xff800000}, {0x00001000, 0x00000000}, {0x00003000, 0x00004000}, {0x007fffff, 0x00800000},
      {0x80003000, 0x80004000}, {0xff800000, 0xff800000}, {0x33333333, 0x33334000}, {0xcccccccc, 0xccccc000},
  };
  for (const uint32_t type : {11u, 12u}) {
    Tensor t;
    t.type = type;
    t.element = 4;
    t.rank = 1;
    t.dim = {16, 1, 1, 1, 1};
    t.stride = {4};
    t.box = {16, 1, 1, 1, 1};
    std::vector<uint8_t> memory(64);
    for (size_t k = 0; k < 16; ++k) std::memcpy(memory.data() + 4 * k, &kWords[k].first, 4);
    const Outcome o = run(kernel(load_text(1)), t, memory);
    REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
    for (size_t k = 0; k < 16; ++k) CHECK(std::memcmp(o.tile.data() + 4 * k, &kWords[k].second, 4) == 0);
  }
}

TEST_CASE("outside the tensor every floating-point type reads as the same NaN, if its map says so") {
  for (uint32_t type = 6; type <= 12; ++type) {
    CAPTURE(type);
    Tensor t;
    t.type = type;
    t.element = type == 6 || type == 9 ? 2 : type == 8 ? 8 : 4;
    t.dim = {64 / t.element, 4, 1, 1, 1};
    t.stride = {t.element, 64};
    t.box = {32 / t.element, 4, 1, 1, 1};
    t.start = {static_cast<int32_t>(64 / t.element), 0};
    t.fills_nan = true;
    check_load(t, kernel(load_text(2)), 0);
  }
}

TEST_CASE("the spellings of a load") {
  Tensor t;
  t.type = 9;
  t.element = 2;
  t.dim = {64, 20, 1, 1, 1};
  t.stride = {2, 128};
  t.box = {64, 8, 1, 1, 1};
  t.start = {0, 3};
  t.swizzle = 3;
  for (const std::string tile : {"", ".tile"}) {
    for (const std::string space : {"shared::cta", "shared::cluster"}) {
      check_load(t, kernel(load_text(2, space, tile)), 1024);
      check_load(t, kernel(load_text(2, space, tile, ".L2::cache_hint", ", %rd9")), 1024);
    }
    check_load(t, kernel(load_text(2, "shared::cluster", tile, ".multicast::cluster", ", %rs1")), 0);
    check_load(t, kernel(load_text(2, "shared::cluster", tile, ".multicast::cluster.L2::cache_hint", ", %rs1, %rd9")),
               0);
  }
  check_load(
      t,
      kernel("  prefetch.tensormap [%rd5];\n  cp.async.bulk.prefetch.tensor.2d.L2.global.tile [%rd5, {%r20, %r21}];\n" +
             load_text(2)),
      0);
}

TEST_CASE("a multicast lands at one place in every block that its mask names, and in no other") {
  Tensor t;
  t.dim = {96, 20, 1, 1, 1};
  t.stride = {1, 96};
  t.box = {64, 8, 1, 1, 1};
  t.start = {48, 3};
  t.swizzle = 2;
  const std::vector<uint8_t> memory = random_bytes(t.bytes(), 3);
  // Block 2 of four sends to blocks 0 and 3; these two wait for it. One block at a time shows what it has.
  std::string copy = load_text(2, "shared::cluster", ".tile", ".multicast::cluster", ", %rs1");
  const auto put_before = [&](const std::string& instruction, const std::string& text) {
    copy.insert(copy.find(instruction), text);
  };
  put_before("  mbarrier.arrive",
             "  mov.u32 %r30, %cluster_ctarank;\n  setp.eq.u32 %p1, %r30, 2;\n  @%p1 bra SEND;\n"
             "  and.b32 %r31, %r30, 1;\n  shr.u32 %r32, %r30, 1;\n  setp.ne.u32 %p1, %r31, %r32;\n  @%p1 bra DONE;\n");
  put_before("  createpolicy", "  bra WAIT;\nSEND:\n");
  put_before("  cp.async", "  mov.b16 %rs1, 9;\n");
  put_before("WAIT:", "  bra DONE;\n");
  const std::string sync = "  barrier.cluster.arrive.release;\n  barrier.cluster.wait.acquire;\n";
  for (uint32_t shown = 0; shown < 4; ++shown) {
    CAPTURE(shown);
    const std::string text = kernel(
        copy, "sm_90a", sync,
        "  mov.u32 %r30, %cluster_ctarank;\n  setp.ne.u32 %p1, %r30, " + std::to_string(shown) + ";\n  @%p1 ret;\n");
    const Outcome o = run_kernel(text, std::vector<int32_t>(t.start.begin(), t.start.end()), memory,
                                 [&](uint64_t address) { return encode(t, address); }, 512, t.box_bytes(),
                                 {.grid = {4}, .block = {128}, .card = "h200", .cluster = {4, 1, 1}});
    check_loaded(o, memory, 512, t.type, t.fills_nan, [&](const auto& f) {
      if (shown == 0 || shown == 3) each_byte(t, 512, false, f);
    });
  }
}

TEST_CASE("cache hints change nothing that a prefetch or a reduction does") {
  Tensor t;
  t.type = 2;  // u32
  t.element = 4;
  t.dim = {8, 4, 1, 1, 1};
  t.stride = {4, 32, 128, 128, 128};
  t.box = {8, 4, 1, 1, 1};
  const std::vector<uint8_t> memory = random_bytes(t.bytes(), 9);
  const Outcome o =
      run(kernel("  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n"
                 "  cp.async.bulk.prefetch.tensor.2d.L2.global.tile.L2::cache_hint [%rd5, {%r20, %r21}], %rd9;\n" +
                 store_text(2, "cp.reduce.async.bulk.tensor.2d.global.shared::cta.or.tile.bulk_group.L2::cache_hint")),
          t, memory);
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  std::vector<uint8_t> want = memory;
  for (size_t k = 0; k < want.size(); ++k) want[k] |= o.tile[k];
  CHECK(o.memory == want);
}

TEST_CASE("random stores") {
  std::mt19937 random(77);
  for (int k = 0; k < 200; ++k) {
    Tensor t = random_tensor(random);
    t.fills_nan = false;
    for (int32_t& c : t.start) c = std::abs(c);
    CAPTURE(k);
    CAPTURE(t.rank);
    CAPTURE(t.swizzle);
    const uint32_t offset = random() % 4 * 128;
    const std::string rank = std::to_string(t.rank) + "d";
    const std::string opcode = "cp.async.bulk.tensor." + rank + ".global.shared::cta" + (k % 2 == 0 ? ".tile" : "") +
                               ".bulk_group" + (k % 3 == 0 ? ".L2::cache_hint" : "");
    const std::vector<uint8_t> memory = random_bytes(t.bytes(), 4);
    const Outcome o = run(kernel(store_text(t.rank, opcode)), t, memory, offset);
    REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
    std::vector<uint8_t> want = memory;
    each_byte(t, offset, true, [&](int64_t to, uint32_t from) {
      if (to >= 0) want[static_cast<size_t>(to)] = o.tile[offset + from];
    });
    CHECK(o.memory == want);
  }
}

template <class T>
void check_reduce(uint32_t type, const std::string& op, const std::function<T(T, T)>& f, bool with_floats = false) {
  CAPTURE(op);
  Tensor t;
  t.type = type;
  t.element = sizeof(T);
  const uint32_t granule = 16 / t.element;
  t.dim = {granule * 3 + 1, 5, 1, 1, 1};
  t.stride = {t.element, 80};
  t.box = {granule * 2, 4, 1, 1, 1};
  t.start = {static_cast<int32_t>(granule * 2), 3};
  t.swizzle = 1;
  std::vector<uint8_t> memory = random_bytes(t.bytes(), 5);
  std::vector<uint8_t> want = memory;
  Outcome o = run(kernel("  bra DONE;\n"), t, memory);
  if (with_floats)
    for (size_t k = 0; k + sizeof(T) <= memory.size(); k += sizeof(T)) {
      const T value = static_cast<T>(static_cast<int>(k % 97) - 48);
      std::memcpy(memory.data() + k, &value, sizeof value);
    }
  o = run(kernel(store_text(2, "cp.reduce.async.bulk.tensor.2d.global.shared::cta." + op + ".tile.bulk_group")), t,
          memory);
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  want = memory;
  each_byte(t, 0, true, [&](int64_t to, uint32_t from) {
    if (to < 0 || to % t.element != 0) return;
    T a, b;
    std::memcpy(&a, want.data() + to, sizeof a);
    std::memcpy(&b, o.tile.data() + from, sizeof b);
    a = f(a, b);
    std::memcpy(want.data() + to, &a, sizeof a);
  });
  CHECK(o.memory == want);
}

TEST_CASE("tensor reductions take their type from the map") {
  check_reduce<uint32_t>(2, "add", [](uint32_t a, uint32_t b) { return a + b; });
  check_reduce<uint32_t>(2, "xor", [](uint32_t a, uint32_t b) { return a ^ b; });
  check_reduce<int32_t>(3, "min", [](int32_t a, int32_t b) { return std::min(a, b); });
  check_reduce<uint64_t>(4, "max", [](uint64_t a, uint64_t b) { return std::max(a, b); });
  check_reduce<float>(7, "add", [](float a, float b) { return a + b; }, true);
}

TEST_CASE("a tensor map in global memory") {
  Tensor t;
  t.type = 0;
  t.dim = {64, 4, 1, 1, 1};
  t.stride = {1, 64};
  t.box = {64, 4, 1, 1, 1};
  std::vector<uint8_t> memory = random_bytes(t.bytes(), 6);
  const std::string text = kernel(R"(
  ld.param.v2.b64 {%rd10, %rd11}, [map];
  st.global.v2.b64 [%rd2], {%rd10, %rd11};
)" +
                                  [] {
                                    std::string copies;
                                    for (int at = 16; at < 128; at += 16)
                                      copies += "  ld.param.v2.b64 {%rd10, %rd11}, [map+" + std::to_string(at) +
                                                "];\n  st.global.v2.b64 [%rd2+" + std::to_string(at) +
                                                "], {%rd10, %rd11};\n";
                                    return copies;
                                  }() +
                                  "  fence.proxy.tensormap::generic.release.gpu;\n  mov.b64 %rd5, %rd2;\n"
                                  "  fence.proxy.tensormap::generic.acquire.gpu [%rd5], 128;\n" +
                                  load_text(2));
  Program program(text);
  alignas(64) static std::array<uint8_t, kTile> tile{};
  std::vector<int32_t> at(5, 0);
  program.add(at, "at");
  program.add(memory, "tensor");
  program.add_range(tile.data(), tile.size(), "tile");
  program.run_ok("test", {.block = {128}, .card = "h200"},
                 {encode(t, pointer(memory)), pointer(at), reinterpret_cast<uint64_t>(tile.data()), 0u, t.box_bytes()});
  CHECK(std::equal(memory.begin(), memory.end(), tile.begin()));
}

TEST_CASE("misuse of tensor copies") {
  Tensor t;
  t.type = 1;
  t.element = 2;
  t.dim = {64, 16, 1, 1, 1};
  t.stride = {2, 128};
  t.box = {32, 8, 1, 1, 1};
  const std::vector<uint8_t> memory(t.bytes());
  const std::string load = kernel(load_text(2));
  check_fault(run(load, t, memory, 64), Status::kMisalignedAddress, "not aligned to 128 bytes");
  check_fault(run(load, t, memory, kTile - 128), Status::kIllegalAddress, "past shared memory");
  check_fault(run(kernel(load_text(3)), t, memory), Status::kIllegalInstruction,
              "has 3 coordinates, the tensor map has rank 2");
  check_fault(run(load, t, std::vector<uint8_t>(t.bytes() / 4)), Status::kIllegalAddress, "past tensor");
  check_fault(run(load, t, memory, 0, t.box_bytes() + 16), Status::kDeadlock, "awaits 0 of 1 arrivals and 16 bytes");
  Tensor odd = t;
  odd.start[0] = 3;
  check_fault(run(load, odd, memory), Status::kIllegalInstruction, "multiple of 16 bytes");
  Tensor negative = t;
  negative.start[1] = -1;
  CHECK(run(load, negative, memory).result.status == Status::kOk);
  const std::string store = kernel(store_text(2, "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group"));
  check_fault(run(store, negative, memory), Status::kIllegalInstruction,
              "coordinate 1 of a tensor store is negative: -1");
  MapBytes ones;
  std::memset(ones.bytes, 0xff, sizeof ones.bytes);
  check_fault(run(load, t, memory, 0, ~0u, &ones), Status::kIllegalInstruction, "not a valid tensor map");
  check_fault(run(kernel(store_text(2, "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group")), t, memory),
              Status::kIllegalInstruction, "does not exist");
  check_fault(run(kernel("  add.u64 %rd5, %rd5, 16;\n" + load_text(2)), t, memory), Status::kMisalignedAddress,
              "not aligned to 64");
}

}  // namespace

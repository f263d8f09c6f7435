// The kernel of the tests of tensor copies: a block whose shared memory is filled from a buffer, one lane's copy
// between a tensor and it, and shared memory back in the buffer.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <random>

#include "numerics/formats.hpp"
#include "program.hpp"

namespace sim::test {

inline constexpr uint32_t kTile = 16384;  // bytes of shared memory that the kernels show

struct alignas(64) MapBytes {
  std::byte bytes[128];
};

inline std::string coordinates(uint32_t rank) {
  std::string text = "{";
  for (uint32_t d = 0; d < rank; ++d) text += (d != 0 ? ", %r" : "%r") + std::to_string(20 + d);
  return text + "}";
}

// One block of 128 threads. Parameters: map, pointer to 5 coordinates, pointer to kTile bytes that fill shared memory
// first and receive it at the end, offset of the box, bytes to expect. `copy` may use %r1 (bar), %r2 (box), %rd5 (map)
// and the coordinates %r20 .. of them; %rs1 to %rs3 are free. What all threads do: `made` between the mbarrier's making
// and the copy, `done` before shared memory is shown.
inline std::string kernel(const std::string& copy, const char* target = "sm_90a", const std::string& made = "",
                          const std::string& done = "") {
  const std::string init = "  mbarrier.init.shared::cta.b64 [%r1], 1;\n", leave = "  @%p2 bra DONE;\n";
  return header(target) + R"(
.visible .entry test(.param .align 64 .b8 map[128], .param .u64 at, .param .u64 io, .param .u32 offset, .param .u32 bytes) {
  .shared .align 1024 .b8 tile[16384];
  .shared .align 8 .b64 bar;
  .reg .b32 %r<40>; .reg .b64 %rd<20>; .reg .pred %p<4>; .reg .b16 %rs<4>;
  ld.param.u64 %rd1, [at];
  ld.param.u64 %rd2, [io];
  ld.param.u32 %r3, [offset];
  ld.param.u32 %r4, [bytes];
  mov.b64 %rd5, map;
  cvta.param.u64 %rd5, %rd5;
  ld.global.b32 %r20, [%rd1];
  ld.global.b32 %r21, [%rd1+4];
  ld.global.b32 %r22, [%rd1+8];
  ld.global.b32 %r23, [%rd1+12];
  ld.global.b32 %r24, [%rd1+16];
  mov.u32 %r1, bar;
  mov.u32 %r2, tile;
  mov.u32 %r5, %tid.x;
  shl.b32 %r6, %r5, 2;
FILL:
  cvt.u64.u32 %rd6, %r6;
  add.u64 %rd6, %rd6, %rd2;
  ld.global.b32 %r7, [%rd6];
  add.u32 %r8, %r2, %r6;
  st.shared.b32 [%r8], %r7;
  add.u32 %r6, %r6, 512;
  setp.lt.u32 %p1, %r6, 16384;
  @%p1 bra FILL;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  setp.ne.u32 %p2, %r5, 0;
)" + (made.empty() ? leave + init : "  @%p2 bra MADE;\n" + init + "MADE:\n" + made + leave) +
         "  add.u32 %r2, %r2, %r3;\n" + copy + R"(
DONE:
  mov.u32 %r2, tile;
  bar.sync 0;
)" + done +
         R"(  shl.b32 %r6, %r5, 2;
SHOW:
  cvt.u64.u32 %rd6, %r6;
  add.u64 %rd6, %rd6, %rd2;
  add.u32 %r8, %r2, %r6;
  ld.shared.b32 %r7, [%r8];
  st.global.b32 [%rd6], %r7;
  add.u32 %r6, %r6, 512;
  setp.lt.u32 %p1, %r6, 16384;
  @%p1 bra SHOW;
  ret;
}
)";
}

inline std::string store_text(uint32_t rank, const std::string& opcode) {
  return "  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n  " + opcode + " [%rd5, " + coordinates(rank) +
         "], [%r2]" + (opcode.find("cache_hint") != std::string::npos ? ", %rd9" : "") +
         ";\n  cp.async.bulk.commit_group;\n  cp.async.bulk.wait_group 0;\n";
}

// What fills shared memory before the copy.
inline std::vector<uint8_t> unfilled_tile() {
  std::vector<uint8_t> tile(kTile);
  for (uint32_t k = 0; k < kTile; ++k) tile[k] = static_cast<uint8_t>(k * 11 + k / 256);
  return tile;
}

struct Outcome {
  LaunchResult result;
  std::vector<uint8_t> tile;    // shared memory afterwards
  std::vector<uint8_t> memory;  // the tensor afterwards
};

// A launch of the kernel on `memory`, the tensor, at its address in this process. `at`: coordinates, and what else
// `text` reads there.
template <class T>
Outcome run_kernel(const std::string& text, std::vector<T> at, const std::vector<uint8_t>& memory,
                   const std::function<MapBytes(uint64_t address)>& encode, uint32_t offset, uint32_t bytes,
                   const Launch& launch = {.block = {128}, .card = "h200"}) {
  Program program(text);
  Outcome o;
  o.tile = unfilled_tile();
  alignas(64) static std::array<uint8_t, 1 << 20> storage;  // tensors are 16-byte aligned
  REQUIRE(memory.size() <= storage.size());
  std::copy(memory.begin(), memory.end(), storage.begin());
  program.add(at, "at");
  program.add(o.tile, "tile");
  program.add_range(storage.data(), memory.size(), "tensor");
  const MapBytes encoded = encode(reinterpret_cast<uint64_t>(storage.data()));
  o.result = program.run("test", launch, {encoded, pointer(at), pointer(o.tile), offset, bytes});
  o.memory.assign(storage.begin(), storage.begin() + static_cast<std::ptrdiff_t>(memory.size()));
  return o;
}

inline std::vector<uint8_t> random_bytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
  return bytes;
}

// A load of `memory` at `offset`: nothing but the bytes that `each_byte(f)` names changed. It calls f(where in memory,
// or less than 0 outside the tensor; where in the box), byte after byte of whole elements; `type` is the map's.
template <class EachByte>
void check_loaded(const Outcome& o, const std::vector<uint8_t>& memory, uint32_t offset, uint32_t type, bool fills_nan,
                  const EachByte& each_byte) {
  REQUIRE_MESSAGE(o.result.status == LaunchResult::Status::kOk, o.result.report);
  const bool is_tf32 = type >= 11;
  std::vector<uint8_t> want = unfilled_tile();
  // `tile` is 1024-byte aligned in shared memory, so only the offset matters to the swizzle.
  uint32_t byte = 0;
  each_byte([&](int64_t from, uint32_t to) {
    const uint8_t fill = fills_nan ? (byte % 2 == 0 ? 0xf7 : 0x7f) : 0;
    want[offset + to] = from >= 0 ? memory[static_cast<size_t>(from)] : fill;
    ++byte;
    if (!is_tf32 || from < 0 || byte % 4 != 0) return;
    uint32_t word;
    std::memcpy(&word, &want[offset + to - 3], 4);
    word = numerics::f32_to_tf32(word, numerics::Round::kNearestEven);
    std::memcpy(&want[offset + to - 3], &word, 4);
  });
  CHECK(o.tile == want);
  CHECK(o.memory == memory);
}

inline void check_fault(const Outcome& o, LaunchResult::Status status, const std::string& text) {
  CHECK(o.result.status == status);
  CAPTURE(o.result.report);
  CHECK(contains(o.result.report, text));
}

}  // namespace sim::test

// ldmatrix, stmatrix and movmatrix against the fragment maps of spec/sm120-hardware.md §3 and §4, written down here
// element by element: which byte of which row lands in which byte of which lane's register.
#include <doctest/doctest.h>

#include <functional>
#include <random>

#include "program.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

constexpr uint32_t kBytes = 1024;

// Fills shared memory from `in`, loads with `opcode`, stores the registers to out[register][lane]. Row r of the tiles
// lies at byte 16 * (5 r mod 64): rows in order would hide a mix-up. Lanes from `counting` on give an address that
// faults.
std::string load_program(const std::string& opcode, int registers, int counting) {
  std::string list;
  for (int r = 0; r < registers; ++r) list += (r != 0 ? ", " : "") + std::string("%r") + std::to_string(10 + r);
  std::string text = header() + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .shared .align 128 .b8 tile[1024];
  .reg .b32 %r<20>; .reg .b64 %rd<6>; .reg .pred %p;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, %tid.x;
  mov.u32 %r2, tile;
  shl.b32 %r3, %r1, 2;
  cvt.u64.u32 %rd3, %r3;
  add.u64 %rd4, %rd1, %rd3;
  add.u64 %rd2, %rd2, %rd3;
  add.u32 %r4, %r2, %r3;
)";
  for (uint32_t at = 0; at < kBytes; at += 128)
    text += "  ld.global.b32 %r5, [%rd4+" + std::to_string(at) + "];\n  st.shared.b32 [%r4+" + std::to_string(at) +
            "], %r5;\n";
  text += R"(
  bar.sync 0;
  mul.lo.u32 %r5, %r1, 5;
  and.b32 %r5, %r5, 63;
  shl.b32 %r5, %r5, 4;
  add.u32 %r5, %r5, %r2;
  setp.ge.u32 %p, %r1, )" +
          std::to_string(counting) + R"(;
  @%p mov.b32 %r5, 0xdeadbeef;
  )" + opcode +
          " {" + list + "}, [%r5];\n";
  for (int r = 0; r < registers; ++r)
    text += "  st.global.b32 [%rd2+" + std::to_string(128 * r) + "], %r" + std::to_string(10 + r) + ";\n";
  return text + "  ret;\n}\n";
}

std::vector<uint8_t> random_bytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
  return bytes;
}

// expected(register, lane, byte, row): the wanted byte, where row(r) is the 16 bytes of row r.
using Row = std::function<const uint8_t*(int)>;
using Expected = std::function<uint8_t(int, int, int, const Row&)>;

void check_load(const std::string& opcode, int registers, int counting, const Expected& expected,
                const char* card = "rtx-pro-6000") {
  CAPTURE(opcode);
  Program program(load_program(opcode, registers, counting));
  std::vector<uint8_t> in = random_bytes(kBytes, 7);
  std::vector<uint32_t> out(32 * registers, 0xcccccccc);
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.card = card}, {pointer(in), pointer(out)});
  const Row row = [&](int r) { return in.data() + 16 * (5 * r % 64); };
  for (int r = 0; r < registers; ++r)
    for (int lane = 0; lane < 32; ++lane)
      for (int byte = 0; byte < 4; ++byte) {
        CAPTURE(r);
        CAPTURE(lane);
        CAPTURE(byte);
        REQUIRE(int(out[32 * r + lane] >> (8 * byte) & 0xff) == int(expected(r, lane, byte, row)));
      }
}

uint8_t plain(int r, int lane, int byte, const Row& row) { return row(8 * r + lane / 4)[4 * (lane % 4) + byte]; }
uint8_t transposed(int r, int lane, int byte, const Row& row) {
  return row(8 * r + 2 * (lane % 4) + byte / 2)[2 * (lane / 4) + byte % 2];
}
uint8_t m16n16(int r, int lane, int byte, const Row& row) {
  return row(16 * (r / 2) + 4 * (lane % 4) + byte)[lane / 4 + 8 * (r % 2)];
}
uint8_t packed4(const uint8_t* row, int e) { return row[e / 2] >> (4 * (e % 2)) & 0xf; }
uint8_t packed6(const uint8_t* row, int e) {
  uint32_t bits = 0;
  for (int b = 0; b < 6; ++b) bits |= (row[(6 * e + b) / 8] >> ((6 * e + b) % 8) & 1u) << b;
  return static_cast<uint8_t>(bits);
}

TEST_CASE("ldmatrix m8n8 b16, in every order in which compilers write the modifiers") {
  for (const char* card : {"rtx-pro-6000", "h200"})
    for (const auto& [count, name] : {std::pair{1, "x1"}, {2, "x2"}, {4, "x4"}}) {
      const std::string n = name;
      for (const std::string space : {".shared", ".shared::cta"}) {
        check_load("ldmatrix.sync.aligned.m8n8." + n + space + ".b16", count, 8 * count, plain, card);
        check_load("ldmatrix.sync.aligned.m8n8." + n + ".trans" + space + ".b16", count, 8 * count, transposed, card);
      }
      check_load("ldmatrix.sync.aligned." + n + ".m8n8.shared.b16", count, 8 * count, plain, card);
      check_load("ldmatrix.sync.aligned." + n + ".trans.m8n8.shared.b16", count, 8 * count, transposed, card);
      check_load("ldmatrix.sync.aligned.trans.m8n8." + n + ".shared.b16", count, 8 * count, transposed, card);
    }
}

TEST_CASE("ldmatrix of 8-bit, packed 6-bit and packed 4-bit elements") {
  check_load("ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8", 2, 16, m16n16);
  check_load("ldmatrix.sync.aligned.m16n16.x2.trans.shared.b8", 4, 32, m16n16);
  const auto narrow = [](auto unpack) {
    return
        [=](int r, int lane, int byte, const Row& row) { return unpack(row(8 * r + lane / 4), 4 * (lane % 4) + byte); };
  };
  for (const auto& [count, name] : {std::pair{1, "x1"}, {2, "x2"}, {4, "x4"}}) {
    const std::string n = name;
    check_load("ldmatrix.sync.aligned.m8n16." + n + ".shared.b8x16.b4x16_p64", count, 8 * count, narrow(packed4));
    check_load("ldmatrix.sync.aligned.m8n16." + n + ".shared.b8x16.b6x16_p32", count, 8 * count, narrow(packed6));
  }
  const auto narrow16 = [](auto unpack) {
    return [=](int r, int lane, int byte, const Row& row) {
      return unpack(row(16 * (r / 2) + 4 * (lane % 4) + byte), lane / 4 + 8 * (r % 2));
    };
  };
  check_load("ldmatrix.sync.aligned.m16n16.x2.trans.shared.b8x16.b4x16_p64", 4, 32, narrow16(packed4));
  check_load("ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8x16.b6x16_p32", 2, 16, narrow16(packed6));
}

// Stores registers in[register][lane] with `opcode`, row r at 16 * (5 r mod 64), and copies shared memory to out.
std::string store_program(const std::string& opcode, int registers, int counting) {
  std::string list;
  for (int r = 0; r < registers; ++r) list += (r != 0 ? ", " : "") + std::string("%r") + std::to_string(10 + r);
  std::string text = header() + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .shared .align 128 .b8 tile[1024];
  .reg .b32 %r<20>; .reg .b64 %rd<6>; .reg .pred %p;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, %tid.x;
  mov.u32 %r2, tile;
  shl.b32 %r3, %r1, 2;
  cvt.u64.u32 %rd3, %r3;
  add.u64 %rd1, %rd1, %rd3;
  add.u64 %rd2, %rd2, %rd3;
  add.u32 %r4, %r2, %r3;
  mov.b32 %r6, 0;
)";
  for (uint32_t at = 0; at < kBytes; at += 128) text += "  st.shared.b32 [%r4+" + std::to_string(at) + "], %r6;\n";
  for (int r = 0; r < registers; ++r)
    text += "  ld.global.b32 %r" + std::to_string(10 + r) + ", [%rd1+" + std::to_string(128 * r) + "];\n";
  text += R"(
  bar.sync 0;
  mul.lo.u32 %r5, %r1, 5;
  and.b32 %r5, %r5, 63;
  shl.b32 %r5, %r5, 4;
  add.u32 %r5, %r5, %r2;
  setp.ge.u32 %p, %r1, )" +
          std::to_string(counting) + R"(;
  @%p mov.b32 %r5, 0xdeadbeef;
  )" + opcode +
          " [%r5], {" + list + "};\n  bar.sync 0;\n";
  for (uint32_t at = 0; at < kBytes; at += 128)
    text += "  ld.shared.b32 %r6, [%r4+" + std::to_string(at) + "];\n  st.global.b32 [%rd2+" + std::to_string(at) +
            "], %r6;\n";
  return text + "  ret;\n}\n";
}

// place(register, lane, byte) = (row, byte of the row).
void check_store(const char* card, const std::string& opcode, int registers,
                 const std::function<std::pair<int, int>(int, int, int)>& place) {
  CAPTURE(opcode);
  Program program(store_program(opcode, registers, 8 * registers));
  std::vector<uint8_t> in = random_bytes(128 * registers, 9), out(kBytes, 0xcc), want(kBytes, 0);
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.card = card}, {pointer(in), pointer(out)});
  for (int r = 0; r < registers; ++r)
    for (int lane = 0; lane < 32; ++lane)
      for (int byte = 0; byte < 4; ++byte) {
        const auto [row, at] = place(r, lane, byte);
        want[16 * (5 * row % 64) + at] = in[128 * r + 4 * lane + byte];
      }
  CHECK(out == want);
}

TEST_CASE("stmatrix") {
  for (const auto& [count, name] : {std::pair{1, "x1"}, {2, "x2"}, {4, "x4"}}) {
    const std::string n = name;
    for (const char* card : {"rtx-pro-6000", "h200"}) {
      check_store(card, "stmatrix.sync.aligned.m8n8." + n + ".shared.b16", count,
                  [](int r, int lane, int byte) { return std::pair{8 * r + lane / 4, 4 * (lane % 4) + byte}; });
      check_store(card, "stmatrix.sync.aligned.m8n8." + n + ".trans.shared.b16", count, [](int r, int lane, int byte) {
        return std::pair{8 * r + 2 * (lane % 4) + byte / 2, 2 * (lane / 4) + byte % 2};
      });
    }
    check_store("rtx-pro-6000", "stmatrix.sync.aligned.m16n8." + n + ".trans.shared.b8", count,
                [](int r, int lane, int byte) {
                  return std::pair{8 * r + 2 * (lane % 4) + byte % 2, lane / 4 + 8 * (byte / 2)};
                });
  }
}

TEST_CASE("movmatrix transposes a tile of 16-bit elements") {
  Program program(header() + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .reg .b32 %r<4>; .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd3, %r1, 4;
  add.u64 %rd1, %rd1, %rd3;
  add.u64 %rd2, %rd2, %rd3;
  ld.global.b32 %r2, [%rd1];
  movmatrix.sync.aligned.m8n8.trans.b16 %r3, %r2;
  st.global.b32 [%rd2], %r3;
  ret;
})");
  std::vector<uint16_t> in(64), out(64, 0xcccc);
  for (int k = 0; k < 64; ++k) in[k] = static_cast<uint16_t>(1000 + k);
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.card = "h200"}, {pointer(in), pointer(out)});
  for (int row = 0; row < 8; ++row)
    for (int column = 0; column < 8; ++column) CHECK(out[8 * row + column] == in[8 * column + row]);
}

LaunchResult run_faulty(const std::string& ptx, const Launch& launch = {}) {
  Program program(ptx);
  std::vector<uint8_t> in(kBytes), out(kBytes);
  program.add(in, "in");
  program.add(out, "out");
  return program.run("test", launch, {pointer(in), pointer(out)});
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("ldmatrix faults name what is wrong") {
  const std::string good = load_program("ldmatrix.sync.aligned.m8n8.x4.shared.b16", 4, 32);
  LaunchResult r = run_faulty(replaced(good, "}, [%r5]", "}, [%r5+8]"));
  CHECK(r.status == Status::kMisalignedAddress);
  CHECK(contains(r.report, "not aligned to 16 bytes"));
  r = run_faulty(replaced(good, "}, [%r5]", "}, [%r5+2048]"));
  CHECK(r.status == Status::kIllegalAddress);
  CHECK(contains(r.report, "past"));
  r = run_faulty(replaced(good, "ldmatrix.sync", "@!%p ldmatrix.sync"));  // no lane is excluded: runs
  CHECK(r.status == Status::kOk);
  r = run_faulty(replaced(replaced(good, "setp.ge.u32 %p, %r1, 32", "setp.ge.u32 %p, %r1, 16"), "ldmatrix.sync",
                          "@!%p ldmatrix.sync"));
  CHECK(r.status == Status::kIllegalInstruction);
  r = run_faulty(good, {.block = {16}});
  CHECK(r.status == Status::kIllegalInstruction);
}

TEST_CASE("forms that came with sm_100a and sm_120a are refused on Hopper") {
  for (const char* opcode : {"ldmatrix.sync.aligned.m16n16.x2.trans.shared.b8"}) {
    const LaunchResult r = run_faulty(load_program(opcode, 4, 32), {.card = "h200"});
    CHECK(r.status == Status::kIllegalInstruction);
    CHECK(contains(r.report, "sm_120a"));
  }
}

}  // namespace

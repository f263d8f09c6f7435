// cvt to and from 8-, 6- and 4-bit floats, through PTX, against numerics/formats.hpp (which has its own tests against
// the definitions of the formats): all codes of the narrow types, and f32 inputs that cover every exponent and the
// neighbourhood of every rounding boundary.
#include <doctest/doctest.h>

#include <functional>
#include <random>

#include "numerics/formats.hpp"
#include "program.hpp"

using namespace sim;
using namespace sim::test;
namespace n = sim::numerics;

namespace {

// One conversion per thread: a (and b) from in, 32 bits of result to out. `narrow` = 8, 16 or 32: the width of the
// destination or source that is not 32 bits wide.
std::string program_text(const std::string& opcode, int sources, int destination_bits, int source_bits) {
  const auto reg = [](int bits) { return bits == 8 ? "%b1" : bits == 16 ? "%h1" : "%r9"; };
  std::string text = header() + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .reg .b32 %r<12>; .reg .b64 %rd<5>; .reg .b16 %h<3>; .reg .b8 %b<3>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, %tid.x;
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mad.lo.u32 %r1, %r2, %r3, %r1;
  mul.wide.u32 %rd3, %r1, 8;
  add.u64 %rd1, %rd1, %rd3;
  mul.wide.u32 %rd3, %r1, 4;
  add.u64 %rd2, %rd2, %rd3;
  ld.global.v2.b32 {%r9, %r10}, [%rd1];
)";
  if (source_bits == 16) text += "  cvt.u16.u32 %h1, %r9;\n";
  if (source_bits == 8) text += "  ld.global.b8 %b1, [%rd1];\n";
  const std::string d = destination_bits == 8 ? "%b2" : destination_bits == 16 ? "%h2" : "%r11";
  text += "  " + opcode + " " + d + ", " + reg(source_bits) + (sources == 2 ? ", %r10" : "") + ";\n";
  if (destination_bits == 16) text += "  cvt.u32.u16 %r11, %h2;\n  st.global.b32 [%rd2], %r11;\n";
  if (destination_bits == 8) text += "  mov.b32 %r11, 0;\n  st.global.b32 [%rd2], %r11;\n  st.global.b8 [%rd2], %b2;\n";
  if (destination_bits == 32) text += "  st.global.b32 [%rd2], %r11;\n";
  return text + "  ret;\n}\n";
}

constexpr uint32_t kThreads = 256;

// Runs `opcode` on pairs of words and compares each result with want(a, b).
void check(const std::string& opcode, int sources, int destination_bits, int source_bits, std::vector<uint32_t> in,
           const std::function<uint32_t(uint32_t, uint32_t)>& want) {
  CAPTURE(opcode);
  while (in.size() % (2 * kThreads) != 0) in.push_back(0);
  Program program(program_text(opcode, sources, destination_bits, source_bits));
  std::vector<uint32_t> out(in.size() / 2, 0xcccccccc);
  program.add(in, "in");
  program.add(out, "out");
  const bool is_hopper = opcode.find("e4m3x2") != std::string::npos || opcode.find("e5m2x2") != std::string::npos;
  const char* card = is_hopper && opcode.find("bf16x2") == std::string::npos ? "h200" : "rtx-pro-6000";
  program.run_ok("test", {.grid = {static_cast<uint32_t>(out.size() / kThreads)}, .block = {kThreads}, .card = card},
                 {pointer(in), pointer(out)});
  size_t wrong = 0;
  for (size_t k = 0; k < out.size() && wrong < 5; ++k) {
    const uint32_t expected = want(in[2 * k], in[2 * k + 1]);
    if (out[k] == expected) continue;
    ++wrong;
    CAPTURE(in[2 * k]);
    CAPTURE(in[2 * k + 1]);
    CHECK(out[k] == expected);
  }
}

// Every exponent with mantissas round the boundaries of 1, 2, 3, 7 and 10 kept bits, both signs, NaN and infinity.
std::vector<uint32_t> f32_inputs() {
  std::vector<uint32_t> in;
  std::mt19937 random(5);
  for (uint32_t exponent = 0; exponent < 256; ++exponent)
    for (const int kept : {1, 2, 3, 7, 10})
      for (uint32_t high = 0; high < (kept < 4 ? 1u << (kept + 1) : 8u); ++high)
        for (const int delta : {-1, 0, 1}) {
          const uint32_t step = kept < 4 ? high << (22 - kept) : (random() >> (32 - kept - 1)) << (22 - kept);
          const uint32_t bits = exponent << 23 | ((step + static_cast<uint32_t>(delta)) & 0x7fffff);
          in.push_back(bits);
          in.push_back(bits ^ 0x80000000u ^ (random() & 1) << 31);
        }
  for (int k = 0; k < 20000; ++k) in.push_back(random());
  for (const uint32_t special :
       {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0x7f800000u, 0xff800000u, 0x80000000u, 0u, 0x7f7fffffu})
    in.insert(in.end(), {special, special});
  if (in.size() % 2 != 0) in.push_back(0);
  return in;
}

bool is_negative_number(uint32_t f32) { return f32 >> 31 != 0 && !n::is_nan_f32(f32); }
uint32_t relu(uint32_t f32) { return is_negative_number(f32) ? 0 : f32; }

struct Narrow {
  const char* name;
  n::Format format;
  int code_bits;
};
constexpr Narrow kTypes[] = {{"e4m3x2", n::kE4m3, 8},
                             {"e5m2x2", n::kE5m2, 8},
                             {"e2m3x2", n::kE2m3, 8},
                             {"e3m2x2", n::kE3m2, 8},
                             {"e2m1x2", n::kE2m1, 4}};

uint32_t code(const Narrow& type, uint32_t f32) { return n::encode(type.format, f32, n::Round::kNearestEven, true); }

TEST_CASE("cvt.rn.satfinite from two f32") {
  for (const Narrow& type : kTypes) {
    const int bits = type.code_bits == 4 ? 8 : 16;
    const auto pack = [&](uint32_t a, uint32_t b) { return code(type, a) << type.code_bits | code(type, b); };
    check(std::string("cvt.rn.satfinite.") + type.name + ".f32", 2, bits, 32, f32_inputs(), pack);
    check(std::string("cvt.rn.satfinite.relu.") + type.name + ".f32", 2, bits, 32, f32_inputs(),
          [&](uint32_t a, uint32_t b) { return pack(relu(a), relu(b)); });
  }
}

TEST_CASE("e2m1: the first source is the high nibble, ties go to the even code, NaN becomes +6") {
  const auto f = [](float x) { return std::bit_cast<uint32_t>(x); };
  std::vector<uint32_t> in, want;
  const auto expect = [&](float a, float b, uint32_t byte) {
    in.insert(in.end(), {f(a), f(b)});
    want.push_back(byte);
  };
  expect(3.0f, 1.0f, 0x52);
  expect(0.25f, 0.75f, 0x02);
  expect(1.25f, 1.75f, 0x24);
  expect(2.5f, 3.5f, 0x46);
  expect(5.0f, 5.1f, 0x67);
  expect(100.0f, -100.0f, 0x7f);
  expect(-0.0f, -0.2f, 0x88);
  expect(std::bit_cast<float>(0xffc00000u), std::bit_cast<float>(0xff800000u), 0x7f);
  check("cvt.rn.satfinite.e2m1x2.f32", 2, 8, 32, in,
        [&, k = size_t{0}](uint32_t, uint32_t) mutable { return k < want.size() ? want[k++] : 0; });
}

std::vector<uint32_t> all_pairs16() {
  std::vector<uint32_t> in;
  for (uint32_t k = 0; k < 0x10000; ++k) in.insert(in.end(), {k | (k * 40503u) << 16, 0});
  return in;
}

TEST_CASE("cvt.rn.satfinite from f16x2 and bf16x2") {
  for (const Narrow& type : kTypes)
    for (const auto& [name, source] : {std::pair{"f16x2", n::kF16}, {"bf16x2", n::kBf16}}) {
      const n::Format s = source;
      const auto pack = [&, s](uint32_t a, uint32_t) {
        return code(type, n::decode(s, a >> 16)) << type.code_bits | code(type, n::decode(s, a & 0xffff));
      };
      check(std::string("cvt.rn.satfinite.") + type.name + "." + name, 1, type.code_bits == 4 ? 8 : 16, 32,
            all_pairs16(), pack);
    }
}

TEST_CASE("cvt.rn to f16x2 and bf16x2: all codes") {
  std::vector<uint32_t> in;
  for (uint32_t k = 0; k < 0x10000; ++k) in.insert(in.end(), {k, 0});
  for (const Narrow& type : kTypes)
    for (const auto& [name, target] : {std::pair{"f16x2", n::kF16}, {"bf16x2", n::kBf16}}) {
      const n::Format t = target;
      const uint32_t mask = (1u << type.code_bits) - 1;
      const auto one = [&, t](uint32_t c, bool is_relu) {
        const uint32_t value = n::decode(type.format, c & mask);
        return n::encode(t, is_relu ? relu(value) : value, n::Round::kNearestEven, false);
      };
      for (const bool is_relu : {false, true})
        check(std::string("cvt.rn.") + (is_relu ? "relu." : "") + name + "." + type.name, 1, 32,
              type.code_bits == 4 ? 8 : 16, in,
              [&](uint32_t a, uint32_t) { return one(a >> type.code_bits, is_relu) << 16 | one(a, is_relu); });
    }
}

TEST_CASE("ue8m0") {
  for (const bool up : {false, true})
    for (const bool saturates : {false, true}) {
      const auto one = [=](uint32_t x) -> uint32_t {
        return up ? n::f32_to_ue8m0_rp(x, saturates) : n::f32_to_ue8m0_rz(x, saturates);
      };
      const std::string prefix = std::string("cvt.") + (up ? "rp" : "rz") + (saturates ? ".satfinite" : "");
      check(prefix + ".ue8m0x2.f32", 2, 16, 32, f32_inputs(),
            [&](uint32_t a, uint32_t b) { return one(a) << 8 | one(b); });
      check(prefix + ".ue8m0x2.bf16x2", 1, 16, 32, all_pairs16(),
            [&](uint32_t a, uint32_t) { return one(a & 0xffff0000u) << 8 | one(a << 16); });
    }
  std::vector<uint32_t> in;
  for (uint32_t k = 0; k < 0x10000; ++k) in.insert(in.end(), {k, 0});
  check("cvt.rn.bf16x2.ue8m0x2", 1, 32, 16, in, [](uint32_t a, uint32_t) {
    const auto one = [](uint32_t c) -> uint32_t { return c == 255 ? 0x7fff : c == 0 ? 0x0040 : c << 7; };
    return one(a >> 8 & 0xff) << 16 | one(a & 0xff);
  });
}

TEST_CASE("Hopper has the e4m3 and e5m2 forms only") {
  for (const auto& [opcode, bits, runs] : {std::tuple{"cvt.rn.satfinite.e4m3x2.f32", 16, true},
                                           {"cvt.rn.satfinite.e5m2x2.f32", 16, true},
                                           {"cvt.rn.satfinite.e2m1x2.f32", 8, false},
                                           {"cvt.rp.ue8m0x2.f32", 16, false}}) {
    Program program(program_text(opcode, 2, bits, 32));
    std::vector<uint32_t> in(64), out(32);
    program.add(in, "in");
    program.add(out, "out");
    const LaunchResult r = program.run("test", {.card = "h200"}, {pointer(in), pointer(out)});
    CHECK((r.status == LaunchResult::Status::kOk) == runs);
    if (!runs) CHECK(contains(r.report, "sm_120a"));
  }
}

}  // namespace

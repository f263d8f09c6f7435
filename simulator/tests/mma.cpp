// mma.sync through PTX. The arithmetic has its own tests (tests/numerics); here every spelling must reach the right
// product with its registers in the right order: random registers, compared with numerics/mma.hpp called directly, and
// one product that follows by hand from the fragment maps.
#include "numerics/mma.hpp"

#include <doctest/doctest.h>

#include <random>

#include "program.hpp"

using namespace sim;
using namespace sim::test;
using numerics::Accumulator;
using numerics::BlockScale;
using numerics::Element;
using numerics::MmaForm;
using numerics::MmaOperands;

namespace {

struct Shape {
  int d, a, b;
};

std::string list(int first, int count) {
  std::string text = "{";
  for (int k = 0; k < count; ++k) text += (k != 0 ? ", %r" : "%r") + std::to_string(first + k);
  return text + "}";
}

// Registers come from in[register][lane] in the order a, b, c, scale-a, scale-b; D goes to out.
std::string program_text(const std::string& opcode, Shape s, const std::string& scales = "",
                         const char* target = "sm_120a") {
  const int inputs = s.a + s.b + s.d + (scales.empty() ? 0 : 2);
  std::string text = header(target) + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .reg .b32 %r<40>; .reg .b64 %rd<5>; .reg .b16 %h<3>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd3, %r1, 4;
  add.u64 %rd1, %rd1, %rd3;
  add.u64 %rd2, %rd2, %rd3;
  mov.u16 %h1, 0;
)";
  for (int k = 0; k < inputs; ++k)
    text += "  ld.global.b32 %r" + std::to_string(10 + k) + ", [%rd1+" + std::to_string(128 * k) + "];\n";
  const int b = 10 + s.a, c = b + s.b;
  text += "  " + opcode + " " + list(30, s.d) + ", " + list(10, s.a) + ", " + list(b, s.b) + ", " + list(c, s.d) +
          scales + ";\n";
  for (int k = 0; k < s.d; ++k)
    text += "  st.global.b32 [%rd2+" + std::to_string(128 * k) + "], %r" + std::to_string(30 + k) + ";\n";
  return text + "  ret;\n}\n";
}

std::vector<uint32_t> run(const std::string& text, std::vector<uint32_t>& in, int d, const char* card) {
  Program program(text);
  std::vector<uint32_t> out(32 * d, 0xcccccccc);
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.card = card}, {pointer(in), pointer(out)});
  return out;
}

// Random bits, kept small enough that not everything becomes NaN: exponents of C, and of 16-bit and tf32 operands.
std::vector<uint32_t> random_registers(const MmaForm& form, Shape s, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint32_t> in(32 * (s.a + s.b + s.d + 2));
  for (size_t k = 0; k < in.size(); ++k) {
    uint32_t bits = random();
    const int reg = static_cast<int>(k / 32);
    const bool is_c = reg >= s.a + s.b && reg < s.a + s.b + s.d;
    if (is_c ? form.accumulator == Accumulator::kF32 : form.a == Element::kTf32)
      bits = (bits & 0x807fffffu) | (110 + bits % 30) << 23;
    else if (form.a == Element::kBf16 && !is_c)
      bits = (bits & 0x807f807fu) | 0x3f003f00u;
    else if (form.a == Element::kF16 || (is_c && form.accumulator == Accumulator::kF16))
      bits &= 0xbfffbfffu;
    else if (reg >= s.a + s.b + s.d)
      bits = (bits & 0x07070707u) + 0x7c7c7c7cu;  // ue8m0 near 1
    in[k] = bits;
  }
  return in;
}

void check(const std::string& opcode, const MmaForm& form, Shape s, const char* card = "rtx-pro-6000",
           const std::string& scales = "", int byte_a = 0, int thread_a = 0, int byte_b = 0, int thread_b = 0) {
  CAPTURE(opcode);
  CAPTURE(scales);
  const std::string target = std::string(card) == "h200" ? "sm_90a" : "sm_120a";
  std::vector<uint32_t> in = random_registers(form, s, 11);
  if (form.scale == BlockScale::k4xUe4m3)
    for (size_t k = 32 * (s.a + s.b + s.d); k < in.size(); ++k) in[k] = (in[k] & 0x0f0f0f0fu) | 0x30303030u;
  std::vector<uint32_t> want(32 * s.d);
  MmaOperands o{};
  for (int k = 0; k < s.d; ++k) o.d[k] = want.data() + 32 * k;
  const uint32_t* next = in.data();
  for (int k = 0; k < s.a; ++k, next += 32) o.a[k] = next;
  for (int k = 0; k < s.b; ++k, next += 32) o.b[k] = next;
  for (int k = 0; k < s.d; ++k, next += 32) o.c[k] = next;
  o.scale_a = next;
  o.scale_b = next + 32;
  o.byte_a = static_cast<uint8_t>(byte_a);
  o.thread_a = static_cast<uint8_t>(thread_a);
  o.byte_b = static_cast<uint8_t>(byte_b);
  o.thread_b = static_cast<uint8_t>(thread_b);
  const auto arch = target == "sm_90a" ? numerics::Arch::kSm90 : numerics::Arch::kSm120;
  const numerics::MmaFunction exact = numerics::find_mma_exact(arch, form);
  const bool exists = exact != nullptr;
  REQUIRE(exists);
  exact(form, o);
  CHECK(run(program_text(opcode, s, scales, target.c_str()), in, s.d, card) == want);
}

constexpr Shape kFull{4, 4, 2}, kHalf{4, 2, 1};
constexpr Accumulator kF32 = Accumulator::kF32, kF16 = Accumulator::kF16, kS32 = Accumulator::kS32;

TEST_CASE("f16, bf16 and tf32, on Blackwell and on Hopper") {
  for (const char* card : {"rtx-pro-6000", "h200"}) {
    check("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", {Element::kF16, Element::kF16, kF32, 16}, kFull, card);
    check("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", {Element::kBf16, Element::kBf16, kF32, 16}, kFull,
          card);
    check("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", {Element::kF16, Element::kF16, kF16, 16}, {2, 4, 2},
          card);
    check("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", {Element::kF16, Element::kF16, kF32, 8}, kHalf, card);
    check("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", {Element::kBf16, Element::kBf16, kF32, 8}, kHalf, card);
    check("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", {Element::kF16, Element::kF16, kF16, 8}, {2, 2, 1}, card);
    check("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", {Element::kTf32, Element::kTf32, kF32, 8}, kFull, card);
    check("mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", {Element::kTf32, Element::kTf32, kF32, 4}, kHalf, card);
  }
}

TEST_CASE("8-bit integers") {
  for (const char* card : {"rtx-pro-6000", "h200"})
    for (const bool satfinite : {false, true})
      for (const auto& [a, an] : {std::pair{Element::kS8, "s8"}, {Element::kU8, "u8"}})
        for (const auto& [b, bn] : {std::pair{Element::kS8, "s8"}, {Element::kU8, "u8"}}) {
          const std::string types = std::string(satfinite ? ".satfinite" : "") + ".s32." + an + "." + bn + ".s32";
          check("mma.sync.aligned.m16n8k32.row.col" + types, {a, b, kS32, 32, BlockScale::kNone, satfinite}, kFull,
                card);
          check("mma.sync.aligned.m16n8k16.row.col" + types, {a, b, kS32, 16, BlockScale::kNone, satfinite}, kHalf,
                card);
        }
}

constexpr std::pair<Element, const char*> kNarrow[] = {{Element::kE4m3, "e4m3"},
                                                       {Element::kE5m2, "e5m2"},
                                                       {Element::kE2m3, "e2m3"},
                                                       {Element::kE3m2, "e3m2"},
                                                       {Element::kE2m1, "e2m1"}};

TEST_CASE("8-, 6- and 4-bit floats without scales") {
  for (size_t a = 0; a < 5; ++a)
    for (size_t b = 0; b < 5; ++b) {
      const std::string an = kNarrow[a].second, bn = kNarrow[b].second;
      const MmaForm to_f32{kNarrow[a].first, kNarrow[b].first, kF32, 32},
          to_f16{kNarrow[a].first, kNarrow[b].first, kF16, 32};
      check("mma.sync.aligned.m16n8k32.row.col.kind::f8f6f4.f32." + an + "." + bn + ".f32", to_f32, kFull);
      check("mma.sync.aligned.kind::f8f6f4.m16n8k32.row.col.f32." + an + "." + bn + ".f32", to_f32, kFull);
      check("mma.sync.aligned.kind::f8f6f4.m16n8k32.row.col.f16." + an + "." + bn + ".f16", to_f16, {2, 4, 2});
      if (a >= 2 || b >= 2) continue;
      // Hopper's compiler makes f16 products of these, with other roundings.
      for (const char* card : {"rtx-pro-6000", "h200"})
        check("mma.sync.aligned.m16n8k32.row.col.f32." + an + "." + bn + ".f32", to_f32, kFull, card);
      check("mma.sync.aligned.m16n8k32.row.col.f16." + an + "." + bn + ".f16", to_f16, {2, 4, 2});
      check("mma.sync.aligned.m16n8k16.row.col.f32." + an + "." + bn + ".f32", {to_f32.a, to_f32.b, kF32, 16}, kHalf);
    }
}

TEST_CASE("block scales: kinds, spellings and every selector") {
  const auto scales = [](int ba, int ta, int bb, int tb) {
    return ", {%r20}, {" + std::to_string(ba) + ", " + std::to_string(ta) + "}, {%r21}, {" + std::to_string(bb) + ", " +
           std::to_string(tb) + "}";
  };
  const std::string plain = ", %r20, {0, 0}, %r21, {0, 0}";
  for (const auto& [a, an] : kNarrow)
    for (const auto& [b, bn] : kNarrow) {
      const MmaForm form{a, b, kF32, 32, BlockScale::k1xUe8m0};
      const std::string types = std::string(".f32.") + an + "." + bn + ".f32.ue8m0";
      check("mma.sync.aligned.m16n8k32.row.col.kind::mxf8f6f4.block_scale" + types, form, kFull, "rtx-pro-6000", plain);
      check("mma.sync.aligned.kind::mxf8f6f4.block_scale.scale_vec::1X.m16n8k32.row.col" + types, form, kFull,
            "rtx-pro-6000", scales(3, 1, 2, 3), 3, 1, 2, 3);
    }
  const MmaForm mx4{Element::kE2m1, Element::kE2m1, kF32, 64, BlockScale::k2xUe8m0};
  for (const std::string kind :
       {"kind::mxf4.block_scale", "kind::mxf4.block_scale.scale_vec::2X", "kind::mxf4nvf4.block_scale.scale_vec::2X"})
    for (const int byte : {0, 2})
      for (int thread = 0; thread < 4; ++thread) {
        const std::string types = ".f32.e2m1.e2m1.f32.ue8m0";
        check("mma.sync.aligned.m16n8k64.row.col." + kind + types, mx4, kFull, "rtx-pro-6000",
              scales(byte, thread & 1, 2 - byte, thread), byte, thread & 1, 2 - byte, thread);
        check("mma.sync.aligned." + kind + ".m16n8k64.row.col" + types, mx4, kFull, "rtx-pro-6000", plain);
      }
  for (const auto& [scale, name] : {std::pair{BlockScale::k4xUe4m3, "ue4m3"}, {BlockScale::k4xUe8m0, "ue8m0"}})
    for (int thread = 0; thread < 4; ++thread) {
      const MmaForm nv4{Element::kE2m1, Element::kE2m1, kF32, 64, scale};
      const std::string types = std::string(".f32.e2m1.e2m1.f32.") + name;
      check("mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X" + types, nv4, kFull,
            "rtx-pro-6000", scales(0, thread & 1, 0, thread), 0, thread & 1, 0, thread);
      check("mma.sync.aligned.kind::mxf4nvf4.block_scale.scale_vec::4X.m16n8k64.row.col" + types, nv4, kFull,
            "rtx-pro-6000", ", {%r20}, {%h1, %h1}, {%r21}, {%h1, %h1}");
    }
}

// A = row index + 1 in every k, B = column + 1, NVFP4 values and scales that are exact: D = 64 (row value) (column
// value).
TEST_CASE("an NVFP4 product by hand") {
  constexpr float kValues[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  std::vector<uint32_t> in(32 * 12);
  for (int lane = 0; lane < 32; ++lane) {
    const uint32_t low_row = lane / 4 % 8, high_row = (lane / 4 + 3) % 8, column = (lane / 4 + 5) % 8;
    for (const int reg : {0, 2}) in[32 * reg + lane] = 0x11111111u * low_row;
    for (const int reg : {1, 3}) in[32 * reg + lane] = 0x11111111u * high_row;
    for (const int reg : {4, 5}) in[32 * reg + lane] = 0x11111111u * column;
    for (int reg = 6; reg < 10; ++reg) in[32 * reg + lane] = std::bit_cast<uint32_t>(100.0f * (reg - 6));
    in[32 * 10 + lane] = lane % 4 == 0   ? 0x38383838u
                         : lane % 4 == 1 ? 0x40404040u
                                         : 0x7f7f7f7fu;              // rows g: 1, rows g + 8: 2
    in[32 * 11 + lane] = lane % 4 == 0 ? 0x30303030u : 0x7f7f7f7fu;  // columns: 1/2
  }
  const auto out = run(
      program_text("mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3",
                   kFull, ", {%r20}, {0, 0}, {%r21}, {0, 0}"),
      in, 4, "rtx-pro-6000");
  for (int lane = 0; lane < 32; ++lane)
    for (int v = 0; v < 4; ++v) {
      const float row = v < 2 ? kValues[lane / 4] : 2 * kValues[(lane / 4 + 3) % 8];
      const float column = kValues[(2 * (lane % 4) + v % 2 + 5) % 8] / 2;
      CHECK(std::bit_cast<float>(out[32 * v + lane]) == 64 * row * column + 100.0f * v);
    }
}

LaunchResult run_faulty(const std::string& text, const Launch& launch = {}) {
  Program program(text);
  std::vector<uint32_t> in(32 * 12), out(32 * 4);
  program.add(in, "in");
  program.add(out, "out");
  return program.run("test", launch, {pointer(in), pointer(out)});
}

TEST_CASE("what the instruction cannot do is a fault") {
  const std::string nv4 =
      "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3";
  const std::string scales = ", {%r20}, {0, 0}, {%r21}, {0, 0}";
  LaunchResult r = run_faulty(program_text(nv4, kFull, scales), {.card = "h200"});
  CHECK(r.status == LaunchResult::Status::kIllegalInstruction);
  CHECK(contains(r.report, "does not exist on NVIDIA H200"));
  r = run_faulty(program_text(nv4, kFull, ", {%r20}, {2, 0}, {%r21}, {0, 0}"));
  CHECK(r.status == LaunchResult::Status::kIllegalInstruction);
  CHECK(contains(r.report, "byte-id-a 2"));
  r = run_faulty(program_text(nv4, kFull, scales), {.block = {24}});
  CHECK(r.status == LaunchResult::Status::kIllegalInstruction);
}

TEST_CASE("products that PTX does not have are load errors") {
  for (const char* types : {".scale_vec::2X.f32.e2m1.e2m1.f32.ue4m3", ".scale_vec::4X.f32.e2m1.e4m3.f32.ue4m3"}) {
    const auto module =
        load_ptx(program_text(std::string("mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale") + types,
                              kFull, ", {%r20}, {0, 0}, {%r21}, {0, 0}"),
                 "test.ptx");
    CHECK(!module->find("test")->load_error.empty());
  }
}

}  // namespace

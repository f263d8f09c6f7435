// mma.sync of f64, of 4-bit integers and of bits: random fragments against products of whole matrices, element by
// element in the manual's index maps.
#include <array>
#include <cfenv>
#include <cmath>
#include <random>

#include "program.hpp"

using namespace sim;
using namespace sim::test;

namespace {

// Registers of D (and C), A and B.
struct Shape {
  int rows, depth;
  int d, a, b;
};

std::string list(const char* prefix, int first, int count) {
  std::string text = "{";
  for (int k = 0; k < count; ++k) text += (k != 0 ? ", " : "") + std::string(prefix) + std::to_string(first + k);
  return text + "}";
}

// in: registers of A, B and C one after the other, 32 lanes each; out: those of D.
template <class T>
std::vector<T> run(const std::string& opcode, const Shape& s, std::vector<T>& in, const char* card) {
  const bool is_wide = sizeof(T) == 8;
  const std::string type = is_wide ? "b64" : "b32", prefix = is_wide ? "%f" : "%r", size = std::to_string(sizeof(T));
  const std::string target = std::string(card) == "h200" ? "sm_90a" : "sm_120a";
  std::string text =
      header(target.c_str()) +
      ".visible .entry test(.param .u64 in, .param .u64 out) {\n  .reg .b32 %r<60>, %t; .reg .b64 %f<60>, %rd<5>;\n"
      "  ld.param.u64 %rd1, [in];\n  ld.param.u64 %rd2, [out];\n  mov.u32 %t, %tid.x;\n  mul.wide.u32 %rd3, %t, " +
      size + ";\n  add.u64 %rd1, %rd1, %rd3;\n  add.u64 %rd2, %rd2, %rd3;\n";
  const auto at = [&](const char* base, int n) {
    return std::string("[") + base + "+" + std::to_string(32 * sizeof(T) * static_cast<size_t>(n)) + "]";
  };
  for (int n = 0; n < s.a + s.b + s.d; ++n)
    text += "  ld.global." + type + " " + prefix + std::to_string(n) + ", " + at("%rd1", n) + ";\n";
  text += "  " + opcode + " " + list(prefix.c_str(), 40, s.d) + ", " + list(prefix.c_str(), 0, s.a) + ", " +
          list(prefix.c_str(), s.a, s.b) + ", " + list(prefix.c_str(), s.a + s.b, s.d) + ";\n";
  for (int n = 0; n < s.d; ++n)
    text += "  st.global." + type + " " + at("%rd2", n) + ", " + prefix + std::to_string(40 + n) + ";\n";
  Program program(text + "  ret;\n}\n");
  std::vector<T> out(static_cast<size_t>(32 * s.d));
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.card = card}, {pointer(in), pointer(out)});
  return out;
}

// Where the manual puts an element: register and lane. `per`: elements of A and B in a register.
struct Place {
  int reg, lane, part;
};
Place place_of_a(const Shape& s, int per, int row, int k) {
  const int step = k / (4 * per), t = k / per % 4;
  return {s.rows == 8 ? step : row / 8 + 2 * step, row % 8 * 4 + t, k % per};
}
Place place_of_b(int per, int k, int column) { return {k / (4 * per), column * 4 + k / per % 4, k % per}; }
Place place_of_d(int row, int column) { return {row / 8 * 2 + column % 2, row % 8 * 4 + column / 2, 0}; }

size_t index(int first, const Place& p) { return static_cast<size_t>((first + p.reg) * 32 + p.lane); }

constexpr Shape kDoubles[] = {{8, 4, 2, 1, 1}, {16, 4, 4, 2, 1}, {16, 8, 4, 4, 2}, {16, 16, 4, 8, 4}};

std::string shape_text(const Shape& s) { return "m" + std::to_string(s.rows) + "n8k" + std::to_string(s.depth); }

void check_double(const Shape& s, const std::string& mode, int host_mode, const char* card) {
  std::mt19937_64 random(static_cast<uint64_t>(s.rows * 100 + s.depth));
  std::vector<uint64_t> in(static_cast<size_t>(32 * (s.a + s.b + s.d)));
  for (uint64_t& bits : in) bits = (random() & 0x800fffffffffffffull) | (1020 + random() % 7) << 52;
  const std::vector<uint64_t> out =
      run("mma.sync.aligned." + shape_text(s) + ".row.col.f64.f64.f64.f64" + mode, s, in, card);
  for (int row = 0; row < s.rows; ++row)
    for (int column = 0; column < 8; ++column) {
      const Place d = place_of_d(row, column);
      volatile double sum = std::bit_cast<double>(in[index(s.a + s.b, d)]);
      std::fesetround(host_mode);
      for (int k = 0; k < s.depth; ++k) {
        volatile double a = std::bit_cast<double>(in[index(0, place_of_a(s, 1, row, k))]),
                        b = std::bit_cast<double>(in[index(s.a, place_of_b(1, k, column))]);
        sum = std::fma(a, b, sum);
      }
      std::fesetround(FE_TONEAREST);
      CHECK(out[index(0, d)] == std::bit_cast<uint64_t>(double{sum}));
    }
}

struct Type {
  const char* name;
  int bits;
  bool is_signed;
};
int64_t value_of(uint32_t word, const Type& t, int n) {
  const uint32_t bits = word >> (n * t.bits) & ((1u << t.bits) - 1);
  return t.is_signed && (bits >> (t.bits - 1) & 1) != 0 ? static_cast<int64_t>(bits) - (1 << t.bits) : bits;
}

// `multiply` of two elements; `operation`: what follows the types.
template <class F>
void check_integer(const Shape& s, const Type& a, const Type& b, bool clamps, const std::string& operation,
                   F&& multiply, const char* card) {
  const std::string opcode = "mma.sync.aligned." + shape_text(s) + ".row.col" + (clamps ? ".satfinite" : "") + ".s32." +
                             a.name + "." + b.name + ".s32" + operation;
  CAPTURE(opcode);
  std::mt19937 random(static_cast<uint32_t>(s.depth * 10 + a.bits));
  std::vector<uint32_t> in(static_cast<size_t>(32 * (s.a + s.b + s.d)));
  for (uint32_t& word : in) word = random();
  for (size_t k = 0; k < 64; ++k)
    in[static_cast<size_t>(32 * (s.a + s.b)) + k] = k % 2 == 0 ? 0x7ffffff0u : 0x80000010u;
  const int per = 32 / a.bits;
  const std::vector<uint32_t> out = run(opcode, s, in, card);
  for (int row = 0; row < s.rows; ++row)
    for (int column = 0; column < 8; ++column) {
      const Place d = place_of_d(row, column);
      int64_t sum = static_cast<int32_t>(in[index(s.a + s.b, d)]);
      for (int k = 0; k < s.depth; ++k) {
        const Place pa = place_of_a(s, per, row, k), pb = place_of_b(per, k, column);
        sum += multiply(value_of(in[index(0, pa)], a, pa.part), value_of(in[index(s.a, pb)], b, pb.part));
      }
      if (clamps) sum = std::max<int64_t>(INT32_MIN, std::min<int64_t>(INT32_MAX, sum));
      CHECK(out[index(0, d)] == static_cast<uint32_t>(sum));
    }
}

}  // namespace

TEST_CASE("f64 products are chains of fused multiply-adds in every rounding") {
  for (const char* card : {"rtx-pro-6000", "h200"})
    for (const Shape& s : kDoubles) {
      check_double(s, "", FE_TONEAREST, card);
      check_double(s, ".rn", FE_TONEAREST, card);
      check_double(s, ".rz", FE_TOWARDZERO, card);
      check_double(s, ".rm", FE_DOWNWARD, card);
      check_double(s, ".rp", FE_UPWARD, card);
    }
}

TEST_CASE("4-bit integers, and 8-bit ones with 8 rows") {
  constexpr Type kNibbles[] = {{"s4", 4, true}, {"u4", 4, false}}, kBytes[] = {{"s8", 8, true}, {"u8", 8, false}};
  const auto product = [](int64_t x, int64_t y) { return x * y; };
  for (const char* card : {"rtx-pro-6000", "h200"})
    for (const bool clamps : {false, true}) {
      for (const Type& a : kNibbles)
        for (const Type& b : kNibbles)
          for (const Shape& s : {Shape{8, 32, 2, 1, 1}, Shape{16, 32, 4, 2, 1}, Shape{16, 64, 4, 4, 2}})
            check_integer(s, a, b, clamps, "", product, card);
      for (const Type& a : kBytes)
        for (const Type& b : kBytes) check_integer({8, 16, 2, 1, 1}, a, b, clamps, "", product, card);
    }
}

TEST_CASE("single bits that differ, or that both are set") {
  constexpr Type kBit{"b1", 1, false};
  for (const char* card : {"rtx-pro-6000", "h200"})
    for (const Shape& s : {Shape{8, 128, 2, 1, 1}, Shape{16, 128, 4, 2, 1}, Shape{16, 256, 4, 4, 2}}) {
      check_integer(s, kBit, kBit, false, ".xor.popc", [](int64_t x, int64_t y) { return x ^ y; }, card);
      check_integer(s, kBit, kBit, false, ".and.popc", [](int64_t x, int64_t y) { return x & y; }, card);
    }
}

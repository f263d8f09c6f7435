// mma.sp: random sparse matrices, packed by the manual's maps of fragments and metadata, against products of the whole
// matrices: equal where every sum is exact, within the width of the sum otherwise, and bit for bit the dense product of
// half the depth where all rows of A have one pattern. An H100's answers to the same launches judge the bits.
#include <array>
#include <cmath>
#include <random>

#include "numerics/formats.hpp"
#include "program.hpp"

using namespace sim;
using namespace sim::test;
using namespace sim::numerics;

namespace {

constexpr int kTiles = 8, kRows = 16, kColumns = 8;

struct Type {
  const char* name;
  int bits;               // of the container
  Format format{};        // floats
  bool is_signed = true;  // integers
  int shift = 0;          // of the code in its container
  bool is_integer = false;

  double value(uint32_t container) const {
    const uint32_t code = container >> shift;
    if (is_integer) return is_signed && (code >> (bits - 1) & 1) != 0 ? static_cast<double>(code) - (1 << bits) : code;
    const uint32_t narrow = bits == 32 ? code >> 13 : code;
    return std::bit_cast<float>(decode(format, narrow));
  }
};
constexpr Type kTypeF16{"f16", 16, kF16}, kTypeBf16{"bf16", 16, kBf16}, kTypeTf32{"tf32", 32, kTf32},
    kTypeE4m3{"e4m3", 8, kE4m3}, kTypeE5m2{"e5m2", 8, kE5m2};
constexpr Type kBytes[] = {{"s8", 8, {}, true, 0, true}, {"u8", 8, {}, false, 0, true}};
constexpr Type kNibbles[] = {{"s4", 4, {}, true, 0, true}, {"u4", 4, {}, false, 0, true}};

// One form: opcodes of the sparse product and of the dense one of half the depth.
struct Case {
  std::string sparse{}, dense{};
  const Type *a, *b;
  int depth;
  bool is_f16 = false;  // accumulators
  bool is_ordered = true;
  bool clamps = false;
  int scale_blocks = 0;  // factors of a row, 0: none
  bool is_ue4m3 = false;

  int registers() const { return depth * a->bits / 128; }  // of A, and of B
  int registers_d() const { return is_f16 ? 2 : 4; }
  int kept() const { return depth / 2; }
  int chunk() const { return a->bits == 32 ? 2 : a->bits == 4 ? 8 : 4; }  // columns that four bits of metadata describe
  int inputs() const { return 2 * registers() + registers_d() + 1 + (scale_blocks != 0 ? 2 : 0); }
  bool is_integer() const { return a->is_integer; }
};

std::string list(int first, int count) {
  std::string text = "{";
  for (int k = 0; k < count; ++k) text += (k != 0 ? ", %r" : "%r") + std::to_string(first + k);
  return text + "}";
}

// Registers of A, B and C, then the metadata and the scales, 32 lanes each, one set for a block.
std::string program_text(const Case& c, bool is_sparse, const std::string& selector, const char* target) {
  const int n = c.registers(), n_b = is_sparse ? n : n / 2, d = c.registers_d();
  const int inputs = n + n_b + d + (is_sparse ? 1 : 0) + (c.scale_blocks != 0 ? 2 : 0);
  std::string text = header(target) + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .reg .b32 %r<40>, %t, %c; .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %t, %tid.x;
  mov.u32 %c, %ctaid.x;
)";
  const auto advance = [&](const char* base, int registers) {
    text += "  mad.lo.u32 %r39, %c, " + std::to_string(32 * registers) + ", %t;\n  mul.wide.u32 %rd3, %r39, 4;\n" +
            "  add.u64 " + base + ", " + base + ", %rd3;\n";
  };
  advance("%rd1", inputs);
  advance("%rd2", d);
  for (int k = 0; k < inputs; ++k)
    text += "  ld.global.b32 %r" + std::to_string(k) + ", [%rd1+" + std::to_string(128 * k) + "];\n";
  int next = n + n_b + d;
  text += "  " + (is_sparse ? c.sparse : c.dense) + " " + list(30, d) + ", " + list(0, n) + ", " + list(n, n_b) + ", " +
          list(n + n_b, d);
  if (is_sparse) text += ", %r" + std::to_string(next++) + ", " + selector;
  if (c.scale_blocks != 0)
    text += ", {%r" + std::to_string(next) + "}, {0, 0}, {%r" + std::to_string(next + 1) + "}, {0, 0}";
  text += ";\n";
  for (int k = 0; k < d; ++k)
    text += "  st.global.b32 [%rd2+" + std::to_string(128 * k) + "], %r" + std::to_string(30 + k) + ";\n";
  return text + "  ret;\n}\n";
}

std::vector<uint32_t> run(const std::string& text, std::vector<uint32_t>& in, int d, const char* card) {
  Program program(text);
  std::vector<uint32_t> out(static_cast<size_t>(32 * d * kTiles), 0xcccccccc);
  program.add(in, "in");
  program.add(out, "out");
  program.run_ok("test", {.grid = {kTiles}, .card = card}, {pointer(in), pointer(out)});
  return out;
}

// One tile as matrices: containers of A's kept elements and of B, what each kept element's column is, C, scale codes.
struct Matrices {
  uint32_t a[kRows][64], b[128][kColumns];
  int column[kRows][64];
  uint32_t metadata[kRows][32];  // the four bits of each chunk
  uint32_t c[kRows][kColumns];
  uint32_t scale_a[kRows][4], scale_b[kColumns][4];

  double scale(const Case& c, int row, int n, int k) const {
    if (c.scale_blocks == 0) return 1;
    const int block = k * c.scale_blocks / c.kept();
    const auto factor = [&](uint32_t code) {
      return c.is_ue4m3 ? double{std::bit_cast<float>(decode(kE4m3, code))}
                        : std::ldexp(1.0, static_cast<int>(code) - 127);
    };
    return factor(scale_a[row][block]) * factor(scale_b[n][block]);
  }
};

enum class Values { kExact, kWild };
using Random = std::mt19937;

// `most`: the greatest magnitude of narrow types.
uint32_t container(const Type& t, Values values, double most, Random& random) {
  for (;;) {
    uint32_t code = random();
    if (t.is_integer) return code & ((1u << t.bits) - 1);
    if (t.bits == 32) code = (code & 0x807fe000u) | (118 + random() % 20) << 23;
    if (t.bits == 16)
      code = t.format.mantissa_bits == 10 ? (code & 0x83ffu) | (1 + random() % 19) << 10
                                          : (code & 0x807fu) | (118 + random() % 20) << 7;
    if (values == Values::kExact) {  // a small integer in this format
      const double wanted = static_cast<int>(random() % 9) - 4;
      const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(wanted));
      if (t.bits == 32) return bits;
      if (t.bits == 16) return t.format.mantissa_bits == 10 ? f32_to_f16_rn(bits) : bits >> 16;
    }
    if (t.bits <= 8) {
      code = code & ((2 * t.format.sign() - 1));
      const double value = t.value(code << t.shift);
      if (!(std::fabs(value) <= most)) continue;
      if (values == Values::kExact && (value != std::round(value) || std::fabs(value) > 4)) continue;
    }
    return code << t.shift;
  }
}

// Two bits each: the columns (of the pairs, or halves of the 32-bit elements) that a chunk keeps.
uint32_t pattern(const Case& c, Random& random) {
  if (c.a->bits == 32) return random() % 2 != 0 ? 0b1110 : 0b0100;
  for (;;) {
    const uint32_t first = random() % 4, second = random() % 4;
    if (c.is_ordered ? first < second : first != second) return first | second << 2;
  }
}

double exact(const Case& c, const Matrices& m, int row, int n, double* largest = nullptr) {
  double sum = 0;
  for (int k = 0; k < c.kept(); ++k) {
    const double term = c.a->value(m.a[row][k]) * c.b->value(m.b[m.column[row][k]][n]) * m.scale(c, row, n, k);
    if (largest != nullptr) *largest = std::max(*largest, std::fabs(term));
    sum += term;
  }
  return sum;
}

Matrices make(const Case& c, Values values, bool is_uniform, Random& random) {
  Matrices m{};
  for (int chunk = 0; chunk < c.depth / c.chunk(); ++chunk)
    for (int row = 0; row < kRows; ++row) {
      const uint32_t bits = is_uniform && row != 0 ? m.metadata[0][chunk] : pattern(c, random);
      m.metadata[row][chunk] = bits;
      const int first = static_cast<int>(bits & 3), second = static_cast<int>(bits >> 2), at = chunk * c.chunk();
      if (c.a->bits == 32) {
        m.column[row][chunk] = at + first / 2;
      } else if (c.a->bits == 4) {
        for (int k = 0; k < 4; ++k) m.column[row][4 * chunk + k] = at + 2 * (k < 2 ? first : second) + k % 2;
      } else {
        m.column[row][2 * chunk] = at + first;
        m.column[row][2 * chunk + 1] = at + second;
      }
    }
  const double most = c.is_f16 ? 32 : 0x1p16;  // so that 32 products stay within f16
  for (auto& row : m.a)
    for (uint32_t& x : row) x = container(*c.a, values, most, random);
  for (auto& row : m.b)
    for (uint32_t& x : row) x = container(*c.b, values, most, random);
  for (auto* scales : {&m.scale_a[0], &m.scale_a[8], &m.scale_b[0]})
    for (int k = 0; k < 8; ++k)
      for (uint32_t& code : scales[k])
        code = c.is_ue4m3 ? (values == Values::kExact ? 0x30 + 8 * (random() % 3) : 0x20 + random() % 0x30)
                          : (values == Values::kExact ? 126 + random() % 3 : 120 + random() % 14);
  for (int row = 0; row < kRows; ++row)
    for (int n = 0; n < kColumns; ++n) {
      if (c.is_integer()) {
        m.c[row][n] = random() % 4 == 0 ? 0x7ffffff0u : random() % 4 == 0 ? 0x80000010u : random() % 1000;
        continue;
      }
      // Often the negative of the rounded sum: what remains is the part that the width of the sum decides.
      double value = static_cast<int>(random() % 17) - 8;
      if (values == Values::kWild && random() % 4 != 0) value = -exact(c, m, row, n);
      const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
      m.c[row][n] = c.is_f16 ? f32_to_f16_rn(bits) : bits;
    }
  return m;
}

void put(std::vector<uint32_t>& in, size_t first, int reg, int lane, int part, int bits, uint32_t code) {
  in[first + static_cast<size_t>(32 * reg + lane)] |= code << part * bits;
}

// Registers of one tile by the manual's maps; a dense one has the kept elements of A and the rows of B that row 0
// keeps.
void pack(const Case& c, const Matrices& m, bool is_sparse, int selector, Random& random, std::vector<uint32_t>& in) {
  const int bits = c.a->bits, per = 32 / bits, n = c.registers(), n_b = is_sparse ? n : n / 2, d = c.registers_d();
  size_t first = in.size();
  in.resize(first + static_cast<size_t>(32 * (n + n_b + d)));
  for (int row = 0; row < kRows; ++row)
    for (int k = 0; k < c.kept(); ++k)
      put(in, first, row / 8 + 2 * (k / (4 * per)), row % 8 * 4 + k / per % 4, k % per, bits, m.a[row][k]);
  for (int k = 0; k < (is_sparse ? c.depth : c.kept()); ++k)
    for (int column = 0; column < kColumns; ++column)
      put(in, first, n + k / (4 * per), column * 4 + k / per % 4, k % per, bits,
          m.b[is_sparse ? k : m.column[0][k]][column]);
  for (int row = 0; row < kRows; ++row)
    for (int column = 0; column < kColumns; ++column) {
      const int element = row / 8 * 2 + column % 2, lane = row % 8 * 4 + column / 2;
      if (c.is_f16)
        put(in, first, n + n_b + element / 2, lane, element % 2, 16, m.c[row][column]);
      else
        put(in, first, n + n_b + element, lane, 0, 32, m.c[row][column]);
    }
  if (is_sparse) {
    uint32_t words[32];
    for (uint32_t& word : words) word = random();
    const int chunks = c.depth / c.chunk(), in_lane = bits >= 16 ? 4 : 8;  // chunks of a row in one lane
    const int lanes = chunks / in_lane * (bits >= 16 ? 1 : 2);             // of each four that have metadata
    for (int row = 0; row < kRows; ++row)
      for (int chunk = 0; chunk < chunks; ++chunk) {
        const int piece = chunk / in_lane;
        const int lane = row % 8 * 4 + selector * lanes + (bits >= 16 ? piece : 2 * piece + row / 8);
        const int at = 4 * (chunk % in_lane) + (bits >= 16 ? 16 * (row / 8) : 0);
        words[lane] = (words[lane] & ~(15u << at)) | m.metadata[row][chunk] << at;
      }
    in.insert(in.end(), words, words + 32);
  }
  if (c.scale_blocks == 0) return;
  const auto word = [&](const uint32_t (&codes)[4]) {
    uint32_t all = random();
    for (int k = 0; k < c.scale_blocks; ++k) all = (all & ~(255u << 8 * k)) | codes[k] << 8 * k;
    return all;
  };
  for (int lane = 0; lane < 32; ++lane)
    in.push_back(lane % 4 < 2 ? word(m.scale_a[lane / 4 + 8 * (lane % 4)]) : random());
  for (int lane = 0; lane < 32; ++lane) in.push_back(lane % 4 == 0 ? word(m.scale_b[lane / 4]) : random());
}

uint32_t element(const Case& c, const std::vector<uint32_t>& out, int tile, int row, int column) {
  const int v = row / 8 * 2 + column % 2, lane = row % 8 * 4 + column / 2;
  const auto word = [&](int reg) { return out[static_cast<size_t>(32 * (tile * c.registers_d() + reg) + lane)]; };
  return c.is_f16 ? word(v / 2) >> 16 * (v % 2) & 0xffff : word(v);
}

double value_of(const Case& c, uint32_t bits) {
  return c.is_f16 ? std::bit_cast<float>(decode(kF16, bits)) : std::bit_cast<float>(bits);
}

void check_element(const Case& c, const Matrices& m, Values values, int row, int n, uint32_t got) {
  double largest = 0;
  const double sum = exact(c, m, row, n, &largest);
  if (c.is_integer()) {
    double all = sum + static_cast<int32_t>(m.c[row][n]);
    if (c.clamps) all = std::max(-0x1p31, std::min(0x1p31 - 1, all));
    CHECK(got == static_cast<uint32_t>(static_cast<int64_t>(all)));
    return;
  }
  const double addend = value_of(c, m.c[row][n]), want = sum + addend;
  largest = std::max(largest, std::fabs(addend));
  // Each term loses less than 2^-24 of the largest; the result is cut to 24 bits or rounded to 11.
  const double bound = values == Values::kExact
                           ? 0
                           : (c.kept() + 2) * largest * 0x1p-24 + std::fabs(want) * (c.is_f16 ? 0x1p-11 : 0x1p-22) +
                                 (c.is_f16 ? 0x1p-24 : 0);
  CHECK(std::fabs(value_of(c, got) - want) <= bound);
}

const char* target_of(const char* card) { return std::string(card) == "h200" ? "sm_90a" : "sm_120a"; }

void check(const Case& c, Values values, int selector, const char* card) {
  CAPTURE(c.sparse);
  CAPTURE(selector);
  Random random(static_cast<uint32_t>(c.depth * 8 + selector + (values == Values::kWild ? 4096 : 0)));
  std::vector<Matrices> tiles;
  std::vector<uint32_t> in;
  for (int tile = 0; tile < kTiles; ++tile) {
    tiles.push_back(make(c, values, false, random));
    pack(c, tiles.back(), true, selector, random, in);
  }
  const auto out = run(program_text(c, true, std::to_string(selector), target_of(card)), in, c.registers_d(), card);
  for (int tile = 0; tile < kTiles; ++tile)
    for (int row = 0; row < kRows; ++row)
      for (int n = 0; n < kColumns; ++n)
        check_element(c, tiles[static_cast<size_t>(tile)], values, row, n, element(c, out, tile, row, n));
}

// Rows of B that no row of A keeps are NaN, or random where the type has none: they must not take part.
void check_uniform(const Case& c, const char* card) {
  CAPTURE(c.sparse);
  Random random(static_cast<uint32_t>(c.depth));
  std::vector<uint32_t> sparse, dense;
  for (int tile = 0; tile < kTiles; ++tile) {
    Matrices m = make(c, Values::kWild, true, random);
    for (int k = 0; k < c.depth; ++k) {
      bool is_kept = false;
      for (int j = 0; j < c.kept(); ++j) is_kept = is_kept || m.column[0][j] == k;
      if (!is_kept && c.b->format.has_nan)
        for (uint32_t& x : m.b[k]) x = c.b->bits == 32 ? 0x7fc00000u : c.b->format.sign() - 1;
    }
    pack(c, m, true, 0, random, sparse);
    pack(c, m, false, 0, random, dense);
    if (c.scale_blocks != 0)  // pack fills what is not read with other random bits
      std::copy(sparse.end() - 64, sparse.end(), dense.end() - 64);
  }
  const auto got = run(program_text(c, true, "0", target_of(card)), sparse, c.registers_d(), card);
  CHECK(got == run(program_text(c, false, "", target_of(card)), dense, c.registers_d(), card));
}

void check_all(const Case& c, int selectors, const char* card) {
  for (int selector = 0; selector < selectors; ++selector) check(c, Values::kWild, selector, card);
  if (!c.is_integer()) check(c, Values::kExact, 0, card);
  check_uniform(c, card);
}

// A form of mma.sp without .kind, in both variants. `types`: D A B C.
void check_classical(int depth, const Type& a, const Type& b, const std::string& types, int selectors,
                     bool clamps = false) {
  const std::string sat = clamps ? ".satfinite" : "";
  for (const bool is_ordered : {false, true}) {
    const Case c{.sparse = std::string("mma.sp") + (is_ordered ? "::ordered_metadata" : "") + ".sync.aligned.m16n8k" +
                           std::to_string(depth) + ".row.col" + sat + types,
                 .dense = "mma.sync.aligned.m16n8k" + std::to_string(depth / 2) + ".row.col" + sat + types,
                 .a = &a,
                 .b = &b,
                 .depth = depth,
                 .is_f16 = types.starts_with(".f16"),
                 .is_ordered = is_ordered,
                 .clamps = clamps};
    for (const char* card : {"rtx-pro-6000", "h200"}) check_all(c, selectors, card);
  }
}

}  // namespace

TEST_CASE("f16, bf16 and tf32 keep two of four, or one of two") {
  check_classical(16, kTypeF16, kTypeF16, ".f32.f16.f16.f32", 4);
  check_classical(32, kTypeF16, kTypeF16, ".f32.f16.f16.f32", 2);
  check_classical(16, kTypeF16, kTypeF16, ".f16.f16.f16.f16", 4);
  check_classical(32, kTypeF16, kTypeF16, ".f16.f16.f16.f16", 2);
  check_classical(16, kTypeBf16, kTypeBf16, ".f32.bf16.bf16.f32", 4);
  check_classical(32, kTypeBf16, kTypeBf16, ".f32.bf16.bf16.f32", 2);
  check_classical(8, kTypeTf32, kTypeTf32, ".f32.tf32.tf32.f32", 4);
  check_classical(16, kTypeTf32, kTypeTf32, ".f32.tf32.tf32.f32", 2);
}

TEST_CASE("8-bit floats") {
  for (const Type* a : {&kTypeE4m3, &kTypeE5m2})
    for (const Type* b : {&kTypeE4m3, &kTypeE5m2})
      check_classical(64, *a, *b, std::string(".f32.") + a->name + "." + b->name + ".f32", 1);
}

TEST_CASE("integers of 8 bits, and of 4 bits in pairs") {
  for (const bool clamps : {false, true})
    for (int k = 0; k < 4; ++k) {
      const auto types = [&](const Type(&t)[2]) {
        return std::string(".s32.") + t[k / 2].name + "." + t[k % 2].name + ".s32";
      };
      check_classical(32, kBytes[k / 2], kBytes[k % 2], types(kBytes), 2, clamps);
      check_classical(64, kBytes[k / 2], kBytes[k % 2], types(kBytes), 1, clamps);
      check_classical(64, kNibbles[k / 2], kNibbles[k % 2], types(kNibbles), 2, clamps);
      check_classical(128, kNibbles[k / 2], kNibbles[k % 2], types(kNibbles), 1, clamps);
    }
}

namespace {

constexpr Type kNarrow[] = {kTypeE4m3, kTypeE5m2, {"e3m2", 8, kE3m2}, {"e2m3", 8, kE2m3}, {"e2m1", 8, kE2m1, true, 2}};
constexpr Type kTypeE2m1{"e2m1", 4, kE2m1};

// A form that only the SM120 family has, in the manual's and in CUTLASS's spelling. `scaling`: .block_scale and the
// size.
void check_kind(Case c, const std::string& kind, const std::string& scaling, const std::string& types) {
  const std::string shape = ".m16n8k" + std::to_string(c.depth) + ".row.col",
                    half = ".m16n8k" + std::to_string(c.depth / 2) + ".row.col";
  c.dense = "mma.sync.aligned" + half + ".kind::" + kind + scaling + types;
  for (const std::string& opcode :
       {"mma.sp::ordered_metadata.sync.aligned" + shape + ".kind::" + kind + scaling + types,
        "mma.sync.aligned.kind::" + kind + ".sp::ordered_metadata" + scaling + shape + types}) {
    c.sparse = opcode;
    check_all(c, 1, "rtx-pro-6000");
  }
}

}  // namespace

TEST_CASE("kinds of the SM120 family without scales") {
  for (const Type& a : kNarrow)
    for (const Type& b : kNarrow)
      for (const bool is_f16 : {false, true}) {
        const std::string accumulator = is_f16 ? ".f16" : ".f32";
        check_kind({.a = &a, .b = &b, .depth = 64, .is_f16 = is_f16}, "f8f6f4", "",
                   accumulator + "." + a.name + "." + b.name + accumulator);
      }
}

TEST_CASE("kinds of the SM120 family with a scale for 32 kept elements, or for 16") {
  for (const Type& a : kNarrow)
    for (const Type& b : kNarrow)
      for (const char* size : {"", ".scale_vec::1X"})
        check_kind({.a = &a, .b = &b, .depth = 64, .scale_blocks = 1}, "mxf8f6f4", std::string(".block_scale") + size,
                   std::string(".f32.") + a.name + "." + b.name + ".f32.ue8m0");
  const Case four_bits{.a = &kTypeE2m1, .b = &kTypeE2m1, .depth = 128};
  const std::string types = ".f32.e2m1.e2m1.f32.";
  Case c = four_bits;
  c.scale_blocks = 2;
  check_kind(c, "mxf4", ".block_scale", types + "ue8m0");
  check_kind(c, "mxf4", ".block_scale.scale_vec::2X", types + "ue8m0");
  check_kind(c, "mxf4nvf4", ".block_scale.scale_vec::2X", types + "ue8m0");
  c.scale_blocks = 4;
  check_kind(c, "mxf4nvf4", ".block_scale.scale_vec::4X", types + "ue8m0");
  c.is_ue4m3 = true;
  check_kind(c, "mxf4nvf4", ".block_scale.scale_vec::4X", types + "ue4m3");
}

namespace {

// Metadata of zeros but for `bits` in all chunks.
LaunchResult run_with_metadata(const std::string& opcode, const Case& c, uint32_t bits, const Launch& launch) {
  Case with = c;
  with.sparse = opcode;
  Program program(program_text(with, true, "0", target_of(launch.card)));
  std::vector<uint32_t> in(static_cast<size_t>(32 * with.inputs() * kTiles)), out(static_cast<size_t>(32 * 4 * kTiles));
  for (int tile = 0; tile < kTiles; ++tile)
    for (int lane = 0; lane < 32; ++lane)
      in[static_cast<size_t>(32 * (tile * with.inputs() + 2 * with.registers() + with.registers_d()) + lane)] =
          bits * 0x11111111u;
  program.add(in, "in");
  program.add(out, "out");
  return program.run("test", launch, {pointer(in), pointer(out)});
}

std::string load_error(const Case& c, const std::string& selector) {
  return load_ptx(program_text(c, true, selector, "sm_120a"), "test.ptx")->find("test")->load_error;
}

}  // namespace

TEST_CASE("metadata that names no pattern is a fault") {
  const std::string rest = ".sync.aligned.m16n8k16.row.col.f32.f16.f16.f32";
  const Case f16{.sparse = "mma.sp" + rest, .dense = "", .a = &kTypeF16, .b = &kTypeF16, .depth = 16};
  for (uint32_t bits = 0; bits < 16; ++bits) {
    CAPTURE(bits);
    const uint32_t first = bits & 3, second = bits >> 2;
    LaunchResult r = run_with_metadata("mma.sp" + rest, f16, bits, {.grid = {kTiles}});
    CHECK((r.status == LaunchResult::Status::kOk) == (first != second));
    if (first == second) CHECK(contains(r.report, "names no pattern of nonzero elements"));
    r = run_with_metadata("mma.sp::ordered_metadata" + rest, f16, bits, {.grid = {kTiles}});
    CHECK((r.status == LaunchResult::Status::kOk) == (first < second));
    if (first >= second) CHECK(contains(r.report, "names no pattern of ordered nonzero elements"));
    const std::string tf32 = "mma.sp.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32";
    r = run_with_metadata(tf32, {.sparse = tf32, .dense = "", .a = &kTypeTf32, .b = &kTypeTf32, .depth = 8}, bits,
                          {.grid = {kTiles}});
    CHECK((r.status == LaunchResult::Status::kOk) == (bits == 0b0100 || bits == 0b1110));
    if (r.status != LaunchResult::Status::kOk) CHECK(r.status == LaunchResult::Status::kIllegalInstruction);
  }
  const LaunchResult r = run_with_metadata("mma.sp" + rest, f16, 0b0101, {.grid = {1}});
  CHECK(contains(r.report, "metadata 0b0101 for row 0 of A from column 0"));
  CHECK(contains(r.report, "thread 0"));
}

TEST_CASE("kinds exist on the SM120 family alone, with ordered metadata alone") {
  const std::string kind = "mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.kind::f8f6f4.f32.e4m3.e4m3.f32";
  const Case c{.sparse = kind, .dense = "", .a = &kTypeE4m3, .b = &kTypeE4m3, .depth = 64};
  const LaunchResult r = run_with_metadata(kind, c, 0b0100, {.grid = {kTiles}, .card = "h200"});
  CHECK(r.status == LaunchResult::Status::kIllegalInstruction);
  CHECK(contains(r.report, "this mma.sp does not exist on NVIDIA H200"));
  CHECK(run_with_metadata(kind, c, 0b0100, {.grid = {kTiles}}).status == LaunchResult::Status::kOk);
  CHECK(run_with_metadata(kind, c, 0b0001, {.grid = {kTiles}}).status == LaunchResult::Status::kIllegalInstruction);
  Case unordered = c;
  unordered.sparse = "mma.sp.sync.aligned.m16n8k64.row.col.kind::f8f6f4.f32.e4m3.e4m3.f32";
  CHECK(!load_error(unordered, "0").empty());
}

TEST_CASE("selectors are immediates below the number of groups of lanes") {
  const auto f16 = [](int depth) {
    return Case{.sparse = "mma.sp.sync.aligned.m16n8k" + std::to_string(depth) + ".row.col.f32.f16.f16.f32",
                .dense = "",
                .a = &kTypeF16,
                .b = &kTypeF16,
                .depth = depth};
  };
  CHECK(load_error(f16(16), "3").empty());
  CHECK(!load_error(f16(16), "4").empty());
  CHECK(!load_error(f16(16), "%r5").empty());
  CHECK(load_error(f16(32), "1").empty());
  CHECK(!load_error(f16(32), "2").empty());
  Case e4m3 = f16(64);
  e4m3.a = e4m3.b = &kTypeE4m3;
  e4m3.sparse = "mma.sp.sync.aligned.m16n8k64.row.col.f32.e4m3.e4m3.f32";
  CHECK(load_error(e4m3, "0").empty());
  CHECK(!load_error(e4m3, "1").empty());
}

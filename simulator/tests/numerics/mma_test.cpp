// mma.sync: against the sums of answers that an H200 gave, against a floating-point telling of the published model, and
// the fast paths against the scalar ones.
#include "numerics/mma.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "mma_sim_answers.hpp"
#include "numerics/capture/mma_inputs.hpp"
#include "numerics/formats.hpp"

using namespace sim::numerics;
using namespace sim::numerics::test;

namespace {

struct Recorded {
  const char* name;
  MmaForm form;
  capture::Layout layout;
  int width, pair_step, a_registers, b_registers, c_registers, product_scale;
};
// The order of data/mma_h200.u64: 7 distributions x 256 blocks of each (capture/mma_capture.cu).
const Recorded kRecorded[] = {
    {"f16 k16", {Element::kF16, Element::kF16}, capture::kF16, 16, 1, 4, 2, 4, -28},
    {"bf16 k16", {Element::kBf16, Element::kBf16}, capture::kBf16, 16, 1, 4, 2, 4, -126},
    {"f16 k16 to f16", {Element::kF16, Element::kF16, Accumulator::kF16}, capture::kF16, 16, 1, 4, 2, 2, -28},
    {"f16 k8", {Element::kF16, Element::kF16, Accumulator::kF32, 8}, capture::kF16, 16, 1, 2, 1, 4, -28},
    {"bf16 k8", {Element::kBf16, Element::kBf16, Accumulator::kF32, 8}, capture::kBf16, 16, 1, 2, 1, 4, -126},
    {"f16 k8 to f16", {Element::kF16, Element::kF16, Accumulator::kF16, 8}, capture::kF16, 16, 1, 2, 1, 2, -28},
    {"tf32 k8", {Element::kTf32, Element::kTf32, Accumulator::kF32, 8}, capture::kTf32, 32, 2, 4, 2, 4, -126},
    {"tf32 k4", {Element::kTf32, Element::kTf32, Accumulator::kF32, 4}, capture::kTf32, 32, 4, 2, 1, 4, -126},
    {"s8 k32", {Element::kS8, Element::kS8, Accumulator::kS32, 32}, capture::kE4m3, 8, 1, 4, 2, 4, -12},
    {"e4m3 k32", {Element::kE4m3, Element::kE4m3, Accumulator::kF32, 32}, capture::kE4m3, 8, 1, 4, 2, 4, -12},
    {"e5m2 k32", {Element::kE5m2, Element::kE5m2, Accumulator::kF32, 32}, capture::kE5m2, 8, 1, 4, 2, 4, -28}};

void fill(Tile& tile, const Recorded& kind, int distribution, uint32_t index) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < kind.a_registers; ++i)
      tile.a[i][lane] =
          capture::operand_register(kind.layout, kind.width, kind.pair_step, distribution, index, 0, i, lane);
    for (int i = 0; i < kind.b_registers; ++i)
      tile.b[i][lane] = capture::operand_register(kind.layout, kind.width, 1, distribution, index, 1, i, lane);
    for (int i = 0; i < kind.c_registers; ++i)
      tile.c[i][lane] = capture::accumulator_register(kind.form.accumulator == Accumulator::kF16, kind.product_scale,
                                                      distribution, index, i, lane);
  }
}

std::vector<uint64_t> recorded_sums() {
  std::ifstream file("simulator/tests/numerics/data/mma_h200.u64", std::ios::binary);
  std::vector<uint64_t> words(std::size(kRecorded) * capture::kDistributions * capture::kTileBlocks);
  file.read(reinterpret_cast<char*>(words.data()), static_cast<std::streamsize>(8 * words.size()));
  REQUIRE_MESSAGE(static_cast<size_t>(file.gcount()) == 8 * words.size(), "mma_h200.u64 is missing or short");
  return words;
}

uint64_t block_sum(const Recorded& kind, MmaFunction function, int distribution, uint32_t block) {
  Tile tile{};
  uint64_t sum = 0;
  for (uint32_t i = 0; i < capture::kTilesPerBlock; ++i) {
    const uint32_t index = block * capture::kTilesPerBlock + i;
    fill(tile, kind, distribution, index);
    function(kind.form, tile.operands());
    for (uint32_t reg = 0; reg < static_cast<uint32_t>(kind.c_registers); ++reg)
      for (uint32_t lane = 0; lane < 32; ++lane) sum += capture::mix(index << 7 | reg << 5 | lane, tile.d[reg][lane]);
  }
  return sum;
}

// The model once more, with the operations of the paper: long double holds every intermediate exactly.
struct Slow {
  long double value;
  int exponent;
};

constexpr Format kFormats[] = {kF16, kBf16, kTf32, kE4m3, kE5m2, kE2m3, kE3m2, kE2m1};

double element_value(const MmaForm& form, Element element, const uint32_t* const* registers, int line, int k,
                     int& exponent) {
  const int bits = form.k == 64 ? 4 : 8, byte = k * bits / 8;
  const int reg = registers[1] == nullptr ? 0 : byte / 16;
  const int lane = 4 * (line & 7) + byte % 16 / 4;
  uint32_t code = registers[reg][lane] >> (8 * (byte % 4) + (form.k == 64 ? 4 * (k % 2) : 0)) & ((1u << bits) - 1);
  if (bits == 8 && element == Element::kE2m1) code = code >> 2 & 0xf;
  if (element == Element::kE2m3 || element == Element::kE3m2) code &= 0x3f;
  const Format format = kFormats[static_cast<int>(element)];
  const double value = static_cast<double>(std::bit_cast<float>(decode(format, code)));
  exponent = value == 0 ? 0 : std::max(std::ilogb(value), 1 - format.bias());
  return value;
}

uint32_t slow_output(const MmaForm& form, const Tile& tile, int row, int column, uint32_t c_bits) {
  const bool half = form.accumulator == Accumulator::kF16;
  const int blocks = form.scale == BlockScale::kNone      ? 0
                     : form.scale == BlockScale::k1xUe8m0 ? 1
                     : form.scale == BlockScale::k2xUe8m0 ? 2
                                                          : 4;
  const int group = form.k == 64 ? 16 : 1, fraction_bits = form.k == 64 ? 35 : 25;
  const int zero = form.k == 64 ? -139 : half ? -22 : -133;
  const uint32_t* a[2] = {tile.a[row / 8], tile.a[2 + row / 8]};
  const uint32_t* b[2] = {tile.b[0], tile.b[1]};
  const double c = static_cast<double>(std::bit_cast<float>(half ? f16_to_f32(c_bits) : c_bits));
  std::vector<Slow> terms{{c, c == 0 ? zero : std::max(std::ilogb(c), half ? -14 : -126)}};
  double special = c - c;  // becomes NaN or infinity when an operand is
  if (std::isinf(c)) special = c;
  for (int k = 0; k < form.k; k += group) {
    double scale[2] = {1, 1};
    int scale_exponent = 0;
    for (int side = 0; side < 2 && blocks != 0; ++side) {
      const uint32_t word = side == 0 ? tile.scale_a[4 * (row & 7) + (row >> 3)] : tile.scale_b[4 * column];
      const uint32_t code = word >> 8 * (k * blocks / form.k) & 0xff;
      const bool ue4m3 = form.scale == BlockScale::k4xUe4m3;
      scale[side] = ue4m3          ? static_cast<double>(std::bit_cast<float>(ue4m3_to_f32(code)))
                    : code == 0xff ? std::nan("")
                                   : std::ldexp(1.0, static_cast<int>(code) - 127);
      if (scale[side] != 0 && !std::isnan(scale[side]))
        scale_exponent += std::max(std::ilogb(scale[side]), ue4m3 ? -6 : -127);
    }
    long double sum = 0;
    int exponent = scale_exponent;
    bool any = group != 1;  // a scaled group is aligned by its scales, even when it is zero
    for (int i = k; i < k + group; ++i) {
      int ea = 0, eb = 0;
      const double product = element_value(form, form.a, a, row, i, ea) * element_value(form, form.b, b, column, i, eb);
      if (!std::isfinite(product))
        special += product;
      else if (product != 0 && group == 1)
        exponent += ea + eb;
      any = any || product != 0;
      sum += product;
    }
    if (std::isnan(scale[0]) || std::isnan(scale[1])) special = std::nan("");
    const long double term = sum * scale[0] * scale[1];
    terms.push_back({term, any && scale[0] * scale[1] != 0 ? exponent : zero});
  }
  if (std::isnan(special)) return half ? 0x7fff : 0x7fffffff;
  if (std::isinf(special)) return (special < 0 ? (half ? 0x8000u : 0x80000000u) : 0) | (half ? 0x7c00u : 0x7f800000u);
  int largest = zero;
  for (const Slow& term : terms) largest = std::max(largest, term.exponent);
  long double total = 0;
  for (const Slow& term : terms) total += std::trunc(std::ldexp(term.value, fraction_bits - largest));
  total = std::ldexp(total, largest - fraction_bits);
  if (total == 0) return 0;
  const long double magnitude = std::fabs(total);
  const uint32_t sign = total < 0 ? (half ? 0x8000u : 0x80000000u) : 0;
  const int last = std::max(std::ilogb(magnitude), half ? -14 : -126) - (half ? 10 : 23);
  const long double scaled = std::ldexp(magnitude, -last);
  const long double kept = std::ldexp(half ? std::nearbyint(scaled) : std::trunc(scaled), last);
  if (half) {
    if (kept > 65504.0L) return sign | 0x7c00;
    return kept == 0 ? 0 : sign | f32_to_f16_rz(std::bit_cast<uint32_t>(static_cast<float>(kept)));
  }
  if (kept >= std::ldexp(1.0L, 128)) return sign | 0x7f800000;
  return kept == 0 ? 0 : sign | std::bit_cast<uint32_t>(static_cast<float>(kept));
}

bool equal_results(const Tile& x, const Tile& y, const MmaForm& form) {
  return std::memcmp(x.d, y.d, form.accumulator == Accumulator::kF16 ? sizeof(x.d) / 2 : sizeof(x.d)) == 0;
}

// Tiles on which the fastest path or the AVX2 one differs from the scalar one, with every scale selector.
uint64_t differences(const MmaForm& form, uint32_t tiles, uint32_t seed) {
  const MmaFunction exact = find_mma_exact(Arch::kSm120, form), rows = find_mma_rows(Arch::kSm120, form);
  const MmaFunction fast[2] = {find_mma(Arch::kSm120, form), rows != nullptr ? rows : exact};
  std::mt19937 random(seed);
  uint64_t wrong = 0;
  Tile tile{};
  for (uint32_t i = 0; i < tiles; ++i) {
    fill(tile, form, static_cast<int>(i) % kSituations, random);
    MmaOperands operands = tile.operands();
    operands.thread_a = random() & 1;
    operands.thread_b = random() & 3;
    if (form.scale == BlockScale::k1xUe8m0) operands.byte_a = random() & 3, operands.byte_b = random() & 3;
    if (form.scale == BlockScale::k2xUe8m0) operands.byte_a = random() & 2, operands.byte_b = random() & 2;
    exact(form, operands);
    Tile other = tile;
    MmaOperands again = operands;
    for (int v = 0; v < 4; ++v) again.d[v] = other.d[v];
    for (MmaFunction function : fast) {
      std::memset(other.d, 0x5a, sizeof other.d);
      function(form, again);
      wrong += equal_results(tile, other, form) ? 0 : 1;
    }
  }
  return wrong;
}

// A single product row: A row 0 and B column 0 hold the factors, everything else is zero.
float first_output(const MmaForm& form, Arch arch, Tile& tile) {
  const MmaFunction function = find_mma(arch, form);
  REQUIRE((function != nullptr));
  function(form, tile.operands());
  return std::bit_cast<float>(tile.d[0][0]);
}

}  // namespace

TEST_CASE("2^23 - 2^23 - 0.5 - 0.25 - 0.125: what each unit keeps") {
  const float c = 0x1p23f;
  Tile tile{};
  tile.c[0][0] = std::bit_cast<uint32_t>(c);
  SUBCASE("f16: 25 bits keep the half and the quarter") {
    // -2^13 * 2^10, then -0.5, -0.25, -0.125 times 1 at k = 0, 1 (lane 0) and k = 2, 3 (lane 1)
    tile.a[0][0] = 0xb800f000u, tile.a[0][1] = 0xb000b400u;
    tile.b[0][0] = 0x3c006400u, tile.b[0][1] = 0x3c003c00u;
    for (Arch arch : {Arch::kSm90, Arch::kSm120})
      CHECK(first_output({Element::kF16, Element::kF16}, arch, tile) == -0.75f);
  }
  SUBCASE("mxf8f6f4: the same 25 bits") {
    tile.a[0][0] = 0xb0b4b8f0u;  // e5m2: -2^13, -0.5, -0.25, -0.125
    tile.b[0][0] = 0x3c3c3c64u;
    std::fill(tile.scale_a, tile.scale_a + 32, 0x7f7f7f7fu);
    std::fill(tile.scale_b, tile.scale_b + 32, 0x7f7f7f7fu);
    const MmaForm form{Element::kE5m2, Element::kE5m2, Accumulator::kF32, 32, BlockScale::k1xUe8m0};
    CHECK(first_output(form, Arch::kSm120, tile) == -0.75f);
  }
  SUBCASE("mxf4nvf4: group sums are exact and 35 bits keep everything") {
    tile.a[0][0] = 0xe;                          // -4 at k = 0
    tile.b[0][0] = 0x6;                          // 4
    tile.a[0][2] = 0x9aa, tile.b[0][2] = 0x112;  // k = 16..18: -1, -1, -0.5 times 1, 0.5, 0.5
    std::fill(tile.scale_a, tile.scale_a + 32, 0x7f7f7f7fu + 11);
    std::fill(tile.scale_b, tile.scale_b + 32, 0x7f7f7e7fu + 8);
    const MmaForm form{Element::kE2m1, Element::kE2m1, Accumulator::kF32, 64, BlockScale::k4xUe8m0};
    CHECK(first_output(form, Arch::kSm120, tile) == -0.875f);
  }
}

TEST_CASE("blocks of 1024 tiles give the answers of the H200, on every path") {
  const std::vector<uint64_t> want = recorded_sums();
  for (size_t i = 0; i < std::size(kRecorded); ++i)
    for (int distribution = 0; distribution < capture::kDistributions; ++distribution) {
      const uint64_t* sums = &want[(i * capture::kDistributions + distribution) * capture::kTileBlocks];
      CAPTURE(std::string(kRecorded[i].name));
      CAPTURE(distribution);
      const uint32_t block = static_cast<uint32_t>(distribution);
      CHECK(block_sum(kRecorded[i], find_mma(Arch::kSm90, kRecorded[i].form), distribution, block) == sums[block]);
      if (distribution % 3 == 0)
        CHECK(block_sum(kRecorded[i], find_mma_exact(Arch::kSm90, kRecorded[i].form), distribution, 9) == sums[9]);
      const MmaFunction rows = find_mma_rows(Arch::kSm90, kRecorded[i].form);
      if (rows != nullptr) CHECK(block_sum(kRecorded[i], rows, distribution, 10) == sums[10]);
    }
}

TEST_CASE("forms of SM120 alone follow the published model, told in long double") {
  std::mt19937 random(3);
  Tile tile{};
  for (const Sm120Form& kind : kSm120Forms) {
    CAPTURE(std::string(kind.name));
    const MmaFunction exact = find_mma_exact(Arch::kSm120, kind.form);
    REQUIRE((exact != nullptr));
    const bool half = kind.form.accumulator == Accumulator::kF16;
    for (int i = 0; i < 18 * kSituations; ++i) {
      fill(tile, kind.form, i % kSituations, random);
      exact(kind.form, tile.operands());
      for (int v = 0; v < 4; ++v)
        for (int lane = i % 3; lane < 32; lane += 3) {
          const int row = lane / 4 + 8 * (v / 2), column = 2 * (lane % 4) + v % 2;
          const uint32_t c = half ? tile.c[v / 2][lane] >> 16 * (v % 2) & 0xffff : tile.c[v][lane];
          const uint32_t got = half ? tile.d[v / 2][lane] >> 16 * (v % 2) & 0xffff : tile.d[v][lane];
          const uint32_t want = slow_output(kind.form, tile, row, column, c);
          if (got != want)
            FAIL_CHECK("situation " << i % kSituations << " row " << row << ": " << got << " != " << want);
        }
    }
  }
}

// data/mma_sim.txt: `form tile hash` of what MMA-Sim said, another program's model, compared by its authors with an RTX
// PRO 6000; not silicon (capture/mma_sim.py). It reads a zero C as 2^-126 where an H200 reads 2^-133 in the forms that
// both have, so tiles of tiny scales (situation 3) of the 25-bit forms are left out there.
TEST_CASE("an independent model gives the same answers") {
  std::ifstream file("simulator/tests/numerics/data/mma_sim.txt");
  std::map<std::pair<int, int>, uint64_t> answers;
  int form = 0, tile_index = 0;
  for (std::string hash; file >> form >> tile_index >> hash;)
    answers[{form, tile_index}] = std::stoull(hash, nullptr, 16);
  CHECK(answers.size() > 13000);
  int compared = 0;
  for (form = 0; form < static_cast<int>(std::size(kSm120Forms)); ++form) {
    const MmaForm& kind = kSm120Forms[form].form;
    each_asked_tile(kSm120Forms[form], [&](int index, Tile& tile) {
      const auto known = answers.find({form, index});
      if (known == answers.end()) return;
      find_mma(Arch::kSm120, kind)(kind, tile.operands());
      ++compared;
      CAPTURE(std::string(kSm120Forms[form].name));
      CAPTURE(index);
      CHECK(hash_of_d(tile, kind) == known->second);
    });
  }
  CHECK(compared == static_cast<int>(answers.size()));
}

TEST_CASE("all paths give equal bits") {
  for (const Sm120Form& kind : kSm120Forms) {
    CAPTURE(std::string(kind.name));
    CHECK(differences(kind.form, kind.form.scale == BlockScale::k4xUe4m3 ? 21000 : 1200, 5) == 0);
  }
}

TEST_CASE("exhaustive: ten million NVFP4 tiles, a million of the others, and every recorded block" * doctest::skip()) {
  for (const Sm120Form& kind : kSm120Forms) {
    CAPTURE(std::string(kind.name));
    CHECK(differences(kind.form, kind.form.scale == BlockScale::k4xUe4m3 ? 10000000 : 100000, 77) == 0);
  }
  const std::vector<uint64_t> want = recorded_sums();
  for (size_t i = 0; i < std::size(kRecorded); ++i)
    for (int distribution = 0; distribution < capture::kDistributions; ++distribution)
      for (uint32_t block = 0; block < capture::kTileBlocks; ++block)
        CHECK(block_sum(kRecorded[i], find_mma(Arch::kSm90, kRecorded[i].form), distribution, block) ==
              want[(i * capture::kDistributions + distribution) * capture::kTileBlocks + block]);
}

TEST_CASE("a NaN reaches its own row and column and no other") {
  const MmaForm form = kSm120Forms[0].form;
  std::mt19937 random(9);
  Tile tile{};
  fill(tile, form, 1, random);
  tile.scale_a[4 * 3 + 1] = 0x7f;  // row 11, k 0..15
  find_mma(Arch::kSm120, form)(form, tile.operands());
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const bool mine = lane / 4 + 8 * (v / 2) == 11;
      CHECK((tile.d[v][lane] == kNanF32) == mine);
    }
}

TEST_CASE("scales come from the lanes and bytes that the selectors name") {
  const MmaForm form{Element::kE4m3, Element::kE4m3, Accumulator::kF32, 32, BlockScale::k1xUe8m0};
  for (int thread_a = 0; thread_a < 2; ++thread_a)
    for (int thread_b = 0; thread_b < 4; ++thread_b)
      for (int byte = 0; byte < 4; ++byte) {
        Tile tile{};
        for (auto& reg : tile.a) std::fill(reg, reg + 32, 0x38383838u);  // 1.0
        for (auto& reg : tile.b) std::fill(reg, reg + 32, 0x38383838u);
        std::fill(tile.scale_a, tile.scale_a + 32, 0xffffffffu);  // poison: NaN
        std::fill(tile.scale_b, tile.scale_b + 32, 0xffffffffu);
        const auto set = [byte](uint32_t& word, int exponent) {
          word = (word & ~(0xffu << 8 * byte)) | static_cast<uint32_t>(127 + exponent) << 8 * byte;
        };
        for (int row = 0; row < 16; ++row) set(tile.scale_a[4 * (row % 8) + 2 * thread_a + row / 8], row);
        for (int column = 0; column < 8; ++column) set(tile.scale_b[4 * column + thread_b], -column);
        MmaOperands operands = tile.operands();
        operands.thread_a = static_cast<uint8_t>(thread_a), operands.thread_b = static_cast<uint8_t>(thread_b);
        operands.byte_a = operands.byte_b = static_cast<uint8_t>(byte);
        for (MmaFunction function : {find_mma(Arch::kSm120, form), find_mma_exact(Arch::kSm120, form)}) {
          function(form, operands);
          for (int v = 0; v < 4; ++v)
            for (int lane = 0; lane < 32; ++lane) {
              const int row = lane / 4 + 8 * (v / 2), column = 2 * (lane % 4) + v % 2;
              REQUIRE(std::bit_cast<float>(tile.d[v][lane]) == std::ldexp(32.0f, row - column));
            }
        }
      }
}

TEST_CASE("D may share registers with A, B and C") {
  const MmaForm form = kSm120Forms[0].form;
  std::mt19937 random(11);
  Tile tile{}, other{};
  fill(tile, form, 1, random);
  for (MmaFunction function : {find_mma(Arch::kSm120, form), find_mma_exact(Arch::kSm120, form)}) {
    function(form, tile.operands());
    other = tile;
    MmaOperands shared = other.operands();
    for (int v = 0; v < 4; ++v) shared.d[v] = other.a[v];
    function(form, shared);
    CHECK(std::memcmp(other.a, tile.d, sizeof tile.d) == 0);
    other = tile;
    shared = other.operands();
    for (int v = 0; v < 4; ++v) shared.d[v] = other.c[v];
    function(form, shared);
    CHECK(std::memcmp(other.c, tile.d, sizeof tile.d) == 0);
  }
}

TEST_CASE("forms that an architecture lacks are not found") {
  const auto exists = [](Arch arch, const MmaForm& form) { return find_mma(arch, form) != nullptr; };
  CHECK(exists(Arch::kSm120, kSm120Forms[0].form));
  CHECK_FALSE(exists(Arch::kSm90, kSm120Forms[0].form));
  CHECK_FALSE(exists(Arch::kSm90, {Element::kE2m1, Element::kE2m1, Accumulator::kF32, 32}));
  CHECK_FALSE(exists(Arch::kSm120, {Element::kF16, Element::kBf16}));
  CHECK_FALSE(exists(Arch::kSm120, {Element::kF16, Element::kF16, Accumulator::kF32, 32}));
  CHECK_FALSE(exists(Arch::kSm120, {Element::kE2m1, Element::kE2m1, Accumulator::kF32, 64}));
  CHECK_FALSE(exists(Arch::kSm120, {Element::kBf16, Element::kBf16, Accumulator::kF16}));
}

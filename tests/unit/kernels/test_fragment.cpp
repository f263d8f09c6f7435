// Fragment maps against the PTX manual: ldmatrix is modelled from its definition on a tile whose bytes name themselves,
// and must land every byte where mma.sync expects it; the stand-in's K order must use each k once, with the right block
// scale.
#include <doctest/doctest.h>

#include <array>
#include <set>

#include "kernels/tile/fragment.h"

using namespace b12x::tile;

namespace {

struct Byte {
  int row, column;
  bool operator==(const Byte&) const = default;
};

// ldmatrix.x4 by its definition: matrix i has its eight row addresses from lanes 8i..8i+7; afterwards register i of a
// lane holds bytes 4 * (lane % 4) .. + 3 of row lane / 4 of matrix i. An address is (row, first byte).
std::array<std::array<Byte, 4>, 4> ldmatrix_x4(int lane, auto address_of_lane) {
  std::array<std::array<Byte, 4>, 4> registers;
  for (int i = 0; i < 4; ++i) {
    const Byte start = address_of_lane(8 * i + lane / 4);
    for (int b = 0; b < 4; ++b) registers[i][b] = {start.row, start.column + 4 * (lane % 4) + b};
  }
  return registers;
}

}  // namespace

TEST_CASE("slots are a permutation of the rows in which half a warp's scales lie in different banks") {
  std::set<int> rows;
  for (int slot = 0; slot < 16; ++slot) rows.insert(row_of_slot(slot));
  CHECK(rows.size() == 16);
  CHECK(*rows.rbegin() == 15);
  for (const int first : {0, 16}) {
    std::set<int> banks;
    for (int lane = first; lane < first + 16; ++lane) banks.insert(a_scale_row(lane) % 8);  // of 16 bytes
    CHECK(banks.size() == 8);
  }
  for (const int matrix : {0, 8}) {  // ldmatrix reads 8 rows at once: any 8 that differ in row % 8
    std::set<int> swizzled;
    for (int lane = matrix; lane < matrix + 8; ++lane) swizzled.insert(ldmatrix_a_row(lane) % 8);
    CHECK(swizzled.size() == 8);
  }
}

TEST_CASE("ldmatrix of 16 rows x 32 bytes gives the A operand") {
  for (int lane = 0; lane < 32; ++lane) {
    const auto r = ldmatrix_x4(lane, [](int l) { return Byte{ldmatrix_a_row(l), ldmatrix_a_byte(l)}; });
    for (int reg = 0; reg < 4; ++reg) {
      for (int b = 0; b < 4; ++b) {
        CHECK(r[reg][b] == Byte{a_row(lane, reg), operand_byte(lane, reg / 2) + b});
      }
    }
  }
}

TEST_CASE("ldmatrix of two 8-row tiles gives two B operands") {
  for (int lane = 0; lane < 32; ++lane) {
    const auto r =
        ldmatrix_x4(lane, [](int l) { return Byte{100 * ldmatrix_b_tile(l) + ldmatrix_b_row(l), ldmatrix_b_byte(l)}; });
    for (int reg = 0; reg < 4; ++reg) {
      for (int b = 0; b < 4; ++b) {
        CHECK(r[reg][b] == Byte{100 * (reg / 2) + b_column(lane), operand_byte(lane, reg % 2) + b});
      }
    }
  }
}

TEST_CASE("the operands cover every byte once") {
  std::set<int> a, b;
  for (int lane = 0; lane < 32; ++lane) {
    for (int reg = 0; reg < 4; ++reg) {
      for (int i = 0; i < 4; ++i) a.insert(a_row(lane, reg) * 32 + operand_byte(lane, reg / 2) + i);
    }
    for (int reg = 0; reg < 2; ++reg) {
      for (int i = 0; i < 4; ++i) b.insert(b_column(lane) * 32 + operand_byte(lane, reg) + i);
    }
  }
  CHECK(a.size() == 16 * 32);
  CHECK(b.size() == 8 * 32);
}

TEST_CASE("accumulators cover 16 x 8 once, in the manual's order") {
  CHECK(accumulator_row(13, 0) == 3);
  CHECK(accumulator_column(13, 0) == 2);
  CHECK(accumulator_row(13, 3) == row_of_slot(11));
  CHECK(accumulator_column(13, 3) == 3);
  std::set<int> seen;
  for (int lane = 0; lane < 32; ++lane) {
    for (int v = 0; v < 4; ++v) seen.insert(accumulator_row(lane, v) * 8 + accumulator_column(lane, v));
  }
  CHECK(seen.size() == 128);
}

TEST_CASE("the lanes that the MMA reads scales from hold the right rows") {
  for (int slot = 0; slot < 16; ++slot) CHECK(a_scale_row(4 * (slot % 8) + slot / 8) == row_of_slot(slot));
  for (int column = 0; column < 8; ++column) CHECK(b_scale_column(4 * column) == column);
}

TEST_CASE("stand_in_k follows the registers that the expansion makes") {
  // A lane's word w of K half u holds k = 32 u + 8 t + nibble; expansion register i holds nibbles {0 2}, {4 6}, {1 3},
  // {5 7}; step 2u + i / 2 takes register i as its K slots 2t, 2t + 1 (i even) or 2t + 8, 2t + 9 (i odd).
  constexpr int kNibbles[4][2] = {{0, 2}, {4, 6}, {1, 3}, {5, 7}};
  for (int t = 0; t < 4; ++t) {
    for (int u = 0; u < 2; ++u) {
      for (int i = 0; i < 4; ++i) {
        for (int half = 0; half < 2; ++half) {
          const int slot = 2 * t + half + 8 * (i % 2);
          const int k = 32 * u + 8 * t + kNibbles[i][half];
          CHECK(stand_in_k(2 * u + i / 2, slot) == k);
          CHECK(k / 16 == 2 * u + t / 2);  // the block whose scale the lane multiplies in
        }
      }
    }
  }
  std::set<int> seen;
  for (int step = 0; step < 4; ++step) {
    for (int slot = 0; slot < 16; ++slot) seen.insert(stand_in_k(step, slot));
  }
  CHECK(seen.size() == 64);
}

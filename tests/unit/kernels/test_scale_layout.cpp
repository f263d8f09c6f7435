// The 128x4 scale layout against its definition as a permutation, and the two properties the kernels' loads rest on.
#include <doctest/doctest.h>

#include <initializer_list>
#include <vector>

#include "kernels/tile/scale_layout.h"

using namespace b12x::tile;

TEST_CASE("offsets are those of reshape [R/128, 4, 32, C/4, 4] -> permute (0, 3, 2, 1, 4)") {
  const int rows = 384, blocks = 12;
  std::vector<int> seen(rows * blocks, 0);
  for (int r = 0; r < rows; ++r) {
    for (int b = 0; b < blocks; ++b) {
      const int tile = r / 128, q = r / 32 % 4, row32 = r % 32, atom = b / 4, byte = b % 4;
      const int64_t expected = (((tile * (blocks / 4) + atom) * 32 + row32) * 4 + q) * 4 + byte;
      CHECK(scale_offset(r, b, blocks / 4) == expected);
      ++seen[expected];
    }
  }
  for (const int count : seen) CHECK(count == 1);
}

TEST_CASE("scale_position inverts scale_offset, past 2^31 bytes too") {
  for (const int32_t atoms_k : {1, 3, 64}) {
    for (int64_t offset = 0; offset < 5 * 512 * atoms_k; ++offset) {
      const ScalePosition at = scale_position(offset, atoms_k);
      CHECK(scale_offset(at.row, at.block, atoms_k) == offset);
    }
  }
  const int64_t far = (int64_t{1} << 33) + 12345;
  const ScalePosition at = scale_position(far, 448);
  CHECK(at.row > 0);
  CHECK(at.block < 448 * 4);
  CHECK(scale_offset(at.row, at.block, 448) == far);
}

TEST_CASE("storage is padded to whole atoms") {
  CHECK(scale_bytes(1, 1) == 512);
  CHECK(scale_bytes(128, 4) == 512);
  CHECK(scale_bytes(129, 5) == 4 * 512);
  CHECK(scale_bytes(int64_t{1} << 31, 4) == int64_t{1} << 33);
}

TEST_CASE("16 bytes hold the scales of rows r, r + 32, r + 64, r + 96; a half atom is 16 rows of each quarter") {
  for (int r = 0; r < 32; ++r) {
    for (int q = 0; q < 4; ++q) {
      CHECK(scale_offset(r + 32 * q, 0, 1) == scale_offset(r, 0, 1) + 4 * q);
      // Rows 32 q + 16 h + i of a skinny tile lie in bytes [256 h, 256 h + 256).
      CHECK(scale_offset(r + 32 * q, 3, 1) / 256 == r / 16);
    }
  }
}

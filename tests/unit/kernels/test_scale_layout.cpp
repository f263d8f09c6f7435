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

TEST_CASE("a sector's 32 bytes are eight rows by four blocks, and sixteen sectors are an atom") {
  for (int sector = 0; sector < kAtomSectors; ++sector) {
    for (int byte = 0; byte < kSectorBytes; ++byte) {
      CHECK(scale_offset(sector_row(sector, byte), sector_block(byte), 1) == sector * kSectorBytes + byte);
    }
  }
}

TEST_CASE("offsets past 2^31 bytes") {
  // Row 2^24 + 37 of 4096 columns (64 atoms): tile 2^17, so 2^17 * 64 * 512 bytes, then row 37 = 32 + 5, block 7 = 4
  // + 3.
  CHECK(scale_offset((1 << 24) + 37, 7, 64) == (int64_t{1} << 32) + 512 + 5 * 16 + 1 * 4 + 3);
}

TEST_CASE("w13: the halves of a concatenated matrix are swizzled as one, so the second may start inside an atom") {
  const int blocks = 6, atoms_k = 2;
  for (const int n : {8, 64, 100, 128, 352}) {
    // The definition: number the scales of [2n, blocks] in the order of their bytes, padding left out.
    std::vector<int> place((2 * n + 127) / 128 * 128 * atoms_k * 4, -1);
    for (int r = 0; r < 2 * n; ++r) {
      for (int b = 0; b < blocks; ++b) {
        place[((r / 128 * atoms_k + b / 4) * 32 + r % 32) * 16 + r / 32 % 4 * 4 + b % 4] = r * blocks + b;
      }
    }
    for (int half = 0; half < 2; ++half) {
      for (int r = 0; r < n; ++r) {
        for (int b = 0; b < blocks; ++b) {
          CHECK(place[w13_scale_offset(half, r, b, n, atoms_k)] == (half * n + r) * blocks + b);
        }
      }
    }
  }
  // n = 100: gate row 0 is row 100 of the whole: tile 0, 100 % 32 = 4, third row group.
  CHECK(w13_scale_offset(1, 0, 0, 100, 2) == 4 * 16 + 3 * 4);
  // Its row 28 is row 128 of the whole and so begins the next row of atoms.
  CHECK(w13_scale_offset(1, 28, 0, 100, 2) == 2 * 512);
}

TEST_CASE("storage is padded to whole atoms") {
  CHECK(scale_bytes(1, 1) == 512);
  CHECK(scale_bytes(128, 4) == 512);
  CHECK(scale_bytes(129, 5) == 4 * 512);
  CHECK(scale_bytes(int64_t{1} << 31, 4) == int64_t{1} << 33);
}

TEST_CASE("16 bytes hold the scales of rows r, r + 32, r + 64, r + 96; an octet of each quarter is 128 bytes") {
  for (int r = 0; r < 32; ++r) {
    for (int q = 0; q < 4; ++q) {
      CHECK(scale_offset(r + 32 * q, 0, 1) == scale_offset(r, 0, 1) + 4 * q);
      CHECK(scale_offset(r + 32 * q, 3, 1) / 128 == r / 8);
    }
  }
}

// The swizzles are held to TMA's definition, keep ldmatrix free of bank conflicts, and commute with the steps that the
// kernels take inside a stage (row blocks and 64-k chunks), because lanes compute one address and step from it.
#include <doctest/doctest.h>

#include <set>

#include "kernels/tile/swizzle.h"

using namespace b12x::tile;

TEST_CASE("the 16-byte chunk index is XORed with the row's position in the period") {
  for (uint32_t row = 0; row < 32; ++row) {
    for (uint32_t byte = 0; byte < 128; ++byte) {
      CHECK(swizzle128(row * 128 + byte) == row * 128 + (((byte / 16) ^ (row % 8)) * 16 + byte % 16));
      if (byte < 64) CHECK(swizzle64(row * 64 + byte) == row * 64 + (((byte / 16) ^ (row / 2 % 4)) * 16 + byte % 16));
    }
  }
}

TEST_CASE("both are permutations") {
  std::set<uint32_t> seen64, seen128;
  for (uint32_t offset = 0; offset < 4096; ++offset) {
    seen64.insert(swizzle64(offset));
    seen128.insert(swizzle128(offset));
  }
  CHECK(seen64.size() == 4096);
  CHECK(*seen64.rbegin() == 4095);
  CHECK(seen128.size() == 4096);
  CHECK(*seen128.rbegin() == 4095);
}

TEST_CASE("eight rows at one 16-byte column fall in eight different bank groups") {
  for (uint32_t first_row = 0; first_row < 128; first_row += 8) {
    for (uint32_t chunk = 0; chunk < 8; ++chunk) {
      std::set<uint32_t> groups64, groups128;
      for (uint32_t row = first_row; row < first_row + 8; ++row) {
        groups128.insert(swizzle128(row * 128 + chunk * 16) / 16 % 8);
        if (chunk < 4) groups64.insert(swizzle64(row * 64 + chunk * 16) / 16 % 8);
      }
      CHECK(groups128.size() == 8);
      if (chunk < 4) CHECK(groups64.size() == 8);
    }
  }
}

TEST_CASE("32 rows further and one chunk further are a plain addition and a plain XOR") {
  for (uint32_t row = 0; row < 32; ++row) {
    for (uint32_t byte = 0; byte < 32; byte += 16) {
      for (uint32_t i = 0; i < 4; ++i) {
        for (uint32_t chunk = 0; chunk < 2; ++chunk) {
          const uint32_t lane = swizzle64(row * 64 + byte);
          CHECK(swizzle64((row + 32 * i) * 64 + byte + 32 * chunk) == (lane ^ (32 * chunk)) + 2048 * i);
        }
      }
    }
  }
  for (uint32_t row = 0; row < 16; ++row) {
    for (uint32_t byte = 0; byte < 128; byte += 16) {
      for (uint32_t q = 0; q < 4; ++q) {
        CHECK(swizzle128((row + 16 * q) * 128 + byte) == swizzle128(row * 128 + byte) + 2048 * q);
      }
    }
  }
}

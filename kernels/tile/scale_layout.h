// scale_layout.h: the 128x4 swizzled layout of block scales. An atom of 512 bytes holds 128 rows x 4 blocks, rows m, m
// + 32, m + 64, m + 96 side by side in 16 bytes; atoms are ordered along K first, then along the rows.
//   byte = ((row / 128) * atoms_k + block / 4) * 512 + (row % 32) * 16 + (row % 128 / 32) * 4 + block % 4
#pragma once

#include <cstdint>

namespace b12x::tile {

inline constexpr int kAtomRows = 128;
inline constexpr int kAtomBlocks = 4;
inline constexpr int kAtomBytes = kAtomRows * kAtomBlocks;

constexpr int32_t scale_atoms_k(int32_t blocks) { return (blocks + kAtomBlocks - 1) / kAtomBlocks; }
constexpr int64_t scale_bytes(int64_t rows, int32_t blocks) {
  return (rows + kAtomRows - 1) / kAtomRows * scale_atoms_k(blocks) * kAtomBytes;
}

// Offset of the atom that holds rows [128 * row_tile, +128) and blocks [4 * atom_k, +4).
constexpr int64_t scale_atom_offset(int64_t row_tile, int32_t atom_k, int32_t atoms_k) {
  return (row_tile * atoms_k + atom_k) * kAtomBytes;
}

constexpr int64_t scale_offset(int64_t row, int32_t block, int32_t atoms_k) {
  return scale_atom_offset(row / kAtomRows, block / kAtomBlocks, atoms_k) + row % 32 * 16 + row % kAtomRows / 32 * 4 +
         block % kAtomBlocks;
}

// Gate and up weights of a gated MLP are one matrix w13 [2n, k], and its scales are swizzled as one: half 1 starts at
// row n, inside an atom unless n is a multiple of 128. `row` is of the half; b12x 0.7.2 has up in half 0 and gate in
// half 1.
constexpr int64_t w13_scale_offset(int half, int64_t row, int32_t block, int64_t n, int32_t atoms_k) {
  return scale_offset(half * n + row, block, atoms_k);
}

// A sector, 32 bytes, is what DRAM and L2 move at once: rows 2s and 2s + 1 of each of an atom's four row groups, by
// four blocks. Byte i of sector s holds this row and block of the atom.
inline constexpr int kSectorBytes = 32;
inline constexpr int kAtomSectors = kAtomBytes / kSectorBytes;
constexpr int32_t sector_row(int32_t sector, int32_t byte) { return sector * 2 + byte / 16 + byte / 4 % 4 * 32; }
constexpr int32_t sector_block(int32_t byte) { return byte % 4; }

}  // namespace b12x::tile

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

struct ScalePosition {
  int64_t row;
  int32_t block;
};

// The inverse of scale_offset. 32-bit atom numbers: they last to 2^41 bytes of scales.
constexpr ScalePosition scale_position(int64_t offset, int32_t atoms_k) {
  const uint32_t atom = static_cast<uint32_t>(offset / kAtomBytes);
  const uint32_t row_tile = atom / static_cast<uint32_t>(atoms_k);
  const uint32_t atom_k = atom - row_tile * static_cast<uint32_t>(atoms_k);
  const uint32_t within = static_cast<uint32_t>(offset) % kAtomBytes;
  const uint32_t row = within / 16 + within / 4 % 4 * 32;
  return {int64_t{row_tile} * kAtomRows + row, static_cast<int32_t>(atom_k * kAtomBlocks + within % kAtomBlocks)};
}

}  // namespace b12x::tile

// fragment.h: which element of a tile a lane's register holds in mma.sync, and which row a lane addresses in ldmatrix.
// One rule covers every dense fragment: K is 32 bytes wide; g = lane / 4 and t = lane % 4 name the lane.
#pragma once

#include <cstdint>

namespace b12x::tile {

constexpr int group_of(int lane) { return lane >> 2; }
constexpr int thread_in_group(int lane) { return lane & 3; }

// The MMA's row slot s (0..15) works on row row_of_slot(s) of a tile: rows 8 to 15 have their halves exchanged. Which
// row a slot has is free; this choice is for the scales, 16 bytes a row in shared memory, of which lanes t = 0 and t =
// 1 read the rows of slots g and g + 8 at once. With rows 8 apart these would be the same banks; so half a warp reads
// rows that differ in row % 8, which is 128 bytes without a conflict. Of any multiple of 16 rows; its own inverse.
constexpr int row_of_slot(int slot) { return slot ^ (slot >> 1 & 4); }

// A operand (16 rows x 32 bytes): register reg (0..3) holds 4 bytes of row a_row from byte operand_byte(lane, reg / 2).
constexpr int a_row(int lane, int reg) { return row_of_slot(group_of(lane) + 8 * (reg & 1)); }
// B operand (8 columns x 32 bytes): register reg (0..1) holds 4 bytes of column g from byte operand_byte(lane, reg).
constexpr int b_column(int lane) { return group_of(lane); }
constexpr int operand_byte(int lane, int half) { return 4 * thread_in_group(lane) + 16 * half; }

// Accumulator (16 rows x 8 columns, f32): value v (0..3).
constexpr int accumulator_slot(int lane, int v) { return group_of(lane) + 8 * (v >> 1); }
constexpr int accumulator_row(int lane, int v) { return row_of_slot(accumulator_slot(lane, v)); }
constexpr int accumulator_column(int lane, int v) { return 2 * thread_in_group(lane) + (v & 1); }

// Scales of the k64 block-scaled MMA with selectors {0, 0}: the A scales of slot s are read from lane 4 * (s % 8) + s /
// 8, so lanes t = 0 hold slot g and lanes t = 1 slot g + 8. Lanes t = 2, 3 are not read; they repeat the others here.
constexpr int a_scale_row(int lane) { return row_of_slot(group_of(lane) + 8 * (lane & 1)); }
// The B scales of column n are read from lane 4 * n.
constexpr int b_scale_column(int lane) { return group_of(lane); }

// ldmatrix.x4 of one A operand: the row and byte whose address the lane supplies; registers land as A's 0..3.
constexpr int ldmatrix_a_row(int lane) { return row_of_slot((lane & 7) + 8 * ((lane >> 3) & 1)); }
constexpr int ldmatrix_a_byte(int lane) { return 16 * (lane >> 4); }
// ldmatrix.x4 of two B operands: registers 0, 1 are B's 0, 1 of the first tile and 2, 3 those of the second.
constexpr int ldmatrix_b_tile(int lane) { return lane >> 4; }
constexpr int ldmatrix_b_row(int lane) { return lane & 7; }
constexpr int ldmatrix_b_byte(int lane) { return 16 * ((lane >> 3) & 1); }

// The sm_90a stand-in for one k64 MMA issues four m16n8k16 f16 MMAs; this is the k (0..63) that MMA `step` has in its K
// slot. Registers split into even and odd nibbles, so step 0 sums the even k below 32, step 1 the odd ones, steps 2, 3
// those above.
constexpr int stand_in_k(int step, int slot) {
  const int t = (slot % 8) / 2, half = slot % 2, upper = slot / 8;
  return 32 * (step / 2) + 8 * t + 4 * upper + 2 * half + step % 2;
}

}  // namespace b12x::tile

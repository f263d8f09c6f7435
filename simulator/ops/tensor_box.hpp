// What one tensor copy moves: tensor map and coordinates in, the bytes of its rows in global and shared memory out.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "machine/warp.hpp"
#include "numerics/tensor_map.hpp"

namespace sim {

// Which rows of the tensor a copy moves: those of a box, four of a matrix by their numbers, or the pixels of a column.
enum class BoxMode : uint8_t { kTile, kGather4, kIm2col };

// Which bytes of which rows exist, and where they lie. A row runs along dimension 0; of interleaved tensors it is one
// slice of channels, 16 or 32 bytes.
struct Box {
  numerics::TensorMap map;
  const std::byte* map_bytes = nullptr;  // where it was read
  BoxMode mode = BoxMode::kTile;
  std::array<int64_t, 5> start{};
  std::array<int64_t, 5> count{1, 1, 1, 1, 1};  // of kTile: rows along each dimension that rows differ in
  std::array<int64_t, 3> offset{};              // of kIm2col: added to the places of W, H, D
  std::array<int64_t, 4> gathered{};            // of kGather4: row numbers
  uint32_t row_bytes = 0;                       // in shared memory, gaps included
  uint32_t data_bytes = 0;                      // of a row, as global memory has them
  uint32_t rows = 0;
  uint32_t first = 0, end = 0;  // the bytes [first, end) of a row lie inside the tensor's dimension 0
  uint32_t pitch = 0;           // of rows in shared memory
  // Swizzling: the masked bits of the address from 7 up are added (xor) to the bits from swizzle_shift up, and bit 7 to
  // bit 3 where halves flip.
  uint32_t swizzle_mask = 0, swizzle_shift = 4, flip_mask = 0;

  uint32_t bytes() const { return rows * data_bytes; }
  // Swizzling permutes whole spans, also the last one of a box of slices that does not fill it.
  uint32_t shared_bytes() const {
    const uint32_t span = 16u << map.swizzle;
    return (rows * pitch + span - 1) / span * span;
  }
  // What swizzling changes in the shared address `at`.
  uint32_t flip(uint32_t at) const { return (at >> 7 & swizzle_mask) << swizzle_shift | (at >> 7 & flip_mask) << 3; }
  bool is_interleaved() const { return map.interleave != 0; }
  bool has_gaps() const { return data_bytes != row_bytes; }

  // Global address of byte `first` of row `row`; 0 when the row lies outside the tensor.
  uint64_t row_address(uint32_t row) const;
};

// The operands of a tensor copy: the map is address operand `address_index` and operand `map`; the coordinates follow
// it. Of im2col loads `offsets` is the operand of the first im2col offset.
struct BoxOperands {
  BoxMode mode = BoxMode::kTile;
  int address_index = 0;
  uint32_t map = 0, coordinates = 0, offsets = 0;
};
inline constexpr uint32_t kGatheredRows = 4;

// Ends the launch with "illegal instruction": what hardware answers to a map or coordinates that it does not take.
[[noreturn]] void refuse(Warp& w, const Instr& i, int lane, const std::string& what);
Box make_box(Warp& w, const Instr& i, int lane, const BoxOperands& operands);
// Stores write whole 16-byte pieces: where dimension 0 does not fill its last piece, so do the bytes behind it. And
// they refuse coordinates below zero and corners outside the tensor, which loads take.
void make_store(Warp& w, const Instr& i, int lane, Box& box);
// Every row inside the tensor must lie in live memory.
void check_global(Warp& w, const Instr& i, int lane, const Box& box, Access access);

}  // namespace sim

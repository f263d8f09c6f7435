// A box of a tensor at a place: tensor map and coordinates in, the bytes of its rows in global and shared memory out.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "machine/warp.hpp"
#include "numerics/tensor_map.hpp"

namespace sim {

// Which bytes of which rows exist, and where they lie.
struct Box {
  numerics::TensorMap map;
  const std::byte* map_bytes = nullptr;  // where it was read
  std::array<int64_t, 5> start{};
  std::array<int64_t, 5> count{1, 1, 1, 1, 1};  // rows along each dimension; [0] is not used
  uint32_t row_bytes = 0;
  uint32_t rows = 0;
  uint32_t first = 0, end = 0;  // the bytes [first, end) of a row lie inside the tensor's dimension 0
  uint32_t pitch = 0;           // of rows in shared memory
  bool gathers = false;         // rows of any numbers, instead of ones that follow each other
  std::array<int64_t, 4> gathered{};
  uint32_t swizzle_mask = 0;  // of address bits 7 and up; they are added (xor) to the bits from 4 up

  uint32_t bytes() const { return rows * row_bytes; }
  uint32_t shared_bytes() const { return rows * pitch; }

  // Global address of byte `first` of row `row`; 0 when the row lies outside the tensor.
  uint64_t row_address(uint32_t row) const {
    int64_t at = static_cast<int64_t>(map.address) + start[0] * map.element_bits / 8 + first;
    if (gathers) {
      const int64_t c = gathered[row];
      return c < 0 || c >= static_cast<int64_t>(map.dim[1])
                 ? 0
                 : static_cast<uint64_t>(at + c * static_cast<int64_t>(map.stride[1]));
    }
    int64_t rest = row;
    for (uint32_t d = 1; d < map.rank; ++d) {
      const int64_t c = start[d] + rest % count[d] * map.element_step[d];
      rest /= count[d];
      if (c < 0 || c >= static_cast<int64_t>(map.dim[d])) return 0;
      at += c * static_cast<int64_t>(map.stride[d]);
    }
    return static_cast<uint64_t>(at);
  }
};

// Ends the launch with "illegal instruction": what hardware answers to a map or coordinates that it does not take.
[[noreturn]] void refuse(Warp& w, const Instr& i, int lane, const std::string& what);
// The tensor map at address operand `address_index` and the `given` coordinates in the registers after it: one for each
// dimension or, of tile::gather4, one of dimension 0 and the numbers of four rows.
inline constexpr uint32_t kGatheredRows = 4;
Box make_box(Warp& w, const Instr& i, int lane, int address_index, uint32_t map_operand, uint32_t given,
             bool gathers = false);
// Stores write whole 16-byte pieces: where dimension 0 does not fill its last piece, so do the bytes behind it. And
// they refuse coordinates below zero, which loads take.
void make_store(Warp& w, const Instr& i, int lane, Box& box);
// Every row inside the tensor must lie in live memory.
void check_global(Warp& w, const Instr& i, int lane, const Box& box, Access access);

}  // namespace sim

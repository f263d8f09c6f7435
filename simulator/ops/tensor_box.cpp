// Checked on an H100 (tests/im2col.cpp, tests/tma.cpp replay its answers): the order of pixels, what interleaving makes
// of the dimensions, which coordinates and corners fault.
#include "ops/tensor_box.hpp"

#include <algorithm>

#include "machine/access.hpp"
#include "machine/fault.hpp"

namespace sim {
namespace {

using numerics::TensorMap;
using numerics::TensorMapMode;

constexpr char kSpatial[] = "WHD";

// The first and the last place that a filter's corner may have in dimension `n` of W, H, D.
int64_t lowest(const TensorMap& map, uint32_t n) { return map.lower[n]; }
int64_t highest(const TensorMap& map, uint32_t n) {
  return static_cast<int64_t>(map.dim[map.first_pixel_dim() + n]) - 1 + map.upper[n];
}

void set_tile(Box& box) {
  const TensorMap& map = box.map;
  box.rows = 1;
  for (uint32_t d = box.is_interleaved() ? 0 : 1; d < map.rank; ++d) {
    const bool is_slice = box.is_interleaved() && d == map.rank - 2;
    box.count[d] = is_slice ? 1 : (map.box[d] + map.element_step[d] - 1) / map.element_step[d];
    box.rows *= static_cast<uint32_t>(box.count[d]);
  }
}

void set_pixels(Warp& w, const Instr& i, int lane, const BoxOperands& operands, Box& box) {
  const TensorMap& map = box.map;
  box.rows = map.pixels;
  const uint32_t offset_bits = map.rank == 3 ? 16 : map.rank == 4 ? 8 : 5;
  for (uint32_t n = 0; n < map.pixel_dims(); ++n) {
    const int64_t place = box.start[map.first_pixel_dim() + n];
    if (place < lowest(map, n) || place > highest(map, n))
      refuse(w, i, lane,
             std::string("coordinate ") + kSpatial[n] + " is " + std::to_string(place) + ", outside the corners " +
                 std::to_string(lowest(map, n)) + " to " + std::to_string(highest(map, n)));
    if (operands.offsets == 0) continue;
    box.offset[n] = u32(w, i.ops[operands.offsets + n])[lane] & 0xffff;
    if (box.offset[n] >> offset_bits != 0)
      refuse(w, i, lane,
             std::string("im2col offset ") + kSpatial[n] + " is " + std::to_string(box.offset[n]) + ", not below " +
                 std::to_string(1 << offset_bits));
  }
}

void set_row(Warp& w, const Instr& i, int lane, Box& box) {
  const TensorMap& map = box.map;
  if (box.is_interleaved()) {
    box.row_bytes = box.data_bytes = box.pitch = box.end = map.slice_bytes();
    return;
  }
  const int64_t bits = map.element_bits;
  if (bits % 8 != 0 && w.block->grid->card->cc_major < 10)
    refuse(w, i, lane, "packed elements of " + std::to_string(bits) + " bits need sm_100");
  constexpr int64_t kGapUnit = 128;  // elements
  if (map.shared_element_bits != bits && (box.start[0] % kGapUnit != 0 || map.box[0] != kGapUnit))
    refuse(w, i, lane,
           "elements with gaps are copied in units of 128: box and coordinate 0 are " + std::to_string(map.box[0]) +
               " and " + std::to_string(box.start[0]));
  if (box.start[0] * bits % 128 != 0)
    refuse(w, i, lane,
           "coordinate 0 is " + std::to_string(box.start[0]) + " elements of " + std::to_string(bits) +
               " bits: a box must start at a multiple of 16 bytes");
  const auto clipped = [&](int64_t n) {
    return static_cast<uint32_t>((std::clamp<int64_t>(n, 0, map.box[0]) * bits + 7) / 8);
  };
  box.row_bytes = map.box[0] * map.shared_element_bits / 8;
  box.data_bytes = static_cast<uint32_t>(map.box[0] * bits / 8);
  box.first = clipped(-box.start[0]);
  box.end = std::max(box.first, clipped(static_cast<int64_t>(map.dim[0]) - box.start[0]));
  box.pitch = std::max(box.row_bytes, map.swizzle == 0 ? 0 : 16u << map.swizzle);
}

void set_swizzle(Warp& w, const Instr& i, int lane, Box& box) {
  const TensorMap& map = box.map;
  constexpr uint32_t kSwizzle128 = 3, kFlips = 2;
  if (map.swizzle != 0) box.swizzle_mask = (1u << map.swizzle) - 1;
  if (map.swizzle_atomicity == 0) return;
  if (w.block->grid->card->cc_major < 10 || map.swizzle != kSwizzle128)
    refuse(w, i, lane, "swizzle atomicities other than 16 bytes need sm_100 and the 128-byte swizzle");
  box.swizzle_shift = map.swizzle_atomicity == 3 ? 6 : 5;
  box.swizzle_mask = map.swizzle_atomicity == 3 ? 1 : 3;
  box.flip_mask = map.swizzle_atomicity == kFlips ? 1 : 0;
}

}  // namespace

uint64_t Box::row_address(uint32_t row) const {
  uint64_t at = map.address + first;
  if (!is_interleaved()) at += static_cast<uint64_t>(start[0] * map.element_bits / 8);
  const auto add = [&](uint32_t d, int64_t place) {
    at += static_cast<uint64_t>(place) * map.stride[d];
    return place >= 0 && place < static_cast<int64_t>(map.dim[d]);
  };
  bool is_inside = true;
  int64_t rest = row;
  switch (mode) {
    case BoxMode::kGather4:
      is_inside = add(1, gathered[row]);
      break;
    case BoxMode::kTile:
      for (uint32_t d = is_interleaved() ? 0 : 1; d < map.rank; ++d) {
        is_inside &= add(d, start[d] + rest % count[d] * map.element_step[d]);
        rest /= count[d];
      }
      break;
    case BoxMode::kIm2col:
      // A line from the start to the high corner, whole lines from the low corner on: so in W, H, D; images follow.
      for (uint32_t n = 0; n < map.pixel_dims(); ++n) {
        const uint32_t d = map.first_pixel_dim() + n;
        const int64_t low = lowest(map, n), high = highest(map, n), step = map.element_step[d];
        const int64_t opening = (high - start[d]) / step + 1, line = (high - low) / step + 1;
        const bool is_opening = rest < opening;
        const int64_t place = is_opening ? start[d] + rest * step : low + (rest - opening) % line * step;
        is_inside &= add(d, place + offset[n]);
        rest = is_opening ? 0 : 1 + (rest - opening) / line;
      }
      if (is_interleaved()) is_inside &= add(map.rank - 2, start[map.rank - 2]);
      is_inside &= add(map.rank - 1, start[map.rank - 1] + rest * map.element_step[map.rank - 1]);
  }
  return is_inside ? at : 0;
}

void refuse(Warp& w, const Instr& i, int lane, const std::string& what) {
  fault(w, i, lane, what, LaunchResult::Status::kIllegalInstruction);
}

Box make_box(Warp& w, const Instr& i, int lane, const BoxOperands& operands) {
  const uint64_t at = address(w, i, operands.address_index, i.ops[operands.map], lane);
  const std::byte* const bytes = resolve(w, i, lane, Space::kGeneric, at, numerics::kTensorMapBytes, 64, Access::kRead);
  Box box;
  box.map_bytes = bytes;
  box.mode = operands.mode;
  std::string error;
  if (!numerics::decode_tensor_map(bytes, box.map, error)) refuse(w, i, lane, "not a valid tensor map: " + error);
  const TensorMap& map = box.map;
  const bool gathers = operands.mode == BoxMode::kGather4, is_im2col = operands.mode == BoxMode::kIm2col;
  if (is_im2col != (map.mode == TensorMapMode::kIm2col))
    refuse(w, i, lane, is_im2col ? "the tensor map is not of im2col mode" : "the tensor map is of im2col mode");
  if ((gathers ? kGatheredRows + 1 : map.rank) != operands.coordinates || (gathers && map.rank != 2))
    refuse(w, i, lane,
           "the instruction has " + std::to_string(operands.coordinates) + " coordinates, the tensor map has rank " +
               std::to_string(map.rank));
  if (gathers && map.box[1] != 1) refuse(w, i, lane, "boxes of gathered rows have one row, this one has more");
  const auto coordinate = [&](uint32_t n) { return static_cast<int32_t>(u32(w, i.ops[operands.map + 1 + n])[lane]); };
  for (uint32_t d = 0; d < (gathers ? 1 : map.rank); ++d) box.start[d] = coordinate(d);
  if (gathers) {
    for (uint32_t n = 0; n < kGatheredRows; ++n) box.gathered[n] = coordinate(1 + n);
    box.rows = kGatheredRows;
  } else if (is_im2col) {
    set_pixels(w, i, lane, operands, box);
  } else {
    set_tile(box);
  }
  set_row(w, i, lane, box);
  set_swizzle(w, i, lane, box);
  return box;
}

void make_store(Warp& w, const Instr& i, int lane, Box& box) {
  const TensorMap& map = box.map;
  for (uint32_t d = 0; d < map.rank; ++d)
    if (box.start[d] < 0)
      refuse(w, i, lane,
             "coordinate " + std::to_string(d) + " of a tensor store is negative: " + std::to_string(box.start[d]));
  for (uint32_t n = 0; box.mode == BoxMode::kIm2col && n < map.pixel_dims(); ++n)
    if (map.lower[n] < 0 || map.upper[n] > 0)
      refuse(w, i, lane, std::string("the corners of ") + kSpatial[n] + " reach outside the tensor of a tensor store");
  if (box.flip_mask != 0) refuse(w, i, lane, "swizzles that flip 8 bytes are for loads");
  if (box.end != 0) box.end = (box.end + 15) / 16 * 16;
}

// One look-up answers for all rows when one allocation holds them.
void check_global(Warp& w, const Instr& i, int lane, const Box& box, Access access) {
  const uint32_t bytes = box.end - box.first;
  if (bytes == 0) return;
  uint64_t low = ~0ull, high = 0;
  for (uint32_t row = 0; row < box.rows; ++row) {
    const uint64_t at = box.row_address(row);
    if (at == 0) continue;
    low = std::min(low, at);
    high = std::max(high, at + bytes);
  }
  if (high == 0 || is_one_range(w, low, high)) return;
  for (uint32_t row = 0; row < box.rows; ++row)
    if (const uint64_t at = box.row_address(row)) resolve(w, i, lane, Space::kGlobal, at, bytes, 1, access);
}

}  // namespace sim

#include "ops/tensor_box.hpp"

#include <algorithm>

#include "machine/access.hpp"
#include "machine/fault.hpp"

namespace sim {

using numerics::TensorMap;

void refuse(Warp& w, const Instr& i, int lane, const std::string& what) {
  fault(w, i, lane, what, LaunchResult::Status::kIllegalInstruction);
}

Box make_box(Warp& w, const Instr& i, int lane, int address_index, uint32_t map_operand, uint32_t given, bool gathers) {
  const uint64_t at = address(w, i, address_index, i.ops[map_operand], lane);
  const std::byte* const bytes = resolve(w, i, lane, Space::kGeneric, at, numerics::kTensorMapBytes, 64, Access::kRead);
  Box box;
  box.map_bytes = bytes;
  std::string error;
  if (!numerics::decode_tensor_map(bytes, box.map, error)) refuse(w, i, lane, "not a valid tensor map: " + error);
  TensorMap& map = box.map;
  const uint32_t coordinates = gathers ? kGatheredRows + 1 : map.rank, rank = map.rank;
  if (coordinates != given || (gathers && rank != 2))
    refuse(w, i, lane,
           "the instruction has " + std::to_string(given) + " coordinates, the tensor map has rank " +
               std::to_string(rank));
  if (gathers && map.box[1] != 1) refuse(w, i, lane, "boxes of gathered rows have one row, this one has more");
  if (map.interleave != 0) refuse(w, i, lane, "interleaved tensor maps are not simulated");
  if (map.swizzle_atomicity != 0) refuse(w, i, lane, "swizzles of pieces other than 16 bytes are not simulated");
  box.rows = 1;
  const auto coordinate = [&](uint32_t n) { return static_cast<int32_t>(u32(w, i.ops[map_operand + 1 + n])[lane]); };
  box.gathers = gathers;
  for (uint32_t n = 0; gathers && n < kGatheredRows; ++n) box.gathered[n] = coordinate(1 + n);
  if (gathers) {
    box.start[0] = coordinate(0);
    box.rows = kGatheredRows;
  }
  for (uint32_t d = 0; !gathers && d < rank; ++d) {
    box.start[d] = coordinate(d);
    if (d == 0) continue;
    box.count[d] = (map.box[d] + map.element_step[d] - 1) / map.element_step[d];
    box.rows *= static_cast<uint32_t>(box.count[d]);
  }
  const int64_t bits = map.element_bits;
  if (box.start[0] * bits % 128 != 0)
    refuse(w, i, lane,
           "coordinate 0 is " + std::to_string(box.start[0]) + " elements of " + std::to_string(bits) +
               " bits: a box must start at a multiple of 16 bytes");
  const auto clipped = [&](int64_t n) {
    return static_cast<uint32_t>((std::clamp<int64_t>(n, 0, map.box[0]) * bits + 7) / 8);
  };
  box.row_bytes = static_cast<uint32_t>(map.box[0] * bits / 8);
  box.first = clipped(-box.start[0]);
  box.end = std::max(box.first, clipped(static_cast<int64_t>(map.dim[0]) - box.start[0]));
  const uint32_t span = map.swizzle == 0 ? 0 : 16u << map.swizzle;
  box.pitch = std::max(box.row_bytes, span);
  box.swizzle_mask = map.swizzle == 0 ? 0 : (1u << map.swizzle) - 1;
  return box;
}

void make_store(Warp& w, const Instr& i, int lane, Box& box) {
  for (uint32_t d = 0; d < box.map.rank; ++d)
    if (box.start[d] < 0)
      refuse(w, i, lane,
             "coordinate " + std::to_string(d) + " of a tensor store is negative: " + std::to_string(box.start[d]));
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

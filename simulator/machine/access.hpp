// Warp-wide memory access: one look-up for all executing lanes. ld, st, atom and ldmatrix go through gather(); single
// addresses and asynchronous engines through resolve() and resolve_async() of warp.hpp.
#pragma once

#include "machine/block.hpp"
#include "machine/warp.hpp"

namespace sim {

// Host pointers of the executing lanes.
struct Pointers {
  enum class Shape : uint8_t {
    kRow,       // all 32 lanes execute and lane l is at base + l * bytes
    kOffsets,   // all 32 lanes execute and lane l is at base + offset[l]
    kPointers,  // lane[l], for the executing lanes
  };
  Shape shape;
  std::byte* base;
  alignas(32) uint32_t offset[kWarpSize];
  alignas(32) std::byte* lane[kWarpSize];

  std::byte* of(int l, uint32_t bytes) const {
    if (shape == Shape::kPointers) return lane[l];
    return base + (shape == Shape::kRow ? static_cast<uint32_t>(l) * bytes : offset[l]);
  }
};

// Address operand 0 of `i` with base slot `slot`: `bytes` per lane, aligned to `align` (a power of two). Faults as
// resolve() does, naming the lowest offending lane.
void gather(Warp& w, const Instr& i, uint32_t slot, Space space, uint32_t bytes, uint32_t align, Access access,
            Pointers& out);

// Whether [first, end) lies in one live allocation; the warp remembers it.
bool is_one_range(Warp& w, uint64_t first, uint64_t end);

}  // namespace sim

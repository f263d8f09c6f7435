// Warp-wide memory access: one look-up for all executing lanes. ld, st, atom and ldmatrix go through gather(); single
// addresses and asynchronous engines through resolve() and resolve_async() of warp.hpp.
#pragma once

#include "machine/block.hpp"
#include "machine/warp.hpp"

namespace sim {

// Host pointers of the executing lanes. `is_row`: all 32 lanes execute and lane l is at lane[0] + l * bytes; then only
// lane[0] is set.
struct Pointers {
  std::byte* lane[kWarpSize];
  bool is_row = false;
};

// Address operand 0 of `i` with base slot `slot`: `bytes` per lane, aligned to `align` (a power of two). Faults as
// resolve() does, naming the lowest offending lane.
void gather(Warp& w, const Instr& i, uint32_t slot, Space space, uint32_t bytes, uint32_t align, Access access,
            Pointers& out);

}  // namespace sim

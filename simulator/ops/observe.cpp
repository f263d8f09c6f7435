#include "ops/observe.hpp"

namespace sim {
namespace {

// The space in which a lane's pointer lies; kGlobal also for shared memory of other blocks.
Space space_at(const Warp& w, int lane, const std::byte* p) {
  const Block& block = *w.block;
  if (p >= block.shared && p < block.shared + block.shared_bytes) return Space::kShared;
  const std::byte* local = w.local + static_cast<size_t>(lane) * w.kernel->local_bytes;
  if (p >= local && p < local + w.kernel->local_bytes) return Space::kLocal;
  if (p >= block.grid->params && p < block.grid->params + w.kernel->param_bytes) return Space::kParam;
  return Space::kGlobal;
}

// The one space of all executing lanes, kGeneric where they differ.
Space space_of_lanes(const Warp& w, const Pointers& at, uint32_t bytes) {
  if (at.shape != Pointers::Shape::kPointers) return space_at(w, 0, at.of(0, bytes));  // they lie in one area
  Space found = Space::kGeneric;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const Space here = space_at(w, lane, at.of(lane, bytes));
    if (found != Space::kGeneric && here != found) return Space::kGeneric;
    found = here;
  }
  return found;
}

// Lanes that may reach the shared memory of other blocks: one call for those of each block, one for all others.
void tell_by_home(Warp& w, const Instr& i, MemoryAccess a, const Pointers& at) {
  const uint32_t all = w.mask;
  for (uint32_t left = all; left != 0; left &= ~w.mask) {
    Block* const home = home_of(*w.block, at.of(std::countr_zero(left), a.bytes));
    w.mask = 0;
    for (uint32_t m = left; m != 0; m &= m - 1)
      if (home_of(*w.block, at.of(std::countr_zero(m), a.bytes)) == home) w.mask |= m & (0u - m);
    a.home = home == w.block ? nullptr : home;
    a.space = home != nullptr ? Space::kShared : space_of_lanes(w, at, a.bytes);
    w.block->observer->access(w, i, a, at);
  }
  w.mask = all;
}

}  // namespace

void tell_observer(Warp& w, const Instr& i, Space space, Access access, uint32_t bytes, const Pointers& at) {
  MemoryAccess a{space, access};
  a.order = static_cast<Order>(i.imm >> kOrderShift & 15);
  a.scope = static_cast<Scope>(i.imm >> kScopeShift & 15);
  a.bytes = bytes;
  const bool may_be_remote = space == Space::kSharedCluster || space == Space::kGeneric;
  if (may_be_remote && w.block->cluster->size > 1) return tell_by_home(w, i, a, at);
  if (space == Space::kGeneric) a.space = space_of_lanes(w, at, bytes);
  if (space == Space::kSharedCluster) a.space = Space::kShared;
  w.block->observer->access(w, i, a, at);
}

}  // namespace sim

// The engine of asynchronous copies: operations in, their effects out at the moment that RunOptions::async allows.
#include "machine/async.hpp"
#include "machine/fault.hpp"

namespace sim {
namespace {

std::vector<CopyGroups>& groups_of(Block& block, CopyGroup group) {
  return async_state(block).groups[static_cast<size_t>(group)];
}

void complete(Block& block, AsyncOperation& operation) {
  Warp& w = block.warps[operation.warp];
  const Instr& i = w.kernel->code[operation.pc];
  if (block.observer != nullptr) block.observer->async_completed(block, operation);
  if (operation.barrier != 0) tell_barrier(w, i, operation);
  ++block.progress;
}

}  // namespace

void tell_barrier(Warp& w, const Instr& i, const AsyncOperation& operation) {
  const int lane = static_cast<int>(operation.lane);
  if (operation.kind == AsyncOperation::Kind::kArrival)
    mbarrier_arrive(w, i, lane, operation.barrier, 1, Arrival::kPlain);
  else
    mbarrier_complete_tx(w, i, lane, operation.barrier, operation.bytes);
}

void issue_later(Warp& w, const Instr& i, int lane, std::unique_ptr<AsyncOperation> operation) {
  Block& block = *w.block;
  operation->warp = w.index;
  operation->lane = static_cast<uint32_t>(lane);
  operation->pc = i.pc;
  operation->ordinal = async_state(block).issued++;
  CopyGroups& groups = groups_of(block, operation->group)[thread_of(w, lane)];
  operation->sequence = groups.committed;
  if (operation->barrier == 0) ++groups.open;
  if (block.observer != nullptr) block.observer->async_issued(w, i, lane, *operation);
  operation->perform();
  complete(block, *operation);
  note_progress(w);
}

void commit_groups(Warp& w, const Instr& i, CopyGroup group) {
  if (w.block->observer != nullptr) w.block->observer->group_commit(w, i, group);
  std::vector<CopyGroups>& groups = groups_of(*w.block, group);
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    CopyGroups& g = groups[thread_of(w, std::countr_zero(m))];
    g.open = 0;
    ++g.committed;
  }
}

void wait_groups(Warp& w, const Instr& i, CopyGroup group, const uint32_t* limit, bool is_read) {
  if (w.block->observer != nullptr) w.block->observer->group_wait(w, i, group, limit, is_read);
  if (is_read) return;
  std::vector<CopyGroups>& groups = groups_of(*w.block, group);
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    CopyGroups& g = groups[thread_of(w, lane)];
    if (g.committed > limit[lane]) g.covered = std::max(g.covered, g.committed - limit[lane]);
  }
}

void wait_all(Warp& w, const Instr& i, CopyGroup group) {
  commit_groups(w, i, group);
  constexpr uint32_t kNone[kWarpSize] = {};
  wait_groups(w, i, group, kNone);
}

}  // namespace sim

// The engine of asynchronous copies: operations in, their effects out at a moment that RunOptions::async chooses.
//   eager    at the instruction
//   lazy     at a random visible step, no later than the wait that covers it
//   hostile  the destination in shared memory is poisoned at once. What an mbarrier hears of lands when nothing else of
//            the block can run, or in random pieces at random steps; groups land at the wait that covers them, sources
//            of stores are read no earlier than wait_group.read. What nobody waits for lands when the whole grid is
//            stuck (hardware would get round to it), or for stores when the block ends.
#include <algorithm>
#include <numeric>

#include "machine/async.hpp"
#include "machine/fault.hpp"
#include "machine/schedule.hpp"

namespace sim {
namespace {

std::vector<CopyGroups>& groups_of(Block& block, CopyGroup group) {
  return async_state(block).groups[static_cast<size_t>(group)];
}

constexpr int kPoison = 0xff;  // NaN in every format that has one

void complete(Block& block, AsyncOperation& operation) {
  Warp& w = block.warps[operation.warp];
  const Instr& i = w.kernel->code[operation.pc];
  if (block.observer != nullptr) block.observer->async_completed(block, operation);
  if (operation.barrier != 0) tell_barrier(w, i, operation);
  ++block.progress;
}

Pending take(std::vector<Pending>& from, size_t n) {
  Pending p = std::move(from[n]);
  from.erase(from.begin() + static_cast<std::ptrdiff_t>(n));
  return p;
}

void land(Block& block, Pending p) {
  AsyncOperation& op = *p.operation;
  if (p.done == 0) op.perform();
  const uint32_t pieces = op.pieces();
  while (p.done != 0 && p.done < pieces) p.perform_next(pieces);
  complete(block, op);
}

// Lands the operations of `from` that `covered` picks, in random order.
template <class Covered>
void land_all(Block& block, std::vector<Pending>& from, Covered&& covered) {
  std::vector<Pending> landing;
  for (Pending& p : from)
    if (covered(*p.operation)) landing.push_back(std::move(p));
  std::erase_if(from, [](const Pending& p) { return p.operation == nullptr; });
  while (!landing.empty()) {
    const size_t n = block.schedule->choices.below(Choice::kOperation, landing.size());
    std::swap(landing[n], landing.back());
    land(block, std::move(landing.back()));
    landing.pop_back();
  }
}

// What an mbarrier hears of; an arrival lands behind the copies that it stands for.
void land_told(Block& block, size_t n) {
  AsyncState& state = *block.async;
  Pending p = take(state.told, n);
  const AsyncOperation& op = *p.operation;
  if (op.kind == AsyncOperation::Kind::kArrival)
    land_all(block, state.grouped[op.warp], [&](const AsyncOperation& other) {
      return other.kind == AsyncOperation::Kind::kCpAsync && other.lane == op.lane && other.ordinal < op.ordinal;
    });
  land(block, std::move(p));
}

size_t grouped_count(const AsyncState& state) {
  return std::accumulate(state.grouped.begin(), state.grouped.end(), size_t{0},
                         [](size_t sum, const std::vector<Pending>& p) { return sum + p.size(); });
}

// The n-th operation that has a group.
void land_grouped(Block& block, size_t n) {
  for (std::vector<Pending>& of_warp : block.async->grouped) {
    if (n < of_warp.size()) return land(block, take(of_warp, n));
    n -= of_warp.size();
  }
}

}  // namespace

void tell_barrier(Warp& w, const Instr& i, const AsyncOperation& operation) {
  const int lane = static_cast<int>(operation.lane);
  const bool is_arrival = operation.kind == AsyncOperation::Kind::kArrival;
  if (Observer* const observer = w.block->observer)
    observer->mbarrier(w, i, lane, operation.barrier, is_arrival ? MbarrierUse::kArrive : MbarrierUse::kCompleteTx,
                       is_arrival ? 1 : operation.bytes, mbarrier_phases(w, i, lane, operation.barrier),
                       Order::kRelease, is_arrival ? Scope::kCta : Scope::kCluster);
  if (is_arrival)
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
  if (operation->barrier != 0) mbarrier_phases(w, i, lane, operation->barrier);  // it must be a live one now
  if (block.observer != nullptr) block.observer->async_issued(w, i, lane, *operation);
  note_progress(w);
  const AsyncMode mode = block.grid->options.async;
  Pending p{.operation = std::move(operation)};
  if (mode == AsyncMode::kEager) return land(block, std::move(p));
  AsyncOperation& op = *p.operation;
  if (mode == AsyncMode::kHostile && !op.is_reduction)
    op.each_range([](const AsyncRange& range) {
      if (range.is_write && range.is_shared) std::memset(range.begin, kPoison, range.bytes);
    });
  if (op.barrier == 0) {
    block.async->grouped[w.index].push_back(std::move(p));
    return;
  }
  if (const uint32_t pieces = op.pieces(); pieces > 1) {
    Choices& choices = block.schedule->choices;
    p.first = static_cast<uint32_t>(choices.below(Choice::kPiece, pieces));
    do p.step = static_cast<uint32_t>(1 + choices.below(Choice::kPiece, pieces));
    while (std::gcd(p.step, pieces) != 1);
  }
  block.async->told.push_back(std::move(p));
}

void move_copies(Block& block) {
  if (!block.async) return;
  AsyncState& state = *block.async;
  Choices& choices = block.schedule->choices;
  const bool is_lazy = block.grid->options.async == AsyncMode::kLazy;
  const size_t total = state.told.size() + (is_lazy ? grouped_count(state) : 0);
  if (total == 0) return;
  const size_t n = choices.below(Choice::kOperation, total);
  if (n >= state.told.size()) return land_grouped(block, n - state.told.size());
  Pending& p = state.told[n];
  const uint32_t pieces = p.operation->pieces();
  const uint32_t end = p.done + static_cast<uint32_t>(choices.below(Choice::kPiece, pieces + 1));
  if (is_lazy || end >= pieces) return land_told(block, n);
  while (p.done < end) p.perform_next(pieces);
  ++block.progress;
}

bool land_copy(Block& block, bool of_any_kind) {
  if (!block.async) return false;
  AsyncState& state = *block.async;
  const size_t told = state.told.size(), total = told != 0 ? told : of_any_kind ? grouped_count(state) : 0;
  if (total == 0) return false;
  const size_t n = block.schedule->choices.below(Choice::kOperation, total);
  if (told != 0)
    land_told(block, n);
  else
    land_grouped(block, n);
  return true;
}

void end_copies(Block& block) {
  if (!block.async) return;
  std::vector<Pending>& told = block.async->told;
  for (size_t n = 0; n < told.size();)
    if (home_of(block, told[n].operation->barrier) != &block)
      land_told(block, n);
    else
      ++n;
  for (std::vector<Pending>& of_warp : block.async->grouped)
    land_all(block, of_warp, [](const AsyncOperation& op) { return op.kind != AsyncOperation::Kind::kCpAsync; });
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
  std::vector<CopyGroups>& groups = groups_of(*w.block, group);
  uint64_t end[kWarpSize] = {};  // by lane: the groups that must be done
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    CopyGroups& g = groups[thread_of(w, lane)];
    if (g.committed > limit[lane]) end[lane] = g.committed - limit[lane];
    if (!is_read) g.covered = std::max(g.covered, end[lane]);
  }
  std::vector<Pending>& pending = w.block->async->grouped[w.index];
  if (pending.empty()) return;
  const auto is_covered = [&](const AsyncOperation& op) { return op.group == group && op.sequence < end[op.lane]; };
  if (!is_read) return land_all(*w.block, pending, is_covered);
  for (Pending& p : pending) {
    if (p.is_source_read || !is_covered(*p.operation)) continue;
    p.operation->read_source();
    p.is_source_read = true;
  }
}

void wait_all(Warp& w, const Instr& i, CopyGroup group) {
  commit_groups(w, i, group);
  constexpr uint32_t kNone[kWarpSize] = {};
  wait_groups(w, i, group, kNone);
}

}  // namespace sim

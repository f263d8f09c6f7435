// The sixteen named barriers of a CTA, and the barrier of a cluster. Arrivals are counted in whole warps, as the
// hardware does: lanes of one warp that come one after the other count when the last of its live lanes is there.
#include "machine/block.hpp"
#include "machine/fault.hpp"
#include "machine/observer.hpp"

namespace sim {
namespace {

BarrierState& state_of(Block& block, uint32_t id) {
  return id == kClusterBarrier ? block.cluster->barrier : block.barriers[id];
}

// Calls f(block) for those whose threads take part in the barrier.
template <class F>
void each_block(Block& block, uint32_t id, F&& f) {
  if (id != kClusterBarrier) return f(block);
  for (uint32_t rank = 0; rank < block.cluster->size; ++rank) f(*block.cluster->blocks[rank]);
}

uint32_t required_threads(Block& block, uint32_t id, const BarrierState& barrier) {
  if (barrier.expected != 0) return barrier.expected;
  uint32_t threads = 0;
  each_block(block, id, [&](const Block& b) {
    for (const Warp& w : b.warps) threads += w.live != 0 ? kWarpSize : 0;
  });
  return threads;
}

void deliver(Warp& w, const Split& s, const BarrierState& barrier) {
  const bool all = barrier.popc == barrier.voters, any = barrier.popc != 0;
  w.mask = s.mask;
  switch (s.reduction) {
    case Reduction::kNone:
      break;
    case Reduction::kPopc:
      for_lanes(w, [&](int lane) { u32(w, s.result)[lane] = barrier.popc; });
      break;
    case Reduction::kAnd:
      set_pred(w, s.result, all ? ~0u : 0u);
      break;
    case Reduction::kOr:
      set_pred(w, s.result, any ? ~0u : 0u);
      break;
  }
}

void leave_cluster_barrier(Warp& w, uint32_t lanes) {
  w.cluster_arrived &= ~lanes;
  w.cluster_passed &= ~lanes;
  if (w.block->observer != nullptr) w.block->observer->barrier_leave(w, kClusterBarrier, lanes);
}

void release(Warp& w, uint32_t id, const BarrierState& barrier) {
  Observer* const observer = w.block->observer;
  if (id == kClusterBarrier) w.cluster_passed = w.cluster_arrived;
  for (Split& s : w.waiting) {
    if (s.wait != Split::Wait::kBarrier || s.barrier != id) continue;
    deliver(w, s, barrier);
    if (id == kClusterBarrier)
      leave_cluster_barrier(w, s.mask);
    else if (observer != nullptr)
      observer->barrier_leave(w, id, s.mask);
    s.wait = Split::Wait::kNone;
    w.switch_pc = 0;
    if (w.state == WarpState::kBarrier) w.state = WarpState::kReady;
  }
}

void release_when_complete(Block& block, uint32_t id) {
  BarrierState& barrier = state_of(block, id);
  if (!barrier.is_pending || barrier.arrived < required_threads(block, id, barrier)) return;
  if (block.observer != nullptr) block.observer->barrier_complete(block, id);
  each_block(block, id, [&](Block& b) {
    for (Warp& w : b.warps) release(w, id, barrier);
    ++b.progress;
  });
  barrier = {};
}

// The lanes of w.mask stay behind `i` until the barrier completes.
Split& park(Warp& w, const Instr& i, uint32_t id) {
  Split split{w.pc, w.mask, i.pc, Split::Wait::kBarrier};
  split.barrier = static_cast<uint8_t>(id);
  w.active &= ~w.mask;
  w.switch_pc = 0;
  return w.waiting.emplace_back(split);
}

}  // namespace

void arrive(Warp& w, const Instr& i, const BarrierArrival& a) {
  Block& block = *w.block;
  if (a.is_aligned && !converge(w, i)) return;
  const int lane = std::countr_zero(w.mask);
  const uint32_t all = static_cast<uint32_t>(block.warps.size()) * kWarpSize;
  if (a.threads % kWarpSize != 0)
    fault(w, i, lane,
          "barrier " + std::to_string(a.id) + " counts " + std::to_string(a.threads) +
              " threads, which is not a multiple of 32");
  if (a.threads > all)
    fault(w, i, lane,
          "barrier " + std::to_string(a.id) + " counts " + std::to_string(a.threads) + " threads, but the block has " +
              std::to_string(block.thread_count));
  BarrierState& barrier = state_of(block, a.id);
  if (barrier.is_pending && barrier.expected != a.threads) {
    const auto text = [](uint32_t n) { return n == 0 ? std::string("all") : std::to_string(n); };
    fault(w, i, lane,
          "barrier " + std::to_string(a.id) + " counts " + text(a.threads) +
              " threads here, but the threads that already wait count " + text(barrier.expected));
  }
  if ((w.barrier_lanes[a.id] & w.mask) != 0)
    fault(w, i, lane,
          "lane arrives twice at barrier " + std::to_string(a.id) + " before the rest of its warp has arrived");
  if (block.observer != nullptr)
    block.observer->barrier_arrive(w, i, a.id, a.waits, a.is_relaxed ? Order::kRelaxed : Order::kAcqRel);
  barrier.is_pending = true;
  barrier.expected = a.threads;
  barrier.popc += static_cast<uint32_t>(std::popcount(a.votes & w.mask));
  barrier.voters += a.reduction != Reduction::kNone ? static_cast<uint32_t>(std::popcount(w.mask)) : 0;
  w.barrier_lanes[a.id] |= w.mask;
  if (a.waits) {
    Split& split = park(w, i, a.id);
    split.reduction = a.reduction;
    split.result = a.result;
  }
  if (w.barrier_lanes[a.id] == w.live) {
    w.barrier_lanes[a.id] = 0;
    barrier.arrived += kWarpSize;
    if (barrier.arrived > required_threads(block, a.id, barrier))
      fault(w, i, lane,
            "more threads arrive at barrier " + std::to_string(a.id) + " than it counts (" +
                std::to_string(barrier.expected) + ")");
  }
  note_progress(w);
  release_when_complete(block, a.id);
}

void arrive_at_cluster(Warp& w, const Instr& i, bool is_relaxed) {
  if (const uint32_t again = w.cluster_arrived & w.mask; again != 0)
    fault(w, i, std::countr_zero(again),
          "lane arrives again at the barrier of its cluster without barrier.cluster.wait");
  w.cluster_arrived |= w.mask;
  arrive(w, i, {.id = kClusterBarrier, .waits = false, .is_aligned = false, .is_relaxed = is_relaxed});
}

void wait_for_cluster(Warp& w, const Instr& i) {
  if (const uint32_t absent = w.mask & ~w.cluster_arrived; absent != 0)
    fault(w, i, std::countr_zero(absent), "lane waits at the barrier of its cluster and has not arrived there");
  const uint32_t passed = w.mask & w.cluster_passed;
  if (passed != 0) leave_cluster_barrier(w, passed);
  w.mask &= ~passed;
  if (w.mask != 0) park(w, i, kClusterBarrier);
}

void leave_barriers(Warp& w) {
  Block& block = *w.block;
  for (uint32_t id = 0; id <= kClusterBarrier; ++id) {
    BarrierState& barrier = state_of(block, id);
    if (!barrier.is_pending) continue;
    if (w.barrier_lanes[id] != 0 && w.barrier_lanes[id] == w.live) {
      w.barrier_lanes[id] = 0;
      barrier.arrived += kWarpSize;
    }
    release_when_complete(block, id);
  }
}

}  // namespace sim

// The sixteen named barriers of a CTA. Arrivals are counted in whole warps, as the hardware does: lanes of one warp
// that come one after the other count when the last of its live lanes is there.
#include "machine/block.hpp"
#include "machine/fault.hpp"
#include "machine/observer.hpp"

namespace sim {
namespace {

uint32_t required_threads(const Block& block, const BarrierState& barrier) {
  if (barrier.expected != 0) return barrier.expected;
  uint32_t threads = 0;
  for (const Warp& w : block.warps) threads += w.live != 0 ? kWarpSize : 0;
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

void release_when_complete(Block& block, uint32_t id) {
  BarrierState& barrier = block.barriers[id];
  if (!barrier.is_pending || barrier.arrived < required_threads(block, barrier)) return;
  Observer* const observer = block.observer;
  if (observer != nullptr) observer->barrier_complete(block, id);
  for (Warp& w : block.warps) {
    for (Split& s : w.waiting) {
      if (s.wait != Split::Wait::kBarrier || s.barrier != id) continue;
      deliver(w, s, barrier);
      if (observer != nullptr) observer->barrier_leave(w, id, s.mask);
      s.wait = Split::Wait::kNone;
      w.switch_pc = 0;
      if (w.state == WarpState::kBarrier) w.state = WarpState::kReady;
    }
  }
  barrier = {.generation = barrier.generation + 1};
  ++block.progress;
}

}  // namespace

void arrive(Warp& w, const Instr& i, const BarrierArrival& a) {
  Block& block = *w.block;
  if (a.is_aligned && !converge(w, i)) return;
  const int lane = std::countr_zero(w.mask);
  const uint32_t all = static_cast<uint32_t>(block.warps.size()) * kWarpSize;
  if (a.id > kClusterBarrier)
    fault(w, i, lane, "barrier " + std::to_string(a.id) + " does not exist: a CTA has barriers 0 to 15");
  if (a.threads % kWarpSize != 0)
    fault(w, i, lane,
          "barrier " + std::to_string(a.id) + " counts " + std::to_string(a.threads) +
              " threads, which is not a multiple of 32");
  if (a.threads > all)
    fault(w, i, lane,
          "barrier " + std::to_string(a.id) + " counts " + std::to_string(a.threads) + " threads, but the block has " +
              std::to_string(block.thread_count));
  BarrierState& barrier = block.barriers[a.id];
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
    Split split{w.pc, w.mask, i.pc, Split::Wait::kBarrier};
    split.barrier = static_cast<uint8_t>(a.id);
    split.reduction = a.reduction;
    split.result = a.result;
    w.waiting.push_back(split);
    w.active &= ~w.mask;
    w.switch_pc = 0;
  }
  if (w.barrier_lanes[a.id] == w.live) {
    w.barrier_lanes[a.id] = 0;
    barrier.arrived += kWarpSize;
    if (barrier.arrived > required_threads(block, barrier))
      fault(w, i, lane,
            "more threads arrive at barrier " + std::to_string(a.id) + " than it counts (" +
                std::to_string(barrier.expected) + ")");
  }
  note_progress(w);
  release_when_complete(block, a.id);
}

void leave_barriers(Warp& w) {
  Block& block = *w.block;
  for (uint32_t id = 0; id <= kClusterBarrier; ++id) {
    if (!block.barriers[id].is_pending) continue;
    if (w.barrier_lanes[id] != 0 && w.barrier_lanes[id] == w.live) {
      w.barrier_lanes[id] = 0;
      block.barriers[id].arrived += kWarpSize;
    }
    release_when_complete(block, id);
  }
}

}  // namespace sim

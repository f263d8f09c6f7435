// Blocks of a cluster in the race checker: what their barrier and arrivals on each other's mbarriers let them know,
// and that shared memory is used while its block lives: after that is known to have started, before its end.
#include <bit>

#include "checkers/race.hpp"

namespace sim::checkers {

bool RaceChecker::is_same_cluster(uint64_t block, uint64_t other) const {
  if (!has_clusters_) return block == other;
  const Dim3 &grid = grid_.config.grid, &shape = grid_.cluster;
  const Dim3 a = block_id(grid, block), b = block_id(grid, other);
  return a.x / shape.x == b.x / shape.x && a.y / shape.y == b.y / shape.y && a.z / shape.z == b.z / shape.z;
}

// A relaxed arrival without a fence before it tells that the block has started, and nothing else.
void RaceChecker::arrive_at_cluster(Warp& w, Order order) {
  BlockClocks& own = clocks_of(*w.block);
  WarpLanes& lanes = own.warps[w.index];
  begin(lanes);
  each_class(lanes, w.mask, [&](LaneClass& c) {
    Knowledge k;
    if (order != Order::kRelaxed)
      k = publish(w, lanes, c, c.mask);
    else if (c.released && c.released->scope >= Scope::kCluster)
      k = c.released->of(w.index, c.mask);
    own.cluster->barrier.join(k.for_cluster(w.block->index));
  });
}

// An arrival on the mbarrier of another block: what it releases reaches that block with a scope of the cluster alone.
void RaceChecker::arrive_far(Warp& w, int lane, MbarrierClock& m, Order order, Scope scope) {
  WarpLanes& lanes = lanes_of(w);
  const LaneClass& c = class_of(lanes, static_cast<uint32_t>(lane));
  Knowledge k;
  if (order == Order::kRelease && scope >= Scope::kCluster)
    k = publish(w, lanes, c, 1u << lane);
  else if (order == Order::kRelaxed && c.released && c.released->scope >= Scope::kCluster)
    k = c.released->of(w.index, 1u << lane);
  m.arrived_far.join(k.for_cluster(w.block->index));
}

void RaceChecker::check_started(const Warp& w, const Instr& i, const LaneClass& c, const std::byte* p) {
  const Block* const home = home_of(*w.block, p);
  if (home == w.block) return;
  const SharedForeign& known = c.knowledge.seen.foreign;
  if ((known && known->contains(home->index)) || !findings_.is_new("start", i.pc, 0)) return;
  findings_.add(w, i.pc, c.mask & w.mask, "sync", buffer_text(*w.block, p, true),
                "reaches into the shared memory of block " + to_string(home->id) +
                    ", and nothing has told the lanes that this block has started: barrier.cluster would");
}

// The block ends: what others did to its shared memory, and copies from it to others, must be before the end of one of
// its threads at least.
void RaceChecker::check_end(Block& block) {
  for (const Warp& w : block.warps)
    if (w.live != 0) return;  // a fault ended it
  BlockClocks& own = clocks_of(block);
  LaneClass last;
  last.mask = ~0u;
  last.knowledge.seen.warps.resize(block.warps.size());
  for (const WarpLanes& lanes : own.warps)
    for (const LaneClass& c : lanes.classes) last.knowledge.join(c.knowledge);
  const Accessor end(own, block.warps[0], last, 0, 0, true, true);
  own.shared.each_shared_entry([&](const Entry& e, size_t row) {
    const Event& event = events_[e.event];
    if (event.block == block.index && !(event.copy && event.copy->is_remote)) return;
    Entry all = e;
    if (all.lanes == 0) all.lanes = ~0u;
    bool is_unfenced = false;
    if (is_before(end, all, 0, is_unfenced) || !findings_.is_new("end", event.pc, 0)) return;
    for (uint32_t rank = 0; rank < block.cluster->size; ++rank) {
      const Block& user = *block.cluster->blocks[rank];
      if (user.index != event.block) continue;
      findings_.add(user.warps[event.warp], event.pc, event.copy ? 1u << event.copy->lane : all.lanes, "race",
                    "shared memory of block " + to_string(block.id),
                    std::string(e.is_write ? "writes" : "reads") + " the shared memory of block " +
                        to_string(block.id) + " (near byte " + std::to_string(row) +
                        "), which may have ended by then: nothing orders this before its end, as a barrier.cluster "
                        "behind it would");
    }
  });
}

}  // namespace sim::checkers

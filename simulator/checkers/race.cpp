// State of the race checker: blocks, epochs, classes of lanes, barriers, fences, events.
#include "checkers/race.hpp"

#include <algorithm>
#include <utility>

namespace sim::checkers {

RaceChecker::RaceChecker(const Grid& grid) : grid_(grid), has_clusters_(grid.cluster.count() > 1) {}

BlockClocks& RaceChecker::clocks_of(const Block& block) {
  if (&block != last_block_) {
    last_block_ = &block;
    last_clocks_ = blocks_.at(&block).get();
  }
  return *last_clocks_;
}

void RaceChecker::block_starts(Block& block) {
  auto clocks = std::make_unique<BlockClocks>();
  clocks->block = &block;
  if (has_clusters_) {
    clocks->cluster = &clusters_[block.cluster->index];
    ++clocks->cluster->blocks;
  }
  clocks->shared.resize_shared(block.shared_bytes);
  clocks->known.assign(block.warps.size() * grid_.kernel->code.size(), 0);
  clocks->warps.resize(block.warps.size());
  for (size_t n = 0; n < block.warps.size(); ++n) {
    LaneClass all;
    all.mask = block.warps[n].live;
    all.knowledge.seen.warps.resize(block.warps.size());
    clocks->warps[n].classes.push_back(std::move(all));
  }
  blocks_[&block] = std::move(clocks);
  last_block_ = nullptr;
}

void RaceChecker::block_ends(Block& block) {
  check_left(block);
  if (has_clusters_) {
    check_end(block);
    if (--clocks_of(block).cluster->blocks == 0) clusters_.erase(block.cluster->index);
  }
  blocks_.erase(&block);
  last_block_ = nullptr;
}

void RaceChecker::report(std::vector<Finding>& findings) {
  std::vector<Finding> all;
  findings_.take(all);
  const RunOptions& options = grid_.options;
  for (Finding& f : all)
    if (f.kind == "race" ? options.checks_races : options.checks_sync) findings.push_back(std::move(f));
}

namespace {

// The accesses of `lanes` up to an epoch, and those that a proxy fence has covered.
void add_own(Knowledge& k, uint32_t warp, uint32_t lanes, uint32_t epoch, const uint32_t* fenced_at) {
  k.seen.warps[warp].join(WarpClock(epoch, lanes));
  for (int space = 0; space < 2; ++space) {
    if (fenced_at[space] == 0) continue;
    BlockClock& fenced = k.fenced[space].warps;
    fenced.resize(k.seen.warps.size());
    fenced[warp].join(WarpClock(fenced_at[space], lanes));
  }
}

}  // namespace

Knowledge Released::of(uint32_t warp, uint32_t lanes) const {
  Knowledge k = knowledge;
  add_own(k, warp, lanes, epoch, fenced_at);
  return k;
}

Knowledge RaceChecker::publish(const Warp& w, WarpLanes& lanes, const LaneClass& c, uint32_t mask) {
  Knowledge k = c.knowledge;
  add_own(k, w.index, mask, lanes.epoch, c.fenced_at);
  lanes.has_released = true;
  return k;
}

void RaceChecker::warp_sync(Warp& w, const Instr&, uint32_t members) {
  WarpLanes& lanes = lanes_of(w);
  begin(lanes);
  Knowledge all;
  LaneClass joined;
  each_class(lanes, members, [&](LaneClass& c) {
    all.join(publish(w, lanes, c, c.mask));
    if (joined.mask == 0) joined.released = c.released;
  });
  joined.mask = members;
  joined.knowledge = std::move(all);
  // Lanes with something of their own that a later fence or write needs stay apart.
  bool is_plain = true;
  each_class(lanes, members, [&](LaneClass& c) {
    is_plain &= c.released == joined.released && !c.has_observed();
    c.fenced_at[0] = c.fenced_at[1] = 0;  // published
  });
  if (!is_plain) {
    each_class(lanes, members, [&](LaneClass& c) { c.knowledge = joined.knowledge; });
    return;
  }
  std::erase_if(lanes.classes, [&](const LaneClass& c) { return (c.mask & members) != 0; });
  lanes.classes.push_back(std::move(joined));
}

void RaceChecker::fence(Warp& w, const Instr&, Fence kind, Order order, Scope scope, Space space) {
  WarpLanes& lanes = lanes_of(w);
  begin(lanes);
  each_class(lanes, w.mask, [&](LaneClass& c) {
    Knowledge& k = c.knowledge;
    if (kind == Fence::kProxyAsync) {
      if (order == Order::kAcquire) return;  // of what the asynchronous proxy did, an mbarrier tells
      // A lane's fence covers what it has seen and its own accesses, not those of the lanes beside it.
      for (int s = 0; s < 2; ++s) {
        if (space != Space::kGeneric && (space == Space::kShared) != (s == 0)) continue;
        k.fenced[s].join(k.seen);
        c.fenced_at[s] = lanes.epoch;
      }
      lanes.has_released = true;
      return;
    }
    if (kind == Fence::kProxyTensorMap) return;
    if (order != Order::kRelease) {
      if (c.observed_here) k.join(*c.observed_here);
      if (c.observed_cluster && scope >= Scope::kCluster) {
        k.join(*c.observed_cluster, w.block->index);
        c.observed_cluster = nullptr;
      }
      if (c.observed_wide && scope >= Scope::kGpu) {
        k.seen.join_foreign(c.observed_wide, w.block->index);
        k.fenced[1].join_foreign(c.observed_wide_fenced, w.block->index);
      }
      if (scope >= Scope::kGpu) c.observed_wide = c.observed_wide_fenced = nullptr;
      c.observed_here = nullptr;
    }
    if (order == Order::kAcquire) return;
    auto released = std::make_shared<Released>();
    released->knowledge = k;
    released->epoch = lanes.epoch;
    released->fenced_at[0] = c.fenced_at[0];
    released->fenced_at[1] = c.fenced_at[1];
    released->scope = scope;
    c.released = std::move(released);
    lanes.has_released = true;
  });
}

void RaceChecker::barrier_arrive(Warp& w, const Instr&, uint32_t id, bool, Order order) {
  if (has_clusters_ && id == kClusterBarrier) return arrive_at_cluster(w, order);
  BlockClocks& block = clocks_of(*w.block);
  WarpLanes& lanes = block.warps[w.index];
  begin(lanes);
  each_class(lanes, w.mask, [&](LaneClass& c) {
    if (order != Order::kRelaxed) return block.barriers[id].join(publish(w, lanes, c, c.mask));
    if (!c.released) return;  // fence.mbarrier_init or another fence, then a relaxed arrival
    block.barriers[id].join(c.released->of(w.index, c.mask));
  });
}

void RaceChecker::barrier_complete(Block& b, uint32_t id) {
  BlockClocks& block = clocks_of(b);
  if (has_clusters_ && id == kClusterBarrier) {
    block.cluster->left = std::exchange(block.cluster->barrier, {});
    return;
  }
  block.left[id] = std::move(block.barriers[id]);
  block.barriers[id] = Knowledge{};
}

void RaceChecker::barrier_leave(Warp& w, uint32_t id, uint32_t members) {
  BlockClocks& block = clocks_of(*w.block);
  WarpLanes& lanes = block.warps[w.index];
  each_class(lanes, members, [&](LaneClass& c) {
    if (has_clusters_ && id == kClusterBarrier) return c.knowledge.join(block.cluster->left, w.block->index);
    c.knowledge.join(block.left[id]);
    if (id != kClusterBarrier) c.fenced_at[0] = c.fenced_at[1] = 0;  // published
  });
  if (lanes.classes.size() == 1 || id == kClusterBarrier) return;
  // All lanes arrived with all they knew: they know the same now.
  std::vector<LaneClass> merged;
  for (LaneClass& c : lanes.classes) {
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const LaneClass& m) {
      return (m.mask & members) != 0 && (c.mask & members) != 0 && m.released == c.released && !m.observed_here &&
             !c.observed_here && m.observed_cluster == c.observed_cluster && m.observed_wide == c.observed_wide;
    });
    if (same != merged.end())
      same->mask |= c.mask;
    else
      merged.push_back(std::move(c));
  }
  lanes.classes = std::move(merged);
}

uint32_t RaceChecker::new_event() {
  if (free_events_.empty() && events_.size() >= collect_at_) collect();
  uint32_t id;
  if (free_events_.empty()) {
    id = static_cast<uint32_t>(events_.size());
    events_.emplace_back();
  } else {
    id = free_events_.back();
    free_events_.pop_back();
    events_[id] = Event{};
  }
  events_[id].is_live = true;
  return id;
}

uint32_t RaceChecker::event_of(Warp& w, const Instr& i, Order order, Scope scope, uint32_t bytes, bool is_mbarrier) {
  BlockClocks& block = clocks_of(*w.block);
  const uint32_t epoch = block.warps[w.index].epoch;
  uint32_t& known = block.known[w.index * grid_.kernel->code.size() + i.pc];
  if (known != 0 && events_[known].epoch == epoch) return known;
  const uint32_t id = new_event();
  Event& e = events_[id];
  e.pc = i.pc;
  e.epoch = epoch;
  e.block = w.block->index;
  e.warp = static_cast<uint16_t>(w.index);
  e.is_strong = order != Order::kWeak;
  e.is_far = scope >= Scope::kCluster;
  e.is_wide = scope >= Scope::kGpu;
  e.is_mbarrier = is_mbarrier;
  e.bytes = static_cast<uint8_t>(bytes);
  known = id;
  return id;
}

// Frees the events that no cell names any more.
void RaceChecker::collect() {
  std::vector<bool> marked(events_.size());
  const auto mark = [&](const Entry& e) { marked[e.event] = true; };
  global_.each_entry(mark);
  for (auto& [block, clocks] : blocks_) {
    clocks->shared.each_entry(mark);
    for (auto& [ordinal, event] : clocks->in_flight) marked[event] = true;
    for (auto& [thread, events] : clocks->copies) std::erase_if(events, [&](uint32_t e) { return !marked[e]; });
    for (uint32_t& event : clocks->known)
      if (event != 0 && !marked[event]) event = 0;
  }
  for (uint32_t id = 1; id < events_.size(); ++id) {
    if (marked[id] || !events_[id].is_live) continue;
    events_[id] = Event{};
    free_events_.push_back(id);
  }
  collect_at_ = std::max(collect_at_, 2 * (events_.size() - free_events_.size()));
}

}  // namespace sim::checkers

// Release and acquire through memory: strong writes publish what a release or an earlier fence made ready, strong reads
// take it, at once or by a later fence. PTX ISA 8.8, release and acquire patterns; a pattern holds within the narrower
// of the scopes of its two ends.
#include <algorithm>
#include <bit>

#include "checkers/race.hpp"

namespace sim::checkers {

void RaceChecker::synchronise(Warp& w, const MemoryAccess& m, const Pointers& at) {
  const auto address = [&](int lane) { return reinterpret_cast<uint64_t>(at.of(lane, m.bytes)); };
  if (m.access == Access::kRead) {
    for (uint32_t left = w.mask; left != 0 && !variables_.empty();) {
      const uint64_t here = address(std::countr_zero(left));
      uint32_t group = 0;
      for (uint32_t rest = left; rest != 0; rest &= rest - 1)
        if (address(std::countr_zero(rest)) == here) group |= rest & (0u - rest);
      left &= ~group;
      acquire_at(w, here, group, m.order, m.scope);
    }
    return;
  }
  for (uint32_t left = w.mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const uint64_t here = address(lane);
    if (m.access == Access::kAtomic)
      acquire_at(w, here, 1u << lane, m.order, m.scope);
    else
      variables_.erase(here);  // a write that is no update begins anew
    if (m.order != Order::kWeak) release_at(w, here, 1u << lane, m.order, m.scope);
  }
}

// Whoever wrote a word of the map with a release (tensormap.cp_fenceproxy: each lane one) is heard.
void RaceChecker::map_acquired(Warp& w, const Instr&, Scope scope, const std::byte* const* maps) {
  constexpr uint64_t kBytes = 128, kWord = 4;
  begin(lanes_of(w));
  for (uint32_t left = w.mask; left != 0; left &= left - 1)
    for (uint64_t at = 0; at < kBytes; at += kWord)
      acquire_at(w, reinterpret_cast<uint64_t>(maps[std::countr_zero(left)]) + at, left & (0u - left), Order::kAcquire,
                 scope);
}

void RaceChecker::acquire_at(Warp& w, uint64_t address, uint32_t mask, Order order, Scope scope) {
  const auto found = variables_.find(address);
  if (found == variables_.end()) return;
  const SyncVariable& v = found->second;
  const uint64_t block = w.block->index;
  const bool is_wide = scope >= Scope::kGpu;
  const auto own = v.own.find(block);
  const auto near = scope >= Scope::kCluster ? v.cluster.find(w.block->cluster->index) : v.cluster.end();
  if (own == v.own.end() && near == v.cluster.end() && !(is_wide && v.wide)) return;
  const bool is_acquire = order == Order::kAcquire || order == Order::kAcqRel;
  each_class(lanes_of(w), mask, [&](LaneClass& c) {
    if (is_acquire) {
      if (own != v.own.end()) c.knowledge.join(own->second);
      if (near != v.cluster.end()) c.knowledge.join(near->second, block);
      if (!is_wide) return;
      c.knowledge.seen.join_foreign(v.wide, block);
      c.knowledge.fenced[1].join_foreign(v.wide_fenced, block);
      return;
    }
    if (own != v.own.end()) {
      auto observed = c.observed_here ? std::make_shared<Knowledge>(*c.observed_here) : std::make_shared<Knowledge>();
      observed->join(own->second);
      c.observed_here = std::move(observed);
    }
    if (near != v.cluster.end()) {
      auto observed = c.observed_cluster ? std::make_shared<ClusterKnowledge>(*c.observed_cluster)
                                         : std::make_shared<ClusterKnowledge>();
      observed->join(near->second);
      c.observed_cluster = std::move(observed);
    }
    if (!is_wide) return;
    join(c.observed_wide, v.wide);
    join(c.observed_wide_fenced, v.wide_fenced);
  });
}

void RaceChecker::release_at(Warp& w, uint64_t address, uint32_t mask, Order order, Scope scope) {
  WarpLanes& lanes = lanes_of(w);
  const uint64_t block = w.block->index;
  for (const LaneClass& c : lanes.classes) {
    if ((c.mask & mask) == 0) continue;
    const bool is_release = order >= Order::kRelease;
    if (!is_release && !c.released) continue;
    const Knowledge k = is_release ? publish(w, lanes, c, mask) : c.released->of(w.index, mask);
    SyncVariable& v = variables_[address];
    v.own[block].join(k);
    const Scope reach = is_release ? scope : std::min(scope, c.released->scope);
    if (has_clusters_ && reach >= Scope::kCluster) v.cluster[w.block->cluster->index].join(k.for_cluster(block));
    if (reach < Scope::kGpu) continue;
    join(v.wide, k.seen.as_foreign(block));
    join(v.wide_fenced, k.fenced[1].as_foreign(block));
  }
}

}  // namespace sim::checkers

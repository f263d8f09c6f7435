// Linear scan: registers in order of their first use take a free slot of their size or a new one; a slot is free again
// after the last use. A register that dies at an operation and one that is born there do not share, so that handlers
// may write a destination before they have read all sources.
#include <algorithm>
#include <functional>
#include <queue>

#include "program/ir.hpp"

namespace sim::lowering {

SlotPlan assign_slots(const Entry& entry, const std::vector<Interval>& intervals) {
  std::vector<uint32_t> order;
  for (uint32_t id = 0; id < intervals.size(); ++id)
    if (intervals[id].first <= intervals[id].last) order.push_back(id);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return intervals[a].first < intervals[b].first; });

  SlotPlan plan;
  plan.location.resize(intervals.size(), 0);
  std::vector<uint32_t> free_of_bytes[17];  // by bytes per lane; [0]: predicates. The slot freed last is the warmest
  using Active = std::pair<uint32_t, uint32_t>;  // last use, register
  std::priority_queue<Active, std::vector<Active>, std::greater<>> active;
  for (const uint32_t id : order) {
    while (!active.empty() && active.top().first < intervals[id].first) {
      const uint32_t dead = active.top().second;
      free_of_bytes[entry.register_bytes[dead]].push_back(plan.location[dead]);
      active.pop();
    }
    const uint32_t bytes = entry.register_bytes[id];
    std::vector<uint32_t>& free = free_of_bytes[bytes];
    if (!free.empty()) {
      plan.location[id] = free.back();
      free.pop_back();
    } else if (bytes == 0) {
      plan.location[id] = plan.pred_count++;
    } else {
      plan.location[id] = plan.bytes;
      plan.bytes += bytes * kWarpSize;
    }
    active.push({intervals[id].last, id});
  }
  return plan;
}

}  // namespace sim::lowering

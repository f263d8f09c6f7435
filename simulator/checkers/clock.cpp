#include "checkers/clock.hpp"

namespace sim::checkers {

void join(SharedForeign& to, const SharedForeign& from) {
  if (from == nullptr || from == to) return;
  if (to == nullptr) {
    to = from;
    return;
  }
  std::shared_ptr<Foreign> grown;
  for (const auto& [block, clock] : *from) {
    const auto known = to->find(block);
    if (known != to->end() && known->second == clock) continue;
    if (!grown) grown = std::make_shared<Foreign>(*to);
    std::shared_ptr<const BlockClock>& mine = (*grown)[block];
    if (mine == nullptr) {
      mine = clock;
    } else {
      auto both = std::make_shared<BlockClock>(*mine);
      join(*both, *clock);
      mine = std::move(both);
    }
  }
  if (grown) to = std::move(grown);
}

namespace {

void join_phases(std::vector<uint32_t>& to, const std::vector<uint32_t>& from) {
  if (to.size() < from.size()) to.resize(from.size());
  for (size_t n = 0; n < from.size(); ++n) to[n] = std::max(to[n], from[n]);
}

}  // namespace

void Clock::join(const Clock& o) {
  checkers::join(warps, o.warps);
  join_phases(phases, o.phases);
  checkers::join(foreign, o.foreign);
}

SharedForeign Clock::as_foreign(uint64_t block) const {
  auto all = foreign ? std::make_shared<Foreign>(*foreign) : std::make_shared<Foreign>();
  (*all)[block] = std::make_shared<const BlockClock>(warps);
  return all;
}

void Clock::join_foreign(const SharedForeign& from, uint64_t block) {
  if (from == nullptr) return;
  if (const auto own = from->find(block); own != from->end()) checkers::join(warps, *own->second);
  checkers::join(foreign, from);
}

void ClusterKnowledge::Part::join(const Part& o) {
  checkers::join(blocks, o.blocks);
  join_phases(phases, o.phases);
}

void ClusterKnowledge::join(const ClusterKnowledge& o) {
  seen.join(o.seen);
  for (int space = 0; space < 2; ++space) fenced[space].join(o.fenced[space]);
}

ClusterKnowledge Knowledge::for_cluster(uint64_t block) const {
  const auto part = [=](const Clock& c) { return ClusterKnowledge::Part{c.as_foreign(block), c.phases}; };
  return {part(seen), {part(fenced[0]), part(fenced[1])}};
}

void Knowledge::join(const ClusterKnowledge& o, uint64_t block) {
  const auto take = [=](Clock& to, const ClusterKnowledge::Part& from) {
    to.join_foreign(from.blocks, block);
    join_phases(to.phases, from.phases);
  };
  take(seen, o.seen);
  for (int space = 0; space < 2; ++space) take(fenced[space], o.fenced[space]);
}

}  // namespace sim::checkers

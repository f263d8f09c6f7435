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

void Clock::join(const Clock& o) {
  checkers::join(warps, o.warps);
  if (phases.size() < o.phases.size()) phases.resize(o.phases.size());
  for (size_t n = 0; n < o.phases.size(); ++n) phases[n] = std::max(phases[n], o.phases[n]);
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

}  // namespace sim::checkers

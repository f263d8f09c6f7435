#include "checkers/checkers.hpp"

#include "checkers/init.hpp"
#include "checkers/race.hpp"
#include "checkers/sync.hpp"
#include "machine/observers.hpp"

namespace sim::checkers {
namespace {

template <class T>
std::unique_ptr<Observer> make(const Grid& grid) {
  if constexpr (std::is_constructible_v<T, const Grid&>)
    return std::make_unique<T>(grid);
  else
    return std::make_unique<T>();
}

}  // namespace

std::unique_ptr<Observer> check_grid(const Grid& grid) {
  const RunOptions& options = grid.options;
  std::vector<MakeObserver> makers;
  if (options.checks_races || options.checks_sync) makers.push_back(make<RaceChecker>);  // sync: uses of mbarriers
  if (options.checks_sync) makers.push_back(make<SyncChecker>);
  if (options.checks_init) makers.push_back(make<InitChecker>);
  return make_observers(makers, grid);
}

}  // namespace sim::checkers

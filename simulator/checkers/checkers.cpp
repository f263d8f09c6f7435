#include "checkers/checkers.hpp"

#include "checkers/race.hpp"

namespace sim::checkers {

std::unique_ptr<Observer> check_grid(const Grid& grid) { return std::make_unique<RaceChecker>(grid); }

}  // namespace sim::checkers

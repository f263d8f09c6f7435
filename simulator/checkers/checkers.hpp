// The checkers of a launch, as RunOptions asks for them.
#pragma once

#include <memory>

#include "machine/launch.hpp"

namespace sim::checkers {

// An observer for one host thread of the launch (a checked launch has one). Its findings are in LaunchResult::findings.
std::unique_ptr<Observer> check_grid(const Grid& grid);

inline bool checks(const RunOptions& options) {
  return options.checks_races || options.checks_init || options.checks_sync;
}

}  // namespace sim::checkers

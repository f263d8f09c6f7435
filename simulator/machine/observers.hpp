// Who listens to a launch: makers in, for each host thread one observer out that passes every hook on to all of theirs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "machine/launch.hpp"
#include "machine/observer.hpp"

namespace sim {

// One observer per host thread of a launch; nullptr when nobody listens. Observer::grid_ends is called on each, one
// after the other, when all threads have ended: there it hands over what it has.
std::unique_ptr<Observer> make_observers(std::span<const MakeObserver> makers, const Grid& grid);

}  // namespace sim

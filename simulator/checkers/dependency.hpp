// Programmatic dependent launches: a grid that may start before the grids ahead of it have ended must not touch what
// they write, nor write what they read, before griddepcontrol.wait. In: the observer's hooks, and the footprint of the
// grids ahead; out: findings of kind "race", and the grid's own footprint. The simulator runs grids one after the
// other, so the check holds for the earliest moment at which hardware may start the grid.
#pragma once

#include <memory>
#include <string>

#include "checkers/footprint.hpp"
#include "machine/launch.hpp"

namespace sim::checkers {

// Of all grids that may be running when the next one starts; the driver keeps it, one launch after the other.
struct Overlap {
  Footprint ahead;             // of the grids before the current one
  Footprint own;               // of the current one
  bool is_dependent = false;   // the current one may start before those have ended
  bool lets_go_early = false;  // the current one lets the next start before it has waited itself

  // A grid is launched.
  void start(bool depends_on_trigger, const std::string& kernel);
};
Overlap& overlap();

std::unique_ptr<Observer> check_dependency(const Grid& grid);

}  // namespace sim::checkers

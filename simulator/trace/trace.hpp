// Executed instructions, one JSON object a line: what ran where, for which lanes, and what it wrote.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "machine/launch.hpp"

namespace sim {
class Observer;
struct Grid;
}  // namespace sim

namespace sim::trace {

struct Settings {
  std::string file;           // lines are appended
  std::string kernel;         // "": all
  std::optional<Dim3> block;  // none: all
  int warp = -1;              // in its block; < 0: all
  uint64_t most = 10000;      // lines; the program runs on without being traced
};

// For the launches that follow.
void configure(Settings settings);
// Throws std::runtime_error when the file cannot be opened.
std::unique_ptr<Observer> trace_grid(const Grid& grid);

}  // namespace sim::trace

// launch_shape.hpp: the part of every plan that the driver is told.
#pragma once

#include <array>
#include <cstdint>

namespace b12x {

struct LaunchShape {
  std::array<uint32_t, 3> grid{1, 1, 1};
  std::array<uint32_t, 3> block{1, 1, 1};
  uint32_t shared_bytes = 0;       // dynamic
  bool is_cooperative = false;     // all blocks resident at once
  bool overlaps_previous = false;  // programmatic dependent launch
  bool operator==(const LaunchShape&) const = default;
};

}  // namespace b12x

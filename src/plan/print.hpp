// print.hpp: the parts that every plan prints.
#pragma once

#include <string>

#include "b12x/launch_shape.hpp"
#include "base/text.hpp"

namespace b12x {

// "grid=188x1x1 block=288 smem=75.4KB"
inline std::string launch_string(const LaunchShape& launch) {
  std::string text = str("grid=", launch.grid[0], "x", launch.grid[1], "x", launch.grid[2], " block=", launch.block[0]);
  if (launch.shared_bytes != 0) text += str(" smem=", launch.shared_bytes);
  if (launch.is_cooperative) text += " cooperative";
  if (launch.overlaps_previous) text += " pdl";
  return text;
}

}  // namespace b12x

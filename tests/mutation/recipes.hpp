// recipes.hpp: how each kernel entry of the product is launched, small but through every path that synchronises: rings
// wrap, blocks take several tiles, the inputs come from the grid before, and every launch is a programmatic dependent
// of that one, which the kernels are written for.
#pragma once

#include <string>

#include "b12x/device.hpp"

namespace b12x::mutation {

// Launches `entry`, after the kernels that write its inputs, on the device's default stream. False: no recipe is known.
// Throws Error as the product does.
bool launch(const std::string& entry, const Device& device);

}  // namespace b12x::mutation

// The rows of mov, which convert_forms() joins.
#pragma once

#include <span>

#include "ops/form.hpp"

namespace sim {

std::span<const Form> move_forms();

}  // namespace sim

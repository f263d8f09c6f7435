// The parts of float_forms().
#pragma once

#include <span>

#include "ops/form.hpp"

namespace sim {

std::span<const Form> half_forms();  // f16, bf16 and their pairs: float_half.cpp
std::span<const Form> mufu_forms();  // approximations: float_mufu.cpp

}  // namespace sim

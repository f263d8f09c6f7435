// The parts of alu_forms() that have files of their own.
#pragma once

#include <span>

#include "ops/form.hpp"

namespace sim {

std::span<const Form> bit_forms();  // logic, shifts, bit fields, prmt: alu_bits.cpp

}  // namespace sim

// cases.hpp: the fixed list of kernel runs whose outputs the H200 recorded and the simulated H200 must repeat.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "b12x/device.hpp"

namespace calibration {

struct Case {
  std::string name;                                              // "gemm bf16 m=33 n=136 k=192"
  std::function<std::vector<uint8_t>(const b12x::Device&)> run;  // bytes of all outputs, in a fixed order
};

// Inputs come from a generator that is written out here, so they are the same bits on every machine.
std::vector<Case> all_cases();

}  // namespace calibration

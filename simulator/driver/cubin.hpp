// What machine code says of its kernels: the simulator does not execute it, but tells programs the numbers in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace sim::driver {

struct CompiledKernel {
  uint32_t registers = 0;    // a thread's
  uint32_t local_bytes = 0;  // its stack frame
  uint32_t barriers = 0;     // that a block has
};

// By name. Empty for an image that is no cubin, or one that is damaged: its numbers are then estimated.
std::map<std::string, CompiledKernel> read_cubin(std::span<const std::byte> image);

}  // namespace sim::driver

// How many registers a kernel would have: only ptxas knows. Its code needs at least the most values that are live at
// one place; what it adds to overlap loads and arithmetic, and saves by computing addresses anew, is about a constant
// for the kernels of this repository, whose counts are compared with ptxas's in docs/howto/sim.md.
#include <algorithm>

#include "program/ir.hpp"

namespace sim::lowering {
namespace {

constexpr uint32_t kAdded = 4, kGranule = 2;
constexpr uint32_t kMost = 255, kFileOfAnSm = 65536, kAllocated = 8;

// The most that launch bounds leave: so many blocks of so many threads share a file.
uint32_t bound_of(const Kernel& kernel) {
  if (kernel.max_nreg != 0) return std::min(kernel.max_nreg, kMost);
  const uint32_t* n = kernel.reqntid[0] != 0 ? kernel.reqntid : kernel.maxntid;
  const uint32_t threads = n[0] * std::max(1u, n[1]) * std::max(1u, n[2]) * std::max(1u, kernel.min_ctas_per_sm);
  return threads == 0 ? kMost : std::clamp(kFileOfAnSm / threads / kAllocated * kAllocated, kAllocated, kMost);
}

}  // namespace

uint32_t estimate_registers(const Kernel& kernel, uint32_t pressure) {
  const uint32_t wanted = (pressure + kAdded + kGranule - 1) / kGranule * kGranule;
  return std::min(wanted, bound_of(kernel));
}

}  // namespace sim::lowering

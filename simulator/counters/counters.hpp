// What kernels did, exactly: an observer per host thread counts for each instruction of the kernel, the sums are kept
// per kernel for the life of the process. docs/counters.md defines every counter and names ncu's for it.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "machine/launch.hpp"

namespace sim {
class Observer;
struct Grid;
}  // namespace sim

namespace sim::counters {

enum class Counter : uint8_t {
  kInstExecuted,
  kThreadInst,
  kThreadInstOn,
  kSharedLoadWavefronts,
  kSharedStoreWavefronts,
  kSharedAtomicWavefronts,
  kSharedConflicts,
  kGlobalLoadRequests,
  kGlobalLoadSectors,
  kGlobalStoreRequests,
  kGlobalStoreSectors,
  kGlobalAtomicRequests,
  kGlobalAtomicSectors,
  kLocalRequests,
  kCopyBytes,
  kBulkLoadBytes,
  kBulkStoreBytes,
  kL2ReadSectors,
  kL2WriteSectors,
  kL2UpdateSectors,
  kL2HitSectors,
  kDramReadBytes,
  kDramWriteBytes,
  kTensorInst,
  kTensorCycles,
  kMbarrierWaits,
  kMbarrierWaitFails,
  kBarrierWaits,
  kStrongLoads,
  kCount
};
inline constexpr size_t kCounters = static_cast<size_t>(Counter::kCount);
// "inst_executed", as JSON and reports write it.
const char* name_of(Counter counter);

struct Counts : std::array<uint64_t, kCounters> {
  Counts() : std::array<uint64_t, kCounters>{} {}
  uint64_t& operator[](Counter c) { return std::array<uint64_t, kCounters>::operator[](static_cast<size_t>(c)); }
  uint64_t operator[](Counter c) const { return std::array<uint64_t, kCounters>::operator[](static_cast<size_t>(c)); }
  void add(const Counts& other) {
    for (size_t n = 0; n < kCounters; ++n) data()[n] += other.data()[n];
  }
};

// Counts what one host thread runs of the grid, and adds it to the process's sums at Observer::grid_ends.
std::unique_ptr<Observer> count_grid(const Grid& grid);

// One JSON object: all kernels since the last reset, with pipes, warps, source lines and instructions.
std::string to_json(const Card& card);
// Totals of a kernel, of all its launches; zeros when it has not run.
Counts totals(const std::string& kernel);
void reset();
// Forgets what the modelled L2 holds, for measurements of a cold start. It is kept by reset().
void flush_l2();

}  // namespace sim::counters

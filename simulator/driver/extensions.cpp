// The simulator's own entry points, found by dlsym: a program that runs on a real driver as well does not find them
// there.
#include "driver/state.hpp"

using namespace sim::driver;

extern "C" {

struct SimKernelStat {
  const char* name;  // valid until the next simResetKernelStats
  uint64_t launches;
  uint64_t warp_instructions;
  double seconds;  // host seconds spent simulating
};

// Statistics of every kernel launched since the last reset, by name. Returns how many there are; fills at most
// `capacity`.
size_t simKernelStats(SimKernelStat* out, size_t capacity) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  size_t n = 0;
  for (const auto& [name, stat] : s.kernel_stats) {
    if (out != nullptr && n < capacity) out[n] = {name.c_str(), stat.launches, stat.warp_instructions, stat.seconds};
    ++n;
  }
  return n;
}

void simResetKernelStats() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.kernel_stats.clear();
}

// The text of the last fault or refusal, empty when there was none. Valid until the next call into the driver.
const char* simLastReport() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return s.last_report.c_str();
}

}  // extern "C"

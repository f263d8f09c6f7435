// Host threads that stay between launches.
#pragma once

#include <functional>

namespace sim {

// Cores that this process may use; B12X_SIM_THREADS overrides.
unsigned host_threads();

// Runs job(0) .. job(count - 1) at the same time, job(0) on the calling thread, and returns when all have ended. Jobs
// do not throw. One call at a time.
void run_on_pool(unsigned count, const std::function<void(unsigned)>& job);

}  // namespace sim

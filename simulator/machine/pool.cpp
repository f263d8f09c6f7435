// A pool that grows to the widest request and sleeps between launches. It is never destroyed: its threads may outlive
// static destructors, and the process ends under them.
#include "machine/pool.hpp"

#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace sim {
namespace {

struct Pool {
  std::mutex mutex;
  std::condition_variable work, done;
  const std::function<void(unsigned)>* job = nullptr;
  unsigned threads = 0;  // started so far; thread n runs job(n + 1)
  unsigned wanted = 0;   // of the current job, without the caller
  unsigned finished = 0;
  uint64_t generation = 0;
};

Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

void serve(unsigned index, uint64_t seen) {
  Pool& p = pool();
  std::unique_lock lock(p.mutex);
  for (;;) {
    p.work.wait(lock, [&] { return p.generation != seen; });
    seen = p.generation;
    if (index >= p.wanted) continue;
    const auto* job = p.job;
    lock.unlock();
    (*job)(index + 1);
    lock.lock();
    if (++p.finished == p.wanted) p.done.notify_one();
  }
}

}  // namespace

unsigned host_threads() {
  if (const char* text = std::getenv("B12X_SIM_THREADS")) {
    const long n = std::strtol(text, nullptr, 10);
    if (n > 0) return static_cast<unsigned>(std::min(n, 1024l));
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return static_cast<unsigned>(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

void run_on_pool(unsigned count, const std::function<void(unsigned)>& job) {
  if (count <= 1) return job(0);
  Pool& p = pool();
  std::unique_lock lock(p.mutex);
  const uint64_t seen = p.generation;
  for (; p.threads < count - 1; ++p.threads) std::thread(serve, p.threads, seen).detach();
  p.job = &job;
  p.wanted = count - 1;
  p.finished = 0;
  ++p.generation;
  p.work.notify_all();
  lock.unlock();
  job(0);
  lock.lock();
  p.done.wait(lock, [&] { return p.finished == p.wanted; });
}

}  // namespace sim

// Runs a grid on the host's cores. Each worker holds blocks that can be left and resumed: when all of a worker's blocks
// poll, it starts another one (as many as the card could hold at a time), and when all workers are stuck, one of them
// asks whether the grid is dead (residents.cpp). A seeded run has one worker, and the seed chooses the next block.
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "machine/fault.hpp"
#include "machine/observers.hpp"
#include "machine/pool.hpp"
#include "machine/residents.hpp"

namespace sim {
namespace {

using Status = LaunchResult::Status;

constexpr uint32_t kDefaultMxcsr = 0x1f80;  // round to nearest, subnormals kept, no traps
constexpr auto kPause = std::chrono::microseconds(50);
constexpr int kSpins = 64;            // looks at the others' progress before a worker sleeps
constexpr size_t kKeptStorages = 2;   // per worker between launches
constexpr uint64_t kMostAtATime = 8;  // blocks that a seed lets share the host

uint64_t moves_of_all(const Run& run) {
  uint64_t sum = 0;
  for (const Worker* worker : run.workers) sum += worker->moves.load(std::memory_order_relaxed);
  return sum;
}

// Nothing of this worker can get on. True: look again; false: the grid is over.
bool wait_for_others(Run& run, uint64_t seen) {
  {
    std::unique_lock lock(run.mutex);
    if (run.is_over) return false;
    if (run.stuck + 1 == run.active) {
      if (is_dead(run)) {
        report_deadlock(run);
        run.is_over = true;
        run.changed.notify_all();
        return false;
      }
      return true;
    }
  }
  for (int n = 0; n < kSpins; ++n) {
    if (moves_of_all(run) != seen) return true;
    std::this_thread::yield();
  }
  std::unique_lock lock(run.mutex);
  ++run.stuck;
  run.changed.wait_for(lock, kPause);
  --run.stuck;
  return !run.is_over;
}

// The loop of a seeded run: one host thread, a few blocks at a time until they are stuck, which of them as drawn.
void work_seeded(Run& run, Worker& me) {
  const size_t width = 1 + run.choices.below(Choice::kWidth, kMostAtATime);
  while (!run.is_over) {
    while (me.resident.size() < width && start_block(run, me)) {
    }
    std::vector<Resident*> able;
    for (Resident& r : me.resident)
      if (!r.is_stuck) able.push_back(&r);
    if (able.empty()) {
      if (start_block(run, me)) continue;
      if (me.resident.empty() || !wait_for_others(run, 0)) return;  // alone: looks whether all are dead
      for (Resident& r : me.resident) r.is_stuck = false;
      release_finished(run, me);
      continue;
    }
    Resident& r = *able[run.choices.below(Choice::kBlock, able.size())];
    if (advance(run, r))
      for (Resident& other : me.resident) other.is_stuck = false;
    release_finished(run, me);
  }
}

void work(Run& run, Worker& me) {
  const uint32_t mxcsr = _mm_getcsr();
  _mm_setcsr(kDefaultMxcsr);
  try {
    if (run.grid.options.seed != 0) work_seeded(run, me);
    while (!run.is_over && run.grid.options.seed == 0) {
      const uint64_t seen = moves_of_all(run);
      bool moved = false;
      for (size_t n = 0; n < me.resident.size(); ++n) moved |= advance(run, me.resident[n]);
      release_finished(run, me);
      // New blocks start only when those here cannot get on: they are what the waiting ones may need.
      while (!moved && start_block(run, me)) {
        moved = advance(run, me.resident.back());
        release_finished(run, me);
      }
      if (moved) {
        me.moves.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      if (me.resident.empty() && run.next.load() >= run.total) break;
      if (me.resident.empty() && run.next.load() > run.lowest_fault.load()) break;
      if (!wait_for_others(run, seen)) break;
    }
  } catch (const std::exception& error) {
    run.record(0, Status::kLaunchFailed, std::string("simulator: ") + error.what());
    run.is_over = true;
  }
  {
    const std::lock_guard lock(run.mutex);
    --run.active;
    run.changed.notify_all();
  }
  _mm_setcsr(mxcsr);
}

std::string refusal(const Kernel& kernel, const LaunchConfig& config, const Card& card, uint32_t per_sm) {
  if (!kernel.load_error.empty()) return kernel.name + " cannot run: " + kernel.load_error;
  if (config.cluster.count() != 1)
    return kernel.name + ": cluster " + to_string(config.cluster) +
           " asked for, the simulator runs clusters of one block";
  if (config.grid.count() == 0 || config.block.count() == 0) return kernel.name + ": the grid is empty";
  if (per_sm == 0) return kernel.name + ": a block does not fit on an SM of " + card.name;
  const uint64_t capacity = static_cast<uint64_t>(per_sm) * static_cast<uint64_t>(card.sm_count);
  if (config.is_cooperative && config.grid.count() > capacity)
    return kernel.name + ": a cooperative grid of " + std::to_string(config.grid.count()) + " blocks, but only " +
           std::to_string(capacity) + " can be resident";
  return "";
}

// Workers and simulated time live on between launches; launches follow each other.
struct Machine {
  std::mutex mutex;
  std::vector<std::unique_ptr<Worker>> workers;
  uint64_t next_grid_id = 1;
  uint64_t nanoseconds = 1'000'000'000;  // of %globaltimer
};

Machine& machine() {
  static Machine& instance = *new Machine;
  return instance;
}

}  // namespace

LaunchResult run_grid(const Kernel& kernel, const LaunchConfig& config, const void* params, Memory& memory,
                      const Card& card, const RunOptions& options, std::span<const MakeObserver> observers) {
  const auto begin = std::chrono::steady_clock::now();
  Machine& m = machine();
  const std::lock_guard lock(m.mutex);
  Run run;
  const uint32_t shared = kernel.static_shared_bytes + config.dynamic_shared_bytes;
  run.per_sm = blocks_per_sm(kernel, card, static_cast<uint32_t>(config.block.count()), shared);
  if (std::string text = refusal(kernel, config, card, run.per_sm); !text.empty())
    return {Status::kLaunchFailed, std::move(text), {}, {}};
  run.total = config.grid.count();
  run.capacity = static_cast<uint64_t>(run.per_sm) * static_cast<uint64_t>(card.sm_count);
  run.grid.kernel = &kernel;
  run.grid.config = config;
  run.grid.options = options;
  run.grid.params = static_cast<const std::byte*>(params);
  run.grid.memory = &memory;
  run.grid.card = &card;
  run.grid.id = m.next_grid_id++;
  run.grid.start_nanoseconds = m.nanoseconds;
  if (options.is_ordered()) run.grid.visible = visible_steps(kernel);
  run.choices = Choices(options, ~0ull);
  const unsigned threads = options.is_ordered() ? 1 : host_threads();
  const unsigned count = static_cast<unsigned>(std::min<uint64_t>(threads, run.total));
  while (m.workers.size() < count) m.workers.push_back(std::make_unique<Worker>());
  for (unsigned n = 0; n < count; ++n) {
    m.workers[n]->cycles = m.workers[n]->executed = 0;
    m.workers[n]->observer = make_observers(observers, run.grid);
    if (m.workers[n]->observer) m.workers[n]->observer->grid_starts(run.grid);
    run.workers.push_back(m.workers[n].get());
  }
  run.active = count;
  run_on_pool(count, [&](unsigned n) { work(run, *run.workers[n]); });

  uint64_t cycles = 0;
  for (Worker* worker : run.workers) {
    if (worker->observer) {
      worker->observer->grid_ends(run.grid);
      worker->observer->report(run.result.findings);
    }
    worker->observer.reset();
    for (Resident& r : worker->resident) {
      worker->executed += r.storage->executed();
      worker->ready.push_back(std::move(r.storage));
    }
    worker->resident.clear();
    run.result.counters.warp_instructions += worker->executed;
    cycles = std::max(cycles, worker->cycles);
    for (auto& storage : worker->ready)
      if (worker->spare.size() < kKeptStorages) worker->spare.push_back(std::move(storage));
    worker->ready.clear();
  }
  if (run.ended_by) run.result.findings.push_back(*std::move(run.ended_by));
  cycles += run.grid.skipped_cycles.load();
  m.nanoseconds += cycles * 1000 / (card.clock_khz / 1000) + 1;
  run.result.counters.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return std::move(run.result);
}

}  // namespace sim

// Runs a grid on the host's cores. Each worker holds blocks that can be left and resumed: when all of a worker's blocks
// poll, it starts another one (as many as the card could hold at a time), and when all workers are stuck, one of them
// asks whether the grid is dead (residents.cpp). A seeded run has one worker, and the seed chooses the next block; a
// grid that was launched to start early is then run inside the one that it depends on, at the moment of its trigger.
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
constexpr uint64_t kMostAtATime = 8;  // blocks, by whole clusters, that a seed lets share the host

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
    while (me.resident.size() < width && start_cluster(run, me)) {
    }
    std::vector<Resident*> able;
    for (Resident& r : me.resident)
      if (!r.is_stuck && !r.is_finished) able.push_back(&r);
    if (able.empty()) {
      if (start_cluster(run, me)) continue;
      if (run.grid.waits_for_primary) return;
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
      while (!moved && start_cluster(run, me)) {
        for (size_t n = me.resident.size() - run.cluster_size; n < me.resident.size(); ++n)
          moved |= advance(run, me.resident[n]);
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

// `capacity`: blocks that can be resident.
std::string refusal(const Kernel& kernel, const LaunchConfig& config, const Card& card, uint32_t per_sm,
                    uint64_t capacity) {
  if (!kernel.load_error.empty()) return kernel.name + " cannot run: " + kernel.load_error;
  if (config.grid.count() == 0 || config.block.count() == 0) return kernel.name + ": the grid is empty";
  if (std::string text = cluster_refusal(kernel, config, card.most_cluster_blocks); !text.empty())
    return kernel.name + ": " + text;
  if (per_sm == 0) return kernel.name + ": a block does not fit on an SM of " + card.name;
  if (capacity == 0)
    return kernel.name + ": a cluster " + to_string(cluster_of(kernel, config)) + " does not fit on " + card.name;
  if (config.is_cooperative && grid_of(kernel, config).count() > capacity)
    return kernel.name + ": a cooperative grid of " + std::to_string(grid_of(kernel, config).count()) +
           " blocks, but only " + std::to_string(capacity) + " can be resident";
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

// One grid of a chain, from its start to its result. The caller holds Machine::mutex.
class GridRun {
 public:
  GridRun(Machine& machine, const GridLaunch& launch, Memory& memory, const Card& card, const RunOptions& options,
          std::span<const MakeObserver> observers, size_t first_worker)
      : machine_(machine) {
    const Kernel& kernel = *launch.kernel;
    const LaunchConfig& config = launch.config;
    const uint32_t shared = kernel.static_shared_bytes + config.dynamic_shared_bytes;
    run_.per_sm = blocks_per_sm(kernel, card, static_cast<uint32_t>(config.block.count()), shared);
    const Dim3 cluster = cluster_of(kernel, config);
    const auto size = static_cast<uint32_t>(std::clamp<uint64_t>(cluster.count(), 1, Cluster::kMostBlocks));
    run_.capacity = size == 1 ? static_cast<uint64_t>(run_.per_sm) * static_cast<uint64_t>(card.sm_count)
                              : resident_clusters(card, run_.per_sm, size);
    if (std::string text = refusal(kernel, config, card, run_.per_sm, run_.capacity * size); !text.empty()) {
      run_.result.status = Status::kLaunchFailed;
      run_.result.report = std::move(text);
      return;
    }
    run_.grid.kernel = &kernel;
    run_.grid.config = config;
    run_.grid.config.grid = grid_of(kernel, config);
    run_.grid.cluster = cluster;
    run_.grid.has_clusters = has_clusters(kernel, config);
    run_.cluster_size = size;
    run_.grid.untriggered = run_.grid.config.grid.count();
    run_.total = run_.grid.untriggered / size;
    run_.grid.options = options;
    run_.grid.params = static_cast<const std::byte*>(launch.params);
    run_.grid.memory = &memory;
    run_.grid.card = &card;
    run_.grid.id = machine.next_grid_id++;
    run_.grid.start_nanoseconds = machine.nanoseconds;
    if (options.is_ordered()) run_.grid.visible = visible_steps(kernel);
    run_.choices = Choices(options, ~0ull);
    run_.grid.cancel_block = [this]() -> std::optional<Dim3> {
      const uint64_t index = cancel_cluster(run_);
      if (index >= run_.total) return std::nullopt;
      const Dim3 &grid = run_.grid.config.grid, &shape = run_.grid.cluster;
      const Dim3 at = block_id({grid.x / shape.x, grid.y / shape.y, grid.z / shape.z}, index);
      return Dim3{at.x * shape.x, at.y * shape.y, at.z * shape.z};
    };
    const uint64_t threads = options.is_ordered() ? 1 : host_threads();
    const size_t count = std::min<uint64_t>(threads, run_.total);
    while (machine.workers.size() < first_worker + count) machine.workers.push_back(std::make_unique<Worker>());
    for (size_t n = first_worker; n < first_worker + count; ++n) {
      Worker* worker = machine.workers[n].get();
      worker->cycles = worker->executed = 0;
      worker->observer = make_observers(observers, run_.grid);
      if (worker->observer) worker->observer->grid_starts(run_.grid);
      run_.workers.push_back(worker);
    }
  }

  Grid& grid() { return run_.grid; }

  // Runs the blocks to their end, or, while griddepcontrol.wait has to wait, until that holds all of them. On the
  // calling thread where it alone works: a trigger inside another grid starts this one there.
  void advance() {
    run_.active = static_cast<unsigned>(run_.workers.size());
    for (Worker* worker : run_.workers)
      for (Resident& r : worker->resident) r.is_stuck = false;
    if (run_.active == 1)
      work(run_, *run_.workers[0]);
    else if (run_.active > 1)
      run_on_pool(run_.active, [&](unsigned n) { work(run_, *run_.workers[n]); });
  }

  LaunchResult finish() {
    uint64_t cycles = 0;
    for (Worker* worker : run_.workers) {
      if (worker->observer) {
        worker->observer->grid_ends(run_.grid);
        worker->observer->report(run_.result.findings);
      }
      worker->observer.reset();
      for (Resident& r : worker->resident) {
        worker->executed += r.storage->executed();
        worker->ready.push_back(std::move(r.storage));
      }
      worker->resident.clear();
      run_.result.counters.warp_instructions += worker->executed;
      cycles = std::max(cycles, worker->cycles);
      for (auto& storage : worker->ready)
        if (worker->spare.size() < kKeptStorages) worker->spare.push_back(std::move(storage));
      worker->ready.clear();
    }
    if (run_.ended_by) run_.result.findings.push_back(*std::move(run_.ended_by));
    if (run_.workers.empty()) return std::move(run_.result);
    cycles += run_.grid.skipped_cycles.load();
    machine_.nanoseconds += cycles * 1000 / (run_.grid.card->clock_khz / 1000) + 1;
    run_.result.counters.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    return std::move(run_.result);
  }

 private:
  Machine& machine_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Run run_;
};

}  // namespace

std::vector<LaunchResult> run_chain(std::span<const GridLaunch> chain, Memory& memory, const Card& card,
                                    const RunOptions& options, std::span<const MakeObserver> observers) {
  Machine& m = machine();
  const std::lock_guard lock(m.mutex);
  std::vector<std::unique_ptr<GridRun>> runs(chain.size());
  const std::function<void(size_t, bool)> start = [&](size_t n, bool waits) {
    RunOptions its_options = options;
    its_options.launch += n;
    runs[n] = std::make_unique<GridRun>(m, chain[n], memory, card, its_options, observers, options.seed != 0 ? n : 0);
    runs[n]->grid().waits_for_primary = waits;
    if (options.seed != 0 && n + 1 < chain.size()) runs[n]->grid().on_trigger = [&start, n] { start(n + 1, true); };
    runs[n]->advance();
  };
  std::vector<LaunchResult> results;
  for (size_t n = 0; n < chain.size() && (n == 0 || results.back().status == Status::kOk); ++n) {
    if (runs[n] == nullptr) {
      start(n, false);
    } else {
      runs[n]->grid().waits_for_primary = false;
      runs[n]->advance();
    }
    results.push_back(runs[n]->finish());
  }
  for (size_t n = results.size(); n < chain.size(); ++n)  // started, but what they wait for has failed
    if (runs[n] != nullptr) runs[n]->finish();
  return results;
}

LaunchResult run_grid(const Kernel& kernel, const LaunchConfig& config, const void* params, Memory& memory,
                      const Card& card, const RunOptions& options, std::span<const MakeObserver> observers) {
  const GridLaunch launch{&kernel, config, params};
  return std::move(run_chain({&launch, 1}, memory, card, options, observers).front());
}

}  // namespace sim

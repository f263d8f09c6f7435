// Runs a grid on the host's cores. Each worker holds blocks that can be left and resumed: when all of a worker's blocks
// poll, it starts another one (as many as the card could hold at a time), and when all workers are stuck, one of them
// goes through every resident block alone. It lets simulated time jump, and if the state of the whole grid repeats, no
// block can ever get on: that is a deadlock, not a time-out.
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <optional>
#include <thread>

#include "machine/async.hpp"
#include "machine/deadlock.hpp"
#include "machine/fault.hpp"
#include "machine/observers.hpp"
#include "machine/pool.hpp"
#include "machine/storage.hpp"

namespace sim {
namespace {

using Status = LaunchResult::Status;

constexpr uint32_t kDefaultMxcsr = 0x1f80;  // round to nearest, subnormals kept, no traps
constexpr auto kPause = std::chrono::microseconds(50);
constexpr int kSpins = 64;                     // looks at the others' progress before a worker sleeps
constexpr uint64_t kMostRounds = 1ull << 24;   // of the lone look, against polls whose state never repeats
constexpr uint64_t kLongestJump = 1ull << 32;  // cycles, about 2 s
constexpr size_t kKeptStorages = 2;            // per worker between launches
constexpr uint64_t kMostWaiting = 32;          // blocks that a seed chooses the next one from
constexpr uint64_t kMostAtATime = 8;           // blocks that a seed lets share the host

struct Resident {
  std::unique_ptr<BlockStorage> storage;
  bool is_finished = false;
  bool is_stuck = false;  // it could not get on, and nothing has moved since
};

struct Worker {
  std::vector<Resident> resident;
  std::vector<std::unique_ptr<BlockStorage>> spare;  // survives launches
  std::vector<std::unique_ptr<BlockStorage>> ready;  // prepared for this launch
  std::atomic<uint64_t> moves{0};                    // for the others: something may have changed
  uint64_t cycles = 0, executed = 0;
  std::unique_ptr<Observer> observer;  // of this launch
};

struct Run {
  Grid grid;
  uint64_t total = 0, capacity = 0;
  uint32_t per_sm = 0;
  std::vector<Worker*> workers;
  std::atomic<uint64_t> next{0}, resident{0};
  std::atomic<uint64_t> lowest_fault{~0ull};  // blocks above it need not run
  std::atomic<bool> is_over{false};
  Choices choices;                // of a seeded run
  std::vector<uint64_t> waiting;  // in a seeded run: blocks whose turn to start it may be, all of which would fit
  std::mutex mutex;
  std::condition_variable changed;
  unsigned active = 0, stuck = 0;
  LaunchResult result;

  void record(uint64_t block, Status status, std::string report, std::optional<Finding> finding = {}) {
    const std::lock_guard lock(record_mutex);
    if (block >= lowest_fault.load()) return;
    lowest_fault = block;
    result.status = status;
    result.report = std::move(report);
    ended_by = std::move(finding);
  }
  std::optional<Finding> ended_by;  // of the fault that `result` tells
  std::mutex record_mutex;
};

// Returns true when the block's state has changed.
bool advance(Run& run, Resident& r) {
  Block& block = r.storage->block();
  if (r.is_finished) return false;
  if (block.index > run.lowest_fault.load(std::memory_order_relaxed)) {
    r.is_finished = true;
    return true;
  }
  const uint64_t before = block.progress;
  BlockOutcome outcome = BlockOutcome::kFinished;
  try {
    outcome = run_block(block);
    r.is_finished = outcome == BlockOutcome::kFinished;
  } catch (const Fault& fault) {
    run.record(block.index, fault.status, fault.report, fault.finding);
    r.is_finished = true;
  } catch (const std::exception& error) {
    run.record(block.index, Status::kLaunchFailed, std::string("simulator: ") + error.what());
    r.is_finished = true;
  }
  const bool has_moved = r.is_finished || block.progress != before;
  r.is_stuck = !has_moved && outcome == BlockOutcome::kStalled;
  return has_moved;
}

void release_finished(Run& run, Worker& me) {
  for (size_t n = 0; n < me.resident.size();) {
    Resident& r = me.resident[n];
    if (!r.is_finished) {
      ++n;
      continue;
    }
    if (me.observer) me.observer->block_ends(r.storage->block());
    me.executed += r.storage->executed();
    me.cycles = std::max(me.cycles, r.storage->block().cycles);
    me.ready.push_back(std::move(r.storage));
    r = std::move(me.resident.back());
    me.resident.pop_back();
    run.resident.fetch_sub(1);
  }
}

// The linear index of the block that starts next, run.total when all have started. The caller has counted it as
// resident. Hardware starts blocks in order; nothing but room is promised, so a seed may start any that fits.
uint64_t next_block(Run& run) {
  if (run.grid.options.seed == 0) return run.next.load() < run.total ? run.next.fetch_add(1) : run.total;
  const uint64_t room = run.capacity - run.resident.load() + 1;
  while (run.waiting.size() < std::min(room, kMostWaiting) && run.next.load() < run.total)
    run.waiting.push_back(run.next.fetch_add(1));
  while (!run.waiting.empty()) {
    std::swap(run.waiting[run.choices.below(Choice::kStart, run.waiting.size())], run.waiting.back());
    const uint64_t index = run.waiting.back();
    run.waiting.pop_back();
    if (index <= run.lowest_fault.load()) return index;
  }
  return run.total;
}

bool start_block(Run& run, Worker& me) {
  if (run.resident.fetch_add(1) >= run.capacity) {
    run.resident.fetch_sub(1);
    return false;
  }
  const uint64_t index = next_block(run);
  if (index >= run.total || index > run.lowest_fault.load(std::memory_order_relaxed)) {
    run.resident.fetch_sub(1);
    return false;
  }
  if (me.ready.empty()) {
    std::unique_ptr<BlockStorage> storage;
    if (!me.spare.empty()) {
      storage = std::move(me.spare.back());
      me.spare.pop_back();
    } else {
      storage = std::make_unique<BlockStorage>();
    }
    storage->prepare(run.grid);
    me.ready.push_back(std::move(storage));
  }
  me.resident.push_back({std::move(me.ready.back())});
  me.ready.pop_back();
  me.resident.back().storage->block().observer = me.observer.get();
  me.resident.back().storage->start(index, me.cycles);
  return true;
}

// All workers are stuck; the caller holds run.mutex and nobody else touches a block. Returns when something has moved
// (false) or when the grid is found dead (true).
bool is_dead(Run& run) {
  // Copies that nobody waits for: hardware would get round to them.
  for (Worker* worker : run.workers)
    for (Resident& r : worker->resident)
      if (!r.is_finished && r.storage->block().schedule != nullptr && land_copy(r.storage->block(), true)) return false;
  uint64_t reference = 0, next_reference = 1, jump = 1024;
  for (uint64_t round = 0;; ++round) {
    bool moved = false;
    for (Worker* worker : run.workers)
      for (Resident& r : worker->resident) do
          moved |= advance(run, r);
        while (!moved && !r.is_stuck && !r.is_finished);  // its turn was over
    if (moved) return false;
    uint64_t state = 0;
    for (Worker* worker : run.workers)
      for (Resident& r : worker->resident) state += fingerprint(r.storage->block());
    if ((round != 0 && state == reference) || round >= kMostRounds) return true;
    if (round + 1 == next_reference) {  // rounds 0, 1, 3, 7 ..: finds a cycle of any length
      reference = state;
      next_reference *= 2;
    }
    run.grid.skipped_cycles += jump;
    jump = std::min(jump * 2, kLongestJump);
  }
}

void report_deadlock(Run& run) {
  if (run.lowest_fault.load() != ~0ull) return;  // those that wait, wait for the block that failed
  std::vector<const Block*> blocks;
  for (Worker* worker : run.workers)
    for (Resident& r : worker->resident) blocks.push_back(&r.storage->block());
  std::sort(blocks.begin(), blocks.end(), [](const Block* a, const Block* b) { return a->index < b->index; });
  const uint64_t waiting = run.total - std::min(run.total, run.next.load()) + run.waiting.size();
  std::string text = deadlock_report(run.grid, blocks, waiting, run.per_sm);
  Finding finding = deadlock_finding(run.grid, blocks);
  finding.text = text;
  run.record(blocks.empty() ? 0 : blocks.front()->index, Status::kDeadlock, std::move(text), std::move(finding));
}

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
    if (worker->observer) worker->observer->grid_ends(run.grid);
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

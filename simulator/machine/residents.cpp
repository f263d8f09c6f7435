// The blocks of a running grid: started cluster by cluster as far as the card has room, run until they cannot get on,
// and searched for a deadlock when none can. Then simulated time jumps, and if the state of the whole grid repeats, no
// block can ever get on: a deadlock, not a time-out.
#include "machine/residents.hpp"

#include <algorithm>

#include "machine/async.hpp"
#include "machine/deadlock.hpp"
#include "machine/fault.hpp"

namespace sim {
namespace {

using Status = LaunchResult::Status;

constexpr uint64_t kMostRounds = 1ull << 24;   // of the lone look, against polls whose state never repeats
constexpr uint64_t kLongestJump = 1ull << 32;  // cycles, about 2 s
constexpr uint64_t kMostWaiting = 32;          // clusters that a seed chooses the next one from
constexpr uint64_t kRefusal = 8;               // one of so many try_cancels is refused for nothing in a seeded run

uint64_t draw_waiting(Run& run) {
  std::swap(run.waiting[run.choices.below(Choice::kStart, run.waiting.size())], run.waiting.back());
  const uint64_t index = run.waiting.back();
  run.waiting.pop_back();
  return index;
}

// The index of the cluster that starts next, run.total when all have started. The caller has counted it as resident.
// Hardware starts blocks in order; nothing but room is promised, so a seed may start any that fits.
uint64_t next_cluster(Run& run) {
  if (run.grid.options.seed == 0) return run.next.load() < run.total ? run.next.fetch_add(1) : run.total;
  const uint64_t room = run.capacity - run.resident.load() + 1;
  while (run.waiting.size() < std::min(room, kMostWaiting) && run.next.load() < run.total)
    run.waiting.push_back(run.next.fetch_add(1));
  while (!run.waiting.empty()) {
    const uint64_t index = draw_waiting(run);
    if (index <= run.lowest_fault.load()) return index;
  }
  return run.total;
}

// Memory for one more block.
std::unique_ptr<BlockStorage> take_storage(Run& run, Worker& me) {
  std::unique_ptr<BlockStorage> storage;
  if (!me.ready.empty()) {
    storage = std::move(me.ready.back());
    me.ready.pop_back();
    return storage;
  }
  if (!me.spare.empty()) {
    storage = std::move(me.spare.back());
    me.spare.pop_back();
  } else {
    storage = std::make_unique<BlockStorage>();
  }
  storage->prepare(run.grid);
  return storage;
}

}  // namespace

bool advance(Run& run, Resident& r) {
  Block& block = r.storage->block();
  const uint64_t cluster = block.cluster->index;
  if (r.is_finished) return false;
  if (cluster >= run.lowest_fault.load(std::memory_order_relaxed)) {
    r.is_finished = true;
    return true;
  }
  const uint64_t before = block.progress;
  BlockOutcome outcome = BlockOutcome::kFinished;
  try {
    outcome = run_block(block);
    r.is_finished = outcome == BlockOutcome::kFinished;
  } catch (const Fault& fault) {
    run.record(cluster, fault.status, fault.report, fault.finding);
    r.is_finished = true;
  } catch (const std::exception& error) {
    run.record(cluster, Status::kLaunchFailed, std::string("simulator: ") + error.what());
    r.is_finished = true;
  }
  block.has_ended = r.is_finished;
  const bool has_moved = r.is_finished || block.progress != before;
  r.is_stuck = !has_moved && outcome == BlockOutcome::kStalled;
  return has_moved;
}

void release_finished(Run& run, Worker& me) {
  bool has_room = false;
  for (Resident& r : me.resident) {
    if (!r.is_finished || r.is_told) continue;
    r.is_told = true;
    Block& block = r.storage->block();
    if (me.observer) me.observer->block_ends(block);
    trigger_dependents(block);
    has_room |= ++block.cluster->ended == block.cluster->size;
  }
  for (size_t n = 0; has_room && n < me.resident.size();) {
    Resident& r = me.resident[n];
    const Block& block = r.storage->block();
    if (block.cluster->ended != block.cluster->size) {
      ++n;
      continue;
    }
    me.executed += r.storage->executed();
    me.cycles = std::max(me.cycles, block.cycles);
    if (block.rank == 0) run.resident.fetch_sub(1);
    me.ready.push_back(std::move(r.storage));
    r = std::move(me.resident.back());
    me.resident.pop_back();
  }
}

bool start_cluster(Run& run, Worker& me) {
  if (run.resident.fetch_add(1) >= run.capacity) {
    run.resident.fetch_sub(1);
    return false;
  }
  const uint64_t index = next_cluster(run);
  if (index >= run.total || index > run.lowest_fault.load(std::memory_order_relaxed)) {
    run.resident.fetch_sub(1);
    return false;
  }
  const size_t first = me.resident.size();
  for (uint32_t rank = 0; rank < run.cluster_size; ++rank) me.resident.push_back({take_storage(run, me)});
  Cluster& cluster = me.resident[first].storage->cluster();
  cluster = {};
  cluster.size = run.cluster_size;
  cluster.index = index;
  for (uint32_t rank = 0; rank < run.cluster_size; ++rank) {
    BlockStorage& storage = *me.resident[first + rank].storage;
    storage.block().observer = me.observer.get();
    storage.join(cluster, rank);
    storage.start(me.cycles);
  }
  for (uint32_t rank = 0; me.observer && rank < run.cluster_size; ++rank)
    me.observer->block_starts(*cluster.blocks[rank]);
  return true;
}

uint64_t cancel_cluster(Run& run) {
  uint64_t index = run.total;
  if (run.grid.options.seed == 0) {
    if (run.next.load() < run.total) index = run.next.fetch_add(1);
  } else if (run.choices.below(Choice::kCancel, kRefusal) != 0) {
    if (run.waiting.empty() && run.next.load() < run.total) run.waiting.push_back(run.next.fetch_add(1));
    if (!run.waiting.empty()) index = draw_waiting(run);
  }
  if (index >= run.total || index > run.lowest_fault.load()) return run.total;
  // Its blocks will never say so themselves.
  if (run.grid.on_trigger && (run.grid.untriggered -= run.cluster_size) == 0) run.grid.on_trigger();
  return index;
}

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
    for (Resident& r : worker->resident)
      if (!r.is_finished) blocks.push_back(&r.storage->block());
  std::sort(blocks.begin(), blocks.end(), [](const Block* a, const Block* b) { return a->index < b->index; });
  const uint64_t clusters = run.total - std::min(run.total, run.next.load()) + run.waiting.size();
  std::string text = deadlock_report(run.grid, blocks, clusters * run.cluster_size, run.per_sm);
  Finding finding = deadlock_finding(run.grid, blocks);
  finding.text = text;
  run.record(blocks.empty() ? 0 : blocks.front()->cluster->index, Status::kDeadlock, std::move(text),
             std::move(finding));
}

}  // namespace sim

// A grid that runs: its workers, the blocks that each of them holds, and what a worker can do with them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "machine/observer.hpp"
#include "machine/schedule.hpp"
#include "machine/storage.hpp"

namespace sim {

struct Resident {
  std::unique_ptr<BlockStorage> storage;
  bool is_finished = false;  // it stays until all blocks of its cluster are
  bool is_told = false;      // of its end: observers, dependent grids
  bool is_stuck = false;     // it could not get on, and nothing has moved since
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
  uint64_t total = 0;                     // clusters, as `next` and `waiting` count them
  uint64_t capacity = 0;                  // clusters that the card holds at a time
  uint32_t per_sm = 0, cluster_size = 1;  // blocks
  std::vector<Worker*> workers;
  std::atomic<uint64_t> next{0}, resident{0};
  std::atomic<uint64_t> lowest_fault{~0ull};  // cluster; those above it need not run
  std::atomic<bool> is_over{false};
  Choices choices;                // of a seeded run
  std::vector<uint64_t> waiting;  // in a seeded run: clusters whose turn to start it may be, all of which would fit
  std::mutex mutex;
  std::condition_variable changed;
  unsigned active = 0, stuck = 0;
  LaunchResult result;

  void record(uint64_t cluster, LaunchResult::Status status, std::string report, std::optional<Finding> finding = {}) {
    const std::lock_guard lock(record_mutex);
    if (cluster >= lowest_fault.load()) return;
    lowest_fault = cluster;
    result.status = status;
    result.report = std::move(report);
    ended_by = std::move(finding);
  }
  std::optional<Finding> ended_by;  // of the fault that `result` tells
  std::mutex record_mutex;
};

// Lets the block run. True: its state has changed.
bool advance(Run& run, Resident& r);
// Gives the storage of finished clusters back.
void release_finished(Run& run, Worker& me);
// Starts the blocks of one more cluster, the last of Worker::resident. False: all have started, or those that run leave
// no room.
bool start_cluster(Run& run, Worker& me);
// A cluster that has not started and now never will; run.total: none, or a seed refuses, as hardware may at any time.
uint64_t cancel_cluster(Run& run);
// All workers are stuck; the caller holds run.mutex and nobody else touches a block. Returns when something has moved
// (false) or when the grid is found dead (true).
bool is_dead(Run& run);
void report_deadlock(Run& run);

}  // namespace sim

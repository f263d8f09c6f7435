// One resident thread block: shared memory, warps, barriers, and the state of its asynchronous engines.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "machine/launch.hpp"
#include "machine/warp.hpp"

namespace sim {

class Observer;
class Schedule;

// What the blocks of one launch share.
struct Grid {
  const Kernel* kernel = nullptr;
  LaunchConfig config;        // with the grid in blocks
  Dim3 cluster;               // blocks of a cluster, 1 x 1 x 1 where a launch has none
  bool has_clusters = false;  // the launch names its clusters, be they of one block
  RunOptions options;
  const std::byte* params = nullptr;
  Memory* memory = nullptr;
  const Card* card = nullptr;
  uint64_t id = 0;
  uint64_t start_nanoseconds = 0;           // %globaltimer when the grid started
  std::atomic<uint64_t> skipped_cycles{0};  // time that passed while everything waited
  std::vector<uint8_t> visible;             // of ordered runs: visible_steps() of the kernel
  // Programmatic dependent launch (run_chain): what to call when every block has executed
  // griddepcontrol.launch_dependents or has ended, and whether griddepcontrol.wait still has something to wait for.
  std::function<void()> on_trigger;
  // clusterlaunchcontrol.try_cancel: takes a cluster that has not started, which then never does, and gives the id of
  // its first block. Nothing: refused.
  std::function<std::optional<Dim3>()> cancel_block;
  uint64_t untriggered = 0;  // blocks
  bool waits_for_primary = false;
};

// A named barrier of the CTA. Counts are threads in multiples of the warp size, as the hardware counts them.
struct BarrierState {
  uint32_t expected = 0;  // of an instruction with a thread count; 0 = all live warps, or nobody has arrived
  uint32_t arrived = 0;
  bool is_pending = false;  // somebody has arrived in this generation
  uint32_t popc = 0;        // lanes with a true predicate (bar.red)
  uint32_t voters = 0;      // lanes that gave a predicate
};
inline constexpr uint32_t kBarriers = 16;
inline constexpr uint32_t kClusterBarrier = kBarriers;  // one more, of the cluster: Cluster::barrier

// State that ops/async.cpp keeps per block: cp.async and bulk groups per thread, mbarrier side table. Defined there.
struct AsyncState;
struct AsyncStateDeleter {
  void operator()(AsyncState*) const;
};

struct Block;

// The blocks that start together, run on one host thread and reach each other's shared memory. A launch without
// clusters has one for each block.
struct Cluster {
  static constexpr uint32_t kMostBlocks = 16;
  static constexpr int kRankShift = 24;  // of shared addresses: above lies the rank of the block whose memory it is
  Block* blocks[kMostBlocks] = {};       // by rank
  uint32_t size = 1;
  uint64_t index = 0;  // linear; grids start clusters in this order
  BarrierState barrier;
  uint32_t ended = 0;  // blocks that have
};

struct Block {
  // Shared addresses start at 1 KB, where the driver's reserved kilobyte ends on sm_90 and sm_120.
  static constexpr uint32_t kSharedBase = 1024;
  static constexpr uint64_t kSharedWindow = 0x0100'0000'0000'0000;  // generic = window + shared address
  static constexpr uint64_t kLocalWindow = 0x0200'0000'0000'0000;
  static constexpr uint64_t kParamWindow = 0x0300'0000'0000'0000;
  static constexpr uint64_t kWindowMask = 0xff00'0000'0000'0000;

  Grid* grid = nullptr;
  Observer* observer = nullptr;  // of the host thread that runs the block; nullptr: nobody listens
  Schedule* schedule = nullptr;  // of an ordered run; nullptr: warps take turns
  Dim3 id;
  Cluster* cluster = nullptr;
  uint32_t rank = 0;  // in the cluster
  uint32_t thread_count = 0;
  std::byte* shared = nullptr;         // address shared_base is shared[0]
  uint32_t shared_base = kSharedBase;  // with the rank
  uint32_t shared_bytes = 0;           // static + dynamic
  std::vector<Warp> warps;
  BarrierState barriers[kBarriers];
  std::unique_ptr<AsyncState, AsyncStateDeleter> async;
  bool has_triggered = false;  // griddepcontrol.launch_dependents
  bool has_ended = false;      // all threads have exited: its shared memory is gone
  uint64_t progress = 0;       // any state change that a poll could see: barrier, mbarrier, store, async completion
  uint64_t index = 0;          // linear block index
  uint64_t cycles = 0;         // SM clock: one warp instruction per cycle
};

// The block of linear index `index`.
inline Dim3 block_id(const Dim3& grid, uint64_t index) {
  return {static_cast<uint32_t>(index % grid.x), static_cast<uint32_t>(index / grid.x % grid.y),
          static_cast<uint32_t>(index / grid.x / grid.y)};
}

// The block of the cluster whose shared memory a shared address names; nullptr: the cluster has no such rank.
inline Block* home_of(const Block& own, uint64_t shared_address) {
  const uint64_t rank = shared_address >> Cluster::kRankShift;
  return rank < own.cluster->size ? own.cluster->blocks[rank] : nullptr;
}
// The block of the cluster in whose shared memory `p` lies; nullptr: in none's.
inline Block* home_of(const Block& own, const std::byte* p) {
  const auto has = [p](const Block& b) { return p >= b.shared && p < b.shared + b.shared_bytes; };
  if (has(own)) return own.cluster->blocks[own.rank];
  for (uint32_t rank = 0; own.cluster->size > 1 && rank < own.cluster->size; ++rank)
    if (has(*own.cluster->blocks[rank])) return own.cluster->blocks[rank];
  return nullptr;
}
// The same place in the memory of the block with another rank.
inline uint32_t at_rank(uint32_t shared_address, uint32_t rank) {
  return (shared_address & ((1u << Cluster::kRankShift) - 1)) | rank << Cluster::kRankShift;
}

// The block lets the grids that depend on its own start, as far as it is concerned.
void trigger_dependents(Block& block);

inline void note_progress(Warp& w) {
  w.has_polled = false;
  ++w.block->progress;
}

// The lanes of w.mask arrive at barrier `id`. `threads` = 0: all live warps take part. `waits`: they stay until the
// barrier completes. bar.red: `votes` are the lanes with a true predicate.
struct BarrierArrival {
  uint32_t id = 0, threads = 0;
  bool waits = true, is_aligned = true;
  Reduction reduction = Reduction::kNone;
  uint32_t votes = 0, result = 0;  // `result`: slot (popc) or predicate operand that gets the outcome
  bool is_relaxed = false;         // barrier.cluster.arrive.relaxed: orders no memory
};
void arrive(Warp& w, const Instr& i, const BarrierArrival& arrival);
// barrier.cluster: the lanes of w.mask arrive at the barrier of their cluster; they wait until it completes.
void arrive_at_cluster(Warp& w, const Instr& i, bool is_relaxed);
void wait_for_cluster(Warp& w, const Instr& i);
// Lanes of `w` have exited: barriers may not wait for them any longer.
void leave_barriers(Warp& w);

// Runs the block's warps. kStalled: every warp that could run polls, or none can, nothing has changed, and no copy that
// an mbarrier waits for is in flight. kTurnOver: its schedule lets another block run.
enum class BlockOutcome : uint8_t { kFinished, kStalled, kTurnOver };
BlockOutcome run_block(Block& block);

}  // namespace sim

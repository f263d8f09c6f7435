// One resident thread block: shared memory, warps, barriers, and the state of its asynchronous engines.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "machine/launch.hpp"
#include "machine/warp.hpp"

namespace sim {

// What the blocks of one launch share.
struct Grid {
  const Kernel* kernel = nullptr;
  LaunchConfig config;
  const std::byte* params = nullptr;
  Memory* memory = nullptr;
  const Card* card = nullptr;
  uint64_t id = 0;
};

struct BarrierState {
  uint32_t expected = 0;       // threads; 0 = nobody has arrived in this generation
  uint32_t arrived = 0;
};

// State that ops/async.cpp keeps per block: cp.async and bulk groups per thread, mbarrier side table. Defined there.
struct AsyncState;
struct AsyncStateDeleter { void operator()(AsyncState*) const; };

struct Block {
  // Shared addresses start at 1 KB, where the driver's reserved kilobyte ends on sm_90 and sm_120.
  static constexpr uint32_t kSharedBase = 1024;
  static constexpr uint64_t kSharedWindow = 0x0100'0000'0000'0000;  // generic = window + shared address
  static constexpr uint64_t kLocalWindow = 0x0200'0000'0000'0000;

  Grid* grid = nullptr;
  Dim3 id;
  uint32_t thread_count = 0;
  std::byte* shared = nullptr;     // address kSharedBase is shared[0]
  uint32_t shared_bytes = 0;       // static + dynamic
  std::vector<Warp> warps;
  BarrierState barriers[16];
  std::unique_ptr<AsyncState, AsyncStateDeleter> async;
  uint64_t progress = 0;           // any state change that a poll could see: barrier, mbarrier, store, async completion
};

}  // namespace sim

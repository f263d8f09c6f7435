// ring.cuh: a ring of shared-memory stages between one producer, or several that each fill a part of every stage, and
// several consumer warps. full[s] completes when the bytes of stage s have landed, empty[s] when every consumer warp
// has released it. Stage and parity live here and nowhere else.
#pragma once

#include <cstdint>

#include "kernels/ptx/bulk_copy.cuh"
#include "kernels/ptx/device.h"

namespace b12x::pipeline {

template <int kStages>
struct Ring {
  uint64_t* full;
  uint64_t* empty;
  int stage = 0;
  uint32_t parity = 0;

  B12X_DEVICE Ring(uint64_t* full_barriers, uint64_t* empty_barriers) : full(full_barriers), empty(empty_barriers) {}

  // One thread of the block, before the block barrier that precedes any use.
  B12X_DEVICE void init(uint32_t consumers, uint32_t producers = 1) {
    for (int s = 0; s < kStages; ++s) {
      ptx::mbarrier_init(&full[s], producers);
      ptx::mbarrier_init(&empty[s], consumers);
    }
    ptx::fence_mbarrier_init();
  }

  // Producer: wait until the stage is free (at once on the first turn), then announce the bytes that will land in it.
  B12X_DEVICE void wait_empty() { ptx::mbarrier_wait_parity(&empty[stage], parity ^ 1u); }
  B12X_DEVICE void expect(uint32_t bytes) { ptx::mbarrier_arrive_expect_tx(&full[stage], bytes); }
  B12X_DEVICE uint64_t* barrier() { return &full[stage]; }
  // A producer that writes the stage itself, after all its writes.
  B12X_DEVICE void fill() { ptx::mbarrier_arrive(&full[stage]); }

  // Consumer: wait for the bytes; release once per warp, by one lane, after the whole warp has read them.
  B12X_DEVICE void wait_full() { ptx::mbarrier_wait_parity(&full[stage], parity); }
  B12X_DEVICE void release() { ptx::mbarrier_arrive(&empty[stage]); }

  template <int by = 1>
  B12X_DEVICE void advance() {
    static_assert(by <= kStages);
    stage += by;
    if (stage >= kStages) {
      stage -= kStages;
      parity ^= 1u;
    }
  }
  B12X_DEVICE void advance(int by) {
    stage += by;
    parity ^= static_cast<uint32_t>(stage / kStages) & 1u;
    stage %= kStages;
  }
};

}  // namespace b12x::pipeline

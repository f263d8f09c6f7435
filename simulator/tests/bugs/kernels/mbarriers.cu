// mbarriers: arrivals, phases and byte counts. See warps.cu.
#include "simulator/tests/bugs/kernels/instructions.cuh"

namespace bugs {

// All lanes store, one lane arrives for them.
template <bool fixed>
__device__ void b01(const Arguments& a) {
  __shared__ uint32_t data[32];
  __shared__ uint64_t full;
  const uint32_t lane = threadIdx.x % 32;
  if (threadIdx.x == 0) init(&full, 1);
  __syncthreads();
  if (threadIdx.x < 32) {
    data[lane] = a.in[lane];  // BUG b01
    if constexpr (fixed) __syncwarp();
    if (elect()) arrive(&full);
  } else {
    wait(&full, 0);
    a.out[lane] = data[lane];  // BUG b01
  }
}

// Two operands land on two barriers, one of which is waited for.
template <bool fixed>
__device__ void b07(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[2][256];
  __shared__ uint64_t full[2];
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; ++i) init(&full[i], 1);
    fence_init();
    for (int i = 0; i < 2; ++i) {
      arrive_expect(&full[i], 1024);
      tensor_load(tile[i], &a.in_map, 16 * i, 0, &full[i]);  // BUG b07
    }
  }
  __syncthreads();
  wait(&full[0], 0);
  if constexpr (fixed) wait(&full[1], 0);
  a.out[threadIdx.x] = tile[0][threadIdx.x] + tile[1][threadIdx.x];  // BUG b07
}

// The bytes of a barrier that has done its work are reused for data while it is still one.
template <bool fixed>
__device__ void b10(const Arguments& a) {
  __shared__ uint64_t bar;
  if (threadIdx.x == 0) init(&bar, 32);
  __syncthreads();
  arrive(&bar);
  wait(&bar, 0);
  __syncthreads();
  if (threadIdx.x == 0) {
    if constexpr (fixed) invalidate(&bar);
    bar = a.in[7];  // BUG b10
  }
  __syncthreads();
  a.out[threadIdx.x] = static_cast<uint32_t>(bar);  // BUG b10
}

// Two loads into one buffer, each on a barrier of its own, in flight together.
template <bool fixed>
__device__ void b12(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full[2];
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; ++i) init(&full[i], 1);
    fence_init();
    for (int i = 0; i < 2; ++i) {
      arrive_expect(&full[i], 1024);
      tensor_load(tile, &a.in_map, 16 * i, 0, &full[i]);  // BUG b12
      if constexpr (fixed) wait(&full[i], 0);
    }
  }
  __syncthreads();
  wait(&full[0], 0);
  wait(&full[1], 0);
  a.out[threadIdx.x] = tile[threadIdx.x];
}

// Half the bytes are announced: the phase may end when half have landed.
template <bool fixed>
__device__ void b14(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    init(&full, 1);
    fence_init();
    arrive_expect(&full, fixed ? 1024 : 512);
    tensor_load(tile, &a.in_map, 0, 0, &full);  // BUG b14
  }
  __syncthreads();
  wait(&full, 0);                                                       // BUG b14
  for (uint32_t i = threadIdx.x; i < 256; i += 32) a.out[i] = tile[i];  // BUG b14
}

// Four warps are counted, three arrive.
template <bool fixed>
__device__ void b15(const Arguments& a) {
  __shared__ uint64_t bar;
  if (threadIdx.x == 0) init(&bar, fixed ? 3 : 4);
  __syncthreads();
  if (threadIdx.x % 32 == 0) arrive(&bar);
  wait(&bar, 0);  // BUG b15
  a.out[threadIdx.x] = 1;
}

// cp.async.mbarrier.arrive adds to the count what it takes off, unless it is .noinc: 32 arrivals are still awaited.
template <bool fixed>
__device__ void b17(const Arguments& a) {
  __shared__ alignas(16) uint32_t tile[128];
  __shared__ uint64_t full;
  const uint32_t t = threadIdx.x;
  if (t == 0) init(&full, 32);
  __syncthreads();
  copy16(&tile[4 * t], &a.in[4 * t]);
  if constexpr (fixed) {
    copy_arrive_noinc(&full);
  } else {
    copy_arrive(&full);
  }
  wait(&full, 0);  // BUG b17
  a.out[t] = tile[127 - t];
}

template <bool fixed>
__device__ void wrong_parity(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    init(&full, 1);
    fence_init();
    arrive_expect(&full, 1024);
    tensor_load(tile, &a.in_map, 0, 0, &full);  // BUG wrong_parity
  }
  __syncthreads();
  wait(&full, fixed ? 0 : 1);
  a.out[threadIdx.x] = tile[threadIdx.x];  // BUG wrong_parity
}

template <bool fixed>
__device__ void expect_too_much(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    init(&full, 1);
    fence_init();
    arrive_expect(&full, fixed ? 1024 : 1040);
    bulk_load(tile, a.in, 1024, &full);
  }
  __syncthreads();
  wait(&full, 0);  // BUG expect_too_much
  a.out[threadIdx.x] = tile[threadIdx.x];
}

// A thread waits on a barrier that another one may not have initialised yet.
template <bool fixed>
__device__ void init_unseen(const Arguments& a) {
  __shared__ uint64_t bar;
  if (threadIdx.x == 32) init(&bar, 64);  // BUG init_unseen
  if constexpr (fixed) __syncthreads();
  arrive(&bar);  // BUG init_unseen
  wait(&bar, 0);
  a.out[threadIdx.x] = 1;
}

// The slot is refilled before the warp that reads it has released it.
template <bool fixed>
__device__ void refill_unreleased(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full, empty;
  if (threadIdx.x == 0) {
    init(&full, 1);
    init(&empty, 1);
    fence_init();
  }
  __syncthreads();
  for (uint32_t turn = 0; turn < 3; ++turn) {
    if (threadIdx.x == 0) {
      if (fixed && turn > 0) wait(&empty, (turn - 1) & 1);
      arrive_expect(&full, 1024);                       // BUG refill_unreleased
      bulk_load(tile, &a.in[256 * turn], 1024, &full);  // BUG refill_unreleased
    } else if (threadIdx.x >= 32) {
      wait(&full, turn & 1);
      a.out[threadIdx.x] += tile[threadIdx.x];  // BUG refill_unreleased
      __syncwarp();
      if (threadIdx.x == 32) arrive(&empty);
    }
  }
}

// Bytes are announced behind the arrival: the other warp's may have ended the phase by then.
template <bool fixed>
__device__ void late_expect(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) init(&full, 2);
  __syncthreads();
  if (threadIdx.x == 0) {
    if constexpr (fixed) expect(&full, 1024);
    arrive(&full);
    if constexpr (!fixed) expect(&full, 1024);  // BUG late_expect
    bulk_load(tile, a.in, 1024, &full);
  }
  if (threadIdx.x == 32) arrive(&full);
  wait(&full, 0);
  a.out[threadIdx.x] = tile[threadIdx.x];
}

// Each announcement fits, their sum does not.
template <bool fixed>
__device__ void expect_out_of_range(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    init(&full, 1);
    fence_init();
    expect(&full, fixed ? 512 : 1u << 19);
    expect(&full, fixed ? 512 : 1u << 19);  // BUG expect_out_of_range
    bulk_load(tile, a.in, 1024, &full);
    arrive(&full);
  }
  __syncthreads();
  wait(&full, 0);
  a.out[threadIdx.x] = tile[threadIdx.x];
}

// Nothing holds the producer back: two phases may pass before the consumer looks at the parity of the first.
template <bool fixed>
__device__ void lapped_waiter(const Arguments& a) {
  __shared__ uint64_t full, empty;
  if (threadIdx.x == 0) init(&full, 32), init(&empty, 32);
  __syncthreads();
  for (uint32_t turn = 0; turn < 4; ++turn) {
    if (threadIdx.x < 32) {
      if constexpr (fixed) wait(&empty, (turn & 1) ^ 1);
      arrive(&full);
    } else {
      wait(&full, turn & 1);  // BUG lapped_waiter
      arrive(&empty);
    }
  }
  a.out[threadIdx.x] = 1;
}

// Two warps take a ring's two places in turn, round by round: each comes to a place two rounds after its last visit.
// What it knows of the round between, which the other warp waited for, is all that tells the parities of its two rounds
// apart.
template <bool fixed>
__device__ void skipped_round(const Arguments& a) {
  __shared__ alignas(128) uint32_t ring[2][256];
  __shared__ uint64_t full[2], empty[2];
  const uint32_t warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (threadIdx.x == 0) {
    for (uint32_t place = 0; place < 2; ++place) init(&full[place], 1), init(&empty[place], fixed ? 64 : 32);
    fence_init();
  }
  __syncthreads();
  uint32_t sum = 0;
  for (uint32_t round = 0; round < 4; ++round) {
    for (uint32_t place = 0; place < 2; ++place) {
      if (threadIdx.x == 64) {
        wait(&empty[place], (round & 1) ^ 1);
        arrive_expect(&full[place], 1024);
        bulk_load(ring[place], a.in + 256 * place, 1024, &full[place]);
      } else if (warp < 2 && (fixed || round % 2 == warp)) {
        wait(&full[place], round & 1);                    // BUG skipped_round
        if (round % 2 == warp) sum += ring[place][lane];  // BUG skipped_round
        arrive(&empty[place]);
      }
    }
  }
  a.out[threadIdx.x] = sum;
}

}  // namespace bugs

extern "C" __global__ void b01_bug(const __grid_constant__ bugs::Arguments a) { bugs::b01<false>(a); }
extern "C" __global__ void b01_fix(const __grid_constant__ bugs::Arguments a) { bugs::b01<true>(a); }
extern "C" __global__ void b07_bug(const __grid_constant__ bugs::Arguments a) { bugs::b07<false>(a); }
extern "C" __global__ void b07_fix(const __grid_constant__ bugs::Arguments a) { bugs::b07<true>(a); }
extern "C" __global__ void b10_bug(const __grid_constant__ bugs::Arguments a) { bugs::b10<false>(a); }
extern "C" __global__ void b10_fix(const __grid_constant__ bugs::Arguments a) { bugs::b10<true>(a); }
extern "C" __global__ void b12_bug(const __grid_constant__ bugs::Arguments a) { bugs::b12<false>(a); }
extern "C" __global__ void b12_fix(const __grid_constant__ bugs::Arguments a) { bugs::b12<true>(a); }
extern "C" __global__ void b14_bug(const __grid_constant__ bugs::Arguments a) { bugs::b14<false>(a); }
extern "C" __global__ void b14_fix(const __grid_constant__ bugs::Arguments a) { bugs::b14<true>(a); }
extern "C" __global__ void b15_bug(const __grid_constant__ bugs::Arguments a) { bugs::b15<false>(a); }
extern "C" __global__ void b15_fix(const __grid_constant__ bugs::Arguments a) { bugs::b15<true>(a); }
extern "C" __global__ void b17_bug(const __grid_constant__ bugs::Arguments a) { bugs::b17<false>(a); }
extern "C" __global__ void b17_fix(const __grid_constant__ bugs::Arguments a) { bugs::b17<true>(a); }
extern "C" __global__ void wrong_parity_bug(const __grid_constant__ bugs::Arguments a) { bugs::wrong_parity<false>(a); }
extern "C" __global__ void wrong_parity_fix(const __grid_constant__ bugs::Arguments a) { bugs::wrong_parity<true>(a); }
extern "C" __global__ void expect_too_much_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::expect_too_much<false>(a);
}
extern "C" __global__ void expect_too_much_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::expect_too_much<true>(a);
}
extern "C" __global__ void init_unseen_bug(const __grid_constant__ bugs::Arguments a) { bugs::init_unseen<false>(a); }
extern "C" __global__ void init_unseen_fix(const __grid_constant__ bugs::Arguments a) { bugs::init_unseen<true>(a); }
extern "C" __global__ void refill_unreleased_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::refill_unreleased<false>(a);
}
extern "C" __global__ void refill_unreleased_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::refill_unreleased<true>(a);
}
extern "C" __global__ void late_expect_bug(const __grid_constant__ bugs::Arguments a) { bugs::late_expect<false>(a); }
extern "C" __global__ void late_expect_fix(const __grid_constant__ bugs::Arguments a) { bugs::late_expect<true>(a); }
extern "C" __global__ void expect_out_of_range_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::expect_out_of_range<false>(a);
}
extern "C" __global__ void expect_out_of_range_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::expect_out_of_range<true>(a);
}
extern "C" __global__ void lapped_waiter_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::lapped_waiter<false>(a);
}
extern "C" __global__ void lapped_waiter_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::lapped_waiter<true>(a);
}
extern "C" __global__ void skipped_round_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::skipped_round<false>(a);
}
extern "C" __global__ void skipped_round_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::skipped_round<true>(a);
}

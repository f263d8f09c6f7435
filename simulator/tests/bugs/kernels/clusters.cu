// Pairs of blocks that reach into each other's shared memory. See warps.cu.
#include "simulator/tests/bugs/kernels/instructions.cuh"

namespace bugs {

// A block reads what the other has written in its own shared memory.
template <bool fixed>
__device__ void cluster_unsynced(const Arguments& a) {
  __shared__ uint32_t data[32];
  const uint32_t t = threadIdx.x;
  data[t] = a.in[t + 32 * cluster_rank()];  // BUG cluster_unsynced
  if constexpr (fixed) {
    cluster_sync();
  } else {  // the other block has started, and nothing else
    cluster_arrive_relaxed();
    cluster_wait();
  }
  a.out[t + 32 * blockIdx.x] = load_cluster(at_rank(&data[t], cluster_rank() ^ 1));  // BUG cluster_unsynced
  cluster_sync();
}

// A block may have ended while the other still writes to it.
template <bool fixed>
__device__ void cluster_left(const Arguments& a) {
  __shared__ uint32_t data[32];
  const uint32_t t = threadIdx.x;
  data[t] = a.in[t];
  cluster_sync();
  store_cluster(at_rank(&data[t], cluster_rank() ^ 1), t);  // BUG cluster_left
  if constexpr (fixed) cluster_sync();
}

// A block writes to the other before that is known to have started.
template <bool fixed>
__device__ void cluster_early(const Arguments& a) {
  __shared__ uint32_t data[32];
  const uint32_t t = threadIdx.x;
  if constexpr (fixed) cluster_sync();
  store_cluster(at_rank(&data[t], cluster_rank() ^ 1), t);  // BUG cluster_early
  cluster_sync();
  a.out[t + 32 * blockIdx.x] = data[t];
}

// One warp of two never arrives at the cluster's barrier, and does not end before the others have passed it.
template <bool fixed>
__device__ void cluster_missing(const Arguments& a) {
  __shared__ uint32_t passed;
  if (threadIdx.x == 0) passed = 0;
  __syncthreads();
  if (fixed || cluster_rank() == 0 || threadIdx.x < 32) {
    cluster_sync();  // BUG cluster_missing
    atomicAdd(&passed, 1);
  } else {
    while (atomicAdd(&passed, 0) == 0) {  // BUG cluster_missing
    }
  }
  a.out[threadIdx.x + 64 * blockIdx.x] = 1;
}

// The producer tells its own mbarrier, the consumer waits for that of its block.
template <bool fixed>
__device__ void cluster_wrong_rank(const Arguments& a) {
  __shared__ uint32_t data[32];
  __shared__ uint64_t full;
  const uint32_t t = threadIdx.x;
  if (t == 0) init(&full, 32);
  fence_init();
  cluster_sync();
  if (cluster_rank() == 0) {
    store_cluster(at_rank(&data[t], 1), a.in[t]);
    arrive_cluster(at_rank(&full, fixed ? 1 : 0));
  } else {
    wait_cluster(&full, 0);  // BUG cluster_wrong_rank
    a.out[t] = data[t];
  }
  cluster_sync();  // BUG cluster_wrong_rank
}

// What the producer has written is told by an arrival whose scope ends at its own block.
template <bool fixed>
__device__ void cluster_narrow(const Arguments& a) {
  __shared__ uint32_t data[32];
  __shared__ uint64_t full;
  const uint32_t t = threadIdx.x;
  if (t == 0) init(&full, 32);
  fence_init();
  cluster_sync();
  if (cluster_rank() == 0) {
    store_cluster(at_rank(&data[t], 1), a.in[t]);  // BUG cluster_narrow
    const uint32_t there = at_rank(&full, 1);
    if constexpr (fixed) {
      arrive_cluster(there);
    } else {
      asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(there) : "memory");
    }
  } else {
    wait_cluster(&full, 0);
    a.out[t] = data[t];  // BUG cluster_narrow
  }
  cluster_sync();
}

}  // namespace bugs

extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_unsynced_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_unsynced<false>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_unsynced_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_unsynced<true>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_left_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_left<false>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_left_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_left<true>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_early_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_early<false>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_early_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_early<true>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_missing_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_missing<false>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_missing_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_missing<true>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_wrong_rank_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_wrong_rank<false>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_wrong_rank_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_wrong_rank<true>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_narrow_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_narrow<false>(a);
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) cluster_narrow_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::cluster_narrow<true>(a);
}

// Global memory: bounds, and what blocks and grids tell each other through it. See warps.cu.
#include "simulator/tests/bugs/kernels/instructions.cuh"

namespace bugs {

// A flag is polled by ordinary loads, then TMA loads what the flag's writer has written by ordinary stores.
template <bool fixed>
__device__ void b04(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full;
  if (blockIdx.x == 0) {
    for (uint32_t i = threadIdx.x; i < 256; i += 32) a.raw[i] = a.in[i];  // BUG b04
    __syncwarp();
    if (threadIdx.x == 0) store_release_gpu(a.flag, 1);
    return;
  }
  if (threadIdx.x == 0) {
    init(&full, 1);
    fence_init();
    while (load_acquire_gpu(a.flag) == 0) {
    }
    if constexpr (fixed) fence_async();
    arrive_expect(&full, 1024);
    bulk_load(tile, a.raw, 1024, &full);  // BUG b04
  }
  __syncwarp();
  wait(&full, 0);
  a.out[threadIdx.x] = tile[threadIdx.x];
}

// Release and acquire of scope .cta between two blocks.
template <bool fixed>
__device__ void b06(const Arguments& a) {
  if (blockIdx.x == 0) {
    a.raw[threadIdx.x] = a.in[threadIdx.x];  // BUG b06
    __syncwarp();
    if (threadIdx.x != 0) return;
    if constexpr (fixed) {
      store_release_gpu(a.flag, 1);
    } else {
      store_release_cta(a.flag, 1);  // BUG b06
    }
  } else {
    if (threadIdx.x == 0) {
      if constexpr (fixed) {
        while (load_acquire_gpu(a.flag) == 0) {
        }
      } else {
        while (load_acquire_cta(a.flag) == 0) {  // BUG b06
        }
      }
    }
    __syncwarp();
    a.out[threadIdx.x] = a.raw[threadIdx.x];  // BUG b06
  }
}

// The graph was captured with a buffer that has been freed and replaced since; the fix tells the graph of the new one.
template <bool fixed>
__device__ void b19(const Arguments& a) {
  a.out[threadIdx.x] = a.in[threadIdx.x];  // BUG b19
}

// In place: what the previous grid writes is read before griddepcontrol.wait. Launched twice, the second dependent.
template <bool fixed>
__device__ void b20(const Arguments& a) {
  grid_launch_dependents();
  if constexpr (fixed) grid_wait();
  const uint32_t value = a.out[threadIdx.x];  // BUG b20
  if constexpr (!fixed) grid_wait();
  a.out[threadIdx.x] = value + 1;  // BUG b20
}

template <bool fixed>
__device__ void out_of_bounds(const Arguments& a) {
  a.out[kWords - 32 + threadIdx.x + (fixed ? 0 : 1)] = 1;  // BUG out_of_bounds
}

// All four words are used: of a vector load with unused words ptxas keeps single ones, and these are aligned.
template <bool fixed>
__device__ void misaligned(const Arguments& a) {
  const auto* four = reinterpret_cast<const uint4*>(a.in + 4 * threadIdx.x + (fixed ? 0 : 1));
  reinterpret_cast<uint4*>(a.out)[threadIdx.x] = *four;  // BUG misaligned
}

template <bool fixed>
__device__ void uninitialised(const Arguments& a) {
  if constexpr (fixed) a.raw[threadIdx.x] = 0;
  a.out[threadIdx.x] = a.raw[threadIdx.x];  // BUG uninitialised
}

// Two blocks add to one word; each promises to its own block alone that nobody comes between.
template <bool fixed>
__device__ void narrow_atomic(const Arguments& a) {
  if constexpr (fixed) {
    atomic_add_gpu(a.flag, 1);
  } else {
    atomic_add_cta(a.flag, 1);  // BUG narrow_atomic
  }
}

// A flag between blocks that orders nothing but itself.
template <bool fixed>
__device__ void relaxed_flag(const Arguments& a) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    a.raw[0] = a.in[5];  // BUG relaxed_flag
    if constexpr (fixed) __threadfence();
    store_relaxed_gpu(a.flag, 1);
  } else {
    while (load_relaxed_gpu(a.flag) == 0) {
    }
    if constexpr (fixed) __threadfence();
    a.out[0] = a.raw[0];  // BUG relaxed_flag
  }
}

// Split reduction: the last block to arrive adds what the others have stored, without a fence before their arrival.
template <bool fixed>
__device__ void last_arriver(const Arguments& a) {
  __shared__ uint32_t arrived;
  a.raw[32 * blockIdx.x + threadIdx.x] = a.in[threadIdx.x];  // BUG last_arriver
  __syncwarp();
  if (threadIdx.x == 0) {
    if constexpr (fixed) __threadfence();  // after the warp's barrier: it covers what the other lanes have stored
    arrived = atomic_add_gpu(a.flag, 1);
    __threadfence();  // before the next one: it covers what the other lanes will read
  }
  __syncwarp();
  if (arrived != gridDim.x - 1) return;
  uint32_t sum = 0;
  for (uint32_t block = 0; block < gridDim.x; ++block) sum += a.raw[32 * block + threadIdx.x];  // BUG last_arriver
  a.out[threadIdx.x] = sum;
}

// `raw` has been freed; the fix frees it after the launch.
template <bool fixed>
__device__ void freed(const Arguments& a) {
  a.raw[threadIdx.x] = 1;  // BUG freed
}

// Every block waits for all blocks, of which more are launched than fit on the card at once.
template <bool fixed>
__device__ void grid_too_large(const Arguments& a) {
  if (threadIdx.x != 0) return;
  const uint32_t blocks = fixed ? 2 : gridDim.x;
  if (blockIdx.x >= blocks) return;
  __threadfence();
  atomic_add_gpu(a.flag, 1);
  while (load_acquire_gpu(a.flag) < blocks) {  // BUG grid_too_large
  }
}

}  // namespace bugs

extern "C" __global__ void b04_bug(const __grid_constant__ bugs::Arguments a) { bugs::b04<false>(a); }
extern "C" __global__ void b04_fix(const __grid_constant__ bugs::Arguments a) { bugs::b04<true>(a); }
extern "C" __global__ void b06_bug(const __grid_constant__ bugs::Arguments a) { bugs::b06<false>(a); }
extern "C" __global__ void b06_fix(const __grid_constant__ bugs::Arguments a) { bugs::b06<true>(a); }
extern "C" __global__ void b19_bug(const __grid_constant__ bugs::Arguments a) { bugs::b19<false>(a); }
extern "C" __global__ void b19_fix(const __grid_constant__ bugs::Arguments a) { bugs::b19<true>(a); }
extern "C" __global__ void b20_bug(const __grid_constant__ bugs::Arguments a) { bugs::b20<false>(a); }
extern "C" __global__ void b20_fix(const __grid_constant__ bugs::Arguments a) { bugs::b20<true>(a); }
extern "C" __global__ void out_of_bounds_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::out_of_bounds<false>(a);
}
extern "C" __global__ void out_of_bounds_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::out_of_bounds<true>(a);
}
extern "C" __global__ void misaligned_bug(const __grid_constant__ bugs::Arguments a) { bugs::misaligned<false>(a); }
extern "C" __global__ void misaligned_fix(const __grid_constant__ bugs::Arguments a) { bugs::misaligned<true>(a); }
extern "C" __global__ void uninitialised_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::uninitialised<false>(a);
}
extern "C" __global__ void uninitialised_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::uninitialised<true>(a);
}
extern "C" __global__ void narrow_atomic_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::narrow_atomic<false>(a);
}
extern "C" __global__ void narrow_atomic_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::narrow_atomic<true>(a);
}
extern "C" __global__ void relaxed_flag_bug(const __grid_constant__ bugs::Arguments a) { bugs::relaxed_flag<false>(a); }
extern "C" __global__ void relaxed_flag_fix(const __grid_constant__ bugs::Arguments a) { bugs::relaxed_flag<true>(a); }
extern "C" __global__ void last_arriver_bug(const __grid_constant__ bugs::Arguments a) { bugs::last_arriver<false>(a); }
extern "C" __global__ void last_arriver_fix(const __grid_constant__ bugs::Arguments a) { bugs::last_arriver<true>(a); }
extern "C" __global__ void freed_bug(const __grid_constant__ bugs::Arguments a) { bugs::freed<false>(a); }
extern "C" __global__ void freed_fix(const __grid_constant__ bugs::Arguments a) { bugs::freed<true>(a); }
extern "C" __global__ void grid_too_large_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::grid_too_large<false>(a);
}
extern "C" __global__ void grid_too_large_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::grid_too_large<true>(a);
}

// Stores of the asynchronous proxy, tensor maps, and copy groups. See warps.cu.
#include "simulator/tests/bugs/kernels/instructions.cuh"

namespace bugs {

// Ordinary stores, then a bulk store of the same bytes: the asynchronous proxy has not been told.
template <bool fixed>
__device__ void b03(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  for (uint32_t i = threadIdx.x; i < 256; i += 64) tile[i] = a.in[i];  // BUG b03
  if constexpr (fixed) fence_async();
  __syncthreads();
  if (threadIdx.x == 0) {
    bulk_store(a.out, tile, 1024);  // BUG b03
    commit();
    wait_group<0>();
  }
}

// Groups belong to the thread that committed them: another one's wait waits for nothing.
template <bool fixed>
__device__ void b05(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  for (uint32_t turn = 0; turn < 2; ++turn) {
    if (threadIdx.x == (fixed ? 0 : 32)) wait_group_read<0>();
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < 256; i += 64) tile[i] = a.in[i + turn];  // BUG b05
    fence_async();
    __syncthreads();
    if (threadIdx.x == 0) {
      bulk_store(&a.out[256 * turn], tile, 1024);  // BUG b05
      commit();
    }
  }
  if (threadIdx.x == 0) wait_group<0>();
}

// A tensor map in global memory is edited for the next tile while this tile's load still reads it.
template <bool fixed>
__device__ void b09(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  __shared__ uint64_t full;
  auto* map = reinterpret_cast<TensorMap*>(a.raw);
  a.raw[threadIdx.x] = reinterpret_cast<const uint32_t*>(&a.in_map)[threadIdx.x];
  __syncwarp();
  if (threadIdx.x == 0) {
    init(&full, 1);
    fence_init();
    fence_map(map);
    arrive_expect(&full, 1024);
    tensor_load(tile, map, 0, 0, &full);  // BUG b09
  }
  __syncwarp();
  if constexpr (fixed) wait(&full, 0);
  a.raw[threadIdx.x] = reinterpret_cast<const uint32_t*>(&a.out_map)[threadIdx.x];  // BUG b09
  wait(&full, 0);
  a.out[threadIdx.x] = tile[threadIdx.x];
}

// Every lane of the warp issues the store that one should.
template <bool fixed>
__device__ void b11(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  for (uint32_t i = threadIdx.x; i < 256; i += 32) tile[i] = a.in[i];
  fence_async();
  __syncwarp();
  if (!fixed || elect()) tensor_store(&a.out_map, 0, 0, tile);  // BUG b11
  commit();
  wait_group<0>();
}

template <bool fixed>
__device__ void missing_proxy_fence(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  for (uint32_t i = threadIdx.x; i < 256; i += 32) tile[i] = a.in[i];  // BUG missing_proxy_fence
  if constexpr (fixed) fence_async();
  __syncwarp();
  if (threadIdx.x == 0) {
    tensor_store(&a.out_map, 16, 16, tile);  // BUG missing_proxy_fence
    commit();
    wait_group<0>();
  }
}

// Two buffers alternate; one store may still be read when its buffer is filled again.
template <bool fixed>
__device__ void bulk_group_off_by_one(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[2][64];
  for (uint32_t turn = 0; turn < 4; ++turn) {
    if (threadIdx.x == 0) {
      if constexpr (fixed) {
        wait_group_read<1>();
      } else {
        wait_group_read<2>();
      }
    }
    __syncwarp();
    for (uint32_t i = threadIdx.x; i < 64; i += 32) tile[turn % 2][i] = a.in[i + turn];  // BUG bulk_group_off_by_one
    fence_async();
    __syncwarp();
    if (threadIdx.x == 0) {
      bulk_store(&a.out[64 * turn], tile[turn % 2], 256);  // BUG bulk_group_off_by_one
      commit();
    }
  }
  if (threadIdx.x == 0) wait_group<0>();
}

// Two groups of copies are in flight; the older one is read when it need not have landed.
template <bool fixed>
__device__ void copy_group_off_by_one(const Arguments& a) {
  __shared__ alignas(16) uint32_t tile[2][128];
  const uint32_t t = threadIdx.x;
  for (uint32_t i = 0; i < 2; ++i) {
    copy16(&tile[i][4 * t], &a.in[4 * t + i * 128]);  // BUG copy_group_off_by_one
    copy_commit();
  }
  if constexpr (fixed) {
    copy_wait<1>();
  } else {
    copy_wait<2>();
  }
  a.out[t] = tile[0][4 * t];  // BUG copy_group_off_by_one
  copy_wait<0>();
}

// .read frees the source alone: what the store writes is not there yet for whoever reads it.
template <bool fixed>
__device__ void read_is_not_done(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  for (uint32_t i = threadIdx.x; i < 256; i += 32) tile[i] = a.in[i];
  fence_async();
  __syncwarp();
  if (threadIdx.x == 0) {
    bulk_store(a.out, tile, 1024);  // BUG read_is_not_done
    commit();
    if constexpr (fixed) {
      wait_group<0>();
    } else {
      wait_group_read<0>();
    }
    a.out[300] = a.out[5];  // BUG read_is_not_done
    wait_group<0>();
  }
}

// Copies ahead that are not used any more: they may land when the shared memory is another block's.
template <bool fixed>
__device__ void copy_left(const Arguments& a) {
  __shared__ alignas(16) uint32_t tile[2][128];
  const uint32_t t = threadIdx.x;
  for (uint32_t i = 0; i < 2; ++i) {
    copy16(&tile[i][4 * t], &a.in[4 * t + i * 128]);  // BUG copy_left
    copy_commit();
  }
  copy_wait<1>();
  a.out[t] = tile[0][4 * t];
  if constexpr (fixed) copy_wait<0>();
}

// The block ends while a store may still read its shared memory.
template <bool fixed>
__device__ void bulk_store_left(const Arguments& a) {
  __shared__ alignas(128) uint32_t tile[256];
  for (uint32_t i = threadIdx.x; i < 256; i += 32) tile[i] = a.in[i];
  fence_async();
  __syncwarp();
  if (threadIdx.x == 0) {
    bulk_store(a.out, tile, 1024);  // BUG bulk_store_left
    commit();
    if constexpr (fixed) wait_group_read<0>();
  }
}

}  // namespace bugs

extern "C" __global__ void b03_bug(const __grid_constant__ bugs::Arguments a) { bugs::b03<false>(a); }
extern "C" __global__ void b03_fix(const __grid_constant__ bugs::Arguments a) { bugs::b03<true>(a); }
extern "C" __global__ void b05_bug(const __grid_constant__ bugs::Arguments a) { bugs::b05<false>(a); }
extern "C" __global__ void b05_fix(const __grid_constant__ bugs::Arguments a) { bugs::b05<true>(a); }
extern "C" __global__ void b09_bug(const __grid_constant__ bugs::Arguments a) { bugs::b09<false>(a); }
extern "C" __global__ void b09_fix(const __grid_constant__ bugs::Arguments a) { bugs::b09<true>(a); }
extern "C" __global__ void b11_bug(const __grid_constant__ bugs::Arguments a) { bugs::b11<false>(a); }
extern "C" __global__ void b11_fix(const __grid_constant__ bugs::Arguments a) { bugs::b11<true>(a); }
extern "C" __global__ void missing_proxy_fence_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::missing_proxy_fence<false>(a);
}
extern "C" __global__ void missing_proxy_fence_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::missing_proxy_fence<true>(a);
}
extern "C" __global__ void bulk_group_off_by_one_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::bulk_group_off_by_one<false>(a);
}
extern "C" __global__ void bulk_group_off_by_one_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::bulk_group_off_by_one<true>(a);
}
extern "C" __global__ void copy_group_off_by_one_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::copy_group_off_by_one<false>(a);
}
extern "C" __global__ void copy_group_off_by_one_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::copy_group_off_by_one<true>(a);
}
extern "C" __global__ void read_is_not_done_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::read_is_not_done<false>(a);
}
extern "C" __global__ void read_is_not_done_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::read_is_not_done<true>(a);
}
extern "C" __global__ void copy_left_bug(const __grid_constant__ bugs::Arguments a) { bugs::copy_left<false>(a); }
extern "C" __global__ void copy_left_fix(const __grid_constant__ bugs::Arguments a) { bugs::copy_left<true>(a); }
extern "C" __global__ void bulk_store_left_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::bulk_store_left<false>(a);
}
extern "C" __global__ void bulk_store_left_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::bulk_store_left<true>(a);
}

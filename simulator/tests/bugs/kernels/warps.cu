// Warps and blocks that share memory by ordinary accesses. Each bug and its fix are one function; the lines that a
// report may name are marked.
#include "simulator/tests/bugs/kernels/instructions.cuh"

namespace bugs {

// A lane reads what its neighbour has stored, in the same warp.
template <bool fixed>
__device__ void b02(const Arguments& a) {
  __shared__ uint32_t data[32];
  const uint32_t lane = threadIdx.x;
  data[lane] = a.in[lane];  // BUG b02
  if constexpr (fixed) __syncwarp();
  a.out[lane] = data[lane ^ 1];  // BUG b02
}

// The last tile leaves its size in shared memory; there may be no tile.
template <bool fixed>
__device__ void b08(const Arguments& a) {
  __shared__ uint32_t size;
  if (fixed && threadIdx.x == 0) size = 0;
  for (uint32_t tile = 0; tile < a.tiles; ++tile) {
    if (threadIdx.x == 0) size = a.in[tile];
  }
  __syncthreads();
  a.out[threadIdx.x] = size;  // BUG b08
}

// Rows beyond the end are zeroed by ordinary stores while the copies into the same buffer are in flight.
template <bool fixed>
__device__ void b13(const Arguments& a) {
  __shared__ alignas(16) uint32_t tile[128];
  const uint32_t t = threadIdx.x;
  copy16(&tile[4 * t], &a.in[4 * t]);  // BUG b13
  copy_commit();
  if (fixed) copy_wait<0>();
  if (t >= 24) tile[4 * t + 3] = 0;  // BUG b13
  copy_wait<0>();
  a.out[t] = tile[4 * t + 3];
}

// Lanes of one warp go through a loop with a block barrier a different number of times.
template <bool fixed>
__device__ void b16(const Arguments& a) {
  const uint32_t turns = fixed ? 3 : 2 + a.in[threadIdx.x % 2];
  for (uint32_t turn = 0; turn < turns; ++turn) {
    a.out[threadIdx.x] += turn;
    __syncthreads();  // BUG b16
  }
  a.out[threadIdx.x] += 1;
  __syncthreads();  // BUG b16
}

// K = 64 has four block scales of 16 values a row; the copy counts one per 32.
template <bool fixed>
__device__ void b18(const Arguments& a) {
  constexpr uint32_t k = 64, copied = fixed ? k / 16 : k / 32;
  __shared__ uint32_t scales[32][k / 16];
  const uint32_t row = threadIdx.x;
  for (uint32_t i = 0; i < copied; ++i) scales[row][i] = a.in[row * copied + i];
  uint32_t sum = 0;
  for (uint32_t i = 0; i < k / 16; ++i) sum += scales[row][i];  // BUG b18
  a.out[row] = sum;
}

template <bool fixed>
__device__ void missing_syncthreads(const Arguments& a) {
  __shared__ uint32_t data[64];
  const uint32_t t = threadIdx.x;
  data[t] = a.in[t];  // BUG missing_syncthreads
  if constexpr (fixed) __syncthreads();
  a.out[t] = data[63 - t];  // BUG missing_syncthreads
}

template <bool fixed>
__device__ void missing_syncwarp(const Arguments& a) {
  __shared__ uint32_t data[32];
  const uint32_t lane = threadIdx.x;
  data[lane] = a.in[lane];
  __syncwarp();
  for (uint32_t step = 16; step > 0; step /= 2) {
    if (lane < step) data[lane] += data[lane + step];  // BUG missing_syncwarp
    if constexpr (fixed) __syncwarp();
  }
  if (lane == 0) a.out[0] = data[0];
}

template <bool fixed>
__device__ void shared_overrun(const Arguments& a) {
  __shared__ uint32_t data[32];
  data[threadIdx.x] = a.in[threadIdx.x];
  __syncwarp();
  a.out[threadIdx.x] = data[threadIdx.x + (fixed ? 0 : 1)];  // BUG shared_overrun
}

// Three warps are counted, two come.
template <bool fixed>
__device__ void barrier_count(const Arguments& a) {
  if constexpr (fixed) {
    sync<1, 64>();
  } else {
    sync<1, 96>();  // BUG barrier_count
  }
  a.out[threadIdx.x] = 1;
}

// The buffer's second round is stored before everybody has read the first.
template <bool fixed>
__device__ void write_after_read(const Arguments& a) {
  __shared__ uint32_t data[64];
  const uint32_t t = threadIdx.x;
  for (uint32_t turn = 0; turn < 2; ++turn) {
    data[t] = a.in[t + turn];  // BUG write_after_read
    __syncthreads();
    a.out[t] += data[63 - t];  // BUG write_after_read
    if constexpr (fixed) __syncthreads();
  }
}

}  // namespace bugs

extern "C" __global__ void b02_bug(const __grid_constant__ bugs::Arguments a) { bugs::b02<false>(a); }
extern "C" __global__ void b02_fix(const __grid_constant__ bugs::Arguments a) { bugs::b02<true>(a); }
extern "C" __global__ void b08_bug(const __grid_constant__ bugs::Arguments a) { bugs::b08<false>(a); }
extern "C" __global__ void b08_fix(const __grid_constant__ bugs::Arguments a) { bugs::b08<true>(a); }
extern "C" __global__ void b13_bug(const __grid_constant__ bugs::Arguments a) { bugs::b13<false>(a); }
extern "C" __global__ void b13_fix(const __grid_constant__ bugs::Arguments a) { bugs::b13<true>(a); }
extern "C" __global__ void b16_bug(const __grid_constant__ bugs::Arguments a) { bugs::b16<false>(a); }
extern "C" __global__ void b16_fix(const __grid_constant__ bugs::Arguments a) { bugs::b16<true>(a); }
extern "C" __global__ void b18_bug(const __grid_constant__ bugs::Arguments a) { bugs::b18<false>(a); }
extern "C" __global__ void b18_fix(const __grid_constant__ bugs::Arguments a) { bugs::b18<true>(a); }
extern "C" __global__ void missing_syncthreads_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::missing_syncthreads<false>(a);
}
extern "C" __global__ void missing_syncthreads_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::missing_syncthreads<true>(a);
}
extern "C" __global__ void missing_syncwarp_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::missing_syncwarp<false>(a);
}
extern "C" __global__ void missing_syncwarp_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::missing_syncwarp<true>(a);
}
extern "C" __global__ void shared_overrun_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::shared_overrun<false>(a);
}
extern "C" __global__ void shared_overrun_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::shared_overrun<true>(a);
}
extern "C" __global__ void barrier_count_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::barrier_count<false>(a);
}
extern "C" __global__ void barrier_count_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::barrier_count<true>(a);
}
extern "C" __global__ void write_after_read_bug(const __grid_constant__ bugs::Arguments a) {
  bugs::write_after_read<false>(a);
}
extern "C" __global__ void write_after_read_fix(const __grid_constant__ bugs::Arguments a) {
  bugs::write_after_read<true>(a);
}

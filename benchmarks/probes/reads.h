// Two ways to read n bytes once, as fast as possible: plain 16-byte loads with U in flight per thread, and bulk copies
// into a ring in shared memory. Each block writes its cycles to `cycles`. Shared by dram.cu and pull.cu.
#pragma once

#include "probe.h"

static __device__ inline uint32_t load(const uint4* from) {
  uint4 v;
  asm("ld.global.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
      : "l"(from));
  return v.x ^ v.y ^ v.z ^ v.w;
}

// Until the mbarrier at `bar`, an address in shared memory, has left the phase of that parity.
static __device__ inline void wait_full(uint32_t bar, uint32_t parity) {
  const long long start = clock64();
  for (uint32_t done = 0; !done; probe::bound(start))
    asm volatile("{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p;}"
                 : "=r"(done)
                 : "r"(bar), "r"(parity)
                 : "memory");
}

template <int U>
__global__ void __launch_bounds__(1024, 1)
    read_loads(const uint4* data, size_t count, int turns, long long* cycles, uint32_t* never) {
  const uint32_t stride = gridDim.x * blockDim.x;
  uint32_t sum = 0;
  const long long begin = clock64();
#pragma unroll 1
  for (int turn = 0; turn < turns; ++turn) {
    const uint4* at = data + blockIdx.x * blockDim.x + threadIdx.x;
    const uint4* const end = data + count;
#pragma unroll 1
    for (; at + (U - 1) * stride < end; at += U * stride) {
      uint32_t v[U];
#pragma unroll
      for (int u = 0; u < U; ++u) v[u] = load(at + u * stride);
#pragma unroll
      for (int u = 0; u < U; ++u) sum += v[u];
    }
#pragma unroll
    for (int u = 0; u < U - 1; ++u)
      if (at + u * stride < end) sum += load(at + u * stride);
  }
  __syncthreads();
  if (threadIdx.x == 0) cycles[blockIdx.x] = clock64() - begin;
  if (sum == 0x9e3779b9) *never = sum;
}

// One thread keeps `stages` copies of `chunk` bytes in flight; nobody reads what arrives, as a floor needs no reader.
static __global__ void read_bulk(const char* data, size_t bytes, int turns, uint32_t chunk, uint32_t stages,
                                 long long* cycles) {
  extern __shared__ __align__(128) char ring[];
  __shared__ uint64_t full[32];
  const auto address = [](void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); };
  const long long begin = clock64();
  for (uint32_t s = 0; s < stages; ++s) asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address(full + s)));
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  const size_t stride = size_t(gridDim.x) * chunk, first = size_t(blockIdx.x) * chunk;
  const uint32_t total = first < bytes ? (bytes - first + stride - 1) / stride * turns : 0;
  size_t from = first;
  const auto issue = [&](uint32_t slot) {
    const uint32_t bar = address(full + slot), to = address(ring) + slot * chunk;
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar), "r"(chunk) : "memory");
    asm volatile("cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
                 "l"(data + from), "r"(chunk), "r"(bar)
                 : "memory");
    from = from + stride < bytes ? from + stride : first;
  };
  for (uint32_t k = 0; k < min(stages, total); ++k) issue(k);
  for (uint32_t k = 0, slot = 0, parity = 0; k < total; ++k) {
    wait_full(address(full + slot), parity);
    if (k + stages < total) issue(slot);
    if (++slot == stages) slot = 0, parity ^= 1;
  }
  cycles[blockIdx.x] = clock64() - begin;
}

// Clusters: cost of a barrier, latency of a read from another block's shared memory, and its rate.
// Out: cluster.barrier.<size>, cluster.barrier_relaxed.<size>, cluster.read.<size> (clk, the next address comes from
// the read), cluster.rate.<size> (bytes per clk and SM, every block of one cluster reads from its neighbour).
#include "probe.h"

enum Kind : int { kBarrier, kRelaxed, kRead, kRate };
constexpr int kTurns = 256;

template <Kind kKind>
__global__ void turns(long long* cycles, uint32_t* sink) {
  __shared__ uint4 memory[1024];
  for (int i = threadIdx.x; i < 1024; i += blockDim.x) memory[i] = {};
  uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(memory + threadIdx.x % 32)), sum = 0;
  asm("mapa.shared::cluster.u32 %0, %0, %1;" : "+r"(at) : "r"((blockIdx.x + 1) % gridDim.x));
  long long begin = 0;
#pragma unroll 1
  for (int pass = 0; pass < 2; ++pass) {  // the first pass fetches the instructions
    probe::cluster_barrier();
    begin = clock64();
#pragma unroll 8
    for (int i = 0; i < kTurns; ++i) {
      uint4 v = {};
      if (kKind == kBarrier)
        asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
      if (kKind == kRelaxed)
        asm volatile("barrier.cluster.arrive.relaxed.aligned; barrier.cluster.wait.aligned;" ::: "memory");
      if (kKind == kRead) asm volatile("ld.shared::cluster.b32 %0, [%1];" : "=r"(v.x) : "r"(at));
      if (kKind == kRate)
        asm volatile("ld.shared::cluster.v4.b32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                     : "r"(at + i % 16 * 512));
      kKind == kRead ? at += v.x : sum += v.x ^ v.y ^ v.z ^ v.w;  // memory holds zeros
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) cycles[blockIdx.x] = clock64() - begin;
  sink[blockIdx.x * blockDim.x + threadIdx.x] = sum + at;
  probe::cluster_barrier();  // peers may still read
}

int main() {
  const probe::Session session("cluster");
  long long* const cycles = probe::allocate<long long>(16);
  uint32_t* const sink = probe::allocate<uint32_t>(16 * 1024);
  const auto measure = [&](const char* name, auto kernel, int size, int threads, const char* unit) {
    probe::check(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
    probe::repeat("cluster." + (name + probe::str(size)), unit, 9, [&] {
      probe::launch(probe::Launch::kCluster, kernel, size, threads, nullptr, cycles, sink);
      const double clk = double(probe::fetch(cycles, 1)[0]) / kTurns;
      return unit[0] == 'B' ? threads * 16 / clk : clk;
    });
  };
  for (int size : {2, 4, 8, 16}) {
    measure("barrier.", turns<kBarrier>, size, 256, "clk"),
        measure("barrier_relaxed.", turns<kRelaxed>, size, 256, "clk");
    measure("read.", turns<kRead>, size, 32, "clk"), measure("rate.", turns<kRate>, size, 1024, "B/clk/SM");
  }
}

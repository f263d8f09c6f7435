// One block tells another (store, fence.acq_rel.gpu, atomic add; the other polls), and barriers of N blocks made of
// that. Out: publish.hop.<partner> (clk from a store until the other block has seen it: half a round trip between block
// 0 and the partner), publish.barrier.<N>.<bytes> (clk of a barrier of N blocks, one an SM, where each block first
// writes <bytes> and afterwards reads its 1/N of what every block wrote, as a merge by slices does).
#include "probe.h"

__global__ void hop(uint32_t partner, uint32_t rounds, uint32_t* counters, uint32_t* data, long long* cycles) {
  if (threadIdx.x != 0 || (blockIdx.x != 0 && blockIdx.x != partner)) return;
  const long long begin = clock64();
  for (uint32_t i = 1; i <= rounds; ++i) {
    if (blockIdx.x != 0) probe::wait_for(counters, i);
    data[blockIdx.x * 32] = i;
    probe::arrive(counters + (blockIdx.x == 0 ? 0 : 32));
    if (blockIdx.x == 0) probe::wait_for(counters + 32, i);
  }
  if (blockIdx.x == 0) cycles[0] = (clock64() - begin) / (2 * rounds);
}

__global__ void barrier(uint32_t words, uint32_t rounds, uint32_t* counters, uint4* data, long long* cycles) {
  const uint32_t total = gridDim.x * words, log2_slice = 31 - __clz(words / gridDim.x);
  const long long begin = clock64();
  for (uint32_t i = 1; i <= rounds; ++i) {
    uint4* const buffer = data + (i & 1) * total;  // two, so that one barrier a round is enough
    for (uint32_t w = threadIdx.x; w < words; w += blockDim.x) buffer[blockIdx.x * words + w] = {i, w, 0, 0};
    __syncthreads();
    if (threadIdx.x == 0) probe::arrive(counters), probe::wait_for(counters, i * gridDim.x);
    __syncthreads();
    for (uint32_t w = threadIdx.x; w < words; w += blockDim.x) {
      const uint32_t block = w >> log2_slice, word = (blockIdx.x << log2_slice) + w - (block << log2_slice);
      if (__ldcg(buffer + block * words + word).x != i) __trap();
    }
  }
  if (threadIdx.x == 0) cycles[blockIdx.x] = (clock64() - begin) / rounds;
}

int main() {
  const probe::Session session("publish");
  uint32_t* const counters = probe::allocate<uint32_t>(64);
  uint4* const data = probe::allocate<uint4>(2 * 128 * 512);
  long long* const cycles = probe::allocate<long long>(132);
  const auto measure = [&](const std::string& name, auto kernel, int blocks, int threads, int a, int rounds, auto* to) {
    probe::repeat("publish." + name, "clk", 9, [&] {
      probe::check(cudaMemset(counters, 0, 256));
      probe::launch(probe::Launch::kCooperative, kernel, blocks, threads, nullptr, a, rounds, counters, to, cycles);
      return double(probe::fetch(cycles, 1)[0]);
    });
  };
  for (int partner : {1, 2, 16, 66, 131})
    measure("hop." + probe::str(partner), hop, 132, 32, partner, 500, reinterpret_cast<uint32_t*>(data));
  for (int blocks : {2, 8, 16, 32, 64, 128})
    for (bool with_data : {false, true})
      measure("barrier." + probe::str(blocks) + (with_data ? ".8192" : ".0"), barrier, blocks, 256, with_data ? 512 : 0,
              200, data);
}

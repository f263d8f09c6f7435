// Issue interval and latency of single instructions, and of pairs that tell which of them share a pipe.
// Out: pipes.interval.X, pipes.latency.X (cycles per warp instruction of one SM sub-partition), pipes.pair.A+B (cycles
// per A and B). One block on one SM; 8 independent chains in each of 4 warps per sub-partition cover every latency.
#include "instructions.h"
#include "probe.h"

constexpr int kBody = 256, kTurns = 32;  // a loop of 256 timed instructions: 4 KB of code

template <class A, class B, int kChains>
__global__ void chain(u32 seed, long long* times, u32* sink) {
  u32 x[kChains], r[5];
  for (int i = 0; i < kChains; ++i) x[i] = seed * (threadIdx.x + 17) + i;
  for (int i = 0; i < 5; ++i) r[i] = seed ^ sink[i];
#pragma unroll 1
  for (int pass = 0; pass < 2; ++pass) {  // the first pass fetches the instructions
    __syncthreads();
    times[threadIdx.x] = clock64();
#pragma unroll 1
    for (int turn = 0; turn < kTurns; ++turn)
#pragma unroll
      for (int i = 0, j = 0; i < kBody; ++i, j = i / kChains % 4)
        i % 2 ? B::run(x[i % kChains], r[j], r[j + 1]) : A::run(x[i % kChains], r[j], r[j + 1]);
    times[blockDim.x + threadIdx.x] = clock64();
  }
  for (int i = 1; i < kChains; ++i) x[0] ^= x[i];
  sink[threadIdx.x] = x[0];
}

template <class A, class B, int kChains>
void measure(const std::string& name, int warps, int per_step) {
  static long long* const times = probe::allocate<long long>(1024);
  static u32* const sink = probe::allocate<u32>(512);
  std::vector<double> cycles;
  for (int i = 0; i < 15; ++i) {
    chain<A, B, kChains><<<1, warps * 128>>>(0x3c014d5bu + i, times, sink);
    const auto t = probe::fetch(times, warps * 256);
    const auto [first, last] = std::minmax_element(t.begin(), t.end());
    cycles.push_back(per_step * double(*last - *first) / (double(kBody) * kTurns * warps));
  }
  probe::report("pipes." + name, cycles, "clk");
}

template <class A, class... B>
void pairs() {
  (measure<A, B, 8>("pair." + name_of<A>() + "+" + name_of<B>(), 4, 2), ...);
}
template <class... A>
void singles() {
  (measure<A, A, 8>("interval." + name_of<A>(), 4, 1), ...);
  (measure<A, A, 1>("latency." + name_of<A>(), 1, 1), ...);
}

int main() {
  const probe::Session session("pipes");
  singles<LOP3, PRMT, SHF, IMAD, FMNMX, FFMA, HMUL2, HFMA2, HFMA2_BF16, F2FP_UNPACK, F2FP_E4M3, F2FP_F16, MUFU_EX2,
          MUFU_RSQ, MUFU_RCP, SHFL, MOVM>();
  pairs<LOP3, PRMT, SHF, FMNMX, IMAD, FFMA, HMUL2, F2FP_UNPACK, F2FP_E4M3, F2FP_F16, MUFU_EX2>();
  pairs<F2FP_UNPACK, PRMT, IMAD, FFMA, HMUL2, F2FP_F16>(), pairs<FFMA, IMAD, HMUL2>();
}

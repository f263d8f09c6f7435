// Shared memory: cycles of one SM per warp instruction with every warp busy (bytes / cycles is the rate), and latency.
// Out: shared.interval.X.wW (cycles of the SM per warp instruction, W warps a sub-partition), shared.latency.X (with
// the IADD that makes the next address). A lane's bytes follow the last lane's: no bank conflicts.
#include "instructions.h"
#include "probe.h"

constexpr int kBody = 16, kTurns = 64, kBytes = 32768;

template <class Op, bool kDependent>
__global__ void access(long long* times, u32* sink) {
  __shared__ alignas(1024) uint4 memory[kBytes / 16];
  for (int i = threadIdx.x; i < kBytes / 16; i += blockDim.x) memory[i] = {};
  u32 sum = 0, step = 8192, at = static_cast<u32>(__cvta_generic_to_shared(memory)) + threadIdx.x * Op::kLaneBytes;
#pragma unroll 1
  for (int pass = 0; pass < 2; ++pass) {  // the first pass fetches the instructions
    __syncthreads();
    times[threadIdx.x] = clock64();
#pragma unroll 1
    for (int turn = 0; turn < kTurns; ++turn, at += step, step = -step) {  // new addresses: nothing can be hoisted
#pragma unroll
      for (int i = 0; i < kBody; ++i) {
        u32 v[4] = {at, at, sum, sum};
        Op::run(at + i * 512, v);
        if (kDependent) at += v[0];  // memory holds zeros
        sum ^= v[0] ^ v[1] ^ v[2] ^ v[3];
      }
    }
    times[blockDim.x + threadIdx.x] = clock64();
  }
  sink[threadIdx.x] = sum;
}

template <class Op, bool kDependent>
void measure(const std::string& name, int threads) {
  static long long* const times = probe::allocate<long long>(1024);
  static u32* const sink = probe::allocate<u32>(512);
  probe::repeat("shared." + name, "clk", 15, [&] {
    access<Op, kDependent><<<1, threads>>>(times, sink);
    const auto t = probe::fetch(times, threads * 2);
    const auto [first, last] = std::minmax_element(t.begin(), t.end());
    return double(*last - *first) / (double(kBody) * kTurns * threads / 32);
  });
}

template <class... Op>
void intervals() {
  for (int warps : {1, 2, 4})
    (measure<Op, false>("interval." + name_of<Op>() + ".w" + probe::str(warps), warps * 128), ...);
}

int main() {
  const probe::Session session("shared");
  intervals<LDS_32, LDS_128, LDSM_X4, LDSM_X4_T, STS_128>();
  measure<LDS_32, true>("latency.LDS_32", 32), measure<LDS_128, true>("latency.LDS_128", 32);
  measure<LDSM_X4, true>("latency.LDSM_X4", 32), measure<LDSM_X4_T, true>("latency.LDSM_X4_T", 32);
}

// mma.sync m16n8k16 f16 -> f32: interval by number of independent accumulators and warps, and the whole GPU's rate.
// Out: mma.interval.cC.wW (cycles per instruction of one sub-partition; C chains a warp, W warps a sub-partition;
// c1.w1 is the latency), mma.rate.cC.wW (TFLOP/s, all SMs, 20 ms).
#include "probe.h"

constexpr int kBody = 64;

template <int kChains>
__global__ void multiply(int turns, uint32_t seed, long long* times, float* sink) {
  float d[kChains][4] = {};
  uint32_t a[4], b[2];
  for (uint32_t i = 0; i < 4; ++i)
    a[i] = 0x3c003c00u ^ ((threadIdx.x * 2654435761u + i * seed) & 0x83ff83ffu);  // +-1..2
  for (uint32_t i = 0; i < 2; ++i) b[i] = 0x3c003c00u ^ ((threadIdx.x * 2246822519u + i * seed) & 0x83ff83ffu);
#pragma unroll 1
  for (int pass = 0; pass < 2; ++pass) {  // the first pass fetches the instructions
    __syncthreads();
    if (blockIdx.x == 0) times[threadIdx.x] = clock64();
#pragma unroll 1
    for (int turn = 0; turn < turns; ++turn) {
#pragma unroll
      for (int i = 0; i < kBody; ++i) {
        float* x = d[i % kChains];
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9},"
            " {%0, %1, %2, %3};"
            : "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
      }
    }
    if (blockIdx.x == 0) times[blockDim.x + threadIdx.x] = clock64();
  }
  for (int c = 0; c < kChains; ++c) sink[threadIdx.x] += d[c][0] + d[c][1] + d[c][2] + d[c][3];
}

template <int kChains>
void measure(long long* times, float* sink) {
  for (int warps = 1; warps <= 4; ++warps) {
    const std::string name = "c" + probe::str(kChains) + ".w" + probe::str(warps);
    std::vector<double> cycles, rates;
    for (uint32_t i = 0; i < 9; ++i) {
      multiply<kChains><<<1, warps * 128>>>(32, 0x12345u + i, times, sink);
      const auto t = probe::fetch(times, warps * 256);
      const auto [first, last] = std::minmax_element(t.begin(), t.end());
      cycles.push_back(double(*last - *first) / (32.0 * kBody * warps));
    }
    probe::report("mma.interval." + name, cycles, "clk");
    const int turns = int(2e7 / (cycles[0] * kBody * warps)) + 1;  // two passes of about 10 ms
    const double us = probe::event_us([&] { multiply<kChains><<<132, warps * 128>>>(turns, 0x777u, times, sink); });
    probe::report("mma.rate." + name, {2.0 * turns * kBody * 132 * warps * 4 * 4096 / us * 1e-6}, "TFLOP/s");
  }
}

int main() {
  const probe::Session session("mma");
  auto run = [times = probe::allocate<long long>(1024), sink = probe::allocate<float>(512)]<int... kChains>(
                 std::integer_sequence<int, kChains...>) { (measure<kChains + 1>(times, sink), ...); };
  run(std::make_integer_sequence<int, 8>());
}

// Cold instruction fetch: straight-line kernels of 1 to 256 KB, one warp an SM, on 1 and on 132 SMs.
// Out: icache.<state>.<KB>.<blocks> in clk of one pass through the code (the slowest SM): cold (other code ran and L2
// was scrubbed), evicted (other code ran, L2 still has this code), again (the launch before was the same kernel),
// second (the second pass of one launch: what remains is issue and what the caches cannot hold).
#include "probe.h"

template <int kKB, int kCopy>
__global__ void straight(float a, long long* cycles, float* sink) {
  float v[8];
  for (int i = 0; i < 8; ++i) v[i] = a + float(threadIdx.x * 8 + i);
#pragma unroll 1
  for (int pass = 0; pass < 2; ++pass) {
    __syncthreads();
    const long long begin = clock64();
#pragma unroll
    for (int i = 0; i < kKB * 8; ++i)  // 64 instructions of 16 bytes to the KB
      asm volatile(
          "fma.rn.f32 %0, %0, %8, %8; fma.rn.f32 %1, %1, %8, %8; fma.rn.f32 %2, %2, %8, %8; fma.rn.f32 %3, %3, %8, %8;"
          "fma.rn.f32 %4, %4, %8, %8; fma.rn.f32 %5, %5, %8, %8; fma.rn.f32 %6, %6, %8, %8; fma.rn.f32 %7, %7, %8, %8;"
          : "+f"(v[0]), "+f"(v[1]), "+f"(v[2]), "+f"(v[3]), "+f"(v[4]), "+f"(v[5]), "+f"(v[6]), "+f"(v[7])
          : "f"(a));
    __syncthreads();
    cycles[pass * gridDim.x + blockIdx.x] = clock64() - begin;
  }
  sink[blockIdx.x * blockDim.x + threadIdx.x] = v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7];
}

template <int... kKB>
void measure(long long* cycles, float* sink) {
  const auto slowest = [&](auto kernel, int blocks, int pass) {
    kernel<<<blocks, 32>>>(0.25f, cycles, sink);
    const auto t = probe::fetch(cycles, 2 * blocks);
    return double(*std::max_element(t.begin() + pass * blocks, t.begin() + (pass + 1) * blocks));
  };
  const auto other = [&] { straight<256, 1><<<132, 32>>>(0.5f, cycles, sink); };
  for (int blocks : {1, 132}) {
    const auto state = [&](const char* name, int kb, auto kernel, auto&& prepare, int pass) {
      probe::repeat("icache." + (name + probe::str(kb)) + "." + probe::str(blocks), "clk", 9, [&] {
        prepare();
        return slowest(kernel, blocks, pass);
      });
    };
    (state("cold.", kKB, straight<kKB, 0>, [&] { other(), probe::scrub_l2(); }, 0), ...);
    (state("evicted.", kKB, straight<kKB, 0>, [&] { slowest(straight<kKB, 0>, 132, 0), other(); }, 0), ...);
    (state("again.", kKB, straight<kKB, 0>, [&] { slowest(straight<kKB, 0>, 132, 0); }, 0), ...);
    (state("second.", kKB, straight<kKB, 0>, [] {}, 1), ...);
  }
}

int main() {
  const probe::Session session("icache");
  measure<1, 4, 16, 64, 128, 256>(probe::allocate<long long>(264), probe::allocate<float>(132 * 32));
}

// What one thread pays for order: a store followed by a fence, an atomic, or both, 256 times in a row.
// Out: order.<what follows the store> in clk per turn; order.nothing is the loop itself. Also at 132 blocks on one
// counter (order.all.*), where the atomics of all SMs meet.
#include "probe.h"

enum Kind : int { kNothing, kFenceCta, kFenceGpu, kFenceSys, kAtom, kFenceAtom, kAtomAcqRel, kFenceRed, kKinds };
constexpr const char* kNames[] = {"nothing", "fence.cta",      "fence.gpu",    "fence.sys",
                                  "atom",    "fence.gpu+atom", "atom.acq_rel", "fence.gpu+red"};
constexpr int kTurns = 256;

template <Kind kKind>
__global__ void order(uint32_t* data, uint32_t* counter, long long* cycles) {
  uint32_t got = 0;
  const long long begin = clock64();
#pragma unroll 1
  for (int i = 0; i < kTurns; ++i) {
    asm volatile("st.global.u32 [%0], %1;" ::"l"(data + (blockIdx.x * 8 + i % 8) * 32), "r"(i + got) : "memory");
    if (kKind == kFenceCta) asm volatile("fence.acq_rel.cta;" ::: "memory");
    if (kKind == kFenceGpu || kKind == kFenceRed) asm volatile("fence.acq_rel.gpu;" ::: "memory");
    if (kKind == kFenceSys) asm volatile("fence.acq_rel.sys;" ::: "memory");
    if (kKind == kAtom) asm volatile("atom.add.relaxed.gpu.u32 %0, [%1], 1;" : "=r"(got) : "l"(counter) : "memory");
    if (kKind == kFenceAtom) got = probe::arrive(counter);
    if (kKind == kAtomAcqRel)
      asm volatile("atom.add.acq_rel.gpu.u32 %0, [%1], 1;" : "=r"(got) : "l"(counter) : "memory");
    if (kKind == kFenceRed) asm volatile("red.add.relaxed.gpu.u32 [%0], 1;" ::"l"(counter) : "memory");
  }
  cycles[blockIdx.x] = clock64() - begin + (got == 0xffffffffu);
}

int main() {
  const probe::Session session("order");
  uint32_t* const words = probe::allocate<uint32_t>(132 * 8 * 32 + 32);
  long long* const cycles = probe::allocate<long long>(132);
  const auto all = [&]<int... kKind>(std::integer_sequence<int, kKind...>) {
    for (int blocks : {1, 132})
      (probe::repeat(std::string(blocks == 1 ? "order." : "order.all.") + kNames[kKind], "clk", 15,
                     [&] {
                       order<Kind(kKind)><<<blocks, 1>>>(words + 32, words, cycles);
                       return double(probe::fetch(cycles, 1)[0]) / kTurns;
                     }),
       ...);
  };
  all(std::make_integer_sequence<int, kKinds>());
}

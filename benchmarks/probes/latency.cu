// Latency of one dependent read: L1, L2 and DRAM by pointer chase, and bulk copies one at a time.
// Out: latency.load.<place>, latency.bulk.<bytes>.<place> in clk; place is l1, l2 or dram (after an L2 scrub).
// Addresses are 4 KB apart within 2 MB, so that page translation costs nothing after the start.
#include "reads.h"

template <bool kL1>
__global__ void chase(const uint64_t* first, int warm, int steps, long long* cycles) {
  uint64_t at = reinterpret_cast<uint64_t>(first);
  const auto step = [&] {
    if (kL1) asm volatile("ld.global.u64 %0, [%0];" : "+l"(at));
    if (!kL1) asm volatile("ld.global.cg.u64 %0, [%0];" : "+l"(at));
  };
  for (int i = 0; i < warm; ++i) step();
  if (warm == steps && at != 0) at = reinterpret_cast<uint64_t>(first);  // the same way again
  const long long begin = clock64();
  for (int i = 0; i < steps; ++i) step();
  cycles[0] = (at != 0 ? clock64() : 0) - begin;
}

int main() {
  const probe::Session session("latency");
  constexpr size_t kWords = (2 << 20) / 8, kStride = 4096 / 8 + 16;
  uint64_t* const data = probe::allocate<uint64_t>(kWords);
  long long* const cycles = probe::allocate<long long>(1);
  std::vector<uint64_t> links(kWords);
  for (size_t i = 0; i < kWords; ++i) links[i] = reinterpret_cast<uint64_t>(data + (i + kStride) % kWords);
  probe::check(cudaMemcpy(data, links.data(), kWords * 8, cudaMemcpyHostToDevice));
  const auto measure = [&](const std::string& name, bool cold, int turns, auto&& launch) {
    probe::repeat("latency." + name, "clk", 15, [&] {
      if (cold) probe::scrub_l2();
      launch();
      return double(probe::fetch(cycles, 1)[0]) / turns;
    });
  };
  measure("load.l1", false, 400, [&] { chase<true><<<1, 1>>>(data, 400, 400, cycles); });
  measure("load.l2", false, 400, [&] { chase<false><<<1, 1>>>(data, 400, 400, cycles); });
  measure("load.dram", true, 400, [&] { chase<false><<<1, 1>>>(data, 8, 400, cycles); });
  for (bool cold : {false, true})
    for (int bytes : {1024, 4096, 8192})
      measure("bulk." + probe::str(bytes) + (cold ? ".dram" : ".l2"), cold, 256,
              [&] { read_bulk<<<1, 1, 8192>>>(reinterpret_cast<char*>(data), 256 * bytes, 1, bytes, 1, cycles); });
}

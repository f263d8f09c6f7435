// The best read-only kernel: plain loads against bulk copies, several grids and bytes in flight, 1 MB to 2 GB, cold (L2
// scrubbed before each run) and warm. This is the floor of every later claim about memory-bound kernels.
// Out: dram.cold.<MB>.X and dram.warm.<MB>.X, microseconds of one launch by events (dram.empty.cold/warm: of no bytes).
#include <tuple>

#include "reads.h"

template <class F>
void measure(const std::string& name, F&& launch) {
  std::vector<double> cold, warm;
  for (int i = 0; i < 9; ++i) {
    probe::scrub_l2();
    cold.push_back(probe::event_us(launch));
  }
  for (int i = 0; i < 9; ++i) {
    if (i == 0) launch();
    probe::spin<<<1, 32>>>(80'000, nullptr);  // the launch is enqueued meanwhile
    warm.push_back(probe::event_us(launch));
  }
  probe::report("dram.cold." + name, cold, "us");
  probe::report("dram.warm." + name, warm, "us");
}

int main() {
  const probe::Session session("dram");
  constexpr size_t kMost = size_t{2} << 30;
  char* const data = probe::allocate<char>(kMost);
  uint32_t* const never = probe::allocate<uint32_t>(1);
  long long* const cycles = probe::allocate<long long>(2048);
  probe::fill<<<1056, 512>>>(reinterpret_cast<uint32_t*>(data), kMost / 4);
  probe::check(cudaFuncSetAttribute(read_bulk, cudaFuncAttributeMaxDynamicSharedMemorySize, 200 << 10));
  measure("0.empty", [&] { probe::spin<<<132, 32>>>(0, nullptr); });
  for (size_t mb = 1; mb <= 2048; mb *= 2) {
    const auto loads = [&](auto kernel, int unroll, int blocks, int threads) {
      measure(
          probe::str(int(mb)) + ".loads." + probe::str(blocks) + "x" + probe::str(threads) + "x" + probe::str(unroll),
          [&] { kernel<<<132 * blocks, threads>>>(reinterpret_cast<uint4*>(data), mb << 16, 1, cycles, never); });
    };
    for (auto [blocks, threads] : {std::pair{1, 512}, {1, 1024}, {2, 512}, {2, 1024}, {4, 256}, {4, 512}, {8, 256}}) {
      loads(read_loads<2>, 2, blocks, threads), loads(read_loads<4>, 4, blocks, threads);
      loads(read_loads<8>, 8, blocks, threads);
    }
    constexpr std::tuple<int, int, int> kRings[] = {{1, 1, 32},  {1, 2, 32}, {1, 4, 8},  {1, 4, 16},
                                                    {1, 8, 4},   {1, 8, 8},  {1, 8, 12}, {1, 16, 6},
                                                    {1, 16, 12}, {2, 4, 12}, {2, 8, 6},  {2, 8, 12}};
    for (const auto& [blocks, chunk, stages] : kRings)
      measure(
          probe::str(int(mb)) + ".bulk." + probe::str(blocks) + "x" + probe::str(chunk) + "KBx" + probe::str(stages),
          [&] {
            read_bulk<<<132 * blocks, 1, chunk * stages << 10>>>(data, mb << 20, 1, chunk << 10, stages, cycles);
          });
  }
}

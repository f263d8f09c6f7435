// How fast one SM, and all SMs, can pull from L2: plain loads and bulk copies over bytes that stay in L2.
// Out: pull.one.X and pull.all.X (bytes per cycle of one SM; X says what is in flight), pull.all_rate.X (TB/s by
// events).
#include "reads.h"

template <class F>
void measure(const std::string& name, int sms, double bytes, F&& launch) {
  static long long* const cycles = probe::allocate<long long>(132);
  std::vector<double> bytes_per_clk, rate;
  for (int i = 0; i < 9; ++i) {
    const double us = probe::event_us([&] { launch(cycles); });
    const auto t = probe::fetch(cycles, sms);
    bytes_per_clk.push_back(bytes / double(*std::max_element(t.begin(), t.end())) / sms);
    rate.push_back(bytes / us * 1e-6);
  }
  probe::report((sms == 1 ? "pull.one." : "pull.all.") + name, bytes_per_clk, "B/clk/SM");
  if (sms > 1) probe::report("pull.all_rate." + name, rate, "TB/s");
}

int main() {
  const probe::Session session("pull");
  char* const data = probe::allocate<char>(16 << 20);
  probe::fill<<<1056, 512>>>(reinterpret_cast<uint32_t*>(data), 4 << 20);
  uint32_t* const never = probe::allocate<uint32_t>(1);
  probe::check(cudaFuncSetAttribute(read_bulk, cudaFuncAttributeMaxDynamicSharedMemorySize, 200 << 10));
  for (int sms : {1, 132}) {
    const size_t bytes = (sms == 1 ? 2 : 16) << 20;  // of one SM far above L1; of all far below L2
    const int turns = 16;
    const auto loads = [&](auto kernel, const char* name, int threads) {
      measure(std::string("loads.") + name, sms, double(bytes) * turns, [&](long long* cycles) {
        kernel<<<sms, threads>>>(reinterpret_cast<uint4*>(data), bytes / 16, turns, cycles, never);
      });
    };
    loads(read_loads<2>, "1024x2", 1024), loads(read_loads<4>, "1024x4", 1024), loads(read_loads<8>, "1024x8", 1024);
    loads(read_loads<8>, "512x8", 512), loads(read_loads<8>, "256x8", 256), loads(read_loads<4>, "128x4", 128);
    for (auto [chunk, stages] :
         {std::pair{1, 32}, {2, 32}, {4, 16}, {8, 8}, {8, 16}, {16, 2}, {16, 4}, {16, 6}, {16, 12}})
      measure("bulk." + probe::str(chunk) + "KBx" + probe::str(stages), sms, double(bytes) * turns,
              [&](long long* cycles) {
                read_bulk<<<sms, 1, chunk * stages << 10>>>(data, bytes, turns, chunk << 10, stages, cycles);
              });
  }
}

// What a launch costs on the host's clock, with nothing else on the GPU.
// Out: host.call.<how>.<blocks> (us until the launch call returns) and host.round_trip.<how>.<blocks> (us until the
// host has seen the end of an empty kernel).
#include <chrono>

#include "probe.h"

double host_us(probe::Launch how, int blocks, bool until_done) {
  probe::check(cudaDeviceSynchronize());
  const auto begin = std::chrono::steady_clock::now();
  probe::launch(how, probe::spin, blocks, 32, nullptr, 0, nullptr);
  if (until_done) probe::check(cudaDeviceSynchronize());
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

int main() {
  const probe::Session session("host");
  const std::pair<probe::Launch, const char*> kinds[] = {{probe::Launch::kPlain, "plain."},
                                                         {probe::Launch::kCooperative, "cooperative."}};
  for (const auto& [how, name] : kinds)
    for (int blocks : {1, 132})
      for (bool until_done : {false, true})
        probe::repeat((until_done ? "host.round_trip." : "host.call.") + (name + probe::str(blocks)), "us", 101,
                      [&] { return host_us(how, blocks, until_done); });
}

// What a launch costs on the GPU: plain, cooperative, cluster, with programmatic dependence (PDL); eager and in a
// graph. Out: launch.chain.<eager|graph>.<how>.<blocks>.<empty|work> (us from one kernel to the next; work is 4000
// clk), launch.one.* (us of one empty kernel between two events), launch.cold.* (after an L2 scrub),
// launch.graph_one.*.
#include "probe.h"

using probe::Launch;

// Lets the next kernel start at once, waits for the one before (neither does anything without PDL), then works.
__global__ void work(long long cycles) {
  asm volatile("griddepcontrol.launch_dependents; griddepcontrol.wait;" ::: "memory");
  const long long begin = clock64();
  while (clock64() - begin < cycles) continue;
}

double chain_us(Launch how, int blocks, long long cycles, int count, bool graph, bool cold = false) {
  static cudaStream_t stream = nullptr;
  if (stream == nullptr) probe::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  cudaGraph_t captured = nullptr;
  cudaGraphExec_t ready = nullptr;
  const auto all = [&](cudaStream_t to) {
    for (int i = 0; i < count; ++i) probe::launch(how, work, blocks, 128, to, cycles);
  };
  if (graph) {
    probe::check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    all(stream);
    probe::check(cudaStreamEndCapture(stream, &captured));
    probe::check(cudaGraphInstantiate(&ready, captured, 0));
    probe::check(cudaGraphLaunch(ready, nullptr));
  }
  probe::spin<<<1, 32>>>(2'000'000, nullptr);  // 1 ms in which the host enqueues everything
  if (cold) probe::scrub_l2();
  const double us = probe::event_us([&] { graph ? probe::check(cudaGraphLaunch(ready, nullptr)) : all(nullptr); });
  if (graph) probe::check(cudaGraphExecDestroy(ready)), probe::check(cudaGraphDestroy(captured));
  return us;
}

void measure(const std::string& name, Launch how, int blocks) {
  for (bool graph : {false, true})
    for (int cycles : {0, 4000})
      probe::repeat(
          (graph ? "launch.chain.graph." : "launch.chain.eager.") + name + (cycles ? ".work" : ".empty"), "us", 9,
          [&] { return (chain_us(how, blocks, cycles, 80, graph) - chain_us(how, blocks, cycles, 16, graph)) / 64; });
  probe::repeat("launch.one." + name, "us", 15, [&] { return chain_us(how, blocks, 0, 1, false); });
  probe::repeat("launch.cold." + name, "us", 15, [&] { return chain_us(how, blocks, 0, 1, false, true); });
  probe::repeat("launch.graph_one." + name, "us", 15, [&] { return chain_us(how, blocks, 0, 1, true); });
}

int main() {
  const probe::Session session("launch");
  for (int blocks : {1, 132}) {
    measure("plain." + probe::str(blocks), Launch::kPlain, blocks);
    measure("cooperative." + probe::str(blocks), Launch::kCooperative, blocks);
    measure("pdl." + probe::str(blocks), Launch::kDependent, blocks);
  }
  measure("cluster.8", Launch::kCluster, 8);
}

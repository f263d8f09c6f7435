// Memory nodes: a captured stream's allocations, and those that are made node by node.
#include "steps.hpp"

namespace {

uint64_t graph_bytes() {
  cuuint64_t value = ~0ull;
  ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &value));
  return value;
}

// What cuMemAllocAsync gave while a stream is captured.
struct Captured : Steps {
  Stream stream;
  CUdeviceptr x = 0;
  void allocate(size_t bytes) { ok(cuMemAllocAsync(&x, bytes, stream.at)); }
  void step(uint32_t factor, uint32_t addend) {
    uint32_t n = 1;
    void* params[] = {&x, &n, &factor, &addend};
    ok(cuLaunchKernel(Steps::step, 1, 1, 1, 32, 1, 1, 0, stream.at, params, nullptr));
  }
};

}  // namespace

TEST_CASE("a captured allocation that is freed in the graph lives from its node to the free, at every launch") {
  Captured t;
  Words out(1, 0);
  begin(t.stream.at);
  t.allocate(4);
  ok(cuMemsetD32Async(t.x, 7, 1, t.stream.at));
  t.step(2, 1);
  ok(cuMemcpyDtoDAsync_v2(out.at, t.x, 4, t.stream.at));
  ok(cuMemFreeAsync(t.x, t.stream.at));
  CUgraph graph = end(t.stream.at);
  CHECK(graph_bytes() == 0);  // captured, not run
  size_t count = 0;
  ok(cuGraphGetNodes(graph, nullptr, &count));
  REQUIRE(count == 5);
  CUgraphNode nodes[5];
  ok(cuGraphGetNodes(graph, nodes, &count));
  CUgraphNodeType type{};
  ok(cuGraphNodeGetType(nodes[0], &type));
  CHECK(type == CU_GRAPH_NODE_TYPE_MEM_ALLOC);
  ok(cuGraphNodeGetType(nodes[4], &type));
  CHECK(type == CU_GRAPH_NODE_TYPE_MEM_FREE);
  CUdeviceptr freed = 0;
  ok(cuGraphMemFreeNodeGetParams(nodes[4], &freed));
  CHECK(freed == t.x);
  Executable exec(graph);
  for (int launch = 0; launch < 2; ++launch) {
    ok(cuMemsetD32_v2(out.at, 0, 1));
    exec.run(t.stream.at);
    CHECK(out.read() == std::vector<uint32_t>{15});
    CHECK(graph_bytes() > 0);  // kept for the next launch ..
  }
  ok(cuDeviceGraphMemTrim(0));
  CHECK(graph_bytes() == 0);                                                // .. or until it is trimmed
  CHECK(name_of(cuMemsetD32_v2(t.x, 1, 1)) == "CUDA_ERROR_INVALID_VALUE");  // between launches nothing is there
  ok(cuGraphDestroy(graph));
}

TEST_CASE("an allocation that a graph leaves is used and freed behind it, before the graph runs again") {
  Captured t;
  begin(t.stream.at);
  t.allocate(4);
  ok(cuMemsetD32Async(t.x, 5, 1, t.stream.at));
  CUgraph graph = end(t.stream.at);
  Executable exec(graph);
  exec.run(t.stream.at);
  CHECK(graph_bytes() >= 4);
  t.step(10, 1);
  uint32_t host = 0;
  ok(cuMemcpyDtoHAsync_v2(&host, t.x, 4, t.stream.at));
  ok(cuStreamSynchronize(t.stream.at));
  CHECK(host == 51);
  CHECK(name_of(cuGraphLaunch(exec.at, t.stream.at)) == "CUDA_ERROR_INVALID_VALUE");
  ok(cuMemFreeAsync(t.x, t.stream.at));
  exec.run(t.stream.at);
  ok(cuMemFree_v2(t.x));
  ok(cuDeviceGraphMemTrim(0));
  CHECK(graph_bytes() == 0);
  ok(cuGraphDestroy(graph));
}

TEST_CASE("an executable graph that frees on launch may run again, and its allocation outlives both graphs") {
  Captured t;
  begin(t.stream.at);
  t.allocate(4);
  ok(cuMemsetD32Async(t.x, 5, 1, t.stream.at));
  CUgraph graph = end(t.stream.at);
  CUgraphExec exec = nullptr;
  ok(cuGraphInstantiateWithFlags(&exec, graph, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH));
  ok(cuGraphLaunch(exec, t.stream.at));
  ok(cuGraphLaunch(exec, t.stream.at));
  ok(cuStreamSynchronize(t.stream.at));
  ok(cuGraphExecDestroy(exec));
  ok(cuGraphDestroy(graph));
  uint32_t host = 0;
  ok(cuMemcpyDtoH_v2(&host, t.x, 4));
  CHECK(host == 5);
  ok(cuMemFree_v2(t.x));
  CHECK(name_of(cuMemFree_v2(t.x)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("nodes made one by one: one graph allocates, another frees") {
  Steps t;
  Stream stream;
  CUgraph make = nullptr, drop = nullptr;
  ok(cuGraphCreate(&make, 0));
  ok(cuGraphCreate(&drop, 0));
  CUDA_MEM_ALLOC_NODE_PARAMS params{};
  params.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  params.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  params.bytesize = 1024;
  CUgraphNode node = nullptr;
  ok(cuGraphAddMemAllocNode(&node, make, nullptr, 0, &params));
  CUDA_MEM_ALLOC_NODE_PARAMS told{};
  ok(cuGraphMemAllocNodeGetParams(node, &told));
  CHECK(told.dptr == params.dptr);
  CHECK(told.bytesize == 1024);
  ok(cuGraphAddMemFreeNode(&node, drop, nullptr, 0, params.dptr));
  CHECK(name_of(cuGraphAddMemFreeNode(&node, drop, nullptr, 0, params.dptr)) == "CUDA_ERROR_INVALID_VALUE");
  Words plain(1);
  CHECK(name_of(cuGraphAddMemFreeNode(&node, drop, nullptr, 0, plain.at)) == "CUDA_ERROR_INVALID_VALUE");
  {
    Executable first(make), second(drop);
    first.run(stream.at);
    ok(cuMemsetD8_v2(params.dptr, 1, 1024));
    CHECK(name_of(cuMemsetD8_v2(params.dptr, 1, 1025)) == "CUDA_ERROR_INVALID_VALUE");
    second.run(stream.at);
    CHECK(name_of(cuMemsetD8_v2(params.dptr, 1, 1)) == "CUDA_ERROR_INVALID_VALUE");
  }
  ok(cuGraphDestroy(make));
  ok(cuGraphDestroy(drop));
}

TEST_CASE("a graph with memory nodes is not cloned, nor a child, nor instantiated twice at a time") {
  Captured t;
  begin(t.stream.at);
  t.allocate(4);
  ok(cuMemFreeAsync(t.x, t.stream.at));
  CUgraph graph = end(t.stream.at), other = nullptr;
  CHECK(cuGraphClone(&other, graph) != CUDA_SUCCESS);
  ok(cuGraphCreate(&other, 0));
  CUgraphNode node = nullptr;
  CHECK(cuGraphAddChildGraphNode(&node, other, nullptr, 0, graph) != CUDA_SUCCESS);
  CUgraphExec first = nullptr, second = nullptr;
  ok(cuGraphInstantiateWithFlags(&first, graph, 0));
  CHECK(cuGraphInstantiateWithFlags(&second, graph, 0) != CUDA_SUCCESS);
  ok(cuGraphExecDestroy(first));
  ok(cuGraphInstantiateWithFlags(&second, graph, 0));
  ok(cuGraphExecDestroy(second));
  ok(cuGraphDestroy(graph));
  ok(cuGraphDestroy(other));
}

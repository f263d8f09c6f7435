// Graphs built node by node: structure, parameters, executable copies and their updates.
#include "steps.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>

namespace {

struct Graph : Steps {
  CUgraph graph = nullptr;
  Stream stream;
  Graph() { ok(cuGraphCreate(&graph, 0)); }
  ~Graph() { cuGraphDestroy(graph); }
  CUgraphNode add(const Words& x, uint32_t factor, uint32_t addend, std::vector<CUgraphNode> after = {}) {
    Params p(x, factor, addend);
    const CUDA_KERNEL_NODE_PARAMS params = node(p);
    CUgraphNode out = nullptr;
    ok(cuGraphAddKernelNode_v2(&out, graph, after.data(), after.size(), &params));
    return out;
  }
  std::vector<CUgraphNode> dependencies(CUgraphNode node) {
    std::vector<CUgraphNode> out(8);
    size_t n = out.size();
    ok(cuGraphNodeGetDependencies_v2(node, out.data(), nullptr, &n));
    out.resize(n);
    return out;
  }
};

}  // namespace

TEST_CASE("nodes run after what they depend on, in whatever order they were made") {
  Graph t;
  Words x(1, 1);
  const CUgraphNode last = t.add(x, 1, 7), first = t.add(x, 5, 0);
  ok(cuGraphAddDependencies_v2(t.graph, &first, &last, nullptr, 1));
  CHECK(name_of(cuGraphAddDependencies_v2(t.graph, &first, &last, nullptr, 1)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(t.dependencies(last) == std::vector<CUgraphNode>{first});
  CUgraphNode roots[2] = {};
  size_t n = 2;
  ok(cuGraphGetRootNodes(t.graph, roots, &n));
  CHECK(n == 1);
  CHECK(roots[0] == first);
  Executable exec(t.graph);
  exec.run(t.stream.at);
  CHECK(x.read() == std::vector<uint32_t>{12});
  ok(cuGraphRemoveDependencies_v2(t.graph, &first, &last, nullptr, 1));
  CHECK(t.dependencies(last).empty());
  CHECK(name_of(cuGraphRemoveDependencies_v2(t.graph, &first, &last, nullptr, 1)) == "CUDA_ERROR_INVALID_VALUE");
  ok(cuGraphDestroyNode(last));
  n = 0;
  ok(cuGraphGetNodes(t.graph, nullptr, &n));
  CHECK(n == 1);
}

TEST_CASE("a user object lives as long as a caller or a graph or a copy of one holds it") {
  Graph t;
  int destroyed = 0;
  const auto count_up = [](void* at) { ++*static_cast<int*>(at); };
  CUuserObject object = nullptr;
  CHECK(name_of(cuUserObjectCreate(&object, &destroyed, count_up, 1, 0)) == "CUDA_ERROR_INVALID_VALUE");
  ok(cuUserObjectCreate(&object, &destroyed, count_up, 2, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  ok(cuUserObjectRelease(object, 1));
  ok(cuGraphRetainUserObject(t.graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE));  // the caller has none from here on
  {
    Executable exec(t.graph);
    CUgraph copy = nullptr;
    ok(cuGraphClone(&copy, t.graph));
    ok(cuGraphReleaseUserObject(t.graph, object, 1));
    ok(cuGraphDestroy(copy));
    CHECK(destroyed == 0);
  }
  ok(cuCtxSynchronize());
  CHECK(destroyed == 1);
}

TEST_CASE("nobody asks who gives a reference back: the one that makes the count zero destroys") {
  Graph t;
  static int destroyed = 0;
  CUuserObject object = nullptr;
  ok(cuUserObjectCreate(&object, nullptr, [](void*) { ++destroyed; }, 3, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  ok(cuGraphReleaseUserObject(t.graph, object, 1));  // which the graph does not hold
  ok(cuGraphRetainUserObject(t.graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE));
  CHECK(destroyed == 0);
  ok(cuGraphReleaseUserObject(t.graph, object, 2));
  CHECK(destroyed == 1);
}

TEST_CASE("a cycle cannot be instantiated") {
  Graph t;
  Words x(1);
  const CUgraphNode a = t.add(x, 1, 1), b = t.add(x, 1, 1, {a});
  CHECK(name_of(cuGraphAddDependencies_v2(t.graph, &a, &a, nullptr, 1)) == "CUDA_ERROR_INVALID_VALUE");
  ok(cuGraphAddDependencies_v2(t.graph, &b, &a, nullptr, 1));
  CUgraphExec exec = nullptr;
  CHECK(name_of(cuGraphInstantiateWithFlags(&exec, t.graph, 0)) == "CUDA_ERROR_INVALID_VALUE");
  CUDA_GRAPH_INSTANTIATE_PARAMS params{};
  CHECK(cuGraphInstantiateWithParams(&exec, t.graph, &params) != CUDA_SUCCESS);
  CHECK(params.result_out == CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE);
}

TEST_CASE("kernel parameters can be read and changed, in the graph and in an executable copy") {
  Graph t;
  Words x(1, 1), y(1, 100);
  const CUgraphNode node = t.add(x, 2, 3);
  CUDA_KERNEL_NODE_PARAMS params{};
  ok(cuGraphKernelNodeGetParams_v2(node, &params));
  CHECK(params.func == t.step);
  CHECK(params.blockDimX == 32);
  CHECK(*static_cast<uint32_t*>(params.kernelParams[2]) == 2);
  CHECK(*static_cast<uint32_t*>(params.kernelParams[3]) == 3);
  Executable exec(t.graph);
  Steps::Params changed(y, 1, 11);
  const CUDA_KERNEL_NODE_PARAMS other = t.node(changed);
  ok(cuGraphExecKernelNodeSetParams_v2(exec.at, node, &other));
  exec.run(t.stream.at);
  CHECK(x.read() == std::vector<uint32_t>{1});
  CHECK(y.read() == std::vector<uint32_t>{111});
  Executable unchanged(t.graph);
  unchanged.run(t.stream.at);
  CHECK(x.read() == std::vector<uint32_t>{5});
  ok(cuGraphKernelNodeSetParams_v2(node, &other));
  Executable again(t.graph);
  again.run(t.stream.at);
  CHECK(y.read() == std::vector<uint32_t>{122});
}

TEST_CASE("an executable graph takes over the parameters of a graph of the same shape only") {
  Graph t;
  Words x(1, 1);
  t.add(x, 2, 0, {t.add(x, 1, 1)});
  Executable exec(t.graph);
  Graph same;
  same.add(x, 10, 0, {same.add(x, 1, 5)});
  CUgraphExecUpdateResultInfo info{};
  ok(cuGraphExecUpdate_v2(exec.at, same.graph, &info));
  CHECK(info.result == CU_GRAPH_EXEC_UPDATE_SUCCESS);
  exec.run(t.stream.at);
  CHECK(x.read() == std::vector<uint32_t>{60});
  const auto refused = [&](CUgraph graph) {
    CHECK(name_of(cuGraphExecUpdate_v2(exec.at, graph, &info)) == "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE");
    return info.result;
  };
  Graph without_edge;
  without_edge.add(x, 1, 1);
  without_edge.add(x, 2, 0);
  CHECK(refused(without_edge.graph) == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
  Graph smaller;
  smaller.add(x, 1, 1);
  CHECK(refused(smaller.graph) == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
  Graph other_type;
  const CUgraphNode first = other_type.add(x, 1, 1);
  CUgraphNode empty = nullptr;
  ok(cuGraphAddEmptyNode(&empty, other_type.graph, &first, 1));
  CHECK(refused(other_type.graph) == CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED);
  exec.run(t.stream.at);
  CHECK(x.read() == std::vector<uint32_t>{650});
}

TEST_CASE("a clone has its own nodes, which are found by the originals") {
  Graph t;
  Words x(1, 1);
  const CUgraphNode node = t.add(x, 2, 0);
  CUgraph clone = nullptr;
  CUgraphNode twin = nullptr;
  ok(cuGraphClone(&clone, t.graph));
  ok(cuGraphNodeFindInClone(&twin, node, clone));
  CHECK(twin != node);
  Steps::Params p(x, 50, 0);
  const CUDA_KERNEL_NODE_PARAMS params = t.node(p);
  ok(cuGraphKernelNodeSetParams_v2(node, &params));
  Executable exec(clone);
  exec.run(t.stream.at);
  CHECK(x.read() == std::vector<uint32_t>{2});
  ok(cuGraphDestroy(clone));
  CHECK(name_of(cuGraphDestroy(clone)) != "CUDA_SUCCESS");
}

TEST_CASE("memcpy, memset, host and child nodes") {
  Graph t;
  Words x(6, 1);
  std::vector<uint32_t> out(6);
  CUDA_MEMSET_NODE_PARAMS set{.dst = x.at, .pitch = 12, .value = 0xab, .elementSize = 1, .width = 4, .height = 2};
  CUgraphNode a = nullptr, b = nullptr, c = nullptr, d = nullptr;
  ok(cuGraphAddMemsetNode(&a, t.graph, nullptr, 0, &set, t.handle));
  CUgraph child = nullptr;
  ok(cuGraphCreate(&child, 0));
  {
    Steps::Params p(x, 1, 1);
    const CUDA_KERNEL_NODE_PARAMS params = t.node(p);
    CUgraphNode inner = nullptr;
    ok(cuGraphAddKernelNode_v2(&inner, child, nullptr, 0, &params));
  }
  ok(cuGraphAddChildGraphNode(&b, t.graph, &a, 1, child));
  ok(cuGraphDestroy(child));
  CUDA_MEMCPY3D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = x.at;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = out.data();
  copy.WidthInBytes = 24;
  copy.Height = copy.Depth = 1;
  ok(cuGraphAddMemcpyNode(&c, t.graph, &b, 1, &copy, t.handle));
  static uint32_t seen = 0;
  CUDA_HOST_NODE_PARAMS host{};
  host.fn = [](void* p) { seen = (*static_cast<std::vector<uint32_t>*>(p))[1]; };
  host.userData = &out;
  ok(cuGraphAddHostNode(&d, t.graph, &c, 1, &host));
  Executable exec(t.graph);
  exec.run(t.stream.at);
  CHECK(out == std::vector<uint32_t>{0xabababac, 2, 2, 0xabababac, 2, 2});
  CHECK(seen == 2);
  CUDA_MEMSET_NODE_PARAMS read{};
  ok(cuGraphMemsetNodeGetParams(a, &read));
  CHECK(read.width == 4);
  set.value = 0;
  ok(cuGraphExecMemsetNodeSetParams(exec.at, a, &set, t.handle));
  ok(cuGraphNodeSetEnabled(exec.at, c, 0));
  out.assign(6, 77);
  exec.run(t.stream.at);
  CHECK(out == std::vector<uint32_t>(6, 77));
  ok(cuGraphNodeSetEnabled(exec.at, c, 1));
  exec.run(t.stream.at);
  CHECK(out == std::vector<uint32_t>{1, 4, 4, 1, 4, 4});
  set.elementSize = 3;
  CHECK(name_of(cuGraphMemsetNodeSetParams(a, &set)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("one call adds nodes of any type") {
  Graph t;
  Words x(1, 6);
  Steps::Params p(x, 7, 0);
  CUgraphNodeParams params{};
  params.type = CU_GRAPH_NODE_TYPE_KERNEL;
  params.kernel.func = t.step;
  params.kernel.gridDimX = params.kernel.gridDimY = params.kernel.gridDimZ = 1;
  params.kernel.blockDimX = 32;
  params.kernel.blockDimY = params.kernel.blockDimZ = 1;
  params.kernel.kernelParams = p.pointers;
  CUgraphNode node = nullptr, empty = nullptr;
  ok(cuGraphAddNode_v2(&node, t.graph, nullptr, nullptr, 0, &params));
  CUgraphNodeParams nothing{};
  nothing.type = CU_GRAPH_NODE_TYPE_EMPTY;
  ok(cuGraphAddNode_v2(&empty, t.graph, &node, nullptr, 1, &nothing));
  Executable exec(t.graph);
  exec.run(t.stream.at);
  CHECK(x.read() == std::vector<uint32_t>{42});
}

TEST_CASE("stale and foreign handles of graphs are errors") {
  Graph t;
  Words x(1);
  const CUgraphNode node = t.add(x, 1, 1);
  CUgraphExec exec = nullptr;
  ok(cuGraphInstantiateWithFlags(&exec, t.graph, 0));
  ok(cuGraphUpload(exec, t.stream.at));
  ok(cuGraphExecDestroy(exec));
  Graph other;
  CUgraphNode out = nullptr;
  CHECK(name_of(cuGraphAddEmptyNode(&out, other.graph, &node, 1)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(cuGraphAddKernelNode_v2(&out, t.graph, nullptr, 0, nullptr)) == "CUDA_ERROR_INVALID_VALUE");
  Steps::Params p(x, 1, 1);
  CUDA_KERNEL_NODE_PARAMS params = t.node(p);
  params.blockDimX = 2000;
  CHECK(name_of(cuGraphAddKernelNode_v2(&out, t.graph, nullptr, 0, &params)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(cuGraphKernelNodeSetParams_v2(node, &params)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("graphs print themselves for graphviz") {
  Graph t;
  Words x(1);
  t.add(x, 1, 1, {t.add(x, 1, 1)});
  const std::string path = file_of_this_process("graph_of_a_test.dot");
  ok(cuGraphDebugDotPrint(t.graph, path.c_str(), 0));
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::remove(path.c_str());
  CHECK(text.starts_with("digraph"));
  CHECK(text.find("->") != std::string::npos);
}

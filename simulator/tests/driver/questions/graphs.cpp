// Building graphs: what each misuse of a node, an edge or a user object answers.
#include <functional>
#include <vector>

#include "questions.hpp"

namespace questions {
namespace {

void structure(const Answers& say) {
  Nothing t;
  const CUgraph g = new_graph(), other = new_graph();
  CUgraph made = nullptr;
  CUgraphNode a = nullptr, b = nullptr, c = nullptr, foreign = nullptr, out = nullptr;
  const CUDA_KERNEL_NODE_PARAMS kernel = t.node();
  must(cuGraphAddKernelNode(&a, g, nullptr, 0, &kernel));
  must(cuGraphAddKernelNode(&b, g, &a, 1, &kernel));
  must(cuGraphAddEmptyNode(&c, g, nullptr, 0));
  must(cuGraphAddEmptyNode(&foreign, other, nullptr, 0));
  say("cuGraphCreate with flags 1", cuGraphCreate(&made, 1));
  say("cuGraphCreate without a place", cuGraphCreate(nullptr, 0));
  CUgraphNode twice[] = {a, a};
  say("cuGraphAddEmptyNode after a node of another graph", cuGraphAddEmptyNode(&out, g, &foreign, 1));
  say("cuGraphAddEmptyNode after one node twice", cuGraphAddEmptyNode(&out, g, twice, 2));
  say("cuGraphAddEmptyNode without the nodes", cuGraphAddEmptyNode(&out, g, nullptr, 1));
  say("cuGraphAddEmptyNode without a place", cuGraphAddEmptyNode(nullptr, g, nullptr, 0));
  say("cuGraphAddDependencies that is there", cuGraphAddDependencies(g, &a, &b, nullptr, 1));
  say("cuGraphAddDependencies to itself", cuGraphAddDependencies(g, &a, &a, nullptr, 1));
  say("cuGraphAddDependencies to another graph", cuGraphAddDependencies(g, &a, &foreign, nullptr, 1));
  say("cuGraphAddDependencies of none", cuGraphAddDependencies(g, nullptr, nullptr, nullptr, 0));
  say("cuGraphAddDependencies without the nodes", cuGraphAddDependencies(g, nullptr, nullptr, nullptr, 1));
  say("cuGraphRemoveDependencies that is not there", cuGraphRemoveDependencies(g, &b, &a, nullptr, 1));
  CUgraphEdgeData edge{};
  edge.type = CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
  edge.from_port = CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC;
  say("a programmatic edge from an empty node", cuGraphAddDependencies(g, &c, &b, &edge, 1));
  say("a programmatic edge from a kernel to an empty node", cuGraphAddDependencies(g, &a, &c, &edge, 1));
  say("cuGraphRemoveDependencies of a programmatic edge as a full one",
      cuGraphRemoveDependencies(g, &a, &c, nullptr, 1));
  say("cuGraphRemoveDependencies of it as what it is", cuGraphRemoveDependencies(g, &a, &c, &edge, 1));
  edge.from_port = 9;
  say("an edge from port 9", cuGraphAddDependencies(g, &a, &c, &edge, 1));
  edge = {};
  edge.type = 9;
  say("an edge of type 9", cuGraphAddDependencies(g, &a, &c, &edge, 1));
  edge = {};
  edge.to_port = 1;
  say("an edge to port 1", cuGraphAddDependencies(g, &a, &c, &edge, 1));
  say("an edge that makes a cycle", cuGraphAddDependencies(g, &b, &a, nullptr, 1));
  CUgraphExec exec = nullptr;
  say("cuGraphInstantiate after that", cuGraphInstantiate(&exec, g, 0));
  size_t count = 0;
  say("cuGraphGetNodes counts", cuGraphGetNodes(g, nullptr, &count), count);
  CUgraphNode nodes[8];
  count = 8;
  for (auto& n : nodes) n = a;
  say("cuGraphGetNodes into more room", cuGraphGetNodes(g, nodes, &count), count);
  say.write("what is behind the last node", nodes[7] == nullptr ? "null" : nodes[7] == a ? "as it was" : "another");
  count = 1;
  say("cuGraphGetNodes into less room", cuGraphGetNodes(g, nodes, &count), count);
  say("cuGraphGetNodes without a count", cuGraphGetNodes(g, nodes, nullptr));
  count = 0;
  say("cuGraphGetEdges counts", cuGraphGetEdges(g, nullptr, nullptr, nullptr, &count), count);
  count = 8;
  say("cuGraphGetEdges without the targets", cuGraphGetEdges(g, nodes, nullptr, nullptr, &count));
  say("cuGraphNodeFindInClone in a graph that is none", cuGraphNodeFindInClone(&out, a, other));
  say("cuGraphDestroyNode", cuGraphDestroyNode(b));
  say("cuGraphGetNodes counts after that", cuGraphGetNodes(g, nullptr, &count), count);
}

void nodes(const Answers& say) {
  Nothing t;
  const CUgraph g = new_graph();
  const CUdeviceptr memory = new_memory(4096);
  CUgraphNode out = nullptr;
  const auto kernel = [&](const std::string& what, auto change) {
    CUDA_KERNEL_NODE_PARAMS p = t.node();
    change(p);
    say("a kernel node " + what, cuGraphAddKernelNode(&out, g, nullptr, 0, &p));
  };
  using Kernel = CUDA_KERNEL_NODE_PARAMS;
  kernel("as it should be", [](Kernel&) {});
  const CUgraphNode good = out;
  kernel("with a block of 2000", [](Kernel& p) { p.blockDimX = 2000; });
  kernel("with a block of 0", [](Kernel& p) { p.blockDimX = 0; });
  kernel("with a grid of 0", [](Kernel& p) { p.gridDimX = 0; });
  kernel("with a grid of 65536 in y", [](Kernel& p) { p.gridDimY = 65536; });
  kernel("with 200000 bytes of shared memory", [](Kernel& p) { p.sharedMemBytes = 200000; });
  kernel("with 1000000 bytes of shared memory", [](Kernel& p) { p.sharedMemBytes = 1000000; });
  kernel("without a function", [](Kernel& p) { p.func = nullptr; });
  kernel("without parameters", [](Kernel& p) { p.kernelParams = nullptr; });
  say("a kernel node without its description", cuGraphAddKernelNode(&out, g, nullptr, 0, nullptr));
  Kernel wrong = t.node(2000);
  say("cuGraphKernelNodeSetParams with a block of 2000", cuGraphKernelNodeSetParams(good, &wrong));
  const auto set = [&](const std::string& what, auto change) {
    CUDA_MEMSET_NODE_PARAMS p{.dst = memory, .pitch = 0, .value = 1, .elementSize = 4, .width = 16, .height = 1};
    change(p);
    say("a set node " + what, cuGraphAddMemsetNode(&out, g, nullptr, 0, &p, t.at));
  };
  using Set = CUDA_MEMSET_NODE_PARAMS;
  set("as it should be", [](Set&) {});
  const CUgraphNode good_set = out;
  set("of elements of 3", [](Set& p) { p.elementSize = 3; });
  set("of elements of 0", [](Set& p) { p.elementSize = 0; });
  set("of width 0", [](Set& p) { p.width = 0; });
  set("of height 0", [](Set& p) { p.height = 0; });
  set("of two rows with pitch 0", [](Set& p) { p.height = 2; });
  set("at null", [](Set& p) { p.dst = 0; });
  set("at an unknown address", [](Set& p) { p.dst = 0x1000; });
  set("past the end", [](Set& p) { p.width = 1 << 28; });
  set("at an odd address", [](Set& p) { p.dst += 1; });
  set("of bytes with a value of 256", [](Set& p) {
    p.elementSize = 1;
    p.value = 256;
  });
  std::vector<char> host(64);
  const auto copy = [&](const std::string& what, auto change) {
    CUDA_MEMCPY3D p{};
    p.srcMemoryType = CU_MEMORYTYPE_HOST;
    p.srcHost = host.data();
    p.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    p.dstDevice = memory;
    p.WidthInBytes = 64;
    p.Height = p.Depth = 1;
    change(p);
    say("a copy node " + what, cuGraphAddMemcpyNode(&out, g, nullptr, 0, &p, t.at));
  };
  using Copy = CUDA_MEMCPY3D;
  copy("as it should be", [](Copy&) {});
  copy("from null", [](Copy& p) { p.srcHost = nullptr; });
  copy("of nothing", [](Copy& p) { p.WidthInBytes = 0; });
  copy("of no rows", [](Copy& p) { p.Height = 0; });
  copy("to an unknown address", [](Copy& p) { p.dstDevice = 0x1000; });
  copy("with memory type 9", [](Copy& p) { p.dstMemoryType = CUmemorytype(9); });
  CUDA_HOST_NODE_PARAMS call{};
  say("a host node without a function", cuGraphAddHostNode(&out, g, nullptr, 0, &call));
  say("an event node without an event", cuGraphAddEventRecordNode(&out, g, nullptr, 0, nullptr));
  say("a child node without a graph", cuGraphAddChildGraphNode(&out, g, nullptr, 0, nullptr));
  CUgraphNodeParams any{};
  any.type = CUgraphNodeType(77);
  say("a node of type 77", cuGraphAddNode(&out, g, nullptr, nullptr, 0, &any));
  any = {};
  any.type = CU_GRAPH_NODE_TYPE_EMPTY;
  any.reserved2 = 1;
  say("an empty node with a reserved member set", cuGraphAddNode(&out, g, nullptr, nullptr, 0, &any));
  CUDA_MEMSET_NODE_PARAMS told{};
  say("cuGraphMemsetNodeGetParams of a kernel node", cuGraphMemsetNodeGetParams(good, &told));
  say("cuGraphMemsetNodeGetParams without a place", cuGraphMemsetNodeGetParams(good_set, nullptr));
  say("cuGraphMemsetNodeGetParams", cuGraphMemsetNodeGetParams(good_set, &told), told.pitch, told.elementSize,
      told.width, told.height);
  CUkernelNodeAttrValue value{};
  for (int id = 1; id <= 16; ++id)
    say("cuGraphKernelNodeGetAttribute " + std::to_string(id),
        cuGraphKernelNodeGetAttribute(good, CUkernelNodeAttrID(id), &value));
  say("cuGraphKernelNodeGetAttribute 99", cuGraphKernelNodeGetAttribute(good, CUkernelNodeAttrID(99), &value));
  value = {};
  value.cooperative = 1;
  say("cuGraphKernelNodeSetAttribute COOPERATIVE",
      cuGraphKernelNodeSetAttribute(good, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value));
  value = {};
  value.priority = -77;
  say("cuGraphKernelNodeSetAttribute PRIORITY -77",
      cuGraphKernelNodeSetAttribute(good, CU_LAUNCH_ATTRIBUTE_PRIORITY, &value));
  say("cuGraphKernelNodeGetAttribute PRIORITY after that",
      cuGraphKernelNodeGetAttribute(good, CU_LAUNCH_ATTRIBUTE_PRIORITY, &value), value.priority);
  say("cuGraphKernelNodeSetAttribute 99", cuGraphKernelNodeSetAttribute(good, CUkernelNodeAttrID(99), &value));
}

void instantiation(const Answers& say) {
  Nothing t;
  const CUgraph g = new_graph();
  CUgraphNode node = nullptr;
  const CUDA_KERNEL_NODE_PARAMS kernel = t.node();
  must(cuGraphAddKernelNode(&node, g, nullptr, 0, &kernel));
  CUgraphExec exec = nullptr;
  for (const unsigned flags : {0u, 1u, 2u, 4u, 8u, 16u, 32u, 256u})
    say("cuGraphInstantiate with flags " + std::to_string(flags), cuGraphInstantiate(&exec, g, flags));
  for (const unsigned wanted : {0u, 1u, 8u, 9u}) {
    cuuint64_t flags = 77;
    must(cuGraphInstantiate(&exec, g, wanted));
    say("cuGraphExecGetFlags of " + std::to_string(wanted), cuGraphExecGetFlags(exec, &flags), flags);
  }
  say("cuGraphInstantiate without a place", cuGraphInstantiate(nullptr, g, 0));
  CUgraphNode empty = nullptr;
  must(cuGraphAddEmptyNode(&empty, g, &node, 1));
  must(cuGraphInstantiate(&exec, g, 0));
  unsigned enabled = 9;
  say("cuGraphNodeGetEnabled of a kernel", cuGraphNodeGetEnabled(exec, node, &enabled), enabled);
  say("cuGraphNodeSetEnabled of a kernel", cuGraphNodeSetEnabled(exec, node, 0));
  say("cuGraphNodeSetEnabled of an empty node", cuGraphNodeSetEnabled(exec, empty, 0));
  say("cuGraphNodeGetEnabled of an empty node", cuGraphNodeGetEnabled(exec, empty, &enabled));
  say("cuGraphUpload", cuGraphUpload(exec, nullptr));
  say("cuGraphLaunch on the null stream", cuGraphLaunch(exec, nullptr));
  say("cuGraphLaunch on the thread's stream", cuGraphLaunch(exec, CU_STREAM_PER_THREAD));
  CUgraph copy = nullptr;
  say("cuGraphClone without a place", cuGraphClone(nullptr, g));
  say("cuGraphClone", cuGraphClone(&copy, g));
  say("cuGraphNodeFindInClone", cuGraphNodeFindInClone(&node, node, copy));
}

void memory_nodes(const Answers& say) {
  Nothing t;
  const CUgraph g = new_graph(), other = new_graph();
  CUDA_MEM_ALLOC_NODE_PARAMS p{};
  p.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  p.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  p.bytesize = 64;
  CUgraphNode node = nullptr, free_node = nullptr, kernel = nullptr;
  say("an allocation node", cuGraphAddMemAllocNode(&node, g, nullptr, 0, &p));
  const CUdeviceptr at = p.dptr;
  CUDA_MEM_ALLOC_NODE_PARAMS bad = p;
  bad.bytesize = 0;
  say("an allocation node of 0 bytes", cuGraphAddMemAllocNode(&kernel, other, nullptr, 0, &bad));
  bad = p;
  bad.poolProps.location.id = 77;
  say("an allocation node on card 77", cuGraphAddMemAllocNode(&kernel, other, nullptr, 0, &bad));
  bad = p;
  bad.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_INVALID;
  say("an allocation node of no type", cuGraphAddMemAllocNode(&kernel, other, nullptr, 0, &bad));
  say("a free node", cuGraphAddMemFreeNode(&free_node, g, &node, 1, at));
  say("a free node once more", cuGraphAddMemFreeNode(&kernel, g, &node, 1, at));
  say("a free node of null", cuGraphAddMemFreeNode(&kernel, g, nullptr, 0, 0));
  say("a free node of cuMemAlloc's memory", cuGraphAddMemFreeNode(&kernel, other, nullptr, 0, new_memory(64)));
  CUgraph copy = nullptr;
  say("cuGraphClone of a graph with memory nodes", cuGraphClone(&copy, g));
  say("a child graph with memory nodes", cuGraphAddChildGraphNode(&kernel, other, nullptr, 0, g));
  say("cuGraphRemoveDependencies among memory nodes", cuGraphRemoveDependencies(g, &node, &free_node, nullptr, 1));
  say("cuGraphDestroyNode of a free node", cuGraphDestroyNode(free_node));
  CUgraphExec first = nullptr, second = nullptr;
  say("cuGraphInstantiate of a graph with memory nodes", cuGraphInstantiate(&first, g, 0));
  say("cuGraphInstantiate of it once more", cuGraphInstantiate(&second, g, 0));
  CUgraphExecUpdateResultInfo info{};
  say("cuGraphExecUpdate with memory nodes", cuGraphExecUpdate(first, g, &info));
  say.write("cuGraphExecUpdate with memory nodes says", std::to_string(info.result));
  say("cuGraphLaunch of it", cuGraphLaunch(first, nullptr));
  say("cuMemsetD8 of its memory behind it", cuMemsetD8(at, 1, 64));
  say("cuGraphLaunch of it again", cuGraphLaunch(first, nullptr));
  say("cuMemFree of its memory behind it", cuMemFree(at));
}

void user_objects(const Answers& say) {
  Nothing t;
  const CUgraph g = new_graph();
  static int destroyed = 0;
  const auto count_up = [](void*) { ++destroyed; };
  CUuserObject object = nullptr;
  const auto create = [&](unsigned references) {
    destroyed = 0;
    must(cuUserObjectCreate(&object, nullptr, count_up, references, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  };
  say("cuUserObjectCreate with flags 0", cuUserObjectCreate(&object, nullptr, count_up, 1, 0));
  say("cuUserObjectCreate with no references", cuUserObjectCreate(&object, nullptr, count_up, 0, 1));
  say("cuUserObjectCreate with 2^31 references", cuUserObjectCreate(&object, nullptr, count_up, 1u << 31, 1));
  say("cuUserObjectCreate without a destructor", cuUserObjectCreate(&object, nullptr, nullptr, 1, 1));
  create(2);
  say("cuUserObjectRetain of 0", cuUserObjectRetain(object, 0));
  say("cuUserObjectRelease of 0", cuUserObjectRelease(object, 0));
  say("cuGraphRetainUserObject of 0", cuGraphRetainUserObject(g, object, 0, 0));
  say("cuGraphRetainUserObject with flags 2", cuGraphRetainUserObject(g, object, 1, 2));
  say("cuGraphReleaseUserObject that the graph does not hold", cuGraphReleaseUserObject(g, object, 1));
  say("cuGraphRetainUserObject", cuGraphRetainUserObject(g, object, 1, 0));
  say("cuUserObjectRelease of both of the caller's", cuUserObjectRelease(object, 2), destroyed);
  say("cuGraphReleaseUserObject of 0", cuGraphReleaseUserObject(g, object, 0));
  say("cuGraphReleaseUserObject", cuGraphReleaseUserObject(g, object, 1), destroyed);
}

void more_references_of_a_graph(const Answers& say) {
  Nothing t;
  const CUgraph g = new_graph();
  static int destroyed = 0;
  CUuserObject object = nullptr;
  must(cuUserObjectCreate(&object, nullptr, [](void*) { ++destroyed; }, 3, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  must(cuGraphRetainUserObject(g, object, 1, CU_GRAPH_USER_OBJECT_MOVE));
  say("cuGraphReleaseUserObject of two where one is held", cuGraphReleaseUserObject(g, object, 2), destroyed);
  say("cuUserObjectRelease of one after that", cuUserObjectRelease(object, 1), destroyed);
  say("cuUserObjectRelease of one more", cuUserObjectRelease(object, 1), destroyed);
}

void more_references_of_a_caller(const Answers& say) {
  Nothing t;
  static int destroyed = 0;
  CUuserObject object = nullptr;
  must(cuUserObjectCreate(&object, nullptr, [](void*) { ++destroyed; }, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  say("cuUserObjectRelease of two where there is one", cuUserObjectRelease(object, 2));
  say.write("destroyed by that", std::to_string(destroyed));
}

void more_references_moved(const Answers& say) {
  Nothing t;
  const CUgraph g = new_graph();
  static int destroyed = 0;
  CUuserObject object = nullptr;
  must(cuUserObjectCreate(&object, nullptr, [](void*) { ++destroyed; }, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  say("cuGraphRetainUserObject by moving two where there is one",
      cuGraphRetainUserObject(g, object, 2, CU_GRAPH_USER_OBJECT_MOVE));
  say("cuGraphDestroy after that", cuGraphDestroy(g));
  say.write("destroyed by that, of a moved pair", std::to_string(destroyed));
}

constexpr Group kGroups[] = {{"graphs: structure", structure},
                             {"graphs: nodes", nodes},
                             {"graphs: instantiation", instantiation},
                             {"graphs: memory nodes", memory_nodes},
                             {"graphs: user objects", user_objects},
                             {"graphs: too many references of a graph", more_references_of_a_graph},
                             {"graphs: too many references of a caller", more_references_of_a_caller},
                             {"graphs: too many references moved", more_references_moved}};

}  // namespace

std::span<const Group> about_graphs() { return kGroups; }

}  // namespace questions

// Handles of what is gone, and handles that never were: a process each, since a driver may crash.
#include "questions.hpp"

namespace questions {
namespace {

template <class Handle>
Handle never_was() {
  static char bytes[4096];
  return reinterpret_cast<Handle>(bytes + 64);
}

void destroyed_stream(const Answers& say) {
  const Context context;
  const CUstream s = new_stream();
  must(cuStreamDestroy(s));
  say("cuStreamSynchronize of a destroyed stream", cuStreamSynchronize(s));
  say("cuStreamQuery of a destroyed stream", cuStreamQuery(s));
}
void destroyed_stream_again(const Answers& say) {
  const Context context;
  const CUstream s = new_stream();
  must(cuStreamDestroy(s));
  say("cuStreamDestroy of a destroyed stream", cuStreamDestroy(s));
}
void no_stream(const Answers& say) {
  const Context context;
  say("cuStreamSynchronize of what is no stream", cuStreamSynchronize(never_was<CUstream>()));
}
void launch_on_no_stream(const Answers& say) {
  Nothing t;
  say("cuLaunchKernel on what is no stream", t.launch(never_was<CUstream>()));
}
void destroyed_event(const Answers& say) {
  const Context context;
  const CUevent e = new_event();
  must(cuEventDestroy(e));
  say("cuEventQuery of a destroyed event", cuEventQuery(e));
  say("cuEventRecord of a destroyed event", cuEventRecord(e, nullptr));
}
void no_event(const Answers& say) {
  const Context context;
  say("cuEventQuery of what is no event", cuEventQuery(never_was<CUevent>()));
}
void destroyed_graph(const Answers& say) {
  const Context context;
  const CUgraph g = new_graph();
  must(cuGraphDestroy(g));
  size_t count = 0;
  say("cuGraphGetNodes of a destroyed graph", cuGraphGetNodes(g, nullptr, &count));
}
void destroyed_graph_again(const Answers& say) {
  const Context context;
  const CUgraph g = new_graph();
  must(cuGraphDestroy(g));
  say("cuGraphDestroy of a destroyed graph", cuGraphDestroy(g));
}
void no_graph(const Answers& say) {
  const Context context;
  size_t count = 0;
  say("cuGraphGetNodes of null", cuGraphGetNodes(nullptr, nullptr, &count));
  say("cuGraphDestroy of null", cuGraphDestroy(nullptr));
  CUgraph copy = nullptr;
  say("cuGraphClone of null", cuGraphClone(&copy, nullptr));
  CUgraphExec exec = nullptr;
  say("cuGraphInstantiate of null", cuGraphInstantiate(&exec, nullptr, 0));
  say("cuGraphLaunch of null", cuGraphLaunch(nullptr, nullptr));
  say("cuGraphExecDestroy of null", cuGraphExecDestroy(nullptr));
  CUgraphNodeType type{};
  say("cuGraphNodeGetType of null", cuGraphNodeGetType(nullptr, &type));
  say("cuGraphDestroyNode of null", cuGraphDestroyNode(nullptr));
}
void destroyed_exec(const Answers& say) {
  const Context context;
  CUgraphExec exec = nullptr;
  must(cuGraphInstantiate(&exec, new_graph(), 0));
  must(cuGraphExecDestroy(exec));
  say("cuGraphLaunch of a destroyed executable graph", cuGraphLaunch(exec, nullptr));
}
void destroyed_node(const Answers& say) {
  const Context context;
  CUgraphNode node = nullptr;
  must(cuGraphAddEmptyNode(&node, new_graph(), nullptr, 0));
  must(cuGraphDestroyNode(node));
  CUgraphNodeType type{};
  say("cuGraphNodeGetType of a destroyed node", cuGraphNodeGetType(node, &type));
}
void unloaded_module(const Answers& say) {
  Nothing t;
  must(cuModuleUnload(t.module));
  CUfunction f = nullptr;
  say("cuModuleGetFunction of an unloaded module", cuModuleGetFunction(&f, t.module, "nothing"));
}
void unloaded_module_again(const Answers& say) {
  Nothing t;
  must(cuModuleUnload(t.module));
  say("cuModuleUnload of an unloaded module", cuModuleUnload(t.module));
}
void function_of_an_unloaded_module(const Answers& say) {
  Nothing t;
  must(cuModuleUnload(t.module));
  say("cuLaunchKernel of an unloaded module's function", t.launch());
}
void destroyed_pool(const Answers& say) {
  const Context context;
  CUmemoryPool pool = nullptr;
  CUmemPoolProps props{};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  must(cuMemPoolCreate(&pool, &props));
  must(cuMemPoolDestroy(pool));
  CUdeviceptr p = 0;
  say("cuMemAllocFromPoolAsync of a destroyed pool", cuMemAllocFromPoolAsync(&p, 64, pool, nullptr));
}
void destroyed_context(const Answers& say) {
  CUcontext at = nullptr;
  must(cuCtxCreate(&at, nullptr, 0, 0));
  must(cuCtxDestroy(at));
  say("cuCtxSetCurrent of a destroyed context", cuCtxSetCurrent(at));
}
void destroyed_user_object(const Answers& say) {
  const Context context;
  CUuserObject object = nullptr;
  must(cuUserObjectCreate(&object, nullptr, [](void*) {}, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  must(cuUserObjectRelease(object, 1));
  say("cuUserObjectRetain of a destroyed object", cuUserObjectRetain(object, 1));
}
void module_of_a_graph(const Answers& say) {
  Nothing t;
  CUgraphExec exec = nullptr;
  CUgraphNode node = nullptr;
  const CUgraph graph = new_graph();
  const CUDA_KERNEL_NODE_PARAMS p = t.node();
  must(cuGraphAddKernelNode(&node, graph, nullptr, 0, &p));
  must(cuGraphInstantiate(&exec, graph, 0));
  must(cuModuleUnload(t.module));
  say("cuGraphLaunch whose kernel's module is unloaded", cuGraphLaunch(exec, nullptr));
}

// Places that a driver does not look for before it writes there.
void no_place_for_a_mode(const Answers& say) {
  say("cuThreadExchangeStreamCaptureMode without a place", cuThreadExchangeStreamCaptureMode(nullptr));
}
void no_room_for_a_name(const Answers& say) {
  char text[4] = {};
  say("cuDeviceGetName into no room", cuDeviceGetName(text, 0, 0));
}
void no_place_for_a_name(const Answers& say) {
  say("cuDeviceGetName without a place", cuDeviceGetName(nullptr, 64, 0));
}
void no_name_of_a_function(const Answers& say) {
  void* f = nullptr;
  CUdriverProcAddressQueryResult found{};
  say("cuGetProcAddress of null", cuGetProcAddress(nullptr, &f, 13000, 0, &found));
}
void no_place_for_a_function(const Answers& say) {
  CUdriverProcAddressQueryResult found{};
  say("cuGetProcAddress without a place", cuGetProcAddress("cuInit", nullptr, 13000, 0, &found));
}
void no_place_for_an_error(const Answers& say) {
  say("cuGetErrorName without a place", cuGetErrorName(CUDA_SUCCESS, nullptr));
}
void child_of_itself(const Answers& say) {
  const Context context;
  const CUgraph g = new_graph();
  CUgraphNode out = nullptr;
  say("a child node of the graph itself", cuGraphAddChildGraphNode(&out, g, nullptr, 0, g));
}

constexpr Group kGroups[] = {{"handles: no place for a mode", no_place_for_a_mode},
                             {"handles: no room for a name", no_room_for_a_name},
                             {"handles: no place for a name", no_place_for_a_name},
                             {"handles: no place for an error", no_place_for_an_error},
                             {"handles: no name of a function", no_name_of_a_function},
                             {"handles: no place for a function", no_place_for_a_function},
                             {"handles: child of itself", child_of_itself},
                             {"handles: destroyed stream", destroyed_stream},
                             {"handles: destroyed stream again", destroyed_stream_again},
                             {"handles: no stream", no_stream},
                             {"handles: launch on no stream", launch_on_no_stream},
                             {"handles: destroyed event", destroyed_event},
                             {"handles: no event", no_event},
                             {"handles: destroyed graph", destroyed_graph},
                             {"handles: destroyed graph again", destroyed_graph_again},
                             {"handles: no graph", no_graph},
                             {"handles: destroyed executable graph", destroyed_exec},
                             {"handles: destroyed node", destroyed_node},
                             {"handles: unloaded module", unloaded_module},
                             {"handles: unloaded module again", unloaded_module_again},
                             {"handles: function of an unloaded module", function_of_an_unloaded_module},
                             {"handles: destroyed pool", destroyed_pool},
                             {"handles: destroyed context", destroyed_context},
                             {"handles: destroyed user object", destroyed_user_object},
                             {"handles: module of a graph", module_of_a_graph}};

}  // namespace

std::span<const Group> about_handles() { return kGroups; }

}  // namespace questions

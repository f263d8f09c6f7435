// What may be done while a stream is captured: a call's answer, and what has become of the capture.
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "questions.hpp"

namespace questions {
namespace {

std::string state_of(CUstream stream) {
  CUstreamCaptureStatus status{};
  const CUresult r = cuStreamIsCapturing(stream, &status);
  if (r != CUDA_SUCCESS) return name_of(r);
  return status == CU_STREAM_CAPTURE_STATUS_ACTIVE ? "active"
         : status == CU_STREAM_CAPTURE_STATUS_NONE ? "none"
                                                   : "invalidated";
}

// Everything that a call during a capture might touch; made before the first capture begins.
struct World : Nothing {
  CUstream captured = new_stream(), other = new_stream(), spare = nullptr, blocking = new_stream(0);
  CUevent event = new_event(), spare_event = nullptr, timed = new_event(0), also_timed = new_event(0);
  CUdeviceptr memory = new_memory(4096), pooled = 0;
  CUmodule spare_module = nullptr;
  CUgraph graph = new_graph();
  CUgraphExec exec = nullptr;
  std::vector<char> host = std::vector<char>(8192);
  World() {
    refill();
    const CUDA_KERNEL_NODE_PARAMS p = node();
    CUgraphNode first = nullptr;
    must(cuGraphAddKernelNode(&first, graph, nullptr, 0, &p));
    must(cuGraphInstantiate(&exec, graph, 0));
    must(cuEventRecord(event, other));
    must(cuEventRecord(timed, other));
    must(cuEventRecord(also_timed, other));
    must(cuMemAllocAsync(&pooled, 64, other));
    must(cuCtxSynchronize());
    must(launch(other));
    must(cuCtxSynchronize());
  }
  // What a call has destroyed, anew.
  void refill() {
    if (spare == nullptr) spare = new_stream();
    if (spare_event == nullptr) spare_event = new_event();
    if (spare_module == nullptr) must(cuModuleLoadData(&spare_module, kNothing));
  }
};

struct Call {
  const char* name;
  std::function<CUresult(World&)> make;
};

const std::vector<Call>& calls() {
  static CUdeviceptr p;
  static void* host;
  static CUmodule module;
  static CUlibrary library;
  static CUfunction f;
  static CUgraph graph;
  static CUgraphExec exec;
  static CUstream stream;
  static CUevent event;
  static CUmemoryPool pool;
  static size_t bytes, more_bytes;
  static int number;
  static float ms;
  static unsigned flags;
  static CUstreamAttrValue value;
  static const std::vector<Call> all = {
      {"cuMemAlloc", [](World&) { return cuMemAlloc(&p, 64); }},
      {"cuMemFree", [](World&) { return cuMemFree(p); }},
      {"cuMemFree of null", [](World&) { return cuMemFree(0); }},
      {"cuMemAllocManaged", [](World&) { return cuMemAllocManaged(&p, 64, 1); }},
      {"cuMemAllocPitch", [](World&) { return cuMemAllocPitch(&p, &bytes, 64, 4, 4); }},
      {"cuMemHostAlloc", [](World&) { return cuMemHostAlloc(&host, 64, 0); }},
      {"cuMemHostRegister", [](World& w) { return cuMemHostRegister(w.host.data(), 4096, 0); }},
      {"cuMemHostUnregister", [](World& w) { return cuMemHostUnregister(w.host.data()); }},
      {"cuMemGetInfo", [](World&) { return cuMemGetInfo(&bytes, &more_bytes); }},
      {"cuMemGetAddressRange", [](World& w) { return cuMemGetAddressRange(&p, &bytes, w.memory); }},
      {"cuPointerGetAttribute",
       [](World& w) { return cuPointerGetAttribute(&number, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, w.memory); }},
      {"cuModuleLoadData", [](World&) { return cuModuleLoadData(&module, kNothing); }},
      {"cuModuleUnload", [](World& w) { return cuModuleUnload(std::exchange(w.spare_module, nullptr)); }},
      {"cuModuleGetFunction", [](World& w) { return cuModuleGetFunction(&f, w.module, "no_parameters"); }},
      {"cuFuncGetAttribute",
       [](World& w) { return cuFuncGetAttribute(&number, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, w.f); }},
      {"cuFuncSetAttribute",
       [](World& w) { return cuFuncSetAttribute(w.f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1024); }},
      {"cuLibraryLoadData",
       [](World&) { return cuLibraryLoadData(&library, kNothing, nullptr, nullptr, 0, nullptr, nullptr, 0); }},
      {"cuOccupancyMaxActiveBlocksPerMultiprocessor",
       [](World& w) { return cuOccupancyMaxActiveBlocksPerMultiprocessor(&number, w.f, 32, 0); }},
      {"cuCtxSynchronize", [](World&) { return cuCtxSynchronize(); }},
      {"cuCtxGetLimit", [](World&) { return cuCtxGetLimit(&bytes, CU_LIMIT_STACK_SIZE); }},
      {"cuCtxSetLimit", [](World&) { return cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 1024); }},
      {"cuStreamCreate", [](World&) { return cuStreamCreate(&stream, 1); }},
      {"cuStreamDestroy", [](World& w) { return cuStreamDestroy(std::exchange(w.spare, nullptr)); }},
      {"cuStreamSynchronize of another", [](World& w) { return cuStreamSynchronize(w.other); }},
      {"cuStreamQuery of another", [](World& w) { return cuStreamQuery(w.other); }},
      {"cuStreamSynchronize of it", [](World& w) { return cuStreamSynchronize(w.captured); }},
      {"cuStreamQuery of it", [](World& w) { return cuStreamQuery(w.captured); }},
      {"cuStreamGetFlags of it", [](World& w) { return cuStreamGetFlags(w.captured, &flags); }},
      {"cuStreamGetPriority of it", [](World& w) { return cuStreamGetPriority(w.captured, &number); }},
      {"cuStreamGetAttribute of it",
       [](World& w) { return cuStreamGetAttribute(w.captured, CU_STREAM_ATTRIBUTE_PRIORITY, &value); }},
      {"cuStreamSetAttribute of it",
       [](World& w) { return cuStreamSetAttribute(w.captured, CU_STREAM_ATTRIBUTE_PRIORITY, &value); }},
      {"cuStreamCopyAttributes to it", [](World& w) { return cuStreamCopyAttributes(w.captured, w.other); }},
      {"cuStreamAddCallback on it",
       [](World& w) { return cuStreamAddCallback(w.captured, [](CUstream, CUresult, void*) {}, nullptr, 0); }},
      {"cuStreamAddCallback on another",
       [](World& w) { return cuStreamAddCallback(w.other, [](CUstream, CUresult, void*) {}, nullptr, 0); }},
      {"cuLaunchHostFunc on it", [](World& w) { return cuLaunchHostFunc(w.captured, [](void*) {}, nullptr); }},
      {"cuEventCreate", [](World&) { return cuEventCreate(&event, 0); }},
      {"cuEventDestroy", [](World& w) { return cuEventDestroy(std::exchange(w.spare_event, nullptr)); }},
      {"cuEventQuery of one outside", [](World& w) { return cuEventQuery(w.event); }},
      {"cuEventSynchronize of one outside", [](World& w) { return cuEventSynchronize(w.event); }},
      {"cuEventElapsedTime of two outside", [](World& w) { return cuEventElapsedTime(&ms, w.timed, w.also_timed); }},
      {"cuEventRecord on another stream", [](World& w) { return cuEventRecord(w.event, w.other); }},
      {"cuStreamWaitEvent of one outside", [](World& w) { return cuStreamWaitEvent(w.captured, w.event, 0); }},
      {"cuStreamWaitEvent of an external one outside",
       [](World& w) { return cuStreamWaitEvent(w.captured, w.event, CU_EVENT_WAIT_EXTERNAL); }},
      {"cuStreamWaitEvent of one never recorded",
       [](World& w) { return cuStreamWaitEvent(w.captured, w.spare_event, 0); }},
      {"cuMemcpyHtoD", [](World& w) { return cuMemcpyHtoD(w.memory, w.host.data(), 64); }},
      {"cuMemcpyDtoH", [](World& w) { return cuMemcpyDtoH(w.host.data(), w.memory, 64); }},
      {"cuMemcpyDtoD", [](World& w) { return cuMemcpyDtoD(w.memory, w.memory + 64, 64); }},
      {"cuMemsetD8", [](World& w) { return cuMemsetD8(w.memory, 0, 64); }},
      {"cuMemcpyHtoDAsync on it", [](World& w) { return cuMemcpyHtoDAsync(w.memory, w.host.data(), 64, w.captured); }},
      {"cuMemcpyHtoDAsync on another",
       [](World& w) { return cuMemcpyHtoDAsync(w.memory, w.host.data(), 64, w.other); }},
      {"cuMemcpyHtoDAsync on it with an unknown address",
       [](World& w) { return cuMemcpyHtoDAsync(0x1000, w.host.data(), 64, w.captured); }},
      {"cuMemsetD32Async on it at an odd address",
       [](World& w) { return cuMemsetD32Async(w.memory + 1, 0, 1, w.captured); }},
      {"cuMemsetD8Async on another", [](World& w) { return cuMemsetD8Async(w.memory, 0, 64, w.other); }},
      {"cuMemsetD8Async on the legacy stream", [](World& w) { return cuMemsetD8Async(w.memory, 0, 64, nullptr); }},
      {"cuLaunchKernel on it", [](World& w) { return w.launch(w.captured); }},
      {"cuLaunchKernel on it with a block too large",
       [](World& w) { return cuLaunchKernel(w.f, 1, 1, 1, 2000, 1, 1, 0, w.captured, w.params, nullptr); }},
      {"cuLaunchKernel on another", [](World& w) { return w.launch(w.other); }},
      {"cuLaunchKernel on the legacy stream", [](World& w) { return w.launch(nullptr); }},
      {"cuLaunchKernel on another blocking stream", [](World& w) { return w.launch(w.blocking); }},
      {"cuMemAllocAsync on it", [](World& w) { return cuMemAllocAsync(&p, 64, w.captured); }},
      {"cuMemAllocAsync on another", [](World& w) { return cuMemAllocAsync(&p, 64, w.other); }},
      {"cuMemFreeAsync on it of what was allocated outside",
       [](World& w) { return cuMemFreeAsync(w.pooled, w.captured); }},
      {"cuMemPrefetchAsync on it",
       [](World& w) {
         CUmemLocation card{};
         card.type = CU_MEM_LOCATION_TYPE_DEVICE;
         return cuMemPrefetchAsync(w.memory, 64, card, 0, w.captured);
       }},
      {"cuMemPoolCreate",
       [](World&) {
         CUmemPoolProps props{};
         props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
         props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
         return cuMemPoolCreate(&pool, &props);
       }},
      {"cuMemPoolTrimTo", [](World&) { return cuDeviceGetDefaultMemPool(&pool, 0), cuMemPoolTrimTo(pool, 0); }},
      {"cuGraphCreate", [](World&) { return cuGraphCreate(&graph, 0); }},
      {"cuGraphClone", [](World& w) { return cuGraphClone(&graph, w.graph); }},
      {"cuGraphInstantiate", [](World& w) { return cuGraphInstantiate(&exec, w.graph, 0); }},
      {"cuGraphExecDestroy", [](World&) { return cuGraphExecDestroy(exec); }},
      {"cuGraphLaunch on it", [](World& w) { return cuGraphLaunch(w.exec, w.captured); }},
      {"cuGraphLaunch on another", [](World& w) { return cuGraphLaunch(w.exec, w.other); }},
      {"cuGraphUpload on it", [](World& w) { return cuGraphUpload(w.exec, w.captured); }},
      {"cuGraphUpload on another", [](World& w) { return cuGraphUpload(w.exec, w.other); }},
      {"cuStreamBeginCapture of it again",
       [](World& w) { return cuStreamBeginCapture(w.captured, CU_STREAM_CAPTURE_MODE_GLOBAL); }},
      {"cuStreamBeginCapture of it again in mode 7",
       [](World& w) { return cuStreamBeginCapture(w.captured, CUstreamCaptureMode(7)); }},
  };
  return all;
}

CUresult end(CUstream stream) {
  CUgraph graph = nullptr;
  const CUresult r = cuStreamEndCapture(stream, &graph);
  if (graph != nullptr) cuGraphDestroy(graph);
  return r;
}

std::string during(World& w, CUstream stream, CUstreamCaptureMode mode, const std::function<CUresult()>& make) {
  must(cuStreamBeginCapture(stream, mode));
  const CUresult r = make();
  const std::string state = state_of(stream);
  const std::string told = name_of(r) + ", capture " + state + ", end " + name_of(end(stream));
  cuStreamSynchronize(w.other);
  cuStreamSynchronize(nullptr);
  w.refill();
  return told;
}

void every_call(const Answers& say, const char* name, CUstreamCaptureMode mode, bool elsewhere, bool is_relaxed) {
  World w;
  for (const Call& call : calls())
    say.write(std::string(call.name) + name, during(w, w.captured, mode, [&] {
                CUresult r{};
                const auto make = [&] {
                  cuCtxSetCurrent(w.at);
                  auto own = CU_STREAM_CAPTURE_MODE_RELAXED;
                  if (is_relaxed) must(cuThreadExchangeStreamCaptureMode(&own));
                  r = call.make(w);
                  if (is_relaxed) must(cuThreadExchangeStreamCaptureMode(&own));
                };
                if (elsewhere)
                  std::thread(make).join();
                else
                  make();
                return r;
              }));
}

void global(const Answers& say) {
  every_call(say, " during a global capture", CU_STREAM_CAPTURE_MODE_GLOBAL, false, false);
}
void thread_local_mode(const Answers& say) {
  every_call(say, " during a thread-local capture", CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, false, false);
}
void relaxed(const Answers& say) {
  every_call(say, " during a relaxed capture", CU_STREAM_CAPTURE_MODE_RELAXED, false, false);
}
void global_relaxed(const Answers& say) {
  every_call(say, " by a relaxed thread during a global capture", CU_STREAM_CAPTURE_MODE_GLOBAL, false, true);
}
void global_elsewhere(const Answers& say) {
  every_call(say, " by another thread during a global capture", CU_STREAM_CAPTURE_MODE_GLOBAL, true, false);
}
void local_elsewhere(const Answers& say) {
  every_call(say, " by another thread during a thread-local capture", CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, true, false);
}

// The legacy stream is tied to blocking streams alone.
void blocking(const Answers& say) {
  World w;
  for (const auto mode : {CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_RELAXED}) {
    const std::string when = mode == CU_STREAM_CAPTURE_MODE_GLOBAL ? " while a blocking stream is captured, global"
                                                                   : " while a blocking stream is captured, relaxed";
    const auto ask = [&](const char* name, const std::function<CUresult()>& make) {
      say.write(name + when, during(w, w.blocking, mode, make));
    };
    CUstreamCaptureStatus status{};
    ask("cuMemsetD8Async on the legacy stream", [&] { return cuMemsetD8Async(w.memory, 0, 4, nullptr); });
    ask("cuLaunchKernel on the legacy stream", [&] { return w.launch(nullptr); });
    ask("cuMemcpyHtoD", [&] { return cuMemcpyHtoD(w.memory, w.host.data(), 4); });
    ask("cuMemsetD8", [&] { return cuMemsetD8(w.memory, 0, 4); });
    ask("cuStreamSynchronize of the legacy stream", [&] { return cuStreamSynchronize(nullptr); });
    ask("cuStreamQuery of the legacy stream", [&] { return cuStreamQuery(nullptr); });
    ask("cuStreamIsCapturing of the legacy stream", [&] { return cuStreamIsCapturing(nullptr, &status); });
    ask("cuEventRecord on the legacy stream", [&] { return cuEventRecord(w.event, nullptr); });
    ask("cuStreamWaitEvent on the legacy stream", [&] { return cuStreamWaitEvent(nullptr, w.timed, 0); });
    ask("cuLaunchKernel on a stream that is not blocking", [&] { return w.launch(w.other); });
  }
}

void beginnings(const Answers& say) {
  Nothing t;
  const CUstream s = new_stream();
  CUgraph graph = nullptr;
  say("cuStreamBeginCapture in mode 7", cuStreamBeginCapture(s, CUstreamCaptureMode(7)));
  say("cuStreamBeginCapture of the null stream", cuStreamBeginCapture(nullptr, CU_STREAM_CAPTURE_MODE_RELAXED));
  say("cuStreamBeginCapture of the legacy stream",
      cuStreamBeginCapture(CU_STREAM_LEGACY, CU_STREAM_CAPTURE_MODE_RELAXED));
  say("cuStreamBeginCapture of the null stream in mode 7", cuStreamBeginCapture(nullptr, CUstreamCaptureMode(7)));
  say("cuStreamEndCapture without a beginning", cuStreamEndCapture(s, &graph));
  say("cuStreamEndCapture of the null stream", cuStreamEndCapture(nullptr, &graph));
  must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
  say("cuStreamEndCapture without a place", cuStreamEndCapture(s, nullptr));
  say("cuStreamEndCapture after that", cuStreamEndCapture(s, &graph));
  say.write("an empty capture gives a graph", graph != nullptr ? "yes" : "no");
  for (int mode : {0, 1, 2, 3, 7, -1}) {
    auto value = static_cast<CUstreamCaptureMode>(mode);
    say("cuThreadExchangeStreamCaptureMode to " + std::to_string(mode), cuThreadExchangeStreamCaptureMode(&value),
        static_cast<int>(value));
  }
  auto back = CU_STREAM_CAPTURE_MODE_GLOBAL;
  say("cuThreadExchangeStreamCaptureMode back to 0", cuThreadExchangeStreamCaptureMode(&back), static_cast<int>(back));
  say("cuStreamIsCapturing without a place", cuStreamIsCapturing(s, nullptr));
  CUgraphNode foreign = nullptr, own = nullptr;
  CUgraph mine = new_graph(), theirs = new_graph();
  must(cuGraphAddEmptyNode(&foreign, theirs, nullptr, 0));
  must(cuGraphAddEmptyNode(&own, mine, nullptr, 0));
  const auto into = [&](CUgraph to, CUgraphNode* after, size_t count) {
    const CUresult r = cuStreamBeginCaptureToGraph(s, to, after, nullptr, count, CU_STREAM_CAPTURE_MODE_RELAXED);
    if (r == CUDA_SUCCESS) cuStreamEndCapture(s, &graph);
    return r;
  };
  say("cuStreamBeginCaptureToGraph of none", into(nullptr, nullptr, 0));
  say("cuStreamBeginCaptureToGraph after a node of another graph", into(mine, &foreign, 1));
  say("cuStreamBeginCaptureToGraph without the nodes", into(mine, nullptr, 1));
  say("cuStreamBeginCaptureToGraph after a node", into(mine, &own, 1));
  say("cuStreamUpdateCaptureDependencies without a capture", cuStreamUpdateCaptureDependencies(s, &own, nullptr, 1, 0));
  must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
  say("cuStreamUpdateCaptureDependencies with flags 2", cuStreamUpdateCaptureDependencies(s, nullptr, nullptr, 0, 2));
  say("cuStreamUpdateCaptureDependencies with a node of another graph",
      cuStreamUpdateCaptureDependencies(s, &foreign, nullptr, 1, 0));
  say("cuStreamGetCaptureInfo without a place",
      cuStreamGetCaptureInfo(s, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  say.write("the capture after these", state_of(s));
}

// Events that stand for nodes of a capture.
void events(const Answers& say) {
  Nothing t;
  const auto ask = [&](const std::string& name, bool is_over, auto make) {
    const CUstream s = new_stream(), other = new_stream();
    const CUevent e = new_event(0), before = new_event(0);
    must(cuEventRecord(before, other));
    must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    must(t.launch(s));
    must(cuEventRecord(e, s));
    std::string ended = "still captured";
    if (is_over) ended = name_of(end(s));
    const CUresult r = make(s, other, e, before);
    std::string told = name_of(r) + ", ";
    if (!is_over) {
      told += "capture " + state_of(s);
      told += ", end " + name_of(end(s));
    }
    say.write(name + (is_over ? " of a capture that is over" : " of a capture"), told + (is_over ? "over" : ""));
    if (state_of(other) != "none") end(other);
  };
  float ms = 0;
  for (const bool is_over : {false, true}) {
    ask("cuEventQuery of an event", is_over, [](CUstream, CUstream, CUevent e, CUevent) { return cuEventQuery(e); });
    ask("cuEventSynchronize of an event", is_over,
        [](CUstream, CUstream, CUevent e, CUevent) { return cuEventSynchronize(e); });
    ask("cuEventElapsedTime to an event", is_over,
        [&](CUstream, CUstream, CUevent e, CUevent before) { return cuEventElapsedTime(&ms, before, e); });
    ask("cuStreamWaitEvent on another stream for an event", is_over,
        [](CUstream, CUstream other, CUevent e, CUevent) { return cuStreamWaitEvent(other, e, 0); });
    ask("cuStreamWaitEvent on another stream for an external event", is_over,
        [](CUstream, CUstream other, CUevent e, CUevent) { return cuStreamWaitEvent(other, e, 1); });
    ask("cuStreamWaitEvent on the legacy stream for an event", is_over,
        [](CUstream, CUstream, CUevent e, CUevent) { return cuStreamWaitEvent(nullptr, e, 0); });
    ask("cuEventRecord anew on another stream for an event", is_over,
        [](CUstream, CUstream other, CUevent e, CUevent) { return cuEventRecord(e, other); });
    ask("cuEventDestroy of an event", is_over,
        [](CUstream, CUstream, CUevent e, CUevent) { return cuEventDestroy(e); });
  }
}

// The end of a capture by another thread.
void ends_elsewhere(const Answers& say) {
  World w;
  for (const auto mode :
       {CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, CU_STREAM_CAPTURE_MODE_RELAXED}) {
    must(cuStreamBeginCapture(w.captured, mode));
    CUresult r{};
    std::thread([&] {
      cuCtxSetCurrent(w.at);
      r = end(w.captured);
    }).join();
    std::string told = name_of(r) + ", capture " + state_of(w.captured);
    told += ", end " + name_of(end(w.captured));
    say.write("cuStreamEndCapture by another thread of a capture of mode " + std::to_string(mode), told);
  }
  // What a thread's mode of no meaning does.
  auto odd = CUstreamCaptureMode(7);
  must(cuThreadExchangeStreamCaptureMode(&odd));
  CUdeviceptr p = 0;
  for (const auto mode :
       {CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, CU_STREAM_CAPTURE_MODE_RELAXED})
    say.write("cuMemAlloc by a thread of mode 7 during a capture of mode " + std::to_string(mode),
              during(w, w.captured, mode, [&] { return cuMemAlloc(&p, 64); }));
}

// Work that does nothing: whether it is a node.
void nothing_to_do(const Answers& say) {
  World w;
  const auto ask = [&](const std::string& what, const std::function<CUresult()>& make) {
    must(cuStreamBeginCapture(w.captured, CU_STREAM_CAPTURE_MODE_RELAXED));
    const CUresult r = make();
    CUgraph graph = nullptr;
    const CUresult ended = cuStreamEndCapture(w.captured, &graph);
    size_t count = 0;
    if (graph != nullptr) must(cuGraphGetNodes(graph, nullptr, &count));
    say.write(what + " in a capture", name_of(r) + ", end " + name_of(ended) + ", nodes " + std::to_string(count));
  };
  CUdeviceptr p = 0;
  ask("a set of nothing", [&] { return cuMemsetD8Async(w.memory, 0, 0, w.captured); });
  ask("a copy of nothing", [&] { return cuMemcpyHtoDAsync(w.memory, w.host.data(), 0, w.captured); });
  ask("an allocation of nothing", [&] { return cuMemAllocAsync(&p, 0, w.captured); });
  ask("a free of null", [&] { return cuMemFreeAsync(0, w.captured); });
}

// A capture that is spoilt already.
void spoilt(const Answers& say) {
  World w;
  const auto ask = [&](const char* name, const std::function<CUresult()>& make) {
    const CUstream s = w.captured = new_stream();
    must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    cuStreamSynchronize(s);
    const CUresult r = make();
    say.write(std::string(name) + " in a spoilt capture", name_of(r) + ", end " + name_of(end(s)));
  };
  CUdeviceptr p = 0;
  CUstreamCaptureStatus status{};
  ask("cuLaunchKernel", [&] { return w.launch(w.captured); });
  ask("cuEventRecord", [&] { return cuEventRecord(w.event, w.captured); });
  ask("cuStreamWaitEvent", [&] { return cuStreamWaitEvent(w.captured, w.timed, 0); });
  ask("cuMemAllocAsync", [&] { return cuMemAllocAsync(&p, 64, w.captured); });
  ask("cuStreamSynchronize", [&] { return cuStreamSynchronize(w.captured); });
  ask("cuStreamQuery", [&] { return cuStreamQuery(w.captured); });
  ask("cuStreamIsCapturing", [&] { return cuStreamIsCapturing(w.captured, &status); });
  ask("cuStreamGetCaptureInfo",
      [&] { return cuStreamGetCaptureInfo(w.captured, &status, nullptr, nullptr, nullptr, nullptr, nullptr); });
  ask("cuStreamUpdateCaptureDependencies",
      [&] { return cuStreamUpdateCaptureDependencies(w.captured, nullptr, nullptr, 0, 0); });
  ask("cuGraphLaunch", [&] { return cuGraphLaunch(w.exec, w.captured); });
  ask("cuStreamBeginCapture", [&] { return cuStreamBeginCapture(w.captured, CU_STREAM_CAPTURE_MODE_RELAXED); });
}

// Executable graphs of every kind of node, launched into a captured stream.
void graphs_inside(const Answers& say) {
  Nothing t;
  const CUstream s = new_stream();
  const CUevent e = new_event();
  const CUdeviceptr memory = new_memory(64);
  std::vector<char> host(64);
  CUdeviceptr p = 0;
  const auto ask = [&](const std::string& what, const std::function<CUresult()>& make) {
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    const CUresult made = make();
    const CUresult ended = cuStreamEndCapture(s, &graph);
    if (made != CUDA_SUCCESS || ended != CUDA_SUCCESS) {
      say.write("a graph of " + what + " is captured", name_of(made) + ", end " + name_of(ended));
      return;
    }
    must(cuGraphInstantiate(&exec, graph, 0));
    must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    const CUresult r = cuGraphLaunch(exec, s);
    CUgraph outer = nullptr;
    const std::string state = state_of(s);
    const CUresult last = cuStreamEndCapture(s, &outer);
    std::string told = name_of(r) + ", capture " + state + ", end " + name_of(last);
    if (outer != nullptr) {
      size_t count = 0;
      must(cuGraphGetNodes(outer, nullptr, &count));
      told += ", " + std::to_string(count) + " node";
      CUgraphExec both = nullptr;
      const CUresult whole = cuGraphInstantiate(&both, outer, 0);
      told += ", instantiated " + name_of(whole);
      if (whole == CUDA_SUCCESS) told += ", launched " + name_of(cuGraphLaunch(both, s));
      cuStreamSynchronize(s);
    }
    say.write("a graph of " + what + " launched into a captured stream", told);
  };
  ask("a kernel", [&] { return t.launch(s); });
  ask("nothing", [&] { return CUDA_SUCCESS; });
  ask("a set", [&] { return cuMemsetD8Async(memory, 0, 64, s); });
  ask("a copy", [&] { return cuMemcpyHtoDAsync(memory, host.data(), 64, s); });
  ask("a host function", [&] { return cuLaunchHostFunc(s, [](void*) {}, nullptr); });
  ask("an external record", [&] { return cuEventRecordWithFlags(e, s, CU_EVENT_RECORD_EXTERNAL); });
  ask("an external wait", [&] { return cuStreamWaitEvent(s, e, CU_EVENT_WAIT_EXTERNAL); });
  ask("an allocation that is freed", [&] {
    const CUresult r = cuMemAllocAsync(&p, 64, s);
    return r == CUDA_SUCCESS ? cuMemFreeAsync(p, s) : r;
  });
}

constexpr Group kGroups[] = {{"captures: global", global},
                             {"captures: thread-local", thread_local_mode},
                             {"captures: relaxed", relaxed},
                             {"captures: a relaxed thread", global_relaxed},
                             {"captures: another thread, global", global_elsewhere},
                             {"captures: another thread, thread-local", local_elsewhere},
                             {"captures: blocking streams", blocking},
                             {"captures: beginnings", beginnings},
                             {"captures: events", events},
                             {"captures: ends elsewhere", ends_elsewhere},
                             {"captures: nothing to do", nothing_to_do},
                             {"captures: spoilt", spoilt},
                             {"captures: graphs inside", graphs_inside}};

}  // namespace

std::span<const Group> about_captures() { return kGroups; }

}  // namespace questions

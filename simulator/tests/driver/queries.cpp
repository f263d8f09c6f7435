// What a program asks about card, context, functions and streams.
#include "steps.hpp"

#include <algorithm>
#include <cstdio>

namespace {

int attribute(CUdevice_attribute which) {
  int value = -1;
  ok(cuDeviceGetAttribute(&value, which, 0));
  return value;
}

struct Blocks : Steps {
  int per_sm(int threads, size_t shared) {
    int out = -1;
    ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(&out, step, threads, shared));
    return out;
  }
};

}  // namespace

TEST_CASE("the card is found by its bus id, in every way of writing it") {
  Context context;
  char id[32] = {};
  ok(cuDeviceGetPCIBusId(id, sizeof id, 0));
  unsigned domain = 9, bus = 9, slot = 9, function = 9;
  REQUIRE(std::sscanf(id, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4);
  CHECK(static_cast<int>(bus) == attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID));
  CUdevice device = -1;
  ok(cuDeviceGetByPCIBusId(&device, id));
  CHECK(device == 0);
  device = -1;
  ok(cuDeviceGetByPCIBusId(&device, std::string(id).substr(0, std::string(id).find('.')).c_str()));
  CHECK(device == 0);
  CHECK(name_of(cuDeviceGetByPCIBusId(&device, "0000:ee:1d.0")) == "CUDA_ERROR_INVALID_DEVICE");
  CHECK(name_of(cuDeviceGetByPCIBusId(&device, "nonsense")) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("a card is not its own peer") {
  Context context;
  int can = -1;
  ok(cuDeviceCanAccessPeer(&can, 0, 0));
  CHECK(can == 0);
  CHECK(name_of(cuDeviceCanAccessPeer(&can, 0, 999)) == "CUDA_ERROR_INVALID_DEVICE");
}

TEST_CASE("a context keeps the limits that it is given, and has none that its cards do not have") {
  Context context;
  size_t value = 0;
  ok(cuCtxGetLimit(&value, CU_LIMIT_MALLOC_HEAP_SIZE));
  CHECK(value == 8 << 20);
  ok(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4096));
  ok(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
  CHECK(value == 4096);
  ok(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 1024));
  CHECK(name_of(cuCtxSetLimit(CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH, 3)) == "CUDA_ERROR_UNSUPPORTED_LIMIT");
  CHECK(name_of(cuCtxGetLimit(&value, CUlimit(77))) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(cuCtxGetLimit(nullptr, CU_LIMIT_STACK_SIZE)) == "CUDA_ERROR_INVALID_VALUE");
  CUfunc_cache config = CU_FUNC_CACHE_PREFER_EQUAL;
  ok(cuCtxGetCacheConfig(&config));
  CHECK(config == CU_FUNC_CACHE_PREFER_NONE);
  ok(cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_L1));
  ok(cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_NONE));
  ok(cuCtxResetPersistingL2Cache());
}

TEST_CASE("the suggested block is the largest of those that fill an SM, and its grid fills the card") {
  Blocks t;
  const int sms = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            most = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
  int blocks = 0, threads = 0;
  ok(cuOccupancyMaxPotentialBlockSize(&blocks, &threads, t.step, nullptr, 0, 0));
  CHECK(threads * t.per_sm(threads, 0) == most);
  CHECK(blocks == sms * t.per_sm(threads, 0));
  for (int size = threads + 32; size <= 1024; size += 32) CHECK(size * t.per_sm(size, 0) < most);
  ok(cuOccupancyMaxPotentialBlockSizeWithFlags(&blocks, &threads, t.step, nullptr, 0, 96, 0));
  CHECK(threads <= 96);
  // 400 bytes a thread: 128 threads need 50 KB, so shared memory and not threads is what an SM runs out of.
  const auto bytes = [](int block) { return static_cast<size_t>(block) * 400; };
  ok(cuOccupancyMaxPotentialBlockSize(&blocks, &threads, t.step, bytes, 0, 0));
  CHECK(threads > 0);
  for (int size = 32; size <= 1024; size += 32) CHECK(size * t.per_sm(size, bytes(size)) <= threads * (blocks / sms));
}

TEST_CASE(
    "the dynamic shared memory that is available is an equal part of an SM's, and no more than a launch may have") {
  Blocks t;
  const int sm = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  const size_t most = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
  for (int blocks : {1, 2, 3, 6}) {
    size_t bytes = 0;
    ok(cuOccupancyAvailableDynamicSMemPerBlock(&bytes, t.step, blocks, 128));
    CHECK(bytes == std::min<size_t>(most, static_cast<size_t>(sm / blocks / 128 * 128)));
  }
  size_t bytes = 0;
  CHECK(name_of(cuOccupancyAvailableDynamicSMemPerBlock(&bytes, t.step, 0, 128)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("a library tells its kernels, and which of its variables are managed") {
  Context context;
  CUlibrary library = nullptr;
  ok(cuLibraryLoadData(&library, R"(.version 8.0
.target sm_80
.address_size 64
.global .attribute(.managed) .align 4 .u32 shared_with_host = 41;
.global .align 8 .u64 own = 5;
.visible .entry first() { ret; }
.visible .entry add_one() {
  .reg .b32 %r<2>;
  ld.global.u32 %r1, [shared_with_host];
  add.u32 %r1, %r1, 1;
  st.global.u32 [shared_with_host], %r1;
  ret;
}
)",
                       nullptr, nullptr, 0, nullptr, nullptr, 0));
  CUdeviceptr at = 0;
  size_t bytes = 0;
  ok(cuLibraryGetManaged(&at, &bytes, library, "shared_with_host"));
  CHECK(bytes == 4);
  CHECK(name_of(cuLibraryGetManaged(&at, &bytes, library, "own")) == "CUDA_ERROR_NOT_FOUND");
  CUdeviceptr own = 0;
  ok(cuLibraryGetGlobal(&own, &bytes, library, "own"));
  CHECK(bytes == 8);
  unsigned managed = 9;
  ok(cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, at));
  CHECK(managed == 1);
  unsigned type = 0;
  ok(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, own));
  CHECK(type == CU_MEMORYTYPE_DEVICE);

  CUkernel kernels[4] = {};
  ok(cuLibraryEnumerateKernels(kernels, 4, library));
  std::vector<std::string> names;
  for (CUkernel kernel : kernels) {
    if (kernel == nullptr) continue;
    const char* name = nullptr;
    ok(cuKernelGetName(&name, kernel));
    names.push_back(name);
    CUlibrary of = nullptr;
    ok(cuKernelGetLibrary(&of, kernel));
    CHECK(of == library);
    ok(cuKernelSetCacheConfig(kernel, CU_FUNC_CACHE_PREFER_L1, 0));
  }
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"add_one", "first"});
  CUkernel kernel = nullptr;
  CUfunction function = nullptr;
  ok(cuLibraryGetKernel(&kernel, library, "add_one"));
  ok(cuKernelGetFunction(&function, kernel));
  CUfunctionLoadingState loaded{};
  ok(cuFuncLoad(function));
  ok(cuFuncIsLoaded(&loaded, function));
  CHECK(loaded == CU_FUNCTION_LOADING_STATE_LOADED);
  ok(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr));
  ok(cuCtxSynchronize());
  CHECK(*reinterpret_cast<uint32_t*>(at) == 42);  // read in place: that is what managed means
  ok(cuLibraryUnload(library));
}

TEST_CASE("a stream takes over another's attributes, and a captured launch its stream's priority or its own") {
  Steps t;
  Words x(1, 1);
  int least = 0, greatest = 0, priority = 9;
  ok(cuCtxGetStreamPriorityRange(&least, &greatest));
  Stream plain;
  CUstream high = nullptr;
  ok(cuStreamCreateWithPriority(&high, CU_STREAM_NON_BLOCKING, greatest));
  begin(high);
  ok(t.launch(high, x, 2, 0));
  CUlaunchAttribute own{};
  own.id = CU_LAUNCH_ATTRIBUTE_PRIORITY;
  own.value.priority = least;
  ok(t.launch(high, x, 1, 5, own));
  CUgraph graph = end(high);
  CUgraphNode nodes[2] = {};
  size_t count = 2;
  ok(cuGraphGetNodes(graph, nodes, &count));
  CUkernelNodeAttrValue value{};
  ok(cuGraphKernelNodeGetAttribute(nodes[0], CU_LAUNCH_ATTRIBUTE_PRIORITY, &value));
  CHECK(value.priority == greatest);
  ok(cuGraphKernelNodeGetAttribute(nodes[1], CU_LAUNCH_ATTRIBUTE_PRIORITY, &value));
  CHECK(value.priority == least);
  ok(cuGraphKernelNodeCopyAttributes(nodes[1], nodes[0]));
  ok(cuGraphKernelNodeGetAttribute(nodes[1], CU_LAUNCH_ATTRIBUTE_PRIORITY, &value));
  CHECK(value.priority == greatest);
  Executable exec(graph);
  exec.run(plain.at);
  CHECK(x.read() == std::vector<uint32_t>{7});
  ok(cuStreamCopyAttributes(plain.at, high));
  ok(cuStreamGetPriority(plain.at, &priority));
  ok(cuGraphDestroy(graph));
  ok(cuStreamDestroy_v2(high));
}

TEST_CASE("a launch records the event that its attributes name") {
  Steps t;
  Words x(1, 3);
  Stream stream, other;
  Event started;
  CUlaunchAttribute event{};
  event.id = CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT;
  event.value.launchCompletionEvent.event = started.at;
  begin(stream.at);
  ok(t.launch(stream.at, x, 2, 1, event));
  ok(cuStreamWaitEvent(other.at, started.at, 0));  // joins the capture: the event stands for the launch
  CUstreamCaptureStatus status{};
  ok(cuStreamIsCapturing(other.at, &status));
  CHECK(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
  CUgraph graph = end(stream.at);
  Executable exec(graph);
  exec.run(stream.at);
  CHECK(x.read() == std::vector<uint32_t>{7});
  ok(cuGraphDestroy(graph));
}

TEST_CASE("a child of an executable graph takes another graph of the same shape, and none of another") {
  Steps t;
  Stream stream;
  Words x(1, 2);
  const auto one_step = [&](uint32_t addend, int times) {
    begin(stream.at);
    for (int i = 0; i < times; ++i) ok(t.launch(stream.at, x, 1, addend));
    return end(stream.at);
  };
  CUgraph three = one_step(3, 1), five = one_step(5, 1), twice = one_step(1, 2), parent = nullptr;
  ok(cuGraphCreate(&parent, 0));
  CUgraphNode child = nullptr;
  ok(cuGraphAddChildGraphNode(&child, parent, nullptr, 0, three));
  Executable exec(parent);
  exec.run(stream.at);
  CHECK(x.read() == std::vector<uint32_t>{5});
  ok(cuGraphExecChildGraphNodeSetParams(exec.at, child, five));
  exec.run(stream.at);
  CHECK(x.read() == std::vector<uint32_t>{10});
  CHECK(name_of(cuGraphExecChildGraphNodeSetParams(exec.at, child, twice)) == "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE");
  exec.run(stream.at);
  CHECK(x.read() == std::vector<uint32_t>{15});
  for (CUgraph graph : {three, five, twice, parent}) ok(cuGraphDestroy(graph));
}

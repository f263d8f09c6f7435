#include "simulator/tests/bugs/scenarios.hpp"

#include <cuda.h>

#include <cstring>
#include <numeric>
#include <stdexcept>

#include "simulator/tests/bugs/arguments.h"

namespace bugs {
namespace {

const Scenario kScenarios[] = {
    {"b01", "all lanes store, an elected lane arrives", "mbarriers", "race", "racecheck", 1, 64, Host::kOnce,
     Gpu::kAccusesFix},
    {"b02", "a lane reads its neighbour's store without __syncwarp", "warps", "race", "racecheck"},
    {"b03", "ordinary stores, then a bulk store without a proxy fence", "stores", "race", "", 1, 64},
    {"b04", "a polled flag, then a TMA load of what it guards, without a proxy fence", "grids", "race", "", 2},
    {"b05", "a buffer reused after another thread's wait_group.read", "stores", "race", "", 1, 64},
    {"b06", "release and acquire of scope cta between two blocks", "grids", "race", "", 2, 32, Host::kOnce,
     Gpu::kHangs},
    {"b07", "one of two mbarriers is not waited for", "mbarriers", "race init", ""},
    {"b08", "a shared word that no tile has written", "warps", "init", "initcheck"},
    {"b09", "a tensor map edited while a load still reads it", "stores", "race", ""},
    {"b10", "an mbarrier's bytes reused without mbarrier.inval", "mbarriers", "sync", ""},
    {"b11", "a tensor store issued by every lane", "stores", "race", ""},
    {"b12", "two loads into one buffer on two mbarriers", "mbarriers", "race", ""},
    {"b13", "ordinary zero fill of a buffer that cp.async is filling", "warps", "race", "racecheck"},
    {"b14", "expect_tx of half the bytes", "mbarriers", "race init sync deadlock", "", 1, 32, Host::kOnce, Gpu::kHangs},
    {"b15", "three arrivals where four are counted", "mbarriers", "deadlock", "", 1, 96, Host::kOnce, Gpu::kHangs},
    {"b16", "a block barrier in a loop that lanes leave at different turns", "warps", "sync deadlock", "", 1, 32,
     Host::kOnce, Gpu::kHangs},
    {"b17", "cp.async.mbarrier.arrive without .noinc", "mbarriers", "deadlock", "", 1, 32, Host::kOnce, Gpu::kHangs},
    {"b18", "block scales counted per 32 values where the format has one per 16", "warps", "init", "initcheck"},
    {"b19", "a graph launched with a buffer that was freed", "grids", "memcheck", "memcheck", 1, 32, Host::kStaleGraph},
    {"b20", "a dependent grid reads in place before griddepcontrol.wait", "grids", "race", "", 1, 32, Host::kDependent},
    {"out_of_bounds", "one word past the end of a buffer", "grids", "memcheck", "memcheck"},
    {"shared_overrun", "one word past the end of shared memory", "warps", "memcheck", "memcheck"},
    {"misaligned", "a vector load from an address that is one word off", "grids", "memcheck", "memcheck"},
    {"freed", "a store to memory that was freed", "grids", "memcheck", "memcheck", 1, 32, Host::kFreedBefore},
    {"uninitialised", "a load of memory that nobody wrote", "grids", "init", "initcheck"},
    {"missing_syncthreads", "threads exchange words without a block barrier", "warps", "race", "racecheck", 1, 64},
    {"missing_syncwarp", "a tree reduction without __syncwarp", "warps", "race", "racecheck"},
    {"write_after_read", "a second round stores before the first is read", "warps", "race", "racecheck", 1, 64},
    {"barrier_count", "a named barrier counts a warp that does not come", "warps", "deadlock sync", "", 1, 64,
     Host::kOnce, Gpu::kHangs},
    {"wrong_parity", "a wait for the phase before the first", "mbarriers", "race init", "", 1, 32, Host::kOnce,
     Gpu::kHangs},
    {"expect_too_much", "expect_tx of 16 bytes too many", "mbarriers", "deadlock", "", 1, 32, Host::kOnce, Gpu::kHangs},
    {"init_unseen", "an mbarrier used before the block has seen its init", "mbarriers", "sync race", "", 1, 64,
     Host::kOnce, Gpu::kHangs},
    {"refill_unreleased", "a slot refilled while a warp still reads it", "mbarriers", "race sync", "racecheck", 1, 64,
     Host::kOnce, Gpu::kHangs},
    {"missing_proxy_fence", "a TMA store of ordinary stores without a proxy fence", "stores", "race", ""},
    {"bulk_group_off_by_one", "wait_group.read 2 where two buffers alternate", "stores", "race", ""},
    {"copy_group_off_by_one", "cp.async.wait_group 2 where 1 is meant", "stores", "race init", "racecheck"},
    {"read_is_not_done", "a bulk store's result read after wait_group.read", "stores", "race", ""},
    {"late_expect", "bytes announced behind the arrival", "mbarriers", "sync", "", 1, 64},
    {"expect_out_of_range", "a tx-count beyond 2^20 - 1", "mbarriers", "sync", "", 1, 32, Host::kOnce, Gpu::kHangs},
    {"lapped_waiter", "a producer that nobody holds back overtakes a waiter", "mbarriers", "sync", "", 1, 64,
     Host::kOnce, Gpu::kHangs},
    {"copy_left", "a block ends with cp.async copies in flight", "stores", "sync", ""},
    {"bulk_store_left", "a block ends while a bulk store reads its memory", "stores", "sync", ""},
    {"narrow_atomic", "atomics of scope cta on one word from two blocks", "grids", "race", "", 2},
    {"relaxed_flag", "a relaxed flag between blocks without fences", "grids", "race", "", 2},
    {"last_arriver", "a split reduction whose blocks arrive without a fence", "grids", "race", "", 4},
    {"cluster_unsynced", "a block of a cluster reads another's memory behind a relaxed barrier", "clusters", "race", "",
     2},
    {"cluster_left", "a block of a cluster ends while another writes to its memory", "clusters", "race memcheck", "",
     2},
    {"cluster_early", "a block writes to another that may not have started", "clusters", "sync", "", 2},
    {"cluster_missing", "a warp never arrives at the barrier of its cluster", "clusters", "deadlock", "", 2, 64,
     Host::kOnce, Gpu::kHangs},
    {"cluster_wrong_rank", "an arrival at the mbarrier of the wrong block", "clusters", "deadlock", "", 2, 32,
     Host::kOnce, Gpu::kHangs},
    {"cluster_narrow", "an arrival of scope cta on another block's mbarrier", "clusters", "race", "", 2},
    {"grid_too_large", "a grid barrier among more blocks than fit at once", "grids", "deadlock", "", 300, 1024,
     Host::kOnce, Gpu::kHangs},
};

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void check(CUresult result, const char* call) {
  if (result == CUDA_SUCCESS) return;
  const char* name = nullptr;
  cuGetErrorName(result, &name);
  throw Failure(std::string(call) + ": " + (name != nullptr ? name : std::to_string(result)));
}

CUdeviceptr allocate(size_t bytes) {
  CUdeviceptr p = 0;
  check(cuMemAlloc(&p, bytes), "cuMemAlloc");
  return p;
}

TensorMap map_of(CUdeviceptr words) {
  const cuuint64_t sizes[] = {64, 64}, strides[] = {64 * sizeof(uint32_t)};
  const cuuint32_t box[] = {16, 16}, steps[] = {1, 1};
  CUtensorMap map;
  check(cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_UINT32, 2, reinterpret_cast<void*>(words), sizes, strides,
                               box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
                               CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
        "cuTensorMapEncodeTiled");
  TensorMap result;
  static_assert(sizeof map == sizeof result);
  std::memcpy(&result, &map, sizeof map);
  return result;
}

// The buffers of a launch. What is not freed here goes with the context.
struct Buffers {
  CUdeviceptr in = numbered(), out = zeros(kWords), gap = allocate(4 * kWords), raw = allocate(4 * kWords),
              flag = zeros(32);

  // A GPU's driver puts buffers side by side: without a gap the word behind `out` is the first of `raw`, and that is
  // what a tool without red zones sees.
  Buffers() { check(cuMemFree(gap), "cuMemFree"); }

  static CUdeviceptr numbered() {
    std::vector<uint32_t> words(kWords);
    std::iota(words.begin(), words.end(), 0u);
    const CUdeviceptr p = allocate(4 * kWords);
    check(cuMemcpyHtoD(p, words.data(), 4 * kWords), "cuMemcpyHtoD");
    return p;
  }
  static CUdeviceptr zeros(size_t words) {
    const CUdeviceptr p = allocate(4 * words);
    check(cuMemsetD32(p, 0, words), "cuMemsetD32");
    return p;
  }
  Arguments arguments() const {
    const auto word = [](CUdeviceptr p) { return reinterpret_cast<uint32_t*>(p); };
    return {.in_map = map_of(in),
            .out_map = map_of(out),
            .in = word(in),
            .out = word(out),
            .raw = word(raw),
            .flag = word(flag),
            .tiles = 0};
  }
};

void launch(const Scenario& s, CUfunction f, CUstream stream, Arguments& arguments, bool is_dependent) {
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  attribute.value.programmaticStreamSerializationAllowed = 1;
  CUlaunchConfig config{};
  config.gridDimX = s.blocks;
  config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
  config.blockDimX = s.threads;
  config.hStream = stream;
  config.attrs = &attribute;
  config.numAttrs = is_dependent ? 1 : 0;
  void* parameters[] = {&arguments};
  check(cuLaunchKernelEx(&config, f, parameters, nullptr), "cuLaunchKernelEx");
}

// Captured with one buffer, launched after that was freed and another one took its place.
void launch_graph(const Scenario& s, CUfunction f, CUstream stream, Buffers& buffers, bool is_fixed) {
  Arguments arguments = buffers.arguments();
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  check(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), "cuStreamBeginCapture");
  launch(s, f, stream, arguments, false);
  check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
  check(cuGraphInstantiateWithFlags(&executable, graph, 0), "cuGraphInstantiateWithFlags");
  const CUdeviceptr replacement = Buffers::numbered();
  check(cuMemFree(buffers.in), "cuMemFree");
  buffers.in = replacement;
  if (is_fixed) {
    CUgraphNode node = nullptr;
    size_t count = 1;
    check(cuGraphGetNodes(graph, &node, &count), "cuGraphGetNodes");
    CUDA_KERNEL_NODE_PARAMS parameters{};
    check(cuGraphKernelNodeGetParams(node, &parameters), "cuGraphKernelNodeGetParams");
    arguments = buffers.arguments();
    void* list[] = {&arguments};
    parameters.kernelParams = list;
    check(cuGraphExecKernelNodeSetParams(executable, node, &parameters), "cuGraphExecKernelNodeSetParams");
  }
  check(cuGraphLaunch(executable, stream), "cuGraphLaunch");
  check(cuStreamSynchronize(stream), "cuStreamSynchronize");
  check(cuGraphExecDestroy(executable), "cuGraphExecDestroy");
  check(cuGraphDestroy(graph), "cuGraphDestroy");
}

void run_host(const Scenario& s, CUfunction f, bool is_fixed) {
  Buffers buffers;
  CUstream stream = nullptr;
  check(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
  if (s.host == Host::kStaleGraph) return launch_graph(s, f, stream, buffers, is_fixed);
  Arguments arguments = buffers.arguments();
  if (s.host == Host::kFreedBefore && !is_fixed) check(cuMemFree(buffers.raw), "cuMemFree");
  launch(s, f, stream, arguments, false);
  if (s.host == Host::kDependent) launch(s, f, stream, arguments, true);
  check(cuStreamSynchronize(stream), "cuStreamSynchronize");
}

}  // namespace

std::span<const Scenario> scenarios() { return kScenarios; }

const Scenario* find(const std::string& name) {
  for (const Scenario& s : kScenarios) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

std::string run(const Scenario& scenario, bool is_fixed, const std::string& folder) {
  CUdevice device = 0;
  try {
    check(cuInit(0), "cuInit");
    CUcontext context = nullptr;
    check(cuDeviceGet(&device, 0), "cuDeviceGet");
    check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    CUmodule module = nullptr;
    CUfunction f = nullptr;
    const std::string path = folder + "/" + scenario.file + ".fatbin";
    const std::string entry = std::string(scenario.name) + (is_fixed ? "_fix" : "_bug");
    check(cuModuleLoad(&module, path.c_str()), ("cuModuleLoad of " + path).c_str());
    check(cuModuleGetFunction(&f, module, entry.c_str()), ("cuModuleGetFunction of " + entry).c_str());
    run_host(scenario, f, is_fixed);
    check(cuDevicePrimaryCtxReset(device), "cuDevicePrimaryCtxReset");
    return "";
  } catch (const Failure& failure) {
    cuDevicePrimaryCtxReset(device);  // after a fault nothing else works
    return failure.what();
  }
}

}  // namespace bugs

// The Driver API over the simulated card: what programs rely on, call by call, and what each misuse answers.
#include "fixture.hpp"

#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

extern "C" {
struct SimKernelStat {
  const char* name;
  uint64_t launches, warp_instructions;
  double seconds;
};
size_t simKernelStats(SimKernelStat* out, size_t capacity);
void simResetKernelStats();
const char* simLastReport();
size_t simFindingCount();
const char* simFinding(size_t);
void simClearFindings();
CUresult simSetOptions(const char* check, const char* async, uint64_t seed, const char* findings_file);
}

namespace {

struct Twice : Context {
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  Twice() {
    ok(cuModuleLoadData(&module, twice_ptx("sm_80").c_str()));
    ok(cuModuleGetFunction(&function, module, "twice"));
  }
  ~Twice() { cuModuleUnload(module); }
  CUresult launch(CUdeviceptr x, CUdeviceptr y, uint32_t n, unsigned blocks, unsigned threads, unsigned shared = 0) {
    void* params[] = {&x, &y, &n};
    return cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared, nullptr, params, nullptr);
  }
};

}  // namespace

TEST_CASE("the default card is a simulated RTX PRO 6000 and says so") {
  Context context;
  char name[128] = {};
  ok(cuDeviceGetName(name, sizeof name, 0));
  CHECK(std::string(name).starts_with("simulated "));
  CHECK(std::string(name).find("RTX PRO 6000") != std::string::npos);
  const auto attribute = [](CUdevice_attribute a) {
    int value = -1;
    ok(cuDeviceGetAttribute(&value, a, 0));
    return value;
  };
  CHECK(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) == 12);
  CHECK(attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) == 188);
  CHECK(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN) == 101376);
  CHECK(attribute(CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS) == 1);
  int value = 0;
  CHECK(name_of(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 1)) == "CUDA_ERROR_INVALID_DEVICE");
}

TEST_CASE("a kernel reads and writes device memory") {
  Twice t;
  std::vector<uint32_t> values(1000), back(1000);
  std::iota(values.begin(), values.end(), 5u);
  CUdeviceptr x = 0, y = 0;
  ok(cuMemAlloc_v2(&x, 4000));
  ok(cuMemAlloc_v2(&y, 4000));
  ok(cuMemcpyHtoD_v2(x, values.data(), 4000));
  simResetKernelStats();
  ok(simSetOptions("", "", 0, ""));  // instructions are counted below: lanes must meet again
  ok(t.launch(x, y, 1000, 8, 128));
  ok(cuCtxSynchronize());
  ok(cuMemcpyDtoH_v2(back.data(), y, 4000));
  for (size_t i = 0; i < back.size(); ++i) REQUIRE(back[i] == 2 * values[i]);
  SimKernelStat stat{};
  REQUIRE(simKernelStats(&stat, 1) == 1);
  CHECK(std::string(stat.name) == "twice");
  CHECK(stat.launches == 1);
  // 32 warps; each runs 9 instructions up to the branch and ret; the 32 warps with an element below n run 6 more.
  CHECK(stat.warp_instructions == 32 * 16);
  ok(cuMemFree_v2(x));
  ok(cuMemFree_v2(y));
  CHECK(name_of(cuMemFree_v2(x)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("registered host memory is used in place, and only in its exact range") {
  Twice t;
  std::vector<uint32_t> x(64, 21), y(64, 0);
  ok(cuMemHostRegister_v2(x.data(), 64 * 4, 0));
  ok(cuMemHostRegister_v2(y.data(), 64 * 4, 0));
  const auto at = [](std::vector<uint32_t>& v) { return reinterpret_cast<CUdeviceptr>(v.data()); };
  ok(t.launch(at(x), at(y), 64, 1, 64));
  ok(cuCtxSynchronize());
  CHECK(y == std::vector<uint32_t>(64, 42));
  CHECK(name_of(cuMemHostRegister_v2(x.data() + 1, 8, 0)) == "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED");
  ok(cuMemHostUnregister(y.data()));
  ok(t.launch(at(x), at(y), 64, 1, 64));
  CHECK(name_of(cuCtxSynchronize()) == "CUDA_ERROR_ILLEGAL_ADDRESS");
  CHECK(std::string(simLastReport()).find("st.global.u32") != std::string::npos);
  CHECK(name_of(cuStreamSynchronize(nullptr)) == "CUDA_ERROR_ILLEGAL_ADDRESS");  // the context stays broken ..
  ok(cuDevicePrimaryCtxReset_v2(0));                                             // .. until it is reset
  ok(cuCtxSynchronize());
  ok(cuMemHostUnregister(x.data()));
  CHECK(name_of(cuMemHostUnregister(x.data())) == "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED");
}

TEST_CASE("an access past an allocation is reported with the buffer's name and the thread") {
  Twice t;
  CUdeviceptr x = 0, y = 0;
  ok(cuMemAlloc_v2(&x, 256));
  ok(cuMemAlloc_v2(&y, 256));
  ok(t.launch(x, y, 65, 1, 96));
  CHECK(name_of(cuCtxSynchronize()) == "CUDA_ERROR_ILLEGAL_ADDRESS");
  const std::string report = simLastReport();
  CHECK_MESSAGE(report.find("thread 64") != std::string::npos, report);
  CHECK_MESSAGE(report.find("256 bytes") != std::string::npos, report);
  ok(cuDevicePrimaryCtxReset_v2(0));
  ok(cuMemFree_v2(x));
  ok(cuMemFree_v2(y));
}

TEST_CASE("launches that the hardware refuses are refused, and nothing runs") {
  Twice t;
  CHECK(name_of(t.launch(0, 0, 0, 0, 32)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(t.launch(0, 0, 0, 1, 1025)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(t.launch(0, 0, 0, 1, 32, 64 << 10)) == "CUDA_ERROR_INVALID_VALUE");
  ok(cuFuncSetAttribute(t.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 64 << 10));
  ok(t.launch(0, 0, 0, 1, 32, 64 << 10));
  CHECK(name_of(cuFuncSetAttribute(t.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 101377)) ==
        "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(cuLaunchKernel(t.function, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, nullptr)) ==
        "CUDA_ERROR_INVALID_VALUE");
  CUlaunchAttribute cluster{};
  cluster.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  cluster.value.clusterDim.x = 3;
  cluster.value.clusterDim.y = cluster.value.clusterDim.z = 1;
  CUlaunchConfig config{};
  config.gridDimX = 2;
  config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
  config.blockDimX = 32;
  config.attrs = &cluster;
  config.numAttrs = 1;
  CUdeviceptr null = 0;
  uint32_t n = 0;
  void* params[] = {&null, &null, &n};
  CHECK(name_of(cuLaunchKernelEx(&config, t.function, params, nullptr)) == "CUDA_ERROR_INVALID_CLUSTER_SIZE");
}

TEST_CASE("copies and sets outside of an allocation are refused") {
  Context context;
  CUdeviceptr x = 0;
  ok(cuMemAlloc_v2(&x, 100));
  char host[128] = {};
  CHECK(name_of(cuMemcpyHtoD_v2(x, host, 101)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(cuMemcpyDtoH_v2(host, x + 1, 100)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(cuMemsetD32_v2(x, 7, 26)) == "CUDA_ERROR_INVALID_VALUE");
  ok(cuMemsetD32_v2(x, 0x01020304, 25));
  ok(cuMemcpyDtoH_v2(host, x, 100));
  CHECK(host[0] == 4);
  CHECK(host[99] == 1);
  CHECK(host[100] == 0);
  ok(cuMemFree_v2(x));
  CHECK(name_of(cuMemcpyDtoH_v2(host, x, 4)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("stale handles are errors, not crashes") {
  Context context;
  CUstream stream = nullptr;
  ok(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  ok(cuStreamSynchronize(stream));
  ok(cuStreamDestroy_v2(stream));
  CHECK(name_of(cuStreamSynchronize(stream)) == "CUDA_ERROR_INVALID_HANDLE");
  CHECK(name_of(cuStreamCopyAttributes(nullptr, reinterpret_cast<CUstream>(&context))) == "CUDA_ERROR_INVALID_HANDLE");
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  ok(cuModuleLoadData(&module, twice_ptx("sm_80").c_str()));
  ok(cuModuleGetFunction(&function, module, "twice"));
  CHECK(name_of(cuModuleGetFunction(&function, module, "thrice")) == "CUDA_ERROR_NOT_FOUND");
  ok(cuModuleGetFunction(&function, module, "twice"));
  ok(cuModuleUnload(module));
  CHECK(name_of(cuModuleUnload(module)) == "CUDA_ERROR_INVALID_HANDLE");
  CHECK(name_of(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, nullptr)) ==
        "CUDA_ERROR_INVALID_HANDLE");
}

TEST_CASE("events measure host time between records") {
  Context context;
  CUevent from = nullptr, to = nullptr;
  ok(cuEventCreate(&from, CU_EVENT_DEFAULT));
  ok(cuEventCreate(&to, CU_EVENT_DEFAULT));
  float ms = -1;
  CHECK(name_of(cuEventElapsedTime_v2(&ms, from, to)) == "CUDA_ERROR_INVALID_HANDLE");
  ok(cuEventRecord(from, nullptr));
  ok(cuEventRecord(to, nullptr));
  ok(cuEventElapsedTime_v2(&ms, from, to));
  CHECK(ms >= 0);
  ok(cuEventDestroy_v2(from));
  ok(cuEventDestroy_v2(to));
}

TEST_CASE("entry points are found by name without their version") {
  ok(cuInit(0));
  void* f = nullptr;
  CUdriverProcAddressQueryResult found{};
  ok(cuGetProcAddress_v2("cuMemAlloc", &f, 13000, 0, &found));
  CHECK(f == reinterpret_cast<void*>(&cuMemAlloc_v2));
  CHECK(found == CU_GET_PROC_ADDRESS_SUCCESS);
  ok(cuGetProcAddress_v2("cuNoSuchThing", &f, 13000, 0, &found));
  CHECK(found == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
  CHECK(f == nullptr);
  CHECK(name_of(cuGetProcAddress_v2("cuMemAlloc", &f, 99000, 0, &found)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("tensor maps of im2col mode are encoded, wide ones are refused with a reason") {
  CUtensorMap map{};
  const cuuint64_t dims[] = {64, 32, 24, 8}, strides[] = {128, 4096, 98304};
  const int lower[] = {-1, -2}, upper[] = {1, 2};
  const cuuint32_t steps[] = {1, 1, 2, 1};
  const auto encode = [&](cuuint32_t rank, cuuint32_t channels) {
    return cuTensorMapEncodeIm2col(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, rank, reinterpret_cast<void*>(0x7f0000001000),
                                   dims, strides, lower, upper, channels, 65, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                                   CU_TENSOR_MAP_SWIZZLE_64B, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                                   CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA);
  };
  CHECK(name_of(encode(4, 32)) == "CUDA_ERROR_INVALID_CONTEXT");
  Context context;
  ok(encode(4, 32));
  uint32_t words[32];
  std::memcpy(words, &map, sizeof words);
  CHECK(words[0] == 0x1000);
  CHECK(words[2] == (1 | 3 << 4 | 6 << 7 | 2 << 13 | 1 << 15));
  CHECK(words[13] == (31u << 24 | 1 << 6));
  CHECK(words[14] == 0x0201feff);  // corners W, H of a byte each: lower, upper
  CHECK(words[15] == 64);
  CHECK(name_of(encode(4, 33)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(encode(2, 32)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(name_of(cuTensorMapEncodeIm2colWide(
            &map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 4, reinterpret_cast<void*>(0x7f0000001000), dims, strides, 0, 0, 32,
            64, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_IM2COL_WIDE_MODE_W, CU_TENSOR_MAP_SWIZZLE_64B,
            CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)) == "CUDA_ERROR_NOT_SUPPORTED");
  CHECK(std::strstr(simLastReport(), "is not known") != nullptr);
}

TEST_CASE("simSetOptions takes the words of the variables and names a wrong one") {
  Context context;
  CHECK(name_of(simSetOptions("race,typo", nullptr, 0, nullptr)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(std::string(simLastReport()) ==
        "B12X_SIM_CHECK has 'typo', want all, none, or some of memcheck,race,init,sync");
  CHECK(name_of(simSetOptions(nullptr, "late", 0, nullptr)) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(std::string(simLastReport()) == "B12X_SIM_ASYNC is 'late', want eager, lazy or hostile");
  ok(simSetOptions("none", "hostile", 7, nullptr));
  ok(simSetOptions(nullptr, "eager", 0, nullptr));
}

TEST_CASE("a launch with findings goes on, and they can be asked for") {
  Context context;
  CUmodule module = nullptr;
  CUfunction race = nullptr;
  ok(cuModuleLoadData(&module, R"(.version 8.7
.target sm_80
.address_size 64
.visible .entry race(.param .u64 data)
{
  .reg .b32 %r<4>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [data];
  mov.u32 %r1, %ctaid.x;
  st.global.u32 [%rd1], %r1;
  ret;
})"));
  ok(cuModuleGetFunction(&race, module, "race"));
  CUdeviceptr data = 0;
  ok(cuMemAlloc_v2(&data, 4));
  void* params[] = {&data};
  simClearFindings();
  ok(simSetOptions("race", "", 0, ""));
  ok(cuLaunchKernel(race, 3, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr));
  ok(simSetOptions("none", "eager", 0, ""));
  ok(cuLaunchKernel(race, 3, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr));
  ok(cuCtxSynchronize());
  CHECK(simFindingCount() == 1);
  const std::string json = simFinding(0);
  CHECK(json.find("\"kind\":\"race\"") != std::string::npos);
  CHECK(json.find("\"line\":10,\"block\":[1,0,0],\"warp\":0,\"lanes\":1,") != std::string::npos);
  CHECK(json.find("\"count\":2") != std::string::npos);  // blocks 1 and 2
  CHECK(std::string(simLastReport()).find("write races with the write by") != std::string::npos);
  simClearFindings();
  CHECK(simFinding(0) == nullptr);
  ok(cuMemFree_v2(data));
  ok(cuModuleUnload(module));
}

TEST_CASE("a seed replays a process: the same launches in the same order give the same bytes, launch by launch") {
  Context context;
  CUmodule module = nullptr;
  CUfunction order = nullptr;
  // Each block writes its number where its ticket points.
  ok(cuModuleLoadData(&module, R"(.version 8.7
.target sm_80
.address_size 64
.visible .entry order(.param .u64 data)
{
  .reg .b32 %r<4>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [data];
  mov.u32 %r1, %ctaid.x;
  atom.global.add.u32 %r2, [%rd1], 1;
  mul.wide.u32 %rd2, %r2, 4;
  add.s64 %rd2, %rd2, %rd1;
  st.global.u32 [%rd2+4], %r1;
  ret;
})"));
  ok(cuModuleGetFunction(&order, module, "order"));
  CUdeviceptr data = 0;
  ok(cuMemAlloc_v2(&data, 4 * 33));
  const auto launch = [&] {
    std::vector<uint32_t> out(33);
    void* params[] = {&data};
    ok(cuMemsetD32_v2(data, 0, 33));
    ok(cuLaunchKernel(order, 32, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr));
    ok(cuMemcpyDtoH_v2(out.data(), data, 4 * 33));
    return out;
  };
  ok(simSetOptions("", "", 11, ""));
  const auto first = launch(), second = launch();
  CHECK(first != second);
  ok(simSetOptions("", "", 11, ""));
  CHECK(launch() == first);
  CHECK(launch() == second);
  ok(simSetOptions("", "", 12, ""));
  CHECK(launch() != first);
  ok(simSetOptions("", "", 0, ""));
  ok(cuMemFree_v2(data));
  ok(cuModuleUnload(module));
}

TEST_CASE("a fault under a seed says how to see it again") {
  Twice t;
  ok(simSetOptions("", "hostile", 5, ""));
  ok(t.launch(0, 0, 1, 1, 32));
  CHECK(name_of(cuCtxSynchronize()) == "CUDA_ERROR_ILLEGAL_ADDRESS");
  CHECK(std::string(simLastReport())
            .ends_with("\n  replay: B12X_SIM_SEED=5 B12X_SIM_ASYNC=hostile and the same command"));
  ok(cuDevicePrimaryCtxReset_v2(0));
  ok(simSetOptions("", "eager", 0, ""));
}

// Launches that a driver refuses, and in which order it looks at what is wrong.
#include <functional>

#include "questions.hpp"

namespace questions {
namespace {

void shapes(const Answers& say) {
  Nothing t;
  const auto launch = [&](const std::string& what, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                          unsigned bz, unsigned shared) {
    say("a launch " + what, cuLaunchKernel(t.f, gx, gy, gz, bx, by, bz, shared, nullptr, t.params, nullptr));
    say("a launch " + what + ", and the card", cuCtxSynchronize());
  };
  launch("as it should be", 1, 1, 1, 32, 1, 1, 0);
  launch("of no blocks", 0, 1, 1, 32, 1, 1, 0);
  launch("of no threads", 1, 1, 1, 0, 1, 1, 0);
  launch("of 1024 threads", 1, 1, 1, 1024, 1, 1, 0);
  launch("of 1025 threads", 1, 1, 1, 1025, 1, 1, 0);
  launch("of 32 x 33 threads", 1, 1, 1, 32, 33, 1, 0);
  launch("of 65 threads in z", 1, 1, 1, 1, 1, 65, 0);
  launch("of 65536 blocks in y", 1, 65536, 1, 1, 1, 1, 0);
  launch("of 65536 blocks in z", 1, 1, 65536, 1, 1, 1, 0);
  launch("of 2^31 blocks in x", 1u << 31, 1, 1, 1, 1, 1, 0);
  launch("with 48 KiB of dynamic shared memory", 1, 1, 1, 32, 1, 1, 48 * 1024);
  launch("with a byte more", 1, 1, 1, 32, 1, 1, 48 * 1024 + 1);
  launch("with 1 MiB", 1, 1, 1, 32, 1, 1, 1 << 20);
  say("a launch of no function", cuLaunchKernel(nullptr, 1, 1, 1, 32, 1, 1, 0, nullptr, t.params, nullptr));
  say("a cooperative launch of too many blocks",
      cuLaunchCooperativeKernel(t.f, 100000, 1, 1, 1024, 1, 1, 0, nullptr, t.params));
  say("a cooperative launch of a block too large",
      cuLaunchCooperativeKernel(t.f, 100000, 1, 1, 2000, 1, 1, 0, nullptr, t.params));
  say("a cooperative launch", cuLaunchCooperativeKernel(t.f, 4, 1, 1, 32, 1, 1, 0, nullptr, t.params));
}

void parameters(const Answers& say) {
  Nothing t;
  CUfunction none = nullptr;
  must(cuModuleGetFunction(&none, t.module, "no_parameters"));
  struct {
    CUdeviceptr x = 0;
    unsigned n = 0, more = 0;
  } packed;
  size_t bytes = 12;
  void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END};
  const auto launch = [&](const std::string& what, CUfunction f, void** params, void** buffer) {
    say("a launch " + what, cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, nullptr, params, buffer));
  };
  launch("without parameters that it needs", t.f, nullptr, nullptr);
  launch("without parameters that it does not need", none, nullptr, nullptr);
  launch("with parameters that it does not need", none, t.params, nullptr);
  launch("with both kinds of parameters", t.f, t.params, extra);
  launch("with packed parameters", t.f, nullptr, extra);
  for (const size_t n : {0, 4, 8, 11, 13, 16, 17, 64}) {
    bytes = n;
    launch("with " + std::to_string(n) + " bytes of 12 packed ones", t.f, nullptr, extra);
  }
  bytes = 16;
  launch("with packed parameters that it does not need", none, nullptr, extra);
  void* nothing[] = {CU_LAUNCH_PARAM_END};
  launch("with no packed parameters", t.f, nullptr, nothing);
  void* odd[] = {reinterpret_cast<void*>(77), &packed, CU_LAUNCH_PARAM_END};
  launch("with packed parameters of kind 77", t.f, nullptr, odd);
  say("the card after these", cuCtxSynchronize());
}

void bounds(const Answers& say) {
  const Context context;
  CUmodule module = nullptr;
  CUfunction required = nullptr, most = nullptr, registers = nullptr;
  must(cuModuleLoadData(&module, R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry required() .reqntid 64, 2 { ret; }
.visible .entry most() .maxntid 64, 2 { ret; }
.visible .entry registers() .maxntid 256 .maxnreg 200 { ret; }
)"));
  must(cuModuleGetFunction(&required, module, "required"));
  must(cuModuleGetFunction(&most, module, "most"));
  must(cuModuleGetFunction(&registers, module, "registers"));
  const auto launch = [&](const std::string& what, CUfunction f, unsigned x, unsigned y) {
    say("a launch of " + what + ", block " + std::to_string(x) + " x " + std::to_string(y),
        cuLaunchKernel(f, 1, 1, 1, x, y, 1, 0, nullptr, nullptr, nullptr));
  };
  for (const auto& [x, y] : {std::pair{64u, 2u}, {128u, 1u}, {32u, 1u}, {64u, 3u}, {2u, 64u}}) {
    launch("required 64 x 2", required, x, y);
    launch("at most 64 x 2", most, x, y);
  }
  launch("at most 256", registers, 257, 1);
  say("the card after the launches with bounds", cuCtxSynchronize());
}

void attributes(const Answers& say) {
  Nothing t;
  const auto launch = [&](const std::string& what, CUlaunchAttribute attribute, unsigned count = 1) {
    CUlaunchConfig c{};
    c.gridDimX = c.gridDimY = c.gridDimZ = c.blockDimY = c.blockDimZ = 1;
    c.blockDimX = 32;
    c.attrs = &attribute;
    c.numAttrs = count;
    say("a launch with " + what, cuLaunchKernelEx(&c, t.f, t.params, nullptr));
  };
  CUlaunchAttribute a{};
  launch("no attribute", a, 0);
  launch("an attribute to be ignored", a);
  for (const int priority : {-100, -5, 0, 5, 100}) {
    a = {};
    a.id = CU_LAUNCH_ATTRIBUTE_PRIORITY;
    a.value.priority = priority;
    launch("priority " + std::to_string(priority), a);
  }
  a = {};
  a.id = CUlaunchAttributeID(99);
  launch("attribute 99", a);
  a = {};
  a.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
  a.value.cooperative = 2;
  launch("cooperative 2", a);
  a = {};
  a.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  a.value.programmaticStreamSerializationAllowed = 1;
  launch("programmatic serialisation", a);
  a = {};
  a.id = CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT;
  a.value.launchCompletionEvent.event = new_event();
  launch("an event of completion", a);
  a.value.launchCompletionEvent.event = new_event(0);
  launch("an event of completion that takes times", a);
  a.value.launchCompletionEvent.event = nullptr;
  launch("no event of completion", a);
  CUlaunchConfig c{};
  c.gridDimX = c.gridDimY = c.gridDimZ = c.blockDimX = c.blockDimY = c.blockDimZ = 1;
  c.numAttrs = 1;
  say("a launch without its attributes", cuLaunchKernelEx(&c, t.f, t.params, nullptr));
  say("a launch without a description", cuLaunchKernelEx(nullptr, t.f, t.params, nullptr));
  say("the card after launches with attributes", cuCtxSynchronize());
}

// Host functions may not call the driver.
void host_functions(const Answers& say) {
  static Nothing* t;
  Nothing own;
  t = &own;
  static CUresult told[12];
  const auto inside = [](void*) {
    CUdeviceptr p = 0;
    int n = 0;
    CUcontext context = nullptr;
    told[0] = cuMemAlloc(&p, 4);
    told[1] = cuDeviceGetCount(&n);
    told[2] = cuCtxGetCurrent(&context);
    told[3] = t->launch(nullptr);
    told[4] = cuStreamQuery(nullptr);
    told[5] = cuDriverGetVersion(&n);
    told[6] = cuDeviceGetAttribute(&n, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0);
    told[7] = cuFuncGetAttribute(&n, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, t->f);
    told[8] = cuCtxSetCurrent(t->at);
    told[9] = cuMemAlloc(&p, 4);
  };
  must(cuLaunchHostFunc(nullptr, inside, nullptr));
  must(cuStreamSynchronize(nullptr));
  const char* names[] = {"cuMemAlloc",      "cuDeviceGetCount",     "cuCtxGetCurrent",      "cuLaunchKernel",
                         "cuStreamQuery",   "cuDriverGetVersion",   "cuDeviceGetAttribute", "cuFuncGetAttribute",
                         "cuCtxSetCurrent", "cuMemAlloc after that"};
  for (int i = 0; i < 10; ++i) say.write(std::string(names[i]) + " in a host function", name_of(told[i]));
}

constexpr Group kGroups[] = {{"launches: shapes", shapes},
                             {"launches: parameters", parameters},
                             {"launches: bounds", bounds},
                             {"launches: attributes", attributes},
                             {"launches: host functions", host_functions}};

}  // namespace

std::span<const Group> about_launches() { return kGroups; }

}  // namespace questions

// What the tests of streams and graphs launch: x[i] = x[i] * factor + addend for i < n, whose steps do not commute, so
// that a result tells which ran, with which parameters, in which order.
#pragma once

#include "fixture.hpp"

struct Steps : Context {
  CUmodule module = nullptr;
  CUfunction step = nullptr;
  Steps() {
    ok(cuModuleLoadData(&module, R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry step(.param .u64 x, .param .u32 n, .param .u32 factor, .param .u32 addend)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [x];
  ld.param.u32 %r1, [n];
  ld.param.u32 %r2, [factor];
  ld.param.u32 %r3, [addend];
  mov.u32 %r4, %tid.x;
  setp.ge.u32 %p1, %r4, %r1;
  @%p1 bra DONE;
  mul.wide.u32 %rd2, %r4, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r5, [%rd3];
  mad.lo.u32 %r6, %r5, %r2, %r3;
  st.global.u32 [%rd3], %r6;
DONE:
  ret;
}
)"));
    ok(cuModuleGetFunction(&step, module, "step"));
  }
  ~Steps() { cuModuleUnload(module); }

  struct Params {
    CUdeviceptr x;
    uint32_t n, factor, addend;
    void* pointers[4] = {&x, &n, &factor, &addend};
    Params(const Words& w, uint32_t f, uint32_t a) : x(w.at), n(static_cast<uint32_t>(w.count)), factor(f), addend(a) {}
    Params(const Params&) = delete;
  };
  CUresult launch(CUstream stream, const Words& w, uint32_t factor, uint32_t addend) {
    Params p(w, factor, addend);
    return cuLaunchKernel(step, 1, 1, 1, 32, 1, 1, 0, stream, p.pointers, nullptr);
  }
  CUresult launch(CUstream stream, const Words& w, uint32_t factor, uint32_t addend, CUlaunchAttribute attribute) {
    Params p(w, factor, addend);
    CUlaunchConfig config{};
    config.gridDimX = config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
    config.blockDimX = 32;
    config.hStream = stream;
    config.attrs = &attribute;
    config.numAttrs = 1;
    return cuLaunchKernelEx(&config, step, p.pointers, nullptr);
  }
  CUDA_KERNEL_NODE_PARAMS node(Params& p) {
    return {.func = step,
            .gridDimX = 1,
            .gridDimY = 1,
            .gridDimZ = 1,
            .blockDimX = 32,
            .blockDimY = 1,
            .blockDimZ = 1,
            .sharedMemBytes = 0,
            .kernelParams = p.pointers,
            .extra = nullptr,
            .kern = nullptr,
            .ctx = nullptr};
  }
};

struct Stream {
  CUstream at = nullptr;
  explicit Stream(unsigned flags = CU_STREAM_NON_BLOCKING) { ok(cuStreamCreate(&at, flags)); }
  ~Stream() { cuStreamDestroy_v2(at); }
};
struct Event {
  CUevent at = nullptr;
  Event() { ok(cuEventCreate(&at, CU_EVENT_DISABLE_TIMING)); }
  ~Event() { cuEventDestroy_v2(at); }
};
struct Executable {
  CUgraphExec at = nullptr;
  explicit Executable(CUgraph graph) { ok(cuGraphInstantiateWithFlags(&at, graph, 0)); }
  ~Executable() { cuGraphExecDestroy(at); }
  void run(CUstream stream) {
    ok(cuGraphLaunch(at, stream));
    ok(cuStreamSynchronize(stream));
  }
};
inline void begin(CUstream stream, CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL) {
  ok(cuStreamBeginCapture_v2(stream, mode));
}
inline CUgraph end(CUstream stream) {
  CUgraph graph = nullptr;
  ok(cuStreamEndCapture(stream, &graph));
  return graph;
}
inline std::string end_error(CUstream stream) {
  CUgraph graph = nullptr;
  const CUresult r = cuStreamEndCapture(stream, &graph);
  CHECK(graph == nullptr);
  return name_of(r);
}

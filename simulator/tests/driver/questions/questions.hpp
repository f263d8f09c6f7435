// Questions to a driver, and what it answers, as text: the same program asks NVIDIA's driver and the simulator.
// A group of questions is a process of its own, so that none stands in the light of another's broken context, and an
// answer is written as soon as it is there, so that a crash shows how far the group came.
#pragma once

#include <cuda.h>

#include <span>
#include <sstream>
#include <string>

namespace questions {

std::string name_of(CUresult r);  // without "CUDA_"
void must(CUresult r);            // what a question stands on: the process ends where it fails

class Answers {
 public:
  // A call, and what it told where it succeeded. Values are read after the call, since they come by reference.
  template <class... Values>
  void operator()(const std::string& question, CUresult r, const Values&... values) const {
    std::ostringstream text;
    text << name_of(r);
    if (r == CUDA_SUCCESS) ((text << ' ' << values), ...);
    write(question, text.str());
  }
  // A call that ought to fail, and what that one says which asks afterwards.
  void write(const std::string& question, const std::string& answer) const;
};

struct Group {
  const char* name;
  void (*ask)(const Answers&);
};
std::span<const Group> about_memory();
std::span<const Group> about_copies();
std::span<const Group> about_captures();
std::span<const Group> about_graphs();
std::span<const Group> about_updates();
std::span<const Group> about_pools();
std::span<const Group> about_modules();
std::span<const Group> about_functions();
std::span<const Group> about_launches();
std::span<const Group> about_streams();
std::span<const Group> about_cards();
std::span<const Group> about_handles();

// What most questions need: a current context; PTX of a kernel that takes (u64 x, u32 n) and writes nothing.
struct Context {
  CUcontext at = nullptr;
  Context() {
    must(cuDevicePrimaryCtxRetain(&at, 0));
    must(cuCtxSetCurrent(at));
  }
};
inline constexpr char kNothing[] = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry nothing(.param .u64 x, .param .u32 n) { ret; }
.visible .entry no_parameters() { ret; }
)";
struct Nothing : Context {
  CUmodule module = nullptr;
  CUfunction f = nullptr;
  CUdeviceptr x = 0;
  unsigned n = 0;
  void* params[2] = {&x, &n};
  Nothing() {
    must(cuModuleLoadData(&module, kNothing));
    must(cuModuleGetFunction(&f, module, "nothing"));
  }
  CUresult launch(CUstream stream = nullptr) {
    return cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, stream, params, nullptr);
  }
  CUDA_KERNEL_NODE_PARAMS node(unsigned threads = 32) {
    CUDA_KERNEL_NODE_PARAMS p{};
    p.func = f;
    p.gridDimX = p.gridDimY = p.gridDimZ = p.blockDimY = p.blockDimZ = 1;
    p.blockDimX = threads;
    p.kernelParams = params;
    return p;
  }
};
inline CUstream new_stream(unsigned flags = CU_STREAM_NON_BLOCKING) {
  CUstream s = nullptr;
  must(cuStreamCreate(&s, flags));
  return s;
}
inline CUevent new_event(unsigned flags = CU_EVENT_DISABLE_TIMING) {
  CUevent e = nullptr;
  must(cuEventCreate(&e, flags));
  return e;
}
inline CUdeviceptr new_memory(size_t bytes) {
  CUdeviceptr at = 0;
  must(cuMemAlloc(&at, bytes));
  must(cuMemsetD8(at, 0, bytes));
  return at;
}
inline CUgraph new_graph() {
  CUgraph g = nullptr;
  must(cuGraphCreate(&g, 0));
  return g;
}

}  // namespace questions

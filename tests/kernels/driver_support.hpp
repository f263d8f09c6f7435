// driver_support.hpp: what tests need of the driver beyond the library's API: streams, graphs, copies to the middle of
// an allocation.
#pragma once

#include <cuda.h>
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "tests/kernels/support.hpp"

namespace b12x::testing {

// A function of the driver that the card was opened with.
template <class Function>
Function driver_function(const char* name) {
  static void* const library = dlopen(card().driver().c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library != nullptr);
  void* const symbol = dlsym(library, name);
  REQUIRE(symbol != nullptr);
  return reinterpret_cast<Function>(symbol);
}

// The calling thread works in the card's context.
inline void enter_context() {
  CUcontext context = nullptr;
  REQUIRE(driver_function<decltype(&::cuDevicePrimaryCtxRetain)>("cuDevicePrimaryCtxRetain")(&context, 0) ==
          CUDA_SUCCESS);
  REQUIRE(driver_function<decltype(&::cuCtxSetCurrent)>("cuCtxSetCurrent")(context) == CUDA_SUCCESS);
}

struct OwnStream {
  CUstream handle = nullptr;
  OwnStream() {
    enter_context();
    const auto create = driver_function<decltype(&::cuStreamCreate)>("cuStreamCreate");
    REQUIRE(create(&handle, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS);
  }
  ~OwnStream() { driver_function<decltype(&::cuStreamDestroy)>("cuStreamDestroy_v2")(handle); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;
};

// What `body` launches on the stream, captured.
class Graph {
 public:
  template <class Body>
  Graph(const OwnStream& stream, Body&& body) {
    REQUIRE(driver_function<decltype(&::cuStreamBeginCapture)>("cuStreamBeginCapture_v2")(
                stream.handle, CU_STREAM_CAPTURE_MODE_GLOBAL) == CUDA_SUCCESS);
    body();
    REQUIRE(driver_function<decltype(&::cuStreamEndCapture)>("cuStreamEndCapture")(stream.handle, &graph_) ==
            CUDA_SUCCESS);
    REQUIRE(driver_function<CUresult (*)(CUgraphExec*, CUgraph, unsigned long long)>("cuGraphInstantiateWithFlags")(
                &exec_, graph_, 0) == CUDA_SUCCESS);
  }
  ~Graph() {
    driver_function<decltype(&::cuGraphExecDestroy)>("cuGraphExecDestroy")(exec_);
    driver_function<decltype(&::cuGraphDestroy)>("cuGraphDestroy")(graph_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void replay(const OwnStream& stream) const {
    REQUIRE(driver_function<decltype(&::cuGraphLaunch)>("cuGraphLaunch")(exec_, stream.handle) == CUDA_SUCCESS);
  }

 private:
  CUgraph graph_ = nullptr;
  CUgraphExec exec_ = nullptr;
};

// Copies that wait, to and from any place of an allocation.
inline void copy_to(void* to, const std::vector<uint8_t>& bytes) {
  enter_context();
  REQUIRE(driver_function<decltype(&::cuMemcpyHtoD)>("cuMemcpyHtoD_v2")(reinterpret_cast<CUdeviceptr>(to), bytes.data(),
                                                                        bytes.size()) == CUDA_SUCCESS);
}
inline std::vector<uint8_t> copy_from(const void* from, size_t bytes) {
  enter_context();
  std::vector<uint8_t> out(bytes);
  REQUIRE(driver_function<decltype(&::cuMemcpyDtoH)>("cuMemcpyDtoH_v2")(out.data(), reinterpret_cast<CUdeviceptr>(from),
                                                                        bytes) == CUDA_SUCCESS);
  return out;
}

}  // namespace b12x::testing

// What the driver tests share: a context on the default card, PTX that doubles a vector, and a check with the error's
// name.
#pragma once

#include <cuda.h>
#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

inline std::string name_of(CUresult r) {
  const char* name = nullptr;
  cuGetErrorName(r, &name);
  return name != nullptr ? name : std::to_string(r);
}
// A path that other runs of the same test do not write to.
inline std::string file_of_this_process(const std::string& name) {
  return std::filesystem::temp_directory_path() / (std::to_string(getpid()) + "." + name);
}
inline void ok(CUresult r) { REQUIRE(name_of(r) == "CUDA_SUCCESS"); }

struct Context {
  CUcontext handle = nullptr;
  Context() {
    ok(cuInit(0));
    ok(cuDevicePrimaryCtxRetain(&handle, 0));
    ok(cuCtxSetCurrent(handle));
  }
  ~Context() {
    cuCtxSetCurrent(nullptr);
    cuDevicePrimaryCtxRelease_v2(0);
  }
};

// y[i] = 2 * x[i] for i < n; thread i handles element i.
inline std::string twice_ptx(const std::string& target) {
  return ".version 8.7\n.target " + target + R"(
.address_size 64
.visible .entry twice(.param .u64 x, .param .u64 y, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [x];
  ld.param.u64 %rd2, [y];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %tid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %ctaid.x;
  mad.lo.s32 %r5, %r4, %r3, %r2;
  setp.ge.u32 %p1, %r5, %r1;
  @%p1 bra DONE;
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd1, %rd3;
  add.s64 %rd5, %rd2, %rd3;
  ld.global.u32 %r6, [%rd4];
  shl.b32 %r7, %r6, 1;
  st.global.u32 [%rd5], %r7;
DONE:
  ret;
}
)";
}

// Words of device memory.
struct Words {
  CUdeviceptr at = 0;
  size_t count;
  explicit Words(size_t n, uint32_t value = 0) : count(n) {
    ok(cuMemAlloc_v2(&at, n * 4));
    ok(cuMemsetD32_v2(at, value, n));
  }
  ~Words() { cuMemFree_v2(at); }
  std::vector<uint32_t> read() const {
    std::vector<uint32_t> host(count);
    ok(cuMemcpyDtoH_v2(host.data(), at, count * 4));
    return host;
  }
};

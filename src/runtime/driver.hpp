// driver.hpp: one opened libcuda as a table of function pointers. Everything above speaks to a GPU or to its stand-in
// through this table alone.
#pragma once

#include <cuda.h>

#include <string>
#include <string_view>
#include <vector>

namespace b12x::runtime {

// What a driver that counts instructions reports of one kernel.
struct DriverKernelStat {
  std::string name;
  uint64_t instructions = 0;
  double seconds = 0;
};

struct Driver {
  std::string path;           // as opened
  bool is_simulated = false;  // works on CPU memory and counts instructions

  decltype(&::cuInit) init;
  decltype(&::cuGetErrorName) get_error_name;
  decltype(&::cuGetErrorString) get_error_string;
  decltype(&::cuDeviceGet) device_get;
  decltype(&::cuDeviceGetCount) device_get_count;
  decltype(&::cuDeviceGetName) device_get_name;
  decltype(&::cuDeviceGetAttribute) device_get_attribute;
  decltype(&::cuDevicePrimaryCtxRetain) primary_context_retain;
  decltype(&::cuCtxPushCurrent) context_push;
  decltype(&::cuCtxPopCurrent) context_pop;
  decltype(&::cuModuleLoadData) module_load_data;
  decltype(&::cuModuleGetFunction) module_get_function;
  decltype(&::cuFuncSetAttribute) function_set_attribute;
  decltype(&::cuLaunchKernelEx) launch_kernel;
  decltype(&::cuTensorMapEncodeTiled) tensor_map_encode_tiled;
  decltype(&::cuMemAlloc) memory_allocate;
  decltype(&::cuMemFree) memory_free;
  decltype(&::cuMemcpyHtoD) copy_to_device;
  decltype(&::cuMemcpyDtoH) copy_to_host;
  decltype(&::cuMemsetD8Async) memory_set;
  decltype(&::cuMemHostRegister) host_register;
  decltype(&::cuMemHostUnregister) host_unregister;
  decltype(&::cuStreamSynchronize) stream_synchronize;
  decltype(&::cuStreamIsCapturing) stream_is_capturing;

  // Throws Error unless `result` is success: "cuLaunchKernelEx of b12x_x failed: CUDA_ERROR_...: <driver's words>",
  // followed by the driver's own report of a faulting kernel where it has one. `what` names the kernel or the buffer.
  void check(CUresult result, std::string_view call, std::string_view what) const;

  std::vector<DriverKernelStat> kernel_stats() const;  // empty where the driver does not count
  void reset_kernel_stats() const;

  // Behind the three functions above; null where the driver has no such entry.
  size_t (*read_kernel_stats)(void* out, size_t capacity) = nullptr;
  void (*clear_kernel_stats)() = nullptr;
  const char* (*last_report)() = nullptr;
};

// "gpu", "sim" or the path of a libcuda. Opened and initialised once a process, never closed.
const Driver& open_driver(std::string_view name);

}  // namespace b12x::runtime

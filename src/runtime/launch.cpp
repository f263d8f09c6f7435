// launch.cpp: a launch shape and a parameter block -> cuLaunchKernelEx.
#include "runtime/launch.hpp"

#include "base/check.hpp"
#include "runtime/device_state.hpp"

namespace b12x::runtime {

bool is_loaded(std::string_view kernel, const LaunchShape& shape, const Device& device) {
  return device.state().find_kernel(kernel, shape.shared_bytes) != nullptr;
}

void refuse_unloaded(const std::string& plan, const Device& device) {
  fail("plan ", plan, " is not loaded on ", device.info().name, ": call load(plan, device) before the first run");
}

void launch_kernel(std::string_view kernel, const LaunchShape& shape, const void* params, const Stream& stream) {
  DeviceState& state = stream.device.state();
  LoadedKernel* loaded = state.find_kernel(kernel, shape.shared_bytes);
  CUlaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (shape.is_cooperative) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
    attributes[count++].value.cooperative = 1;
  }
  if (shape.overlaps_previous) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attributes[count++].value.programmaticStreamSerializationAllowed = 1;
  }
  CUlaunchConfig config{};
  config.gridDimX = shape.grid[0];
  config.gridDimY = shape.grid[1];
  config.gridDimZ = shape.grid[2];
  config.blockDimX = shape.block[0];
  config.blockDimY = shape.block[1];
  config.blockDimZ = shape.block[2];
  config.sharedMemBytes = shape.shared_bytes;
  config.hStream = static_cast<CUstream>(stream.handle);
  config.attrs = attributes;
  config.numAttrs = count;

  void* arguments[] = {const_cast<void*>(params)};
  const ContextScope scope(state);
  const Driver& driver = state.driver();
  driver.check(driver.launch_kernel(&config, loaded->function, arguments, nullptr), "cuLaunchKernelEx", kernel);
  loaded->calls.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace b12x::runtime

// device_state.hpp: what an opened device keeps for the life of the process: its context, its facts and the kernels
// loaded on it.
#pragma once

#include <cuda.h>

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "b12x/device.hpp"
#include "runtime/driver.hpp"

namespace b12x::runtime {

struct LoadedKernel {
  std::string_view name;
  CUfunction function = nullptr;
  uint32_t shared_bytes = 0;  // dynamic shared memory that the function was opened for
  std::atomic<uint64_t> calls{0};
};

class DeviceState;
struct KernelImage;

// The module of an embedded image. Throws Error, naming the kernel: a corrupt image, one without code for the device.
CUmodule load_image(const DeviceState& state, const KernelImage& image);

class DeviceState {
 public:
  DeviceState(const Driver& driver, int ordinal);
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  const Driver& driver() const { return driver_; }
  CUcontext context() const { return context_; }
  const DeviceInfo& info() const { return info_; }
  MemoryDevice memory() const { return memory_; }

  // Loads the kernel's image on first use and allows it `shared_bytes` of dynamic shared memory.
  void load_kernel(std::string_view name, uint32_t shared_bytes);
  // nullptr: not loaded, or loaded for less shared memory.
  LoadedKernel* find_kernel(std::string_view name, uint32_t shared_bytes);

  std::vector<KernelStat> kernel_stats() const;
  void reset_kernel_stats();

 private:
  const Driver& driver_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  DeviceInfo info_;
  MemoryDevice memory_;
  mutable std::shared_mutex mutex_;  // of the two maps
  std::map<std::string_view, std::unique_ptr<LoadedKernel>> kernels_;
  std::map<const unsigned char*, CUmodule> modules_;  // by image: entries of one instance share a module
};

// Makes the device's context current for a scope, whatever the thread had before. Never throws, so that destructors may
// use it: where it fails, the call that follows reports it.
class ContextScope {
 public:
  explicit ContextScope(const DeviceState& state) noexcept;
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  const Driver& driver_;
  bool is_pushed_;
};

}  // namespace b12x::runtime

// device.cpp: opens a device of a driver and answers what it is.
#include "b12x/device.hpp"

#include <map>
#include <memory>
#include <mutex>

#include "b12x/error.hpp"
#include "base/text.hpp"
#include "runtime/device_state.hpp"

namespace b12x {
namespace runtime {

DeviceState::DeviceState(const Driver& driver, int ordinal) : driver_(driver) {
  int count = 0;
  driver.check(driver.device_get_count(&count), "cuDeviceGetCount", driver.path);
  if (ordinal < 0 || ordinal >= count) {
    throw Error(ErrorKind::kDriver, str("driver ", driver.path, " has ", count, " devices, no device ", ordinal));
  }
  const std::string what = str("device ", ordinal, " of ", driver.path);
  driver.check(driver.device_get(&device_, ordinal), "cuDeviceGet", what);
  driver.check(driver.primary_context_retain(&context_, device_), "cuDevicePrimaryCtxRetain", what);

  char name[256] = {};
  driver.check(driver.device_get_name(name, sizeof(name) - 1, device_), "cuDeviceGetName", what);
  const auto attribute = [&](CUdevice_attribute id) {
    int value = 0;
    driver.check(driver.device_get_attribute(&value, id, device_), "cuDeviceGetAttribute", what);
    return value;
  };
  info_.name = name;
  info_.compute_capability = 10 * attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
                             attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  info_.sm_count = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  info_.shared_bytes_per_block = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  memory_ = driver.is_simulated ? MemoryDevice{} : MemoryDevice{Place::kCuda, ordinal};
}

ContextScope::ContextScope(const DeviceState& state) noexcept
    : driver_(state.driver()), is_pushed_(driver_.context_push(state.context()) == CUDA_SUCCESS) {}

ContextScope::~ContextScope() {
  CUcontext popped = nullptr;
  if (is_pushed_) driver_.context_pop(&popped);
}

}  // namespace runtime

Device Device::open(std::string_view driver_name, int ordinal) {
  static std::mutex mutex;
  // Never destroyed: drivers may be gone before static destructors run.
  static auto& devices = *new std::map<std::pair<const runtime::Driver*, int>, runtime::DeviceState>;

  const runtime::Driver& driver = runtime::open_driver(driver_name);
  const std::lock_guard lock(mutex);
  return Device(&devices.try_emplace({&driver, ordinal}, driver, ordinal).first->second);
}

const DeviceInfo& Device::info() const { return state_->info(); }
MemoryDevice Device::memory() const { return state_->memory(); }
const std::string& Device::driver() const { return state_->driver().path; }
bool Device::is_simulated() const { return state_->driver().is_simulated; }

std::vector<KernelStat> kernel_stats(const Device& device) { return device.state().kernel_stats(); }
void reset_kernel_stats(const Device& device) { device.state().reset_kernel_stats(); }

}  // namespace b12x

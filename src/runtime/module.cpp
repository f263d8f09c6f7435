// module.cpp: kernel name -> function on a device. An image is loaded when its first kernel is asked for, and stays.
#include <mutex>

#include "b12x/error.hpp"
#include "base/text.hpp"
#include "runtime/device_state.hpp"
#include "runtime/images.hpp"

namespace b12x::runtime {

CUmodule load_image(const DeviceState& state, const KernelImage& image) {
  check_fatbin(image);
  const Driver& driver = state.driver();
  CUmodule module = nullptr;
  const CUresult result = driver.module_load_data(&module, image.begin);
  if (result == CUDA_ERROR_NO_BINARY_FOR_GPU) {
    throw Error(ErrorKind::kDriver, str("kernel ", image.entry, " has no code for ", state.info().name, " (compute ",
                                        state.info().compute_capability / 10, ".", state.info().compute_capability % 10,
                                        "); b12x runs on 12.0 and 12.1, and its "
                                        "proving build on 9.0"));
  }
  driver.check(result, "cuModuleLoadData", image.entry);
  return module;
}

void DeviceState::load_kernel(std::string_view name, uint32_t shared_bytes) {
  if (find_kernel(name, shared_bytes) != nullptr) return;
  const std::lock_guard lock(mutex_);
  const ContextScope scope(*this);
  auto kernel = kernels_.find(name);
  if (kernel == kernels_.end()) {
    const KernelImage& image = find_image(name);
    auto module = modules_.find(image.begin);
    if (module == modules_.end()) module = modules_.emplace(image.begin, load_image(*this, image)).first;
    auto loaded = std::make_unique<LoadedKernel>();
    loaded->name = image.entry;
    driver_.check(driver_.module_get_function(&loaded->function, module->second, image.entry.data()),
                  "cuModuleGetFunction", name);
    kernel = kernels_.emplace(image.entry, std::move(loaded)).first;
  }
  LoadedKernel& loaded = *kernel->second;
  if (shared_bytes > loaded.shared_bytes) {
    driver_.check(driver_.function_set_attribute(loaded.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                 static_cast<int>(shared_bytes)),
                  "cuFuncSetAttribute", name);
    loaded.shared_bytes = shared_bytes;
  }
}

LoadedKernel* DeviceState::find_kernel(std::string_view name, uint32_t shared_bytes) {
  const std::shared_lock lock(mutex_);
  const auto kernel = kernels_.find(name);
  return kernel == kernels_.end() || kernel->second->shared_bytes < shared_bytes ? nullptr : kernel->second.get();
}

std::vector<KernelStat> DeviceState::kernel_stats() const {
  const std::vector<DriverKernelStat> counted = driver_.kernel_stats();
  std::vector<KernelStat> stats;
  const std::shared_lock lock(mutex_);
  for (const auto& [name, kernel] : kernels_) {
    const uint64_t calls = kernel->calls.load(std::memory_order_relaxed);
    if (calls == 0) continue;
    KernelStat& stat = stats.emplace_back(KernelStat{.name = std::string(name), .calls = calls});
    for (const DriverKernelStat& row : counted) {
      if (row.name != name) continue;
      stat.instructions = row.instructions;
      stat.seconds = row.seconds;
    }
  }
  return stats;
}

void DeviceState::reset_kernel_stats() {
  const std::shared_lock lock(mutex_);
  for (const auto& [name, kernel] : kernels_) kernel->calls.store(0, std::memory_order_relaxed);
  driver_.reset_kernel_stats();
}

}  // namespace b12x::runtime

// host_memory.cpp: CPU tensors -> the smallest set of disjoint ranges -> registered for the scope's life.
#include <algorithm>
#include <utility>

#include "b12x/device.hpp"
#include "runtime/device_state.hpp"

namespace b12x {
namespace {

using Range = std::pair<uintptr_t, uintptr_t>;

std::vector<Range> disjoint_ranges(const std::vector<TensorView>& tensors) {
  std::vector<Range> ranges;
  for (const TensorView& tensor : tensors) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(tensor.data);
    const size_t bytes = tensor.data == nullptr ? 0 : tensor.extent_bytes();
    if (bytes != 0) ranges.emplace_back(begin, begin + bytes);
  }
  std::sort(ranges.begin(), ranges.end());
  std::vector<Range> merged;
  for (const Range& range : ranges) {
    if (!merged.empty() && range.first < merged.back().second) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

}  // namespace

HostMemoryScope::HostMemoryScope(const Device& device, const std::vector<TensorView>& tensors) : device_(device) {
  if (device.memory().place != Place::kCpu) return;
  const runtime::DeviceState& state = device.state();
  const runtime::ContextScope scope(state);
  const runtime::Driver& driver = state.driver();
  for (const auto& [begin, end] : disjoint_ranges(tensors)) {
    void* address = reinterpret_cast<void*>(begin);
    const CUresult result = driver.host_register(address, end - begin, 0);
    if (result != CUDA_SUCCESS) {
      for (void* registered : registered_) driver.host_unregister(registered);
      driver.check(result, "cuMemHostRegister", "the memory of a CPU tensor");
    }
    registered_.push_back(address);
  }
}

HostMemoryScope::~HostMemoryScope() {
  if (registered_.empty()) return;
  const runtime::ContextScope scope(device_.state());
  for (void* address : registered_) device_.state().driver().host_unregister(address);
}

}  // namespace b12x

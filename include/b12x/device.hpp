// device.hpp: an opened card. A driver library (a libcuda.so.1: the system's, or the simulator's) is opened once a
// process and its devices live as long as the process; both kinds may be open at once. `Device` is a handle: copy it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "b12x/tensor.hpp"

namespace b12x {

namespace runtime {
class DeviceState;
}

// What planning needs to know of a card: plain facts, so that plans can be made without one.
struct DeviceInfo {
  std::string name;            // as the driver says it
  int compute_capability = 0;  // 120, 121; 90 runs the proving build
  int sm_count = 0;
  int shared_bytes_per_block = 0;  // the opt-in limit
  bool operator==(const DeviceInfo&) const = default;
};

class Device {
 public:
  // `driver` is "gpu" (the system's libcuda.so.1), "sim" (the simulator that ships with the library) or the path of a
  // libcuda. Opening the same device again returns the same one. Retains the primary context. Throws Error: no such
  // library, not a CUDA driver, no such ordinal.
  static Device open(std::string_view driver, int ordinal = 0);

  const DeviceInfo& info() const;
  MemoryDevice memory() const;        // where the tensors must lie that run here
  const std::string& driver() const;  // path of the opened library
  bool is_simulated() const;

  runtime::DeviceState& state() const { return *state_; }
  bool operator==(const Device&) const = default;

 private:
  explicit Device(runtime::DeviceState* state) : state_(state) {}
  runtime::DeviceState* state_;
};

// A CUDA stream of a device; a null handle is its null stream.
struct Stream {
  Device device;
  void* handle = nullptr;  // a CUstream
};

// Waits for the stream and throws what a kernel on it has reported since. The only call here that waits.
void check_status(const Stream& stream);

// Makes CPU memory known to the simulated card for the time of a call: exact ranges, so that bounds checks hold. Ranges
// that overlap (views of one storage) count as one. Nothing to do where memory() is not the CPU's: ranges are ignored.
class HostMemoryScope {
 public:
  HostMemoryScope(const Device& device, const std::vector<TensorView>& tensors);
  ~HostMemoryScope();
  HostMemoryScope(const HostMemoryScope&) = delete;
  HostMemoryScope& operator=(const HostMemoryScope&) = delete;

 private:
  Device device_;
  std::vector<void*> registered_;
};

// Launches of a device's kernels since it was opened or reset. Instructions and seconds are the simulator's own count;
// on a GPU they are 0.
struct KernelStat {
  std::string name;  // entry, "b12x_nvfp4_gemm_tiled_128x128_bf16"
  uint64_t calls = 0;
  uint64_t instructions = 0;  // executed by warps
  double seconds = 0;         // spent simulating
};
std::vector<KernelStat> kernel_stats(const Device& device);
void reset_kernel_stats(const Device& device);

// Registers a thread of the kernel has at launch on the SM120 family, as the build recorded. Throws Error: no such
// kernel.
int kernel_registers(std::string_view kernel);

}  // namespace b12x

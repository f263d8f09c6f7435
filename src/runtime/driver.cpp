// driver.cpp: finds, opens and binds a libcuda. This is the one file that knows that some drivers are simulators: those
// export simKernelStats beside the Driver API, and run kernels on CPU memory.
#include "runtime/driver.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "b12x/error.hpp"
#include "base/text.hpp"

namespace b12x::runtime {
namespace {

// The simulator's side of the ABI: simulator/driver/stats.cpp fills rows of this form.
struct SimKernelStat {
  const char* name;
  uint64_t launches;
  uint64_t warp_instructions;
  double seconds;
};

constexpr const char* kSystemDriver = "libcuda.so.1";
constexpr const char* kBundledSimulator = "sim/libcuda.so.1";  // beside this library

std::string folder_of_this_library() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&open_driver), &info) == 0 || info.dli_fname == nullptr) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

template <class Function>
void bind(void* library, Function& slot, const char* symbol, const std::string& path) {
  slot = reinterpret_cast<Function>(dlsym(library, symbol));
  if (slot == nullptr) {
    throw Error(ErrorKind::kDriver,
                str("driver ", path, " has no ", symbol, ": not a CUDA driver library, or one older than CUDA 12.0"));
  }
}

struct Library {
  void* handle;
  std::string reason;  // why there is no handle
};

// RTLD_LOCAL: the symbols of two drivers must not mix.
Library open_library(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const char* reason = handle == nullptr ? dlerror() : nullptr;
  return {handle, reason == nullptr ? "" : reason};
}

// The system's driver, if there is one, is opened before any other. All of them call themselves libcuda.so.1, and the
// loader gives that name to the first: were it a simulator, whoever asks for the GPU later would get the simulator.
const Library& system_library() {
  static const Library library = open_library(kSystemDriver);
  return library;
}

Driver open_path(std::string_view name, const std::string& path) {
  const Library& system = system_library();
  const auto [library, reason] = path == kSystemDriver ? system : open_library(path);
  if (library == nullptr) {
    const char* hint = name == "gpu"   ? "; is the NVIDIA driver installed? CPU tensors run on the simulator"
                       : name == "sim" ? "; run `make build`, which places it there"
                                       : "; a driver is \"gpu\", \"sim\" or the path of a libcuda.so.1";
    throw Error(ErrorKind::kDriver, str("driver \"", name, "\": cannot open ", path, ": ", reason, hint));
  }
  Driver driver{};
  driver.path = path;
  const auto get = [&, handle = library](auto& slot, const char* symbol) { bind(handle, slot, symbol, path); };
  get(driver.init, "cuInit");
  get(driver.get_error_name, "cuGetErrorName");
  get(driver.get_error_string, "cuGetErrorString");
  get(driver.device_get, "cuDeviceGet");
  get(driver.device_get_count, "cuDeviceGetCount");
  get(driver.device_get_name, "cuDeviceGetName");
  get(driver.device_get_attribute, "cuDeviceGetAttribute");
  get(driver.primary_context_retain, "cuDevicePrimaryCtxRetain");
  get(driver.context_push, "cuCtxPushCurrent_v2");
  get(driver.context_pop, "cuCtxPopCurrent_v2");
  get(driver.module_load_data, "cuModuleLoadData");
  get(driver.module_get_function, "cuModuleGetFunction");
  get(driver.function_set_attribute, "cuFuncSetAttribute");
  get(driver.launch_kernel, "cuLaunchKernelEx");
  get(driver.tensor_map_encode_tiled, "cuTensorMapEncodeTiled");
  get(driver.memory_allocate, "cuMemAlloc_v2");
  get(driver.memory_free, "cuMemFree_v2");
  get(driver.copy_to_device, "cuMemcpyHtoD_v2");
  get(driver.copy_to_host, "cuMemcpyDtoH_v2");
  get(driver.memory_set, "cuMemsetD8Async");
  get(driver.host_register, "cuMemHostRegister_v2");
  get(driver.host_unregister, "cuMemHostUnregister");
  get(driver.stream_synchronize, "cuStreamSynchronize");
  get(driver.stream_is_capturing, "cuStreamIsCapturing");

  driver.read_kernel_stats = reinterpret_cast<size_t (*)(void*, size_t)>(dlsym(library, "simKernelStats"));
  driver.clear_kernel_stats = reinterpret_cast<void (*)()>(dlsym(library, "simResetKernelStats"));
  driver.last_report = reinterpret_cast<const char* (*)()>(dlsym(library, "simLastReport"));
  driver.is_simulated = driver.read_kernel_stats != nullptr;

  driver.check(driver.init(0), "cuInit", path);
  return driver;
}

}  // namespace

const Driver& open_driver(std::string_view name) {
  static std::mutex mutex;
  static std::deque<Driver> drivers;  // addresses stay
  static std::map<std::string, const Driver*, std::less<>> by_path;

  const std::string path = name == "gpu"   ? kSystemDriver
                           : name == "sim" ? folder_of_this_library() + "/" + kBundledSimulator
                                           : std::string(name);
  const std::lock_guard lock(mutex);
  if (const auto found = by_path.find(path); found != by_path.end()) return *found->second;
  const Driver& driver = drivers.emplace_back(open_path(name, path));
  by_path.emplace(path, &driver);
  return driver;
}

void Driver::check(CUresult result, std::string_view call, std::string_view what) const {
  if (result == CUDA_SUCCESS) return;
  const char* error_name = nullptr;
  const char* words = nullptr;
  get_error_name(result, &error_name);
  get_error_string(result, &words);
  std::string message = str(call, " of ", what, " failed: ");
  message += error_name != nullptr ? error_name : str("error ", static_cast<int>(result)).c_str();
  if (words != nullptr) message += str(": ", words);
  if (last_report != nullptr) {
    if (const char* report = last_report(); report != nullptr && *report != '\0') message += str("\n", report);
  }
  throw Error(ErrorKind::kDriver, message);
}

std::vector<DriverKernelStat> Driver::kernel_stats() const {
  std::vector<DriverKernelStat> stats;
  if (read_kernel_stats == nullptr) return stats;
  std::vector<SimKernelStat> rows(read_kernel_stats(nullptr, 0));
  rows.resize(std::min(rows.size(), read_kernel_stats(rows.data(), rows.size())));
  for (const SimKernelStat& row : rows) {
    stats.push_back({.name = row.name, .instructions = row.warp_instructions, .seconds = row.seconds});
  }
  return stats;
}

void Driver::reset_kernel_stats() const {
  if (clear_kernel_stats != nullptr) clear_kernel_stats();
}

}  // namespace b12x::runtime

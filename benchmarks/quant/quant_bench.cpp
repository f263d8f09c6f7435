// quant_bench.cpp: quantisation through the public API against a device copy that moves as many bytes, in one run.
//   b12x_bench_quant [DRIVER] [--json FILE] [--smoke]      DRIVER: gpu (the default), or a path of a libcuda
// Each row: bytes that the kernel must read and write, its GB/s and the copy's, and their ratio. Cold: every launch
// works on other memory, until all of it is four times the L2. Warm: always the same memory. Times come from CUDA
// events around a batch of launches on one stream; kernel and copy alternate, and medians are printed with the spread
// of the ratio.
#include <cuda.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "b12x/error.hpp"
#include "b12x/quant.hpp"

using namespace b12x;

namespace {

// What the benchmark needs of the driver beyond the library's API: events, a copy, a stream.
class Cuda {
 public:
  explicit Cuda(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error("cannot open " + path + ": " + dlerror());
    // The library has made the primary context; this thread needs it as the current one.
    CUdevice device;
    CUcontext context;
    check(get<decltype(&::cuDeviceGet)>("cuDeviceGet")(&device, 0), "cuDeviceGet");
    check(get<decltype(&::cuDevicePrimaryCtxRetain)>("cuDevicePrimaryCtxRetain")(&context, device), "retain");
    check(get<decltype(&::cuCtxSetCurrent)>("cuCtxSetCurrent")(context), "cuCtxSetCurrent");
    check(get<decltype(&::cuStreamCreate)>("cuStreamCreate")(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    for (CUevent* event : {&start_, &stop_}) {
      check(get<decltype(&::cuEventCreate)>("cuEventCreate")(event, CU_EVENT_DEFAULT), "cuEventCreate");
    }
    record_ = get<decltype(&::cuEventRecord)>("cuEventRecord");
    wait_ = get<decltype(&::cuEventSynchronize)>("cuEventSynchronize");
    elapsed_ = get<decltype(&::cuEventElapsedTime)>("cuEventElapsedTime_v2", "cuEventElapsedTime");
    copy_ = get<decltype(&::cuMemcpyDtoDAsync)>("cuMemcpyDtoDAsync_v2");
    int bytes = 0;
    check(get<decltype(&::cuDeviceGetAttribute)>("cuDeviceGetAttribute")(&bytes, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE,
                                                                         device),
          "cuDeviceGetAttribute");
    l2_bytes = bytes;
    check(get<decltype(&::cuDriverGetVersion)>("cuDriverGetVersion")(&driver_version), "cuDriverGetVersion");
  }

  // Seconds of one call of `body(i)`, i = 0, 1, ..., `calls` times.
  double seconds(int calls, const std::function<void(int)>& body) {
    check(record_(start_, stream), "cuEventRecord");
    for (int i = 0; i < calls; ++i) body(i);
    check(record_(stop_, stream), "cuEventRecord");
    check(wait_(stop_), "cuEventSynchronize");
    float milliseconds = 0;
    check(elapsed_(&milliseconds, start_, stop_), "cuEventElapsedTime");
    return milliseconds / 1e3 / calls;
  }

  void copy(void* to, const void* from, size_t bytes) {
    check(copy_(reinterpret_cast<CUdeviceptr>(to), reinterpret_cast<CUdeviceptr>(from), bytes, stream),
          "cuMemcpyDtoDAsync");
  }

  CUstream stream = nullptr;
  int64_t l2_bytes = 0;
  int driver_version = 0;

 private:
  template <class Function>
  Function get(const char* name, const char* older = nullptr) {
    void* symbol = dlsym(handle_, name);
    if (symbol == nullptr && older != nullptr) symbol = dlsym(handle_, older);
    if (symbol == nullptr) throw std::runtime_error(std::string("the driver has no ") + name);
    return reinterpret_cast<Function>(symbol);
  }
  static void check(CUresult result, const char* call) {
    if (result != CUDA_SUCCESS) throw std::runtime_error(std::string(call) + " failed: " + std::to_string(result));
  }

  void* handle_;
  CUevent start_ = nullptr, stop_ = nullptr;
  decltype(&::cuEventRecord) record_ = nullptr;
  decltype(&::cuEventSynchronize) wait_ = nullptr;
  decltype(&::cuEventElapsedTime) elapsed_ = nullptr;
  decltype(&::cuMemcpyDtoDAsync) copy_ = nullptr;
};

struct Run {
  std::string kernel;
  DType dtype;
  int64_t rows, cols, groups;
};

// One set of inputs and outputs of a run, and its launch.
class Work {
 public:
  Work(const Run& run, const Device& device) {
    const bool silu = run.kernel == "silu_mul", mxfp8 = run.kernel == "mxfp8";
    const int64_t elements = run.groups * run.rows * run.cols * (silu ? 2 : 1);
    add(device, elements * static_cast<int64_t>(bytes_of(run.dtype)));
    // Bytes 0x01..0x3F everywhere: small positive normal numbers in all three types.
    std::vector<uint8_t> bytes(buffers_[0].bytes());
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>((i * 2654435761u >> 13) % 63 + 1);
    buffers_[0].upload(bytes.data(), bytes.size());
    const MemoryDevice here = device.memory();
    const auto view = [&](int i, DType dtype, std::initializer_list<int64_t> shape) {
      return TensorView::contiguous(buffers_[i].data(), dtype, here, shape);
    };
    if (mxfp8) {
      add(device, run.rows * run.cols);
      add(device, run.rows * run.cols / 32);
      const QuantizeMxfp8Plan plan =
          plan_quantize_mxfp8({.rows = run.rows, .cols = run.cols, .dtype = run.dtype}, device.info());
      load(plan, device);
      const QuantizeMxfp8Args args{.x = view(0, run.dtype, {run.rows, run.cols}),
                                   .values = view(1, DType::kU8, {run.rows, run.cols}),
                                   .scales = view(2, DType::kU8, {run.rows, run.cols / 32})};
      launch = [=](const Stream& stream) { run_quantize_mxfp8(plan, args, {}, stream); };
    } else {
      const int64_t scale_bytes = run.groups * nvfp4_scale_bytes(run.rows, run.cols);
      add(device, run.groups * run.rows * run.cols / 2);
      add(device, scale_bytes);
      const QuantizePlan plan = plan_quantize({.rows = run.rows,
                                               .cols = run.cols,
                                               .dtype = run.dtype,
                                               .input = silu ? QuantizeInput::kGateUp : QuantizeInput::kPlain,
                                               .groups = run.groups},
                                              device.info());
      load(plan, device);
      const QuantizeArgs args{.x = view(0, run.dtype, {run.groups, run.rows, silu ? 2 * run.cols : run.cols}),
                              .global_scale = {},
                              .packed = view(1, DType::kU8, {run.groups, run.rows, run.cols / 2}),
                              .scales = view(2, DType::kU8, {scale_bytes})};
      launch = [=](const Stream& stream) { run_quantize(plan, args, {}, stream); };
    }
  }

  std::function<void(const Stream&)> launch;
  int64_t bytes() const { return bytes_; }

 private:
  void add(const Device& device, int64_t bytes) {
    buffers_.emplace_back(device, static_cast<size_t>(bytes));
    bytes_ += bytes;
  }
  std::vector<DeviceBuffer> buffers_;
  int64_t bytes_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Result {
  double kernel_us, copy_us, ratio, lowest, highest;
};

Result measure(Cuda& cuda, const Device& device, const std::vector<std::unique_ptr<Work>>& works, int repeats,
               int calls) {
  const Stream stream{device, cuda.stream};
  // The copy reads half of the bytes and writes half: as many as the kernel in all, and other memory each time as well.
  const size_t half = static_cast<size_t>(works[0]->bytes() / 2) / 256 * 256;
  const DeviceBuffer copies(device, 2 * half * works.size());
  auto* const memory = static_cast<uint8_t*>(copies.data());
  const auto kernel = [&](int i) { works[i % works.size()]->launch(stream); };
  const auto copy = [&](int i) {
    uint8_t* const from = memory + i % works.size() * 2 * half;
    cuda.copy(from + half, from, half);
  };
  std::vector<double> kernels, copied, ratios;
  for (int r = -1; r < repeats; ++r) {  // the first round warms up
    const double k = cuda.seconds(calls, kernel), c = cuda.seconds(calls, copy);
    if (r < 0) continue;
    kernels.push_back(k), copied.push_back(c), ratios.push_back(c / k);
  }
  check_status(stream);
  return {median(kernels) * 1e6, median(copied) * 1e6, median(ratios), *std::min_element(ratios.begin(), ratios.end()),
          *std::max_element(ratios.begin(), ratios.end())};
}

std::vector<Run> runs_of(bool smoke) {
  if (smoke) return {{"plain", DType::kBf16, 128, 256, 1}, {"mxfp8", DType::kBf16, 128, 256, 1}};
  std::vector<Run> runs;
  for (const int64_t rows : {1, 32, 512, 2048, 8192, 16384}) runs.push_back({"plain", DType::kBf16, rows, 4096, 1});
  for (const int64_t rows : {512, 8192}) runs.push_back({"plain", DType::kBf16, rows, 14336, 1});
  for (const int64_t rows : {8192, 16384}) runs.push_back({"plain", DType::kBf16, rows, 512, 1});
  runs.push_back({"plain", DType::kF16, 8192, 4096, 1});
  runs.push_back({"plain", DType::kF32, 8192, 4096, 1});
  runs.push_back({"plain", DType::kBf16, 128, 4096, 64});
  for (const int64_t rows : {512, 8192}) runs.push_back({"silu_mul", DType::kBf16, rows, 4096, 1});
  for (const int64_t rows : {512, 8192, 65536})
    runs.push_back({"mxfp8", DType::kBf16, rows, rows == 65536 ? 128 : 4096, 1});
  return runs;
}

int run(const std::string& driver, const std::string& json_path, bool smoke) {
  const Device device = Device::open(driver);
  Cuda cuda(device.driver());
  std::ostringstream json;
  json << "{\"device\": \"" << device.info().name
       << "\", \"is_simulated\": " << (device.is_simulated() ? "true" : "false")
       << ", \"driver\": " << cuda.driver_version << ", \"rows\": [";
  std::printf("%s, %d SMs, L2 %.0f MB, driver %d\n%-9s %-5s %-19s %-5s %10s %10s %9s %9s %7s %s\n",
              device.info().name.c_str(), device.info().sm_count, cuda.l2_bytes / 1e6, cuda.driver_version, "kernel",
              "dtype", "groups x rows x cols", "cache", "kernel us", "copy us", "GB/s", "copy GB/s", "ratio",
              "(least-most)");
  if (device.is_simulated()) std::puts("simulated: what follows are the host's times, not the card's");
  bool is_first = true;
  for (const Run& one : runs_of(smoke)) {
    for (const bool cold : {true, false}) {
      std::vector<std::unique_ptr<Work>> works;
      do works.push_back(std::make_unique<Work>(one, device));
      while (cold && !smoke && static_cast<int64_t>(works.size()) * works[0]->bytes() < 4 * cuda.l2_bytes);
      const int64_t bytes = works[0]->bytes();
      const int calls = smoke ? 1 : std::max<int>(10, static_cast<int>(works.size()));
      const Result result = measure(cuda, device, works, smoke ? 1 : 9, calls);
      const char* dtype = one.dtype == DType::kBf16 ? "bf16" : one.dtype == DType::kF16 ? "f16" : "f32";
      const auto gigabytes = [&](double us) { return us > 0 ? static_cast<double>(bytes) / us / 1e3 : 0.0; };
      std::string shape = std::to_string(one.rows) + " x " + std::to_string(one.cols);
      if (one.groups > 1) shape = std::to_string(one.groups) + " x " + shape;
      std::printf("%-9s %-5s %-19s %-5s %10.2f %10.2f %9.0f %9.0f %7.3f (%.3f-%.3f)\n", one.kernel.c_str(), dtype,
                  shape.c_str(), cold ? "cold" : "warm", result.kernel_us, result.copy_us, gigabytes(result.kernel_us),
                  gigabytes(result.copy_us), result.ratio, result.lowest, result.highest);
      json << (is_first ? "\n  " : ",\n  ") << "{\"kernel\": \"" << one.kernel << "\", \"dtype\": \"" << dtype
           << "\", \"groups\": " << one.groups << ", \"rows\": " << one.rows << ", \"cols\": " << one.cols
           << ", \"cache\": \"" << (cold ? "cold" : "warm") << "\", \"bytes\": " << bytes
           << ", \"kernel_us\": " << result.kernel_us << ", \"copy_us\": " << result.copy_us
           << ", \"ratio\": " << result.ratio << ", \"ratio_least\": " << result.lowest
           << ", \"ratio_most\": " << result.highest << "}";
      is_first = false;
    }
  }
  json << "\n]}\n";
  if (json_path.empty()) {
    std::cout << json.str();
  } else if (!(std::ofstream(json_path) << json.str())) {
    throw std::runtime_error("cannot write " + json_path);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string driver = "gpu", json_path;
  bool smoke = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--smoke") {
      smoke = true;
    } else if (word == "--json" && i + 1 < argc) {
      json_path = argv[++i];
    } else if (word[0] != '-') {
      driver = word;
    } else {
      std::cerr
          << "usage: b12x_bench_quant [DRIVER] [--json FILE] [--smoke]   (DRIVER: gpu or the path of a libcuda)\n";
      return 1;
    }
  }
  try {
    return run(driver, json_path, smoke);
  } catch (const std::exception& error) {
    std::cerr << "bench_quant: " << error.what() << "\n";
    return 1;
  }
}

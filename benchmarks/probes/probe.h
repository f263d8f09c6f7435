// What all probes share: error check, medians as JSON lines, event timing, a warm-up that reads the SM clock, an L2
// scrub. In: nothing. Out: one line {"name", "value" (median), "low", "high", "n", "unit"} per number on standard
// output.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <vector>

namespace probe {

constexpr long long kSpinLimit = 200'000'000;  // 0.1 s: a wait that lasts longer traps, so that no probe can hang

inline void check(cudaError_t error, std::source_location at = std::source_location::current()) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s:%u: %s\n", at.file_name(), at.line(), cudaGetErrorString(error));
  std::exit(1);
}

inline void report(const std::string& name, std::vector<double> values, const char* unit) {
  std::sort(values.begin(), values.end());
  std::printf("{\"name\": \"%s\", \"value\": %.6g, \"low\": %.6g, \"high\": %.6g, \"n\": %zu, \"unit\": \"%s\"}\n",
              name.c_str(), values[values.size() / 2], values.front(), values.back(), values.size(), unit);
}

// Reports the median of `times` results of `measure`.
template <class F>
void repeat(const std::string& name, const char* unit, int times, F&& measure) {
  std::vector<double> values;
  for (int i = 0; i < times; ++i) values.push_back(measure());
  report(name, values, unit);
}

inline std::string str(int value) { return std::to_string(value); }

template <class T>
T* allocate(size_t count) {
  T* pointer = nullptr;
  check(cudaMalloc(&pointer, count * sizeof(T)));
  check(cudaMemset(pointer, 0, count * sizeof(T)));
  return pointer;
}

// Bytes of `rows` rows, `pitch` apart, in boxes of 128 bytes by `box_rows`, in the swizzle of 128 bytes.
inline CUtensorMap tensor_map(void* data, int pitch, int rows, int box_rows) {
  void* encode = nullptr;
  check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &encode, 12000, cudaEnableDefault, nullptr));
  const cuuint64_t size[] = {cuuint64_t(pitch), cuuint64_t(rows)}, stride[] = {cuuint64_t(pitch)};
  const cuuint32_t box[] = {128, cuuint32_t(box_rows)}, step[] = {1, 1};
  CUtensorMap map;
  const CUresult result = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(encode)(
      &map, CU_TENSOR_MAP_DATA_TYPE_UINT8, 2, data, size, stride, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
      CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  check(result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue);
  return map;
}

// Waits for the device, so that errors of the kernels before it end the program, and copies back.
template <class T>
std::vector<T> fetch(const T* device, size_t count) {
  std::vector<T> host(count);
  check(cudaGetLastError());
  check(cudaDeviceSynchronize());
  check(cudaMemcpy(host.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost));
  return host;
}

// Call in every turn of every waiting loop.
static __device__ inline void bound(long long start) {
  if (clock64() - start > kSpinLimit) __trap();
}

// Publishes what this thread has seen or written: all later readers of the counter see it.
static __device__ inline uint32_t arrive(uint32_t* counter) {
  uint32_t before;
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  asm volatile("atom.add.relaxed.gpu.u32 %0, [%1], 1;" : "=r"(before) : "l"(counter) : "memory");
  return before;
}

static __device__ inline void wait_for(const uint32_t* counter, uint32_t target) {
  const long long start = clock64();
  for (uint32_t seen = target - 1; seen < target; bound(start))
    asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(seen) : "l"(counter) : "memory");
}

static __device__ inline void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release; barrier.cluster.wait.acquire;" ::: "memory");
}

// What lies at `own`, an address in shared memory, in the block of that rank in the cluster.
static __device__ inline float4 read_peer(const float4* own, uint32_t rank) {
  float4 v;
  asm volatile("{.reg .b32 a; mapa.shared::cluster.u32 a, %4, %5; ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [a];}"
               : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(own))), "r"(rank));
  return v;
}

static __global__ void spin(long long cycles, long long* out) {
  unsigned long long begin_ns, end_ns;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(begin_ns)::"memory");
  const long long begin = clock64();
  while (clock64() - begin < cycles) continue;
  const long long end = clock64();
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(end_ns)::"memory");
  if (out != nullptr) out[0] = end - begin, out[1] = static_cast<long long>(end_ns - begin_ns);
}

static __global__ void touch(const uint4* data, size_t count, uint32_t* never) {
  uint32_t sum = 0;
  for (size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    const uint4 v = __ldcg(data + i);
    sum += v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x9e3779b9) *never = sum;
}

enum class Launch { kPlain, kCooperative, kCluster, kDependent };

// Launches on `stream`; a cluster has all blocks of the grid, at most 16.
template <class... P, class... A>
void launch(Launch how, void (*kernel)(P...), int blocks, int threads, cudaStream_t stream, A... arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeCooperative;
  if (how == Launch::kCooperative) attribute.val.cooperative = 1;
  if (how == Launch::kCluster) {
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {unsigned(blocks), 1, 1};
  }
  if (how == Launch::kDependent) {
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
  }
  const unsigned attributes = how == Launch::kPlain ? 0 : 1;
  const cudaLaunchConfig_t config = {dim3(blocks), dim3(threads), 0, stream, &attribute, attributes};
  check(cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...));
}

static __global__ void fill(uint32_t* data, size_t count) {
  for (size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    data[i] = (static_cast<uint32_t>(i) ^ 0x5bd1e995u) * 2654435761u;  // zeros would cost less power than data does
}

// Reads 256 MB, four times L2: what was in L2 is gone and no dirty line is left to be written back during a
// measurement.
inline void scrub_l2() {
  constexpr size_t kCount = (256u << 20) / sizeof(uint4);
  static uint4* const data = allocate<uint4>(kCount + 1);
  touch<<<1056, 512>>>(data, kCount, reinterpret_cast<uint32_t*>(data + kCount));
}

// Microseconds of what `enqueue` puts on the default stream, by events; work enqueued before it hides the host's share.
template <class F>
double event_us(F&& enqueue) {
  static cudaEvent_t events[2] = {};
  for (auto& event : events)
    if (event == nullptr) check(cudaEventCreate(&event));
  float ms = 0;
  check(cudaEventRecord(events[0]));
  enqueue();
  check(cudaEventRecord(events[1]));
  check(cudaGetLastError());
  check(cudaEventSynchronize(events[1]));
  check(cudaEventElapsedTime(&ms, events[0], events[1]));
  return ms * 1e3;
}

// 50 ms of spinning raise the clocks before the probe; the clock is read there and again at its end.
class Session {
 public:
  explicit Session(const char* name) : name_(name), out_(allocate<long long>(2)) { read_clock(100'000'000, "begin"); }
  ~Session() { read_clock(4'000'000, "end"); }

 private:
  void read_clock(long long cycles, const char* when) {
    spin<<<132, 32>>>(cycles, nullptr);
    spin<<<1, 32>>>(4'000'000, out_);
    const auto got = fetch(out_, 2);
    report("clock." + name_ + "." + when, {double(got[0]) / double(got[1])}, "GHz");
  }
  std::string name_;
  long long* out_;
};

}  // namespace probe

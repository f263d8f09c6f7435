// mufu_capture.cu: records what this GPU's special function unit answers. Usage: mufu_capture FOLDER
//
//   FOLDER/hash_<form>.u64   4096 sums, one for each block of 2^20 inputs: together all 2^32 inputs of the PTX form
//   FOLDER/sample_<form>.u32 answers to sample_input(0 .. 2^17-1): every exponent and sign, edges and random mantissas
//   FOLDER/delta_<form>_<first input, hex>.i32   2^23 answers less the correctly rounded value (mufu_reference.hpp)
//   FOLDER/half_<form>.u16   all 2^16 answers of the 16-bit forms
//   FOLDER/tanh_runs.u32     (input, answer) pairs: every input where tanh.approx.f32 moves by other than 0 or 1
//   FOLDER/range_tanh_<first input, hex>.d32   2^23 answers of tanh.approx.f32
//
// Build: nvcc -std=c++20 -O2 -fmad=false --expt-relaxed-constexpr -gencode arch=compute_90a,code=sm_90a
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../mufu_reference.hpp"
#include "mufu_inputs.hpp"

namespace reference = sim::numerics::reference;
namespace capture = sim::numerics::capture;

namespace {

enum class Form {
  kRcpFtz,
  kRcp,
  kRsqrtFtz,
  kRsqrt,
  kSqrtFtz,
  kSqrt,
  kEx2Ftz,
  kEx2,
  kLg2Ftz,
  kLg2,
  kSinFtz,
  kSin,
  kCosFtz,
  kCos,
  kTanh
};
enum class HalfForm { kEx2F16, kEx2Bf16, kTanhF16, kTanhBf16 };

template <Form kForm>
__device__ uint32_t answer(uint32_t x) {
  uint32_t r = 0;
  if constexpr (kForm == Form::kRcpFtz) asm volatile("rcp.approx.ftz.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kRcp) asm volatile("rcp.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kRsqrtFtz) asm volatile("rsqrt.approx.ftz.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kRsqrt) asm volatile("rsqrt.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kSqrtFtz) asm volatile("sqrt.approx.ftz.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kSqrt) asm volatile("sqrt.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kEx2Ftz) asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kEx2) asm volatile("ex2.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kLg2Ftz) asm volatile("lg2.approx.ftz.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kLg2) asm volatile("lg2.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kSinFtz) asm volatile("sin.approx.ftz.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kSin) asm volatile("sin.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kCosFtz) asm volatile("cos.approx.ftz.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kCos) asm volatile("cos.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  if constexpr (kForm == Form::kTanh) asm volatile("tanh.approx.f32 %0, %1;" : "=r"(r) : "r"(x));
  return r;
}

template <HalfForm kForm>
__device__ uint16_t half_answer(uint16_t x) {
  uint16_t r = 0;
  if constexpr (kForm == HalfForm::kEx2F16) asm volatile("ex2.approx.f16 %0, %1;" : "=h"(r) : "h"(x));
  if constexpr (kForm == HalfForm::kEx2Bf16) asm volatile("ex2.approx.ftz.bf16 %0, %1;" : "=h"(r) : "h"(x));
  if constexpr (kForm == HalfForm::kTanhF16) asm volatile("tanh.approx.f16 %0, %1;" : "=h"(r) : "h"(x));
  if constexpr (kForm == HalfForm::kTanhBf16) asm volatile("tanh.approx.bf16 %0, %1;" : "=h"(r) : "h"(x));
  return r;
}

// The yardstick of each dump. sin and cos multiply by 1/(2 pi) rounded toward zero before the unit sees the argument.
template <Form kForm>
__device__ uint32_t nearest(uint32_t bits) {
  const double x = reference::to_double(bits);
  double value = 0;
  if constexpr (kForm == Form::kRcpFtz) value = 1.0 / x;
  if constexpr (kForm == Form::kRsqrtFtz) value = 1.0 / reference::square_root(x);
  if constexpr (kForm == Form::kSqrtFtz) value = reference::square_root(x);
  if constexpr (kForm == Form::kEx2Ftz) value = reference::exp2(x);
  if constexpr (kForm == Form::kLg2Ftz) value = reference::log2(x);
  if constexpr (kForm == Form::kSinFtz || kForm == Form::kCosFtz)
    value = reference::sin_turns(capture::turns_of(x), kForm == Form::kCosFtz);
  return reference::to_f32_bits(value);
}

template <Form kForm>
__global__ void hash_all(unsigned long long* sums) {  // grid 4096 blocks: block b owns inputs [b << 20, (b + 1) << 20)
  unsigned long long sum = 0;
  for (uint32_t i = threadIdx.x; i < 1u << 20; i += blockDim.x) {
    const uint32_t x = blockIdx.x << 20 | i;
    sum += capture::mix(x, answer<kForm>(x));
  }
  atomicAdd(&sums[blockIdx.x], sum);
}

template <Form kForm>
__global__ void sample_all(uint32_t* out) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = answer<kForm>(capture::sample_input(i));
}

template <Form kForm>
__global__ void delta_range(uint32_t first, int32_t* out) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = static_cast<int32_t>(answer<kForm>(first + i) - nearest<kForm>(first + i));
}

template <Form kForm>
__global__ void plain_range(uint32_t first, uint32_t* out) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = answer<kForm>(first + i);
}

template <HalfForm kForm>
__global__ void half_all(uint16_t* out) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = half_answer<kForm>(static_cast<uint16_t>(i));
}

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "mufu_capture: %s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}

struct Recorder {
  std::string folder;
  void* device = nullptr;  // 2^23 words
  std::vector<unsigned char> host;

  explicit Recorder(std::string path) : folder(std::move(path)), host(size_t{4} << 23) {
    check(cudaMalloc(&device, host.size()), "cudaMalloc");
  }

  void save(const std::string& name, size_t bytes) {
    check(cudaGetLastError(), name.c_str());
    check(cudaMemcpy(host.data(), device, bytes, cudaMemcpyDeviceToHost), name.c_str());
    write(name, host.data(), bytes);
  }

  void write(const std::string& name, const void* data, size_t bytes) const {
    std::FILE* file = std::fopen((folder + "/" + name).c_str(), "wb");
    if (file == nullptr || std::fwrite(data, 1, bytes, file) != bytes || std::fclose(file) != 0) {
      std::fprintf(stderr, "mufu_capture: cannot write %s/%s\n", folder.c_str(), name.c_str());
      std::exit(1);
    }
  }

  template <Form kForm>
  void whole(const std::string& name) {
    check(cudaMemset(device, 0, 4096 * 8), "cudaMemset");
    hash_all<kForm><<<4096, 256>>>(static_cast<unsigned long long*>(device));
    save("hash_" + name + ".u64", 4096 * 8);
    sample_all<kForm><<<capture::kSamples / 256, 256>>>(static_cast<uint32_t*>(device));
    save("sample_" + name + ".u32", capture::kSamples * 4);
  }

  template <Form kForm>
  void deltas(const std::string& name, std::initializer_list<uint32_t> firsts) {
    for (uint32_t first : firsts) {
      delta_range<kForm><<<(1 << 23) / 256, 256>>>(first, static_cast<int32_t*>(device));
      char tail[32];
      std::snprintf(tail, sizeof tail, "_%08x.i32", first);
      save("delta_" + name + tail, size_t{4} << 23);
    }
  }

  template <HalfForm kForm>
  void halves(const std::string& name) {
    half_all<kForm><<<256, 256>>>(static_cast<uint16_t*>(device));
    save("half_" + name + ".u16", 65536 * 2);
  }

  // tanh is odd, x itself below 2^-20 and 1 above 2^5 (the hash covers all of it). A run is a stretch with one answer,
  // or with one difference answer - input where the answers follow the input bit by bit.
  void tanh_runs() {
    constexpr size_t kMostRuns = 1 << 18;  // for one exponent
    std::vector<uint32_t> runs;
    for (uint32_t exponent = 107; exponent < 132; ++exponent) {
      const uint32_t first = exponent << 23;
      plain_range<Form::kTanh><<<(1 << 23) / 256, 256>>>(first, static_cast<uint32_t*>(device));
      check(cudaMemcpy(host.data(), device, host.size(), cudaMemcpyDeviceToHost), "tanh");
      const uint32_t* answers = reinterpret_cast<const uint32_t*>(host.data());
      size_t count = 0;
      for (uint32_t i = 0; i < 1u << 23; ++i) {
        if (i != 0 && (answers[i] == answers[i - 1] || answers[i] == answers[i - 1] + 1)) continue;
        if (++count > kMostRuns) continue;
        runs.push_back(first + i);
        runs.push_back(answers[i]);
      }
      std::printf("tanh exponent %u: %zu runs\n", exponent, count);
    }
    write("tanh_runs.u32", runs.data(), runs.size() * 4);
  }

  void tanh_ranges(std::initializer_list<uint32_t> firsts) {
    for (uint32_t first : firsts) {
      plain_range<Form::kTanh><<<(1 << 23) / 256, 256>>>(first, static_cast<uint32_t*>(device));
      char name[32];
      std::snprintf(name, sizeof name, "range_tanh_%08x.d32", first);
      save(name, size_t{4} << 23);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: mufu_capture FOLDER\n");
    return 2;
  }
  cudaDeviceProp device{};
  check(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  std::printf("device %s sm_%d%d driver %d\n", device.name, device.major, device.minor, driver);

  Recorder recorder(argv[1]);
  recorder.whole<Form::kRcpFtz>("rcp_ftz");
  recorder.whole<Form::kRcp>("rcp");
  recorder.whole<Form::kRsqrtFtz>("rsqrt_ftz");
  recorder.whole<Form::kRsqrt>("rsqrt");
  recorder.whole<Form::kSqrtFtz>("sqrt_ftz");
  recorder.whole<Form::kSqrt>("sqrt");
  recorder.whole<Form::kEx2Ftz>("ex2_ftz");
  recorder.whole<Form::kEx2>("ex2");
  recorder.whole<Form::kLg2Ftz>("lg2_ftz");
  recorder.whole<Form::kLg2>("lg2");
  recorder.whole<Form::kSinFtz>("sin_ftz");
  recorder.whole<Form::kSin>("sin");
  recorder.whole<Form::kCosFtz>("cos_ftz");
  recorder.whole<Form::kCos>("cos");
  recorder.whole<Form::kTanh>("tanh");
  recorder.halves<HalfForm::kEx2F16>("ex2_f16");
  recorder.halves<HalfForm::kEx2Bf16>("ex2_bf16");
  recorder.halves<HalfForm::kTanhF16>("tanh_f16");
  recorder.halves<HalfForm::kTanhBf16>("tanh_bf16");
  recorder.deltas<Form::kRcpFtz>("rcp_ftz", {0x3f800000});
  recorder.deltas<Form::kRsqrtFtz>("rsqrt_ftz", {0x3f800000, 0x40000000});
  recorder.deltas<Form::kSqrtFtz>("sqrt_ftz", {0x3f800000, 0x40000000});
  // ex2: [1,2) and [-2,-1) show each 23-bit fraction once, the rest show what happens to finer fractions.
  recorder.deltas<Form::kEx2Ftz>("ex2_ftz", {0x3f800000, 0xbf800000, 0x3f000000, 0xbf000000, 0x3e000000});
  // lg2: [1,2) and [0.5,1) lie beside the zero of the function; the others show how the exponent is added.
  recorder.deltas<Form::kLg2Ftz>("lg2_ftz", {0x3f800000, 0x3f000000, 0x40000000, 0x3e800000, 0x42000000});
  recorder.deltas<Form::kSinFtz>("sin_ftz", {0x3e800000, 0x3f800000, 0x40000000, 0x40800000, 0x3c800000});
  recorder.deltas<Form::kCosFtz>("cos_ftz", {0x3e800000, 0x3f800000, 0x40000000, 0x40800000});
  recorder.tanh_runs();
  recorder.tanh_ranges({0x3f000000, 0x3e000000, 0x3f800000, 0x40000000});
  return 0;
}

// mma_capture.cu: records what this GPU's mma.sync answers to the tiles of mma_inputs.hpp. Usage: mma_capture FOLDER
//
//   FOLDER/mma_hash_<form>.u64   [7 distributions][256 blocks of 1024 tiles]: sum of mix(index, register)
//   FOLDER/mma_tiles_<form>.u32  [7 distributions][32 tiles][registers][32 lanes] of D
// index = tile << 7 | register << 5 | lane. Forms that Hopper and SM120
// share; the two fp8 forms are emulated on Hopper (f16 mma and additions), so their answers hold for card h200 alone.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "mma_inputs.hpp"

namespace capture = sim::numerics::capture;

namespace {

enum class Form {
  kF16K16,
  kBf16K16,
  kF16K16Half,
  kF16K8,
  kBf16K8,
  kF16K8Half,
  kTf32K8,
  kTf32K4,
  kS8K32,
  kE4m3K32,
  kE5m2K32
};

struct Shape {
  capture::Layout layout;
  int width, pair_step /* registers between k neighbours of A, for 32-bit elements */, a_registers, b_registers,
      c_registers;
  bool half_accumulator, integer;
  int product_scale;  // exponent of the smallest product of two normal elements
};

template <Form kForm>
constexpr Shape shape() {
  if constexpr (kForm == Form::kF16K16) return {capture::kF16, 16, 1, 4, 2, 4, false, false, -28};
  if constexpr (kForm == Form::kBf16K16) return {capture::kBf16, 16, 1, 4, 2, 4, false, false, -126};
  if constexpr (kForm == Form::kF16K16Half) return {capture::kF16, 16, 1, 4, 2, 2, true, false, -28};
  if constexpr (kForm == Form::kF16K8) return {capture::kF16, 16, 1, 2, 1, 4, false, false, -28};
  if constexpr (kForm == Form::kBf16K8) return {capture::kBf16, 16, 1, 2, 1, 4, false, false, -126};
  if constexpr (kForm == Form::kF16K8Half) return {capture::kF16, 16, 1, 2, 1, 2, true, false, -28};
  if constexpr (kForm == Form::kTf32K8) return {capture::kTf32, 32, 2, 4, 2, 4, false, false, -126};
  if constexpr (kForm == Form::kTf32K4) return {capture::kTf32, 32, 4, 2, 1, 4, false, false, -126};
  if constexpr (kForm == Form::kE5m2K32) return {capture::kE5m2, 8, 1, 4, 2, 4, false, false, -28};
  return {capture::kE4m3, 8, 1, 4, 2, 4, false, kForm == Form::kS8K32, -12};  // s8: the same bytes
}

template <Form kForm>
__device__ void mma(uint32_t* d, const uint32_t* a, const uint32_t* b, const uint32_t* c) {
  if constexpr (kForm == Form::kF16K16) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kBf16K16) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kF16K16Half) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 "
        "{%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%8, %9};"
        : "=r"(d[0]), "=r"(d[1])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]));
  }
  if constexpr (kForm == Form::kF16K8) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kBf16K8) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kF16K8Half) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 "
        "{%0, %1}, {%2, %3}, {%4}, {%5, %6};"
        : "=r"(d[0]), "=r"(d[1])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(c[0]), "r"(c[1]));
  }
  if constexpr (kForm == Form::kTf32K8) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kTf32K4) {
    asm volatile(
        "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %8, %9, %10};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kS8K32) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kE4m3K32) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
  if constexpr (kForm == Form::kE5m2K32) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.f32.e5m2.e5m2.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]), "r"(c[2]), "r"(c[3]));
  }
}

template <Form kForm>
__device__ void run_tile(int distribution, uint32_t tile, int lane, uint32_t* d) {
  constexpr Shape kShape = shape<kForm>();
  uint32_t a[4] = {}, b[2] = {}, c[4] = {};
  for (int i = 0; i < kShape.a_registers; ++i)
    a[i] = capture::operand_register(kShape.layout, kShape.width, kShape.pair_step, distribution, tile, 0, i, lane);
  for (int i = 0; i < kShape.b_registers; ++i)
    b[i] = capture::operand_register(kShape.layout, kShape.width, 1, distribution, tile, 1, i, lane);
  for (int i = 0; i < kShape.c_registers; ++i)
    c[i] = capture::accumulator_register(kShape.half_accumulator, kShape.product_scale, distribution, tile, i, lane);
  mma<kForm>(d, a, b, c);
}

template <Form kForm>
__global__ void hash_tiles(unsigned long long* sums) {  // grid (256, 7), 256 threads: 8 warps, 128 tiles each
  const int lane = threadIdx.x & 31;
  unsigned long long sum = 0;
  for (uint32_t i = threadIdx.x / 32; i < capture::kTilesPerBlock; i += 8) {
    const uint32_t tile = blockIdx.x * capture::kTilesPerBlock + i;
    uint32_t d[4] = {};
    run_tile<kForm>(blockIdx.y, tile, lane, d);
    for (int reg = 0; reg < shape<kForm>().c_registers; ++reg) sum += capture::mix(tile << 7 | reg << 5 | lane, d[reg]);
  }
  atomicAdd(&sums[blockIdx.y * capture::kTileBlocks + blockIdx.x], sum);
}

template <Form kForm>
__global__ void store_tiles(uint32_t* out) {  // grid (32, 7), one warp
  const int lane = threadIdx.x;
  constexpr int kRegisters = shape<kForm>().c_registers;
  uint32_t d[4] = {};
  run_tile<kForm>(blockIdx.y, blockIdx.x, lane, d);
  for (int reg = 0; reg < kRegisters; ++reg)
    out[((blockIdx.y * capture::kStoredTiles + blockIdx.x) * kRegisters + reg) * 32 + lane] = d[reg];
}

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "mma_capture: %s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}

void save(const std::string& path, const void* device, size_t bytes) {
  std::vector<unsigned char> host(bytes);
  check(cudaGetLastError(), path.c_str());
  check(cudaMemcpy(host.data(), device, bytes, cudaMemcpyDeviceToHost), path.c_str());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(host.data(), 1, bytes, file) != bytes || std::fclose(file) != 0) {
    std::fprintf(stderr, "mma_capture: cannot write %s\n", path.c_str());
    std::exit(1);
  }
}

template <Form kForm>
void record(const std::string& folder, const std::string& name, void* device) {
  constexpr size_t kHashBytes = size_t{8} * capture::kDistributions * capture::kTileBlocks;
  constexpr size_t kTileBytes =
      size_t{4} * capture::kDistributions * capture::kStoredTiles * shape<kForm>().c_registers * 32;
  check(cudaMemset(device, 0, kHashBytes), "cudaMemset");
  hash_tiles<kForm>
      <<<dim3(capture::kTileBlocks, capture::kDistributions), 256>>>(static_cast<unsigned long long*>(device));
  save(folder + "/mma_hash_" + name + ".u64", device, kHashBytes);
  store_tiles<kForm><<<dim3(capture::kStoredTiles, capture::kDistributions), 32>>>(static_cast<uint32_t*>(device));
  save(folder + "/mma_tiles_" + name + ".u32", device, kTileBytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: mma_capture FOLDER\n");
    return 2;
  }
  void* device = nullptr;
  check(cudaMalloc(&device, size_t{1} << 20), "cudaMalloc");
  const std::string folder = argv[1];
  record<Form::kF16K16>(folder, "f16_k16", device);
  record<Form::kBf16K16>(folder, "bf16_k16", device);
  record<Form::kF16K16Half>(folder, "f16_k16_half", device);
  record<Form::kF16K8>(folder, "f16_k8", device);
  record<Form::kBf16K8>(folder, "bf16_k8", device);
  record<Form::kF16K8Half>(folder, "f16_k8_half", device);
  record<Form::kTf32K8>(folder, "tf32_k8", device);
  record<Form::kTf32K4>(folder, "tf32_k4", device);
  record<Form::kS8K32>(folder, "s8_k32", device);
  record<Form::kE4m3K32>(folder, "e4m3_k32", device);
  record<Form::kE5m2K32>(folder, "e5m2_k32", device);
  std::printf("mma tiles recorded\n");
  return 0;
}

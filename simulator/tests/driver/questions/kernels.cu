// Kernels whose registers, memory and launch bounds differ, for questions about functions. The image holds machine code
// for an H100 and PTX: a driver tells of the machine code, and so must the simulator, which runs the PTX.
#include <cstdint>

extern "C" __global__ void empty() {}

extern "C" __global__ void scale(float* x, float by) { x[threadIdx.x] *= by; }

// 64 sums at a time.
template <int kSums>
__device__ void many_sums(float* x, int n) {
  float sums[kSums];
#pragma unroll
  for (int i = 0; i < kSums; ++i) sums[i] = x[i];
  for (int k = 0; k < n; ++k) {
    const float by = x[k];
#pragma unroll
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * sums[(i + 1) % kSums] + by;
  }
#pragma unroll
  for (int i = 0; i < kSums; ++i) x[i] = sums[i];
}
extern "C" __global__ void many_registers(float* x, int n) { many_sums<64>(x, n); }
extern "C" __global__ void __launch_bounds__(1024) bounded_threads(float* x, int n) { many_sums<48>(x, n); }
extern "C" __global__ void __launch_bounds__(256, 4) bounded_blocks(float* x, int n) { many_sums<40>(x, n); }
extern "C" __global__ void __launch_bounds__(1024, 2) spills(float* x, int n) { many_sums<64>(x, n); }
extern "C" __global__ void __maxnreg__(40) at_most_40(float* x, int n) { many_sums<24>(x, n); }

extern "C" __global__ void local_array(int* x, int n) {
  int values[100];
  for (int i = 0; i < 100; ++i) values[i] = x[i];
  for (int i = 0; i < n; ++i) values[x[i] % 100] += i;
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += values[x[i + 1] % 100];
  x[0] = sum;
}

extern "C" __global__ void static_shared(int* x) {
  __shared__ int values[3000];
  values[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = values[threadIdx.x ^ 1];
}

__constant__ int table[50];
extern "C" __global__ void constants(int* x) { x[threadIdx.x] = table[x[threadIdx.x]]; }

struct Large {
  int64_t values[100];
};
extern "C" __global__ void large_parameter(const __grid_constant__ Large p, int64_t* x) {
  x[threadIdx.x] = p.values[threadIdx.x];
}

extern "C" __global__ void with_barriers(int* x) {
  asm volatile("barrier.sync 5, 64;" ::: "memory");
  x[threadIdx.x] = 1;
}

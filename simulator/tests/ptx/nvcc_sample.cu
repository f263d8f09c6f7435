// What nvcc writes for templates, inlined functions, shared, constant and local memory, a loop in inline assembly that
// declares registers and labels, clocks and slow math. The PTX beside it is checked in, made here with nvcc 13.5:
//   for a in 120f 90a; do nvcc -std=c++20 -lineinfo -ptx -arch=compute_$a -o nvcc_sample.$a.ptx nvcc_sample.cu; done
//   sed -i -E 's#"[^"]*/(nvcc_sample.cu|include/)#"\1#' nvcc_sample.*.ptx        # paths of the machine
#include <cstdint>

struct Params {
  const float* x;  // [n + 16]
  float* y;        // [n]
  int n;
  float alpha;
  alignas(64) char map[128];
};

__constant__ float table[4] = {1.f, 2.f, 3.f, 4.f};
__device__ int counter = 5;

template <int N>
__device__ __forceinline__ float sum(const float* p) {
  float s = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) s += p[i];
  return s;
}

__device__ __forceinline__ void wait(uint64_t* bar, int parity) {
  asm volatile(
      "{\n .reg .pred P1;\nLAB_WAIT:\n mbarrier.try_wait.parity.shared::cta.b64 P1, [%0], %1;\n"
      "@P1 bra DONE;\nbra LAB_WAIT;\nDONE:\n}" ::"r"((uint32_t)__cvta_generic_to_shared(bar)),
      "r"(parity)
      : "memory");
}

__device__ __forceinline__ void wait_both(uint64_t* bar) {
  wait(bar, 0);
  wait(bar, 1);
}

extern "C" __global__ void __launch_bounds__(128, 2) sample(const __grid_constant__ Params p) {
  extern __shared__ __align__(1024) unsigned char dyn[];
  __shared__ float s[32];
  __shared__ uint64_t bar;
  float local[16];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int k = 0; k < 16; ++k) local[(k * i) & 15] = p.x[i + k];
  s[threadIdx.x & 31] = p.x[i];
  __syncthreads();
  wait_both(&bar);
  dyn[threadIdx.x] = 3;
  asm volatile("prefetch.tensormap [%0];" ::"l"(&p.map));
  unsigned long long t;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(t));
  atomicAdd(&counter, 1);
  float v =
      sum<8>(s) + local[i & 15] * table[i & 3] + __shfl_xor_sync(~0u, p.alpha, 3) + dyn[i & 127] + (float)t + clock();
  switch (i & 7) {
    case 0:
      v += 1;
      break;
    case 1:
      v = sinf(v);
      break;
    case 2:
      v *= 3;
      break;
    case 3:
      v = __expf(v);
      break;
    case 4:
      v = v * v;
      break;
    case 5:
      v = -v;
      break;
    case 6:
      v = sqrtf(v);
      break;
  }
  if (i < p.n) p.y[i] = v / p.alpha;
}

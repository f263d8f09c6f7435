// A kernel for images.cpp, which nvcc packs in each of its ways: x[i] = 3 x[i] + 1 for i < n.
extern "C" __global__ void triple_and_one(unsigned* x, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = 3 * x[i] + 1;
}

#include "kernels/gemm/nvfp4_gemm_skinny.cuh"
#include "kernels/math/element.cuh"

extern "C" __global__ void __launch_bounds__(b12x::Nvfp4GemmSkinnyTraits::kThreads, 1)
    b12x_nvfp4_gemm_skinny_bf16(const __grid_constant__ b12x::Nvfp4GemmParams p) {
  b12x::nvfp4_gemm_skinny<b12x::math::Bf16>(p);
}

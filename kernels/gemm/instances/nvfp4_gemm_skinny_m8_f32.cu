#include "kernels/gemm/nvfp4_gemm_skinny.cuh"
#include "kernels/math/element.cuh"

using Traits = b12x::Nvfp4GemmSkinnyTraits<1>;

extern "C" __global__ void __launch_bounds__(Traits::kThreads, 1)
    b12x_nvfp4_gemm_skinny_m8_f32(const __grid_constant__ b12x::Nvfp4GemmSkinnyParams p) {
  b12x::nvfp4_gemm_skinny<Traits, b12x::math::F32>(p);
}

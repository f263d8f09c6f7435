#include "kernels/gemm/nvfp4_gemm_skinny.cuh"
#include "kernels/math/element.cuh"

using Traits = b12x::Nvfp4GemmSkinnyTraits<1, true>;

extern "C" __global__ void __launch_bounds__(Traits::kThreads, 1)
    b12x_nvfp4_gemm_skinny_quantize_m8_bf16(const __grid_constant__ b12x::Nvfp4GemmSkinnyParams p) {
  b12x::nvfp4_gemm_skinny<Traits, b12x::math::Bf16, b12x::math::Bf16>(p);
}

extern "C" __global__ void __launch_bounds__(Traits::kThreads, 1)
    b12x_nvfp4_gemm_skinny_quantize_m8_bf16_f32(const __grid_constant__ b12x::Nvfp4GemmSkinnyParams p) {
  b12x::nvfp4_gemm_skinny<Traits, b12x::math::F32, b12x::math::Bf16>(p);
}

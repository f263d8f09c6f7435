#include "kernels/gemm/fp4_gemm_tiled.cuh"

using Format = b12x::Mxfp4Format;
using Traits = b12x::Fp4GemmTiledTraits<Format::kScaleBlock, 64, 128>;

extern "C" __global__ void __launch_bounds__(Traits::kThreads, 1)
    b12x_mxfp4_gemm_tiled_64x128_bf16(const __grid_constant__ b12x::Fp4GemmTiledParams p) {
  b12x::fp4_gemm_tiled<Traits, Format, b12x::math::Bf16>(p);
}

extern "C" __global__ void __launch_bounds__(Traits::kThreads, 1)
    b12x_mxfp4_gemm_tiled_64x128_f16(const __grid_constant__ b12x::Fp4GemmTiledParams p) {
  b12x::fp4_gemm_tiled<Traits, Format, b12x::math::F16>(p);
}

extern "C" __global__ void __launch_bounds__(Traits::kThreads, 1)
    b12x_mxfp4_gemm_tiled_64x128_f32(const __grid_constant__ b12x::Fp4GemmTiledParams p) {
  b12x::fp4_gemm_tiled<Traits, Format, b12x::math::F32>(p);
}

#include "kernels/gemm/nvfp4_gemm_tiled.cuh"
#include "kernels/math/element.cuh"

using Traits = b12x::Nvfp4GemmTiledTraits<64>;

extern "C" __global__ void __launch_bounds__(Traits::kThreads, 1)
    b12x_nvfp4_gemm_tiled_m64_f16(const __grid_constant__ b12x::Nvfp4GemmParams p) {
  b12x::nvfp4_gemm_tiled<Traits, b12x::math::F16>(p);
}

#include "kernels/quant/nvfp4_amax.cuh"

extern "C" __global__ void __launch_bounds__(b12x::Nvfp4AmaxTraits::kThreads)
    b12x_nvfp4_amax_f16(const __grid_constant__ b12x::Nvfp4AmaxParams p) {
  b12x::nvfp4_amax<b12x::math::F16>(p);
}

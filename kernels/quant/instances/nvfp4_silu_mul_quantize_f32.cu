#include "kernels/quant/nvfp4_quantize.cuh"

extern "C" __global__ void __launch_bounds__(b12x::Nvfp4QuantizeTraits::kThreads,
                                             b12x::Nvfp4QuantizeTraits::kMaxBlocksPerSm)
    b12x_nvfp4_silu_mul_quantize_f32(const __grid_constant__ b12x::Nvfp4QuantizeParams p) {
  b12x::nvfp4_quantize<b12x::math::F32, true>(p);
}

#include "kernels/quant/mxfp8_quantize.cuh"

extern "C" __global__ void __launch_bounds__(b12x::Mxfp8QuantizeTraits::kThreads)
    b12x_mxfp8_quantize_f16(const __grid_constant__ b12x::Mxfp8QuantizeParams p) {
  b12x::mxfp8_quantize<b12x::math::F16>(p);
}

// silu_mul.cuh: gate, up -> silu(gate) * up, words of their type, with math/silu.h's arithmetic in the device's
// instructions.
#pragma once

#include <cstdint>

#include "kernels/math/reciprocal.cuh"
#include "kernels/math/silu.h"
#include "kernels/ptx/device.h"
#include "kernels/ptx/fma.cuh"

namespace b12x {

B12X_DEVICE float silu(float x) { return x * math::reciprocal(math::silu_denominator(x, ptx::fma_rn_sat_f32)); }

// In f32, rounded to the input's type as a separate kernel would have stored it.
template <typename Element, int N>
B12X_DEVICE void silu_mul(uint32_t (&gate)[N], const uint32_t (&up)[N]) {
  for (int i = 0; i < N; ++i) {
    float g[2], u[2];
    Element::unpack(gate[i], g);
    Element::unpack(up[i], u);
    if constexpr (Element::kPerWord == 2) {
      gate[i] = Element::pack(silu(g[0]) * u[0], silu(g[1]) * u[1]);
    } else {
      gate[i] = __float_as_uint(silu(g[0]) * u[0]);
    }
  }
}

}  // namespace b12x

// nvfp4_quantize.cuh: activations -> packed e2m1 + 128x4 swizzled e4m3 scales, plain or of silu(gate) * up.
//
//   one thread = one scale byte = 16 elements of a row           i = position of the byte in the swizzled scales
//   lanes of a warp: blocks 4a..4a+3 of rows r, r + 32, r + 64, r + 96, r + 1, r + 33, ...   (32 consecutive bytes)
//   load 16 elements (16-byte loads where x allows) -> h -> block maximum -> scale byte -> 8 bytes of e2m1
//
// Per block:  sf = e4m3(blockmax / (6 * gs)), S = f32(sf), q = e2m1(x / max(S * gs, 1e-30)), IEEE f32 throughout;
// values that round to zero are +0; a block with NaN gets sf = NaN and nibbles 0; Inf saturates (sf 448, +-6).
// Scale bytes of padding rows and columns are zero. Grid-stride; no shared memory.
#pragma once

#include <cstdint>

#include "kernels/math/e4m3.h"
#include "kernels/math/element.cuh"
#include "kernels/math/exp.h"
#include "kernels/math/fp4.h"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/cvt.cuh"
#include "kernels/ptx/device.h"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"
#include "kernels/tile/scale_layout.h"

namespace b12x {

// 16 consecutive elements as f32. `aligned`: row starts and strides are multiples of 16 bytes (uniform over the grid).
template <typename Element>
B12X_DEVICE void load_block(const typename Element::Storage* x, bool aligned, float (&values)[math::kNvfp4Block]) {
  constexpr int kWords = math::kNvfp4Block / Element::kPerWord;
  uint32_t words[kWords];
  if (aligned) {
    for (int i = 0; i < kWords / 4; ++i) {
      const uint4 quad = reinterpret_cast<const uint4*>(x)[i];
      words[4 * i] = quad.x;
      words[4 * i + 1] = quad.y;
      words[4 * i + 2] = quad.z;
      words[4 * i + 3] = quad.w;
    }
  } else {
    for (int i = 0; i < kWords; ++i) {
      words[i] = x[i * Element::kPerWord];
      if constexpr (Element::kPerWord == 2) words[i] |= uint32_t{x[i * 2 + 1]} << 16;
    }
  }
  for (int i = 0; i < kWords; ++i) Element::unpack(words[i], &values[i * Element::kPerWord]);
}

// values = silu(gate) * up in f32, rounded to the input's type as a separate kernel would have stored it.
template <typename Element>
B12X_DEVICE void silu_mul(const float (&gate)[math::kNvfp4Block], const float (&up)[math::kNvfp4Block],
                          float (&values)[math::kNvfp4Block]) {
  for (int i = 0; i < math::kNvfp4Block; ++i) values[i] = math::silu_f32(gate[i]) * up[i];
  if constexpr (Element::kPerWord == 2) {
    for (int i = 0; i < math::kNvfp4Block; i += 2) Element::unpack(Element::pack(values[i], values[i + 1]), &values[i]);
  }
}

struct QuantizedBlock {
  uint2 packed;  // 16 nibbles, element i at bits 4i
  uint8_t scale;
};

B12X_DEVICE QuantizedBlock quantize_block(const float (&values)[math::kNvfp4Block], float global_scale) {
  // Magnitudes order like their bits, and every NaN lies above infinity: one integer maximum finds both.
  uint32_t max_bits = 0;
  for (int i = 0; i < math::kNvfp4Block; ++i) max_bits = max(max_bits, __float_as_uint(values[i]) & 0x7FFFFFFFu);
  if (max_bits > 0x7F800000u) return {{0, 0}, math::kE4m3Nan};

  const float wanted = __fdiv_rn(__uint_as_float(max_bits), math::kE2m1Max * global_scale);
  const uint16_t scale = ptx::cvt_rn_satfinite_e4m3x2_f32(0.f, wanted);
  const float decoded = ptx::cvt_f32_f16(static_cast<uint16_t>(ptx::cvt_rn_f16x2_e4m3x2(scale)));
  const float divisor = fmaxf(decoded * global_scale, 1e-30f);
  float scaled[math::kNvfp4Block];
  for (int i = 0; i < math::kNvfp4Block; ++i) scaled[i] = __fdiv_rn(values[i], divisor);
  return {{math::e2m1x8_positive_zeros(ptx::cvt_rn_satfinite_e2m1x8_f32(&scaled[0])),
           math::e2m1x8_positive_zeros(ptx::cvt_rn_satfinite_e2m1x8_f32(&scaled[8]))},
          static_cast<uint8_t>(scale)};
}

template <typename Element, bool kSiluMul>
B12X_DEVICE void nvfp4_quantize(const Nvfp4QuantizeParams& p) {
  using Storage = typename Element::Storage;
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  const auto* x = static_cast<const Storage*>(p.x);
  const float global_scale = p.global_scale != nullptr ? *p.global_scale : 1.f;
  const int32_t blocks = p.cols / math::kNvfp4Block;
  const int32_t atoms_k = tile::scale_atoms_k(blocks);
  const int64_t total = tile::scale_bytes(p.rows, blocks);
  const int64_t step = int64_t{gridDim.x} * Nvfp4QuantizeTraits::kThreads;
  // The second half of a silu_mul row starts cols elements on: a multiple of 32 bytes, so it is aligned as the row is.
  const bool aligned =
      (reinterpret_cast<uintptr_t>(x) | static_cast<uint64_t>(p.x_row_stride) * sizeof(Storage)) % 16 == 0;

  for (int64_t i = int64_t{blockIdx.x} * Nvfp4QuantizeTraits::kThreads + threadIdx.x; i < total; i += step) {
    const tile::ScalePosition at = tile::scale_position(i, atoms_k);
    uint8_t scale = 0;
    if (at.row < p.rows && at.block < blocks) {
      const Storage* source = x + at.row * p.x_row_stride + at.block * math::kNvfp4Block;
      float values[math::kNvfp4Block];
      if constexpr (kSiluMul) {
        float gate[math::kNvfp4Block], up[math::kNvfp4Block];
        load_block<Element>(source + (p.gate_first != 0 ? 0 : p.cols), aligned, gate);
        load_block<Element>(source + (p.gate_first != 0 ? p.cols : 0), aligned, up);
        silu_mul<Element>(gate, up, values);
      } else {
        load_block<Element>(source, aligned, values);
      }
      const QuantizedBlock block = quantize_block(values, global_scale);
      reinterpret_cast<uint2*>(p.packed)[at.row * blocks + at.block] = block.packed;
      scale = block.scale;
    }
    p.scales[i] = scale;
  }
}

}  // namespace b12x

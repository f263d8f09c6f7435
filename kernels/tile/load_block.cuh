// load_block.cuh: consecutive elements of a row as 32-bit words, by 16-byte loads where the rows' addresses allow.
#pragma once

#include <cstdint>

#include "kernels/ptx/device.h"

namespace b12x {

// `aligned`: x is a multiple of 16 bytes (the same for the whole grid).
template <typename Element, int N>
B12X_DEVICE void load_words(const typename Element::Storage* x, bool aligned, uint32_t (&words)[N]) {
  if (aligned) {
    for (int i = 0; i < N / 4; ++i) {
      const uint4 quad = reinterpret_cast<const uint4*>(x)[i];
      words[4 * i] = quad.x;
      words[4 * i + 1] = quad.y;
      words[4 * i + 2] = quad.z;
      words[4 * i + 3] = quad.w;
    }
  } else {
    for (int i = 0; i < N; ++i) {
      words[i] = x[i * Element::kPerWord];
      if constexpr (Element::kPerWord == 2) words[i] |= uint32_t{x[i * 2 + 1]} << 16;
    }
  }
}

}  // namespace b12x

// arguments.h: what every bug kernel takes, for host and device. Words are 32 bits.
#pragma once

#include <cstdint>

namespace bugs {

struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

constexpr uint32_t kWords = 4096;  // of `in`, `out` and `raw`

struct Arguments {
  TensorMap in_map, out_map;  // 64 x 64 words of `in` and `out`, boxes of 16 x 16
  uint32_t* in;               // 0, 1, 2, ...
  uint32_t* out;              // zeros
  uint32_t* raw;              // what the allocation had: nobody wrote it
  uint32_t* flag;             // 32 zeros
  uint32_t tiles;             // 0
};

}  // namespace bugs

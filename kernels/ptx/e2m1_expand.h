// e2m1_expand.h: the integer half of the sm_90a stand-in: eight e2m1 nibbles as eight e4m3 bytes of 2^-6 times their
// value. e2m1 (bias 1) placed in e4m3's low exponent bits and top mantissa bit (bias 7) is the same number times 2^-6,
// zeros and the subnormal 0.5 included, so cvt.rn.f16x2.e4m3x2 finishes the expansion exactly.
#pragma once

#include <cstdint>

namespace b12x::ptx {

struct E2m1x8AsE4m3 {
  uint32_t even;  // bytes of nibbles 0, 2, 4, 6
  uint32_t odd;   // bytes of nibbles 1, 3, 5, 7
};

constexpr E2m1x8AsE4m3 e2m1x8_as_e4m3(uint32_t word) {
  const uint32_t even = ((word << 4) & 0x80808080u) | ((word << 2) & 0x1C1C1C1Cu);
  const uint32_t odd = (word & 0x80808080u) | ((word >> 2) & 0x1C1C1C1Cu);
  return {even, odd};
}

// Block scales are unsigned: the sign bit is dropped. Times 2^6 B's undo its expansion; 448 * 64 = 28672 is finite in
// f16. A keeps its 2^-6: value * scale is a multiple of 2^-16 then, exact also where f16 is subnormal.
inline constexpr uint32_t kUnsignedScales = 0x7F7F7F7Fu;
inline constexpr uint32_t kTwoToThe6F16x2 = 0x54005400u;

}  // namespace b12x::ptx

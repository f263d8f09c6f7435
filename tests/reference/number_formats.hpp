// number_formats.hpp: e2m1, e4m3, bf16 and f16 by their definitions, for tests. Decoding is arithmetic in double;
// encoding looks for the nearest of all values. Slow and obvious on purpose, and independent of the kernels' own code.
#pragma once

#include <cstdint>

namespace reference {

double decode_e2m1(unsigned nibble);  // 0..15
double decode_e4m3(unsigned byte);    // 0x7F and 0xFF are NaN
unsigned encode_e2m1(float x);        // nearest, ties to even, saturating; what rounds to 0 is +0
unsigned encode_e4m3(float x);        // nearest, ties to even, saturating at 448; x >= 0 or NaN (0x7F)

double decode_bf16(uint16_t bits);
double decode_f16(uint16_t bits);
uint16_t encode_bf16(float x);  // nearest, ties to even; NaN is 0x7FFF
uint16_t encode_f16(float x);   // nearest, ties to even; overflow is infinity; NaN is 0x7FFF
double bf16_ulp(double x);      // distance between neighbours at |x|
double f16_ulp(double x);

}  // namespace reference

// mufu.hpp: bits of an operand in, bits that the special function unit answers out, for every .approx form of PTX.
//
// The model is the unit's own: table look-up and quadratic interpolation in integers, with tables found in answers that
// an NVIDIA H200 gave (capture/). Each function equals the H200 for all 2^32 inputs (16-bit forms: all 2^16); that is
// what tests/numerics/mufu_test.cpp replays from recorded hashes. That SM120's unit answers the same is an assumption.
// The forms without .ftz are the sequences that ptxas emits (the same for sm_90 and sm_120): they scale subnormals.
#pragma once

#include <cstdint>

namespace sim::numerics {

// True: the tables come from a recording (of an H200), not from correctly rounded functions.
constexpr bool mufu_is_recorded() { return true; }

uint32_t rcp_approx_ftz_f32(uint32_t x);
uint32_t rcp_approx_f32(uint32_t x);
uint32_t rsqrt_approx_ftz_f32(uint32_t x);
uint32_t rsqrt_approx_f32(uint32_t x);
uint32_t sqrt_approx_ftz_f32(uint32_t x);
uint32_t sqrt_approx_f32(uint32_t x);
uint32_t ex2_approx_ftz_f32(uint32_t x);
uint32_t ex2_approx_f32(uint32_t x);
uint32_t lg2_approx_ftz_f32(uint32_t x);
uint32_t lg2_approx_f32(uint32_t x);
uint32_t sin_approx_ftz_f32(uint32_t x);
uint32_t sin_approx_f32(uint32_t x);
uint32_t cos_approx_ftz_f32(uint32_t x);
uint32_t cos_approx_f32(uint32_t x);
uint32_t tanh_approx_f32(uint32_t x);

uint16_t ex2_approx_f16(uint16_t x);
uint16_t ex2_approx_ftz_bf16(uint16_t x);
uint16_t tanh_approx_f16(uint16_t x);
uint16_t tanh_approx_bf16(uint16_t x);

// The x2 forms: each half by itself.
template <uint16_t (*kFunction)(uint16_t)>
constexpr uint32_t each_half(uint32_t pair) {
  return kFunction(static_cast<uint16_t>(pair)) | static_cast<uint32_t>(kFunction(static_cast<uint16_t>(pair >> 16)))
                                                      << 16;
}

}  // namespace sim::numerics

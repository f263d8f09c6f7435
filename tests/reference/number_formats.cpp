// number_formats.cpp: see the header.
#include "tests/reference/number_formats.hpp"

#include <cmath>
#include <limits>

namespace reference {
namespace {

// A small float of `exponent_bits` and `mantissa_bits`, without infinities or NaN.
double decode_small(unsigned magnitude, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(magnitude >> mantissa_bits);
  const int mantissa = static_cast<int>(magnitude & ((1u << mantissa_bits) - 1));
  if (exponent == 0) return std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
}

// The code in [0, last] whose value is nearest to |x|; of two equally near ones the even one.
template <class Decode>
unsigned nearest_code(double x, unsigned last, Decode&& decode) {
  unsigned best = 0;
  for (unsigned code = 1; code <= last; ++code) {
    const double error = std::abs(decode(code) - x), best_error = std::abs(decode(best) - x);
    if (error < best_error || (error == best_error && code % 2 == 0)) best = code;
  }
  return best;
}

// x rounded to `mantissa_bits` after the leading one, with the subnormal grid of `min_exponent`: ties to even.
double round_to(double x, int mantissa_bits, int min_exponent) {
  if (x == 0) return x;
  const int exponent = std::max(std::ilogb(x), min_exponent);
  return std::ldexp(std::nearbyint(std::ldexp(x, mantissa_bits - exponent)), exponent - mantissa_bits);
}

// 16-bit pattern of a finite value that the format holds exactly.
uint16_t pack(double value, int mantissa_bits, int min_exponent) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(value);
  if (magnitude == 0) return sign;
  const int exponent = std::max(std::ilogb(magnitude), min_exponent);
  // The leading one adds 1 to the exponent field, so a subnormal (without it) gets field 0.
  const auto significand = static_cast<uint32_t>(std::ldexp(magnitude, mantissa_bits - exponent));
  return static_cast<uint16_t>(sign + (static_cast<uint32_t>(exponent - min_exponent) << mantissa_bits) + significand);
}

uint16_t encode_16(float x, int mantissa_bits, int min_exponent, double largest, uint16_t infinity) {
  if (std::isnan(x)) return 0x7FFF;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isinf(x)) return sign | infinity;
  const double rounded = round_to(x, mantissa_bits, min_exponent);
  if (std::abs(rounded) > largest) return sign | infinity;
  return rounded == 0 ? sign : pack(rounded, mantissa_bits, min_exponent);
}

constexpr double kLargestF16 = 65504.0;

double ulp(double x, int mantissa_bits, int min_exponent) {
  const int exponent = x == 0 ? min_exponent : std::max(std::ilogb(x), min_exponent);
  return std::ldexp(1.0, exponent - mantissa_bits);
}

}  // namespace

double decode_e2m1(unsigned nibble) { return (nibble & 8 ? -1 : 1) * decode_small(nibble & 7, 2, 1); }

double decode_e4m3(unsigned byte) {
  if ((byte & 0x7F) == 0x7F) return std::numeric_limits<double>::quiet_NaN();
  return (byte & 0x80 ? -1 : 1) * decode_small(byte & 0x7F, 4, 3);
}

unsigned encode_e2m1(float x) {
  const unsigned magnitude = nearest_code(std::min(std::abs(static_cast<double>(x)), 6.0), 7, decode_e2m1);
  return magnitude == 0 ? 0 : magnitude | (x < 0 ? 8 : 0);
}

unsigned encode_e4m3(float x) {
  if (std::isnan(x)) return 0x7F;
  return nearest_code(std::min(static_cast<double>(x), 448.0), 0x7E, decode_e4m3);
}

double decode_bf16(uint16_t bits) {
  const double sign = bits & 0x8000 ? -1 : 1;
  if ((bits & 0x7F80) == 0x7F80) {
    return bits & 0x7F ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  return sign * decode_small(bits & 0x7FFF, 8, 7);
}

double decode_f16(uint16_t bits) {
  const double sign = bits & 0x8000 ? -1 : 1;
  if ((bits & 0x7C00) == 0x7C00) {
    return bits & 0x3FF ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  return sign * decode_small(bits & 0x7FFF, 5, 10);
}

uint16_t encode_bf16(float x) { return encode_16(x, 7, -126, std::ldexp(255.0, 120), 0x7F80); }
uint16_t encode_f16(float x) { return encode_16(x, 10, -14, kLargestF16, 0x7C00); }
double bf16_ulp(double x) { return ulp(x, 7, -126); }
double f16_ulp(double x) { return ulp(x, 10, -14); }

}  // namespace reference

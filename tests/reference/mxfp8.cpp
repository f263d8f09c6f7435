// mxfp8.cpp: see the header. All in double, where every quotient by a power of two is exact.
#include "tests/reference/mxfp8.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/reference/number_formats.hpp"

namespace reference {
namespace {

constexpr int64_t kBlock = 32;

}  // namespace

double decode_ue8m0(unsigned byte) {
  return byte == 255 ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, static_cast<int>(byte) - 127);
}

unsigned ue8m0_scale_of(double amax) {
  const double finite = std::min(amax, static_cast<double>(std::numeric_limits<float>::max()));
  unsigned byte = 0;
  while (finite > 448.0 * decode_ue8m0(byte)) ++byte;
  return byte;
}

Mxfp8 quantize_mxfp8(const std::vector<float>& x, int64_t rows, int64_t cols) {
  Mxfp8 out{.rows = rows,
            .cols = cols,
            .values = std::vector<uint8_t>(rows * cols),
            .scales = std::vector<uint8_t>(rows * cols / kBlock)};
  for (int64_t block = 0; block < rows * cols / kBlock; ++block) {
    const float* values = &x[block * kBlock];
    double amax = 0;
    for (int i = 0; i < kBlock; ++i) {
      if (!std::isnan(values[i])) amax = std::max(amax, std::abs(static_cast<double>(values[i])));
    }
    out.scales[block] = static_cast<uint8_t>(ue8m0_scale_of(amax));
    for (int i = 0; i < kBlock; ++i) {
      // A quotient that f32 does not hold is far below what rounds to zero.
      const auto quotient = static_cast<float>(std::abs(values[i] / decode_ue8m0(out.scales[block])));
      const unsigned magnitude = encode_e4m3(quotient);
      const bool negative = values[i] < 0 && magnitude != 0;
      out.values[block * kBlock + i] = static_cast<uint8_t>(magnitude | (negative ? 0x80 : 0));
    }
  }
  return out;
}

}  // namespace reference

// NVFP4 quantisation of every 16-bit input, and of f32 values next to every tie, under scales from subnormal to huge.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/math/silu.h"
#include "tests/kernels/quantize_support.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

float decode(uint16_t bits, DType dtype) {
  return static_cast<float>(dtype == DType::kBf16 ? reference::decode_bf16(bits) : reference::decode_f16(bits));
}

void check_values(const std::vector<float>& values, DType dtype, int64_t cols, float global_scale) {
  const int64_t rows = static_cast<int64_t>(values.size()) / cols;
  GuardedBuffer x(values.size() * bytes_of(dtype));
  x.fill(encode(values, dtype));
  const TensorView view = TensorView::contiguous(x.data(), dtype, {}, {rows, cols});
  check_equal(run_quantize_on(card(), {.rows = rows, .cols = cols, .dtype = dtype}, view, {global_scale}),
              reference::quantize(values, rows, cols, global_scale));
}

}  // namespace

// The block's largest value is what sets its scale, so each input is seen as the largest itself and below one that is
// up to 9 octaves larger. NaN patterns are among the inputs: they empty their block.
TEST_CASE("all 2^16 inputs of bf16 and f16") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const DType dtype : {DType::kBf16, DType::kF16}) {
    const int mantissa_bits = dtype == DType::kBf16 ? 7 : 10;
    const int infinity = dtype == DType::kBf16 ? 0x7F80 : 0x7C00;
    std::vector<float> values;
    for (const int octaves : {0, 1, 2, 3, 5, 9}) {
      for (int first = 0; first < 1 << 16; first += 15) {
        for (int i = 0; i < 16; ++i) {
          const int pattern = std::min(first + std::min(i, 14), 0xFFFF);
          // Its mantissa is turned round, so that all mantissas meet all others as scale and as value.
          const int larger =
              ((pattern & 0x7FFF) ^ (first / 15 & ((1 << mantissa_bits) - 1))) + (octaves << mantissa_bits);
          values.push_back(decode(static_cast<uint16_t>(i < 15 ? pattern : std::min(larger, infinity)), dtype));
        }
      }
    }
    const int64_t cols = 16 * 9;  // a unit of whole warps and an edge
    values.resize(values.size() / cols * cols + (values.size() % cols ? cols : 0), 0.f);
    // 1: ties are exact. The amax of all finite values. Scales that are e4m3 subnormals. All saturated. Subnormal f32.
    for (const float global_scale : {1.f, dtype == DType::kBf16 ? 0x1.fep127f / 2688.f : 65504.f / 2688.f, 0.0371f,
                                     0x1.234566p+9f, 0x1p-20f, 0x1.fffffep-40f, 1e-38f, 0x1p-140f, 1e30f, kNan}) {
      CAPTURE(std::string(name_of(dtype)));
      CAPTURE(global_scale);
      check_values(values, dtype, cols, global_scale);
    }
  }
}

TEST_CASE("f32 within 2 ulp of every tie of both roundings, for all scale bytes") {
  std::mt19937 random(11);
  const float ties[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.f};
  const auto moved = [](float value, int ulps) { return std::bit_cast<float>(std::bit_cast<int32_t>(value) + ulps); };
  for (int round = 0; round < 24; ++round) {
    const float global_scale =
        round == 0 ? 1.f
                   : std::ldexp(1.f + static_cast<float>(random() % (1u << 23)) * 0x1p-23f, int(random() % 60) - 40);
    std::vector<float> values;
    for (unsigned byte = 1; byte < 0x7F; ++byte) {
      const auto scale = static_cast<float>(reference::decode_e4m3(byte));
      const auto next = static_cast<float>(reference::decode_e4m3(std::min(byte + 1, 0x7Eu)));
      for (int ulps = -2; ulps <= 2; ++ulps) {
        values.push_back(scale * global_scale * 6.f);  // gives this scale
        for (int i = 1; i < 16; ++i) {
          const float value = moved(ties[(i + byte) % 7] * (scale * global_scale), ulps);
          values.push_back(random() % 2 != 0 ? value : -value);
        }
        // The tie between this scale and the next.
        values.push_back(moved((scale + next) / 2.f * 6.f * global_scale, ulps));
        for (int i = 1; i < 16; ++i) values.push_back(values[values.size() - 16]);
      }
    }
    CAPTURE(global_scale);
    check_values(values, DType::kF32, 80, global_scale);
  }
}

TEST_CASE("random bits of f32") {
  std::mt19937 random(3);
  std::vector<float> values(1 << 16);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t exponent = (static_cast<uint32_t>(i / 16) * 29 + random() % 6) % 256;
    values[i] = std::bit_cast<float>(static_cast<uint32_t>(random() & 0x807FFFFFu) | exponent << 23);
  }
  for (const float global_scale : {1.f, 0x1.6a09e6p-60f, 3e-39f, 1.2e35f})
    check_values(values, DType::kF32, 64, global_scale);
}

// Neighbouring gates are of like size, so a block shows the leading bits of each product.
TEST_CASE("silu(gate) * up of all 2^16 gates of bf16 and f16, and of f32 next to the cut to zero") {
  std::mt19937 random(5);
  constexpr int64_t kCols = 64, kRows = (1 << 16) / kCols;
  for (const DType dtype : {DType::kBf16, DType::kF16, DType::kF32}) {
    CAPTURE(std::string(name_of(dtype)));
    std::vector<float> both(kRows * 2 * kCols), product(kRows * kCols);
    for (int64_t i = 0; i < kRows * kCols; ++i) {
      const float next_to_cut = -87.33654f - 0x1p-17f * static_cast<float>(i - kRows * kCols / 2);
      const float gate = dtype == DType::kF32 ? next_to_cut : decode(static_cast<uint16_t>(i), dtype);
      const float up = round_to((1.f + static_cast<float>(random() % 1000) * 0.001f) * (dtype == DType::kF32 ? 1e36f
                                                                                        : random() % 2 != 0  ? 1.f
                                                                                                             : -1.f),
                                dtype);
      const int64_t row = i / kCols, column = i % kCols;
      both[row * 2 * kCols + column] = gate;
      both[row * 2 * kCols + kCols + column] = up;
      product[i] = round_to(math::silu_f32(gate) * up, dtype);
    }
    GuardedBuffer x(both.size() * bytes_of(dtype));
    x.fill(encode(both, dtype));
    const TensorView view = TensorView::contiguous(x.data(), dtype, {}, {kRows, 2 * kCols});
    const QuantizeProblem problem{.rows = kRows, .cols = kCols, .dtype = dtype, .input = QuantizeInput::kGateUp};
    for (const float global_scale : {1.f, 1e-5f}) {
      CAPTURE(global_scale);
      check_equal(run_quantize_on(card(), problem, view, {global_scale}),
                  reference::quantize(product, kRows, kCols, global_scale));
    }
  }
}

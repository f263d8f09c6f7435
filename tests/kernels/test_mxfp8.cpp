// MXFP8 quantisation against its definition, bit for bit: all 16-bit inputs, odd shapes, gaps, special values,
// refusals.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "b12x/quant.hpp"
#include "tests/kernels/support.hpp"
#include "tests/reference/mxfp8.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr DType kDtypes[] = {DType::kBf16, DType::kF16, DType::kF32};

// Quantises x [rows, cols] as the dtype holds it, with NaN between the rows and `shift` elements before the first one.
void check_quantize(const std::vector<float>& x, int64_t rows, int64_t cols, DType dtype, int64_t gap = 0,
                    int64_t shift = 0) {
  const Device device = card();
  const int64_t stride = cols + gap, extent = (rows - 1) * stride + cols;
  std::vector<float> padded(extent, kNan);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(&x[r * cols], cols, &padded[r * stride]);
  GuardedBuffer input(extent * bytes_of(dtype), shift * bytes_of(dtype));
  input.fill(encode(padded, dtype));
  TensorView view = TensorView::contiguous(input.data(), dtype, {}, {rows, cols});
  view.strides[0] = stride;
  GuardedBuffer values(rows * cols), scales(rows * cols / 32);
  const QuantizeMxfp8Plan plan = plan_quantize_mxfp8({.rows = rows, .cols = cols, .dtype = dtype}, device.info());
  load(plan, device);
  run_quantize_mxfp8(plan,
                     {.x = view,
                      .values = TensorView::contiguous(values.data(), DType::kE4m3, {}, {rows, cols}),
                      .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {rows, cols / 32})},
                     {}, Stream{device});
  check_status(Stream{device});
  const reference::Mxfp8 want = reference::quantize_mxfp8(x, rows, cols);
  const std::vector<uint8_t> got_scales = scales.read(), got_values = values.read();
  for (size_t i = 0; i < want.scales.size(); ++i) {
    if (got_scales[i] != want.scales[i])
      FAIL("scale ", i, ": got ", int(got_scales[i]), ", want ", int(want.scales[i]));
  }
  for (size_t i = 0; i < want.values.size(); ++i) {
    if (got_values[i] != want.values[i]) {
      FAIL("value ", i, " = ", x[i], ": got ", int(got_values[i]), ", want ", int(want.values[i]));
    }
  }
}

std::vector<float> random_matrix(int64_t count, DType dtype, unsigned seed) {
  std::vector<float> values = random_values(count, seed);
  for (float& value : values) value = round_to(value, dtype);
  return values;
}

}  // namespace

TEST_CASE("every dtype and shape, rows apart and unaligned") {
  for (const DType dtype : kDtypes) {
    for (const auto& [rows, cols] : {std::pair{1, 32}, {3, 96}, {17, 64}, {130, 160}, {1, 4096}, {5, 1056}}) {
      CAPTURE(std::string(name_of(dtype)));
      CAPTURE(rows);
      CAPTURE(cols);
      const std::vector<float> x = random_matrix(rows * cols, dtype, static_cast<unsigned>(rows + cols));
      check_quantize(x, rows, cols, dtype);
      check_quantize(x, rows, cols, dtype, 8);
      check_quantize(x, rows, cols, dtype, 3, 1);
    }
  }
}

TEST_CASE("all 2^16 inputs of bf16 and f16, beside a largest value of 0 to 20 octaves more") {
  for (const DType dtype : {DType::kBf16, DType::kF16}) {
    const int mantissa_bits = dtype == DType::kBf16 ? 7 : 10;
    const int infinity = dtype == DType::kBf16 ? 0x7F80 : 0x7C00;
    for (const int octaves : {0, 1, 3, 8, 11, 20}) {
      CAPTURE(std::string(name_of(dtype)));
      CAPTURE(octaves);
      std::vector<float> x;
      for (int first = 0; first < 1 << 16; first += 31) {
        for (int i = 0; i < 32; ++i) {
          // 31 patterns, then the last one's magnitude moved up.
          const int pattern = std::min(first + std::min(i, 30), 0xFFFF);
          const int largest = std::min((pattern & 0x7FFF) + (octaves << mantissa_bits), infinity - 1);
          const auto bits = static_cast<uint16_t>(i < 31 ? pattern : largest);
          x.push_back(
              static_cast<float>(dtype == DType::kBf16 ? reference::decode_bf16(bits) : reference::decode_f16(bits)));
        }
      }
      check_quantize(x, static_cast<int64_t>(x.size()) / 32, 32, dtype);
    }
  }
}

TEST_CASE("special values, and both sides of every step of the scale") {
  std::vector<float> x(12 * 32, 1.f);
  x[0] = kNan, x[40] = -kNan, x[41] = kInf;
  for (int i = 64; i < 96; ++i) x[i] = kNan;
  for (int i = 96; i < 128; ++i) x[i] = i % 2 ? -0.f : 0.f;
  for (int i = 128; i < 160; ++i) x[i] = std::ldexp(static_cast<float>(i - 127), -149);  // f32 subnormals
  x[160] = std::numeric_limits<float>::max(), x[192] = -kInf;
  x[224] = 448.f, x[256] = std::nextafter(448.f, 500.f);                      // scale 1, then 2
  x[288] = 0x1.cp-119f, x[320] = 0x1.c00002p-119f;                            // scale 2^-127, then 2^-126
  x[352] = 448.f, x[353] = 0x1p-10f, x[354] = 0x1.8p-9f, x[355] = -0x1p-10f;  // ties at the subnormal end
  check_quantize(x, 12, 32, DType::kF32);
  check_quantize(x, 1, 12 * 32, DType::kF32);
}

TEST_CASE("random bits of f32") {
  std::mt19937 random(5);
  std::vector<float> x(1 << 16);
  for (size_t i = 0; i < x.size(); ++i) {
    // Blocks of neighbouring exponents, so that not all but one value vanish.
    const uint32_t exponent = (static_cast<uint32_t>(i / 32) * 37 + random() % 14) % 256;
    x[i] = std::bit_cast<float>(static_cast<uint32_t>(random() & 0x807FFFFFu) | exponent << 23);
  }
  check_quantize(x, 256, 256, DType::kF32);
}

TEST_CASE("wrong arguments are refused by name, and nothing is launched") {
  const Device device = card();
  CHECK(contains(message_of([&] { plan_quantize_mxfp8({.rows = 1, .cols = 48}, device.info()); }),
                 "quantize_mxfp8: cols is 48, want a multiple of 32"));
  CHECK(contains(message_of([&] { plan_quantize_mxfp8({.rows = 1 << 24, .cols = 1 << 24}, device.info()); }),
                 "16777216 x 16777216 values, want fewer than 2^35"));
  const QuantizeMxfp8Plan plan = plan_quantize_mxfp8({.rows = 4, .cols = 32}, device.info());
  load(plan, device);
  GuardedBuffer x(4 * 32 * 2), values(4 * 32), scales(4);
  const QuantizeMxfp8Args good{.x = TensorView::contiguous(x.data(), DType::kBf16, {}, {4, 32}),
                               .values = TensorView::contiguous(values.data(), DType::kU8, {}, {4, 32}),
                               .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {4, 1})};
  const auto message = [&](auto&& change) {
    QuantizeMxfp8Args args = good;
    change(args);
    return message_of([&] { run_quantize_mxfp8(plan, args, {}, Stream{device}); });
  };
  reset_kernel_stats(device);
  CHECK(contains(message([](auto& a) { a.x.dtype = DType::kF32; }), "x has dtype float32, want bfloat16"));
  CHECK(contains(message([](auto& a) { a.x.shape[0] = 5; }), "x has shape [5, 32], want [4, 32]"));
  CHECK(contains(message([](auto& a) { a.x.strides[0] = 16; }), "x has row stride 16"));
  CHECK(contains(message([](auto& a) { a.values.dtype = DType::kBf16; }), "values has dtype bfloat16, want uint8 or"));
  CHECK(contains(message([&](auto& a) { a.values.data = static_cast<uint8_t*>(values.data()) + 8; }),
                 "values starts at a multiple of 16 bytes plus 8, want a multiple of 16"));
  CHECK(contains(message([](auto& a) { a.scales.shape[1] = 2; }),
                 "scales has shape [4, 2], want [4, 1] = rows, cols / 32"));
  CHECK(contains(message([](auto& a) { a.scales.device = {Place::kCuda, 0}; }), "scales is on cuda:0, want cpu"));
  CHECK(kernel_stats(device).empty());
  const QuantizeMxfp8Plan none = plan_quantize_mxfp8({.rows = 0, .cols = 32}, device.info());
  run_quantize_mxfp8(none,
                     {.x = TensorView::contiguous(nullptr, DType::kBf16, {}, {0, 32}),
                      .values = TensorView::contiguous(nullptr, DType::kU8, {}, {0, 32}),
                      .scales = TensorView::contiguous(nullptr, DType::kU8, {}, {0, 1})},
                     {}, Stream{device});
  CHECK(kernel_stats(device).empty());
}

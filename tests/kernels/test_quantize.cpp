// Every quantisation kernel against the reference formula, bit for bit: odd shapes, strided and unaligned input,
// special values, and outputs that must be written whole and not a byte further.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "b12x/quant.hpp"
#include "kernels/math/silu.h"
#include "tests/kernels/quantize_support.hpp"
#include "tests/kernels/support.hpp"
#include "tests/reference/nvfp4.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Matrix {
  int64_t rows, cols;
  std::vector<float> values;  // as the dtype holds them
};

Matrix random_matrix(int64_t rows, int64_t cols, DType dtype, unsigned seed) {
  Matrix matrix{rows, cols, random_values(rows * cols, seed)};
  for (float& value : matrix.values) value = round_to(value, dtype);
  return matrix;
}

// The matrix on the device; gaps between rows are NaN, and the first element lies `shift` elements off alignment.
struct DeviceMatrix {
  GuardedBuffer buffer;
  TensorView view;

  DeviceMatrix(const Matrix& matrix, DType dtype, int64_t gap = 0, int64_t shift = 0)
      : buffer(matrix.rows * (matrix.cols + gap) * bytes_of(dtype), shift * bytes_of(dtype)) {
    const int64_t stride = matrix.cols + gap;
    std::vector<float> padded(matrix.rows * stride, kNan);
    for (int64_t r = 0; r < matrix.rows; ++r) {
      std::copy_n(&matrix.values[r * matrix.cols], matrix.cols, &padded[r * stride]);
    }
    buffer.fill(encode(padded, dtype));
    view = TensorView::contiguous(buffer.data(), dtype, {}, {matrix.rows, matrix.cols});
    view.strides[0] = stride;
  }
};

Output run(const TensorView& x, int64_t rows, int64_t cols, float gs, QuantizeInput input = QuantizeInput::kPlain) {
  return run_quantize_on(card(), {.rows = rows, .cols = cols, .dtype = x.dtype, .input = input}, x, {gs});
}

constexpr DType kDtypes[] = {DType::kBf16, DType::kF16, DType::kF32};
struct Shape {
  int64_t rows, cols;
};
constexpr Shape kShapes[] = {{1, 16}, {3, 48}, {17, 80}, {33, 64}, {128, 128}, {129, 144}, {200, 320}};

float run_global_scale(const DeviceMatrix& x, const Matrix& matrix, const Workspace& workspace) {
  const Device device = card();
  GuardedBuffer out(4);
  const GlobalScalePlan plan =
      plan_global_scale({.rows = matrix.rows, .cols = matrix.cols, .dtype = x.view.dtype}, device.info());
  load(plan, device);
  run_global_scale(plan, {.x = x.view, .global_scale = TensorView::contiguous(out.data(), DType::kF32, {}, {1})},
                   workspace, Stream{device});
  check_status(Stream{device});
  return out.read_as<float>()[0];
}

}  // namespace

TEST_CASE("quantise equals the formula for every dtype and shape") {
  for (const DType dtype : kDtypes) {
    for (const auto& [rows, cols] : kShapes) {
      CAPTURE(std::string(name_of(dtype)));
      CAPTURE(rows);
      CAPTURE(cols);
      const Matrix matrix = random_matrix(rows, cols, dtype, static_cast<unsigned>(rows * 1000 + cols));
      const float gs = reference::global_scale(matrix.values);
      check_equal(run(DeviceMatrix(matrix, dtype).view, rows, cols, gs),
                  reference::quantize(matrix.values, rows, cols, gs));
    }
  }
}

TEST_CASE("rows may be apart and start anywhere; what lies between them is not read") {
  for (const DType dtype : kDtypes) {
    for (const auto& [gap, shift] : {std::pair{8, 0}, {3, 0}, {0, 1}, {5, 3}}) {
      CAPTURE(std::string(name_of(dtype)));
      CAPTURE(gap);
      CAPTURE(shift);
      const Matrix matrix = random_matrix(19, 96, dtype, 5);
      const float gs = reference::global_scale(matrix.values);
      check_equal(run(DeviceMatrix(matrix, dtype, gap, shift).view, 19, 96, gs),
                  reference::quantize(matrix.values, 19, 96, gs));
    }
  }
}

TEST_CASE("special values: NaN empties its block alone, infinities saturate, tiny blocks use subnormal scales") {
  for (const DType dtype : kDtypes) {
    CAPTURE(std::string(name_of(dtype)));
    Matrix matrix = random_matrix(6, 64, dtype, 9);
    const auto at = [&](int64_t row, int64_t col) -> float& { return matrix.values[row * 64 + col]; };
    at(0, 3) = kNan;
    at(1, 20) = kInf, at(1, 21) = -kInf;
    at(2, 40) = kInf, at(2, 41) = kNan;
    for (int64_t col = 0; col < 64; ++col) {
      at(3, col) = 0.f;                                                     // zero blocks
      at(4, col) = round_to(std::ldexp(1.f + 0.07f * col, -14), dtype);     // scales far below 2^-6
      at(5, col) = col % 2 ? -0.f : round_to(std::ldexp(1.f, -24), dtype);  // subnormal f16, scale rounds to 0
    }
    for (const float gs : {reference::global_scale(matrix.values), 1.f, 0x1p-20f, 1e-38f, 1e30f}) {
      CAPTURE(gs);
      check_equal(run(DeviceMatrix(matrix, dtype).view, 6, 64, gs), reference::quantize(matrix.values, 6, 64, gs));
    }
  }
}

TEST_CASE("ties of both roundings go to even") {
  // Under global scale 1 a block maximum of 6 S makes the scale S; halves of grid steps are then exact ties.
  Matrix matrix{4, 32, std::vector<float>(4 * 32)};
  const float ties[16] = {6,     .25f,  .75f,   1.25f,  1.75f, 2.5f,  3.5f, 5,
                          -.25f, -.75f, -1.25f, -1.75f, -2.5f, -3.5f, -5,   0};
  for (int64_t r = 0; r < 4; ++r) {
    for (int64_t c = 0; c < 32; ++c) matrix.values[r * 32 + c] = ties[c % 16] * std::ldexp(1.f, static_cast<int>(r));
    matrix.values[r * 32 + 16] = 6 * (1.0625f + 0.125f * static_cast<float>(r));  // scale between two e4m3 values
  }
  check_equal(run(DeviceMatrix(matrix, DType::kF32).view, 4, 32, 1.f), reference::quantize(matrix.values, 4, 32, 1.f));
}

TEST_CASE("silu(gate) * up equals the formula in both orders") {
  for (const DType dtype : kDtypes) {
    for (const auto& [rows, cols] : {Shape{1, 16}, {5, 48}, {130, 80}}) {
      const Matrix both = random_matrix(rows, 2 * cols, dtype, static_cast<unsigned>(rows + cols));
      const DeviceMatrix x(both, dtype, 4);
      for (const QuantizeInput input : {QuantizeInput::kGateUp, QuantizeInput::kUpGate}) {
        CAPTURE(std::string(name_of(dtype)));
        CAPTURE(rows);
        std::vector<float> product(rows * cols);
        for (int64_t r = 0; r < rows; ++r) {
          const float* first = &both.values[r * 2 * cols];
          for (int64_t c = 0; c < cols; ++c) {
            const float gate = input == QuantizeInput::kGateUp ? first[c] : first[cols + c];
            const float up = input == QuantizeInput::kGateUp ? first[cols + c] : first[c];
            product[r * cols + c] = round_to(math::silu_f32(gate) * up, dtype);
          }
        }
        const float gs = reference::global_scale(product);
        check_equal(run(x.view, rows, cols, gs, input), reference::quantize(product, rows, cols, gs));
      }
    }
  }
}

TEST_CASE("global scale: largest finite magnitude, again and again on one workspace") {
  const Device device = card();
  DeviceBuffer memory(device, 256);
  const std::vector<uint8_t> poison(256, 0xFF);
  memory.upload(poison.data(), poison.size());
  const Workspace workspace{memory.data(), memory.bytes()};
  workspace_init(workspace, Stream{device});
  for (const DType dtype : kDtypes) {
    for (const auto& [rows, cols] : {Shape{1, 1}, {1, 16}, {7, 33}, {200, 320}, {9, 1024}, {5, 2051}, {3, 4096}}) {
      CAPTURE(std::string(name_of(dtype)));
      CAPTURE(rows);
      Matrix matrix = random_matrix(rows, cols, dtype, static_cast<unsigned>(rows + cols));
      // Rows apart and off alignment, apart and aligned, side by side and off, side by side.
      for (const auto& [gap, shift] : {std::pair<int64_t, int64_t>{3, 1}, {8 - cols % 8, 0}, {0, 1}, {0, 0}}) {
        CHECK(run_global_scale({matrix, dtype, gap, shift}, matrix, workspace) ==
              reference::global_scale(matrix.values));
      }
      // Its place is every one of a unit's ends.
      for (const int64_t at : {int64_t{0}, cols - 1, rows * cols - 1, rows * cols / 2}) {
        Matrix peak = matrix;
        peak.values[at] = round_to(-7777.f, dtype);
        for (const int64_t gap : {int64_t{0}, 8 - cols % 8}) {
          CHECK(run_global_scale({peak, dtype, gap}, peak, workspace) == round_to(7777.f, dtype) / 2688.f);
        }
      }
      if (rows < 7) continue;
      matrix.values[5] = kInf, matrix.values[40] = kNan, matrix.values[rows * cols - 1] = round_to(-9999.f, dtype);
      CHECK(run_global_scale({matrix, dtype}, matrix, workspace) == round_to(9999.f, dtype) / 2688.f);
    }
    const Matrix zeros{2, 16, std::vector<float>(32, 0.f)};
    CHECK(run_global_scale({zeros, dtype}, zeros, workspace) == 1.f);
    const Matrix nothing{1, 16, std::vector<float>(16, kNan)};
    CHECK(run_global_scale({nothing, dtype}, nothing, workspace) == 1.f);
  }
}

TEST_CASE("wrong arguments are refused by name, and nothing is launched") {
  const Device device = card();
  const Stream stream{device};
  const QuantizePlan plan = plan_quantize({.rows = 4, .cols = 32}, device.info());
  load(plan, device);
  GuardedBuffer x(4 * 32 * 2), packed(4 * 16), scales(512);
  const QuantizeArgs good{.x = TensorView::contiguous(x.data(), DType::kBf16, {}, {4, 32}),
                          .global_scale = {},
                          .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {4, 16}),
                          .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {512})};
  const auto message = [&](auto&& change) {
    QuantizeArgs args = good;
    change(args);
    return message_of([&] { run_quantize(plan, args, {}, stream); });
  };
  reset_kernel_stats(device);
  CHECK(contains(message([](QuantizeArgs& a) { a.x.dtype = DType::kF16; }), "x has dtype float16, want bfloat16"));
  CHECK(contains(message([](QuantizeArgs& a) { a.x.shape[1] = 48; }), "x has shape [4, 48], want [4, 32]"));
  CHECK(contains(message([](QuantizeArgs& a) { a.x.strides[1] = 2; }), "x has column stride 2"));
  CHECK(contains(message([](QuantizeArgs& a) { a.x.device = {Place::kCuda, 0}; }), "x is on cuda:0, want cpu"));
  CHECK(contains(message([](QuantizeArgs& a) { a.packed.shape[1] = 32; }), "packed has shape [4, 32], want [4, 16]"));
  CHECK(contains(message([](QuantizeArgs& a) { a.scales.shape[0] = 256; }),
                 "scales has 256 bytes, want 512 = align(rows, 128) * align(cols / 16, 4)"));
  CHECK(contains(message([&](QuantizeArgs& a) { a.global_scale = a.scales; }), "global_scale has dtype uint8"));
  CHECK(kernel_stats(device).empty());
  packed.read(), scales.read();

  const GlobalScalePlan scale_plan = plan_global_scale({.rows = 4, .cols = 32}, device.info());
  GuardedBuffer out(4);
  CHECK(contains(message_of([&] {
                   run_global_scale(
                       scale_plan,
                       {.x = good.x, .global_scale = TensorView::contiguous(out.data(), DType::kF32, {}, {1})}, {},
                       stream);
                 }),
                 "workspace has 0 bytes, want 8"));
}

TEST_CASE("no rows: nothing is launched") {
  const Device device = card();
  const QuantizePlan plan = plan_quantize({.rows = 0, .cols = 32}, device.info());
  reset_kernel_stats(device);
  run_quantize(plan,
               {.x = TensorView::contiguous(nullptr, DType::kBf16, {}, {0, 32}),
                .global_scale = {},
                .packed = TensorView::contiguous(nullptr, DType::kU8, {}, {0, 16}),
                .scales = TensorView::contiguous(nullptr, DType::kU8, {}, {0, 4})},
               {}, Stream{device});
  CHECK(kernel_stats(device).empty());
}

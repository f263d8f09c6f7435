// Groups of rows, of which the device knows how many count: each group equals a quantisation of its own, rows that do
// not count are not read and come out as zero, and both conventions of the global scale give the same bytes.
#include <algorithm>
#include <initializer_list>

#include "tests/kernels/quantize_support.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct GroupedCase {
  int64_t rows, cols, row_gap, group_gap;
  std::vector<int32_t> row_counts;
};

// x as the kernel gets it: NaN wherever a row does not count, in the gaps too; memory ends with the last row that
// counts.
struct GroupedInput {
  int64_t row_stride, group_stride;
  std::vector<float> values;  // [groups, rows, cols] with zeros where a row does not count
  std::vector<uint8_t> bytes;

  GroupedInput(const GroupedCase& one, int64_t x_cols, DType dtype, unsigned seed)
      : row_stride(x_cols + one.row_gap), group_stride(one.rows * row_stride + one.group_gap) {
    const auto groups = static_cast<int64_t>(one.row_counts.size());
    values = random_values(groups * one.rows * x_cols, seed);
    std::vector<float> padded(groups * group_stride, kNan);
    int64_t used = 0;
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t r = 0; r < one.rows; ++r) {
        const bool counts = r < one.row_counts[g];
        for (int64_t c = 0; c < x_cols; ++c) {
          float& value = values[(g * one.rows + r) * x_cols + c];
          value = counts ? round_to(value, dtype) : 0.f;
          if (counts) padded[g * group_stride + r * row_stride + c] = value;
        }
        if (counts) used = g * group_stride + r * row_stride + x_cols;
      }
    }
    padded.resize(used);
    bytes = encode(padded, dtype);
  }
};

// What each group is on its own; a row that does not count is a row of zeros.
reference::Nvfp4 quantize_groups(const std::vector<float>& values, int64_t groups, int64_t rows, int64_t cols,
                                 const std::vector<float>& global_scales) {
  reference::Nvfp4 all{.rows = groups * rows, .cols = cols, .packed = {}, .scales = {}};
  for (int64_t g = 0; g < groups; ++g) {
    const auto first = values.begin() + g * rows * cols;
    const reference::Nvfp4 one =
        reference::quantize({first, first + rows * cols}, rows, cols, global_scales[g % global_scales.size()]);
    all.packed.insert(all.packed.end(), one.packed.begin(), one.packed.end());
    all.scales.insert(all.scales.end(), one.scales.begin(), one.scales.end());
  }
  return all;
}

constexpr DType kDtypes[] = {DType::kBf16, DType::kF16, DType::kF32};

}  // namespace

TEST_CASE("each group equals its own quantisation up to its row count; what does not count is not read") {
  const GroupedCase cases[] = {
      {1, 16, 0, 0, {1, 0, 1}},        {5, 48, 0, 0, {5, 2, 0, 1}},         {130, 80, 16, 0, {129, 0, 130}},
      {33, 272, 3, 7, {32, 33, 1, 0}}, {256, 64, 0, 64, {128, 256, 0, 17}}, {3, 16, 0, 0, std::vector<int32_t>(70, 2)},
  };
  for (const GroupedCase& one : cases) {
    for (const DType dtype : kDtypes) {
      const auto groups = static_cast<int64_t>(one.row_counts.size());
      CAPTURE(std::string(name_of(dtype)));
      CAPTURE(one.rows);
      CAPTURE(one.cols);
      const GroupedInput input(one, one.cols, dtype, static_cast<unsigned>(one.rows + one.cols));
      GuardedBuffer x(input.bytes.size());
      x.fill(input.bytes);
      TensorView view = TensorView::contiguous(x.data(), dtype, {}, {groups, one.rows, one.cols});
      view.strides[0] = input.group_stride, view.strides[1] = input.row_stride;
      std::vector<float> each(groups);
      for (int64_t g = 0; g < groups; ++g) each[g] = 0.003f * static_cast<float>(1 + g % 7);
      for (const std::vector<float>& global_scales : {std::vector{0.011f}, each}) {
        const QuantizeProblem problem{.rows = one.rows, .cols = one.cols, .dtype = dtype, .groups = groups};
        check_equal(run_quantize_on(card(), problem, view, global_scales, one.row_counts),
                    quantize_groups(input.values, groups, one.rows, one.cols, global_scales));
      }
    }
  }
}

TEST_CASE("without counts all rows count; counts beyond the rows are taken as the nearer end") {
  const GroupedCase all{19, 96, 0, 0, {19, 19, 19}};
  const GroupedInput input(all, 96, DType::kBf16, 3);
  GuardedBuffer x(input.bytes.size());
  x.fill(input.bytes);
  const TensorView view = TensorView::contiguous(x.data(), DType::kBf16, {}, {3, 19, 96});
  const QuantizeProblem problem{.rows = 19, .cols = 96, .groups = 3};
  const reference::Nvfp4 want = quantize_groups(input.values, 3, 19, 96, {0.02f});
  check_equal(run_quantize_on(card(), problem, view, {0.02f}), want);
  check_equal(run_quantize_on(card(), problem, view, {0.02f}, std::vector<int32_t>{2147483647, 20, 19}), want);
  const Output none = run_quantize_on(card(), problem, view, {0.02f}, std::vector<int32_t>{-1, -2147483647 - 1, 0});
  CHECK(std::count(none.packed.begin(), none.packed.end(), 0) == 3 * 19 * 48);
  CHECK(std::count(none.scales.begin(), none.scales.end(), 0) == 3 * 128 * 8);
}

TEST_CASE("silu(gate) * up of groups: rows that count equal the same rows in one matrix") {
  const GroupedCase one{9, 64, 0, 16, {9, 4}};
  for (const QuantizeInput order : {QuantizeInput::kGateUp, QuantizeInput::kUpGate}) {
    const GroupedInput input(one, 128, DType::kBf16, 11);
    GuardedBuffer x(input.bytes.size());
    x.fill(input.bytes);
    TensorView view = TensorView::contiguous(x.data(), DType::kBf16, {}, {2, 9, 128});
    view.strides[0] = input.group_stride;
    const Output got =
        run_quantize_on(card(), {.rows = 9, .cols = 64, .input = order, .groups = 2}, view, {0.4f}, one.row_counts);
    for (int64_t g = 0; g < 2; ++g) {
      TensorView alone = TensorView::contiguous(static_cast<uint8_t*>(x.data()) + g * input.group_stride * 2,
                                                DType::kBf16, {}, {one.row_counts[g], 128});
      const Output want =
          run_quantize_on(card(), {.rows = one.row_counts[g], .cols = 64, .input = order}, alone, {0.4f});
      CHECK(std::equal(want.packed.begin(), want.packed.end(), got.packed.begin() + g * 9 * 32));
      CHECK(std::equal(want.scales.begin(), want.scales.end(), got.scales.begin() + g * 512));
    }
  }
}

TEST_CASE("a reciprocal global scale is one IEEE division away from the scale itself") {
  const GroupedCase one{17, 80, 0, 0, {17}};
  const GroupedInput input(one, 80, DType::kF32, 5);
  GuardedBuffer x(input.bytes.size());
  x.fill(input.bytes);
  const TensorView view = TensorView::contiguous(x.data(), DType::kF32, {}, {17, 80});
  for (const float reciprocal : {3.f, 1e-30f, 2688.f / 117.f, 1e37f}) {
    const Output got = run_quantize_on(
        card(), {.rows = 17, .cols = 80, .dtype = DType::kF32, .global_scale_is_reciprocal = true}, view, {reciprocal});
    check_equal(got, reference::quantize(input.values, 17, 80, 1.f / reciprocal));
  }
}

TEST_CASE("wrong groups are refused by name") {
  const Device device = card();
  const Stream stream{device};
  const QuantizePlan plan = plan_quantize({.rows = 4, .cols = 32, .groups = 3}, device.info());
  load(plan, device);
  GuardedBuffer x(3 * 4 * 32 * 2), packed(3 * 4 * 16), scales(3 * 512), counts(12);
  const QuantizeArgs good{.x = TensorView::contiguous(x.data(), DType::kBf16, {}, {3, 4, 32}),
                          .global_scale = {},
                          .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {3, 4, 16}),
                          .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {3 * 512}),
                          .row_counts = TensorView::contiguous(counts.data(), DType::kI32, {}, {3})};
  const auto message = [&](auto&& change) {
    QuantizeArgs args = good;
    change(args);
    return message_of([&] { run_quantize(plan, args, {}, stream); });
  };
  reset_kernel_stats(device);
  CHECK(contains(message([](QuantizeArgs& a) { a.x.rank = 2; }), "x has shape [3, 4], want [3, 4, 32] = groups, rows"));
  CHECK(contains(message([](QuantizeArgs& a) { a.x.strides[2] = 2; }), "x has column stride 2"));
  CHECK(contains(message([](QuantizeArgs& a) { a.packed.shape[0] = 4; }),
                 "packed has shape [4, 4, 16], want [3, 4, 16]"));
  CHECK(contains(message([](QuantizeArgs& a) { a.scales.shape[0] = 512; }),
                 "scales has 512 bytes, want 1536 = groups * align(rows, 128) * align(cols / 16, 4)"));
  CHECK(contains(message([](QuantizeArgs& a) { a.row_counts.dtype = DType::kF32; }),
                 "row_counts has dtype float32, want int32"));
  CHECK(contains(message([](QuantizeArgs& a) { a.row_counts.shape[0] = 2; }), "row_counts has shape [2], want [3]"));
  CHECK(
      contains(message([](QuantizeArgs& a) { a.row_counts.strides[0] = 2; }), "row_counts of shape [3] is not contig"));
  CHECK(contains(message([](QuantizeArgs& a) { a.row_counts.device = {Place::kCuda, 1}; }), "row_counts is on cuda:1"));
  CHECK(contains(
      message([&](QuantizeArgs& a) { a.global_scale = TensorView::contiguous(counts.data(), DType::kF32, {}, {2}); }),
      "global_scale has shape [2], want one element or [3] = groups"));
  CHECK(kernel_stats(device).empty());
}

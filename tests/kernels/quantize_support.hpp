// quantize_support.hpp: one quantisation between sentinels, and its comparison with the reference.
#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "b12x/quant.hpp"
#include "tests/kernels/support.hpp"
#include "tests/reference/nvfp4.hpp"

namespace b12x::testing {

struct Output {
  std::vector<uint8_t> packed, scales;
};

inline Output run_quantize_on(const Device& device, const QuantizeProblem& problem, const TensorView& x,
                              const std::vector<float>& global_scales,
                              const std::optional<std::vector<int32_t>>& row_counts = {}) {
  const auto& [rows, cols] = std::pair{problem.rows, problem.cols};
  const int64_t groups = problem.groups, scale_bytes = groups * reference::scale_bytes(rows, cols);
  GuardedBuffer scale(4 * global_scales.size()), packed(groups * rows * cols / 2), scales(scale_bytes);
  scale.fill(global_scales);
  GuardedBuffer counts(4 * groups);
  if (row_counts) counts.fill(*row_counts);
  const QuantizePlan plan = plan_quantize(problem, device.info());
  load(plan, device);
  const Stream stream{device};
  const auto scale_count = static_cast<int64_t>(global_scales.size());
  run_quantize(
      plan,
      {.x = x,
       .global_scale = TensorView::contiguous(scale.data(), DType::kF32, {}, {scale_count}),
       .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {groups, rows, cols / 2}),
       .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {scale_bytes}),
       .row_counts = row_counts ? TensorView::contiguous(counts.data(), DType::kI32, {}, {groups}) : TensorView{}},
      {}, stream);
  check_status(stream);
  return {packed.read(), scales.read()};
}

inline void check_equal(const Output& got, const reference::Nvfp4& want) {
  for (size_t i = 0; i < want.packed.size(); ++i) {
    if (got.packed[i] != want.packed[i]) {
      FAIL("packed byte ", i, " = row ", 2 * i / want.cols, " column ", 2 * i % want.cols, ": got ", int(got.packed[i]),
           ", want ", int(want.packed[i]));
    }
  }
  for (size_t i = 0; i < want.scales.size(); ++i) {
    if (got.scales[i] != want.scales[i]) {
      FAIL("swizzled scale byte ", i, ": got ", int(got.scales[i]), ", want ", int(want.scales[i]));
    }
  }
}

}  // namespace b12x::testing

// A kernel that leaves its memory ends in one error that names kernel, source line and buffer. A program of its own: as
// on a GPU, the device is lost to the process after a fault.
#include "b12x/quant.hpp"
#include "tests/kernels/support.hpp"

using namespace b12x;
using namespace b12x::testing;

TEST_CASE("a write past an output is found, said, and ends the device") {
  const Device device = card();
  const QuantizePlan plan = plan_quantize({.rows = 4, .cols = 64}, device.info());
  load(plan, device);
  DeviceBuffer x(device, 4 * 64 * 2), packed(device, 4 * 32 - 8), scales(device, 512);
  const std::vector<uint8_t> zeros(x.bytes());
  x.upload(zeros.data(), zeros.size());
  const QuantizeArgs args{.x = TensorView::contiguous(x.data(), DType::kBf16, {}, {4, 64}),
                          .global_scale = {},
                          .packed = TensorView::contiguous(packed.data(), DType::kU8, {}, {4, 32}),
                          .scales = TensorView::contiguous(scales.data(), DType::kU8, {}, {512})};
  const auto run = [&] {
    run_quantize(plan, args, {}, Stream{device});
    check_status(Stream{device});
  };
  const std::string message = message_of(run);
  INFO(message);
  CHECK(contains(message, "failed: CUDA_ERROR_ILLEGAL_ADDRESS"));
  CHECK(contains(message, "nvfp4_quantize.cuh:"));
  CHECK(contains(message, "st.global"));
  CHECK(contains(message, "past"));
  CHECK(contains(message_of(run), "CUDA_ERROR_ILLEGAL_ADDRESS"));
}

// cases.cpp: every kernel of the library over shapes that reach its edges, with special values among the inputs.
#include "tests/calibration/cases.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "b12x/gemm.hpp"
#include "b12x/quant.hpp"
#include "b12x/workspace.hpp"
#include "tests/reference/number_formats.hpp"
#include "tests/reference/nvfp4.hpp"

namespace calibration {
namespace {

using namespace b12x;

class Random {  // splitmix64
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
  }
  // Uniform mantissa and sign, exponent in [-8, 8).
  float value() {
    const uint64_t bits = next();
    const float magnitude = std::ldexp(1.f + static_cast<float>(bits & 0x7FFFFF) * 0x1p-23f, int(bits >> 23 & 15) - 8);
    return bits >> 63 ? -magnitude : magnitude;
  }

 private:
  uint64_t state_;
};

std::vector<float> values(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> out(count);
  for (float& value : out) {
    value = random.value();
    switch (random.next() % 257) {
      case 0:
        value = std::numeric_limits<float>::quiet_NaN();
        break;
      case 1:
        value = std::numeric_limits<float>::infinity();
        break;
      case 2:
      case 3:
        value = -0.f;
        break;
      case 4:
      case 5:
        value *= 0x1p-20f;
        break;
      default:
        break;
    }
  }
  return out;
}

std::vector<uint8_t> encode(const std::vector<float>& from, DType dtype) {
  std::vector<uint8_t> bytes(from.size() * bytes_of(dtype));
  for (size_t i = 0; i < from.size(); ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(&bytes[4 * i], &from[i], 4);
    } else {
      const uint16_t bits = dtype == DType::kBf16 ? reference::encode_bf16(from[i]) : reference::encode_f16(from[i]);
      std::memcpy(&bytes[2 * i], &bits, 2);
    }
  }
  return bytes;
}

// A device array; outputs start as 0xA5 so that what a kernel leaves out is seen.
struct Array {
  DeviceBuffer buffer;
  TensorView view;

  Array(const Device& device, DType dtype, std::initializer_list<int64_t> shape, const std::vector<uint8_t>& bytes)
      : buffer(device, bytes.size()), view(TensorView::contiguous(buffer.data(), dtype, device.memory(), shape)) {
    buffer.upload(bytes.data(), bytes.size());
  }
  Array(const Device& device, DType dtype, std::initializer_list<int64_t> shape)
      : Array(device, dtype, shape,
              std::vector<uint8_t>(TensorView::contiguous(nullptr, dtype, {}, shape).bytes(), 0xA5)) {}

  void append_to(std::vector<uint8_t>& out) const {
    const size_t at = out.size();
    out.resize(at + buffer.bytes());
    buffer.download(&out[at], buffer.bytes());
  }
};

template <class T>
std::vector<uint8_t> bytes_of_value(T value) {
  const auto bytes = std::bit_cast<std::array<uint8_t, sizeof(T)>>(value);
  return {bytes.begin(), bytes.end()};
}

std::vector<uint8_t> run_global_scale_case(const Device& device, DType dtype, int64_t rows, int64_t cols) {
  const Stream stream{device};
  const Array x(device, dtype, {rows, cols}, encode(values(rows * cols, 11 * rows + cols), dtype));
  const Array out(device, DType::kF32, {1});
  const GlobalScalePlan plan = plan_global_scale({.rows = rows, .cols = cols, .dtype = dtype}, device.info());
  load(plan, device);
  const DeviceBuffer memory(device, plan.workspace_bytes);
  const Workspace workspace{memory.data(), memory.bytes()};
  workspace_init(workspace, stream);
  run_global_scale(plan, {.x = x.view, .global_scale = out.view}, workspace, stream);
  check_status(stream);
  std::vector<uint8_t> bytes;
  out.append_to(bytes);
  return bytes;
}

std::vector<uint8_t> run_quantize_case(const Device& device, DType dtype, QuantizeInput input, int64_t rows,
                                       int64_t cols) {
  const Stream stream{device};
  const int64_t x_cols = input == QuantizeInput::kPlain ? cols : 2 * cols;
  const Array x(device, dtype, {rows, x_cols}, encode(values(rows * x_cols, 7 * rows + cols), dtype));
  const Array scale(device, DType::kF32, {1}, bytes_of_value(0.037f));
  const Array packed(device, DType::kU8, {rows, cols / 2}), scales(device, DType::kU8, {nvfp4_scale_bytes(rows, cols)});
  const QuantizePlan plan = plan_quantize({.rows = rows, .cols = cols, .dtype = dtype, .input = input}, device.info());
  load(plan, device);
  run_quantize(plan, {.x = x.view, .global_scale = scale.view, .packed = packed.view, .scales = scales.view}, {},
               stream);
  check_status(stream);
  std::vector<uint8_t> bytes;
  packed.append_to(bytes);
  scales.append_to(bytes);
  return bytes;
}

// Groups of which not all rows count, with a scale each, given as reciprocals.
std::vector<uint8_t> run_grouped_case(const Device& device, DType dtype, int64_t groups, int64_t rows, int64_t cols) {
  const Stream stream{device};
  const Array x(device, dtype, {groups, rows, cols}, encode(values(groups * rows * cols, 5 * rows + cols), dtype));
  std::vector<uint8_t> scale_bytes, count_bytes;
  for (int64_t g = 0; g < groups; ++g) {
    for (const uint8_t byte : bytes_of_value(0.7f + static_cast<float>(g))) scale_bytes.push_back(byte);
    for (const uint8_t byte : bytes_of_value(static_cast<int32_t>(g * 37 % (rows + 1)))) count_bytes.push_back(byte);
  }
  const Array scale(device, DType::kF32, {groups}, scale_bytes), counts(device, DType::kI32, {groups}, count_bytes);
  const Array packed(device, DType::kU8, {groups, rows, cols / 2});
  const Array scales(device, DType::kU8, {groups * nvfp4_scale_bytes(rows, cols)});
  const QuantizePlan plan =
      plan_quantize({.rows = rows, .cols = cols, .dtype = dtype, .groups = groups, .global_scale_is_reciprocal = true},
                    device.info());
  load(plan, device);
  run_quantize(plan,
               {.x = x.view,
                .global_scale = scale.view,
                .packed = packed.view,
                .scales = scales.view,
                .row_counts = counts.view},
               {}, stream);
  check_status(stream);
  std::vector<uint8_t> bytes;
  packed.append_to(bytes);
  scales.append_to(bytes);
  return bytes;
}

std::vector<uint8_t> run_mxfp8_case(const Device& device, DType dtype, int64_t rows, int64_t cols) {
  const Stream stream{device};
  const Array x(device, dtype, {rows, cols}, encode(values(rows * cols, 3 * rows + cols), dtype));
  const Array out(device, DType::kE4m3, {rows, cols}), scales(device, DType::kU8, {rows, cols / 32});
  const QuantizeMxfp8Plan plan = plan_quantize_mxfp8({.rows = rows, .cols = cols, .dtype = dtype}, device.info());
  load(plan, device);
  run_quantize_mxfp8(plan, {.x = x.view, .values = out.view, .scales = scales.view}, {}, stream);
  check_status(stream);
  std::vector<uint8_t> bytes;
  out.append_to(bytes);
  scales.append_to(bytes);
  return bytes;
}

// `quantizes`: A comes as values of the output's type.
std::vector<uint8_t> run_gemm_case(const Device& device, DType dtype, int64_t m, int64_t n, int64_t k, bool quantizes) {
  const Stream stream{device};
  const reference::Nvfp4 a_host = reference::hard_operand(m, k, m, true);
  const reference::Nvfp4 b_host = reference::hard_operand(n, k, 1000 + n + k, false);
  const Array a(device, DType::kU8, {m, k / 2}, a_host.packed), b(device, DType::kU8, {n, k / 2}, b_host.packed);
  const Array a_scales(device, DType::kU8, {nvfp4_scale_bytes(m, k)}, a_host.scales);
  const Array b_scales(device, DType::kU8, {nvfp4_scale_bytes(n, k)}, b_host.scales);
  const Array alpha(device, DType::kF32, {1}, bytes_of_value(dtype == DType::kF16 ? 2e-7f : 0.0021f));
  const Array out(device, dtype, {m, n});
  std::vector<float> finite(m * k);  // NaN would be all that a row comes to
  Random random(m + k);
  for (float& value : finite) value = random.value();
  const Array x(device, dtype, {m, k}, encode(finite, dtype));
  const Array gs(device, DType::kF32, {1}, bytes_of_value(0.037f));
  GemmProblem problem{.m = m, .n = n, .k = k, .out_dtype = dtype};
  if (quantizes) problem.a_dtype = dtype;
  const GemmPlan plan = plan_gemm(problem, device.info());
  load(plan, device);
  const DeviceBuffer workspace(device, plan.workspace_bytes);
  workspace_init({workspace.data(), workspace.bytes()}, stream);
  run_gemm(plan,
           {.a = quantizes ? x.view : a.view,
            .a_scales = quantizes ? TensorView{} : a_scales.view,
            .b = b.view,
            .b_scales = b_scales.view,
            .alpha = alpha.view,
            .bias = {},
            .a_global_scale = quantizes ? gs.view : TensorView{},
            .out = out.view},
           {workspace.data(), workspace.bytes()}, stream);
  check_status(stream);
  std::vector<uint8_t> bytes;
  out.append_to(bytes);
  return bytes;
}

struct Shape {
  int64_t rows, cols;
};

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const auto size = [](int64_t rows, int64_t cols) { return std::to_string(rows) + "x" + std::to_string(cols); };
  for (const DType dtype : {DType::kBf16, DType::kF16, DType::kF32}) {
    const std::string type = name_of(dtype);
    for (const auto& [rows, cols] : {Shape{1, 16}, {33, 272}, {200, 1040}}) {
      cases.push_back({"global_scale " + type + " " + size(rows, cols),
                       [=](const Device& device) { return run_global_scale_case(device, dtype, rows, cols); }});
    }
    for (const auto& [rows, cols] : {Shape{1, 16}, {17, 80}, {129, 272}}) {
      for (const auto& [input, name] : {std::pair{QuantizeInput::kPlain, "quantize "},
                                        {QuantizeInput::kGateUp, "silu_mul_quantize gate,up "},
                                        {QuantizeInput::kUpGate, "silu_mul_quantize up,gate "}}) {
        cases.push_back({name + type + " " + size(rows, cols), [=, input = input](const Device& device) {
                           return run_quantize_case(device, dtype, input, rows, cols);
                         }});
      }
    }
  }
  for (const DType dtype : {DType::kBf16, DType::kF16, DType::kF32}) {
    const std::string type = name_of(dtype);
    for (const auto& [rows, cols] : {Shape{1, 16}, {17, 80}, {129, 272}}) {
      cases.push_back({"quantize 5 groups " + type + " " + size(rows, cols),
                       [=](const Device& device) { return run_grouped_case(device, dtype, 5, rows, cols); }});
    }
    for (const auto& [rows, cols] : {Shape{1, 32}, {17, 96}, {130, 288}}) {
      cases.push_back({"quantize_mxfp8 " + type + " " + size(rows, cols),
                       [=](const Device& device) { return run_mxfp8_case(device, dtype, rows, cols); }});
    }
  }
  for (const DType dtype : {DType::kBf16, DType::kF16}) {
    for (const auto& [n, k] : {Shape{136, 192}, {8, 64}, {264, 1152}}) {
      const auto add = [&, n = n, k = k](const std::string& name, int64_t m, bool quantizes) {
        cases.push_back(
            {name + name_of(dtype) + " m=" + std::to_string(m) + " n=" + std::to_string(n) + " k=" + std::to_string(k),
             [=](const Device& device) { return run_gemm_case(device, dtype, m, n, k, quantizes); }});
      };
      for (const int64_t m : {1, 7, 16, 17, 32, 33, 64, 65, 128, 200}) add("gemm ", m, false);
      for (const int64_t m : {1, 7}) add("gemm quantising ", m, true);
    }
  }
  return cases;
}

}  // namespace calibration

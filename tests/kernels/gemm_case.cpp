// gemm_case.cpp: see the header.
#include "tests/kernels/gemm_case.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <sstream>
#include <vector>

#include "b12x/error.hpp"
#include "b12x/workspace.hpp"
#include "tests/kernels/gemm_order.hpp"
#include "tests/reference/gemm.hpp"
#include "tests/reference/number_formats.hpp"

namespace b12x::testing {
namespace {

constexpr uint8_t kSentinel = 0x7F;  // NaN as a scale, 3e38 as bf16: whoever reads it shows it
constexpr int64_t kGuard = 512;

// [l, rows, cols] elements with gaps, in an allocation with guards; all bytes that are not elements are sentinels.
class Strided {
 public:
  Strided(const Device& device, DType dtype, int64_t l, int64_t rows, int64_t cols, int64_t gap, int64_t batch_gap)
      : l_(l),
        rows_(rows),
        row_bytes_(cols * bytes_of(dtype)),
        row_stride_((cols + gap) * bytes_of(dtype)),
        batch_stride_(rows * row_stride_ + batch_gap * bytes_of(dtype)),
        image_(2 * kGuard + l * batch_stride_, kSentinel),
        buffer_(device, image_.size()) {
    view =
        TensorView::contiguous(static_cast<uint8_t*>(buffer_.data()) + kGuard, dtype, device.memory(), {l, rows, cols});
    view.strides = {batch_stride_ / static_cast<int64_t>(bytes_of(dtype)), cols + gap, 1};
    upload();
  }

  uint8_t* row(int64_t batch, int64_t row) { return &image_[kGuard + batch * batch_stride_ + row * row_stride_]; }
  void upload() { buffer_.upload(image_.data(), image_.size()); }

  // The elements, dense; nothing if a sentinel was written.
  std::optional<std::vector<uint8_t>> download() {
    std::vector<uint8_t> all(image_.size()), dense;
    buffer_.download(all.data(), all.size());
    for (int64_t batch = 0; batch < l_; ++batch) {
      for (int64_t r = 0; r < rows_; ++r) {
        const auto at = all.begin() + (row(batch, r) - image_.data());
        dense.insert(dense.end(), at, at + row_bytes_);
        std::fill(at, at + row_bytes_, kSentinel);
      }
    }
    if (std::any_of(all.begin(), all.end(), [](uint8_t byte) { return byte != kSentinel; })) return std::nullopt;
    return dense;
  }

  TensorView view;

 private:
  int64_t l_, rows_, row_bytes_, row_stride_, batch_stride_;
  std::vector<uint8_t> image_;
  DeviceBuffer buffer_;
};

// Bytes that a kernel only reads, between sentinels.
struct Bytes {
  Bytes(const Device& device, const void* data, size_t bytes) : buffer(device, bytes + 2 * kGuard) {
    std::vector<uint8_t> image(buffer.bytes(), kSentinel);
    if (bytes != 0) std::memcpy(&image[kGuard], data, bytes);
    buffer.upload(image.data(), image.size());
    address = static_cast<uint8_t*>(buffer.data()) + kGuard;
  }
  DeviceBuffer buffer;
  void* address;
};

// One batch's operand: hard values, and NaN in every scale byte that belongs to no element.
reference::Nvfp4 operand(Fp4Format format, int64_t rows, int64_t k, uint64_t seed, bool alternates) {
  const bool is_mx = format == Fp4Format::kMxfp4;
  reference::Nvfp4 tensor =
      is_mx ? reference::mxfp4_operand(rows, k, seed) : reference::hard_operand(rows, k, seed, alternates);
  const int64_t blocks = k / scale_block(format);
  for (int64_t row = 0; row < (rows + 127) / 128 * 128; ++row) {
    for (int64_t block = 0; block < (blocks + 3) / 4 * 4; ++block) {
      if (row < rows && block < blocks) continue;
      const int64_t at = is_mx ? reference::mxfp4_scale_offset(row, block, k) : reference::scale_offset(row, block, k);
      tensor.scales[at] = is_mx ? 0xFF : 0x7F;
    }
  }
  return tensor;
}

std::vector<reference::Nvfp4> operands(const GemmProblem& p, int64_t rows, uint64_t seed, bool alternates) {
  std::vector<reference::Nvfp4> batches;
  for (int64_t l = 0; l < p.l; ++l) batches.push_back(operand(p.format, rows, p.k, seed + 1000 * l, alternates));
  return batches;
}

struct DeviceOperand {
  DeviceOperand(const Device& device, const GemmProblem& p, const std::vector<reference::Nvfp4>& batches, int64_t rows,
                int64_t gap, int64_t batch_gap)
      : packed(device, DType::kU8, p.l, rows, p.k / 2, gap, batch_gap) {
    std::vector<uint8_t> all;
    for (int64_t l = 0; l < p.l; ++l) {
      for (int64_t r = 0; r < rows; ++r) std::memcpy(packed.row(l, r), &batches[l].packed[r * p.k / 2], p.k / 2);
      all.insert(all.end(), batches[l].scales.begin(), batches[l].scales.end());
    }
    packed.upload();
    scales = std::make_unique<Bytes>(device, all.data(), all.size());
    scales_view =
        TensorView::contiguous(scales->address, DType::kU8, device.memory(), {static_cast<int64_t>(all.size())});
  }
  Strided packed;
  std::unique_ptr<Bytes> scales;
  TensorView scales_view;
};

// Values to be quantised, and what the reference makes of them: blocks of magnitudes far apart, some of zeros.
struct Values {
  Values(const Device& device, const GemmCase& c)
      : x(device, c.problem.a_dtype, 1, c.problem.m, c.problem.k, c.a_gap, 0) {
    const auto& [m, k] = std::array{c.problem.m, c.problem.k};
    std::mt19937 random(static_cast<unsigned>(m * k));
    std::normal_distribution<float> normal;
    std::vector<float> values(m * k);
    const bool is_bf16 = c.problem.a_dtype == DType::kBf16;
    for (int64_t i = 0; i < m * k; ++i) {
      const int64_t block = i / 16;
      const float size = block % 7 == 3 ? 0.f : std::ldexp(1.f, static_cast<int>(block % 11) - 6);
      const float value = normal(random) * size;
      const uint16_t bits = is_bf16 ? reference::encode_bf16(value) : reference::encode_f16(value);
      values[i] = static_cast<float>(is_bf16 ? reference::decode_bf16(bits) : reference::decode_f16(bits));
      std::memcpy(x.row(0, i / k) + i % k * 2, &bits, 2);
    }
    x.upload();
    x.view = {.data = x.view.data,
              .dtype = x.view.dtype,
              .device = x.view.device,
              .rank = 2,
              .shape = {m, k},
              .strides = {k + c.a_gap, 1}};
    quantised = reference::quantize(values, m, k, c.a_global_scale);
  }
  Strided x;
  reference::Nvfp4 quantised;
};

struct Rounded {
  double value;
  uint32_t bits;
};
Rounded read(const uint8_t* bytes, DType dtype) {
  if (dtype == DType::kF32) {
    float value;
    std::memcpy(&value, bytes, 4);
    return {value, std::bit_cast<uint32_t>(value)};
  }
  uint16_t bits;
  std::memcpy(&bits, bytes, 2);
  return {dtype == DType::kBf16 ? reference::decode_bf16(bits) : reference::decode_f16(bits), bits};
}
uint32_t round_to_bits(float value, DType dtype) {
  switch (dtype) {
    case DType::kBf16:
      return reference::encode_bf16(value);
    case DType::kF16:
      return reference::encode_f16(value);
    default:
      return std::bit_cast<uint32_t>(value);
  }
}
double ulp_of(double value, DType dtype) {
  if (dtype == DType::kBf16) return reference::bf16_ulp(value);
  if (dtype == DType::kF16) return reference::f16_ulp(value);
  return std::ldexp(std::abs(value), -22);
}

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

std::string check_outputs(const GemmCase& c, const GemmPlan& plan, const std::vector<reference::Nvfp4>& a,
                          const std::vector<reference::Nvfp4>& b, const std::vector<float>& bias,
                          const std::vector<uint8_t>& got, bool has_exact_model) {
  const GemmProblem& p = c.problem;
  const OrderOfSums order(plan);
  const float alpha = c.alpha.value_or(1.f);
  const auto bytes = static_cast<int64_t>(bytes_of(p.out_dtype));
  for (int64_t l = 0; l < p.l; ++l) {
    const std::vector<reference::GemmResult> want = reference::gemm(
        a[l], b[l], [&](int64_t row, int64_t column) -> const auto& { return order.at(l, row, column); });
    for (int64_t i = 0; i < p.m * p.n; ++i) {
      const int64_t column = i % p.n;
      const auto where = [&] { return text("l, m, n = ", l, ", ", i / p.n, ", ", column, ": "); };
      const Rounded out = read(&got[(l * p.m * p.n + i) * bytes], p.out_dtype);
      const double added = c.has_bias ? bias[column] : 0.;
      const double exact = static_cast<double>(alpha) * want[i].exact + added;
      const double magnitude = std::abs(alpha) * want[i].magnitude + std::abs(added);
      const double limit = ulp_of(exact, p.out_dtype) + std::ldexp(magnitude, -20);
      const bool overflows = p.out_dtype == DType::kF16 && std::abs(exact) + limit >= 65504.;
      if (!overflows && !(std::abs(out.value - exact) <= limit)) {
        return text(where(), "got ", out.value, ", FP64 has ", exact, ", allowed is ", limit);
      }
      if (!has_exact_model) continue;
      const float value = c.has_bias ? std::fma(alpha, want[i].sum, bias[column]) : alpha * want[i].sum;
      if (const uint32_t bits = round_to_bits(value, p.out_dtype); out.bits != bits) {
        return text(where(), "got bits 0x", std::hex, out.bits, ", the exact model has 0x", bits);
      }
    }
  }
  return "";
}

std::string run_case(const Device& device, const GemmCase& c) {
  const GemmProblem& p = c.problem;
  const Stream stream{device};
  DeviceInfo info = device.info();
  if (c.sm_count != 0) info.sm_count = c.sm_count;
  const GemmPlan plan = plan_gemm(p, info);
  load(plan, device);

  std::optional<Values> x;
  if (p.a_dtype != DType::kU8) x.emplace(device, c);
  const float given_scale = p.a_scale_is_reciprocal ? 1.f / c.a_global_scale : c.a_global_scale;
  const Bytes device_scale(device, &given_scale, 4);
  const std::vector<reference::Nvfp4> a = x ? std::vector{x->quantised} : operands(p, p.m, p.m, true),
                                      b = operands(p, p.n, p.n + p.k, false);
  DeviceOperand device_a(device, p, a, p.m, x ? 0 : c.a_gap, c.a_batch_gap),
      device_b(device, p, b, p.n, c.b_gap, c.b_batch_gap);
  std::vector<float> bias(p.n);
  std::mt19937 random(static_cast<unsigned>(p.n));
  for (float& value : bias) value = std::normal_distribution<float>(0.f, 30.f)(random);
  const float alpha = c.alpha.value_or(1.f);
  const Bytes device_alpha(device, &alpha, 4), device_bias(device, bias.data(), 4 * bias.size());
  const DeviceBuffer own(device, c.workspace == nullptr ? plan.workspace_bytes : 0);
  const Workspace workspace = c.workspace == nullptr ? Workspace{own.data(), own.bytes()} : *c.workspace;
  if (c.workspace == nullptr) workspace_init(workspace, stream);

  std::vector<uint8_t> results[2];
  for (std::vector<uint8_t>& result : results) {
    Strided out(device, p.out_dtype, p.l, p.m, p.n, c.out_gap, c.out_batch_gap);
    GemmArgs args{.a = device_a.packed.view,
                  .a_scales = device_a.scales_view,
                  .b = device_b.packed.view,
                  .b_scales = device_b.scales_view,
                  .alpha = {},
                  .bias = {},
                  .out = out.view};
    if (x) {
      args.a = x->x.view;
      args.a_scales = {};
      args.a_global_scale = TensorView::contiguous(device_scale.address, DType::kF32, device.memory(), {1});
    }
    if (c.alpha) args.alpha = TensorView::contiguous(device_alpha.address, DType::kF32, device.memory(), {1});
    if (c.has_bias) args.bias = TensorView::contiguous(device_bias.address, DType::kF32, device.memory(), {p.n});
    run_gemm(plan, args, workspace, stream);
    check_status(stream);
    std::optional<std::vector<uint8_t>> dense = out.download();
    if (!dense) return "bytes outside the output were written";
    result = std::move(*dense);
  }
  if (results[0] != results[1]) return "two runs gave different bits";
  return check_outputs(c, plan, a, b, bias, results[0], device.info().compute_capability >= 120);
}

}  // namespace

std::string to_string(const GemmCase& c) {
  const GemmProblem& p = c.problem;
  std::string line = text(name_of(p.format), " m=", p.m, " n=", p.n, " k=", p.k, " l=", p.l, " ", name_of(p.out_dtype));
  if (c.alpha) line += text(" alpha=", *c.alpha);
  if (c.has_bias) line += " bias";
  if (c.a_gap + c.b_gap + c.out_gap != 0) line += text(" gaps=", c.a_gap, ",", c.b_gap, ",", c.out_gap);
  if (c.a_batch_gap + c.b_batch_gap + c.out_batch_gap != 0) {
    line += text(" batch_gaps=", c.a_batch_gap, ",", c.b_batch_gap, ",", c.out_batch_gap);
  }
  if (p.a_dtype != DType::kU8) {
    line += text(" a=", name_of(p.a_dtype), p.a_scale_is_reciprocal ? " 1/gs=" : " gs=", c.a_global_scale);
  }
  if (c.sm_count != 0) line += text(" sms=", c.sm_count);
  return line;
}

std::string check_case(const Device& device, const GemmCase& c) {
  try {
    return run_case(device, c);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace b12x::testing

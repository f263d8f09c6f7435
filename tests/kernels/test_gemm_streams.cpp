// GEMMs in CUDA graphs, on two streams and from two threads, in other orders of blocks and on memory past 2^32 bytes.
// What every launch must give is what a launch by itself gives (test_gemm.cpp holds that against the exact model): bit
// for bit.
#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "b12x/gemm.hpp"
#include "tests/kernels/driver_support.hpp"
#include "tests/reference/gemm.hpp"
#include "tests/reference/number_formats.hpp"

using namespace b12x;
using namespace b12x::testing;

namespace {

// Every kernel family, and sums that pass through the workspace: blocks that merge are where an order could show.
struct Shape {
  GemmProblem problem;
  int sms;
};
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{{{.m = 5, .n = 264, .k = 1120}, 7},
                                      {{.m = 3, .n = 264, .k = 1120, .a_dtype = DType::kBf16}, 7},
                                      {{.m = 13, .n = 136, .k = 960, .out_dtype = DType::kF16}, 16},
                                      {{.m = 30, .n = 136, .k = 960, .out_dtype = DType::kF32}, 16},
                                      {{.m = 40, .n = 136, .k = 1536}, 188},
                                      {{.m = 130, .n = 136, .k = 1600, .out_dtype = DType::kF32}, 7},
                                      {{.m = 2048, .n = 136, .k = 544}, 11},
                                      {{.m = 70, .n = 72, .k = 2080, .format = Fp4Format::kMxfp4}, 16}};
  return all;
}
GemmPlan plan_of(const Shape& shape) {
  DeviceInfo info = card().info();
  info.sm_count = shape.sms;
  return plan_gemm(shape.problem, info);
}

struct Inputs {
  reference::Nvfp4 a, b;
};
Inputs inputs_of(const GemmProblem& p, unsigned seed) {
  const auto operand = [&](int64_t rows, unsigned s, bool alternates) {
    return p.format == Fp4Format::kMxfp4 ? reference::mxfp4_operand(rows, p.k, s)
                                         : reference::hard_operand(rows, p.k, s, alternates);
  };
  return {operand(p.m, 2 * seed + 1, true), operand(p.n, 2 * seed + 2, false)};
}

// What is quantised to about these values.
std::vector<uint8_t> bf16_of(const reference::Nvfp4& tensor) {
  std::vector<uint8_t> bytes;
  for (int64_t i = 0; i < tensor.rows * tensor.cols; ++i) {
    const double value = reference::dequantize(tensor, i / tensor.cols, i % tensor.cols);
    const uint16_t bits = reference::encode_bf16(static_cast<float>(value));
    bytes.push_back(static_cast<uint8_t>(bits));
    bytes.push_back(static_cast<uint8_t>(bits >> 8));
  }
  return bytes;
}

// One product with memory of its own.
class Product {
 public:
  explicit Product(const Shape& shape) : plan_(plan_of(shape)), own_(card(), plan_.workspace_bytes) {
    load(plan_, card());
    workspace_init({own_.data(), own_.bytes()}, Stream{card()});
    check_status(Stream{card()});
  }
  const GemmPlan& plan() const { return plan_; }

  void set_inputs(const Inputs& inputs) {
    a_.fill(quantizes() ? bf16_of(inputs.a) : inputs.a.packed);
    a_scales_.fill(inputs.a.scales);
    b_.fill(inputs.b.packed), b_scales_.fill(inputs.b.scales);
    out_.fill(std::vector<uint8_t>(out_bytes(), 0xFF));
  }
  struct Apart {  // values with gaps between rows, instead of those that set_inputs made
    void* data = nullptr;
    int64_t stride = 0;
  };
  void launch(const Stream& stream, const Workspace* workspace = nullptr, const Apart& apart = {nullptr, 0}) {
    const GemmProblem& p = plan_.problem;
    TensorView values = TensorView::contiguous(a_.data(), p.a_dtype, {}, {p.m, p.k});
    if (apart.data != nullptr) values.data = apart.data, values.strides[0] = apart.stride;
    run_gemm(plan_,
             {.a = quantizes() ? values : bytes(a_, {p.m, p.k / 2}),
              .a_scales = quantizes() ? TensorView{} : bytes(a_scales_, {gemm_scale_bytes(p.format, p.m, p.k)}),
              .b = bytes(b_, {p.n, p.k / 2}),
              .b_scales = bytes(b_scales_, {gemm_scale_bytes(p.format, p.n, p.k)}),
              .alpha = {},
              .bias = {},
              .out = TensorView::contiguous(out_.data(), p.out_dtype, {}, {p.m, p.n})},
             workspace != nullptr ? *workspace : Workspace{own_.data(), own_.bytes()}, stream);
  }
  std::vector<uint8_t> result() const { return out_.read(); }

 private:
  static TensorView bytes(const GuardedBuffer& buffer, std::initializer_list<int64_t> shape) {
    return TensorView::contiguous(buffer.data(), DType::kU8, {}, shape);
  }
  bool quantizes() const { return plan_.problem.a_dtype != DType::kU8; }
  size_t a_bytes() const { return static_cast<size_t>(plan_.problem.m * plan_.problem.k * (quantizes() ? 4 : 1) / 2); }
  size_t out_bytes() const {
    return static_cast<size_t>(plan_.problem.m * plan_.problem.n) * bytes_of(plan_.problem.out_dtype);
  }
  size_t scale_bytes(int64_t rows) const {
    return static_cast<size_t>(gemm_scale_bytes(plan_.problem.format, rows, plan_.problem.k));
  }
  GemmPlan plan_;
  DeviceBuffer own_;
  GuardedBuffer a_{a_bytes()}, a_scales_{scale_bytes(plan_.problem.m)},
      b_{static_cast<size_t>(plan_.problem.n * plan_.problem.k / 2)}, b_scales_{scale_bytes(plan_.problem.n)},
      out_{out_bytes()};
};

// What a launch by itself gives.
std::vector<uint8_t> alone(const Shape& shape, const Inputs& inputs) {
  Product product(shape);
  product.set_inputs(inputs);
  product.launch(Stream{card()});
  check_status(Stream{card()});
  return product.result();
}

}  // namespace

TEST_CASE("captured once, replayed on inputs that changed") {
  for (const Shape& shape : shapes()) {
    CAPTURE(to_string(plan_of(shape)));
    Product product(shape);
    const OwnStream stream;
    // Twice in the graph: the second launch finds the counters as the first has left them.
    const Graph graph(stream, [&] {
      product.launch({card(), stream.handle});
      product.launch({card(), stream.handle});
    });
    std::vector<uint8_t> last;
    for (unsigned seed = 1; seed <= 2; ++seed) {
      const Inputs inputs = inputs_of(shape.problem, seed);
      product.set_inputs(inputs);
      graph.replay(stream);
      check_status({card(), stream.handle});
      CHECK(product.result() == alone(shape, inputs));
      CHECK(product.result() != last);
      last = product.result();
    }
  }
}

TEST_CASE("two streams at once, with workspaces of one pool") {
  const OwnStream first, second;
  WorkspacePool pool("two streams");
  for (const Shape& shape : shapes()) {
    CAPTURE(to_string(plan_of(shape)));
    Product one(shape), other(shape);
    const Inputs a = inputs_of(shape.problem, 3), b = inputs_of(shape.problem, 4);
    one.set_inputs(a), other.set_inputs(b);
    const Workspace mine = pool.get({card(), first.handle}, one.plan().workspace_bytes);
    const Workspace yours = pool.get({card(), second.handle}, other.plan().workspace_bytes);
    CHECK((one.plan().workspace_bytes == 0 || mine.data != yours.data));
    for (int round = 0; round < 3; ++round) {
      one.launch({card(), first.handle}, &mine);
      other.launch({card(), second.handle}, &yours);
    }
    check_status({card(), second.handle});
    check_status({card(), first.handle});
    CHECK(one.result() == alone(shape, a));
    CHECK(other.result() == alone(shape, b));
  }
}

TEST_CASE("two threads, a stream each") {
  const Shape& shape = shapes().front();
  std::array<Inputs, 2> inputs{inputs_of(shape.problem, 5), inputs_of(shape.problem, 6)};
  std::array<std::vector<uint8_t>, 2> results;
  WorkspacePool pool("two threads");
  std::array<std::unique_ptr<Product>, 2> products;
  std::array<OwnStream, 2> streams;
  for (size_t i = 0; i < 2; ++i) {
    products[i] = std::make_unique<Product>(shape);
    products[i]->set_inputs(inputs[i]);
  }
  const auto work = [&](size_t i) {
    const Stream stream{card(), streams[i].handle};
    for (int round = 0; round < 5; ++round) {
      const Workspace workspace = pool.get(stream, products[i]->plan().workspace_bytes);
      products[i]->launch(stream, &workspace);
      check_status(stream);
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (size_t i = 0; i < 2; ++i) CHECK(products[i]->result() == alone(shape, inputs[i]));
}

TEST_CASE("the same bits in every order of blocks, on one host thread and on many") {
  // A seed orders blocks and warps anew, on one thread; without a seed blocks run on all threads as they happen to.
  const auto set_options =
      driver_function<CUresult (*)(const char*, const char*, uint64_t, const char*)>("simSetOptions");
  for (const Shape& shape : shapes()) {
    CAPTURE(to_string(plan_of(shape)));
    const Inputs inputs = inputs_of(shape.problem, 7);
    REQUIRE(set_options(nullptr, nullptr, 0, nullptr) == CUDA_SUCCESS);
    const std::vector<uint8_t> want = alone(shape, inputs);
    for (const uint64_t seed : {0, 1, 2, 3}) {
      CAPTURE(seed);
      REQUIRE(set_options(nullptr, nullptr, seed, nullptr) == CUDA_SUCCESS);
      CHECK(alone(shape, inputs) == want);
    }
  }
  REQUIRE(set_options(nullptr, nullptr, 0, nullptr) == CUDA_SUCCESS);
}

TEST_CASE("values to quantise past 2^32 bytes") {
  const Shape shape{{.m = 3, .n = 264, .k = 1120, .a_dtype = DType::kBf16}, 7};
  const GemmProblem& p = shape.problem;
  const Inputs inputs = inputs_of(p, 12);
  const std::vector<uint8_t> values = bf16_of(inputs.a);
  const int64_t stride = (int64_t{1} << 30) + 8;  // elements
  const DeviceBuffer apart(card(), 2 * p.m * stride);
  for (int64_t row = 0; row < p.m; ++row) {
    const auto begin = values.begin() + row * p.k * 2;
    copy_to(static_cast<uint8_t*>(apart.data()) + 2 * row * stride, {begin, begin + p.k * 2});
  }
  Product product(shape);
  product.set_inputs(inputs);
  product.launch(Stream{card()}, nullptr, {.data = apart.data(), .stride = stride});
  check_status(Stream{card()});
  CHECK(product.result() == alone(shape, inputs));
}

TEST_CASE("weights, tokens and outputs past 2^32 bytes") {
  // Rows as far apart as makes the last one start beyond: allocations of 4 to 20 GB of which little is ever touched.
  for (const int64_t m : {5, 40, 130}) {
    const GemmProblem p{.m = m, .n = 72, .k = 416, .l = 2};
    CAPTURE(m);
    const Device device = card();
    const GemmPlan plan = plan_gemm(p, device.info());
    const int64_t b_stride = int64_t{1} << 26, a_stride = (int64_t{1} << 32) / m / 16 * 16 + 16;
    const int64_t out_stride = (int64_t{1} << 32) / m / 8 * 8 + 8;  // of two bytes
    const int64_t a_batch = m * a_stride, b_batch = p.n * b_stride, out_batch = m * out_stride;
    const DeviceBuffer a(device, 2 * a_batch), b(device, 2 * b_batch), out(device, 4 * out_batch);
    const DeviceBuffer dense(device, 2 * 2 * m * p.n), workspace(device, plan.workspace_bytes);
    const Stream stream{device};
    load(plan, device);
    workspace_init({workspace.data(), workspace.bytes()}, stream);

    std::vector<uint8_t> a_bytes, b_bytes, a_scales, b_scales;
    const auto place = [&](const DeviceBuffer& to, int64_t at, const reference::Nvfp4& from, int64_t rows,
                           int64_t stride, std::vector<uint8_t>& all, std::vector<uint8_t>& scales) {
      for (int64_t row = 0; row < rows; ++row) {
        const auto begin = from.packed.begin() + row * p.k / 2;
        copy_to(static_cast<uint8_t*>(to.data()) + at + row * stride, {begin, begin + p.k / 2});
      }
      all.insert(all.end(), from.packed.begin(), from.packed.end());
      scales.insert(scales.end(), from.scales.begin(), from.scales.end());
    };
    for (int64_t l = 0; l < 2; ++l) {
      const Inputs inputs = inputs_of(p, static_cast<unsigned>(8 + l));
      place(a, l * a_batch, inputs.a, m, a_stride, a_bytes, a_scales);
      place(b, l * b_batch, inputs.b, p.n, b_stride, b_bytes, b_scales);
    }
    const auto bytes_on_card = [&](const std::vector<uint8_t>& bytes) {
      auto buffer = std::make_unique<DeviceBuffer>(device, bytes.size());
      buffer->upload(bytes.data(), bytes.size());
      return buffer;
    };
    const auto a_dense = bytes_on_card(a_bytes), b_dense = bytes_on_card(b_bytes);
    const auto a_scale = bytes_on_card(a_scales), b_scale = bytes_on_card(b_scales);
    const auto u8 = [](const DeviceBuffer& buffer, std::initializer_list<int64_t> shape) {
      return TensorView::contiguous(buffer.data(), DType::kU8, {}, shape);
    };
    GemmArgs args{.a = u8(*a_dense, {2, m, p.k / 2}),
                  .a_scales = u8(*a_scale, {static_cast<int64_t>(a_scales.size())}),
                  .b = u8(*b_dense, {2, p.n, p.k / 2}),
                  .b_scales = u8(*b_scale, {static_cast<int64_t>(b_scales.size())}),
                  .alpha = {},
                  .bias = {},
                  .out = TensorView::contiguous(dense.data(), DType::kBf16, {}, {2, m, p.n})};
    run_gemm(plan, args, {workspace.data(), workspace.bytes()}, stream);
    args.a.data = a.data(), args.a.strides = {a_batch, a_stride, 1};
    args.b.data = b.data(), args.b.strides = {b_batch, b_stride, 1};
    args.out.data = out.data(), args.out.strides = {out_batch, out_stride, 1};
    run_gemm(plan, args, {workspace.data(), workspace.bytes()}, stream);
    check_status(stream);
    for (int64_t row = 0; row < 2 * m; ++row) {
      const int64_t at = row / m * out_batch + row % m * out_stride;
      const auto row_bytes = static_cast<size_t>(2 * p.n);
      const std::vector<uint8_t> got = copy_from(static_cast<uint8_t*>(out.data()) + 2 * at, row_bytes);
      const std::vector<uint8_t> want = copy_from(static_cast<uint8_t*>(dense.data()) + row * 2 * p.n, row_bytes);
      if (got != want) FAIL("row ", row, " differs");
    }
  }
}

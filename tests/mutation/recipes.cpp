#include "tests/mutation/recipes.hpp"

#include <random>
#include <vector>

#include "b12x/gemm.hpp"
#include "b12x/quant.hpp"
#include "b12x/workspace.hpp"

namespace b12x::mutation {
namespace {

DeviceBuffer filled(const Device& device, size_t bytes, uint8_t mask) {
  std::mt19937 random(static_cast<unsigned>(bytes));
  std::vector<uint8_t> image(bytes);
  for (uint8_t& byte : image) byte = static_cast<uint8_t>(random() & mask);
  DeviceBuffer buffer(device, bytes);
  buffer.upload(image.data(), bytes);
  return buffer;
}

TensorView view(const DeviceBuffer& buffer, DType dtype, std::initializer_list<int64_t> shape) {
  return TensorView::contiguous(buffer.data(), dtype, {}, shape);
}

// A matrix that is scaled and quantised: the amax kernel's output is the quantiser's input, and both run twice on the
// same memory, so that each grid depends on the one before.
struct Quantised {
  int64_t rows, cols;
  DType dtype;
  QuantizeInput input;
  Device device;
  DeviceBuffer x, packed, scales, global_scale, memory;

  Quantised(const Device& d, int64_t r, int64_t c, DType t, QuantizeInput i)
      : rows(r),
        cols(c),
        dtype(t),
        input(i),
        device(d),
        x(filled(d, r * x_cols() * bytes_of(t), 0x3F)),
        packed(d, r * c / 2),
        scales(d, nvfp4_scale_bytes(r, c)),
        global_scale(d, 4),
        memory(d, 4096) {}

  int64_t x_cols() const { return input == QuantizeInput::kPlain ? cols : 2 * cols; }

  void run(int times) {
    const Stream stream{device};
    const Workspace workspace{memory.data(), memory.bytes()};
    workspace_init(workspace, stream);
    const TensorView in = view(x, dtype, {rows, x_cols()}), gs = view(global_scale, DType::kF32, {1});
    GlobalScalePlan amax = plan_global_scale({.rows = rows, .cols = x_cols(), .dtype = dtype}, device.info());
    QuantizePlan quantize = plan_quantize({.rows = rows, .cols = cols, .dtype = dtype, .input = input}, device.info());
    amax.launch.overlaps_previous = quantize.launch.overlaps_previous = true;
    load(amax, device);
    load(quantize, device);
    for (int i = 0; i < times; ++i) {
      run_global_scale(amax, {.x = in, .global_scale = gs}, workspace, stream);
      run_quantize(quantize,
                   {.x = in,
                    .global_scale = gs,
                    .packed = view(packed, DType::kU8, {rows, cols / 2}),
                    .scales = view(scales, DType::kU8, {nvfp4_scale_bytes(rows, cols)})},
                   {}, stream);
    }
  }
};

// Activations straight from the quantiser, without a wait in between. `sms`: of the card that the plan is made for; few
// of them make a block take several tiles, and share tiles with others.
void run_product(const Device& device, const GemmProblem& problem, int sms) {
  const int64_t m = problem.m, n = problem.n, k = problem.k;
  const DType dtype = problem.out_dtype;
  Quantised a(device, m, k, dtype, QuantizeInput::kPlain);
  const int64_t a_scale_bytes = gemm_scale_bytes(problem.format, m, k);
  const int64_t b_scale_bytes = gemm_scale_bytes(problem.format, n, k);
  const DeviceBuffer b = filled(device, n * k / 2, 0xFF), b_scales = filled(device, b_scale_bytes, 0x3F);
  const DeviceBuffer out(device, m * n * bytes_of(dtype));
  DeviceInfo card = device.info();
  card.sm_count = sms;
  GemmPlan plan = plan_gemm(problem, card);
  plan.launch.overlaps_previous = true;
  const Stream stream{device};
  load(plan, device);
  const DeviceBuffer memory(device, plan.workspace_bytes + 256);
  const Workspace workspace{memory.data(), memory.bytes()};
  workspace_init(workspace, stream);
  a.run(1);
  for (int turn = 0; turn < 2; ++turn) {
    run_gemm(plan,
             {.a = view(a.packed, DType::kU8, {m, k / 2}),
              .a_scales = view(a.scales, DType::kU8, {a_scale_bytes}),
              .b = view(b, DType::kU8, {n, k / 2}),
              .b_scales = view(b_scales, DType::kU8, {b_scale_bytes}),
              .alpha = view(a.global_scale, DType::kF32, {1}),
              .bias = {},
              .out = view(out, dtype, {m, n})},
             workspace, stream);
  }
}

// Twice into the same memory: the second grid's stores depend on the first.
void run_mxfp8(const Device& device, DType dtype) {
  constexpr int64_t kRows = 40, kCols = 320;
  const DeviceBuffer x = filled(device, kRows * kCols * bytes_of(dtype), 0x3F);
  const DeviceBuffer values(device, kRows * kCols), scales(device, kRows * kCols / 32);
  QuantizeMxfp8Plan plan = plan_quantize_mxfp8({.rows = kRows, .cols = kCols, .dtype = dtype}, device.info());
  plan.launch.overlaps_previous = true;
  load(plan, device);
  const Stream stream{device};
  for (int turn = 0; turn < 2; ++turn) {
    run_quantize_mxfp8(plan,
                       {.x = view(x, dtype, {kRows, kCols}),
                        .values = view(values, DType::kU8, {kRows, kCols}),
                        .scales = view(scales, DType::kU8, {kRows, kCols / 32})},
                       {}, stream);
  }
}

// Values that a GEMM has made, scaled by the amax kernel and quantised by the next GEMM, all without a wait in between.
void run_linear(const Device& device, DType x_dtype, DType out_dtype, int64_t n, int64_t k, int sms) {
  constexpr int64_t m = 7, depth = 64;
  DeviceInfo card = device.info();
  card.sm_count = sms;
  const GemmPlan make = plan_gemm({.m = m, .n = k, .k = depth, .out_dtype = x_dtype}, card);
  GlobalScalePlan amax = plan_global_scale({.rows = m, .cols = k, .dtype = x_dtype}, card);
  amax.launch.overlaps_previous = true;
  const GemmPlan linear = plan_gemm({.m = m, .n = n, .k = k, .out_dtype = out_dtype, .a_dtype = x_dtype}, card);
  load(make, device), load(amax, device), load(linear, device);

  const Stream stream{device};
  const DeviceBuffer a = filled(device, m * depth / 2, 0xFF), w = filled(device, k * depth / 2, 0xFF);
  const DeviceBuffer a_scales = filled(device, nvfp4_scale_bytes(m, depth), 0x3F);
  const DeviceBuffer w_scales = filled(device, nvfp4_scale_bytes(k, depth), 0x3F);
  const DeviceBuffer b = filled(device, n * k / 2, 0xFF), b_scales = filled(device, nvfp4_scale_bytes(n, k), 0x3F);
  const DeviceBuffer x(device, m * k * bytes_of(x_dtype)), scale(device, 4), out(device, m * n * bytes_of(out_dtype));
  const DeviceBuffer memories[] = {
      {device, make.workspace_bytes + 256}, {device, 256}, {device, linear.workspace_bytes + 256}};
  const auto workspace = [&](int i) { return Workspace{memories[i].data(), memories[i].bytes()}; };
  for (int i = 0; i < 3; ++i) workspace_init(workspace(i), stream);
  const TensorView values = view(x, x_dtype, {m, k}), gs = view(scale, DType::kF32, {1});
  for (int turn = 0; turn < 2; ++turn) {
    run_gemm(make,
             {.a = view(a, DType::kU8, {m, depth / 2}),
              .a_scales = view(a_scales, DType::kU8, {nvfp4_scale_bytes(m, depth)}),
              .b = view(w, DType::kU8, {k, depth / 2}),
              .b_scales = view(w_scales, DType::kU8, {nvfp4_scale_bytes(k, depth)}),
              .alpha = {},
              .out = values},
             workspace(0), stream);
    run_global_scale(amax, {.x = values, .global_scale = gs}, workspace(1), stream);
    run_gemm(linear,
             {.a = values,
              .a_scales = {},
              .b = view(b, DType::kU8, {n, k / 2}),
              .b_scales = view(b_scales, DType::kU8, {nvfp4_scale_bytes(n, k)}),
              .alpha = gs,
              .a_global_scale = gs,
              .out = view(out, out_dtype, {m, n})},
             workspace(2), stream);
  }
}

struct Recipe {
  const char* prefix;  // of the entry, without its dtype
  void (*run)(const Device&, DType);
};
// The first prefix that fits.
const Recipe kRecipes[] = {
    {"b12x_nvfp4_amax_", [](const Device& d, DType t) { Quantised(d, 40, 320, t, QuantizeInput::kPlain).run(2); }},
    // Warps whose blocks all exist, and others at both edges.
    {"b12x_nvfp4_quantize_", [](const Device& d, DType t) { Quantised(d, 136, 144, t, QuantizeInput::kPlain).run(2); }},
    {"b12x_nvfp4_silu_mul_quantize_",
     [](const Device& d, DType t) { Quantised(d, 136, 80, t, QuantizeInput::kGateUp).run(2); }},
    {"b12x_mxfp8_quantize_", run_mxfp8},
    // Tiles of 25 or 33 chunks on 3 blocks: one or more whole each, 2 shared, so that a block has the end of one and
    // the beginning of the other; copies of one quarter and, where n is a multiple of 32, of four at once.
    {"b12x_nvfp4_gemm_skinny_m8_",
     [](const Device& d, DType t) {
       run_product(d, {.m = 7, .n = 136, .k = 1600, .out_dtype = t}, 3);
       run_product(d, {.m = 7, .n = 256, .k = 2112, .out_dtype = t}, 3);
     }},
    {"b12x_nvfp4_gemm_skinny_quantize_m8_bf16",
     [](const Device& d, DType t) {
       run_linear(d, DType::kBf16, t, 136, 1600, 3);
       run_linear(d, DType::kBf16, t, 256, 2112, 3);
     }},
    {"b12x_nvfp4_gemm_skinny_quantize_m8_f16",
     [](const Device& d, DType t) {
       run_linear(d, DType::kF16, t, 136, 1600, 3);
       run_linear(d, DType::kF16, t, 256, 2112, 3);
     }},
    {"b12x_nvfp4_gemm_skinny_m16_",
     [](const Device& d, DType t) {
       run_product(d, {.m = 13, .n = 264, .k = 1600, .out_dtype = t}, 3);
       run_product(d, {.m = 13, .n = 512, .k = 1600, .out_dtype = t}, 3);
     }},
    {"b12x_nvfp4_gemm_skinny_m32_",
     [](const Device& d, DType t) {
       run_product(d, {.m = 17, .n = 264, .k = 1600, .out_dtype = t}, 3);
       run_product(d, {.m = 17, .n = 512, .k = 1600, .out_dtype = t}, 3);
     }},
    // 7 tiles of 13 stages on 3 blocks: one whole each, 4 shared, through a ring of 4.
    {"b12x_nvfp4_gemm_tiled_64x128_",
     [](const Device& d, DType t) { run_product(d, {.m = 50, .n = 872, .k = 1600, .out_dtype = t}, 3); }},
    {"b12x_nvfp4_gemm_tiled_128x128_",
     [](const Device& d, DType t) { run_product(d, {.m = 100, .n = 872, .k = 1600, .out_dtype = t}, 3); }},
    // 16 tiles of 8 stages on 5 blocks: 2 whole ones each, 6 shared, through a ring of 3. Then tiles of one stage:
    // nothing but its barriers holds a warp back from storing the next one while others store this.
    {"b12x_nvfp4_gemm_tiled_128x256_",
     [](const Device& d, DType t) {
       run_product(d, {.m = 2048, .n = 8, .k = 1024, .out_dtype = t}, 5);
       run_product(d, {.m = 2048, .n = 8, .k = 128, .out_dtype = t}, 5);
     }},
    {"b12x_mxfp4_gemm_tiled_64x128_",
     [](const Device& d, DType t) {
       run_product(d, {.m = 50, .n = 872, .k = 1600, .out_dtype = t, .format = Fp4Format::kMxfp4}, 3);
     }},
};

}  // namespace

bool launch(const std::string& entry, const Device& device) {
  const std::string suffix = entry.substr(entry.rfind('_') + 1);
  const DType dtype = suffix == "bf16" ? DType::kBf16 : suffix == "f16" ? DType::kF16 : DType::kF32;
  for (const Recipe& recipe : kRecipes) {
    if (entry.compare(0, std::string(recipe.prefix).size(), recipe.prefix) != 0) continue;
    recipe.run(device, dtype);
    check_status(Stream{device});
    return true;
  }
  return false;
}

}  // namespace b12x::mutation

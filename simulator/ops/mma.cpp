// mma.sync: the PTX spellings of the warp-wide matrix products over numerics/mma.hpp, which has the arithmetic and the
// fragment layouts. A row here only tells how many registers each operand has and reads the types from the opcode.
#include "ops/mma_forms.hpp"

namespace sim {
namespace {

using numerics::MmaForm;
using numerics::MmaFunction;
using numerics::MmaOperands;

using Product = MmaProduct<MmaForm, MmaFunction, numerics::find_mma>;

// Registers of D (and C), A and B.
struct Counts {
  int d, a, b;
};

template <Counts kCounts>
void fill(Warp& w, const Instr& i, MmaOperands& o) {
  const uint32_t* slot = i.ops;
  for (int k = 0; k < kCounts.d; ++k) o.d[k] = u32(w, *slot++);
  for (int k = 0; k < kCounts.a; ++k) o.a[k] = u32(w, *slot++);
  for (int k = 0; k < kCounts.b; ++k) o.b[k] = u32(w, *slot++);
  for (int k = 0; k < kCounts.d; ++k) o.c[k] = u32(w, *slot++);
}

template <Counts kCounts>
void multiply(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  const Product& p = Product::of(i);
  MmaOperands o{};
  fill<kCounts>(w, i, o);
  p.function_for(w, i, "mma.sync")(p.form, o);
}

void multiply_scaled(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  const Product& p = Product::of(i);
  MmaOperands o{};
  fill<Counts{4, 4, 2}>(w, i, o);
  read_scales(w, i, p.form, i.ops + 14, o);
  p.function_for(w, i, "mma.sync")(p.form, o);
}

Handler with_product(const ptx::Statement& s, Instr& i, Handler handler) {
  const Product* p = Product::of(mma_form_of(s, mma_depth_of(s)));
  if (!p->exists()) return nullptr;
  i.imm = reinterpret_cast<int64_t>(p);
  return handler;
}
template <Counts kCounts>
Handler bind(const ptx::Statement& s, Instr& i) {
  return with_product(s, i, multiply<kCounts>);
}
Handler bind_scaled(const ptx::Statement& s, Instr& i) { return with_product(s, i, multiply_scaled); }

constexpr Counts kFull{4, 4, 2}, kHalfDepth{4, 2, 1}, kF16Full{2, 4, 2}, kF16HalfDepth{2, 2, 1};

constexpr char kIsa[] = "9.7.14.5.14 mma";
constexpr char kFullOperands[] = "v4r32 v4r32 v2r32 v4r32";
constexpr char kHalfDepthOperands[] = "v4r32 v2r32 v1r32 v4r32";
constexpr char kF16Operands[] = "v2r32 v4r32 v2r32 v2r32";
constexpr char kScaledOperands[] = "v4r32 v4r32 v2r32 v4r32 r32 v2r16 r32 v2r16";

const Form kForms[] = {
    {"mma.sync.aligned.m16n8k16.row.col.f32.[f16.f16|bf16.bf16].f32", kFullOperands, nullptr, bind<kFull>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", kF16Operands, nullptr, bind<kF16Full>, Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k8.row.col.f32.[f16.f16|bf16.bf16].f32", kHalfDepthOperands, nullptr, bind<kHalfDepth>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", "v2r32 v2r32 v1r32 v2r32", nullptr, bind<kF16HalfDepth>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", kFullOperands, nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", kHalfDepthOperands, nullptr, bind<kHalfDepth>, Unit::kTensor,
     kIsa},
    {"mma.sync.aligned.m16n8k32.row.col.f32.[e4m3|e5m2].[e4m3|e5m2].f32", kFullOperands, nullptr, bind<kFull>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k32.row.col.f16.[e4m3|e5m2].[e4m3|e5m2].f16", kF16Operands, nullptr, bind<kF16Full>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k16.row.col.f32.[e4m3|e5m2].[e4m3|e5m2].f32", kHalfDepthOperands, nullptr, bind<kHalfDepth>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned[.m16n8k32.row.col.kind::f8f6f4|.kind::f8f6f4.m16n8k32.row.col].f32."
     "[e4m3|e5m2|e3m2|e2m3|e2m1].[e4m3|e5m2|e3m2|e2m3|e2m1].f32",
     kFullOperands, nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma.sync.aligned[.m16n8k32.row.col.kind::f8f6f4|.kind::f8f6f4.m16n8k32.row.col].f16."
     "[e4m3|e5m2|e3m2|e2m3|e2m1].[e4m3|e5m2|e3m2|e2m3|e2m1].f16",
     kF16Operands, nullptr, bind<kF16Full>, Unit::kTensor, kIsa},
    {"mma.sync.aligned[.m16n8k32.row.col.kind::mxf8f6f4.block_scale[.scale_vec::1X|]"
     "|.kind::mxf8f6f4.block_scale[.scale_vec::1X|].m16n8k32.row.col].f32."
     "[e4m3|e5m2|e3m2|e2m3|e2m1].[e4m3|e5m2|e3m2|e2m3|e2m1].f32.ue8m0",
     kScaledOperands, nullptr, bind_scaled, Unit::kTensor, kIsa},
    {"mma.sync.aligned[.m16n8k64.row.col.kind::mxf4.block_scale[.scale_vec::2X|]"
     "|.kind::mxf4.block_scale[.scale_vec::2X|].m16n8k64.row.col].f32.e2m1.e2m1.f32.ue8m0",
     kScaledOperands, nullptr, bind_scaled, Unit::kTensor, kIsa},
    {"mma.sync.aligned[.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::2X"
     "|.kind::mxf4nvf4.block_scale.scale_vec::2X.m16n8k64.row.col].f32.e2m1.e2m1.f32.ue8m0",
     kScaledOperands, nullptr, bind_scaled, Unit::kTensor, kIsa},
    {"mma.sync.aligned[.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X"
     "|.kind::mxf4nvf4.block_scale.scale_vec::4X.m16n8k64.row.col].f32.e2m1.e2m1.f32.[ue4m3|ue8m0]",
     kScaledOperands, nullptr, bind_scaled, Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k32.row.col[.satfinite|].s32.[s8|u8].[s8|u8].s32", kFullOperands, nullptr, bind<kFull>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k16.row.col[.satfinite|].s32.[s8|u8].[s8|u8].s32", kHalfDepthOperands, nullptr,
     bind<kHalfDepth>, Unit::kTensor, kIsa},
};

}  // namespace

std::span<const Form> mma_forms() { return kForms; }

}  // namespace sim

// mma.sp: the PTX spellings of the sparse products over numerics/mma_sparse.hpp, which has the arithmetic and the
// layout of metadata. Operands: D, A, B, C, the register of metadata, the selector (an immediate), then scales where
// the kind has them. Metadata that names no pattern is a fault: the ISA leaves the product undefined.
#include "numerics/mma_sparse.hpp"

#include "ops/mma_forms.hpp"

namespace sim {
namespace {

using numerics::SparseForm;
using numerics::SparseFunction;
using numerics::SparseOperands;

using Product = MmaProduct<SparseForm, SparseFunction, numerics::find_mma_sparse>;

std::string binary(uint32_t bits) {
  std::string text = "0b";
  for (int k = 3; k >= 0; --k) text += (bits >> k & 1) != 0 ? '1' : '0';
  return text;
}

void check_metadata(Warp& w, const Instr& i, const SparseForm& form, const SparseOperands& o) {
  const auto bad = find_bad_metadata(form, o);
  if (!bad) return;
  fault(w, i, bad->lane,
        "metadata " + binary(bad->bits) + " for row " + std::to_string(bad->row) + " of A from column " +
            std::to_string(bad->column) + " names no pattern of " + (form.is_ordered ? "ordered " : "") +
            "nonzero elements; the product is undefined");
}

// Registers of D (and C), and of A and B.
struct Counts {
  int d, a, b;
};

template <Counts kCounts>
void multiply(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  const Product& p = Product::of(i);
  const SparseFunction f = p.function_for(w, i, "mma.sp");
  SparseOperands o{};
  const uint32_t* slot = i.ops;
  for (int k = 0; k < kCounts.d; ++k) o.kept.d[k] = u32(w, *slot++);
  for (int k = 0; k < kCounts.a; ++k) o.kept.a[k] = u32(w, *slot++);
  for (int k = 0; k < kCounts.b; ++k) o.b[k] = u32(w, *slot++);
  for (int k = 0; k < kCounts.d; ++k) o.kept.c[k] = u32(w, *slot++);
  o.metadata = u32(w, *slot++);
  o.selector = static_cast<uint8_t>(u32(w, *slot++)[0]);
  if (p.form.kept.scale != numerics::BlockScale::kNone) read_scales(w, i, p.form.kept, slot, o.kept);
  check_metadata(w, i, p.form, o);
  f(p.form, o);
}

constexpr size_t kSelector = 5;  // which operand it is

template <Counts kCounts>
Handler bind(const ptx::Statement& s, Instr& i) {
  SparseForm form{};
  form.kept = mma_form_of(s, mma_depth_of(s) / 2);
  form.is_ordered = s.has("sp::ordered_metadata");
  for (const std::string_view token : s.tokens) form.has_kind = form.has_kind || token.starts_with("kind::");
  const Product* p = Product::of(form);
  if (!p->exists()) return nullptr;
  const ptx::Operand& selector = s.operands[kSelector];
  if (selector.kind != ptx::Operand::Kind::kInteger || selector.value >= static_cast<uint64_t>(selector_count(form)))
    return nullptr;
  i.imm = reinterpret_cast<int64_t>(p);
  return multiply<kCounts>;
}

constexpr Counts kFull{4, 4, 4}, kHalfDepth{4, 2, 2}, kF16Full{2, 4, 4}, kF16HalfDepth{2, 2, 2};

constexpr char kIsa[] = "9.7.14.6.3 mma.sp";
constexpr char kFullOperands[] = "v4r32 v4r32 v4r32 v4r32 r32 r32";
constexpr char kHalfDepthOperands[] = "v4r32 v2r32 v2r32 v4r32 r32 r32";
constexpr char kF16Operands[] = "v2r32 v4r32 v4r32 v2r32 r32 r32";
constexpr char kF16HalfDepthOperands[] = "v2r32 v2r32 v2r32 v2r32 r32 r32";
constexpr char kScaledOperands[] = "v4r32 v4r32 v4r32 v4r32 r32 r32 r32 v2r16 r32 v2r16";

const Form kForms[] = {
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k32.row.col.f32.[f16.f16|bf16.bf16].f32", kFullOperands, nullptr,
     bind<kFull>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k16.row.col.f32.[f16.f16|bf16.bf16].f32", kHalfDepthOperands,
     nullptr, bind<kHalfDepth>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k32.row.col.f16.f16.f16.f16", kF16Operands, nullptr,
     bind<kF16Full>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", kF16HalfDepthOperands, nullptr,
     bind<kF16HalfDepth>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32", kFullOperands, nullptr,
     bind<kFull>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", kHalfDepthOperands, nullptr,
     bind<kHalfDepth>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k64.row.col.f32.[e4m3|e5m2].[e4m3|e5m2].f32", kFullOperands,
     nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k64.row.col[.satfinite|].s32.[s8|u8].[s8|u8].s32", kFullOperands,
     nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k32.row.col[.satfinite|].s32.[s8|u8].[s8|u8].s32",
     kHalfDepthOperands, nullptr, bind<kHalfDepth>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k128.row.col[.satfinite|].s32.[s4|u4].[s4|u4].s32", kFullOperands,
     nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma.[sp|sp::ordered_metadata].sync.aligned.m16n8k64.row.col[.satfinite|].s32.[s4|u4].[s4|u4].s32",
     kHalfDepthOperands, nullptr, bind<kHalfDepth>, Unit::kTensor, kIsa},
    // The SM120 family's, as the ISA and as CUTLASS spell them.
    {"mma[.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.kind::f8f6f4"
     "|.sync.aligned.kind::f8f6f4.sp::ordered_metadata.m16n8k64.row.col].f32."
     "[e4m3|e5m2|e3m2|e2m3|e2m1].[e4m3|e5m2|e3m2|e2m3|e2m1].f32",
     kFullOperands, nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma[.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.kind::f8f6f4"
     "|.sync.aligned.kind::f8f6f4.sp::ordered_metadata.m16n8k64.row.col].f16."
     "[e4m3|e5m2|e3m2|e2m3|e2m1].[e4m3|e5m2|e3m2|e2m3|e2m1].f16",
     kF16Operands, nullptr, bind<kF16Full>, Unit::kTensor, kIsa},
    {"mma[.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.kind::mxf8f6f4.block_scale[.scale_vec::1X|]"
     "|.sync.aligned.kind::mxf8f6f4.sp::ordered_metadata.block_scale[.scale_vec::1X|].m16n8k64.row.col].f32."
     "[e4m3|e5m2|e3m2|e2m3|e2m1].[e4m3|e5m2|e3m2|e2m3|e2m1].f32.ue8m0",
     kScaledOperands, nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma[.sp::ordered_metadata.sync.aligned.m16n8k128.row.col.kind::mxf4.block_scale[.scale_vec::2X|]"
     "|.sync.aligned.kind::mxf4.sp::ordered_metadata.block_scale[.scale_vec::2X|].m16n8k128.row.col].f32.e2m1.e2m1.f32."
     "ue8m0",
     kScaledOperands, nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma[.sp::ordered_metadata.sync.aligned.m16n8k128.row.col.kind::mxf4nvf4.block_scale.scale_vec::2X"
     "|.sync.aligned.kind::mxf4nvf4.sp::ordered_metadata.block_scale.scale_vec::2X.m16n8k128.row.col].f32.e2m1.e2m1."
     "f32.ue8m0",
     kScaledOperands, nullptr, bind<kFull>, Unit::kTensor, kIsa},
    {"mma[.sp::ordered_metadata.sync.aligned.m16n8k128.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X"
     "|.sync.aligned.kind::mxf4nvf4.sp::ordered_metadata.block_scale.scale_vec::4X.m16n8k128.row.col].f32.e2m1.e2m1."
     "f32.[ue4m3|ue8m0]",
     kScaledOperands, nullptr, bind<kFull>, Unit::kTensor, kIsa},
};

}  // namespace

std::span<const Form> mma_sparse_forms() { return kForms; }

}  // namespace sim

// mma.sync: the PTX spellings of the warp-wide matrix products over numerics/mma.hpp, which has the arithmetic and the
// fragment layouts. A row here only tells how many registers each operand has and reads the types from the opcode.
#include "numerics/mma.hpp"

#include <deque>
#include <mutex>
#include <stdexcept>

#include "ops/async_ops.hpp"

namespace sim {
namespace {

using numerics::Accumulator;
using numerics::Arch;
using numerics::BlockScale;
using numerics::Element;
using numerics::MmaForm;
using numerics::MmaFunction;
using numerics::MmaOperands;

// One form as handlers use it; Instr::imm is its address. A function is null where the architecture lacks the form.
struct Product {
  MmaForm form;
  MmaFunction sm90, sm120;
};

const Product* product_of(const MmaForm& form) {
  static std::mutex mutex;
  static std::deque<Product> products;  // a deque keeps its elements where they are
  const std::lock_guard lock(mutex);
  for (const Product& p : products)
    if (p.form == form) return &p;
  products.push_back({form, find_mma(Arch::kSm90, form), find_mma(Arch::kSm120, form)});
  return &products.back();
}

const Product& product(const Instr& i) { return *reinterpret_cast<const Product*>(i.imm); }

MmaFunction function_for(Warp& w, const Instr& i, const Product& p) {
  const MmaFunction f = w.block->grid->card->cc_major >= 12 ? p.sm120 : p.sm90;
  if (f == nullptr) {
    const Card& card = *w.block->grid->card;
    fault(w, i, -1,
          std::string("this mma.sync does not exist on ") + card.name + " (sm_" + std::to_string(card.cc_major) +
              std::to_string(card.cc_minor) + ")");
  }
  return f;
}

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
  const Product& p = product(i);
  MmaOperands o{};
  fill<kCounts>(w, i, o);
  function_for(w, i, p)(p.form, o);
}

uint8_t selector(Warp& w, const Instr& i, uint32_t slot, uint32_t allowed, const char* name) {
  const uint32_t value = u32(w, slot)[0];
  if (value > 31 || (allowed >> value & 1) == 0)
    fault(w, i, 0, std::string(name) + " " + std::to_string(value) + " is not allowed for this kind and scale_vec");
  return static_cast<uint8_t>(value);
}

void multiply_scaled(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  const Product& p = product(i);
  MmaOperands o{};
  fill<Counts{4, 4, 2}>(w, i, o);
  // {byte-id, thread-id}: the bytes of the register that hold the factors, and which lanes of a quad hold it.
  const uint32_t bytes = p.form.scale == BlockScale::k1xUe8m0   ? 0b1111
                         : p.form.scale == BlockScale::k2xUe8m0 ? 0b101
                                                                : 0b1;
  const uint32_t* const s = i.ops + 14;
  o.scale_a = u32(w, s[0]);
  o.byte_a = selector(w, i, s[1], bytes, "byte-id-a");
  o.thread_a = selector(w, i, s[2], 0b11, "thread-id-a");
  o.scale_b = u32(w, s[3]);
  o.byte_b = selector(w, i, s[4], bytes, "byte-id-b");
  o.thread_b = selector(w, i, s[5], 0b1111, "thread-id-b");
  function_for(w, i, p)(p.form, o);
}

template <class T>
struct Name {
  std::string_view token;
  T value;
};
constexpr Name<Element> kElements[] = {
    {"f16", Element::kF16},   {"bf16", Element::kBf16}, {"tf32", Element::kTf32}, {"e4m3", Element::kE4m3},
    {"e5m2", Element::kE5m2}, {"e2m3", Element::kE2m3}, {"e3m2", Element::kE3m2}, {"e2m1", Element::kE2m1},
    {"s8", Element::kS8},     {"u8", Element::kU8},
};
constexpr Name<Accumulator> kAccumulators[] = {
    {"f32", Accumulator::kF32}, {"f16", Accumulator::kF16}, {"s32", Accumulator::kS32}};

template <class T, size_t N>
T value_of(const Name<T> (&names)[N], std::string_view token) {
  for (const Name<T>& n : names)
    if (n.token == token) return n.value;
  throw std::logic_error("mma.cpp: a row admits the unknown type " + std::string(token));
}

uint8_t depth_of(const ptx::Statement& s) {
  for (const uint8_t k : {4, 8, 16, 32, 64})
    if (s.has("m16n8k" + std::to_string(k))) return k;
  throw std::logic_error("mma.cpp: a row admits an unknown shape");
}

// The types are the last four tokens, D A B C, or the four before the scale type.
MmaForm form_of(const ptx::Statement& s) {
  const bool is_scaled = s.has("block_scale");
  const size_t types = s.tokens.size() - (is_scaled ? 5 : 4);
  MmaForm form{};
  form.accumulator = value_of(kAccumulators, s.tokens[types]);
  form.a = value_of(kElements, s.tokens[types + 1]);
  form.b = value_of(kElements, s.tokens[types + 2]);
  form.k = depth_of(s);
  form.satfinite = s.has("satfinite");
  if (is_scaled) {
    const bool is_ue4m3 = s.tokens.back() == "ue4m3";
    form.scale = s.has("scale_vec::4X") ? (is_ue4m3 ? BlockScale::k4xUe4m3 : BlockScale::k4xUe8m0)
                 : form.k == 64         ? BlockScale::k2xUe8m0
                                        : BlockScale::k1xUe8m0;
  }
  return form;
}

Handler with_product(const ptx::Statement& s, Instr& i, Handler handler) {
  const Product* p = product_of(form_of(s));
  if (p->sm90 == nullptr && p->sm120 == nullptr) return nullptr;
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

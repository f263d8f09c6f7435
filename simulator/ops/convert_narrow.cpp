// cvt to and from 8-, 6- and 4-bit floating point and the ue8m0 scale type, two values at a time.
// numerics/formats.hpp is the definition; encode_fast() gives the same codes without branches, so that 32 lanes become
// vector code (quantisation kernels live in these instructions), and decoding is a table look-up.
#include <array>

#include "numerics/formats.hpp"
#include "ops/async_ops.hpp"
#include "ops/float_views.hpp"

namespace sim {
namespace {

using numerics::Format;
using numerics::kE2m1;
using numerics::kE2m3;
using numerics::kE3m2;
using numerics::kE4m3;
using numerics::kE5m2;

constexpr char kBlackwellTargets[] = "sm_100a, sm_120a or their families";

// `if` as arithmetic: the compiler must not make a branch of it.
constexpr uint32_t select(bool condition, uint32_t yes, uint32_t no) {
  const uint32_t mask = 0u - static_cast<uint32_t>(condition);
  return (yes & mask) | (no & ~mask);
}

// f32 bits to the code of F: round to nearest even, saturate to the largest finite value, NaN to F.nan. `kRelu`:
// negative values become +0.
template <Format F, bool kRelu>
inline uint32_t encode_fast(uint32_t x) {
  constexpr int kDrop = 23 - F.mantissa_bits;
  constexpr uint32_t kSmallestNormal = static_cast<uint32_t>(128 - F.bias()) << 23;
  constexpr uint32_t kRebias = static_cast<uint32_t>(127 - F.bias()) << F.mantissa_bits;
  // Adding this power of two leaves the subnormal code in the low bits, rounded by the addition.
  constexpr uint32_t kMagic = static_cast<uint32_t>(127 + 24 - F.bias() - F.mantissa_bits) << 23;
  const uint32_t magnitude = x & 0x7fffffffu;
  const uint32_t normal = ((magnitude + ((1u << (kDrop - 1)) - 1) + (magnitude >> kDrop & 1)) >> kDrop) - kRebias;
  const bool is_small = magnitude < kSmallestNormal;
  const float bounded = std::bit_cast<float>(select(is_small, magnitude, 0));
  const uint32_t subnormal = std::bit_cast<uint32_t>(bounded + std::bit_cast<float>(kMagic)) - kMagic;
  uint32_t code = select(is_small, subnormal, normal);
  code = code < F.largest ? code : F.largest;
  const bool is_nan = magnitude > numerics::kInfinityF32;
  code = select(is_nan, F.nan, code);
  const uint32_t sign = select(is_nan, 0, x >> 31);
  if constexpr (kRelu) return select(sign != 0, 0, code);
  return code | sign << (F.exponent_bits + F.mantissa_bits);
}

// The low 16 bits as f32; which NaN a NaN becomes does not matter here.
template <Format S>
inline uint32_t widen(uint32_t half) {
  if constexpr (S.exponent_bits == 8) return half << 16;
  return std::bit_cast<uint32_t>(half_to_f32(half));
}

template <Format F>
constexpr int kCodeBits = F.exponent_bits + F.mantissa_bits == 3 ? 4 : 8;  // e2m1 pairs share a byte
template <Format F>
constexpr bool kIsHopper = F.exponent_bits + F.mantissa_bits == 7;  // e4m3 and e5m2

template <Format F>
uint32_t pack(uint32_t high, uint32_t low) {
  return high << kCodeBits<F> | low;
}

// d = {a, b}: the first source is the upper half.
template <Format F, bool kRelu>
void from_f32(Warp& w, const Instr& i) {
  if constexpr (!kIsHopper<F>) require_card(w, i, 10, kBlackwellTargets);
  uint32_t* const d = u32(w, i.d);
  const uint32_t *const a = u32(w, i.a), *const b = u32(w, i.b);
  for_lanes(w, [=](int lane) { d[lane] = pack<F>(encode_fast<F, kRelu>(a[lane]), encode_fast<F, kRelu>(b[lane])); });
}

template <Format F, Format S, bool kRelu>
void from_pair(Warp& w, const Instr& i) {
  if constexpr (!kIsHopper<F> || S.exponent_bits == 8) require_card(w, i, 10, kBlackwellTargets);
  uint32_t* const d = u32(w, i.d);
  const uint32_t* const a = u32(w, i.a);
  for_lanes(w, [=](int lane) {
    const uint32_t high = widen<S>(a[lane] >> 16), low = widen<S>(a[lane] & 0xffff);
    d[lane] = pack<F>(encode_fast<F, kRelu>(high), encode_fast<F, kRelu>(low));
  });
}

// Every code of F as f16 or bf16 (both hold all of them exactly).
template <Format F, Format D>
constexpr std::array<uint16_t, 1 << kCodeBits<F>> make_table() {
  std::array<uint16_t, 1 << kCodeBits<F>> table{};
  for (uint32_t code = 0; code < table.size(); ++code)
    table[code] =
        static_cast<uint16_t>(numerics::encode(D, numerics::decode(F, code), numerics::Round::kNearestEven, false));
  return table;
}

template <Format F, Format D, bool kRelu>
void to_pair(Warp& w, const Instr& i) {
  static constexpr auto kTable = make_table<F, D>();
  constexpr uint32_t kMask = (1u << kCodeBits<F>)-1;
  if constexpr (!kIsHopper<F> || D.exponent_bits == 8) require_card(w, i, 10, kBlackwellTargets);
  uint32_t* const d = u32(w, i.d);
  const uint32_t* const a = u32(w, i.a);
  for_lanes(w, [=](int lane) {
    uint32_t high = kTable[a[lane] >> kCodeBits<F> & kMask], low = kTable[a[lane] & kMask];
    if constexpr (kRelu) {  // NaN is not negative
      if ((high & 0x8000) != 0 && (high & 0x7fff) <= D.infinity) high = 0;
      if ((low & 0x8000) != 0 && (low & 0x7fff) <= D.infinity) low = 0;
    }
    d[lane] = high << 16 | low;
  });
}

// ue8m0 forms: a power of two, the sign ignored; Instr::imm bit 0: round up, bit 1: satfinite.
uint32_t scale_code(uint32_t f32, int64_t flags) {
  const bool saturates = (flags & 2) != 0;
  return (flags & 1) != 0 ? numerics::f32_to_ue8m0_rp(f32, saturates) : numerics::f32_to_ue8m0_rz(f32, saturates);
}
void scale_from_f32(Warp& w, const Instr& i) {
  require_card(w, i, 10, kBlackwellTargets);
  uint32_t* const d = u32(w, i.d);
  const uint32_t *const a = u32(w, i.a), *const b = u32(w, i.b);
  for_lanes(w, [&](int lane) { d[lane] = scale_code(a[lane], i.imm) << 8 | scale_code(b[lane], i.imm); });
}
void scale_from_bf16x2(Warp& w, const Instr& i) {
  require_card(w, i, 10, kBlackwellTargets);
  uint32_t* const d = u32(w, i.d);
  const uint32_t* const a = u32(w, i.a);
  for_lanes(
      w, [&](int lane) { d[lane] = scale_code(a[lane] & 0xffff0000u, i.imm) << 8 | scale_code(a[lane] << 16, i.imm); });
}
void scale_to_bf16x2(Warp& w, const Instr& i) {
  require_card(w, i, 10, kBlackwellTargets);
  uint32_t* const d = u32(w, i.d);
  const uint32_t* const a = u32(w, i.a);
  for_lanes(w, [=](int lane) { d[lane] = numerics::ue8m0x2_to_bf16x2(a[lane]); });
}

int64_t scale_flags(const ptx::Statement& s) { return (s.has("rp") ? 1 : 0) | (s.has("satfinite") ? 2 : 0); }
Handler bind_scale_f32(const ptx::Statement& s, Instr& i) { return i.imm = scale_flags(s), scale_from_f32; }
Handler bind_scale_bf16x2(const ptx::Statement& s, Instr& i) { return i.imm = scale_flags(s), scale_from_bf16x2; }

template <Format F>
Handler bind_from_f32(const ptx::Statement& s, Instr&) {
  return s.has("relu") ? from_f32<F, true> : from_f32<F, false>;
}
template <Format F>
Handler bind_from_pair(const ptx::Statement& s, Instr&) {
  using numerics::kBf16;
  using numerics::kF16;
  if (s.has("relu")) return s.has("f16x2") ? from_pair<F, kF16, true> : from_pair<F, kBf16, true>;
  return s.has("f16x2") ? from_pair<F, kF16, false> : from_pair<F, kBf16, false>;
}
template <Format F>
Handler bind_to_pair(const ptx::Statement& s, Instr&) {
  using numerics::kBf16;
  using numerics::kF16;
  if (s.has("relu")) return s.has("f16x2") ? to_pair<F, kF16, true> : to_pair<F, kBf16, true>;
  return s.has("f16x2") ? to_pair<F, kF16, false> : to_pair<F, kBf16, false>;
}

constexpr char kIsa[] = "9.7.9.21 cvt";

const Form kForms[] = {
    {"cvt.rn.satfinite[.relu|].e4m3x2.f32", "r16 r32 r32", nullptr, bind_from_f32<kE4m3>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e5m2x2.f32", "r16 r32 r32", nullptr, bind_from_f32<kE5m2>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e2m3x2.f32", "r16 r32 r32", nullptr, bind_from_f32<kE2m3>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e3m2x2.f32", "r16 r32 r32", nullptr, bind_from_f32<kE3m2>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e2m1x2.f32", "r8 r32 r32", nullptr, bind_from_f32<kE2m1>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e4m3x2.[f16x2|bf16x2]", "r16 r32", nullptr, bind_from_pair<kE4m3>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e5m2x2.[f16x2|bf16x2]", "r16 r32", nullptr, bind_from_pair<kE5m2>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e2m3x2.[f16x2|bf16x2]", "r16 r32", nullptr, bind_from_pair<kE2m3>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e3m2x2.[f16x2|bf16x2]", "r16 r32", nullptr, bind_from_pair<kE3m2>, Unit::kConvert, kIsa},
    {"cvt.rn.satfinite[.relu|].e2m1x2.[f16x2|bf16x2]", "r8 r32", nullptr, bind_from_pair<kE2m1>, Unit::kConvert, kIsa},
    {"cvt.rn[.relu|].[f16x2|bf16x2].e4m3x2", "r32 r16", nullptr, bind_to_pair<kE4m3>, Unit::kConvert, kIsa},
    {"cvt.rn[.relu|].[f16x2|bf16x2].e5m2x2", "r32 r16", nullptr, bind_to_pair<kE5m2>, Unit::kConvert, kIsa},
    {"cvt.rn[.relu|].[f16x2|bf16x2].e2m3x2", "r32 r16", nullptr, bind_to_pair<kE2m3>, Unit::kConvert, kIsa},
    {"cvt.rn[.relu|].[f16x2|bf16x2].e3m2x2", "r32 r16", nullptr, bind_to_pair<kE3m2>, Unit::kConvert, kIsa},
    {"cvt.rn[.relu|].[f16x2|bf16x2].e2m1x2", "r32 r8", nullptr, bind_to_pair<kE2m1>, Unit::kConvert, kIsa},
    {"cvt.[rz|rp][.satfinite|].ue8m0x2.f32", "r16 r32 r32", nullptr, bind_scale_f32, Unit::kConvert, kIsa},
    {"cvt.[rz|rp][.satfinite|].ue8m0x2.bf16x2", "r16 r32", nullptr, bind_scale_bf16x2, Unit::kConvert, kIsa},
    {"cvt.rn.bf16x2.ue8m0x2", "r32 r16", scale_to_bf16x2, nullptr, Unit::kConvert, kIsa},
};

}  // namespace

std::span<const Form> convert_narrow_forms() { return kForms; }

}  // namespace sim

// The special function unit: rcp, rsqrt, sqrt, sin, cos, lg2, ex2, tanh approximations, and division by them.
// PTX ISA 9.7.3.8, 9.7.3.13 to 9.7.3.22, 9.7.4.9 and 9.7.4.10. numerics/ has the functions; here are the
// flushing of subnormals, the scaling that keeps forms without .ftz exact near the ends of the range, and narrow formats.
#include "numerics/mufu_reference.hpp"
#include "ops/float.hpp"
#include "ops/float_views.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

enum class Mufu { kRcp, kRsqrt, kSqrt, kSin, kCos, kLg2, kEx2, kTanh };

// The correctly rounded value for a normal or zero input.
float approximate(Mufu function, float x) {
  namespace reference = numerics::reference;
  const auto rounded = [](double y) { return std::bit_cast<float>(reference::to_f32_bits(y)); };
  const float nan = std::bit_cast<float>(numerics::kNanF32), infinity = HUGE_VALF;
  if (x != x) return nan;
  switch (function) {
    case Mufu::kRcp: return 1.0f / x;
    case Mufu::kSqrt: return x < 0 ? nan : std::sqrt(x);
    case Mufu::kRsqrt:
      if (x == 0) return std::copysign(infinity, x);
      if (x < 0) return nan;
      return x == infinity ? 0.0f : rounded(1.0 / reference::square_root(x));
    case Mufu::kLg2:
      if (x == 0) return -infinity;
      if (x < 0) return nan;
      return x == infinity ? x : rounded(reference::log2(x));
    case Mufu::kEx2:
      if (x > 200.0f) return infinity;
      return x < -200.0f ? 0.0f : rounded(reference::exp2(x));
    case Mufu::kTanh: return x == 0 ? x : rounded(reference::tanh(x));
    default:
      if (std::isinf(x)) return nan;
      if (x == 0 && function == Mufu::kSin) return x;
      return rounded(reference::sin_turns(static_cast<double>(x) / reference::kTwoPi, function == Mufu::kCos));
  }
}

constexpr float kTiny = 0x1p-126f, kHuge = 0x1p126f, kUp = 0x1p24f;

// The unit reads subnormals as zero and flushes subnormal results; instructions without .ftz scale around it.
float rcp_full(float x) {
  if (std::abs(x) < kTiny) return approximate(Mufu::kRcp, x * kUp) * kUp;
  if (std::abs(x) > kHuge) return approximate(Mufu::kRcp, x * 0.25f) * 0.25f;
  return approximate(Mufu::kRcp, x);
}
float rsqrt_full(float x) {
  return std::abs(x) < kTiny ? approximate(Mufu::kRsqrt, x * kUp) * 0x1p12f : approximate(Mufu::kRsqrt, x);
}
float sqrt_full(float x) {
  return std::abs(x) < kTiny ? approximate(Mufu::kSqrt, x * kUp) * 0x1p-12f : approximate(Mufu::kSqrt, x);
}
float lg2_full(float x) {
  return std::abs(x) < kTiny ? approximate(Mufu::kLg2, x * kUp) - 24.0f : approximate(Mufu::kLg2, x);
}
float ex2_full(float x) {
  if (!(x < -126.0f)) return approximate(Mufu::kEx2, x);
  const float half = approximate(Mufu::kEx2, x * 0.5f);
  return half * half;
}

template <Mufu kFunction>
float full(float x) {
  switch (kFunction) {
    case Mufu::kRcp: return rcp_full(x);
    case Mufu::kRsqrt: return rsqrt_full(x);
    case Mufu::kSqrt: return sqrt_full(x);
    case Mufu::kLg2: return lg2_full(x);
    case Mufu::kEx2: return ex2_full(x);
    default: return approximate(kFunction, x);
  }
}

template <Mufu kFunction, bool kFtz>
void mufu(Warp& w, const Instr& i) {
  using V = std::conditional_t<kFtz, F32Ftz, F32>;
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) {
    const float x = V::decode(a[l]);
    d[l] = V::encode(kFtz ? approximate(kFunction, x) : full<kFunction>(x));
  });
}
template <Mufu kFunction>
Handler bind_mufu(const ptx::Statement& s, Instr&) {
  return s.has("ftz") ? mufu<kFunction, true> : mufu<kFunction, false>;
}

// 16-bit forms compute in f32 and round once.
template <Mufu kFunction, class V, bool kPair>
void mufu_half(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) {
    const auto half = [&](int shift) { return V::encode(full<kFunction>(static_cast<float>(V::decode(a[l] >> shift)))); };
    d[l] = kPair ? half(16) << 16 | half(0) : half(0);
  });
}
template <Mufu kFunction>
Handler bind_half(const ptx::Statement& s, Instr&) {
  const std::string_view type = s.tokens.back();
  if (type == "f16") return mufu_half<kFunction, F16, false>;
  if (type == "f16x2") return mufu_half<kFunction, F16, true>;
  return type == "bf16" ? mufu_half<kFunction, Bf16, false> : mufu_half<kFunction, Bf16, true>;
}

// a / b = a * rcp(b). kFull scales both where rcp(b) would leave the range.
template <bool kFull, bool kFtz>
void divide(Warp& w, const Instr& i) {
  using V = std::conditional_t<kFtz, F32Ftz, F32>;
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b);
  for_lanes(w, [=](int l) {
    float x = V::decode(a[l]), y = V::decode(b[l]);
    if (!kFull) {
      d[l] = V::encode(x * (kFtz ? approximate(Mufu::kRcp, y) : rcp_full(y)));
      return;
    }
    if (std::abs(y) > kHuge) x *= 0.25f, y *= 0.25f;
    else if (!kFtz && std::abs(y) < kTiny) x *= kUp, y *= kUp;
    d[l] = V::encode(V::decode(std::bit_cast<uint32_t>(x)) * approximate(Mufu::kRcp, y));
  });
}
Handler bind_divide(const ptx::Statement& s, Instr&) {
  if (s.has("full")) return s.has("ftz") ? divide<true, true> : divide<true, false>;
  return s.has("ftz") ? divide<false, true> : divide<false, false>;
}

// f64: the unit sees and makes the upper 32 bits only; the lower ones are zero.
template <bool kRoot>
void rough_f64(Warp& w, const Instr& i) {
  uint64_t* d = u64(w, i.d);
  const uint64_t* a = u64(w, i.a);
  for_lanes(w, [=](int l) {
    uint64_t bits = a[l] & ~0xffffffffull;
    if ((bits >> 52 & 0x7ff) == 0) bits &= 1ull << 63;
    const double x = std::bit_cast<double>(bits);
    const uint64_t exact = std::bit_cast<uint64_t>(kRoot ? 1.0 / std::sqrt(x) : 1.0 / x);
    if (exact >> 52 << 1 == 0) d[l] = exact & 1ull << 63;
    else d[l] = (exact & 0x7fffffffffffffffull) > 0x7ff0000000000000ull ? 0x7fffffff00000000ull : (exact + 0x80000000u) & ~0xffffffffull;
  });
}

constexpr Form kForms[] = {
    {"div.[approx|full][|.ftz].f32", "r32 r32 r32", nullptr, bind_divide, Unit::kMufu, "9.7.3.8"},
    {"rcp.approx[|.ftz].f32", "r32 r32", nullptr, bind_mufu<Mufu::kRcp>, Unit::kMufu, "9.7.3.13"},
    {"rcp.approx.ftz.f64", "r64 r64", rough_f64<false>, nullptr, Unit::kMufu, "9.7.3.14"},
    {"sqrt.approx[|.ftz].f32", "r32 r32", nullptr, bind_mufu<Mufu::kSqrt>, Unit::kMufu, "9.7.3.15"},
    {"rsqrt.approx[|.ftz].f32", "r32 r32", nullptr, bind_mufu<Mufu::kRsqrt>, Unit::kMufu, "9.7.3.16"},
    {"rsqrt.approx[|.ftz].f64", "r64 r64", rough_f64<true>, nullptr, Unit::kMufu, "9.7.3.17"},
    {"sin.approx[|.ftz].f32", "r32 r32", nullptr, bind_mufu<Mufu::kSin>, Unit::kMufu, "9.7.3.18"},
    {"cos.approx[|.ftz].f32", "r32 r32", nullptr, bind_mufu<Mufu::kCos>, Unit::kMufu, "9.7.3.19"},
    {"lg2.approx[|.ftz].f32", "r32 r32", nullptr, bind_mufu<Mufu::kLg2>, Unit::kMufu, "9.7.3.20"},
    {"ex2.approx[|.ftz].f32", "r32 r32", nullptr, bind_mufu<Mufu::kEx2>, Unit::kMufu, "9.7.3.21"},
    {"ex2.approx.[f16|ftz.bf16]", "r16 r16", nullptr, bind_half<Mufu::kEx2>, Unit::kMufu, "9.7.4.10"},
    {"ex2.approx.[f16x2|ftz.bf16x2]", "r32 r32", nullptr, bind_half<Mufu::kEx2>, Unit::kMufu, "9.7.4.10"},
    {"tanh.approx.f32", "r32 r32", nullptr, bind_mufu<Mufu::kTanh>, Unit::kMufu, "9.7.3.22"},
    {"tanh.approx.[f16|bf16]", "r16 r16", nullptr, bind_half<Mufu::kTanh>, Unit::kMufu, "9.7.4.9"},
    {"tanh.approx.[f16x2|bf16x2]", "r32 r32", nullptr, bind_half<Mufu::kTanh>, Unit::kMufu, "9.7.4.9"},
};

}  // namespace

std::span<const Form> mufu_forms() { return kForms; }

}  // namespace sim

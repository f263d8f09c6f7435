// f32 and f64 arithmetic: add, sub, mul, fma, mad, div, rcp, sqrt, abs, neg, min, max, copysign, testp, and the forms
// of two f32 in 64 bits. PTX ISA 9.7.3. Directed rounding is the host's own, switched on around the lane loop.
#include <limits>
#include <vector>

#include "ops/float.hpp"
#include "ops/float_views.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

constexpr auto kAdd = [](auto a, auto b) { return a + b; };
constexpr auto kSub = [](auto a, auto b) { return a - b; };
constexpr auto kMul = [](auto a, auto b) { return a * b; };
constexpr auto kDiv = [](auto a, auto b) { return a / b; };
constexpr auto kRcp = [](auto a) { return decltype(a){1} / a; };
constexpr auto kSqrt = [](auto a) { return std::sqrt(a); };
constexpr auto kFma = [](auto a, auto b, auto c) { return std::fma(a, b, c); };
// .sat: to [0, 1]; NaN becomes +0.
constexpr auto kSaturate = [](auto x) { return x > 0 ? (x < 1 ? x : decltype(x){1}) : decltype(x){0}; };

template <class V, bool kSat, class T>
auto finish(T x) {
  if constexpr (kSat)
    return V::encode(kSaturate(x));
  else
    return V::encode(x);
}

template <class V, Mode kMode, bool kSat, auto F>
void unary_float(Warp& w, const Instr& i) {
  using Bits = typename V::Bits;
  Bits* d = lanes<Bits>(w, i.d);
  const Bits* a = lanes<Bits>(w, i.a);
  const Rounding<kMode> rounding;
  for_lanes(w, [=](int l) { d[l] = finish<V, kSat>(F(V::decode(a[l]))); });
}
template <class V, Mode kMode, bool kSat, auto F>
void binary_float(Warp& w, const Instr& i) {
  using Bits = typename V::Bits;
  Bits* d = lanes<Bits>(w, i.d);
  const Bits *a = lanes<Bits>(w, i.a), *b = lanes<Bits>(w, i.b);
  const Rounding<kMode> rounding;
  constexpr bool kIsQuotient = std::is_same_v<decltype(F), decltype(kDiv)>;
  for_lanes(w, [=](int l) {
    const Bits x = a[l], y = b[l];
    d[l] = finish<V, kSat>(F(V::decode(x), V::decode(y)));
    if constexpr (sizeof(Bits) == 8) d[l] = kIsQuotient ? propagate(d[l], x, y) : propagate(d[l], y, x);
  });
}
template <class V, Mode kMode, bool kSat, auto F>
void ternary_float(Warp& w, const Instr& i) {
  using Bits = typename V::Bits;
  Bits* d = lanes<Bits>(w, i.d);
  const Bits *a = lanes<Bits>(w, i.a), *b = lanes<Bits>(w, i.b), *c = lanes<Bits>(w, i.c);
  const Rounding<kMode> rounding;
  for_lanes(w, [=](int l) {
    const Bits x = a[l], y = b[l], z = c[l];
    d[l] = finish<V, kSat>(F(V::decode(x), V::decode(y), V::decode(z)));
    if constexpr (sizeof(Bits) == 8) d[l] = propagate(d[l], y, z, x);
  });
}

// Two f32 in 64 bits: the low and the high one, each by F.
template <class V, Mode kMode, auto F, int kSources>
void pair_float(Warp& w, const Instr& i) {
  uint64_t* d = u64(w, i.d);
  const uint64_t *a = u64(w, i.a), *b = u64(w, i.b), *c = kSources == 3 ? u64(w, i.c) : nullptr;
  const Rounding<kMode> rounding;
  for_lanes(w, [=](int l) {
    const auto half = [&](int shift) -> uint64_t {
      const auto part = [&](const uint64_t* p) { return V::decode(static_cast<uint32_t>(p[l] >> shift)); };
      if constexpr (kSources == 3)
        return V::encode(F(part(a), part(b), part(c)));
      else
        return V::encode(F(part(a), part(b)));
    };
    const uint64_t low = half(0), high = half(32);
    d[l] = high << 32 | low;
  });
}

// Mixed precision: 16-bit sources beside an f32.
template <class V, Mode kMode, bool kSat, auto F>
void mixed_add(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *c = u32(w, i.b);
  const Rounding<kMode> rounding;
  for_lanes(w, [=](int l) { d[l] = finish<F32, kSat>(F(static_cast<float>(V::decode(a[l])), F32::decode(c[l]))); });
}
template <class V, Mode kMode, bool kSat>
void mixed_fma(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b), *c = u32(w, i.c);
  const Rounding<kMode> rounding;
  for_lanes(w, [=](int l) {
    const float x = static_cast<float>(V::decode(a[l])), y = static_cast<float>(V::decode(b[l]));
    d[l] = finish<F32, kSat>(std::fma(x, y, F32::decode(c[l])));
  });
}

// f(mode) for the rounding modifier of a statement; nearest even without one.
template <class F>
Handler with_mode(const ptx::Statement& s, F&& f) {
  if (s.has("rz")) return f(std::integral_constant<Mode, Mode::kZero>{});
  if (s.has("rm")) return f(std::integral_constant<Mode, Mode::kDown>{});
  if (s.has("rp")) return f(std::integral_constant<Mode, Mode::kUp>{});
  return f(std::integral_constant<Mode, Mode::kNearest>{});
}

template <class V, auto F, int kSources>
Handler with_saturation(const ptx::Statement& s) {
  return with_mode(s, [&](auto mode) -> Handler {
    constexpr Mode kMode = decltype(mode)::value;
    if constexpr (kSources == 1)
      return unary_float<V, kMode, false, F>;
    else if constexpr (kSources == 2)
      return s.has("sat") ? binary_float<V, kMode, true, F> : binary_float<V, kMode, false, F>;
    else
      return s.has("sat") ? ternary_float<V, kMode, true, F> : ternary_float<V, kMode, false, F>;
  });
}
template <auto F, int kSources>
Handler bind_f32(const ptx::Statement& s, Instr&) {
  return s.has("ftz") ? with_saturation<F32Ftz, F, kSources>(s) : with_saturation<F32, F, kSources>(s);
}
template <auto F, int kSources>
Handler bind_f64(const ptx::Statement& s, Instr&) {
  return with_saturation<F64, F, kSources>(s);
}
template <auto F, int kSources>
Handler bind_f32x2(const ptx::Statement& s, Instr&) {
  return with_mode(s, [&](auto mode) -> Handler {
    constexpr Mode kMode = decltype(mode)::value;
    return s.has("ftz") ? pair_float<F32Ftz, kMode, F, kSources> : pair_float<F32, kMode, F, kSources>;
  });
}
template <auto F>
Handler bind_mixed_add(const ptx::Statement& s, Instr&) {
  return with_mode(s, [&](auto mode) -> Handler {
    constexpr Mode kMode = decltype(mode)::value;
    if (s.has("bf16")) return s.has("sat") ? mixed_add<Bf16, kMode, true, F> : mixed_add<Bf16, kMode, false, F>;
    return s.has("sat") ? mixed_add<F16, kMode, true, F> : mixed_add<F16, kMode, false, F>;
  });
}
Handler bind_mixed_fma(const ptx::Statement& s, Instr&) {
  return with_mode(s, [&](auto mode) -> Handler {
    constexpr Mode kMode = decltype(mode)::value;
    if (s.has("bf16")) return s.has("sat") ? mixed_fma<Bf16, kMode, true> : mixed_fma<Bf16, kMode, false>;
    return s.has("sat") ? mixed_fma<F16, kMode, true> : mixed_fma<F16, kMode, false>;
  });
}

// abs and neg touch the sign; of a NaN they make the canonical one (f64 keeps its payload and its sign).
template <class V, auto F>
void sign_float(Warp& w, const Instr& i) {
  using Bits = typename V::Bits;
  Bits* d = lanes<Bits>(w, i.d);
  const Bits* a = lanes<Bits>(w, i.a);
  for_lanes(w, [=](int l) {
    const Bits x = a[l];
    d[l] = V::encode(F(V::decode(x)));
    if constexpr (sizeof(Bits) == 8) d[l] = propagate(d[l], x, x);
  });
}
constexpr auto kAbs = [](auto a) { return std::abs(a); };
constexpr auto kNeg = [](auto a) { return -a; };

// min and max: -0 < +0; a NaN loses against a number, with .NaN it wins.
template <bool kGreater, bool kNan, class T>
T extreme(T a, T b) {
  const T chosen = a == b ? (std::signbit(a) == kGreater ? b : a) : ((a < b) == kGreater ? b : a);
  if (a != a) return kNan ? a : b;
  if (b != b) return kNan ? b : a;
  return chosen;
}
template <class V, bool kGreater, bool kNan, bool kXorSign>
void min_max(Warp& w, const Instr& i) {
  using Bits = typename V::Bits;
  Bits* d = lanes<Bits>(w, i.d);
  const Bits *a = lanes<Bits>(w, i.a), *b = lanes<Bits>(w, i.b);
  for_lanes(w, [=](int l) {
    const auto x = V::decode(a[l]), y = V::decode(b[l]);
    if constexpr (kXorSign) {
      const auto r = extreme<kGreater, kNan>(std::abs(x), std::abs(y));
      d[l] = V::encode(std::signbit(x) != std::signbit(y) ? -r : r);
    } else {
      d[l] = V::encode(extreme<kGreater, kNan>(x, y));
    }
  });
}
template <class V, bool kGreater, bool kNan, bool kAbsolute>
void min_max3(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b), *c = u32(w, i.c);
  for_lanes(w, [=](int l) {
    const auto get = [](uint32_t bits) { return kAbsolute ? std::abs(V::decode(bits)) : V::decode(bits); };
    d[l] = V::encode(extreme<kGreater, kNan>(extreme<kGreater, kNan>(get(a[l]), get(b[l])), get(c[l])));
  });
}
template <bool kGreater>
Handler bind_min_max(const ptx::Statement& s, Instr&) {
  const auto choose = [&](auto v) -> Handler {
    using V = decltype(v);
    const bool nan = s.has("NaN");
    if (s.has("xorsign")) return nan ? min_max<V, kGreater, true, true> : min_max<V, kGreater, false, true>;
    return nan ? min_max<V, kGreater, true, false> : min_max<V, kGreater, false, false>;
  };
  return s.has("ftz") ? choose(F32Ftz{}) : choose(F32{});
}
template <bool kGreater>
Handler bind_min_max3(const ptx::Statement& s, Instr&) {
  const auto choose = [&](auto v) -> Handler {
    using V = decltype(v);
    const bool nan = s.has("NaN");
    if (s.has("abs")) return nan ? min_max3<V, kGreater, true, true> : min_max3<V, kGreater, false, true>;
    return nan ? min_max3<V, kGreater, true, false> : min_max3<V, kGreater, false, false>;
  };
  return s.has("ftz") ? choose(F32Ftz{}) : choose(F32{});
}

// copysign d, a, b: the sign of a on the magnitude of b.
constexpr auto kCopySign32 = [](uint32_t a, uint32_t b) { return (a & 0x80000000u) | (b & 0x7fffffffu); };
constexpr auto kCopySign64 = [](uint64_t a, uint64_t b) { return (a & 1ull << 63) | (b & ~(1ull << 63)); };

template <class T>
bool has_property(T x, int64_t property) {
  switch (property) {
    case 0:
      return std::isfinite(x);
    case 1:
      return std::isinf(x);
    case 2:
      return !std::isnan(x);
    case 3:
      return std::isnan(x);
    case 4:
      return std::isnormal(x) || x == 0;  // an H100 counts zeros as normal
    default:
      return std::fpclassify(x) == FP_SUBNORMAL;
  }
}
template <class V>
void testp(Warp& w, const Instr& i) {
  const auto* a = lanes<typename V::Bits>(w, i.a);
  set_pred(w, i.d, ballot([&](int l) { return has_property(V::decode(a[l]), i.imm); }));
}
Handler bind_testp(const ptx::Statement& s, Instr& i) {
  constexpr std::string_view kProperties[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  for (int n = 0; n < 6; ++n)
    if (s.tokens[1] == kProperties[n]) i.imm = n;
  return s.tokens[2] == "f64" ? testp<F64> : testp<F32>;
}

constexpr Form kForms[] = {
    {"testp.[finite|infinite|number|notanumber|normal|subnormal].f32", "p r32", nullptr, bind_testp, Unit::kAlu,
     "9.7.3.1"},
    {"testp.[finite|infinite|number|notanumber|normal|subnormal].f64", "p r64", nullptr, bind_testp, Unit::kFp64,
     "9.7.3.1"},
    {"copysign.f32", "r32 r32 r32", binary_of<uint32_t, kCopySign32>, nullptr, Unit::kAlu, "9.7.3.2"},
    {"copysign.f64", "r64 r64 r64", binary_of<uint64_t, kCopySign64>, nullptr, Unit::kAlu, "9.7.3.2"},
    {"add[|.rn|.rz|.rm|.rp][|.ftz][|.sat].f32", "r32 r32 r32", nullptr, bind_f32<kAdd, 2>, Unit::kFma, "9.7.3.3"},
    {"add[|.rn|.rz|.rm|.rp][|.ftz].f32x2", "r64 r64 r64", nullptr, bind_f32x2<kAdd, 2>, Unit::kFma, "9.7.3.3"},
    {"add[|.rn|.rz|.rm|.rp].f64", "r64 r64 r64", nullptr, bind_f64<kAdd, 2>, Unit::kFp64, "9.7.3.3"},
    {"add[|.rn|.rz|.rm|.rp][|.sat].f32.[f16|bf16]", "r32 r16 r32", nullptr, bind_mixed_add<kAdd>, Unit::kFma,
     "9.7.5.1"},
    {"sub[|.rn|.rz|.rm|.rp][|.ftz][|.sat].f32", "r32 r32 r32", nullptr, bind_f32<kSub, 2>, Unit::kFma, "9.7.3.4"},
    {"sub[|.rn|.rz|.rm|.rp][|.ftz].f32x2", "r64 r64 r64", nullptr, bind_f32x2<kSub, 2>, Unit::kFma, "9.7.3.4"},
    {"sub[|.rn|.rz|.rm|.rp].f64", "r64 r64 r64", nullptr, bind_f64<kSub, 2>, Unit::kFp64, "9.7.3.4"},
    {"sub[|.rn|.rz|.rm|.rp][|.sat].f32.[f16|bf16]", "r32 r16 r32", nullptr, bind_mixed_add<kSub>, Unit::kFma,
     "9.7.5.2"},
    {"mul[|.rn|.rz|.rm|.rp][|.ftz][|.sat].f32", "r32 r32 r32", nullptr, bind_f32<kMul, 2>, Unit::kFma, "9.7.3.5"},
    {"mul[|.rn|.rz|.rm|.rp][|.ftz].f32x2", "r64 r64 r64", nullptr, bind_f32x2<kMul, 2>, Unit::kFma, "9.7.3.5"},
    {"mul[|.rn|.rz|.rm|.rp].f64", "r64 r64 r64", nullptr, bind_f64<kMul, 2>, Unit::kFp64, "9.7.3.5"},
    {"[fma|mad].[rn|rz|rm|rp][|.ftz][|.sat].f32", "r32 r32 r32 r32", nullptr, bind_f32<kFma, 3>, Unit::kFma, "9.7.3.6"},
    {"fma.[rn|rz|rm|rp][|.ftz].f32x2", "r64 r64 r64 r64", nullptr, bind_f32x2<kFma, 3>, Unit::kFma, "9.7.3.6"},
    {"[fma|mad].[rn|rz|rm|rp].f64", "r64 r64 r64 r64", nullptr, bind_f64<kFma, 3>, Unit::kFp64, "9.7.3.6"},
    {"fma.[rn|rz|rm|rp][|.sat].f32.[f16|bf16]", "r32 r16 r16 r32", nullptr, bind_mixed_fma, Unit::kFma, "9.7.5.3"},
    {"div.[rn|rz|rm|rp][|.ftz].f32", "r32 r32 r32", nullptr, bind_f32<kDiv, 2>, Unit::kFma, "9.7.3.8"},
    {"div.[rn|rz|rm|rp].f64", "r64 r64 r64", nullptr, bind_f64<kDiv, 2>, Unit::kFp64, "9.7.3.8"},
    {"abs.f32", "r32 r32", sign_float<F32, kAbs>, nullptr, Unit::kAlu, "9.7.3.9"},
    {"abs.ftz.f32", "r32 r32", sign_float<F32Ftz, kAbs>, nullptr, Unit::kAlu, "9.7.3.9"},
    {"abs.f64", "r64 r64", sign_float<F64, kAbs>, nullptr, Unit::kFp64, "9.7.3.9"},
    {"neg.f32", "r32 r32", sign_float<F32, kNeg>, nullptr, Unit::kAlu, "9.7.3.10"},
    {"neg.ftz.f32", "r32 r32", sign_float<F32Ftz, kNeg>, nullptr, Unit::kAlu, "9.7.3.10"},
    {"neg.f64", "r64 r64", sign_float<F64, kNeg>, nullptr, Unit::kFp64, "9.7.3.10"},
    {"min[|.ftz][|.NaN][|.xorsign.abs].f32", "r32 r32 r32", nullptr, bind_min_max<false>, Unit::kAlu, "9.7.3.11"},
    {"min[|.ftz][|.NaN][|.abs].f32", "r32 r32 r32 r32", nullptr, bind_min_max3<false>, Unit::kAlu, "9.7.3.11"},
    {"min.f64", "r64 r64 r64", min_max<F64, false, false, false>, nullptr, Unit::kFp64, "9.7.3.11"},
    {"max[|.ftz][|.NaN][|.xorsign.abs].f32", "r32 r32 r32", nullptr, bind_min_max<true>, Unit::kAlu, "9.7.3.12"},
    {"max[|.ftz][|.NaN][|.abs].f32", "r32 r32 r32 r32", nullptr, bind_min_max3<true>, Unit::kAlu, "9.7.3.12"},
    {"max.f64", "r64 r64 r64", min_max<F64, true, false, false>, nullptr, Unit::kFp64, "9.7.3.12"},
    {"rcp.[rn|rz|rm|rp][|.ftz].f32", "r32 r32", nullptr, bind_f32<kRcp, 1>, Unit::kFma, "9.7.3.13"},
    {"rcp.[rn|rz|rm|rp].f64", "r64 r64", nullptr, bind_f64<kRcp, 1>, Unit::kFp64, "9.7.3.13"},
    {"sqrt.[rn|rz|rm|rp][|.ftz].f32", "r32 r32", nullptr, bind_f32<kSqrt, 1>, Unit::kFma, "9.7.3.15"},
    {"sqrt.[rn|rz|rm|rp].f64", "r64 r64", nullptr, bind_f64<kSqrt, 1>, Unit::kFp64, "9.7.3.15"},
};

}  // namespace

std::span<const Form> float_forms() {
  static const std::vector<Form> forms = [] {
    std::vector<Form> joined(std::begin(kForms), std::end(kForms));
    for (const auto& part : {half_forms(), mufu_forms()}) joined.insert(joined.end(), part.begin(), part.end());
    return joined;
  }();
  return forms;
}

}  // namespace sim

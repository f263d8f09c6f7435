// Conversions: cvt between integers, f16, bf16, tf32, f32 and f64. PTX ISA 9.7.9.21. The fp8 and narrower formats are
// in convert_narrow.cpp, moves in move.cpp.
#include <utility>
#include <vector>

#include "ops/convert_value.hpp"
#include "ops/lanes.hpp"
#include "ops/move.hpp"

namespace sim {
namespace {

// Instr::imm of the cvt rows.
constexpr int64_t kFtz = 1, kSat = 2, kRelu = 4, kSatfinite = 8;

int64_t cvt_flags(const ptx::Statement& s) {
  return (s.has("ftz") ? kFtz : 0) | (s.has("sat") ? kSat : 0) | (s.has("relu") ? kRelu : 0) |
         (s.has("satfinite") ? kSatfinite : 0);
}

template <class D, class S, bool kSaturate>
void cvt_integer(Warp& w, const Instr& i) {
  const Out<D> d(w, i.d);
  const In<S> a(w, i.a);
  for_lanes(w, [=](int l) {
    const S x = a[l];
    if constexpr (!kSaturate) return d.set(l, static_cast<D>(x));
    if (std::cmp_less(x, std::numeric_limits<D>::min())) return d.set(l, std::numeric_limits<D>::min());
    if (std::cmp_greater(x, std::numeric_limits<D>::max())) return d.set(l, std::numeric_limits<D>::max());
    d.set(l, static_cast<D>(x));
  });
}

// Source formats: bits of a lane to an exact double. Destination formats: a double (exact, or odd in its last bit) to
// bits.
struct SourceF16 {
  using Bits = uint32_t;
  static double decode(uint32_t bits, int64_t) { return F16::decode(bits); }
};
struct SourceBf16 {
  using Bits = uint32_t;
  static double decode(uint32_t bits, int64_t) { return Bf16::decode(bits); }
};
struct SourceF32 {
  using Bits = uint32_t;
  static double decode(uint32_t bits, int64_t flags) {
    return (flags & kFtz) != 0 ? F32Ftz::decode(bits) : F32::decode(bits);
  }
};
struct SourceF64 {
  using Bits = uint64_t;
  static double decode(uint64_t bits, int64_t) { return F64::decode(bits); }
};
template <class T>
struct SourceInteger {
  using Bits = Storage<T>;
  static double decode(Bits bits, int64_t) { return odd_f64(static_cast<T>(bits)); }
};

struct ToF16 {
  using Bits = uint32_t;
  static constexpr int kExponentBits = 5, kMantissaBits = 10;
  template <Round kRound>
  static Bits encode(double x, int64_t flags) {
    return numerics::encode(numerics::kF16, odd_f32(x), kRound, (flags & kSatfinite) != 0);
  }
};
struct ToBf16 {
  using Bits = uint32_t;
  static constexpr int kExponentBits = 8, kMantissaBits = 7;
  template <Round kRound>
  static Bits encode(double x, int64_t flags) {
    return numerics::encode(numerics::kBf16, odd_f32(x), kRound, (flags & kSatfinite) != 0);
  }
};
struct ToF32 {
  using Bits = uint32_t;
  static constexpr int kExponentBits = 8, kMantissaBits = 23;
  template <Round kRound>
  static Bits encode(double x, int64_t flags) {
    const float y = to_f32<kRound>(x);
    return (flags & kFtz) != 0 ? F32Ftz::encode(y) : F32::encode(y);
  }
};
struct ToF64 {
  using Bits = uint64_t;
  template <Round kRound>
  static Bits encode(double x, int64_t) {
    return F64::encode(x);
  }
};

double limit(double x, int64_t flags) {
  if ((flags & kSat) != 0) return x > 0 ? (x < 1 ? x : 1) : 0;  // NaN becomes +0
  if ((flags & kRelu) != 0) return x == x && !(x > 0) ? 0 : x;
  return x;
}

// What becomes of a NaN where the destination's canonical one is not what an H100 answers: a NaN of f64 keeps its sign
// and what fits of its payload.
template <class D>
typename D::Bits cut_nan(uint64_t bits) {
  constexpr int kMantissa = D::kMantissaBits, kExponent = D::kExponentBits;
  const uint64_t sign = bits >> 63 << (kExponent + kMantissa), payload = bits << 12 >> (64 - kMantissa);
  const uint64_t infinity = ((1ull << kExponent) - 1) << kMantissa, quiet = 1ull << (kMantissa - 1);
  return static_cast<typename D::Bits>(sign | infinity | quiet | payload);
}
constexpr uint64_t kFlushedNan64 = 0x7fffffffe0000000;  // cvt.ftz.f64.f32 of any NaN: the canonical f32, widened

// kToIntegral: the result keeps the float format but has an integral value (cvt.rni.f32.f32).
template <class D, class S, Round kRound, bool kToIntegral>
void cvt_float(Warp& w, const Instr& i) {
  auto* d = lanes<typename D::Bits>(w, i.d);
  const auto* a = lanes<typename S::Bits>(w, i.a);
  const int64_t flags = i.imm;
  for_lanes(w, [=](int l) {
    [[maybe_unused]] const auto bits = a[l];
    double x = S::decode(a[l], flags);
    if constexpr (kToIntegral) x = to_integral<kRound>(x);
    d[l] = D::template encode<kToIntegral ? Round::kNearestEven : kRound>(limit(x, flags), flags);
    if (x == x || (flags & kSat) != 0) return;
    if constexpr (std::is_same_v<S, SourceF64> && !std::is_same_v<D, ToF64>) d[l] = cut_nan<D>(bits);
    if constexpr (std::is_same_v<S, SourceF32> && std::is_same_v<D, ToF64>)
      if ((flags & kFtz) != 0) d[l] = kFlushedNan64;
  });
}

// The exact and the most frequent conversions, as vector code.
void f16_to_f32(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = canonical(half_to_f32(a[l])); });
}
void bf16_to_f32(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = a[l] << 16; });  // a NaN stays as it is
}
void f32_to_f16_rn(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const float* a = f32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = a[l] != a[l] ? numerics::kNanF16 : f32_to_half(a[l]); });
}
void f32_to_bf16_rn(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = numerics::f32_to_bf16_rn(a[l]); });
}
void f32_to_f32(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = a[l]; });  // a NaN stays as it is
}
template <class S>
void integer_to_f32_rn(Warp& w, const Instr& i) {
  float* d = f32(w, i.d);
  const In<S> a(w, i.a);
  for_lanes(w, [=](int l) { d[l] = static_cast<float>(a[l]); });
}

template <class S, Round kRound, bool kSaturate>
void integer_to_f64(Warp& w, const Instr& i) {
  const Out<double> d(w, i.d);
  const In<S> a(w, i.a);
  for_lanes(w, [=](int l) {
    const double x = to_f64<kRound>(a[l]);
    d.set(l, kSaturate ? (x > 0 ? 1.0 : 0.0) : x);
  });
}

// d = {b, a} as two 16-bit floats, a in the upper half.
template <class D, Round kRound>
void cvt_pair(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b);
  const int64_t flags = i.imm;
  for_lanes(w, [=](int l) {
    const uint32_t high = D::template encode<kRound>(limit(F32::decode(a[l]), flags), flags);
    const uint32_t low = D::template encode<kRound>(limit(F32::decode(b[l]), flags), flags);
    d[l] = high << 16 | low;
  });
}
void cvt_pair_bf16_rn(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b);
  for_lanes(w, [=](int l) {
    const uint32_t high = numerics::f32_to_bf16_rn(a[l]), low = numerics::f32_to_bf16_rn(b[l]);
    d[l] = high << 16 | low;
  });
}

template <class D, class S, Round kRound>
void cvt_to_integer(Warp& w, const Instr& i) {
  const Out<D> d(w, i.d);
  const auto* a = lanes<typename S::Bits>(w, i.a);
  const int64_t flags = i.imm;
  // NaN: zero, but the least signed value's bits where a 64-bit type takes part.
  constexpr bool kIsWide = sizeof(D) == 8 || std::is_same_v<S, SourceF64>;
  constexpr D kNan = kIsWide ? static_cast<D>(std::make_unsigned_t<D>{1} << (8 * sizeof(D) - 1)) : D{0};
  for_lanes(w, [=](int l) { d.set(l, to_integer<D>(to_integral<kRound>(S::decode(a[l], flags)), kNan)); });
}

// Choosing a handler by the types that the opcode names.

template <class F>
Handler with_integer(std::string_view type, F&& f) {
  if (type == "u8") return f(uint8_t{});
  if (type == "s8") return f(int8_t{});
  if (type == "u16") return f(uint16_t{});
  if (type == "s16") return f(int16_t{});
  if (type == "u32") return f(uint32_t{});
  if (type == "s32") return f(int32_t{});
  if (type == "u64") return f(uint64_t{});
  return type == "s64" ? f(int64_t{}) : nullptr;
}
template <class F>
Handler with_source(std::string_view type, F&& f) {
  if (type == "f16") return f(SourceF16{});
  if (type == "bf16") return f(SourceBf16{});
  if (type == "f32") return f(SourceF32{});
  return type == "f64" ? f(SourceF64{}) : nullptr;
}
template <class F>
Handler with_destination(std::string_view type, F&& f) {
  if (type == "f16") return f(ToF16{});
  if (type == "bf16") return f(ToBf16{});
  if (type == "f32") return f(ToF32{});
  return type == "f64" ? f(ToF64{}) : nullptr;
}
// f(std::integral_constant<Round, ..>) for .rn .rz .rm .rp, or with `suffix` i: .rni ...
template <class F>
Handler with_round(const ptx::Statement& s, bool is_integral, F&& f) {
  const auto has = [&](std::string_view mode, std::string_view integral) {
    return s.has(is_integral ? integral : mode);
  };
  if (has("rz", "rzi")) return f(std::integral_constant<Round, Round::kZero>{});
  if (has("rm", "rmi")) return f(std::integral_constant<Round, Round::kDown>{});
  if (has("rp", "rpi")) return f(std::integral_constant<Round, Round::kUp>{});
  return f(std::integral_constant<Round, Round::kNearestEven>{});
}

std::string_view source_type(const ptx::Statement& s) { return s.tokens[s.tokens.size() - 1]; }
std::string_view destination_type(const ptx::Statement& s) { return s.tokens[s.tokens.size() - 2]; }

Handler bind_integer(const ptx::Statement& s, Instr&) {
  return with_integer(destination_type(s), [&](auto d) {
    return with_integer(source_type(s), [&](auto a) -> Handler {
      return s.has("sat") ? cvt_integer<decltype(d), decltype(a), true> : cvt_integer<decltype(d), decltype(a), false>;
    });
  });
}

Handler bind_from_integer(const ptx::Statement& s, Instr& i) {
  i.imm = cvt_flags(s);
  if (destination_type(s) == "f32" && s.has("rn") && i.imm == 0) {
    if (source_type(s) == "s32") return integer_to_f32_rn<int32_t>;
    if (source_type(s) == "u32") return integer_to_f32_rn<uint32_t>;
  }
  if (destination_type(s) == "f64") {
    return with_integer(source_type(s), [&](auto a) {
      return with_round(s, false, [&](auto round) -> Handler {
        constexpr Round kRound = decltype(round)::value;
        return s.has("sat") ? integer_to_f64<decltype(a), kRound, true> : integer_to_f64<decltype(a), kRound, false>;
      });
    });
  }
  return with_destination(destination_type(s), [&](auto d) {
    return with_integer(source_type(s), [&](auto a) {
      return with_round(s, false, [&](auto round) -> Handler {
        return cvt_float<decltype(d), SourceInteger<decltype(a)>, decltype(round)::value, false>;
      });
    });
  });
}

Handler bind_to_integer(const ptx::Statement& s, Instr& i) {
  i.imm = cvt_flags(s);
  return with_integer(destination_type(s), [&](auto d) {
    return with_source(source_type(s), [&](auto a) {
      return with_round(s, true, [&](auto round) -> Handler {
        return cvt_to_integer<decltype(d), decltype(a), decltype(round)::value>;
      });
    });
  });
}

Handler bind_float(const ptx::Statement& s, Instr& i) {
  i.imm = cvt_flags(s);
  if (destination_type(s) == "f16")
    i.imm &= ~kFtz;  // changes nothing there, not even in .rm and .rp (an H100's answers)
  const std::string_view to = destination_type(s), from = source_type(s);
  const bool is_integral = s.has("rni") || s.has("rzi") || s.has("rmi") || s.has("rpi");
  if ((i.imm & ~kFtz) == 0) {
    if (to == "f32" && from == "f16") return f16_to_f32;
    if (to == "f32" && from == "bf16" && i.imm == 0) return bf16_to_f32;
    if (to == "f32" && from == "f32" && !is_integral && i.imm == 0) return f32_to_f32;
    if (to == "f16" && from == "f32" && s.has("rn") && i.imm == 0) return f32_to_f16_rn;
    if (to == "bf16" && from == "f32" && s.has("rn") && i.imm == 0) return f32_to_bf16_rn;
  }
  return with_destination(to, [&](auto d) {
    return with_source(from, [&](auto a) {
      return with_round(s, is_integral, [&](auto round) -> Handler {
        if (is_integral) return cvt_float<decltype(d), decltype(a), decltype(round)::value, true>;
        return cvt_float<decltype(d), decltype(a), decltype(round)::value, false>;
      });
    });
  });
}

template <Round kRound>
void cvt_tf32(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  const bool is_relu = (i.imm & kRelu) != 0, saturates = (i.imm & kSatfinite) != 0;
  for_lanes(w, [=](int l) {
    const bool is_dropped = is_relu && a[l] >> 31 != 0 && !numerics::is_nan_f32(a[l]);
    d[l] = is_dropped ? 0 : numerics::f32_to_tf32(a[l], kRound, saturates);
  });
}
Handler bind_tf32(const ptx::Statement& s, Instr& i) {
  i.imm = cvt_flags(s);
  if (s.has("rna")) return cvt_tf32<Round::kNearestAway>;
  return s.has("rz") ? cvt_tf32<Round::kZero> : cvt_tf32<Round::kNearestEven>;
}

Handler bind_pair(const ptx::Statement& s, Instr& i) {
  i.imm = cvt_flags(s);
  const bool is_half = s.has("f16x2"), is_nearest = s.has("rn");
  if (!is_half && is_nearest && i.imm == 0) return cvt_pair_bf16_rn;
  if (is_half) return is_nearest ? cvt_pair<ToF16, Round::kNearestEven> : cvt_pair<ToF16, Round::kZero>;
  return is_nearest ? cvt_pair<ToBf16, Round::kNearestEven> : cvt_pair<ToBf16, Round::kZero>;
}

// cvt.pack.sat: two s32 to 16 bits, a in the upper half; to 8 bits: below c's low half shifted up.
template <class T>
void cvt_pack16(Warp& w, const Instr& i) {
  const Out<uint32_t> d(w, i.d);
  const In<int32_t> a(w, i.a), b(w, i.b);
  const auto cut = [](int32_t x) { return static_cast<uint16_t>(to_integer<T>(x, T{0})); };
  for_lanes(w, [=](int l) { d.set(l, static_cast<uint32_t>(cut(a[l])) << 16 | cut(b[l])); });
}
template <class T>
void cvt_pack8(Warp& w, const Instr& i) {
  const Out<uint32_t> d(w, i.d);
  const In<int32_t> a(w, i.a), b(w, i.b);
  const In<uint32_t> c(w, i.c);
  const auto cut = [](int32_t x) { return static_cast<uint8_t>(to_integer<T>(x, T{0})); };
  for_lanes(w, [=](int l) { d.set(l, c[l] << 16 | static_cast<uint32_t>(cut(a[l])) << 8 | cut(b[l])); });
}

constexpr Form kForms[] = {
    {"cvt.[[u8|s8].[u8|s8]|sat.[u8.s8|s8.u8]]", "r8 r8", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.sat].[u8|s8].[u16|s16]", "r8 r16", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.sat].[u8|s8].[u32|s32]", "r8 r32", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.sat].[u8|s8].[u64|s64]", "r8 r64", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u16|s16].[u8|s8]|sat.u16.s8]", "r16 r8", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u16|s16].[u16|s16]|sat.[u16.s16|s16.u16]]", "r16 r16", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.sat].[u16|s16].[u32|s32]", "r16 r32", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.sat].[u16|s16].[u64|s64]", "r16 r64", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u32|s32].[u8|s8]|sat.u32.s8]", "r32 r8", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u32|s32].[u16|s16]|sat.u32.s16]", "r32 r16", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u32|s32].[u32|s32]|sat.[u32.s32|s32.u32]]", "r32 r32", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.sat].[u32|s32].[u64|s64]", "r32 r64", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u64|s64].[u8|s8]|sat.u64.s8]", "r64 r8", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u64|s64].[u16|s16]|sat.u64.s16]", "r64 r16", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u64|s64].[u32|s32]|sat.u64.s32]", "r64 r32", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[u64|s64].[u64|s64]|sat.[u64.s64|s64.u64]]", "r64 r64", nullptr, bind_integer, Unit::kConvert, "9.7.9.21"},

    {"cvt.[rn|rz|rm|rp][|.sat].f16.[u8|s8]", "r16 r8", nullptr, bind_from_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp].[[|sat.]f16|bf16].[u16|s16]", "r16 r16", nullptr, bind_from_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp].[[|sat.]f16|bf16].[u32|s32]", "r16 r32", nullptr, bind_from_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp].[[|sat.]f16|bf16].[u64|s64]", "r16 r64", nullptr, bind_from_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.ftz][|.sat].f32.[u8|s8]", "r32 r8", nullptr, bind_from_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.ftz][|.sat].f32.[u16|s16]", "r32 r16", nullptr, bind_from_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.ftz][|.sat].f32.[u32|s32]", "r32 r32", nullptr, bind_from_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.ftz][|.sat].f32.[u64|s64]", "r32 r64", nullptr, bind_from_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.sat].f64.[u8|s8]", "r64 r8", nullptr, bind_from_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.sat].f64.[u16|s16]", "r64 r16", nullptr, bind_from_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.sat].f64.[u32|s32]", "r64 r32", nullptr, bind_from_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.sat].f64.[u64|s64]", "r64 r64", nullptr, bind_from_integer, Unit::kConvert, "9.7.9.21"},

    {"cvt.[rni|rzi|rmi|rpi][|.sat].[u8|s8].f16", "r8 r16", nullptr, bind_to_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi].[[|sat.][u16|s16].f16|[u16|s16].bf16]", "r16 r16", nullptr, bind_to_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi].[[|sat.][u32|s32].f16|[u32|s32].bf16]", "r32 r16", nullptr, bind_to_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi].[[|sat.][u64|s64].f16|[u64|s64].bf16]", "r64 r16", nullptr, bind_to_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.ftz][|.sat].[u8|s8].f32", "r8 r32", nullptr, bind_to_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.ftz][|.sat].[u16|s16].f32", "r16 r32", nullptr, bind_to_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.ftz][|.sat].[u32|s32].f32", "r32 r32", nullptr, bind_to_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.ftz][|.sat].[u64|s64].f32", "r64 r32", nullptr, bind_to_integer, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.sat].[u8|s8].f64", "r8 r64", nullptr, bind_to_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.sat].[u16|s16].f64", "r16 r64", nullptr, bind_to_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.sat].[u32|s32].f64", "r32 r64", nullptr, bind_to_integer, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rni|rzi|rmi|rpi][|.sat].[u64|s64].f64", "r64 r64", nullptr, bind_to_integer, Unit::kConvert, "9.7.9.21"},

    {"cvt[|.rni|.rzi|.rmi|.rpi].[[|sat.]f16.f16|bf16.bf16]", "r16 r16", nullptr, bind_float, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp].[f16.bf16|bf16.f16]", "r16 r16", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.ftz][|.sat].f16.f32", "r16 r32", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp].bf16.f32", "r16 r32", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz].[relu|satfinite|relu.satfinite|satfinite.relu].[f16|bf16].f32", "r16 r32", nullptr, bind_float,
     Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp].[[|sat.]f16|bf16].f64", "r16 r64", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.ftz].[[|sat.]f32.f16|f32.bf16]", "r32 r16", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.rni|.rzi|.rmi|.rpi][|.ftz][|.sat].f32.f32", "r32 r32", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz|rm|rp][|.ftz][|.sat].f32.f64", "r32 r64", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt.[[|sat.]f64.f16|f64.bf16]", "r64 r16", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.ftz][|.sat].f64.f32", "r64 r32", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt[|.rni|.rzi|.rmi|.rpi][|.sat].f64.f64", "r64 r64", nullptr, bind_float, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rna[|.satfinite]|[rn|rz][|.relu][|.satfinite]|[rn|rz].satfinite.relu].tf32.f32", "r32 r32", nullptr,
     bind_tf32, Unit::kConvert, "9.7.9.21"},
    {"cvt.[rn|rz][|.relu][|.satfinite].[f16x2|bf16x2].f32", "r32 r32 r32", nullptr, bind_pair, Unit::kConvert,
     "9.7.9.21"},
    {"cvt.[rn|rz].satfinite.relu.[f16x2|bf16x2].f32", "r32 r32 r32", nullptr, bind_pair, Unit::kConvert, "9.7.9.21"},
    {"cvt.pack.sat.u16.s32", "r32 r32 r32", cvt_pack16<uint16_t>, nullptr, Unit::kConvert, "9.7.9.22"},
    {"cvt.pack.sat.s16.s32", "r32 r32 r32", cvt_pack16<int16_t>, nullptr, Unit::kConvert, "9.7.9.22"},
    {"cvt.pack.sat.u8.s32.b32", "r32 r32 r32 r32", cvt_pack8<uint8_t>, nullptr, Unit::kConvert, "9.7.9.22"},
    {"cvt.pack.sat.s8.s32.b32", "r32 r32 r32 r32", cvt_pack8<int8_t>, nullptr, Unit::kConvert, "9.7.9.22"},
};

}  // namespace

std::span<const Form> convert_forms() {
  static const std::vector<Form> forms = [] {
    std::vector<Form> joined(std::begin(kForms), std::end(kForms));
    const auto moves = move_forms();
    joined.insert(joined.end(), moves.begin(), moves.end());
    return joined;
  }();
  return forms;
}

}  // namespace sim

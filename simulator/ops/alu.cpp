// Integer arithmetic: add, sub, mul, mad, sad, div, rem, abs, neg, min, max, dot products, carry chains.
// PTX ISA 9.7.1 and 9.7.2. Results wrap; signedness matters only where the row says so.
#include <limits>
#include <vector>

#include "ops/alu.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

constexpr auto kAdd = [](auto a, auto b) {
  return static_cast<Wrapping<decltype(a)>>(a) + static_cast<Wrapping<decltype(a)>>(b);
};
constexpr auto kSub = [](auto a, auto b) {
  return static_cast<Wrapping<decltype(a)>>(a) - static_cast<Wrapping<decltype(a)>>(b);
};
constexpr auto kMulLo = [](auto a, auto b) {
  return static_cast<Wrapping<decltype(a)>>(a) * static_cast<Wrapping<decltype(a)>>(b);
};
constexpr auto kMulHi = [](auto a, auto b) {
  using T = decltype(a);
  return static_cast<T>((static_cast<Wide<T>>(a) * b) >> (8 * sizeof(T)));
};
constexpr auto kMulWide = [](auto a, auto b) { return static_cast<Wide<decltype(a)>>(a) * b; };
constexpr auto kMadLo = [](auto a, auto b, auto c) { return kMulLo(a, b) + static_cast<Wrapping<decltype(a)>>(c); };
constexpr auto kMadHi = [](auto a, auto b, auto c) { return kAdd(kMulHi(a, b), c); };
constexpr auto kMadWide = [](auto a, auto b, auto c) {
  return static_cast<std::make_unsigned_t<Wide<decltype(a)>>>(kMulWide(a, b)) +
         static_cast<std::make_unsigned_t<Wide<decltype(a)>>>(c);
};
constexpr auto kSad = [](auto a, auto b, auto c) {
  return kAdd(a < b ? kSub(b, a) : kSub(a, b), static_cast<Wrapping<decltype(a)>>(c));
};
constexpr auto kMin = [](auto a, auto b) { return a < b ? a : b; };
constexpr auto kMax = [](auto a, auto b) { return a < b ? b : a; };
constexpr auto kMinRelu = [](auto a, auto b) { return kMax(kMin(a, b), decltype(a){0}); };
constexpr auto kMaxRelu = [](auto a, auto b) { return kMax(kMax(a, b), decltype(a){0}); };
constexpr auto kNeg = [](auto a) { return Wrapping<decltype(a)>{0} - static_cast<Wrapping<decltype(a)>>(a); };
constexpr auto kAbs = [](auto a) { return a < 0 ? kNeg(a) : static_cast<Wrapping<decltype(a)>>(a); };

// Division by zero gives all ones, quotient and remainder, as the hardware's routine does; the one quotient that
// overflows, least / -1, wraps.
constexpr auto kDiv = [](auto a, auto b) {
  using T = decltype(a);
  if (b == 0) return static_cast<T>(~T{0});
  if constexpr (std::is_signed_v<T>)
    if (b == T{-1}) return static_cast<T>(kNeg(a));
  return static_cast<T>(a / b);
};
constexpr auto kRem = [](auto a, auto b) {
  using T = decltype(a);
  if (b == 0) return static_cast<T>(~T{0});
  if constexpr (std::is_signed_v<T>)
    if (b == T{-1}) return T{0};
  return static_cast<T>(a % b);
};

template <class T>
constexpr T saturate(Wide<T> value) {
  constexpr Wide<T> low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  return static_cast<T>(value < low ? low : value > high ? high : value);
}
constexpr auto kAddSat = [](int32_t a, int32_t b) { return saturate<int32_t>(static_cast<int64_t>(a) + b); };
constexpr auto kSubSat = [](int32_t a, int32_t b) { return saturate<int32_t>(static_cast<int64_t>(a) - b); };
constexpr auto kMadHiSat = [](int32_t a, int32_t b, int32_t c) { return kAddSat(kMulHi(a, b), c); };

// 24-bit products: .lo has bits 31..0 of the 48, .hi bits 47..16.
template <class T>
constexpr Wide<T> product24(T a, T b) {
  const auto cut = [](T x) { return static_cast<T>(static_cast<T>(static_cast<uint32_t>(x) << 8) >> 8); };
  return static_cast<Wide<T>>(cut(a)) * cut(b);
}
constexpr auto kMul24Lo = [](auto a, auto b) { return static_cast<uint32_t>(product24(a, b)); };
constexpr auto kMul24Hi = [](auto a, auto b) { return static_cast<uint32_t>(product24(a, b) >> 16); };
constexpr auto kMad24Lo = [](auto a, auto b, auto c) { return kMul24Lo(a, b) + static_cast<uint32_t>(c); };
constexpr auto kMad24Hi = [](auto a, auto b, auto c) { return kMul24Hi(a, b) + static_cast<uint32_t>(c); };
constexpr auto kMad24HiSat = [](int32_t a, int32_t b, int32_t c) {
  return kAddSat(static_cast<int32_t>(kMul24Hi(a, b)), c);
};

// Two 16-bit values in one register.
template <class T, auto F>
constexpr auto kPacked = [](uint32_t a, uint32_t b) {
  const uint32_t low = static_cast<uint16_t>(F(static_cast<T>(a), static_cast<T>(b)));
  const uint32_t high = static_cast<uint16_t>(F(static_cast<T>(a >> 16), static_cast<T>(b >> 16)));
  return high << 16 | low;
};
template <class T, auto F>
constexpr Handler packed = binary_of<uint32_t, kPacked<T, F>>;

// Dot products of bytes, and of 16-bit halves with the two low or high bytes.
template <class A, class B>
constexpr auto kDp4a = [](uint32_t a, uint32_t b, uint32_t c) {
  for (int n = 0; n < 4; ++n)
    c += static_cast<uint32_t>(static_cast<int32_t>(static_cast<A>(a >> (8 * n))) *
                               static_cast<int32_t>(static_cast<B>(b >> (8 * n))));
  return c;
};
template <class A, class B, int kShift>
constexpr auto kDp2a = [](uint32_t a, uint32_t b, uint32_t c) {
  for (int n = 0; n < 2; ++n)
    c += static_cast<uint32_t>(static_cast<int32_t>(static_cast<A>(a >> (16 * n))) *
                               static_cast<int32_t>(static_cast<B>(b >> (8 * n + kShift))));
  return c;
};

// Carry chains. kIn adds CC.CF, kOut writes it; a difference borrows.
template <class T, bool kIn, bool kOut>
void add_carry(Warp& w, const Instr& i) {
  const Out<T> d(w, i.d);
  const In<T> a(w, i.a), b(w, i.b);
  uint32_t out = 0;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    const Wide<T> sum = static_cast<Wide<T>>(a[l]) + b[l] + (kIn ? w.carry >> l & 1 : 0);
    d.set(l, static_cast<T>(sum));
    out |= static_cast<uint32_t>(sum >> (8 * sizeof(T))) << l;
  }
  if (kOut) w.carry = (w.carry & ~w.mask) | out;
}
template <class T, bool kIn, bool kOut>
void sub_carry(Warp& w, const Instr& i) {
  const Out<T> d(w, i.d);
  const In<T> a(w, i.a), b(w, i.b);
  uint32_t out = 0;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    const Wide<T> take = static_cast<Wide<T>>(b[l]) + (kIn ? w.carry >> l & 1 : 0);
    out |= static_cast<uint32_t>(a[l] < take) << l;
    d.set(l, static_cast<T>(a[l] - take));
  }
  if (kOut) w.carry = (w.carry & ~w.mask) | out;
}
template <class T, auto kProduct, bool kIn, bool kOut>
void mad_carry(Warp& w, const Instr& i) {
  using U = std::make_unsigned_t<T>;
  const Out<U> d(w, i.d);
  const In<T> a(w, i.a), b(w, i.b);
  const In<U> c(w, i.c);
  uint32_t out = 0;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    const Wide<U> sum =
        static_cast<Wide<U>>(static_cast<U>(kProduct(a[l], b[l]))) + c[l] + (kIn ? w.carry >> l & 1 : 0);
    d.set(l, static_cast<U>(sum));
    out |= static_cast<uint32_t>(sum >> (8 * sizeof(T))) << l;
  }
  if (kOut) w.carry = (w.carry & ~w.mask) | out;
}

using u16 = uint16_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;
using b32 = uint32_t;
using b64 = uint64_t;

constexpr Form kForms[] = {
    {"add.[u16|s16]", "r16 r16 r16", binary_of<u16, kAdd>, nullptr, Unit::kAlu, "9.7.1.1"},
    {"add.[u32|s32]", "r32 r32 r32", binary_of<b32, kAdd>, nullptr, Unit::kAlu, "9.7.1.1"},
    {"add.[u64|s64]", "r64 r64 r64", binary_of<b64, kAdd>, nullptr, Unit::kAlu, "9.7.1.1"},
    {"add.[u16x2|s16x2]", "r32 r32 r32", packed<u16, kAdd>, nullptr, Unit::kAlu, "9.7.1.1"},
    {"add.sat.s32", "r32 r32 r32", binary_of<s32, kAddSat>, nullptr, Unit::kAlu, "9.7.1.1"},
    {"sub.[u16|s16]", "r16 r16 r16", binary_of<u16, kSub>, nullptr, Unit::kAlu, "9.7.1.2"},
    {"sub.[u32|s32]", "r32 r32 r32", binary_of<b32, kSub>, nullptr, Unit::kAlu, "9.7.1.2"},
    {"sub.[u64|s64]", "r64 r64 r64", binary_of<b64, kSub>, nullptr, Unit::kAlu, "9.7.1.2"},
    {"sub.sat.s32", "r32 r32 r32", binary_of<s32, kSubSat>, nullptr, Unit::kAlu, "9.7.1.2"},

    {"mul.lo.[u16|s16]", "r16 r16 r16", binary_of<u16, kMulLo>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.lo.[u32|s32]", "r32 r32 r32", binary_of<b32, kMulLo>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.lo.[u64|s64]", "r64 r64 r64", binary_of<b64, kMulLo>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.hi.u16", "r16 r16 r16", binary_of<u16, kMulHi>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.hi.s16", "r16 r16 r16", binary_of<s16, kMulHi>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.hi.u32", "r32 r32 r32", binary_of<b32, kMulHi>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.hi.s32", "r32 r32 r32", binary_of<s32, kMulHi>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.hi.u64", "r64 r64 r64", binary_of<b64, kMulHi>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.hi.s64", "r64 r64 r64", binary_of<s64, kMulHi>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.wide.u16", "r32 r16 r16", binary<b32, u16, u16, kMulWide>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.wide.s16", "r32 r16 r16", binary<s32, s16, s16, kMulWide>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.wide.u32", "r64 r32 r32", binary<b64, b32, b32, kMulWide>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mul.wide.s32", "r64 r32 r32", binary<s64, s32, s32, kMulWide>, nullptr, Unit::kFma, "9.7.1.3"},
    {"mad.lo.[u16|s16]", "r16 r16 r16 r16", ternary_of<u16, kMadLo>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.lo.[u32|s32]", "r32 r32 r32 r32", ternary_of<b32, kMadLo>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.lo.[u64|s64]", "r64 r64 r64 r64", ternary_of<b64, kMadLo>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.hi.u16", "r16 r16 r16 r16", ternary_of<u16, kMadHi>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.hi.s16", "r16 r16 r16 r16", ternary_of<s16, kMadHi>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.hi.u32", "r32 r32 r32 r32", ternary_of<b32, kMadHi>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.hi.s32", "r32 r32 r32 r32", ternary_of<s32, kMadHi>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.hi.u64", "r64 r64 r64 r64", ternary_of<b64, kMadHi>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.hi.s64", "r64 r64 r64 r64", ternary_of<s64, kMadHi>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.hi.sat.s32", "r32 r32 r32 r32", ternary_of<s32, kMadHiSat>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.wide.u16", "r32 r16 r16 r32", ternary<b32, u16, u16, b32, kMadWide>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.wide.s16", "r32 r16 r16 r32", ternary<b32, s16, s16, b32, kMadWide>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.wide.u32", "r64 r32 r32 r64", ternary<b64, b32, b32, b64, kMadWide>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mad.wide.s32", "r64 r32 r32 r64", ternary<b64, s32, s32, b64, kMadWide>, nullptr, Unit::kFma, "9.7.1.4"},
    {"mul24.lo.u32", "r32 r32 r32", binary_of<b32, kMul24Lo>, nullptr, Unit::kFma, "9.7.1.5"},
    {"mul24.lo.s32", "r32 r32 r32", binary_of<s32, kMul24Lo>, nullptr, Unit::kFma, "9.7.1.5"},
    {"mul24.hi.u32", "r32 r32 r32", binary_of<b32, kMul24Hi>, nullptr, Unit::kFma, "9.7.1.5"},
    {"mul24.hi.s32", "r32 r32 r32", binary_of<s32, kMul24Hi>, nullptr, Unit::kFma, "9.7.1.5"},
    {"mad24.lo.u32", "r32 r32 r32 r32", ternary_of<b32, kMad24Lo>, nullptr, Unit::kFma, "9.7.1.6"},
    {"mad24.lo.s32", "r32 r32 r32 r32", ternary_of<s32, kMad24Lo>, nullptr, Unit::kFma, "9.7.1.6"},
    {"mad24.hi.u32", "r32 r32 r32 r32", ternary_of<b32, kMad24Hi>, nullptr, Unit::kFma, "9.7.1.6"},
    {"mad24.hi.s32", "r32 r32 r32 r32", ternary_of<s32, kMad24Hi>, nullptr, Unit::kFma, "9.7.1.6"},
    {"mad24.hi.sat.s32", "r32 r32 r32 r32", ternary_of<s32, kMad24HiSat>, nullptr, Unit::kFma, "9.7.1.6"},

    {"sad.u16", "r16 r16 r16 r16", ternary_of<u16, kSad>, nullptr, Unit::kAlu, "9.7.1.7"},
    {"sad.s16", "r16 r16 r16 r16", ternary_of<s16, kSad>, nullptr, Unit::kAlu, "9.7.1.7"},
    {"sad.u32", "r32 r32 r32 r32", ternary_of<b32, kSad>, nullptr, Unit::kAlu, "9.7.1.7"},
    {"sad.s32", "r32 r32 r32 r32", ternary_of<s32, kSad>, nullptr, Unit::kAlu, "9.7.1.7"},
    {"sad.u64", "r64 r64 r64 r64", ternary_of<b64, kSad>, nullptr, Unit::kAlu, "9.7.1.7"},
    {"sad.s64", "r64 r64 r64 r64", ternary_of<s64, kSad>, nullptr, Unit::kAlu, "9.7.1.7"},
    {"div.u16", "r16 r16 r16", binary_of<u16, kDiv>, nullptr, Unit::kAlu, "9.7.1.8"},
    {"div.s16", "r16 r16 r16", binary_of<s16, kDiv>, nullptr, Unit::kAlu, "9.7.1.8"},
    {"div.u32", "r32 r32 r32", binary_of<b32, kDiv>, nullptr, Unit::kAlu, "9.7.1.8"},
    {"div.s32", "r32 r32 r32", binary_of<s32, kDiv>, nullptr, Unit::kAlu, "9.7.1.8"},
    {"div.u64", "r64 r64 r64", binary_of<b64, kDiv>, nullptr, Unit::kAlu, "9.7.1.8"},
    {"div.s64", "r64 r64 r64", binary_of<s64, kDiv>, nullptr, Unit::kAlu, "9.7.1.8"},
    {"rem.u16", "r16 r16 r16", binary_of<u16, kRem>, nullptr, Unit::kAlu, "9.7.1.9"},
    {"rem.s16", "r16 r16 r16", binary_of<s16, kRem>, nullptr, Unit::kAlu, "9.7.1.9"},
    {"rem.u32", "r32 r32 r32", binary_of<b32, kRem>, nullptr, Unit::kAlu, "9.7.1.9"},
    {"rem.s32", "r32 r32 r32", binary_of<s32, kRem>, nullptr, Unit::kAlu, "9.7.1.9"},
    {"rem.u64", "r64 r64 r64", binary_of<b64, kRem>, nullptr, Unit::kAlu, "9.7.1.9"},
    {"rem.s64", "r64 r64 r64", binary_of<s64, kRem>, nullptr, Unit::kAlu, "9.7.1.9"},
    {"abs.s16", "r16 r16", unary_of<s16, kAbs>, nullptr, Unit::kAlu, "9.7.1.10"},
    {"abs.s32", "r32 r32", unary_of<s32, kAbs>, nullptr, Unit::kAlu, "9.7.1.10"},
    {"abs.s64", "r64 r64", unary_of<s64, kAbs>, nullptr, Unit::kAlu, "9.7.1.10"},
    {"neg.s16", "r16 r16", unary_of<u16, kNeg>, nullptr, Unit::kAlu, "9.7.1.11"},
    {"neg.s32", "r32 r32", unary_of<b32, kNeg>, nullptr, Unit::kAlu, "9.7.1.11"},
    {"neg.s64", "r64 r64", unary_of<b64, kNeg>, nullptr, Unit::kAlu, "9.7.1.11"},
    {"min.u16", "r16 r16 r16", binary_of<u16, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.s16", "r16 r16 r16", binary_of<s16, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.u32", "r32 r32 r32", binary_of<b32, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.s32", "r32 r32 r32", binary_of<s32, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.u64", "r64 r64 r64", binary_of<b64, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.s64", "r64 r64 r64", binary_of<s64, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.u16x2", "r32 r32 r32", packed<u16, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.s16x2", "r32 r32 r32", packed<s16, kMin>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.relu.s16x2", "r32 r32 r32", packed<s16, kMinRelu>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"min.relu.s32", "r32 r32 r32", binary_of<s32, kMinRelu>, nullptr, Unit::kAlu, "9.7.1.12"},
    {"max.u16", "r16 r16 r16", binary_of<u16, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.s16", "r16 r16 r16", binary_of<s16, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.u32", "r32 r32 r32", binary_of<b32, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.s32", "r32 r32 r32", binary_of<s32, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.u64", "r64 r64 r64", binary_of<b64, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.s64", "r64 r64 r64", binary_of<s64, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.u16x2", "r32 r32 r32", packed<u16, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.s16x2", "r32 r32 r32", packed<s16, kMax>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.relu.s16x2", "r32 r32 r32", packed<s16, kMaxRelu>, nullptr, Unit::kAlu, "9.7.1.13"},
    {"max.relu.s32", "r32 r32 r32", binary_of<s32, kMaxRelu>, nullptr, Unit::kAlu, "9.7.1.13"},

    {"dp4a.u32.u32", "r32 r32 r32 r32", ternary_of<b32, kDp4a<uint8_t, uint8_t>>, nullptr, Unit::kFma, "9.7.1.23"},
    {"dp4a.u32.s32", "r32 r32 r32 r32", ternary_of<b32, kDp4a<uint8_t, int8_t>>, nullptr, Unit::kFma, "9.7.1.23"},
    {"dp4a.s32.u32", "r32 r32 r32 r32", ternary_of<b32, kDp4a<int8_t, uint8_t>>, nullptr, Unit::kFma, "9.7.1.23"},
    {"dp4a.s32.s32", "r32 r32 r32 r32", ternary_of<b32, kDp4a<int8_t, int8_t>>, nullptr, Unit::kFma, "9.7.1.23"},
    {"dp2a.lo.u32.u32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<u16, uint8_t, 0>>, nullptr, Unit::kFma, "9.7.1.24"},
    {"dp2a.lo.u32.s32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<u16, int8_t, 0>>, nullptr, Unit::kFma, "9.7.1.24"},
    {"dp2a.lo.s32.u32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<s16, uint8_t, 0>>, nullptr, Unit::kFma, "9.7.1.24"},
    {"dp2a.lo.s32.s32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<s16, int8_t, 0>>, nullptr, Unit::kFma, "9.7.1.24"},
    {"dp2a.hi.u32.u32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<u16, uint8_t, 16>>, nullptr, Unit::kFma, "9.7.1.24"},
    {"dp2a.hi.u32.s32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<u16, int8_t, 16>>, nullptr, Unit::kFma, "9.7.1.24"},
    {"dp2a.hi.s32.u32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<s16, uint8_t, 16>>, nullptr, Unit::kFma, "9.7.1.24"},
    {"dp2a.hi.s32.s32", "r32 r32 r32 r32", ternary_of<b32, kDp2a<s16, int8_t, 16>>, nullptr, Unit::kFma, "9.7.1.24"},

    {"add.cc.[u32|s32]", "r32 r32 r32", add_carry<b32, false, true>, nullptr, Unit::kAlu, "9.7.2.1"},
    {"add.cc.[u64|s64]", "r64 r64 r64", add_carry<b64, false, true>, nullptr, Unit::kAlu, "9.7.2.1"},
    {"addc.[u32|s32]", "r32 r32 r32", add_carry<b32, true, false>, nullptr, Unit::kAlu, "9.7.2.2"},
    {"addc.[u64|s64]", "r64 r64 r64", add_carry<b64, true, false>, nullptr, Unit::kAlu, "9.7.2.2"},
    {"addc.cc.[u32|s32]", "r32 r32 r32", add_carry<b32, true, true>, nullptr, Unit::kAlu, "9.7.2.2"},
    {"addc.cc.[u64|s64]", "r64 r64 r64", add_carry<b64, true, true>, nullptr, Unit::kAlu, "9.7.2.2"},
    {"sub.cc.[u32|s32]", "r32 r32 r32", sub_carry<b32, false, true>, nullptr, Unit::kAlu, "9.7.2.3"},
    {"sub.cc.[u64|s64]", "r64 r64 r64", sub_carry<b64, false, true>, nullptr, Unit::kAlu, "9.7.2.3"},
    {"subc.[u32|s32]", "r32 r32 r32", sub_carry<b32, true, false>, nullptr, Unit::kAlu, "9.7.2.4"},
    {"subc.[u64|s64]", "r64 r64 r64", sub_carry<b64, true, false>, nullptr, Unit::kAlu, "9.7.2.4"},
    {"subc.cc.[u32|s32]", "r32 r32 r32", sub_carry<b32, true, true>, nullptr, Unit::kAlu, "9.7.2.4"},
    {"subc.cc.[u64|s64]", "r64 r64 r64", sub_carry<b64, true, true>, nullptr, Unit::kAlu, "9.7.2.4"},
    {"mad.lo.cc.[u32|s32]", "r32 r32 r32 r32", mad_carry<b32, kMulLo, false, true>, nullptr, Unit::kFma, "9.7.2.5"},
    {"mad.hi.cc.u32", "r32 r32 r32 r32", mad_carry<b32, kMulHi, false, true>, nullptr, Unit::kFma, "9.7.2.5"},
    {"mad.hi.cc.s32", "r32 r32 r32 r32", mad_carry<s32, kMulHi, false, true>, nullptr, Unit::kFma, "9.7.2.5"},
    {"mad.lo.cc.[u64|s64]", "r64 r64 r64 r64", mad_carry<b64, kMulLo, false, true>, nullptr, Unit::kFma, "9.7.2.5"},
    {"mad.hi.cc.u64", "r64 r64 r64 r64", mad_carry<b64, kMulHi, false, true>, nullptr, Unit::kFma, "9.7.2.5"},
    {"mad.hi.cc.s64", "r64 r64 r64 r64", mad_carry<s64, kMulHi, false, true>, nullptr, Unit::kFma, "9.7.2.5"},
    {"madc.lo.[u32|s32]", "r32 r32 r32 r32", mad_carry<b32, kMulLo, true, false>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.u32", "r32 r32 r32 r32", mad_carry<b32, kMulHi, true, false>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.s32", "r32 r32 r32 r32", mad_carry<s32, kMulHi, true, false>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.lo.[u64|s64]", "r64 r64 r64 r64", mad_carry<b64, kMulLo, true, false>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.u64", "r64 r64 r64 r64", mad_carry<b64, kMulHi, true, false>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.s64", "r64 r64 r64 r64", mad_carry<s64, kMulHi, true, false>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.lo.cc.[u32|s32]", "r32 r32 r32 r32", mad_carry<b32, kMulLo, true, true>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.cc.u32", "r32 r32 r32 r32", mad_carry<b32, kMulHi, true, true>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.cc.s32", "r32 r32 r32 r32", mad_carry<s32, kMulHi, true, true>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.lo.cc.[u64|s64]", "r64 r64 r64 r64", mad_carry<b64, kMulLo, true, true>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.cc.u64", "r64 r64 r64 r64", mad_carry<b64, kMulHi, true, true>, nullptr, Unit::kFma, "9.7.2.6"},
    {"madc.hi.cc.s64", "r64 r64 r64 r64", mad_carry<s64, kMulHi, true, true>, nullptr, Unit::kFma, "9.7.2.6"},
};

}  // namespace

std::span<const Form> alu_forms() {
  static const std::vector<Form> forms = [] {
    std::vector<Form> joined(std::begin(kForms), std::end(kForms));
    const auto bits = bit_forms();
    joined.insert(joined.end(), bits.begin(), bits.end());
    return joined;
  }();
  return forms;
}

}  // namespace sim

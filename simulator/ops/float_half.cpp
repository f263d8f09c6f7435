// f16, bf16 and their pairs: add, sub, mul, fma, neg, abs, min, max. PTX ISA 9.7.4.
// Every lane computes in double and rounds once (float_views.hpp); pairs treat the two halves of a 32-bit lane alike.
#include "ops/float.hpp"
#include "ops/float_views.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

// Instr::imm: what happens to a result before it is rounded.
constexpr int64_t kSat = 1, kRelu = 2, kNan = 4, kXorSign = 8;

constexpr auto kAdd = [](double a, double b) { return a + b; };
constexpr auto kSub = [](double a, double b) { return a - b; };
constexpr auto kMul = [](double a, double b) { return a * b; };

// a * b + c, rounded to odd. The product of two 16-bit floats is exact; what the sum loses (bf16 exponents lie further
// apart than a double is long) is found by Knuth's two-sum and kept in the last bit.
double fma_odd(double a, double b, double c) {
  const double product = a * b, sum = product + c;
  const double part = sum - product, error = (product - (sum - part)) + (c - part);
  const uint64_t bits = std::bit_cast<uint64_t>(sum);
  if (!(std::abs(error) > 0) || !std::isfinite(sum) || (bits & 1) != 0) return sum;
  return std::bit_cast<double>((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

double limit(double x, int64_t flags) {
  if ((flags & kSat) != 0) return x > 0 ? (x < 1 ? x : 1) : 0;
  if ((flags & kRelu) != 0) return x == x && !(x > 0) ? 0 : x;
  return x;
}

// Calls value(shift) for the lane's one or two halves and packs the results.
template <bool kPair, class F>
uint32_t halves(F&& value) {
  const uint32_t low = value(0);
  if constexpr (!kPair) return low;
  return value(16) << 16 | low;
}

template <class V, bool kPair, auto F>
void binary_half(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b);
  const int64_t flags = i.imm;
  for_lanes(w, [=](int l) {
    d[l] = halves<kPair>([&](int s) { return V::encode(limit(F(V::decode(a[l] >> s), V::decode(b[l] >> s)), flags)); });
  });
}
template <class V, bool kPair>
void fma_half(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b), *c = u32(w, i.c);
  const int64_t flags = i.imm;
  for_lanes(w, [=](int l) {
    d[l] = halves<kPair>([&](int s) {
      return V::encode(limit(fma_odd(V::decode(a[l] >> s), V::decode(b[l] >> s), V::decode(c[l] >> s)), flags));
    });
  });
}

// min and max choose one of the sources: -0 < +0, a NaN loses unless .NaN.
template <class V, bool kPair, bool kGreater>
void min_max_half(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b);
  const int64_t flags = i.imm;
  for_lanes(w, [=](int l) {
    d[l] = halves<kPair>([&](int s) {
      double x = V::decode(a[l] >> s), y = V::decode(b[l] >> s);
      const bool is_negative = (flags & kXorSign) != 0 && std::signbit(x) != std::signbit(y);
      if ((flags & kXorSign) != 0) x = std::abs(x), y = std::abs(y);
      double r = x == y ? (std::signbit(x) == kGreater ? y : x) : ((x < y) == kGreater ? y : x);
      const bool wins = (flags & kNan) != 0;
      if (x != x)
        r = wins ? x : y;
      else if (y != y)
        r = wins ? y : x;
      return V::encode(is_negative ? -r : r);
    });
  });
}

// neg and abs; a NaN becomes the canonical one.
template <class V, bool kPair, auto F>
void sign_half(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = halves<kPair>([&](int s) { return V::encode(F(V::decode(a[l] >> s))); }); });
}
constexpr auto kNeg = [](double a) { return -a; };
constexpr auto kAbs = [](double a) { return std::abs(a); };

// f(view, is_pair) for the type and .ftz of a statement.
template <class F>
Handler with_view(const ptx::Statement& s, F&& f) {
  const std::string_view type = s.tokens.back();
  const bool ftz = s.has("ftz");
  if (type == "f16") return ftz ? f(F16Ftz{}, std::false_type{}) : f(F16{}, std::false_type{});
  if (type == "f16x2") return ftz ? f(F16Ftz{}, std::true_type{}) : f(F16{}, std::true_type{});
  return type == "bf16" ? f(Bf16{}, std::false_type{}) : f(Bf16{}, std::true_type{});
}
void decode_flags(const ptx::Statement& s, Instr& i) {
  i.imm = (s.has("sat") ? kSat : 0) | (s.has("relu") ? kRelu : 0) | (s.has("NaN") ? kNan : 0) |
          (s.has("xorsign") ? kXorSign : 0);
}

template <auto F>
Handler bind_binary(const ptx::Statement& s, Instr& i) {
  decode_flags(s, i);
  return with_view(s, [](auto v, auto pair) -> Handler { return binary_half<decltype(v), decltype(pair)::value, F>; });
}
Handler bind_fma(const ptx::Statement& s, Instr& i) {
  decode_flags(s, i);
  return with_view(s, [](auto v, auto pair) -> Handler { return fma_half<decltype(v), decltype(pair)::value>; });
}
template <bool kGreater>
Handler bind_min_max(const ptx::Statement& s, Instr& i) {
  decode_flags(s, i);
  return with_view(
      s, [](auto v, auto pair) -> Handler { return min_max_half<decltype(v), decltype(pair)::value, kGreater>; });
}
template <auto F>
Handler bind_sign(const ptx::Statement& s, Instr&) {
  return with_view(s, [](auto v, auto pair) -> Handler { return sign_half<decltype(v), decltype(pair)::value, F>; });
}

constexpr Form kForms[] = {
    {"add[|.rn][|.ftz][|.sat].f16", "r16 r16 r16", nullptr, bind_binary<kAdd>, Unit::kHalf, "9.7.4.1"},
    {"add[|.rn][|.ftz][|.sat].f16x2", "r32 r32 r32", nullptr, bind_binary<kAdd>, Unit::kHalf, "9.7.4.1"},
    {"add[|.rn].bf16", "r16 r16 r16", nullptr, bind_binary<kAdd>, Unit::kHalf, "9.7.4.1"},
    {"add[|.rn].bf16x2", "r32 r32 r32", nullptr, bind_binary<kAdd>, Unit::kHalf, "9.7.4.1"},
    {"sub[|.rn][|.ftz][|.sat].f16", "r16 r16 r16", nullptr, bind_binary<kSub>, Unit::kHalf, "9.7.4.2"},
    {"sub[|.rn][|.ftz][|.sat].f16x2", "r32 r32 r32", nullptr, bind_binary<kSub>, Unit::kHalf, "9.7.4.2"},
    {"sub[|.rn].bf16", "r16 r16 r16", nullptr, bind_binary<kSub>, Unit::kHalf, "9.7.4.2"},
    {"sub[|.rn].bf16x2", "r32 r32 r32", nullptr, bind_binary<kSub>, Unit::kHalf, "9.7.4.2"},
    {"mul[|.rn][|.ftz][|.sat].f16", "r16 r16 r16", nullptr, bind_binary<kMul>, Unit::kHalf, "9.7.4.3"},
    {"mul[|.rn][|.ftz][|.sat].f16x2", "r32 r32 r32", nullptr, bind_binary<kMul>, Unit::kHalf, "9.7.4.3"},
    {"mul[|.rn].bf16", "r16 r16 r16", nullptr, bind_binary<kMul>, Unit::kHalf, "9.7.4.3"},
    {"mul[|.rn].bf16x2", "r32 r32 r32", nullptr, bind_binary<kMul>, Unit::kHalf, "9.7.4.3"},
    {"fma.rn[|.ftz][|.sat|.relu].f16", "r16 r16 r16 r16", nullptr, bind_fma, Unit::kHalf, "9.7.4.4"},
    {"fma.rn[|.ftz][|.sat|.relu].f16x2", "r32 r32 r32 r32", nullptr, bind_fma, Unit::kHalf, "9.7.4.4"},
    {"fma.rn[|.relu].bf16", "r16 r16 r16 r16", nullptr, bind_fma, Unit::kHalf, "9.7.4.4"},
    {"fma.rn[|.relu].bf16x2", "r32 r32 r32 r32", nullptr, bind_fma, Unit::kHalf, "9.7.4.4"},
    {"neg[|.ftz].f16", "r16 r16", nullptr, bind_sign<kNeg>, Unit::kHalf, "9.7.4.5"},
    {"neg[|.ftz].f16x2", "r32 r32", nullptr, bind_sign<kNeg>, Unit::kHalf, "9.7.4.5"},
    {"neg.bf16", "r16 r16", nullptr, bind_sign<kNeg>, Unit::kHalf, "9.7.4.5"},
    {"neg.bf16x2", "r32 r32", nullptr, bind_sign<kNeg>, Unit::kHalf, "9.7.4.5"},
    {"abs[|.ftz].f16", "r16 r16", nullptr, bind_sign<kAbs>, Unit::kHalf, "9.7.4.6"},
    {"abs[|.ftz].f16x2", "r32 r32", nullptr, bind_sign<kAbs>, Unit::kHalf, "9.7.4.6"},
    {"abs.bf16", "r16 r16", nullptr, bind_sign<kAbs>, Unit::kHalf, "9.7.4.6"},
    {"abs.bf16x2", "r32 r32", nullptr, bind_sign<kAbs>, Unit::kHalf, "9.7.4.6"},
    {"min[|.ftz][|.NaN][|.xorsign.abs].f16", "r16 r16 r16", nullptr, bind_min_max<false>, Unit::kHalf, "9.7.4.7"},
    {"min[|.ftz][|.NaN][|.xorsign.abs].f16x2", "r32 r32 r32", nullptr, bind_min_max<false>, Unit::kHalf, "9.7.4.7"},
    {"min[|.NaN][|.xorsign.abs].bf16", "r16 r16 r16", nullptr, bind_min_max<false>, Unit::kHalf, "9.7.4.7"},
    {"min[|.NaN][|.xorsign.abs].bf16x2", "r32 r32 r32", nullptr, bind_min_max<false>, Unit::kHalf, "9.7.4.7"},
    {"max[|.ftz][|.NaN][|.xorsign.abs].f16", "r16 r16 r16", nullptr, bind_min_max<true>, Unit::kHalf, "9.7.4.8"},
    {"max[|.ftz][|.NaN][|.xorsign.abs].f16x2", "r32 r32 r32", nullptr, bind_min_max<true>, Unit::kHalf, "9.7.4.8"},
    {"max[|.NaN][|.xorsign.abs].bf16", "r16 r16 r16", nullptr, bind_min_max<true>, Unit::kHalf, "9.7.4.8"},
    {"max[|.NaN][|.xorsign.abs].bf16x2", "r32 r32 r32", nullptr, bind_min_max<true>, Unit::kHalf, "9.7.4.8"},
};

}  // namespace

std::span<const Form> half_forms() { return kForms; }

}  // namespace sim

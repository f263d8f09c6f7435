// Comparison and selection: setp, set, selp, slct. PTX ISA 9.7.5 and 9.7.6.
// A comparison makes one lane mask; an optional boolean operator joins it with a source predicate.
#include <array>

#include "ops/float_views.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

enum Compare : int { kEq, kNe, kLt, kLe, kGt, kGe, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu, kNum, kNan, kCompares };
constexpr std::string_view kCompareNames[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                              "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
enum Bool : int64_t { kNone, kAnd, kOr, kXor };

template <int kCompare, class T>
bool holds(T a, T b) {
  const bool is_unordered = a != a || b != b;
  switch (kCompare) {
    case kEq:
      return a == b;
    case kNe:
      return !is_unordered && a != b;
    case kLt:
      return a < b;
    case kLe:
      return a <= b;
    case kGt:
      return a > b;
    case kGe:
      return a >= b;
    case kEqu:
      return is_unordered || a == b;
    case kNeu:
      return a != b;
    case kLtu:
      return !(a >= b);
    case kLeu:
      return !(a > b);
    case kGtu:
      return !(a <= b);
    case kGeu:
      return !(a < b);
    case kNum:
      return !is_unordered;
    default:
      return is_unordered;
  }
}

// Integer types as views, beside those of float_views.hpp.
template <class T>
struct Int {
  using Bits = Storage<T>;
  using Value = T;
  static T decode(Bits bits) { return static_cast<T>(bits); }
};

uint32_t join(int64_t op, uint32_t t, uint32_t c) {
  return op == kAnd ? t & c : op == kOr ? t | c : op == kXor ? t ^ c : t;
}

template <class V, int kCompare>
uint32_t compare_lanes(Warp& w, uint32_t a_slot, uint32_t b_slot, int shift) {
  const auto* a = lanes<typename V::Bits>(w, a_slot);
  const auto* b = lanes<typename V::Bits>(w, b_slot);
  return ballot([=](int l) { return holds<kCompare>(V::decode(a[l] >> shift), V::decode(b[l] >> shift)); });
}

// p|q, a, b, c: p = (a ? b) op c, q = !(a ? b) op c. Scalar half-precision forms have no q.
template <class V, int kCompare, bool kHasSecond>
void setp(Warp& w, const Instr& i) {
  const uint32_t* const sources = i.ops + (kHasSecond ? 2 : 1);
  const uint32_t t = compare_lanes<V, kCompare>(w, sources[0], sources[1], 0);
  const uint32_t c = i.imm == kNone ? 0 : pred(w, sources[2]);
  set_pred(w, i.ops[0], join(i.imm, t, c));
  if (kHasSecond && i.ops[1] != kNoPred) set_pred(w, i.ops[1], join(i.imm, ~t, c));
}
// Packed halves: p from the low ones, q from the high ones.
template <class V, int kCompare>
void setp_packed(Warp& w, const Instr& i) {
  const uint32_t low = compare_lanes<V, kCompare>(w, i.ops[2], i.ops[3], 0);
  const uint32_t high = compare_lanes<V, kCompare>(w, i.ops[2], i.ops[3], 16);
  const uint32_t c = i.imm == kNone ? 0 : pred(w, i.ops[4]);
  set_pred(w, i.ops[0], join(i.imm, low, c));
  set_pred(w, i.ops[1], join(i.imm, high, c));
}

// set: Instr::imm = boolean operator | bits for true << 8.
template <class V, int kCompare>
void set(Warp& w, const Instr& i) {
  const uint32_t t = compare_lanes<V, kCompare>(w, i.a, i.b, 0);
  const int64_t op = i.imm & 0xff;
  const uint32_t r = join(op, t, op == kNone ? 0 : pred(w, i.c)), yes = static_cast<uint32_t>(i.imm >> 8);
  uint32_t* d = u32(w, i.d);
  for_lanes(w, [=](int l) { d[l] = (r >> l & 1) != 0 ? yes : 0; });
}
template <class V, int kCompare>
void set_packed(Warp& w, const Instr& i) {
  const int64_t op = i.imm & 0xff;
  const uint32_t c = op == kNone ? 0 : pred(w, i.c), yes = static_cast<uint32_t>(i.imm >> 8);
  const uint32_t low = join(op, compare_lanes<V, kCompare>(w, i.a, i.b, 0), c);
  const uint32_t high = join(op, compare_lanes<V, kCompare>(w, i.a, i.b, 16), c);
  uint32_t* d = u32(w, i.d);
  for_lanes(w, [=](int l) { d[l] = ((low >> l & 1) != 0 ? yes : 0) | ((high >> l & 1) != 0 ? yes << 16 : 0); });
}

template <class V>
constexpr bool kIsHalf = std::is_base_of_v<F16, V> || std::is_same_v<V, Bf16>;

struct Handlers {
  Handler setp, set;
};
template <class V, bool kPacked, int... kCompare>
constexpr std::array<Handlers, sizeof...(kCompare)> row(std::integer_sequence<int, kCompare...>) {
  if constexpr (kPacked)
    return {{{setp_packed<V, kCompare>, set_packed<V, kCompare>}...}};
  else
    return {{{setp<V, kCompare, !kIsHalf<V>>, set<V, kCompare>}...}};
}
template <class V, bool kPacked = false>
constexpr auto kFloatRow = row<V, kPacked>(std::make_integer_sequence<int, kCompares>());
template <class T>
constexpr auto kIntRow = row<Int<T>, false>(std::make_integer_sequence<int, kGe + 1>());

// Handlers of one source type and a comparison that the type has.
const Handlers* find(std::string_view type, bool is_ftz, int compare) {
  if (is_ftz && type == "f32") return &kFloatRow<F32Ftz>[compare];
  if (is_ftz && type == "f16") return &kFloatRow<F16Ftz>[compare];
  if (is_ftz && type == "f16x2") return &kFloatRow<F16Ftz, true>[compare];
  if (type == "f32") return &kFloatRow<F32>[compare];
  if (type == "f64") return &kFloatRow<F64>[compare];
  if (type == "f16") return &kFloatRow<F16>[compare];
  if (type == "bf16") return &kFloatRow<Bf16>[compare];
  if (type == "f16x2") return &kFloatRow<F16, true>[compare];
  if (type == "bf16x2") return &kFloatRow<Bf16, true>[compare];
  if (type == "s16") return &kIntRow<int16_t>[compare];
  if (type == "s32") return &kIntRow<int32_t>[compare];
  if (type == "s64") return &kIntRow<int64_t>[compare];
  if (type.ends_with("16")) return &kIntRow<uint16_t>[compare];
  if (type.ends_with("32")) return &kIntRow<uint32_t>[compare];
  return &kIntRow<uint64_t>[compare];
}

int compare_of(std::string_view name) {
  if (name == "lo") return kLt;  // lower, higher: other names for unsigned types
  if (name == "ls") return kLe;
  if (name == "hi") return kGt;
  if (name == "hs") return kGe;
  int n = 0;
  while (name != kCompareNames[n]) ++n;
  return n;
}

int64_t bool_of(const ptx::Statement& s) {
  return s.has("and") ? kAnd : s.has("or") ? kOr : s.has("xor") ? kXor : kNone;
}

Handler bind_setp(const ptx::Statement& s, Instr& i) {
  i.imm = bool_of(s);
  return find(s.tokens.back(), s.has("ftz"), compare_of(s.tokens[1]))->setp;
}

Handler bind_set(const ptx::Statement& s, Instr& i) {
  const std::string_view type = s.tokens.back(), result = s.tokens[s.tokens.size() - 2];
  int64_t yes = 0xffffffff;
  if (result == "f32") yes = 0x3f800000;
  if (result.starts_with("f16")) yes = 0x3c00;
  if (result.starts_with("bf16")) yes = 0x3f80;
  if (result == "u16" || result == "s16" || (type.ends_with("x2") && (result == "u32" || result == "s32")))
    yes = 0xffff;
  i.imm = bool_of(s) | yes << 8;
  return find(type, s.has("ftz"), compare_of(s.tokens[1]))->set;
}

template <class T>
void selp(Warp& w, const Instr& i) {
  T* d = lanes<T>(w, i.d);
  const T *a = lanes<T>(w, i.a), *b = lanes<T>(w, i.b);
  const uint32_t p = pred(w, i.c);
  for_lanes(w, [=](int l) { d[l] = (p >> l & 1) != 0 ? a[l] : b[l]; });
}

template <class T, class V>
void slct(Warp& w, const Instr& i) {
  T* d = lanes<T>(w, i.d);
  const T *a = lanes<T>(w, i.a), *b = lanes<T>(w, i.b);
  const uint32_t* c = u32(w, i.c);
  for_lanes(w, [=](int l) { d[l] = V::decode(c[l]) >= 0 ? a[l] : b[l]; });
}

constexpr Form kForms[] = {
    {"setp.[[eq|ne].[b16|u16|s16]|[lt|le|gt|ge].[u16|s16]|[lo|ls|hi|hs].u16]", "p|p r16 r16", nullptr, bind_setp,
     Unit::kAlu, "9.7.6.2"},
    {"setp.[[eq|ne].[b32|u32|s32]|[lt|le|gt|ge].[u32|s32]|[lo|ls|hi|hs].u32]", "p|p r32 r32", nullptr, bind_setp,
     Unit::kAlu, "9.7.6.2"},
    {"setp.[[eq|ne].[b64|u64|s64]|[lt|le|gt|ge].[u64|s64]|[lo|ls|hi|hs].u64]", "p|p r64 r64", nullptr, bind_setp,
     Unit::kAlu, "9.7.6.2"},
    {"setp.[[eq|ne].[and|or|xor].[b16|u16|s16]|[lt|le|gt|ge].[and|or|xor].[u16|s16]|[lo|ls|hi|hs].[and|or|xor].u16]",
     "p|p r16 r16 p", nullptr, bind_setp, Unit::kAlu, "9.7.6.2"},
    {"setp.[[eq|ne].[and|or|xor].[b32|u32|s32]|[lt|le|gt|ge].[and|or|xor].[u32|s32]|[lo|ls|hi|hs].[and|or|xor].u32]",
     "p|p r32 r32 p", nullptr, bind_setp, Unit::kAlu, "9.7.6.2"},
    {"setp.[[eq|ne].[and|or|xor].[b64|u64|s64]|[lt|le|gt|ge].[and|or|xor].[u64|s64]|[lo|ls|hi|hs].[and|or|xor].u64]",
     "p|p r64 r64 p", nullptr, bind_setp, Unit::kAlu, "9.7.6.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan][|.ftz].f32", "p|p r32 r32", nullptr, bind_setp,
     Unit::kAlu, "9.7.6.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[and|or|xor][|.ftz].f32", "p|p r32 r32 p", nullptr,
     bind_setp, Unit::kAlu, "9.7.6.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].f64", "p|p r64 r64", nullptr, bind_setp, Unit::kFp64,
     "9.7.6.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[and|or|xor].f64", "p|p r64 r64 p", nullptr, bind_setp,
     Unit::kFp64, "9.7.6.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[[|ftz.]f16|bf16]", "p r16 r16", nullptr, bind_setp,
     Unit::kHalf, "9.7.7.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[and|or|xor].[[|ftz.]f16|bf16]", "p r16 r16 p", nullptr,
     bind_setp, Unit::kHalf, "9.7.7.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[[|ftz.]f16x2|bf16x2]", "p|p r32 r32", nullptr,
     bind_setp, Unit::kHalf, "9.7.7.2"},
    {"setp.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[and|or|xor].[[|ftz.]f16x2|bf16x2]", "p|p r32 r32 p",
     nullptr, bind_setp, Unit::kHalf, "9.7.7.2"},

    {"set.[[eq|ne].[u32|s32|f32].[b16|u16|s16]|[lt|le|gt|ge].[u32|s32|f32].[u16|s16]|"
     "[lo|ls|hi|hs].[u32|s32|f32].u16]",
     "r32 r16 r16", nullptr, bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[[eq|ne].[u32|s32|f32].[b32|u32|s32]|[lt|le|gt|ge].[u32|s32|f32].[u32|s32]|"
     "[lo|ls|hi|hs].[u32|s32|f32].u32]",
     "r32 r32 r32", nullptr, bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[[eq|ne].[u32|s32|f32].[b64|u64|s64]|[lt|le|gt|ge].[u32|s32|f32].[u64|s64]|"
     "[lo|ls|hi|hs].[u32|s32|f32].u64]",
     "r32 r64 r64", nullptr, bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[[eq|ne].[and|or|xor].[u32|s32|f32].[b16|u16|s16]|[lt|le|gt|ge].[and|or|xor].[u32|s32|f32].[u16|s16]|"
     "[lo|ls|hi|hs].[and|or|xor].[u32|s32|f32].u16]",
     "r32 r16 r16 p", nullptr, bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[[eq|ne].[and|or|xor].[u32|s32|f32].[b32|u32|s32]|[lt|le|gt|ge].[and|or|xor].[u32|s32|f32].[u32|s32]|"
     "[lo|ls|hi|hs].[and|or|xor].[u32|s32|f32].u32]",
     "r32 r32 r32 p", nullptr, bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[[eq|ne].[and|or|xor].[u32|s32|f32].[b64|u64|s64]|[lt|le|gt|ge].[and|or|xor].[u32|s32|f32].[u64|s64]|"
     "[lo|ls|hi|hs].[and|or|xor].[u32|s32|f32].u64]",
     "r32 r64 r64 p", nullptr, bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan][|.ftz].[u32|s32|f32].f32", "r32 r32 r32", nullptr,
     bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[and|or|xor][|.ftz].[u32|s32|f32].f32", "r32 r32 r32 p",
     nullptr, bind_set, Unit::kAlu, "9.7.6.1"},
    {"set.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[u32|s32|f32].f64", "r32 r64 r64", nullptr, bind_set,
     Unit::kFp64, "9.7.6.1"},
    {"set.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[and|or|xor].[u32|s32|f32].f64", "r32 r64 r64 p", nullptr,
     bind_set, Unit::kFp64, "9.7.6.1"},
    {"set.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[[|ftz.][f16|u16|s16].f16|[bf16|u16|s16].bf16]",
     "r16 r16 r16", nullptr, bind_set, Unit::kHalf, "9.7.7.1"},
    {"set.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[[|ftz.][u32|s32].f16|[u32|s32].bf16]", "r32 r16 r16",
     nullptr, bind_set, Unit::kHalf, "9.7.7.1"},
    {"set.[eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan].[[|ftz.][f16x2|u32|s32].f16x2|[bf16x2|u32|s32].bf16x2]",
     "r32 r32 r32", nullptr, bind_set, Unit::kHalf, "9.7.7.1"},

    {"selp.[b16|u16|s16]", "r16 r16 r16 p", selp<uint32_t>, nullptr, Unit::kAlu, "9.7.6.3"},
    {"selp.[b32|u32|s32|f32]", "r32 r32 r32 p", selp<uint32_t>, nullptr, Unit::kAlu, "9.7.6.3"},
    {"selp.[b64|u64|s64|f64]", "r64 r64 r64 p", selp<uint64_t>, nullptr, Unit::kAlu, "9.7.6.3"},
    {"slct.[b16|u16|s16].s32", "r16 r16 r16 r32", slct<uint32_t, Int<int32_t>>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.[b32|u32|s32|f32].s32", "r32 r32 r32 r32", slct<uint32_t, Int<int32_t>>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.[b64|u64|s64|f64].s32", "r64 r64 r64 r32", slct<uint64_t, Int<int32_t>>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.[b16|u16|s16].f32", "r16 r16 r16 r32", slct<uint32_t, F32>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.[b32|u32|s32|f32].f32", "r32 r32 r32 r32", slct<uint32_t, F32>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.[b64|u64|s64|f64].f32", "r64 r64 r64 r32", slct<uint64_t, F32>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.ftz.[b16|u16|s16].f32", "r16 r16 r16 r32", slct<uint32_t, F32Ftz>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.ftz.[b32|u32|s32|f32].f32", "r32 r32 r32 r32", slct<uint32_t, F32Ftz>, nullptr, Unit::kAlu, "9.7.6.4"},
    {"slct.ftz.[b64|u64|s64|f64].f32", "r64 r64 r64 r32", slct<uint64_t, F32Ftz>, nullptr, Unit::kAlu, "9.7.6.4"},
};

}  // namespace

std::span<const Form> compare_forms() { return kForms; }

}  // namespace sim

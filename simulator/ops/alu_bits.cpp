// Logic, shifts, bit counting, bit fields, byte permutation. PTX ISA 9.7.1.14 to 9.7.1.27, 9.7.8 and 9.7.9.7.
#include <algorithm>
#include <cstdlib>

#include "ops/alu.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

using b16 = uint16_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;
using b32 = uint32_t;
using b64 = uint64_t;

constexpr auto kAnd = [](auto a, auto b) { return a & b; };
constexpr auto kOr = [](auto a, auto b) { return a | b; };
constexpr auto kXor = [](auto a, auto b) { return a ^ b; };
constexpr auto kNot = [](auto a) { return ~a; };
constexpr auto kCnot = [](auto a) { return a == 0 ? 1 : 0; };

template <auto F>
void pred_binary(Warp& w, const Instr& i) {
  set_pred(w, i.d, F(pred(w, i.a), pred(w, i.b)));
}
template <auto F>
void pred_unary(Warp& w, const Instr& i) {
  set_pred(w, i.d, F(pred(w, i.a)));
}

// Shift amounts beyond the width count as the width.
constexpr auto kShl = [](auto a, uint32_t n) {
  using T = decltype(a);
  return n >= 8 * sizeof(T) ? T{0} : static_cast<T>(static_cast<Wrapping<T>>(a) << n);
};
constexpr auto kShr = [](auto a, uint32_t n) {
  using T = decltype(a);
  if (n >= 8 * sizeof(T)) return static_cast<T>(a < 0 ? ~T{0} : T{0});
  return static_cast<T>(a >> n);
};
constexpr auto pair_of(uint32_t high, uint32_t low) { return static_cast<uint64_t>(high) << 32 | low; }
constexpr auto clamp32(uint32_t n) { return n > 32 ? 32 : n; }
constexpr auto kShfLeftClamp = [](uint32_t a, uint32_t b, uint32_t n) { return pair_of(b, a) << clamp32(n) >> 32; };
constexpr auto kShfLeftWrap = [](uint32_t a, uint32_t b, uint32_t n) { return pair_of(b, a) << (n & 31) >> 32; };
constexpr auto kShfRightClamp = [](uint32_t a, uint32_t b, uint32_t n) { return pair_of(b, a) >> clamp32(n); };
constexpr auto kShfRightWrap = [](uint32_t a, uint32_t b, uint32_t n) { return pair_of(b, a) >> (n & 31); };

// Bit `a << 2 | b << 1 | c` of the table is the result for these three bits: three levels of selection.
uint32_t lop3_value(uint32_t lut, uint32_t a, uint32_t b, uint32_t c) {
  const auto row = [lut](int n) { return 0u - (lut >> n & 1); };
  const auto select = [](uint32_t zero, uint32_t one, uint32_t by) { return zero ^ (by & (zero ^ one)); };
  const uint32_t low = select(select(row(0), row(1), c), select(row(2), row(3), c), b);
  const uint32_t high = select(select(row(4), row(5), c), select(row(6), row(7), c), b);
  return select(low, high, a);
}
void lop3(Warp& w, const Instr& i) {
  const Out<b32> d(w, i.d);
  const In<b32> a(w, i.a), b(w, i.b), c(w, i.c);
  const uint32_t lut = static_cast<uint32_t>(i.imm);
  for_lanes(w, [=](int l) { d.set(l, lop3_value(lut, a[l], b[l], c[l])); });
}
// lop3.BoolOp d|p, a, b, c, lut, q: p = (d != 0) BoolOp q.
template <auto F>
void lop3_pred(Warp& w, const Instr& i) {
  const In<b32> a(w, i.ops[2]), b(w, i.ops[3]), c(w, i.ops[4]);
  const Out<b32> d(w, i.ops[0]);
  const uint32_t lut = static_cast<uint32_t>(i.imm);
  uint32_t value[kWarpSize];
  for (int l = 0; l < kWarpSize; ++l) value[l] = lop3_value(lut, a[l], b[l], c[l]);
  const uint32_t q = pred(w, i.ops[6]);
  for_lanes(w, [&](int l) { d.set(l, value[l]); });
  set_pred(w, i.ops[1], F(ballot([&](int l) { return value[l] != 0; }), q));
}
Handler bind_lut(const ptx::Statement& s, Instr& i) {
  const bool has_pred = s.tokens.size() > 2;
  const size_t position = s.operands.size() - (has_pred ? 2 : 1);
  if (s.operands[position].kind != ptx::Operand::Kind::kInteger) return nullptr;
  i.imm = static_cast<int64_t>(s.operands[position].value & 0xff);
  if (!has_pred) return lop3;
  return s.has("and") ? lop3_pred<kAnd> : lop3_pred<kOr>;
}

constexpr auto kPopc = [](auto a) { return std::popcount(a); };
constexpr auto kClz = [](auto a) { return std::countl_zero(a); };
constexpr auto kBrev = [](auto a) {
  using T = decltype(a);
  T r = 0;
  for (size_t n = 0; n < 8 * sizeof(T); ++n) r |= (a >> n & T{1}) << (8 * sizeof(T) - 1 - n);
  return r;
};
// Position of the most significant non-sign bit, all ones when there is none.
constexpr auto kBfind = [](auto a) {
  using T = decltype(a);
  using U = std::make_unsigned_t<T>;
  const U bits = static_cast<U>(a < 0 ? ~a : a);
  return static_cast<uint32_t>(std::bit_width(bits)) - 1u;
};
constexpr auto kBfindShift = [](auto a) {
  const uint32_t found = kBfind(a);
  return found == ~0u ? found : static_cast<uint32_t>(8 * sizeof(a)) - 1 - found;
};

// Position and length count modulo 256 in the 32-bit forms, which are one instruction; the 64-bit ones, a routine of
// ptxas, take them whole (an H100's answers).
template <class T>
constexpr uint64_t field_operand(uint32_t value) {
  return sizeof(T) == 8 ? value : value & 0xff;
}
constexpr auto kBfe = [](auto a, uint32_t position, uint32_t length) {
  using T = decltype(a);
  using U = std::make_unsigned_t<T>;
  constexpr uint64_t kBits = 8 * sizeof(T);
  const uint64_t pos = field_operand<T>(position), len = field_operand<T>(length);
  if (len == 0) return T{0};
  const U sign = std::is_signed_v<T> && (static_cast<U>(a) >> std::min(pos + len - 1, kBits - 1) & 1) ? ~U{0} : U{0};
  if (pos >= kBits) return static_cast<T>(sign);
  const U field = static_cast<U>(a) >> pos;
  const uint64_t kept = std::min(len, kBits - pos);
  if (kept == kBits) return static_cast<T>(field);
  const U mask = (U{1} << kept) - 1;
  return static_cast<T>((field & mask) | (sign & ~mask));
};
template <class T>
void bfi(Warp& w, const Instr& i) {
  const Out<T> d(w, i.ops[0]);
  const In<T> a(w, i.ops[1]), b(w, i.ops[2]);
  const In<b32> position(w, i.ops[3]), length(w, i.ops[4]);
  constexpr uint32_t kBits = 8 * sizeof(T);
  for_lanes(w, [=](int l) {
    const uint64_t pos = field_operand<T>(position[l]), len = field_operand<T>(length[l]);
    const T field = len >= kBits ? ~T{0} : (T{1} << len) - 1;
    const T mask = pos >= kBits ? T{0} : field << pos;
    d.set(l, (b[l] & ~mask) | (pos >= kBits ? T{0} : a[l] << pos & mask));
  });
}

constexpr auto kFns = [](uint32_t mask, uint32_t base, uint32_t offset) -> uint32_t {
  if (offset == 1u << 31) return 0;  // an H100's answer
  const int64_t steps = static_cast<int32_t>(offset);
  if (steps == 0) return base < 32 && (mask >> base & 1) != 0 ? base : ~0u;
  int64_t count = std::abs(steps) - 1;
  for (int32_t at = static_cast<int32_t>(base); at >= 0 && at < 32; at += steps > 0 ? 1 : -1)
    if ((mask >> at & 1) != 0 && count-- == 0) return static_cast<uint32_t>(at);
  return ~0u;
};

template <bool kClamp, bool kSigned>
constexpr auto kSzext = [](uint32_t a, uint32_t b) -> uint32_t {
  const uint32_t width = b & 31;
  const bool is_whole = kClamp && b >= 32;
  const uint32_t mask = is_whole ? 0 : ~0u << width;
  const bool sign = kSigned && width != 0 && !is_whole && (a >> (width - 1) & 1) != 0;
  return (a & ~mask) | (sign ? mask : 0);
};
template <bool kClamp>
constexpr auto kBmsk = [](uint32_t a, uint32_t b) -> uint32_t {
  const uint32_t from = a & 31, width = b & 31;
  const bool is_beyond = kClamp && (a >= 32 || b >= 32);
  const uint32_t low = kClamp && a >= 32 ? 0 : ~0u << from;
  const uint32_t high = from + width >= 32 || is_beyond ? 0 : width == 0 ? ~0u : ~0u << (from + width);
  return low & ~high;
};

// prmt: bytes 0-3 of a and 4-7 of b; a selector's bit 3 replicates the sign of its byte.
constexpr auto kPrmt = [](uint32_t a, uint32_t b, uint32_t selectors) {
  const uint64_t bytes = pair_of(b, a);
  uint32_t r = 0;
  for (int n = 0; n < 4; ++n) {
    const uint32_t selector = selectors >> (4 * n);
    const uint32_t byte = static_cast<uint32_t>(bytes >> (8 * (selector & 7))) & 0xff;
    r |= ((selector & 8) != 0 ? (0u - (byte >> 7)) & 0xff : byte) << (8 * n);
  }
  return r;
};
// The named modes choose one of four selector words by the low bits of c.
template <uint32_t k0, uint32_t k1, uint32_t k2, uint32_t k3>
constexpr auto kPrmtMode = [](uint32_t a, uint32_t b, uint32_t c) {
  constexpr uint32_t kSelectors[] = {k0, k1, k2, k3};
  return kPrmt(a, b, kSelectors[c & 3]);
};

// prmt with an immediate selector without sign bits: the byte positions are the same in all lanes.
void prmt_shuffle(Warp& w, const Instr& i) {
  const Out<b32> d(w, i.d);
  const In<b32> a(w, i.a), b(w, i.b);
  const uint32_t selectors = static_cast<uint32_t>(i.imm);
  const uint32_t n0 = 8 * (selectors & 7), n1 = 8 * (selectors >> 4 & 7), n2 = 8 * (selectors >> 8 & 7),
                 n3 = 8 * (selectors >> 12 & 7);
  for_lanes(w, [=](int l) {
    const uint64_t bytes = pair_of(b[l], a[l]);
    d.set(l, static_cast<uint32_t>((bytes >> n0 & 0xff) | (bytes >> n1 & 0xff) << 8 | (bytes >> n2 & 0xff) << 16 |
                                   (bytes >> n3 & 0xff) << 24));
  });
}
Handler bind_prmt(const ptx::Statement& s, Instr& i) {
  if (s.operands[3].kind != ptx::Operand::Kind::kInteger || (s.operands[3].value & 0x8888) != 0)
    return ternary_of<b32, kPrmt>;
  i.imm = static_cast<int64_t>(s.operands[3].value & 0x7777);
  return prmt_shuffle;
}

constexpr Form kForms[] = {
    {"and.pred", "p p p", pred_binary<kAnd>, nullptr, Unit::kAlu, "9.7.8.1"},
    {"and.b16", "r16 r16 r16", binary_of<b16, kAnd>, nullptr, Unit::kAlu, "9.7.8.1"},
    {"and.b32", "r32 r32 r32", binary_of<b32, kAnd>, nullptr, Unit::kAlu, "9.7.8.1"},
    {"and.b64", "r64 r64 r64", binary_of<b64, kAnd>, nullptr, Unit::kAlu, "9.7.8.1"},
    {"or.pred", "p p p", pred_binary<kOr>, nullptr, Unit::kAlu, "9.7.8.2"},
    {"or.b16", "r16 r16 r16", binary_of<b16, kOr>, nullptr, Unit::kAlu, "9.7.8.2"},
    {"or.b32", "r32 r32 r32", binary_of<b32, kOr>, nullptr, Unit::kAlu, "9.7.8.2"},
    {"or.b64", "r64 r64 r64", binary_of<b64, kOr>, nullptr, Unit::kAlu, "9.7.8.2"},
    {"xor.pred", "p p p", pred_binary<kXor>, nullptr, Unit::kAlu, "9.7.8.3"},
    {"xor.b16", "r16 r16 r16", binary_of<b16, kXor>, nullptr, Unit::kAlu, "9.7.8.3"},
    {"xor.b32", "r32 r32 r32", binary_of<b32, kXor>, nullptr, Unit::kAlu, "9.7.8.3"},
    {"xor.b64", "r64 r64 r64", binary_of<b64, kXor>, nullptr, Unit::kAlu, "9.7.8.3"},
    {"not.pred", "p p", pred_unary<kNot>, nullptr, Unit::kAlu, "9.7.8.4"},
    {"not.b16", "r16 r16", unary_of<b16, kNot>, nullptr, Unit::kAlu, "9.7.8.4"},
    {"not.b32", "r32 r32", unary_of<b32, kNot>, nullptr, Unit::kAlu, "9.7.8.4"},
    {"not.b64", "r64 r64", unary_of<b64, kNot>, nullptr, Unit::kAlu, "9.7.8.4"},
    {"cnot.b16", "r16 r16", unary_of<b16, kCnot>, nullptr, Unit::kAlu, "9.7.8.5"},
    {"cnot.b32", "r32 r32", unary_of<b32, kCnot>, nullptr, Unit::kAlu, "9.7.8.5"},
    {"cnot.b64", "r64 r64", unary_of<b64, kCnot>, nullptr, Unit::kAlu, "9.7.8.5"},
    {"lop3.b32", "r32 r32 r32 r32 r32", nullptr, bind_lut, Unit::kAlu, "9.7.8.6"},
    {"lop3.[and|or].b32", "r32|p r32 r32 r32 r32 p", nullptr, bind_lut, Unit::kAlu, "9.7.8.6"},
    {"shf.l.clamp.b32", "r32 r32 r32 r32", ternary_of<b32, kShfLeftClamp>, nullptr, Unit::kAlu, "9.7.8.7"},
    {"shf.l.wrap.b32", "r32 r32 r32 r32", ternary_of<b32, kShfLeftWrap>, nullptr, Unit::kAlu, "9.7.8.7"},
    {"shf.r.clamp.b32", "r32 r32 r32 r32", ternary_of<b32, kShfRightClamp>, nullptr, Unit::kAlu, "9.7.8.7"},
    {"shf.r.wrap.b32", "r32 r32 r32 r32", ternary_of<b32, kShfRightWrap>, nullptr, Unit::kAlu, "9.7.8.7"},
    {"shl.b16", "r16 r16 r32", binary<b16, b16, b32, kShl>, nullptr, Unit::kAlu, "9.7.8.8"},
    {"shl.b32", "r32 r32 r32", binary<b32, b32, b32, kShl>, nullptr, Unit::kAlu, "9.7.8.8"},
    {"shl.b64", "r64 r64 r32", binary<b64, b64, b32, kShl>, nullptr, Unit::kAlu, "9.7.8.8"},
    {"shr.[b16|u16]", "r16 r16 r32", binary<b16, b16, b32, kShr>, nullptr, Unit::kAlu, "9.7.8.9"},
    {"shr.s16", "r16 r16 r32", binary<s16, s16, b32, kShr>, nullptr, Unit::kAlu, "9.7.8.9"},
    {"shr.[b32|u32]", "r32 r32 r32", binary<b32, b32, b32, kShr>, nullptr, Unit::kAlu, "9.7.8.9"},
    {"shr.s32", "r32 r32 r32", binary<s32, s32, b32, kShr>, nullptr, Unit::kAlu, "9.7.8.9"},
    {"shr.[b64|u64]", "r64 r64 r32", binary<b64, b64, b32, kShr>, nullptr, Unit::kAlu, "9.7.8.9"},
    {"shr.s64", "r64 r64 r32", binary<s64, s64, b32, kShr>, nullptr, Unit::kAlu, "9.7.8.9"},

    {"popc.b32", "r32 r32", unary<b32, b32, kPopc>, nullptr, Unit::kAlu, "9.7.1.14"},
    {"popc.b64", "r32 r64", unary<b32, b64, kPopc>, nullptr, Unit::kAlu, "9.7.1.14"},
    {"clz.b32", "r32 r32", unary<b32, b32, kClz>, nullptr, Unit::kAlu, "9.7.1.15"},
    {"clz.b64", "r32 r64", unary<b32, b64, kClz>, nullptr, Unit::kAlu, "9.7.1.15"},
    {"bfind.u32", "r32 r32", unary<b32, b32, kBfind>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"bfind.s32", "r32 r32", unary<b32, s32, kBfind>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"bfind.u64", "r32 r64", unary<b32, b64, kBfind>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"bfind.s64", "r32 r64", unary<b32, s64, kBfind>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"bfind.shiftamt.u32", "r32 r32", unary<b32, b32, kBfindShift>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"bfind.shiftamt.s32", "r32 r32", unary<b32, s32, kBfindShift>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"bfind.shiftamt.u64", "r32 r64", unary<b32, b64, kBfindShift>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"bfind.shiftamt.s64", "r32 r64", unary<b32, s64, kBfindShift>, nullptr, Unit::kAlu, "9.7.1.16"},
    {"fns.b32", "r32 r32 r32 r32", ternary_of<b32, kFns>, nullptr, Unit::kAlu, "9.7.1.17"},
    {"brev.b32", "r32 r32", unary_of<b32, kBrev>, nullptr, Unit::kAlu, "9.7.1.18"},
    {"brev.b64", "r64 r64", unary_of<b64, kBrev>, nullptr, Unit::kAlu, "9.7.1.18"},
    {"bfe.u32", "r32 r32 r32 r32", ternary<b32, b32, b32, b32, kBfe>, nullptr, Unit::kAlu, "9.7.1.19"},
    {"bfe.s32", "r32 r32 r32 r32", ternary<s32, s32, b32, b32, kBfe>, nullptr, Unit::kAlu, "9.7.1.19"},
    {"bfe.u64", "r64 r64 r32 r32", ternary<b64, b64, b32, b32, kBfe>, nullptr, Unit::kAlu, "9.7.1.19"},
    {"bfe.s64", "r64 r64 r32 r32", ternary<s64, s64, b32, b32, kBfe>, nullptr, Unit::kAlu, "9.7.1.19"},
    {"bfi.b32", "r32 r32 r32 r32 r32", bfi<b32>, nullptr, Unit::kAlu, "9.7.1.20"},
    {"bfi.b64", "r64 r64 r64 r32 r32", bfi<b64>, nullptr, Unit::kAlu, "9.7.1.20"},
    {"szext.wrap.u32", "r32 r32 r32", binary_of<b32, kSzext<false, false>>, nullptr, Unit::kAlu, "9.7.1.21"},
    {"szext.wrap.s32", "r32 r32 r32", binary_of<b32, kSzext<false, true>>, nullptr, Unit::kAlu, "9.7.1.21"},
    {"szext.clamp.u32", "r32 r32 r32", binary_of<b32, kSzext<true, false>>, nullptr, Unit::kAlu, "9.7.1.21"},
    {"szext.clamp.s32", "r32 r32 r32", binary_of<b32, kSzext<true, true>>, nullptr, Unit::kAlu, "9.7.1.21"},
    {"bmsk.wrap.b32", "r32 r32 r32", binary_of<b32, kBmsk<false>>, nullptr, Unit::kAlu, "9.7.1.22"},
    {"bmsk.clamp.b32", "r32 r32 r32", binary_of<b32, kBmsk<true>>, nullptr, Unit::kAlu, "9.7.1.22"},

    {"prmt.b32", "r32 r32 r32 r32", nullptr, bind_prmt, Unit::kAlu, "9.7.9.7"},
    {"prmt.b32.f4e", "r32 r32 r32 r32", ternary_of<b32, kPrmtMode<0x3210, 0x4321, 0x5432, 0x6543>>, nullptr, Unit::kAlu,
     "9.7.9.7"},
    {"prmt.b32.b4e", "r32 r32 r32 r32", ternary_of<b32, kPrmtMode<0x5670, 0x6701, 0x7012, 0x0123>>, nullptr, Unit::kAlu,
     "9.7.9.7"},
    {"prmt.b32.rc8", "r32 r32 r32 r32", ternary_of<b32, kPrmtMode<0x0000, 0x1111, 0x2222, 0x3333>>, nullptr, Unit::kAlu,
     "9.7.9.7"},
    {"prmt.b32.ecl", "r32 r32 r32 r32", ternary_of<b32, kPrmtMode<0x3210, 0x3211, 0x3222, 0x3333>>, nullptr, Unit::kAlu,
     "9.7.9.7"},
    {"prmt.b32.ecr", "r32 r32 r32 r32", ternary_of<b32, kPrmtMode<0x0000, 0x1110, 0x2210, 0x3210>>, nullptr, Unit::kAlu,
     "9.7.9.7"},
    {"prmt.b32.rc16", "r32 r32 r32 r32", ternary_of<b32, kPrmtMode<0x1010, 0x3232, 0x1010, 0x3232>>, nullptr,
     Unit::kAlu, "9.7.9.7"},
};

}  // namespace

std::span<const Form> bit_forms() { return kForms; }

}  // namespace sim

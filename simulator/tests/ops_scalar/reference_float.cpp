// Floating point: arithmetic, comparison, min and max, conversion. Everything is exact and rounded once (exact.hpp).
#include <cstdlib>

#include "exact.hpp"
#include "numerics/mufu.hpp"
#include "reference.hpp"

namespace sim::test {
namespace {

struct Format {
  Binary binary;
  uint64_t nan;
};
Format format_of(const std::string& type) {
  if (type.starts_with("bf16")) return {kB16, 0x7fff};
  if (type.starts_with("f16")) return {kH16, 0x7fff};
  if (type == "f64") return {kD64, 0x7fffffffffffffff};
  return {kS32, 0x7fffffff};
}
Mode mode_of(const Opcode& op) {
  if (op.has("rz") || op.has("rzi")) return Mode::kZero;
  if (op.has("rm") || op.has("rmi")) return Mode::kDown;
  if (op.has("rp") || op.has("rpi")) return Mode::kUp;
  return op.has("rna") ? Mode::kAway : Mode::kNearest;
}

uint64_t flush(const Format& f, uint64_t bits) {
  return (bits & f.binary.infinity()) == 0 ? bits & f.binary.sign() : bits;
}
Number read(const Format& f, uint64_t bits, bool ftz) { return decode(f.binary, ftz ? flush(f, bits) : bits); }

Number one() { return {Number::Kind::kFinite, false, Natural(1), 0}; }
Number saturated(const Number& x) {
  if (x.is_nan() || x.is_zero() || x.is_negative) return {};
  return order(x, one()) > 0 ? one() : x;
}

uint64_t write(const Format& f, const Number& x, const Opcode& op) {
  Number y = x;
  if (op.has("sat")) y = saturated(y);
  if (op.has("relu") && !y.is_nan() && (y.is_negative || y.is_zero())) y = {};
  uint64_t bits = encode(f.binary, y, mode_of(op), f.nan);
  if (op.has("satfinite") && !y.is_nan() && (bits & ~f.binary.sign()) == f.binary.infinity()) --bits;
  // A conversion flushes its f32 side only; half-precision arithmetic flushes its own format.
  const bool flushes = op.name() == "cvt" ? f.binary.fraction_bits == 23 : f.binary.fraction_bits != 52;
  return op.has("ftz") && flushes ? flush(f, bits) : bits;
}

// min, max: -0 < +0; a NaN loses, or wins with .NaN.
Number extreme(const Number& a, const Number& b, bool greater, bool nan_wins) {
  if (a.is_nan() && b.is_nan()) return a;
  if (a.is_nan()) return nan_wins ? a : b;
  if (b.is_nan()) return nan_wins ? b : a;
  const int sign = order(a, b);
  if (sign == 0 && a.is_zero()) return (a.is_negative == greater) ? b : a;
  return (sign < 0) == greater ? b : a;
}

bool compare_floats(const std::string& name, const Number& a, const Number& b) {
  const bool is_unordered = a.is_nan() || b.is_nan();
  if (name == "num") return !is_unordered;
  if (name == "nan") return is_unordered;
  if (is_unordered) return name.size() == 3;  // equ neu ltu leu gtu geu
  const int sign = order(a, b);
  const std::string base = name.substr(0, 2);
  if (base == "eq") return sign == 0;
  if (base == "ne") return sign != 0;
  if (base == "lt") return sign < 0;
  if (base == "le") return sign <= 0;
  return base == "gt" ? sign > 0 : sign >= 0;
}
bool join(const Opcode& op, bool t, bool c) {
  return op.has("and") ? t && c : op.has("or") ? t || c : op.has("xor") ? t != c : t;
}

// One result of an instruction on numbers of one format. Nothing: not known.
std::optional<uint64_t> arithmetic(const Opcode& op, const Format& f, const Words& in) {
  const std::string& name = op.name();
  const bool ftz = op.has("ftz");
  const auto get = [&](size_t n) { return read(f, in[n], ftz); };
  const Mode mode = mode_of(op);
  if (name == "add") return write(f, add(get(0), get(1), mode), op);
  if (name == "sub") return write(f, add(get(0), negate(get(1)), mode), op);
  if (name == "mul") return write(f, multiply(get(0), get(1)), op);
  if (name == "fma" || name == "mad") return write(f, add(multiply(get(0), get(1)), get(2), mode), op);
  if (name == "div") return write(f, divide(get(0), get(1)), op);
  if (name == "rcp") return write(f, divide(one(), get(0)), op);
  if (name == "sqrt") return write(f, square_root(get(0)), op);
  if (name == "neg") return write(f, negate(get(0)), op);
  if (name == "abs") {
    Number x = get(0);
    x.is_negative = false;
    return write(f, x, op);
  }
  if (name == "min" || name == "max") {
    Number x = get(0), y = get(1);
    const bool is_negative = op.has("xorsign") && x.is_negative != y.is_negative;
    const bool drops_sign = op.has("abs");
    if (drops_sign) x.is_negative = y.is_negative = false;
    Number r = extreme(x, y, name == "max", op.has("NaN"));
    if (in.size() == 3) {
      Number z = get(2);
      if (drops_sign) z.is_negative = false;
      r = extreme(r, z, name == "max", op.has("NaN"));
    }
    return write(f, is_negative ? negate(r) : r, op);
  }
  return std::nullopt;
}

std::optional<uint64_t> approximation(const Opcode& op, const Words& in) {
  namespace n = numerics;
  const uint32_t x = static_cast<uint32_t>(in[0]);
  const uint16_t h = static_cast<uint16_t>(in[0]);
  struct Row {
    const char* name;
    uint32_t (*exact)(uint32_t);
    uint32_t (*ftz)(uint32_t);
  };
  static constexpr Row kRows[] = {
      {"rcp", n::rcp_approx_f32, n::rcp_approx_ftz_f32},    {"rsqrt", n::rsqrt_approx_f32, n::rsqrt_approx_ftz_f32},
      {"sqrt", n::sqrt_approx_f32, n::sqrt_approx_ftz_f32}, {"ex2", n::ex2_approx_f32, n::ex2_approx_ftz_f32},
      {"lg2", n::lg2_approx_f32, n::lg2_approx_ftz_f32},    {"sin", n::sin_approx_f32, n::sin_approx_ftz_f32},
      {"cos", n::cos_approx_f32, n::cos_approx_ftz_f32},    {"tanh", n::tanh_approx_f32, n::tanh_approx_f32}};
  if (op.type() == "f32") {
    for (const Row& row : kRows)
      if (op.name() == row.name) return op.has("ftz") ? row.ftz(x) : row.exact(x);
    return std::nullopt;
  }
  const bool is_ex2 = op.name() == "ex2", is_bf16 = op.type().starts_with("bf16");
  const auto half = [&](uint16_t v) -> uint64_t {
    if (is_ex2) return is_bf16 ? n::ex2_approx_ftz_bf16(v) : n::ex2_approx_f16(v);
    return is_bf16 ? n::tanh_approx_bf16(v) : n::tanh_approx_f16(v);
  };
  if (op.type().ends_with("x2")) return half(h) | half(static_cast<uint16_t>(in[0] >> 16)) << 16;
  return half(h);
}

}  // namespace

std::optional<Words> float_reference(const Opcode& op, const Words& in) {
  const std::string& name = op.name();
  const std::string& type = op.type();
  if (name == "slct") {
    const Number c = read(format_of("f32"), in[2], op.has("ftz"));
    return Words{!c.is_nan() && (c.is_zero() || !c.is_negative) ? in[0] : in[1]};
  }
  if (!is_float_type(type)) return std::nullopt;
  const Format f = format_of(type);
  const bool is_pair = type.ends_with("x2");
  const int shift = type == "f32x2" ? 32 : 16;
  const uint64_t half_mask = (1ull << shift) - 1;
  if (name == "setp" || name == "set") {
    const bool c = in.size() > 2 && in[2] != 0;
    const auto test = [&](int by) {
      const uint64_t mask = is_pair ? half_mask : ~0ull;
      return compare_floats(op.tokens[1], read(f, in[0] >> by & mask, op.has("ftz")),
                            read(f, in[1] >> by & mask, op.has("ftz")));
    };
    const bool t = test(0);
    if (name == "setp") return Words{join(op, t, c), is_pair ? join(op, test(shift), c) : join(op, !t, c)};
    const std::string& to = op.result_type();
    const uint64_t yes = to == "f32"                    ? 0x3f800000u
                         : to.starts_with("f16")        ? 0x3c00u
                         : to.starts_with("bf16")       ? 0x3f80u
                         : is_pair || bits_of(to) == 16 ? 0xffffu
                                                        : 0xffffffffu;
    return Words{(join(op, t, c) ? yes : 0) | (is_pair && join(op, test(shift), c) ? yes << 16 : 0)};
  }
  if (name == "testp") {
    const Number x = decode(f.binary, in[0]);
    const bool is_subnormal = (in[0] & f.binary.infinity()) == 0 && !x.is_zero();
    const bool is_finite = x.kind == Number::Kind::kFinite;
    const std::string& p = op.tokens[1];
    if (p == "finite") return Words{is_finite};
    if (p == "infinite") return Words{x.is_infinite()};
    if (p == "number") return Words{!x.is_nan()};
    if (p == "notanumber") return Words{x.is_nan()};
    return Words{p == "normal" ? is_finite && !is_subnormal : is_subnormal};  // zeros are normal to an H100
  }
  if (op.has("approx") || op.has("full")) {
    if (name == "div")  // judged by its error, see agrees()
      return Words{encode(f.binary, divide(decode(f.binary, in[0]), decode(f.binary, in[1])), Mode::kNearest, f.nan)};
    const auto r = approximation(op, in);
    return r ? std::optional<Words>(Words{*r}) : std::nullopt;
  }
  // Mixed precision: add.f32.bf16 d, a, c.
  if (op.tokens.size() > 2 && op.result_type() == "f32") {
    const Format wide = format_of("f32");
    const Number a = decode(f.binary, in[0]);
    Number r;
    if (name == "fma")
      r = add(multiply(a, decode(f.binary, in[1])), decode(wide.binary, in[2]), mode_of(op));
    else
      r = add(a, name == "sub" ? negate(decode(wide.binary, in[1])) : decode(wide.binary, in[1]), mode_of(op));
    return Words{write(wide, r, op)};
  }
  if (!is_pair) {
    const auto r = arithmetic(op, f, in);
    return r ? std::optional<Words>(Words{*r}) : std::nullopt;
  }
  Words low, high;
  for (const uint64_t word : in) {
    low.push_back(word & half_mask);
    high.push_back(word >> shift & half_mask);
  }
  const auto l = arithmetic(op, f, low), h = arithmetic(op, f, high);
  if (!l || !h) return std::nullopt;
  return Words{*h << shift | *l};
}

// NaNs that an H100 does not make the destination's canonical one of.
std::optional<uint64_t> kept_nan(const Opcode& op, const std::string& to, const std::string& from, uint64_t bits) {
  if (to == "tf32")
    return op.has("rna") ? bits - bits % 0x2000 - (op.has("satfinite") ? 0x2000 : 0) : uint64_t{0x7fffe000};
  const bool is_plain = op.tokens.size() == 3;  // cvt.f32.f32, cvt.f32.bf16: the bits move
  if (to == "f32" && is_plain && (from == "f32" || from == "bf16")) return from == "f32" ? bits : bits << 16;
  if (from != "f64" || to == "f64" || !is_float_type(to)) return std::nullopt;
  const Binary b = format_of(to).binary;
  const uint64_t payload = (bits & ((1ull << 52) - 1)) >> (52 - b.fraction_bits);
  return (bits >> 63 != 0 ? b.sign() : 0) | b.infinity() | 1ull << (b.fraction_bits - 1) | payload;
}

std::optional<Words> convert_reference(const Opcode& op, const Words& in) {
  const std::string &to = op.result_type(), &from = op.type();
  if (op.has("pack")) {
    const bool is_narrow = op.has("b32");
    const std::string& target = op.tokens[3];
    const int bits = bits_of(target);
    const auto cut = [&](uint64_t word) {
      const int64_t v = static_cast<int32_t>(word), high = target[0] == 's' ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
      const int64_t least = target[0] == 's' ? -(1 << (bits - 1)) : 0;
      return static_cast<uint64_t>(std::min(std::max(v, least), high)) & ((1ull << bits) - 1);
    };
    const uint64_t pair = cut(in[0]) << bits | cut(in[1]);
    return Words{is_narrow ? (in[2] << 16 & 0xffffffff) | pair : pair};
  }
  if (to.ends_with("x2")) {  // two f32 into halves, the first source in the upper one
    const Format f = format_of(to), s = format_of("f32");
    return Words{write(f, decode(s.binary, in[0]), op) << 16 | write(f, decode(s.binary, in[1]), op)};
  }
  // The source as an exact number.
  Number x;
  const int from_bits = bits_of(from);
  if (is_float_type(from)) {
    x = read(format_of(from), in[0], op.has("ftz") && from == "f32" && to != "f16");
    if (x.is_nan() && !op.has("sat"))
      if (const auto kept = kept_nan(op, to, from, in[0])) return Words{*kept};
  } else {
    x.is_negative = from[0] == 's' && (in[0] >> (from_bits - 1) & 1) != 0;
    uint64_t magnitude = in[0];
    if (x.is_negative) magnitude = 0 - (in[0] | (from_bits < 64 ? ~0ull << from_bits : 0));
    x.magnitude = Natural(magnitude);
  }
  if (to == "tf32") {
    if (op.has("relu") && x.is_negative) x = {};
    uint64_t bits = encode(kT19, x, mode_of(op), 0) << 13;
    if (op.has("satfinite") && (bits & 0x7fffffff) == 0x7f800000) bits -= 0x2000;
    return Words{bits};
  }
  const bool is_integral = op.has("rni") || op.has("rzi") || op.has("rmi") || op.has("rpi");
  if (is_float_type(to)) {
    if (is_integral && x.kind == Number::Kind::kFinite && !x.is_zero()) {
      x.magnitude = round_magnitude(x, 0, mode_of(op));
      x.exponent = 0;
    }
    return Words{write(format_of(to), x, op)};
  }
  // To an integer: clamp where floats come from or .sat asks for it, else cut.
  const int to_bits = bits_of(to);
  const bool is_signed = to[0] == 's';
  const auto stored = [&](uint64_t word) {  // narrow signed results are extended in a 16-bit register
    const uint64_t mask = to_bits < 64 ? (1ull << to_bits) - 1 : ~0ull;
    uint64_t value = word & mask;
    if (to_bits == 8 && is_signed && (value & 0x80) != 0) value |= 0xff00;
    return Words{value};
  };
  if (x.is_nan()) return stored(from == "f64" || to_bits == 64 ? 1ull << (to_bits - 1) : 0);
  if (!is_float_type(from) && !op.has("sat"))
    return stored(x.is_negative ? 0 - x.magnitude.low64() : x.magnitude.low64());
  const uint64_t most = is_signed ? (1ull << (to_bits - 1)) - 1 : to_bits < 64 ? (1ull << to_bits) - 1 : ~0ull;
  const uint64_t least = is_signed ? 1ull << (to_bits - 1) : 0;  // as a magnitude
  const uint64_t limit = x.is_negative ? least : most;
  if (x.is_infinite()) return stored(x.is_negative ? 0 - limit : limit);
  const Natural rounded = round_magnitude(x, 0, mode_of(op));
  const uint64_t magnitude = compare(rounded, Natural(limit)) > 0 ? limit : rounded.low64();
  return stored(x.is_negative ? 0 - magnitude : magnitude);
}

bool agrees(const Opcode& op, const Words& in, const Words& got, const Words& want) {
  if (got == want) return true;
  if (!is_float_type(op.type()) && !(op.name() == "cvt" && is_float_type(op.result_type()))) return false;
  const std::string type = op.name() == "cvt" ? op.result_type() : op.type();
  const Format f = format_of(type);
  if (op.has("approx") || op.has("full")) {
    if (op.name() != "div") return false;
    if (decode(f.binary, got[0]).is_nan()) {
      if (decode(f.binary, want[0]).is_nan()) return true;
    }
    // div.approx: 2 ulp for |b| in [2^-126, 2^126] and quotients in the normal range; div.full: 2 ulp in the full
    // range.
    const uint64_t b = in[1] & 0x7f800000;
    if (b == 0 || b >= 253u << 23 || (in[0] & 0x7f800000) == 0 || (want[0] & 0x7f800000) == 0) return true;
    return std::llabs(static_cast<int64_t>(got[0]) - static_cast<int64_t>(want[0])) <= 2;
  }
  return type == "f64" && decode(f.binary, got[0]).is_nan() && decode(f.binary, want[0]).is_nan();
}

Opcode::Opcode(const std::string& dotted) : text(dotted) {
  size_t begin = 0;
  while (begin <= dotted.size()) {
    const size_t end = std::min(dotted.find('.', begin), dotted.size());
    tokens.push_back(dotted.substr(begin, end - begin));
    begin = end + 1;
  }
}
bool Opcode::has(const char* token) const { return std::find(tokens.begin(), tokens.end(), token) != tokens.end(); }

bool is_float_type(const std::string& type) { return type[0] == 'f' || type.starts_with("bf"); }
int bits_of(const std::string& type) {
  const size_t digit = type.find_first_of("0123456789");
  if (digit == std::string::npos) return 1;
  const int bits = std::atoi(type.c_str() + digit);
  return type.ends_with("x2") ? 2 * bits : bits;
}

std::optional<Words> reference(const Opcode& op, const Words& in) {
  if (op.name() == "cvt") return convert_reference(op, in);
  if (const auto r = integer_reference(op, in)) return r;
  return float_reference(op, in);
}

}  // namespace sim::test

// Integers, logic, bit fields, selection.
#include <algorithm>
#include <limits>

#include "reference.hpp"

namespace sim::test {
namespace {

using i128 = __int128;

uint64_t low(i128 value, int bits) {
  return bits >= 64 ? static_cast<uint64_t>(value) : static_cast<uint64_t>(value) & ((1ull << bits) - 1);
}
i128 value_of(uint64_t word, int bits, bool is_signed) {
  i128 v = 0;
  for (int n = 0; n < bits; ++n) v += static_cast<i128>(word >> n & 1) << n;
  return is_signed && (word >> (bits - 1) & 1) != 0 ? v - (static_cast<i128>(1) << bits) : v;
}
i128 clamp(i128 v, int bits, bool is_signed) {
  const i128 high = (static_cast<i128>(1) << (bits - (is_signed ? 1 : 0))) - 1;
  const i128 least = is_signed ? -(static_cast<i128>(1) << (bits - 1)) : 0;
  return v < least ? least : v > high ? high : v;
}
int byte_of(uint64_t word, int n, bool is_signed) {
  return static_cast<int>(value_of(word >> (8 * n) & 0xff, 8, is_signed));
}

uint64_t permute(uint64_t a, uint64_t b, uint64_t c, const std::string& mode) {
  const auto byte = [&](int n) { return (n < 4 ? a >> (8 * n) : b >> (8 * (n - 4))) & 0xff; };
  int pick[4] = {};
  bool sign[4] = {};
  const int k = static_cast<int>(c & 3);
  for (int n = 0; n < 4; ++n) {
    if (mode == "f4e")
      pick[n] = n + k;
    else if (mode == "b4e")
      pick[n] = (8 + k - n) % 8;
    else if (mode == "rc8")
      pick[n] = k;
    else if (mode == "ecl")
      pick[n] = std::max(n, k);
    else if (mode == "ecr")
      pick[n] = std::min(n, k);
    else if (mode == "rc16")
      pick[n] = 2 * (k & 1) + (n & 1);
    else {
      pick[n] = static_cast<int>(c >> (4 * n) & 7);
      sign[n] = (c >> (4 * n) & 8) != 0;
    }
  }
  uint64_t r = 0;
  for (int n = 0; n < 4; ++n) {
    const uint64_t chosen = byte(pick[n]);
    r |= (sign[n] ? ((chosen & 0x80) != 0 ? 0xff : 0) : chosen) << (8 * n);
  }
  return r;
}

// PTX ISA 9.7.1.17, as the manual writes it.
uint64_t find_nth(uint64_t mask, uint64_t base, int offset) {
  if (offset == std::numeric_limits<int>::min()) return 0;  // what an H100 makes of it
  if (offset == 0) return base < 32 && (mask >> base & 1) != 0 ? base : 0xffffffff;
  int64_t pos = static_cast<int32_t>(base);
  int64_t count = (offset < 0 ? -static_cast<int64_t>(offset) : offset) - 1;
  const int inc = offset > 0 ? 1 : -1;
  while (pos >= 0 && pos < 32) {
    if ((mask >> pos & 1) != 0) {
      if (count == 0) return static_cast<uint64_t>(pos);
      --count;
    }
    pos += inc;
  }
  return 0xffffffff;
}

// The manual reads 8 bits of position and length; in the 64-bit forms an H100 reads all 32.
uint64_t field_limit(int bits) { return bits == 64 ? 0xffffffff : 0xff; }
uint64_t bit_field_extract(uint64_t a, uint64_t b, uint64_t c, int bits, bool is_signed) {
  const uint64_t most = field_limit(bits);
  const uint64_t pos = b & most, len = c & most, msb = static_cast<uint64_t>(bits) - 1;
  const uint64_t last = pos + len - 1;
  const uint64_t fill = !is_signed || len == 0 ? 0 : a >> std::min(last, msb) & 1;
  uint64_t d = 0;
  for (uint64_t n = 0; n <= msb; ++n) d |= (n < len && pos + n <= msb ? a >> (pos + n) & 1 : fill) << n;
  return d;
}
uint64_t bit_field_insert(uint64_t a, uint64_t b, uint64_t c, uint64_t d, int bits) {
  const uint64_t most = field_limit(bits);
  const uint64_t pos = c & most, len = d & most, msb = static_cast<uint64_t>(bits) - 1;
  uint64_t f = b;
  for (uint64_t n = 0; n < len && pos + n <= msb; ++n) f = (f & ~(1ull << (pos + n))) | (a >> n & 1) << (pos + n);
  return f;
}

uint64_t lookup3(uint64_t a, uint64_t b, uint64_t c, uint64_t lut, int bits) {
  uint64_t d = 0;
  for (int n = 0; n < bits; ++n) d |= (lut >> ((a >> n & 1) << 2 | (b >> n & 1) << 1 | (c >> n & 1)) & 1) << n;
  return d;
}

uint64_t funnel(const Opcode& op, uint64_t a, uint64_t b, uint64_t c) {
  const uint64_t n = op.has("wrap") ? c & 31 : std::min<uint64_t>(c, 32);
  const i128 whole = static_cast<i128>(b) << 32 | a;
  return op.has("l") ? static_cast<uint64_t>(whole << n >> 32) & 0xffffffff
                     : static_cast<uint64_t>(whole >> n) & 0xffffffff;
}

bool compare_integers(const std::string& name, i128 a, i128 b) {
  if (name == "eq") return a == b;
  if (name == "ne") return a != b;
  if (name == "lt" || name == "lo") return a < b;
  if (name == "le" || name == "ls") return a <= b;
  if (name == "gt" || name == "hi") return a > b;
  return a >= b;
}
bool join(const Opcode& op, bool t, bool c) {
  return op.has("and") ? t && c : op.has("or") ? t || c : op.has("xor") ? t != c : t;
}

}  // namespace

std::optional<Words> integer_reference(const Opcode& op, const Words& in) {
  const std::string& name = op.name();
  if (op.type() == "pred") {
    if (name == "mov") return Words{in[0]};
    if (name == "not") return Words{in[0] ^ 1};
    return Words{name == "and" ? in[0] & in[1] : name == "or" ? in[0] | in[1] : in[0] ^ in[1]};
  }
  if (name == "mov") {
    // Packing and unpacking keep the bits in order; cases.cpp joins the parts into one word.
    return Words{in[0]};
  }
  if (name == "prmt") return Words{permute(in[0], in[1], in[2], op.tokens.size() > 2 ? op.tokens[2] : "")};
  if (name == "lop3") {
    const uint64_t d = lookup3(in[0], in[1], in[2], in[3], 32);
    if (op.tokens.size() == 2) return Words{d};
    return Words{d, op.has("and") ? static_cast<uint64_t>(d != 0 && in[4]) : static_cast<uint64_t>(d != 0 || in[4])};
  }
  if (name == "shf") return Words{funnel(op, in[0], in[1], in[2])};
  if (name == "dp4a" || name == "dp2a") {
    const bool a_signed = op.result_type() == "s32", b_signed = op.type() == "s32";
    i128 sum = static_cast<i128>(in[2]);
    for (int n = 0; n < (name == "dp4a" ? 4 : 2); ++n) {
      const i128 a = name == "dp4a" ? byte_of(in[0], n, a_signed) : value_of(in[0] >> (16 * n) & 0xffff, 16, a_signed);
      sum += a * byte_of(in[1], n + (op.has("hi") ? 2 : 0), b_signed);
    }
    return Words{low(sum, 32)};
  }
  if (name == "slct") {
    if (op.type() != "s32") return std::nullopt;
    return Words{(in[2] >> 31 & 1) == 0 ? in[0] : in[1]};
  }
  if (name == "selp") return Words{in[2] != 0 ? in[0] : in[1]};
  if (name == "copysign") {
    const uint64_t sign = 1ull << (bits_of(op.type()) - 1);
    return Words{(in[0] & sign) | (in[1] & (sign - 1))};
  }
  if (is_float_type(op.type())) return std::nullopt;

  const bool is_signed = op.type()[0] == 's';
  if (op.type().ends_with("x2")) {  // 16-bit halves
    Words d{0};
    for (int shift : {0, 16}) {
      const i128 a = value_of(in[0] >> shift & 0xffff, 16, is_signed),
                 b = value_of(in[1] >> shift & 0xffff, 16, is_signed);
      i128 v = name == "add" ? a + b : name == "min" ? std::min(a, b) : std::max(a, b);
      if (op.has("relu")) v = std::max<i128>(v, 0);
      d[0] |= low(v, 16) << shift;
    }
    return d;
  }
  const int bits = bits_of(op.type());
  const auto value = [&](size_t n) { return value_of(in[n], bits, is_signed); };
  const auto result = [&](i128 v) { return Words{low(v, bits)}; };
  if (name == "setp" || name == "set") {
    const bool t = compare_integers(op.tokens[1], value(0), value(1));
    const bool c = in.size() > 2 && in[2] != 0;
    if (name == "setp") return Words{join(op, t, c), join(op, !t, c)};
    return Words{join(op, t, c) ? (op.result_type() == "f32" ? 0x3f800000u : 0xffffffffu) : 0u};
  }
  if (name == "and") return Words{in[0] & in[1]};
  if (name == "or") return Words{in[0] | in[1]};
  if (name == "xor") return Words{in[0] ^ in[1]};
  if (name == "not") return result(~static_cast<i128>(in[0]));
  if (name == "cnot") return Words{in[0] == 0 ? 1u : 0u};
  if (name == "shl") return in[1] >= static_cast<uint64_t>(bits) ? Words{0} : result(value(0) << in[1]);
  if (name == "shr") return result(value(0) >> std::min<uint64_t>(in[1], 100));
  if (name == "popc") {
    uint64_t count = 0;
    for (int n = 0; n < bits; ++n) count += in[0] >> n & 1;
    return Words{count};
  }
  if (name == "clz" || name == "bfind" || name == "brev") {
    uint64_t reversed = 0, top = 0xffffffff;
    const uint64_t word = name == "bfind" && is_signed && value(0) < 0 ? low(~value(0), bits) : in[0];
    for (int n = 0; n < bits; ++n) {
      reversed |= (word >> n & 1) << (bits - 1 - n);
      if ((word >> n & 1) != 0) top = static_cast<uint64_t>(n);
    }
    if (name == "brev") return Words{reversed};
    const bool is_none = top == 0xffffffff;
    if (name == "clz") return Words{is_none ? static_cast<uint64_t>(bits) : static_cast<uint64_t>(bits) - 1 - top};
    return Words{op.has("shiftamt") && !is_none ? static_cast<uint64_t>(bits) - 1 - top : top};
  }
  if (name == "fns") return Words{find_nth(in[0], in[1], static_cast<int32_t>(in[2]))};
  if (name == "bfe") return Words{bit_field_extract(in[0], in[1], in[2], bits, is_signed)};
  if (name == "bfi") return Words{bit_field_insert(in[0], in[1], in[2], in[3], bits)};
  if (name == "szext") {
    const uint64_t width = op.has("wrap") ? in[1] & 31 : std::min<uint64_t>(in[1], 32);
    uint64_t d = 0;
    for (uint64_t n = 0; n < 32; ++n)
      d |= (n < width ? in[0] >> n & 1 : is_signed && width != 0 && width < 32 ? in[0] >> (width - 1) & 1 : 0) << n;
    return Words{width == 32 ? in[0] : d};
  }
  if (name == "bmsk") {
    const uint64_t from = op.has("wrap") ? in[0] & 31 : in[0], width = op.has("wrap") ? in[1] & 31 : in[1];
    uint64_t d = 0;
    for (uint64_t n = 0; n < 32; ++n) d |= static_cast<uint64_t>(n >= from && n - from < width) << n;
    return Words{d};
  }

  const i128 a = value(0), b = in.size() > 1 ? value(1) : 0;
  if (name == "add" || name == "sub") {
    const i128 v = name == "add" ? a + b : a - b;
    return result(op.has("sat") ? clamp(v, bits, is_signed) : v);
  }
  if (name == "neg") return result(-a);
  if (name == "abs") return result(a < 0 ? -a : a);
  if (name == "min" || name == "max") {
    const i128 v = name == "min" ? std::min(a, b) : std::max(a, b);
    return result(op.has("relu") ? std::max<i128>(v, 0) : v);
  }
  if (name == "div") return result(b == 0 ? -1 : a / b);
  if (name == "rem") return result(b == 0 ? -1 : a % b);
  if (name == "sad") return result(value(2) + (a < b ? b - a : a - b));
  if (name == "mul" || name == "mad") {
    if (op.has("wide")) {
      const i128 c = name == "mad" ? static_cast<i128>(in[2]) : 0;
      return Words{low(a * b + c, 2 * bits)};
    }
    // 64 x 64 bits: the high half from 32-bit pieces, for the product of two unsigned ones leaves __int128.
    i128 part = low(static_cast<i128>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b)), bits);
    if (op.has("hi")) {
      if (bits < 64) {
        part = a * b >> bits;
      } else {
        const i128 a0 = static_cast<i128>(in[0] & 0xffffffff), a1 = a >> 32, b0 = static_cast<i128>(in[1] & 0xffffffff),
                   b1 = b >> 32;
        const i128 low_sum = (a0 * b0 >> 32) + (a1 * b0 & 0xffffffff) + (a0 * b1 & 0xffffffff);
        part = a1 * b1 + (a1 * b0 >> 32) + (a0 * b1 >> 32) + (low_sum >> 32);
      }
    }
    const i128 c = name == "mad" ? value(2) : 0;
    if (op.has("sat")) return result(clamp(part + c, bits, true));
    return result(part + c);
  }
  if (name == "mul24" || name == "mad24") {
    const i128 product = value_of(in[0] & 0xffffff, 24, is_signed) * value_of(in[1] & 0xffffff, 24, is_signed);
    const i128 part = value_of(low(op.has("hi") ? product >> 16 : product, 32), 32, is_signed);
    const i128 c = name == "mad24" ? value(2) : 0;
    return result(op.has("sat") ? clamp(part + c, 32, true) : part + c);
  }
  return std::nullopt;
}

}  // namespace sim::test

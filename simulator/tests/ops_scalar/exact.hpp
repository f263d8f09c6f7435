// Exact binary arithmetic on big integers, and rounding of its results to any binary format: the yardstick for the
// handlers, which compute with the host's floating-point unit. Slow and plain on purpose.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace sim::test {

// A natural number, 32-bit digits, least first, without leading zeros.
class Natural {
 public:
  Natural(uint64_t value = 0) {
    for (; value != 0; value >>= 32) digits_.push_back(static_cast<uint32_t>(value));
  }
  bool is_zero() const { return digits_.empty(); }
  int bits() const {
    if (is_zero()) return 0;
    int top = 32;
    while ((digits_.back() >> (top - 1) & 1) == 0) --top;
    return static_cast<int>(digits_.size() - 1) * 32 + top;
  }
  bool bit(int n) const {
    const size_t digit = static_cast<size_t>(n) / 32;
    return digit < digits_.size() && (digits_[digit] >> (n % 32) & 1) != 0;
  }
  // Whether any of the lowest n bits is set.
  bool any_below(int n) const {
    for (int k = 0; k < n; ++k)
      if (bit(k)) return true;
    return false;
  }
  uint64_t low64() const {
    uint64_t value = 0;
    for (size_t n = 0; n < std::min<size_t>(digits_.size(), 2); ++n) value |= uint64_t{digits_[n]} << (32 * n);
    return value;
  }
  Natural shifted(int left) const {
    Natural r;
    if (is_zero()) return r;
    if (left >= 0) {
      r.digits_.assign(static_cast<size_t>(left / 32), 0);
      uint64_t carry = 0;
      for (const uint32_t digit : digits_) {
        carry |= uint64_t{digit} << (left % 32);
        r.digits_.push_back(static_cast<uint32_t>(carry));
        carry >>= 32;
      }
      r.digits_.push_back(static_cast<uint32_t>(carry));
    } else {
      for (int n = -left; n < bits(); n += 32) {
        uint32_t digit = 0;
        for (int k = 0; k < 32; ++k) digit |= static_cast<uint32_t>(bit(n + k)) << k;
        r.digits_.push_back(digit);
      }
    }
    return r.trim();
  }
  friend Natural operator+(const Natural& a, const Natural& b) {
    Natural r;
    uint64_t carry = 0;
    for (size_t n = 0; n < std::max(a.digits_.size(), b.digits_.size()) || carry != 0; ++n) {
      carry += uint64_t{a.digit(n)} + b.digit(n);
      r.digits_.push_back(static_cast<uint32_t>(carry));
      carry >>= 32;
    }
    return r.trim();
  }
  friend Natural operator-(const Natural& a, const Natural& b) {  // a >= b
    Natural r;
    int64_t borrow = 0;
    for (size_t n = 0; n < a.digits_.size(); ++n) {
      const int64_t value = int64_t{a.digit(n)} - b.digit(n) + borrow;
      r.digits_.push_back(static_cast<uint32_t>(value));
      borrow = value < 0 ? -1 : 0;
    }
    return r.trim();
  }
  friend Natural operator*(const Natural& a, const Natural& b) {
    Natural r;
    for (size_t n = 0; n < a.digits_.size(); ++n) {
      Natural row;
      uint64_t carry = 0;
      for (const uint32_t digit : b.digits_) {
        carry += uint64_t{a.digits_[n]} * digit;
        row.digits_.push_back(static_cast<uint32_t>(carry));
        carry >>= 32;
      }
      row.digits_.push_back(static_cast<uint32_t>(carry));
      r = r + row.trim().shifted(static_cast<int>(32 * n));
    }
    return r;
  }
  friend int compare(const Natural& a, const Natural& b) {
    if (a.digits_.size() != b.digits_.size()) return a.digits_.size() < b.digits_.size() ? -1 : 1;
    for (size_t n = a.digits_.size(); n-- > 0;)
      if (a.digits_[n] != b.digits_[n]) return a.digits_[n] < b.digits_[n] ? -1 : 1;
    return 0;
  }

 private:
  uint32_t digit(size_t n) const { return n < digits_.size() ? digits_[n] : 0; }
  Natural& trim() {
    while (!digits_.empty() && digits_.back() == 0) digits_.pop_back();
    return *this;
  }
  std::vector<uint32_t> digits_;
};

enum class Mode { kNearest, kZero, kDown, kUp, kAway };

struct Binary {
  int exponent_bits, fraction_bits;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint64_t infinity() const { return ((1ull << exponent_bits) - 1) << fraction_bits; }
  uint64_t sign() const { return 1ull << (exponent_bits + fraction_bits); }
};
inline constexpr Binary kB16{8, 7}, kH16{5, 10}, kS32{8, 23}, kD64{11, 52}, kT19{8, 10};

// A floating-point datum: NaN, infinity, or magnitude * 2^exponent.
struct Number {
  enum class Kind { kNan, kInfinite, kFinite } kind = Kind::kFinite;
  bool is_negative = false;
  Natural magnitude;
  int exponent = 0;
  bool is_nan() const { return kind == Kind::kNan; }
  bool is_infinite() const { return kind == Kind::kInfinite; }
  bool is_zero() const { return kind == Kind::kFinite && magnitude.is_zero(); }
};
inline Number nan_number() { return {Number::Kind::kNan, false, {}, 0}; }
inline Number infinite(bool is_negative) { return {Number::Kind::kInfinite, is_negative, {}, 0}; }

inline Number decode(const Binary& f, uint64_t bits) {
  Number x;
  x.is_negative = (bits & f.sign()) != 0;
  const uint64_t field = (bits >> f.fraction_bits) & ((1ull << f.exponent_bits) - 1);
  const uint64_t fraction = bits & ((1ull << f.fraction_bits) - 1);
  if (field == (1ull << f.exponent_bits) - 1) {
    x.kind = fraction != 0 ? Number::Kind::kNan : Number::Kind::kInfinite;
    return x;
  }
  x.magnitude = fraction | (field != 0 ? 1ull << f.fraction_bits : 0);
  x.exponent = static_cast<int>(field != 0 ? field : 1) - f.bias() - f.fraction_bits;
  return x;
}

// Magnitude in units of 2^unit, rounded to an integer.
inline Natural round_magnitude(const Number& x, int unit, Mode mode) {
  const int drop = unit - x.exponent;
  if (drop <= 0) return x.magnitude.shifted(-drop);
  Natural kept = x.magnitude.shifted(-drop);
  const bool half = x.magnitude.bit(drop - 1), rest = x.magnitude.any_below(drop - 1);
  bool up = false;
  switch (mode) {
    case Mode::kNearest:
      up = half && (rest || kept.bit(0));
      break;
    case Mode::kAway:
      up = half;
      break;
    case Mode::kZero:
      break;
    case Mode::kDown:
      up = x.is_negative && (half || rest);
      break;
    case Mode::kUp:
      up = !x.is_negative && (half || rest);
      break;
  }
  return up ? kept + Natural(1) : kept;
}

// Bits of the rounded value; NaN gives `nan`.
inline uint64_t encode(const Binary& f, const Number& x, Mode mode, uint64_t nan) {
  if (x.is_nan()) return nan;
  const uint64_t sign = x.is_negative ? f.sign() : 0;
  if (x.is_infinite()) return sign | f.infinity();
  if (x.is_zero()) return sign;
  const int smallest = 1 - f.bias() - f.fraction_bits;
  const int unit = std::max(smallest, x.exponent + x.magnitude.bits() - 1 - f.fraction_bits);
  const Natural rounded = round_magnitude(x, unit, mode);
  // The code of a subnormal is its magnitude; each further unit of exponent adds 2^fraction_bits.
  const uint64_t code = rounded.low64() + (static_cast<uint64_t>(unit - smallest) << f.fraction_bits);
  if (code >= f.infinity()) {
    const bool inward =
        mode == Mode::kZero || (mode == Mode::kDown && !x.is_negative) || (mode == Mode::kUp && x.is_negative);
    return sign | (inward ? f.infinity() - 1 : f.infinity());
  }
  return sign | code;
}

inline int compare_magnitude(const Number& a, const Number& b) {
  const int low = std::min(a.exponent, b.exponent);
  return compare(a.magnitude.shifted(a.exponent - low), b.magnitude.shifted(b.exponent - low));
}

inline Number negate(Number x) {
  x.is_negative = !x.is_negative;
  return x;
}

inline Number add(const Number& a, const Number& b, Mode mode) {
  if (a.is_nan() || b.is_nan()) return nan_number();
  if (a.is_infinite() && b.is_infinite()) return a.is_negative == b.is_negative ? a : nan_number();
  if (a.is_infinite()) return a;
  if (b.is_infinite()) return b;
  const int low = std::min(a.exponent, b.exponent);
  const Natural x = a.magnitude.shifted(a.exponent - low), y = b.magnitude.shifted(b.exponent - low);
  Number r;
  r.exponent = low;
  if (a.is_negative == b.is_negative) {
    r.magnitude = x + y;
    r.is_negative = a.is_negative;
    return r;
  }
  const int order = compare(x, y);
  r.magnitude = order >= 0 ? x - y : y - x;
  r.is_negative = order == 0 ? mode == Mode::kDown : order > 0 ? a.is_negative : b.is_negative;
  return r;
}

inline Number multiply(const Number& a, const Number& b) {
  const bool is_negative = a.is_negative != b.is_negative;
  if (a.is_nan() || b.is_nan()) return nan_number();
  if (a.is_infinite() || b.is_infinite()) return a.is_zero() || b.is_zero() ? nan_number() : infinite(is_negative);
  return {Number::Kind::kFinite, is_negative, a.magnitude * b.magnitude, a.exponent + b.exponent};
}

// Quotient and root have 80 bits and a last bit that tells whether something follows: enough to round to any format.
inline Number divide(const Number& a, const Number& b) {
  const bool is_negative = a.is_negative != b.is_negative;
  if (a.is_nan() || b.is_nan()) return nan_number();
  if (a.is_infinite()) return b.is_infinite() ? nan_number() : infinite(is_negative);
  if (b.is_infinite()) return {Number::Kind::kFinite, is_negative, {}, 0};
  if (b.is_zero()) return a.is_zero() ? nan_number() : infinite(is_negative);
  const int shift = 80 + b.magnitude.bits() - a.magnitude.bits();
  Natural rest = a.magnitude, quotient;
  int exponent = a.exponent - b.exponent;
  if (shift > 0) {
    rest = rest.shifted(shift);
    exponent -= shift;
  }
  for (int n = std::max(0, rest.bits() - b.magnitude.bits()); n >= 0; --n) {
    const Natural part = b.magnitude.shifted(n);
    if (compare(rest, part) < 0) continue;
    rest = rest - part;
    quotient = quotient + Natural(1).shifted(n);
  }
  quotient = quotient.shifted(1);
  if (!rest.is_zero()) quotient = quotient + Natural(1);
  return {Number::Kind::kFinite, is_negative, quotient, exponent - 1};
}

inline Number square_root(const Number& a) {
  if (a.is_nan() || (a.is_negative && !a.is_zero())) return nan_number();
  if (a.is_infinite() || a.is_zero()) return a;
  int shift = 160 - a.magnitude.bits();
  shift += (a.exponent - shift) & 1;
  const Natural square = a.magnitude.shifted(shift);
  Natural root;
  for (int n = square.bits() / 2 + 1; n >= 0; --n) {
    const Natural larger = root + Natural(1).shifted(n);
    if (compare(larger * larger, square) <= 0) root = larger;
  }
  const bool is_exact = compare(root * root, square) == 0;
  root = root.shifted(1);
  if (!is_exact) root = root + Natural(1);
  return {Number::Kind::kFinite, false, root, (a.exponent - shift) / 2 - 1};
}

// -1, 0, 1; for numbers that are not NaN. Zeros are equal.
inline int order(const Number& a, const Number& b) {
  const auto sign = [](const Number& x) { return x.is_zero() ? 0 : x.is_negative ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) < sign(b) ? -1 : 1;
  if (sign(a) == 0) return 0;
  int magnitude = 0;
  if (a.is_infinite() || b.is_infinite())
    magnitude = a.is_infinite() - b.is_infinite();
  else
    magnitude = compare_magnitude(a, b);
  return a.is_negative ? -magnitude : magnitude;
}

}  // namespace sim::test

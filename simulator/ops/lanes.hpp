// Typed views of operand slots and the handler templates that most rows use: a row names its types and a function of
// one lane's values. 8- and 16-bit values live in 32-bit lanes: reading truncates, writing extends as the type says.
#pragma once

#include <emmintrin.h>

#include <type_traits>

#include "machine/warp.hpp"
#include "ops/form.hpp"

namespace sim {

template <class T>
using Storage = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

template <class T>
struct In {
  const Storage<T>* p;
  In(Warp& w, uint32_t slot) : p(lanes<Storage<T>>(w, slot)) {}
  T operator[](int lane) const {
    if constexpr (sizeof(T) == sizeof(Storage<T>))
      return std::bit_cast<T>(p[lane]);
    else
      return static_cast<T>(p[lane]);
  }
};

template <class T>
struct Out {
  Storage<T>* p;
  Out(Warp& w, uint32_t slot) : p(lanes<Storage<T>>(w, slot)) {}
  void set(int lane, T value) const {
    if constexpr (sizeof(T) == sizeof(Storage<T>))
      p[lane] = std::bit_cast<Storage<T>>(value);
    else
      p[lane] = static_cast<uint32_t>(static_cast<int32_t>(value));
  }
};

// d = F(a), d = F(a, b), d = F(a, b, c) in every executing lane.
template <class D, class A, auto F>
void unary(Warp& w, const Instr& i) {
  const Out<D> d(w, i.d);
  const In<A> a(w, i.a);
  for_lanes(w, [=](int l) { d.set(l, static_cast<D>(F(a[l]))); });
}
template <class D, class A, class B, auto F>
void binary(Warp& w, const Instr& i) {
  const Out<D> d(w, i.d);
  const In<A> a(w, i.a);
  const In<B> b(w, i.b);
  for_lanes(w, [=](int l) { d.set(l, static_cast<D>(F(a[l], b[l]))); });
}
template <class D, class A, class B, class C, auto F>
void ternary(Warp& w, const Instr& i) {
  const Out<D> d(w, i.d);
  const In<A> a(w, i.a);
  const In<B> b(w, i.b);
  const In<C> c(w, i.c);
  for_lanes(w, [=](int l) { d.set(l, static_cast<D>(F(a[l], b[l], c[l]))); });
}
// All operands of one type.
template <class T, auto F>
constexpr Handler unary_of = unary<T, T, F>;
template <class T, auto F>
constexpr Handler binary_of = binary<T, T, T, F>;
template <class T, auto F>
constexpr Handler ternary_of = ternary<T, T, T, T, F>;

// Bit l of the result: test(l) is true. Evaluates all 32 lanes.
template <class F>
inline uint32_t ballot(F&& test) {
  alignas(16) uint32_t all_ones[kWarpSize];
  for (int l = 0; l < kWarpSize; ++l) all_ones[l] = test(l) ? ~0u : 0u;
  uint32_t mask = 0;
  for (int half = 0; half < 2; ++half) {  // words to bytes, whose signs are the bits
    const auto* words = reinterpret_cast<const __m128i*>(all_ones + 16 * half);
    const __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(words[0], words[1]), _mm_packs_epi32(words[2], words[3]));
    mask |= static_cast<uint32_t>(_mm_movemask_epi8(bytes)) << (16 * half);
  }
  return mask;
}

// The arithmetic type of an integer: 8 and 16 bits in 32, so that C's promotion to int cannot overflow.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

// Twice as wide, of the same signedness.
template <class T>
struct WideOf;
template <>
struct WideOf<uint16_t> {
  using type = uint32_t;
};
template <>
struct WideOf<int16_t> {
  using type = int32_t;
};
template <>
struct WideOf<uint32_t> {
  using type = uint64_t;
};
template <>
struct WideOf<int32_t> {
  using type = int64_t;
};
template <>
struct WideOf<uint64_t> {
  using type = unsigned __int128;
};
template <>
struct WideOf<int64_t> {
  using type = __int128;
};
template <class T>
using Wide = typename WideOf<T>::type;

}  // namespace sim

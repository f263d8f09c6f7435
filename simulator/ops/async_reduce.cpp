// Element reductions of the asynchronous copies. Sums round to nearest even and keep subnormals; min and max of f16 and
// bf16 return the number where one operand is NaN, the canonical NaN where both are.
#include "ops/async_reduce.hpp"

#include <atomic>
#include <bit>
#include <cstring>

#include "numerics/formats.hpp"

namespace sim {
namespace {

using numerics::Format;
using numerics::Round;

// Atomically replaces *at by f(*at).
template <class T, class F>
void update(std::byte* at, F&& f) {
  std::atomic_ref<T> cell(*reinterpret_cast<T*>(at));
  T seen = cell.load(std::memory_order_relaxed);
  while (!cell.compare_exchange_weak(seen, f(seen), std::memory_order_relaxed)) {
  }
}

// T: the value as stored; f(old, operand).
template <class T, class F>
void each(std::byte* destination, const std::byte* source, size_t bytes, F&& f) {
  for (size_t at = 0; at < bytes; at += sizeof(T)) {
    T operand;
    std::memcpy(&operand, source + at, sizeof operand);
    update<T>(destination + at, [&](T old) { return f(old, operand); });
  }
}

template <class T, ReduceOp kOp>
void reduce_integer(std::byte* destination, const std::byte* source, size_t bytes) {
  each<T>(destination, source, bytes, [](T old, T x) -> T {
    if constexpr (kOp == ReduceOp::kAdd) return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) + x);
    if constexpr (kOp == ReduceOp::kMin) return x < old ? x : old;
    if constexpr (kOp == ReduceOp::kMax) return x > old ? x : old;
    if constexpr (kOp == ReduceOp::kInc) return old >= x ? 0 : old + 1;
    if constexpr (kOp == ReduceOp::kDec) return old == 0 || old > x ? x : old - 1;
    if constexpr (kOp == ReduceOp::kAnd) return old & x;
    if constexpr (kOp == ReduceOp::kOr) return old | x;
    if constexpr (kOp == ReduceOp::kXor) return old ^ x;
  });
}

template <class Bits, class Float>
void add_float(std::byte* destination, const std::byte* source, size_t bytes) {
  constexpr Bits kNan = sizeof(Bits) == 4 ? Bits{numerics::kNanF32} : static_cast<Bits>(0x7fffffffffffffffull);
  each<Bits>(destination, source, bytes, [](Bits old, Bits x) {
    const Float sum = std::bit_cast<Float>(old) + std::bit_cast<Float>(x);
    return sum != sum ? kNan : std::bit_cast<Bits>(sum);
  });
}

template <Format F, ReduceOp kOp>
void reduce_half(std::byte* destination, const std::byte* source, size_t bytes) {
  each<uint16_t>(destination, source, bytes, [](uint16_t old, uint16_t x) -> uint16_t {
    const float a = std::bit_cast<float>(numerics::decode(F, old)), b = std::bit_cast<float>(numerics::decode(F, x));
    if constexpr (kOp == ReduceOp::kAdd) {
      // The f32 sum of two f16 or bf16 values, rounded again, equals the sum rounded once: 24 >= 2 p + 2 bits.
      return static_cast<uint16_t>(numerics::encode(F, std::bit_cast<uint32_t>(a + b), Round::kNearestEven, false));
    } else {
      if (a != a) return b != b ? static_cast<uint16_t>(F.nan) : x;
      if (b != b) return old;
      const bool old_is_less = a < b || (a == b && (old & 0x8000) != 0);  // -0 < +0
      return (kOp == ReduceOp::kMin) == old_is_less ? old : x;
    }
  });
}

struct Row {
  ReduceOp op;
  ReduceType type;
  Reducer f;
};
template <class T, ReduceType kType>
constexpr Row kArithmetic[] = {{ReduceOp::kAdd, kType, reduce_integer<T, ReduceOp::kAdd>},
                               {ReduceOp::kMin, kType, reduce_integer<T, ReduceOp::kMin>},
                               {ReduceOp::kMax, kType, reduce_integer<T, ReduceOp::kMax>}};
template <class T, ReduceType kType>
constexpr Row kLogic[] = {{ReduceOp::kAnd, kType, reduce_integer<T, ReduceOp::kAnd>},
                          {ReduceOp::kOr, kType, reduce_integer<T, ReduceOp::kOr>},
                          {ReduceOp::kXor, kType, reduce_integer<T, ReduceOp::kXor>}};
template <Format F, ReduceType kType>
constexpr Row kHalf[] = {{ReduceOp::kAdd, kType, reduce_half<F, ReduceOp::kAdd>},
                         {ReduceOp::kMin, kType, reduce_half<F, ReduceOp::kMin>},
                         {ReduceOp::kMax, kType, reduce_half<F, ReduceOp::kMax>}};
constexpr Row kOthers[] = {{ReduceOp::kInc, ReduceType::kU32, reduce_integer<uint32_t, ReduceOp::kInc>},
                           {ReduceOp::kDec, ReduceType::kU32, reduce_integer<uint32_t, ReduceOp::kDec>},
                           {ReduceOp::kAdd, ReduceType::kF32, add_float<uint32_t, float>},
                           {ReduceOp::kAdd, ReduceType::kF64, add_float<uint64_t, double>}};

template <size_t N>
Reducer look_up(const Row (&rows)[N], ReduceOp op, ReduceType type) {
  for (const Row& row : rows)
    if (row.op == op && row.type == type) return row.f;
  return nullptr;
}

constexpr std::string_view kOpNames[] = {"add", "min", "max", "inc", "dec", "and", "or", "xor"};
constexpr std::string_view kTypeNames[] = {"u32", "s32", "u64", "s64", "b32", "b64", "f16", "bf16", "f32", "f64"};

template <class T, size_t N>
std::optional<T> named(const std::string_view (&names)[N], std::string_view token) {
  for (size_t k = 0; k < N; ++k)
    if (names[k] == token) return static_cast<T>(k);
  return std::nullopt;
}

}  // namespace

Reducer find_reducer(ReduceOp op, ReduceType type) {
  switch (type) {
    case ReduceType::kU32:
      if (const Reducer f = look_up(kArithmetic<uint32_t, ReduceType::kU32>, op, type)) return f;
      break;
    case ReduceType::kS32:
      return look_up(kArithmetic<int32_t, ReduceType::kS32>, op, type);
    case ReduceType::kU64:
      return look_up(kArithmetic<uint64_t, ReduceType::kU64>, op, type);
    case ReduceType::kS64:
      return look_up(kArithmetic<int64_t, ReduceType::kS64>, op, type);
    case ReduceType::kB32:
      return look_up(kLogic<uint32_t, ReduceType::kB32>, op, type);
    case ReduceType::kB64:
      return look_up(kLogic<uint64_t, ReduceType::kB64>, op, type);
    case ReduceType::kF16:
      return look_up(kHalf<numerics::kF16, ReduceType::kF16>, op, type);
    case ReduceType::kBf16:
      return look_up(kHalf<numerics::kBf16, ReduceType::kBf16>, op, type);
    default:
      break;
  }
  return look_up(kOthers, op, type);
}

std::optional<ReduceOp> reduce_op(std::string_view token) { return named<ReduceOp>(kOpNames, token); }
std::optional<ReduceType> reduce_type(std::string_view token) { return named<ReduceType>(kTypeNames, token); }

}  // namespace sim

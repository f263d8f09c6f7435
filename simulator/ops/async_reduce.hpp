// The arithmetic of cp.reduce.async.bulk and of tensor reductions: bytes of one type folded into memory element by
// element, each element atomically, because blocks on other host threads may reduce into the same place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sim {

enum class ReduceOp : uint8_t { kAdd, kMin, kMax, kInc, kDec, kAnd, kOr, kXor };
enum class ReduceType : uint8_t { kU32, kS32, kU64, kS64, kB32, kB64, kF16, kBf16, kF32, kF64 };

// destination[e] = op(destination[e], source[e]); `bytes` is a multiple of the element size, both sides are aligned to
// it.
using Reducer = void (*)(std::byte* destination, const std::byte* source, size_t bytes);

// nullptr: PTX has no such reduction.
Reducer find_reducer(ReduceOp op, ReduceType type);

std::optional<ReduceOp> reduce_op(std::string_view token);      // "add", "min" ..
std::optional<ReduceType> reduce_type(std::string_view token);  // "u32", "f16" ..

}  // namespace sim

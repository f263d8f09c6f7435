// align.hpp: integer arithmetic of sizes, and the mixing step of plan hashes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace b12x {

constexpr int64_t ceil_div(int64_t value, int64_t unit) { return (value + unit - 1) / unit; }
constexpr int64_t align_up(int64_t value, int64_t unit) { return ceil_div(value, unit) * unit; }

template <class... Values>
size_t hash_all(const Values&... values) {
  size_t hash = 0;
  ((hash = (hash ^ std::hash<Values>{}(values)) * 0x9e3779b97f4a7c15ull, hash ^= hash >> 32), ...);
  return hash;
}

}  // namespace b12x

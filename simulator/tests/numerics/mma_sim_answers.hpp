// The tiles of each SM120 form that Microsoft's MMA-Sim was asked about, in order.
#pragma once

#include <span>

#include "mma_tiles.hpp"

namespace sim::numerics::test {

inline constexpr int kAskedTiles = 2002;  // of each form, 286 of each situation

// Calls f(index, tile) for each. D holds zeros.
template <class F>
void each_asked_tile(const Sm120Form& kind, F&& f) {
  std::mt19937 random(2511);
  for (int i = 0; i < kAskedTiles; ++i) {
    Tile tile{};
    fill(tile, kind.form, i % kSituations, random);
    f(i, tile);
  }
}

// FNV-1a over the words (or 16-bit halves) of D, row by row.
inline uint64_t hash_of_d(const Tile& tile, const MmaForm& form) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      const int v = 2 * (row / 8) + column % 2, lane = 4 * (row % 8) + column / 2;
      const bool is_half = form.accumulator == Accumulator::kF16;
      const uint32_t word = is_half ? tile.d[v / 2][lane] >> 16 * (v % 2) & 0xffff : tile.d[v][lane];
      hash = (hash ^ word) * 0x100000001b3u;
    }
  return hash;
}

}  // namespace sim::numerics::test

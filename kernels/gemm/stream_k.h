// stream_k.h: how the blocks of a GEMM share its output tiles, read by planner, kernels and exact reference alike.
//
//   tiles            0 1 2 ...                     whole_tiles ...             tiles - 1
//                    block b does b, b + blocks,   a line of units, one unit a tile by a
//                    ... alone                     step of k, in equal parts, a block each
//
// What a block does of a shared tile is a piece; pieces are added in the order of k by the block that finishes last, so
// the bits do not depend on who that is.
#pragma once

#include <cstdint>

#include "kernels/math/divisor.h"

namespace b12x {

// Everything a block does follows from its number.
struct StreamKWork {
  int32_t whole_tiles = 0;
  int32_t shared_tiles = 0;  // the tiles after them
  math::Divisor units;       // of a tile
  int32_t blocks = 1;        // that share: the first of the grid
  int32_t base = 0;          // units of such a block's part of the line; one more in the first `extra` of them
  int32_t extra = 0;

  // Without shared tiles the line is empty; its parts are of one unit then, so that block_of divides by no zero.
  static constexpr StreamKWork of(int64_t tiles, int64_t shared_tiles, int64_t units, int64_t blocks) {
    const bool shares = shared_tiles != 0;
    return {.whole_tiles = static_cast<int32_t>(tiles - shared_tiles),
            .shared_tiles = static_cast<int32_t>(shared_tiles),
            .units = math::Divisor::of(static_cast<uint32_t>(units)),
            .blocks = shares ? static_cast<int32_t>(blocks) : 1,
            .base = shares ? static_cast<int32_t>(shared_tiles * units / blocks) : 1,
            .extra = shares ? static_cast<int32_t>(shared_tiles * units % blocks) : 0};
  }
  constexpr int32_t tile_units() const { return static_cast<int32_t>(units.value); }
  // The shared tile, counted from 0, that the unit is of.
  constexpr int32_t tile_of(int32_t unit) const {
    return static_cast<int32_t>(units.quotient(static_cast<uint32_t>(unit)));
  }
  constexpr int32_t begin(int32_t block) const {
    if (block >= blocks) return shared_tiles * tile_units();
    return block * base + (block < extra ? block : extra);
  }
  constexpr int32_t block_of(int32_t unit) const {
    const int32_t longer = extra * (base + 1);
    return unit < longer ? unit / (base + 1) : extra + (unit - longer) / base;
  }
  // The blocks that do pieces of shared tile `tile`.
  constexpr int32_t first_block(int32_t tile) const { return block_of(tile * tile_units()); }
  constexpr int32_t last_block(int32_t tile) const { return block_of(tile * tile_units() + tile_units() - 1); }
  // Of a block's two pieces at most that are not whole tiles, the one that ends a tile lies in its first slot of the
  // workspace, the one that begins a tile in its second.
  constexpr int32_t slot(int32_t block, int32_t tile) const {
    return 2 * block + (begin(block) < tile * tile_units() ? 1 : 0);
  }
};

}  // namespace b12x

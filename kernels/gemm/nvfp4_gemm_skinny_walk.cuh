// nvfp4_gemm_skinny_walk.cuh: where in its part of the line of chunks a block of the skinny GEMM is. Copying warps,
// math warps and the publisher each walk it on their own.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "kernels/ptx/device.h"

namespace b12x {

template <class T>
using SkinnyAccumulators = float[T::kMmaRows][T::kTokenTiles][4];

template <class T>
struct SkinnyCursor {
  int32_t chunks, row_tiles;  // of a tile; of a batch
  int32_t tile, row_tile, batch;
  int32_t chunk;  // of the tile
  int32_t left;   // chunks of the block

  B12X_DEVICE explicit SkinnyCursor(const Nvfp4GemmSkinnyParams& p)
      : chunks(static_cast<int32_t>(T::chunks_of_k(p.k))), row_tiles(static_cast<int32_t>(T::row_tiles(p.n))) {
    const SkinnyWork work{p.work_base, p.work_extra};
    const uint32_t begin = static_cast<uint32_t>(work.begin(blockIdx.x));
    tile = static_cast<int32_t>(begin / static_cast<uint32_t>(chunks));
    chunk = static_cast<int32_t>(begin) - tile * chunks;
    batch = tile < row_tiles ? 0 : static_cast<int32_t>(static_cast<uint32_t>(tile) / static_cast<uint32_t>(row_tiles));
    row_tile = tile - batch * row_tiles;
    left = work.length(blockIdx.x);
  }
  B12X_DEVICE int32_t atom() const { return row_tile / T::kTilesOfAtom; }
  B12X_DEVICE int32_t octet() const { return row_tile % T::kTilesOfAtom * T::kOctets; }  // the tile's first
  B12X_DEVICE int32_t segment_left() const { return min(left, chunks - chunk); }
  // Past the end of the segment: to the next tile.
  B12X_DEVICE void next_segment() {
    left -= segment_left();
    chunk = 0;
    ++tile;
    if (++row_tile == row_tiles) {
      row_tile = 0;
      ++batch;
    }
  }
};

}  // namespace b12x

// nvfp4_gemm_skinny_walk.cuh: what a block of the skinny GEMM does, segment by segment. Copying warps, math warps and
// the finisher each walk it on their own.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "kernels/ptx/device.h"

namespace b12x {

// Shared tiles come first: while blocks wait for each other's parts they have whole tiles to do.
template <class T>
struct SkinnyCursor {
  const Nvfp4GemmSkinnyParams& p;
  int32_t unit, units_end, tile;

  B12X_DEVICE explicit SkinnyCursor(const Nvfp4GemmSkinnyParams& params)
      : p(params), unit(p.work.begin(blockIdx.x)), units_end(p.work.begin(blockIdx.x + 1)), tile(blockIdx.x) {}

  // Without branches: a jump in code that comes from DRAM costs a cold launch about half a microsecond.
  B12X_DEVICE bool next(SkinnySegment& segment) {
    const bool is_shared = unit < units_end, is_any = is_shared || tile < p.work.whole_tiles;
    const int32_t units = p.work.tile_units();
    segment.shared = p.work.tile_of(unit);
    const int32_t index = is_shared ? p.work.whole_tiles + segment.shared : tile;
    segment.batch = static_cast<int32_t>(p.row_tiles.quotient(static_cast<uint32_t>(index)));
    segment.row_tile = index - segment.batch * static_cast<int32_t>(p.row_tiles.value);
    segment.chunk = is_shared ? unit - segment.shared * units : 0;
    segment.chunks = is_shared ? min(units - segment.chunk, units_end - unit) : units;
    unit += is_shared ? segment.chunks : 0;
    tile += is_shared ? 0 : static_cast<int32_t>(gridDim.x);
    return is_any;
  }
};

}  // namespace b12x

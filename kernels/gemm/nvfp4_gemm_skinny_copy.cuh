// nvfp4_gemm_skinny_copy.cuh: the three warps that fill the skinny GEMM's ring, one lane of each: one copies weights,
// one their scales, one tokens. Each arrives at a stage's barrier with the bytes that it sends for.
//
// Weights do not depend on the previous kernel and start at once; tokens wait for it. Copies that are issued together
// land together, so of the first turn of the ring a stage of weights is sent for when the one kStagesAtOnce before it
// has landed; later on whenever it is free.
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_skinny_walk.cuh"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/bulk_copy.cuh"
#include "kernels/ptx/control.cuh"

namespace b12x {

// Every stage of the block in turn, once it is free: copy(segment, first chunk, chunks, stage, ring).
template <class T>
B12X_DEVICE void skinny_fill_stages(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem,
                                    pipeline::Ring<T::kStages> ring, auto&& copy) {
  SkinnySegment at;
  for (SkinnyCursor<T> cursor(p); cursor.next(at);) {
    const int32_t end = at.chunk + at.chunks;
    for (int32_t chunk = at.chunk; chunk < end; chunk += T::kStageChunks, ring.advance()) {
      ring.wait_empty();
      copy(at, chunk, min(end - chunk, T::kStageChunks), smem.stages[ring.stage], ring);
    }
  }
}

// copy(column, its chunks) for a stage of so many chunks. Almost all stages are full, and copies in a row need few
// instructions then.
template <class T>
B12X_DEVICE void skinny_columns(int32_t chunks, auto&& copy) {
  if (chunks == T::kStageChunks) {
    for (int column = 0; column < T::kColumns; ++column) copy(column, T::kColumnChunks);
  } else {
#pragma unroll 1
    for (int column = 0; column < T::columns(chunks); ++column) {
      copy(column, min(chunks - column * T::kColumnChunks, T::kColumnChunks));
    }
  }
}

template <class T, bool kIsGrouped>
B12X_DEVICE void skinny_copy_weights(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem,
                                     pipeline::Ring<T::kStages> ring) {
  constexpr int kCopies = kIsGrouped ? 1 : 4;
  pipeline::Ring<T::kStages> landing = ring;
  int sent = 0;
  skinny_fill_stages<T>(p, smem, ring, [&](const auto& at, int32_t chunk, int32_t chunks, auto& stage, auto& here) {
    if (sent >= T::kStagesAtOnce && sent < T::kStages) {
      landing.wait_full();
      landing.advance();
    }
    ++sent;
    here.expect(chunks * (T::kTileN * kChunkK / 2));
    const int32_t atom = at.row_tile / T::kTilesOfAtom;
    const int32_t row = (kIsGrouped ? 0 : atom * 128) + at.row_tile % T::kTilesOfAtom * T::kQuarterRows;
    skinny_columns<T>(chunks, [&](int column, int32_t wide) {
      for (int i = 0; i < kCopies; ++i) {
        ptx::cp_async_bulk_tensor_4d(&stage.b[column][i * T::kQuarterRows * T::kColumnBytes],
                                     &p.b_map[T::kColumnChunks - wide],
                                     (chunk + column * T::kColumnChunks) * (kChunkK / 2), row + 32 * i,
                                     kIsGrouped ? 4 * atom : 0, at.batch, here.barrier());
      }
    });
  });
}

// Scales come by whole columns: the last one of a segment also brings some of a neighbour's.
template <class T>
B12X_DEVICE void skinny_copy_weight_scales(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem,
                                           pipeline::Ring<T::kStages> ring) {
  skinny_fill_stages<T>(p, smem, ring, [&](const auto& at, int32_t chunk, int32_t chunks, auto& stage, auto& here) {
    here.expect(T::columns(chunks) * (sizeof(stage.b_scales) / T::kColumns));
    skinny_columns<T>(chunks, [&](int column, int32_t) {
      const int32_t first = column * T::kColumnChunks;
      ptx::cp_async_bulk_tensor_4d(stage.b_scales[first], &p.b_scale_map, 0, at.row_tile % T::kTilesOfAtom * T::kOctets,
                                   at.row_tile / T::kTilesOfAtom * p.work.tile_units() + chunk + first, at.batch,
                                   here.barrier());
    });
  });
}

template <class T>
B12X_DEVICE void skinny_copy_tokens(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem,
                                    pipeline::Ring<T::kStages> ring) {
  ptx::griddepcontrol_wait();
  skinny_fill_stages<T>(p, smem, ring, [&](const auto& at, int32_t chunk, int32_t chunks, auto& stage, auto& here) {
    here.expect(T::columns(chunks) * ((sizeof(stage.a) + sizeof(stage.a_scales)) / T::kColumns));
    skinny_columns<T>(chunks, [&](int column, int32_t) {
      const int32_t first = column * T::kColumnChunks;
      ptx::cp_async_bulk_tensor_3d(stage.a[column], &p.a_map, (chunk + first) * (kChunkK / 2), 0, at.batch,
                                   here.barrier());
      ptx::cp_async_bulk_tensor_4d(stage.a_scales[first], &p.a_scale_map, 0, 0, chunk + first, at.batch,
                                   here.barrier());
    });
  });
}

}  // namespace b12x

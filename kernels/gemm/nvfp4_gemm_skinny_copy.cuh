// nvfp4_gemm_skinny_copy.cuh: the two warps that fill the skinny GEMM's ring, one lane of each: one copies weights, the
// other tokens. Both arrive at a stage's barrier with the bytes that they sent for.
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
#include "kernels/tile/scale_layout.h"

namespace b12x {

template <class T>
B12X_DEVICE void skinny_copy_weights(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem,
                                     pipeline::Ring<T::kStages> ring) {
  pipeline::Ring<T::kStages> landing = ring;
  int sent = 0;
  for (SkinnyCursor at(p); at.left > 0; at.next_segment()) {
    const uint8_t* scales =
        p.b_scales + at.batch * p.b_scales_stride + tile::scale_atom_offset(at.row_tile, at.chunk, at.chunks);
    const int32_t end = at.chunk + at.segment_left();
    for (int32_t chunk = at.chunk; chunk < end; chunk += T::kStageChunks, ring.advance(), ++sent) {
      const int32_t chunks = min(end - chunk, T::kStageChunks);
      if (sent >= T::kStagesAtOnce && sent < T::kStages) {
        landing.wait_full();
        landing.advance();
      }
      ring.wait_empty();
      typename T::Stage& stage = smem.stages[ring.stage];
      ring.expect(chunks * (T::kTileN * kChunkK / 2 + kScaleAtomBytes));
      ptx::cp_async_bulk_tensor_3d(stage.b, &p.b_map[T::kStageChunks - chunks], chunk * (kChunkK / 2),
                                   at.row_tile * T::kTileN, at.batch, ring.barrier());
      ptx::cp_async_bulk(stage.b_scales, scales, chunks * kScaleAtomBytes, ring.barrier());
      scales += T::kStageChunks * kScaleAtomBytes;
    }
  }
}

template <class T>
B12X_DEVICE void skinny_copy_tokens(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem,
                                    pipeline::Ring<T::kStages> ring) {
  ptx::griddepcontrol_wait();
  for (SkinnyCursor at(p); at.left > 0; at.next_segment()) {
    const uint8_t* scales = p.a_scales + at.batch * p.a_scales_stride + int64_t{at.chunk} * kScaleAtomBytes;
    const int32_t end = at.chunk + at.segment_left();
    for (int32_t chunk = at.chunk; chunk < end; chunk += T::kStageChunks, ring.advance()) {
      const int32_t chunks = min(end - chunk, T::kStageChunks);
      ring.wait_empty();
      typename T::Stage& stage = smem.stages[ring.stage];
      ring.expect(sizeof(stage.a) + chunks * T::kTokenScaleBytes);
      ptx::cp_async_bulk_tensor_3d(stage.a, &p.a_map, chunk * (kChunkK / 2), 0, at.batch, ring.barrier());
      for (int32_t c = 0; c < chunks; ++c, scales += kScaleAtomBytes) {
        ptx::cp_async_bulk(&stage.a_scales[c * T::kTokenScaleBytes], scales, T::kTokenScaleBytes, ring.barrier());
      }
    }
  }
}

}  // namespace b12x

// nvfp4_gemm_skinny.cuh: C = alpha * A * B^T + bias for up to 32 tokens: weights stream once, as the MMA's 16-row side.
//
//   line of all chunks (128 rows of B x 64 k), tile by tile:   | tile 0           | tile 1           | tile 2   ...
//   equal parts of it, one a block:                            |  block 0   |  block 1   |  block 2   | ...
//
//   warps 0 .. 8 G - 1: MMA in G groups that take stages in turn (G = 2 for 8 tokens, else 1)
//       warp 8 g + 2 c + h: chunk c of its group's stages, rows 32 q + 16 h + 0..15, q = 0..3: their scales lie side
//       by side, 16 bytes of an atom hold those of one row of all four q
//   then a warpgroup that gives registers away: of a warp each, one lane copies weights, one publishes, one copies
//   tokens ring of 3 or 4 stages of 4 chunks: weights 16 KB + tokens 1 to 4 KB + scales 2 KB and up
//
//      weights [128, 256] --TMA--> smem --ldmatrix--> A operand --.
//      tokens  [<=32, 256] -TMA--> smem --ldmatrix--> B operand ---+--> f32 [64 rows][tokens] a warp --> smem
//      a segment is a whole tile:  smem --> C
//      it is a part of one:        smem --> workspace --> the block that comes last sums in the order of k --> C
//
// Sums and their order: nvfp4_gemm_skinny_traits.h. Chunks of k beyond K are not copied; the upper half of a chunk that
// K % 64 = 32 leaves gets zero scales, since padding scales may be NaN.
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_skinny_copy.cuh"
#include "kernels/gemm/nvfp4_gemm_skinny_sum.cuh"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/ldmatrix.cuh"
#include "kernels/tile/swizzle.h"

namespace b12x {

// One 64-k chunk: the four m16 tiles of one half of the rows against the token tiles that exist. `scale_mask` keeps the
// scales of blocks that K has.
template <class T>
B12X_DEVICE void skinny_mma_chunk(const typename T::Stage& stage, int chunk, int half, int lane, uint32_t scale_mask,
                                  SkinnyAccumulators<T>& acc) {
  const uint32_t weights_at =
      ptx::shared_address(stage.b) + 16 * half * T::kRowBytes +
      tile::swizzle128(tile::ldmatrix_a_row(lane) * T::kRowBytes + 32 * chunk + tile::ldmatrix_a_byte(lane));
  const auto scales = *reinterpret_cast<const uint4*>(
      &stage.b_scales[chunk * kScaleAtomBytes + (16 * half + tile::a_scale_row(lane)) * 16]);
  const uint32_t row_scales[T::kMmaRows] = {scales.x, scales.y, scales.z, scales.w};
  ptx::Nvfp4B columns[T::kTokenTiles];
  for (int j = 0; j < T::kTokenTiles; j += 2) {
    // Of a single tile the second half of the lanes reads the first tile again, and what they get is not used.
    const int token = 8 * min(j + tile::ldmatrix_b_tile(lane), T::kTokenTiles - 1) + tile::ldmatrix_b_row(lane);
    uint32_t w0, w1, w2, w3;
    ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3,
                              ptx::shared_address(stage.a) +
                                  tile::swizzle128(token * T::kRowBytes + 32 * chunk + tile::ldmatrix_b_byte(lane)));
    const uint8_t* token_scales =
        &stage.a_scales[chunk * T::kTokenScaleBytes + (8 * j + tile::b_scale_column(lane)) * 16];
    columns[j] = ptx::nvfp4_b(w0, w1, *reinterpret_cast<const uint32_t*>(token_scales) & scale_mask);
    if (j + 1 < T::kTokenTiles) {
      columns[j + 1] = ptx::nvfp4_b(w2, w3, *reinterpret_cast<const uint32_t*>(token_scales + 8 * 16) & scale_mask);
    }
  }
  for (int q = 0; q < T::kMmaRows; ++q) {
    uint32_t w0, w1, w2, w3;
    ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3, weights_at + q * 32 * T::kRowBytes);
    const ptx::Nvfp4A weights = ptx::nvfp4_a(w0, w1, w2, w3, row_scales[q] & scale_mask);
    ptx::mma_m16n8k64_mxf4nvf4(acc[q], weights, columns);
  }
}

template <class T, typename Output>
B12X_DEVICE void nvfp4_gemm_skinny(const Nvfp4GemmSkinnyParams& p) {
  extern __shared__ __align__(1024) uint8_t smem_bytes[];
  auto& smem = *reinterpret_cast<typename T::Smem*>(smem_bytes);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  pipeline::Ring<T::kStages> ring(smem.full, smem.empty);

  if (threadIdx.x == 0) {
    for (const TensorMap& map : p.b_map) ptx::prefetch_tensormap(&map);
    ptx::prefetch_tensormap(&p.a_map);
    ring.init(T::kGroupWarps, 2);
    for (SkinnyPart& part : smem.parts) part.is_complete = false;
  }
  __syncthreads();
  ptx::griddepcontrol_launch_dependents();

  if (warp >= T::kMathWarps) {
    ptx::setmaxnreg_dec<T::kProducerRegisters>();
    if (warp == T::kMathWarps && ptx::elect_sync()) skinny_copy_weights<T>(p, smem, ring);
    if (warp == T::kMathWarps + 1) skinny_publisher<T>(p, smem);
    if (warp == T::kMathWarps + 2 && ptx::elect_sync()) skinny_copy_tokens<T>(p, smem, ring);
    return;
  }
  ptx::setmaxnreg_inc<T::kMathRegisters>();
  ptx::griddepcontrol_wait();
  if (threadIdx.x == 0)
    smem.alpha = p.alpha != nullptr ? *p.alpha : 1.f;  // the barriers of the first sum show it to all

  const int group = warp / T::kGroupWarps, chunk = warp / T::kHalves % T::kStageChunks, half = warp % T::kHalves;
  SkinnyCursor at(p);
  for (bool is_first = true; at.left > 0; is_first = false) {
    const int32_t segment = at.segment_left();
    SkinnyAccumulators<T> acc = {};
    const int32_t stages = (segment + T::kStageChunks - 1) / T::kStageChunks;
    pipeline::Ring<T::kStages> turns = ring;
    turns.advance(group);
    for (int32_t stage = group; stage < stages; stage += T::kGroups, turns.template advance<T::kGroups>()) {
      const int32_t j = T::kStageChunks * stage + chunk;  // of the segment
      turns.wait_full();
      if (j < segment) {
        const bool is_cut = (at.chunk + j + 1) * kChunkK > p.k;
        skinny_mma_chunk<T>(smem.stages[turns.stage], chunk, half, lane, is_cut ? 0x0000FFFFu : 0xFFFFFFFFu, acc);
      }
      __syncwarp();
      if (lane == 0) turns.release();
    }
    ring.advance(stages);
    skinny_sum_accumulators<T>(smem, T::kStageChunks * group + chunk, half, lane, acc);
    if (segment == at.chunks) {
      for (int i = threadIdx.x; i < kSkinnyVectors * p.m; i += T::kMathThreads) {
        const int token = i / kSkinnyVectors, vector = i % kSkinnyVectors;
        const int32_t column = at.row_tile * T::kTileN + 4 * vector;
        if (column < p.n)
          skinny_store<Output>(p, smem.alpha, at.batch, token, column, skinny_read_sums<T>(smem, token, vector));
      }
    } else {
      skinny_store_part<T>(p, at, smem);
      if (is_first) {
        ptx::barrier_cta_arrive<kHeadStored, T::kMathThreads + 32>();
      } else {
        ptx::barrier_cta_arrive<kTailStored, T::kMathThreads + 32>();
      }
    }
    at.next_segment();
    if (at.left > 0) ptx::barrier_cta_sync<1, T::kMathThreads>();  // the next segment writes the sums anew
  }

  ptx::barrier_cta_sync<kPublished, T::kMathThreads + 32>();
#pragma unroll 1  // the code once
  for (const SkinnyPart& part : smem.parts) {
    if (part.is_complete) skinny_merge<T, Output>(p, part, smem.alpha, at.chunks);
  }
}

}  // namespace b12x

// nvfp4_gemm_skinny.cuh: C = alpha * A * B^T + bias for up to 32 tokens: weights stream once, as the MMA's 16-row side.
//
//   line of the chunks (a tile's rows of B x 64 k) of shared tiles:  | tile w           | tile w + 1       | ...
//   equal parts of it, one a block:                                  |  block 0 |  block 1  |  block 2 |  ...
//   then whole tiles, a block each (stream_k.h)
//
//   8 tokens: tiles of 32 rows, ring of 6 stages of 8 chunks, two groups of 8 math warps; more: of 64 rows, so that
//   tokens are read less often, 6 stages of 4 chunks and two groups of 4 warps (16 tokens), 3 of 8 and one of 8 (32)
//   groups take stages in turn, a warp has a chunk of its group's stages
//   then a warpgroup: of three warps a lane copies weights, their scales, tokens; the last one finishes segments of
//   narrow tiles, or tells other blocks of stored parts of wide ones
//   tokens of 16 bits: the math warps quantise them first (nvfp4_gemm_skinny_tokens.cuh), and nobody copies tokens
//
//      weights [rows, 64] --TMA--> smem --ldmatrix--> A operand --.
//      tokens  [<=32, 64] -TMA--> smem --ldmatrix--> B operand ---+--> f32 [32 or 64 rows][tokens] a warp --> smem
//      a segment is a whole tile:  smem --> C
//      it is a part of one:        smem --> workspace --> the block that comes last sums in the order of k --> C
//
// Sums and their order: nvfp4_gemm_skinny_traits.h. Chunks of k beyond K are not copied; the upper half of a chunk that
// K % 64 = 32 leaves gets zero scales, since padding scales may be NaN.
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_skinny_copy.cuh"
#include "kernels/gemm/nvfp4_gemm_skinny_finish.cuh"
#include "kernels/gemm/nvfp4_gemm_skinny_sum.cuh"
#include "kernels/gemm/nvfp4_gemm_skinny_tokens.cuh"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/ldmatrix.cuh"
#include "kernels/tile/swizzle.h"

namespace b12x {

// One 64-k chunk: the warp's m16 tiles, an octet of two quarters each, against the token tiles that exist.
// `scale_mask` keeps the scales of blocks that K has.
template <class T>
B12X_DEVICE void skinny_mma_chunk(const typename T::Stage& stage, const SkinnyTokenChunk<T>& tokens, int chunk,
                                  int lane, uint32_t scale_mask, SkinnyAccumulators<T>& acc) {
  const int column = chunk / T::kColumnChunks, byte = 32 * (chunk % T::kColumnChunks);
  // Slots 0 to 7 are an octet of one quarter, 8 to 15 that of the next; octets and pairs of quarters are whole periods
  // of the swizzle apart.
  const int quarter = lane / 8 % 2;
  const uint32_t weights_at = ptx::shared_address(stage.b[column]) + quarter * (T::kQuarterRows * T::kColumnBytes) +
                              tile::swizzle128(lane % 8 * T::kColumnBytes + byte + tile::ldmatrix_a_byte(lane));
  ptx::Nvfp4B columns[T::kTokenTiles];
  for (int j = 0; j < T::kTokenTiles; j += 2) {
    // Of a single tile the second half of the lanes reads the first tile again, and what they get is not used.
    const int token = 8 * min(j + tile::ldmatrix_b_tile(lane), T::kTokenTiles - 1) + tile::ldmatrix_b_row(lane);
    uint32_t w0, w1, w2, w3;
    ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3, ptx::shared_address(tokens.row(token, tile::ldmatrix_b_byte(lane))));
    const int scaled = 8 * j + tile::b_scale_column(lane);
    columns[j] = ptx::nvfp4_b(w0, w1, tokens.scales_of(scaled) & scale_mask);
    if (j + 1 < T::kTokenTiles) columns[j + 1] = ptx::nvfp4_b(w2, w3, tokens.scales_of(scaled + 8) & scale_mask);
  }
  for (int octet = 0; octet < T::kOctets; ++octet) {
    const ptx::Nvfp4QuarterScales scales(&stage.b_scales[chunk][octet * T::kOctetScaleBytes], scale_mask);
    const auto multiply = [&]<int kPair>(float (&sums)[T::kTokenTiles][4]) {
      uint32_t w0, w1, w2, w3;
      ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3, weights_at + (2 * kPair * T::kOctets + octet) * (8 * T::kColumnBytes));
      ptx::mma_m16n8k64_mxf4nvf4<kPair>(sums, ptx::nvfp4_a<kPair>(w0, w1, w2, w3, scales), columns);
    };
    multiply.template operator()<0>(acc[2 * octet]);
    multiply.template operator()<1>(acc[2 * octet + 1]);
  }
}

// The warp's share of a segment.
template <class T>
B12X_DEVICE void skinny_multiply(const Nvfp4GemmSkinnyParams& p, const SkinnySegment& at, const typename T::Smem& smem,
                                 const SkinnyTokens<T>& tokens, pipeline::Ring<T::kStages>& ring, int group, int chunk,
                                 int lane, SkinnyAccumulators<T>& acc) {
  const int32_t stages = (at.chunks + T::kStageChunks - 1) / T::kStageChunks;
  // A group has the same places of the ring for ever: parity tells a turn of a place only from the one before.
  const int first = (group + T::kGroups - ring.stage % T::kGroups) % T::kGroups;
  pipeline::Ring<T::kStages> turns = ring;
  turns.advance(first);
  for (int32_t stage = first; stage < stages; stage += T::kGroups, turns.template advance<T::kGroups>()) {
    const int32_t j = T::kStageChunks * stage + chunk;  // of the segment
    turns.wait_full();
    if (j < at.chunks) {
      const bool is_cut = (at.chunk + j + 1) * kChunkK > p.k;
      const auto& stage = smem.stages[turns.stage];
      const SkinnyTokenChunk<T> chunk_tokens(tokens, stage, at.chunk + j, chunk);
      skinny_mma_chunk<T>(stage, chunk_tokens, chunk, lane, is_cut ? 0x0000FFFFu : 0xFFFFFFFFu, acc);
    }
    __syncwarp();
    if (lane == 0) turns.release();
  }
  ring.advance(stages);
}

// Input: of tokens that the kernel quantises.
template <class T, typename Output, typename Input = void>
B12X_DEVICE void nvfp4_gemm_skinny(const Nvfp4GemmSkinnyParams& p) {
  extern __shared__ __align__(1024) uint8_t smem_bytes[];
  auto& smem = *reinterpret_cast<typename T::Smem*>(smem_bytes);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  pipeline::Ring<T::kStages> ring(smem.full, smem.empty);

  if (threadIdx.x == 0) {
    for (const TensorMap& map : p.b_map) ptx::prefetch_tensormap(&map);
    ptx::prefetch_tensormap(&p.b_scale_map);
    if constexpr (!T::kQuantizes) {
      for (const TensorMap* map : {&p.a_map, &p.a_scale_map}) ptx::prefetch_tensormap(map);
    }
    ring.init(T::kStageChunks, T::kQuantizes ? 2 : 3);
    if constexpr (T::kIsNarrow) {
      pipeline::Ring<1>(&smem.handed_full, &smem.handed_empty).init(1, T::kMathWarps);
    } else {
      for (auto& part : smem.parts) part.is_complete = false;
    }
  }
  __syncthreads();
  ptx::griddepcontrol_launch_dependents();

  const int role = warp - T::kMathWarps;  // of those that do not multiply
  if (role >= 0) {
    if constexpr (T::kProducerRegisters < T::kLaunchRegisters) ptx::setmaxnreg_dec<T::kProducerRegisters>();
    if (role == 0) {
      if (!ptx::elect_sync()) return;
      if (T::is_grouped(p.n)) {
        skinny_copy_weights<T, true>(p, smem, ring);
      } else {
        skinny_copy_weights<T, false>(p, smem, ring);
      }
    } else if (role == 1) {
      if (ptx::elect_sync()) skinny_copy_weight_scales<T>(p, smem, ring);
    } else if (role == 2) {
      if constexpr (!T::kQuantizes) {
        if (ptx::elect_sync()) skinny_copy_tokens<T>(p, smem, ring);
      }
    } else if constexpr (T::kIsNarrow) {
      skinny_finish<T, Output>(p, smem, {&smem.handed_full, &smem.handed_empty});
    } else {
      skinny_publisher<T>(p, smem);
    }
    return;
  }
  if constexpr (T::kMathRegisters > T::kLaunchRegisters) ptx::setmaxnreg_inc<T::kMathRegisters>();
  ptx::griddepcontrol_wait();

  const SkinnyTokens<T> tokens(p, smem_bytes + sizeof(smem));
  if constexpr (T::kQuantizes) {
    skinny_quantize_tokens<T, Input>(p, tokens);
    ptx::barrier_cta_sync<1, T::kMathThreads>();
  }
  const int group = warp / T::kStageChunks, chunk = warp % T::kStageChunks;
  SkinnySegment at;
  SkinnyCursor<T> cursor(p);
  if constexpr (T::kIsNarrow) {
    pipeline::Ring<1> handover(&smem.handed_full, &smem.handed_empty);
    while (cursor.next(at)) {
      SkinnyAccumulators<T> acc = {};
      skinny_multiply<T>(p, at, smem, tokens, ring, group, chunk, lane, acc);
      skinny_hand_over<T>(smem, handover, warp, lane, acc);
    }
  } else {
    if (threadIdx.x == 0)
      smem.alpha = p.alpha != nullptr ? *p.alpha : 1.f;  // the barriers of the first sum show it to all
    for (bool is_first = true; cursor.next(at); is_first = false) {
      if (!is_first) ptx::barrier_cta_sync<1, T::kMathThreads>();  // the segment writes the sums anew
      SkinnyAccumulators<T> acc = {};
      skinny_multiply<T>(p, at, smem, tokens, ring, group, chunk, lane, acc);
      skinny_sum_accumulators<T>(smem, warp, lane, acc);
      skinny_store_segment<T, Output>(p, at, smem);
      if (at.chunks < p.work.tile_units()) {
        if (is_first) {
          ptx::barrier_cta_arrive<kHeadStored, T::kMathThreads + 32>();
        } else {
          ptx::barrier_cta_arrive<kTailStored, T::kMathThreads + 32>();
        }
      }
    }
    ptx::barrier_cta_sync<kPublished, T::kMathThreads + 32>();
#pragma unroll 1  // the code once
    for (const auto& shared : smem.parts) {
      if (shared.is_complete) skinny_merge<T, Output>(p, shared.segment, shared.part, smem.alpha);
    }
  }
}

}  // namespace b12x

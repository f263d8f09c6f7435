// nvfp4_gemm_skinny.cuh: C = alpha * A * B^T + bias for up to 32 tokens: weights stream once, as the MMA's 16-row side.
//
//   line of all chunks (128 rows of B x 64 k), tile by tile:   | tile 0           | tile 1           | tile 2   ...
//   equal parts of it, one a block:                            |  block 0   |  block 1   |  block 2   | ...
//
//   warps 0 .. 4 G - 1: MMA in G groups that take stages in turn (G = 4 for 8 tokens, else 2)
//       warp 4 g + 2 c + h: chunk c of its group's stages, rows 32 q + 16 h + 0..15, q = 0..3: their scales lie side
//       by side, 16 bytes of an atom hold those of one row of all four q
//   then a warpgroup that gives registers away: one lane copies, one publishes
//   ring of 4 to 8 stages of 2 chunks: weights 8 KB + tokens 0.5 to 2 KB + scales 1 KB and up
//
//      weights [128, 128] --TMA--> smem --ldmatrix--> A operand --.
//      tokens  [<=32, 128] -TMA--> smem --ldmatrix--> B operand ---+--> f32 [64 rows][tokens] a warp --> smem
//      a segment is a whole tile:  smem --> C
//      it is a part of one:        smem --> workspace --> the block that comes last sums in the order of k --> C
//
// Sums and their order: nvfp4_gemm_skinny_traits.h. Weights do not depend on the previous kernel: the first stages'
// loads start before griddepcontrol.wait. Chunks of k beyond K are not copied; the upper half of a chunk that K % 64 =
// 32 leaves gets zero scales, since padding scales may be NaN.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/bulk_copy.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/ldmatrix.cuh"
#include "kernels/ptx/mma.cuh"
#include "kernels/tile/fragment.h"
#include "kernels/tile/scale_layout.h"
#include "kernels/tile/swizzle.h"

namespace b12x {

// Where in its part of the line a block is; producer and math warps walk it stage by stage.
struct SkinnyCursor {
  int32_t chunks, row_tiles;  // of a tile; of a batch
  int32_t tile, row_tile, batch;
  int32_t chunk;  // of the tile
  int32_t left;   // chunks of the block

  B12X_DEVICE explicit SkinnyCursor(const Nvfp4GemmSkinnyParams& p)
      : chunks((p.k + kChunkK - 1) / kChunkK), row_tiles((p.n + 127) / 128) {
    const SkinnyWork work{p.work_base, p.work_extra};
    const uint32_t begin = static_cast<uint32_t>(work.begin(blockIdx.x));
    tile = static_cast<int32_t>(begin / static_cast<uint32_t>(chunks));
    chunk = static_cast<int32_t>(begin) - tile * chunks;
    batch = tile < row_tiles ? 0 : static_cast<int32_t>(static_cast<uint32_t>(tile) / static_cast<uint32_t>(row_tiles));
    row_tile = tile - batch * row_tiles;
    left = work.length(blockIdx.x);
  }
  B12X_DEVICE int32_t segment_left() const { return min(left, chunks - chunk); }
  B12X_DEVICE int32_t stage_chunks() const { return min(segment_left(), 2); }
  B12X_DEVICE void advance(int32_t by) {
    left -= by;
    chunk += by;
    if (chunk < chunks) return;
    chunk = 0;
    ++tile;
    if (++row_tile == row_tiles) {
      row_tile = 0;
      ++batch;
    }
  }
};

template <class T>
struct SkinnyProducer {
  using Ring = pipeline::Ring<T::kStages>;

  const Nvfp4GemmSkinnyParams& p;
  typename T::Smem& smem;

  B12X_DEVICE void load_weights(Ring& ring, const SkinnyCursor& at) const {
    const int32_t chunks = at.stage_chunks();
    typename T::Stage& stage = smem.stages[ring.stage];
    ring.expect(chunks * (T::kTileN * kChunkK / 2 + kScaleAtomBytes + T::kTokenScaleBytes) + sizeof(stage.a));
    const TensorMap* map = &p.b_map[2 - chunks];
    ptx::cp_async_bulk_tensor_3d(stage.b, map, at.chunk * (kChunkK / 2), at.row_tile * T::kTileN, at.batch,
                                 ring.barrier());
    ptx::cp_async_bulk(
        stage.b_scales,
        p.b_scales + at.batch * p.b_scales_stride + tile::scale_atom_offset(at.row_tile, at.chunk, at.chunks),
        chunks * kScaleAtomBytes, ring.barrier());
  }

  B12X_DEVICE void load_tokens(Ring& ring, const SkinnyCursor& at) const {
    typename T::Stage& stage = smem.stages[ring.stage];
    ptx::cp_async_bulk_tensor_3d(stage.a, &p.a_map, at.chunk * (kChunkK / 2), 0, at.batch, ring.barrier());
    const uint8_t* scales = p.a_scales + at.batch * p.a_scales_stride + int64_t{at.chunk} * kScaleAtomBytes;
    for (int32_t c = 0; c < at.stage_chunks(); ++c) {
      ptx::cp_async_bulk(&stage.a_scales[c * T::kTokenScaleBytes], scales + c * kScaleAtomBytes, T::kTokenScaleBytes,
                         ring.barrier());
    }
  }

  B12X_DEVICE void run(Ring ring) const {
    SkinnyCursor at(p);
    SkinnyCursor tokens_at = at;
    Ring landing = ring;
    int early = 0;
    for (; early < T::kStagesInFlight && at.left > 0; ++early, ring.advance()) {
      load_weights(ring, at);
      at.advance(at.stage_chunks());
    }
    ptx::griddepcontrol_wait();
    for (Ring token_ring = landing; early > 0; --early, token_ring.advance()) {
      load_tokens(token_ring, tokens_at);
      tokens_at.advance(tokens_at.stage_chunks());
    }
    for (; at.left > 0; ring.advance(), landing.advance()) {
      ring.wait_empty();
      landing.wait_full();
      load_weights(ring, at);
      load_tokens(ring, at);
      at.advance(at.stage_chunks());
    }
  }
};

inline constexpr int kSkinnyVectors = 32;  // of 16 bytes in the f32 row of a tile

template <class T>
using SkinnyAccumulators = float[T::kMmaRows][T::kTokenTiles][4];

// One 64-k chunk: the four m16 tiles of one half of the rows against the token tiles that exist. `scale_mask` keeps the
// scales of blocks that K has.
template <class T>
B12X_DEVICE void skinny_mma_chunk(const typename T::Stage& stage, int chunk, int half, int lane, uint32_t scale_mask,
                                  SkinnyAccumulators<T>& acc) {
  const uint32_t weights_at =
      ptx::shared_address(stage.b) + 16 * half * T::kRowBytes +
      tile::swizzle64(tile::ldmatrix_a_row(lane) * T::kRowBytes + 32 * chunk + tile::ldmatrix_a_byte(lane));
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
                                  tile::swizzle64(token * T::kRowBytes + 32 * chunk + tile::ldmatrix_b_byte(lane)));
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

template <class T>
B12X_DEVICE void skinny_pass(float4* to, const SkinnyAccumulators<T>& acc) {
  for (int q = 0; q < T::kMmaRows; ++q) {
    for (int j = 0; j < T::kTokenTiles; ++j) {
      to[(q * T::kTokenTiles + j) * 32] = {acc[q][j][0], acc[q][j][1], acc[q][j][2], acc[q][j][3]};
    }
  }
}
template <class T>
B12X_DEVICE void skinny_take(const float4* from, SkinnyAccumulators<T>& acc) {
  for (int q = 0; q < T::kMmaRows; ++q) {
    for (int j = 0; j < T::kTokenTiles; ++j) {
      const float4 other = from[(q * T::kTokenTiles + j) * 32];
      acc[q][j][0] += other.x;
      acc[q][j][1] += other.y;
      acc[q][j][2] += other.z;
      acc[q][j][3] += other.w;
    }
  }
}

// The segment's sum, a tree of pairs, into smem.sums[0] [half][token][row of the half]. All math threads.
template <class T>
B12X_DEVICE void skinny_sum_accumulators(typename T::Smem& smem, int accumulator, int half, int lane,
                                         SkinnyAccumulators<T>& acc) {
  for (int apart = 1; apart < T::kAccumulators; apart *= 2) {
    const int place = accumulator % (2 * apart);
    if (place == apart) skinny_pass<T>(reinterpret_cast<float4*>(smem.sums[accumulator / 2][half]) + lane, acc);
    ptx::barrier_cta_sync<1, T::kMathThreads>();
    if (place == 0) {
      skinny_take<T>(reinterpret_cast<float4*>(smem.sums[(accumulator + apart) / 2][half]) + lane, acc);
    }
  }
  if (accumulator == 0) {
    __syncwarp();  // every lane has taken what was passed in sums[0]
    for (int q = 0; q < T::kMmaRows; ++q) {
      for (int j = 0; j < T::kTokenTiles; ++j) {
        for (int v = 0; v < 4; ++v) {
          const int token = 8 * j + tile::accumulator_column(lane, v);
          smem.sums[0][half][token * T::kSumPitch + 16 * q + tile::accumulator_row(lane, v)] =
              ptx::nvfp4_sum(acc[q][j][v]);
        }
      }
    }
  }
  ptx::barrier_cta_sync<1, T::kMathThreads>();
}

// Four neighbouring columns of C's tile: vector 0..31 of the 128.
template <class T>
B12X_DEVICE float4 skinny_read_sums(const typename T::Smem& smem, int token, int vector) {
  const int half = vector / 4 % 2, row = 16 * (vector / 8) + 4 * (vector % 4);
  return *reinterpret_cast<const float4*>(&smem.sums[0][half][token * T::kSumPitch + row]);
}

// alpha * sum + bias, rounded: four columns of a token.
template <typename Output>
B12X_DEVICE void skinny_store(const Nvfp4GemmSkinnyParams& p, float alpha, int32_t batch, int token, int32_t column,
                              float4 v) {
  if (p.bias != nullptr) {
    const float4 bias = *reinterpret_cast<const float4*>(&p.bias[column]);
    v = {fmaf(alpha, v.x, bias.x), fmaf(alpha, v.y, bias.y), fmaf(alpha, v.z, bias.z), fmaf(alpha, v.w, bias.w)};
  } else {
    v = {alpha * v.x, alpha * v.y, alpha * v.z, alpha * v.w};
  }
  Output::store4(p.c, batch * p.c_batch_stride + token * p.c_row_stride + column, v);
}

// Where a block's partial sums of the tile that begins at `first_chunk` of the line lie: a block's first tile has its
// even slot, the tile that it goes on to the odd one.
template <class T>
B12X_DEVICE float4* skinny_partial(const Nvfp4GemmSkinnyParams& p, int32_t first_chunk, int32_t block, int token,
                                   int vector) {
  const SkinnyWork work{p.work_base, p.work_extra};
  const int32_t slot = 2 * block + (work.begin(block) < first_chunk ? 1 : 0);
  auto* partials = reinterpret_cast<float*>(p.workspace + T::kCounterBytes);
  return reinterpret_cast<float4*>(partials + int64_t{slot} * T::kPartialFloats + token * T::kTileN + 4 * vector);
}

// Stores the segment's sums for the publisher to announce.
template <class T>
B12X_DEVICE void skinny_store_part(const Nvfp4GemmSkinnyParams& p, const SkinnyCursor& at,
                                   const typename T::Smem& smem) {
  for (int i = threadIdx.x; i < kSkinnyVectors * p.m; i += T::kMathThreads) {
    const int token = i / kSkinnyVectors, vector = i % kSkinnyVectors;
    *skinny_partial<T>(p, at.tile * at.chunks, blockIdx.x, token, vector) = skinny_read_sums<T>(smem, token, vector);
  }
}

// Barriers between math warps (who arrive and go on) and the publisher: partials of the block's first segment are
// stored, those of a later one are; and the publisher has its answers.
inline constexpr int kHeadStored = 2, kTailStored = 3, kPublished = 4;

// A warp of its own, since the fence and the counter take about a microsecond that the math warps spend on the next
// segment.
template <class T>
B12X_DEVICE void skinny_publisher(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem) {
  constexpr int kThreads = T::kMathThreads + 32;
  const SkinnyWork work{p.work_base, p.work_extra};
  SkinnyCursor at(p);
  bool is_any_complete = false;
  for (int i = 0; at.left > 0; i = 1) {
    const int32_t segment = at.segment_left(), first_chunk = at.tile * at.chunks;
    if (segment < at.chunks) {
      SkinnyPart part{.tile = at.tile,
                      .row_tile = at.row_tile,
                      .batch = at.batch,
                      .first = work.block_of(first_chunk),
                      .last = work.block_of(first_chunk + at.chunks - 1),
                      .is_complete = false};
      if (i == 0) {
        ptx::barrier_cta_sync<kHeadStored, kThreads>();
      } else {
        ptx::barrier_cta_sync<kTailStored, kThreads>();
      }
      if (ptx::elect_sync()) {
        ptx::fence_acq_rel_gpu();  // the block's partials, which the barrier has shown to this thread, before its
                                   // arrival
        // A block is the first of one shared tile at most, so the tiles' counters have a place each, the same for all
        // shapes.
        uint32_t* counter = reinterpret_cast<uint32_t*>(p.workspace) + part.first;
        part.is_complete = ptx::atom_inc_relaxed_gpu(counter, part.others()) == part.others();
        is_any_complete |= part.is_complete;
        smem.parts[i] = part;
      }
      __syncwarp();  // the next barrier wants the warp's lanes together
    }
    at.advance(segment);
  }
  if (is_any_complete) ptx::fence_acq_rel_gpu();  // the others' arrivals before their partials
  __syncwarp();
  ptx::barrier_cta_sync<kPublished, kThreads>();
}

// The sums of all blocks of a tile, in the order of k.
template <class T, typename Output>
B12X_DEVICE void skinny_merge(const Nvfp4GemmSkinnyParams& p, const SkinnyPart& part, float alpha, int32_t chunks) {
  constexpr int kInFlight = 8;  // partials on their way to a thread: one latency for all of them
  const int32_t first_chunk = part.tile * chunks;
#pragma unroll 1
  for (int i = threadIdx.x; i < kSkinnyVectors * p.m; i += T::kMathThreads) {
    const int token = i / kSkinnyVectors, vector = i % kSkinnyVectors;
    const int32_t column = part.row_tile * T::kTileN + 4 * vector;
    if (column >= p.n) continue;
    const float4* head = skinny_partial<T>(p, first_chunk, part.first, token, vector);
    // The blocks after the first one begin in this tile, so theirs lie evenly apart.
    constexpr int kApart = 2 * T::kPartialFloats / 4;
    const float4* rest = skinny_partial<T>(p, first_chunk, part.first + 1, token, vector) - kApart;
    const int32_t parts = part.last - part.first + 1;
    float4 sum;
#pragma unroll 1
    for (int32_t next = 0; next < parts; next += kInFlight) {
      float4 v[kInFlight];
      for (int b = 0; b < kInFlight; ++b) {
        if (next + b < parts) v[b] = __ldcg(next + b == 0 ? head : &rest[(next + b) * kApart]);
      }
      if (next == 0) sum = v[0];
      for (int b = 0; b < kInFlight; ++b) {
        if (next + b == 0) continue;
        if (next + b >= parts) break;
        sum = {sum.x + v[b].x, sum.y + v[b].y, sum.z + v[b].z, sum.w + v[b].w};
      }
    }
    skinny_store<Output>(p, alpha, part.batch, token, column, sum);
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
    ring.init(T::kGroupWarps);
    for (SkinnyPart& part : smem.parts) part.is_complete = false;
  }
  __syncthreads();
  ptx::griddepcontrol_launch_dependents();

  if (warp >= T::kMathWarps) {
    ptx::setmaxnreg_dec<T::kProducerRegisters>();
    if (warp == T::kMathWarps && ptx::elect_sync()) SkinnyProducer<T>{p, smem}.run(ring);
    if (warp == T::kMathWarps + 1) skinny_publisher<T>(p, smem);
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
    for (int32_t stage = 0; T::kStageChunks * stage < segment; ++stage, ring.advance()) {
      if (stage % T::kGroups != group) continue;
      const int32_t j = T::kStageChunks * stage + chunk;  // of the segment
      ring.wait_full();
      if (j < segment) {
        const bool is_cut = (at.chunk + j + 1) * kChunkK > p.k;
        skinny_mma_chunk<T>(smem.stages[ring.stage], chunk, half, lane, is_cut ? 0x0000FFFFu : 0xFFFFFFFFu, acc);
      }
      __syncwarp();
      if (lane == 0) ring.release();
    }
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
    at.advance(segment);
    if (at.left > 0) ptx::barrier_cta_sync<1, T::kMathThreads>();  // the next segment writes the sums anew
  }

  ptx::barrier_cta_sync<kPublished, T::kMathThreads + 32>();
#pragma unroll 1  // the code once
  for (const SkinnyPart& part : smem.parts) {
    if (part.is_complete) skinny_merge<T, Output>(p, part, smem.alpha, at.chunks);
  }
}

}  // namespace b12x

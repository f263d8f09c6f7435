// nvfp4_gemm_skinny_sum.cuh: from accumulators to C. A segment's accumulators, one for each warp of a half of the rows,
// become one sum; the segments of a tile that blocks share become one through the workspace.
//
//   accumulators 0 1 2 3 ..   exchange halves in pairs, then halves of these: each ends with its share of every sum
//     -> smem.sums [half][token][row] -> C, where the segment is the whole tile
//                                     -> the workspace -> counter -> the block that comes last adds all, in the order
//                                     of k
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_skinny_walk.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/mma.cuh"
#include "kernels/tile/fragment.h"

namespace b12x {

inline constexpr int kSkinnyVectors = 32;  // of 16 bytes in the f32 row of a tile

template <class T>
using SkinnyAccumulators = float[T::kMmaRows][T::kTokenTiles][4];

B12X_DEVICE void add_vector(float4& a, float4 b) {
  a.x += b.x;
  a.y += b.y;
  a.z += b.z;
  a.w += b.w;
}

// Accumulators `kApart` from each other are added: of the first kKept sums of `part` each of the two warps gives half
// away and goes on with the other, or all if it is one. Returns the place of part[0] among the sums that the warp had,
// or -1 if it has none left.
template <class T, int kApart, int kKept, int kRound>
B12X_DEVICE int skinny_exchange(typename T::Smem& smem, int accumulator, int half, int lane, float4* part) {
  if constexpr (kApart == T::kAccumulators) {
    return 0;
  } else {
    constexpr bool kIsSplit = kKept > 1;
    constexpr int kHere = kIsSplit ? kKept / 2 : 1;
    const bool is_upper = (accumulator & kApart) != 0;
    for (int i = 0; kIsSplit && i < kHere; ++i) {
      const float4 low = part[i], high = part[kHere + i];
      part[i] = is_upper ? high : low;
      part[kHere + i] = is_upper ? low : high;
    }
    for (int i = 0; i < kHere; i += T::kPassed) {
      auto& passed = smem.passed[(kRound + i / T::kPassed) % 2][half];
      for (int k = 0; k < T::kPassed; ++k) {
        if (kIsSplit || is_upper)
          *reinterpret_cast<float4*>(passed[accumulator][k][lane]) = part[(kIsSplit ? kHere : 0) + i + k];
      }
      ptx::barrier_cta_sync<1, T::kMathThreads>();
      for (int k = 0; k < T::kPassed; ++k) {
        if (kIsSplit || !is_upper)
          add_vector(part[i + k], *reinterpret_cast<const float4*>(passed[accumulator ^ kApart][k][lane]));
      }
    }
    const int place =
        skinny_exchange<T, 2 * kApart, kHere, kRound + kHere / T::kPassed>(smem, accumulator, half, lane, part);
    if (place < 0 || (!kIsSplit && is_upper)) return -1;
    return place + (kIsSplit && is_upper ? kHere : 0);
  }
}

// The segment's sum, a tree of pairs, into smem.sums [half][token][row of the half]. All math threads.
template <class T>
B12X_DEVICE void skinny_sum_accumulators(typename T::Smem& smem, int accumulator, int half, int lane,
                                         const SkinnyAccumulators<T>& acc) {
  constexpr int kVectors = T::kMmaRows * T::kTokenTiles;  // of four f32 in a lane
  constexpr int kLeft = kVectors > T::kAccumulators ? kVectors / T::kAccumulators : 1;
  float4 part[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    const float* v = acc[i / T::kTokenTiles][i % T::kTokenTiles];
    part[i] = {v[0], v[1], v[2], v[3]};
  }
  const int first = skinny_exchange<T, 1, kVectors, 0>(smem, accumulator, half, lane, part);
  ptx::barrier_cta_sync<1, T::kMathThreads>();  // all have taken what was passed, where the sums go
  if (first >= 0) {
    for (int i = 0; i < kLeft; ++i) {
      const int q = (first + i) / T::kTokenTiles, j = (first + i) % T::kTokenTiles;
      const float values[4] = {part[i].x, part[i].y, part[i].z, part[i].w};
      for (int v = 0; v < 4; ++v) {
        const int token = 8 * j + tile::accumulator_column(lane, v);
        smem.sums[half][token * T::kSumPitch + 16 * q + tile::accumulator_row(lane, v)] = ptx::nvfp4_sum(values[v]);
      }
    }
  }
  ptx::barrier_cta_sync<1, T::kMathThreads>();
}

// Four neighbouring columns of C's tile: vector 0..31 of the 128.
template <class T>
B12X_DEVICE float4 skinny_read_sums(const typename T::Smem& smem, int token, int vector) {
  const int half = vector / 4 % 2, row = 16 * (vector / 8) + 4 * (vector % 4);
  return *reinterpret_cast<const float4*>(&smem.sums[half][token * T::kSumPitch + row]);
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
    at.next_segment();
  }
  if (is_any_complete) ptx::fence_acq_rel_gpu();  // the others' arrivals before their partials
  __syncwarp();
  ptx::barrier_cta_sync<kPublished, kThreads>();
}

// The sums of all blocks of a tile, in the order of k.
template <class T, typename Output>
B12X_DEVICE void skinny_merge(const Nvfp4GemmSkinnyParams& p, const SkinnyPart& part, float alpha, int32_t chunks) {
  // A thread's places are tokens kTokensApart from each other; partials on their way to it: one latency for all of
  // them.
  constexpr int kTokensApart = T::kMathThreads / kSkinnyVectors;
  constexpr int kPlaces = (T::kTokens + kTokensApart - 1) / kTokensApart, kInFlight = T::kPartialsInFlight / kPlaces;
  const int first_token = static_cast<int>(threadIdx.x) / kSkinnyVectors;
  const int vector = static_cast<int>(threadIdx.x) % kSkinnyVectors;
  const int32_t column = part.row_tile * T::kTileN + 4 * vector, first_chunk = part.tile * chunks;
  if (column >= p.n) return;
  const float4* head = skinny_partial<T>(p, first_chunk, part.first, first_token, vector);
  // The blocks after the first one begin in this tile, so theirs lie evenly apart.
  constexpr int kApart = 2 * T::kPartialFloats / 4, kPlacesApart = kTokensApart * T::kTileN / 4;
  const float4* rest = skinny_partial<T>(p, first_chunk, part.first + 1, first_token, vector) - kApart;
  const int32_t parts = part.last - part.first + 1;
  float4 sums[kPlaces];
#pragma unroll 1
  for (int32_t next = 0; next < parts; next += kInFlight) {
    float4 v[kInFlight][kPlaces];
    for (int b = 0; b < kInFlight; ++b) {
      for (int c = 0; c < kPlaces; ++c) {
        if (next + b < parts && first_token + c * kTokensApart < p.m)
          v[b][c] = __ldcg((next + b == 0 ? head : &rest[(next + b) * kApart]) + c * kPlacesApart);
      }
    }
    for (int c = 0; c < kPlaces; ++c) {
      if (next == 0) sums[c] = v[0][c];
      for (int b = 0; b < kInFlight; ++b) {
        if (next + b > 0 && next + b < parts) add_vector(sums[c], v[b][c]);
      }
    }
  }
  for (int c = 0; c < kPlaces; ++c) {
    const int token = first_token + c * kTokensApart;
    if (token < p.m) skinny_store<Output>(p, alpha, part.batch, token, column, sums[c]);
  }
}

}  // namespace b12x

// nvfp4_gemm_skinny_sum.cuh: a segment's sums where tiles are wide: too many for one warp, and no room for all
// accumulators at once. The math warps that hold accumulators of the same rows
//
//   exchange halves in pairs, then halves of these: each ends with its share of every sum -> smem.sums [token][row]
//
// and store them; a warp of its own tells other blocks.
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_skinny_store.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/mma.cuh"
#include "kernels/tile/fragment.h"

namespace b12x {

// Accumulators `kApart` from each other are added: of the first kKept sums of `part` each of the two warps gives half
// away and goes on with the other, or all if it is one. Returns the place of part[0] among the sums that the warp had,
// or -1 if it has none left.
template <class T, int kApart, int kKept, int kRound>
B12X_DEVICE int skinny_exchange(typename T::Smem& smem, int accumulator, int lane, float4* part) {
  if constexpr (kApart == T::kAccumulators) {
    static_assert(kRound % 2 == 0, "the last round's vectors lie in the second half");
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
    constexpr int kAtOnce = kHere < T::kPassed ? kHere : T::kPassed;
    for (int i = 0; i < kHere; i += kAtOnce) {
      auto& passed = smem.passed[(kRound + i / kAtOnce) % 2];
      for (int k = 0; k < kAtOnce; ++k) {
        if (kIsSplit || is_upper)
          *reinterpret_cast<float4*>(passed[accumulator][k][lane]) = part[(kIsSplit ? kHere : 0) + i + k];
      }
      ptx::barrier_cta_sync<1, T::kMathThreads>();
      for (int k = 0; k < kAtOnce; ++k) {
        if (kIsSplit || !is_upper)
          add_vector(part[i + k], *reinterpret_cast<const float4*>(passed[accumulator ^ kApart][k][lane]));
      }
    }
    const int place = skinny_exchange<T, 2 * kApart, kHere, kRound + kHere / kAtOnce>(smem, accumulator, lane, part);
    if (place < 0 || (!kIsSplit && is_upper)) return -1;
    return place + (kIsSplit && is_upper ? kHere : 0);
  }
}

// The segment's sum, a tree of pairs, into smem.sums [token][row]. All math threads.
template <class T>
B12X_DEVICE void skinny_sum_accumulators(typename T::Smem& smem, int accumulator, int lane,
                                         const SkinnyAccumulators<T>& acc) {
  constexpr int kParts = T::kMmaRows * T::kTokenTiles;  // of four f32 in a lane
  constexpr int kLeft = kParts > T::kAccumulators ? kParts / T::kAccumulators : 1;
  float4 part[kParts];
  for (int i = 0; i < kParts; ++i) {
    const float* v = acc[i / T::kTokenTiles][i % T::kTokenTiles];
    part[i] = {v[0], v[1], v[2], v[3]};
  }
  const int first = skinny_exchange<T, 1, kParts, 0>(smem, accumulator, lane, part);
  // Sums go where vectors were passed. Those of the last round lay in the second half; the first one all have taken.
  if constexpr (sizeof(smem.sums) > sizeof(smem.passed[0])) ptx::barrier_cta_sync<1, T::kMathThreads>();
  if (first >= 0) {
    for (int i = 0; i < kLeft; ++i) {
      const int rows = (first + i) / T::kTokenTiles, j = (first + i) % T::kTokenTiles;
      const int row = 2 * T::kQuarterRows * (rows % 2) + 8 * (rows / 2) + tile::group_of(lane);
      const float values[4] = {part[i].x, part[i].y, part[i].z, part[i].w};
      for (int v = 0; v < 4; ++v) {
        const int token = 8 * j + tile::accumulator_column(lane, v);
        smem.sums[token * T::kSumPitch + row + v / 2 * T::kQuarterRows] = ptx::nvfp4_sum(values[v]);
      }
    }
  }
  ptx::barrier_cta_sync<1, T::kMathThreads>();
}

// The segment's sums: into C, if it is a whole tile, or into the workspace. All math threads.
template <class T, typename Output>
B12X_DEVICE void skinny_store_segment(const Nvfp4GemmSkinnyParams& p, const SkinnySegment& at,
                                      const typename T::Smem& smem) {
  const bool is_whole = at.chunks == p.work.tile_units();
  for (int i = threadIdx.x; i < T::kVectors * p.m; i += T::kMathThreads) {
    const int token = i / T::kVectors, vector = i % T::kVectors;
    const float4 sums = skinny_read_sums<T>(smem, token, vector);
    const int32_t column = skinny_column<T>(at.row_tile, vector);
    if (!is_whole) {
      skinny_partial<T>(p, blockIdx.x, at.shared)[i] = sums;
    } else if (column < p.n) {
      skinny_store<Output>(p, smem.alpha, at.batch, token, column, sums);
    }
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
  SkinnySegment at;
  SkinnyCursor<T> cursor(p);
  for (int i = 0; cursor.next(at); i = 1) {
    if (at.chunks == p.work.tile_units()) continue;
    const SkinnyPart part = skinny_part(p, at);
    if (i == 0) {
      ptx::barrier_cta_sync<kHeadStored, kThreads>();
    } else {
      ptx::barrier_cta_sync<kTailStored, kThreads>();
    }
    if (ptx::elect_sync()) smem.parts[i] = {at, part, skinny_arrive(p, part)};
    __syncwarp();  // the next barrier wants the warp's lanes together
  }
  ptx::barrier_cta_sync<kPublished, kThreads>();
}

// The sums of all blocks of a tile, in the order of k.
template <class T, typename Output>
B12X_DEVICE void skinny_merge(const Nvfp4GemmSkinnyParams& p, const SkinnySegment& at, const SkinnyPart& part,
                              float alpha) {
  // A thread's places are tokens kTokensApart from each other; partials on their way to it: one latency for all of
  // them.
  constexpr int kTokensApart = T::kMathThreads / T::kVectors;
  constexpr int kPlaces = (T::kTokens + kTokensApart - 1) / kTokensApart, kInFlight = T::kPartialsInFlight / kPlaces;
  const int thread = static_cast<int>(threadIdx.x), first_token = thread / T::kVectors, vector = thread % T::kVectors;
  const int32_t column = skinny_column<T>(at.row_tile, vector);
  if (column >= p.n) return;
  const float4* head = skinny_partial<T>(p, part.first, at.shared) + thread;
  // The blocks after the first one begin in this tile, so theirs lie evenly apart.
  constexpr int kApart = 2 * T::kPartialFloats / 4, kPlacesApart = kTokensApart * T::kTileN / 4;
  const float4* rest = skinny_partial<T>(p, part.first + 1, at.shared) + thread - kApart;
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
    if (token < p.m) skinny_store<Output>(p, alpha, at.batch, token, column, sums[c]);
  }
}

}  // namespace b12x

// nvfp4_gemm_skinny_finish.cuh: a segment's sums where tiles are narrow: 16 accumulators of 32 rows x 8 tokens. Math
// warps hand theirs over in shared memory and go on with the next segment; a warp of its own does all the rest.
//
//   accumulators 0..15, as lanes hold them --> smem.handed --tree of pairs--> smem.sums [token][row] --> C, or the
//   workspace, the tile's counter and, if the block comes last, the sum of all parts --> C
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_skinny_store.cuh"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/mma.cuh"
#include "kernels/tile/fragment.h"

namespace b12x {

// A math warp's accumulators, once the finisher has taken those of the segment before.
template <class T>
B12X_DEVICE void skinny_hand_over(typename T::Smem& smem, pipeline::Ring<1>& handover, int accumulator, int lane,
                                  const SkinnyAccumulators<T>& acc) {
  handover.wait_empty();
  for (int i = 0; i < T::kMmaRows * T::kTokenTiles; ++i) {
    const float* v = acc[i / T::kTokenTiles][i % T::kTokenTiles];
    *reinterpret_cast<float4*>(smem.handed[accumulator][i][lane]) = {v[0], v[1], v[2], v[3]};
  }
  __syncwarp();
  if (lane == 0) handover.fill();
  handover.advance();
}

// The sum of kCount accumulators from kFirst on: ((p0 + p1) + (p2 + p3)) + ..
template <class T, int kFirst, int kCount>
B12X_DEVICE float4 skinny_tree(const typename T::Smem& smem, int i, int lane) {
  if constexpr (kCount == 1) {
    return *reinterpret_cast<const float4*>(smem.handed[kFirst][i][lane]);
  } else {
    float4 sum = skinny_tree<T, kFirst, kCount / 2>(smem, i, lane);
    add_vector(sum, skinny_tree<T, kFirst + kCount / 2, kCount / 2>(smem, i, lane));
    return sum;
  }
}

template <class T>
using SkinnySums = float4[T::kMmaRows * T::kTokenTiles];  // as a lane's accumulators

// Stores the block's part of a tile and counts it. The block that comes last gets the sum of all parts, in the order of
// k, and true.
template <class T>
B12X_DEVICE bool skinny_sum_parts(const Nvfp4GemmSkinnyParams& p, int32_t shared, const SkinnyPart& part, int lane,
                                  SkinnySums<T>& sums) {
  constexpr int kVectors = T::kMmaRows * T::kTokenTiles;
  float4* own = skinny_partial<T>(p, blockIdx.x, shared) + lane;
  for (int i = 0; i < kVectors; ++i) own[32 * i] = sums[i];
  __syncwarp();
  const bool is_last = lane == 0 && skinny_arrive(p, part);
  if (!__shfl_sync(0xFFFFFFFFu, is_last, 0)) return false;
  __syncwarp();  // all lanes may read what lane 0 has acquired: a shuffle orders no memory
  // The blocks after the first one begin in this tile, so theirs lie evenly apart. Some are on their way at once.
  constexpr int kInFlight = T::kPartialsInFlight / kVectors, kApart = 2 * T::kPartialFloats / 4;
  const float4* head = skinny_partial<T>(p, part.first, shared) + lane;
  const float4* rest = skinny_partial<T>(p, part.first + 1, shared) + lane - kApart;
  const int32_t parts = part.last - part.first + 1;
#pragma unroll 1
  for (int32_t next = 0; next < parts; next += kInFlight) {
    float4 v[kInFlight][kVectors];
    for (int b = 0; b < kInFlight; ++b) {
      const float4* from = next + b == 0 ? head : &rest[(next + b) * kApart];
      for (int i = 0; next + b < parts && i < kVectors; ++i) v[b][i] = __ldcg(&from[32 * i]);
    }
    for (int i = 0; i < kVectors; ++i) {
      if (next == 0) sums[i] = v[0][i];
      for (int b = 0; b < kInFlight; ++b) {
        if (next + b > 0 && next + b < parts) add_vector(sums[i], v[b][i]);
      }
    }
  }
  return true;
}

// A tile's sums, turned so that a lane has neighbouring columns of C.
template <class T, typename Output>
B12X_DEVICE void skinny_store_tile(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem, const SkinnySegment& at,
                                   float alpha, int lane, const SkinnySums<T>& sums) {
  for (int i = 0; i < T::kMmaRows * T::kTokenTiles; ++i) {
    const float values[4] = {sums[i].x, sums[i].y, sums[i].z, sums[i].w};
    const int rows = i / T::kTokenTiles, j = i % T::kTokenTiles;
    for (int v = 0; v < 4; ++v) {
      const int token = 8 * j + tile::accumulator_column(lane, v), quarter = 2 * rows + v / 2;
      smem.sums[token * T::kSumPitch + quarter * T::kQuarterRows + tile::group_of(lane)] = ptx::nvfp4_sum(values[v]);
    }
  }
  __syncwarp();
  for (int i = lane; i < T::kVectors * p.m; i += 32) {
    const int token = i / T::kVectors, vector = i % T::kVectors;
    const int32_t column = skinny_column<T>(at.row_tile, vector);
    if (column < p.n) skinny_store<Output>(p, alpha, at.batch, token, column, skinny_read_sums<T>(smem, token, vector));
  }
  __syncwarp();  // before the next sums
}

template <class T, typename Output>
B12X_DEVICE void skinny_finish(const Nvfp4GemmSkinnyParams& p, typename T::Smem& smem, pipeline::Ring<1> handover) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  ptx::griddepcontrol_wait();
  const float alpha = p.alpha != nullptr ? *p.alpha : 1.f;
  SkinnySegment at;
  for (SkinnyCursor<T> cursor(p); cursor.next(at); handover.advance()) {
    const bool is_whole = at.chunks == p.work.tile_units();
    const SkinnyPart part = skinny_part(p, at);
    handover.wait_full();
    SkinnySums<T> sums;
    for (int i = 0; i < T::kMmaRows * T::kTokenTiles; ++i) sums[i] = skinny_tree<T, 0, T::kAccumulators>(smem, i, lane);
    __syncwarp();
    if (lane == 0) handover.release();
    if (!is_whole && !skinny_sum_parts<T>(p, at.shared, part, lane, sums)) continue;
    skinny_store_tile<T, Output>(p, smem, at, alpha, lane, sums);
  }
}

}  // namespace b12x

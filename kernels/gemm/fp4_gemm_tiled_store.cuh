// fp4_gemm_tiled_store.cuh: what becomes of the accumulators of a tile: alpha, bias, one rounding and C; or, for a
// piece of a tile, the workspace and the sum of all pieces by the block that comes last.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/gemm/fp4_gemm_tiled_params.h"
#include "kernels/math/element.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/tile/fragment.h"

namespace b12x {

template <class T>
using TiledAccumulators = float[T::kMmaM][T::kMmaN][4];

// Where a tile lies in C, and the warp's part of it.
struct TiledPlace {
  int32_t row, column, batch;
  int lane, warp_m, warp_n;
};

// Stores a piece's accumulators and tells whether those of all other pieces of the tile are there. Lane-sized vectors
// lie as the threads hold them, so that a warp writes and reads 512 bytes at once.
template <class T>
B12X_DEVICE bool tiled_publish(const Fp4GemmTiledParams& p, typename T::Smem& smem, int32_t tile,
                               const TiledAccumulators<T>& acc) {
  auto* pieces = reinterpret_cast<float4*>(p.workspace + T::kCounterBytes);
  float4* own = pieces + int64_t{p.work.slot(blockIdx.x, tile)} * (T::kPieceFloats / 4) + threadIdx.x;
#pragma unroll
  for (int i = 0; i < T::kMmaM; ++i) {
#pragma unroll
    for (int j = 0; j < T::kMmaN; ++j) {
      own[(i * T::kMmaN + j) * T::kMathThreads] = {acc[i][j][0], acc[i][j][1], acc[i][j][2], acc[i][j][3]};
    }
  }
  ptx::barrier_cta_sync<1, T::kMathThreads>();
  if (threadIdx.x == 0) {
    const auto others = static_cast<uint32_t>(p.work.last_block(tile) - p.work.first_block(tile));
    auto* counter = reinterpret_cast<uint32_t*>(p.workspace) + tile;
    smem.is_last = ptx::atom_inc_acq_rel_gpu(counter, others) == others ? 1 : 0;
  }
  ptx::barrier_cta_sync<1, T::kMathThreads>();
  return smem.is_last != 0;
}

// The sum of a tile's pieces in the order of k; a row of n8 tiles at a time, so that few reads wait in registers.
template <class T>
B12X_DEVICE void tiled_gather(const Fp4GemmTiledParams& p, int32_t tile, TiledAccumulators<T>& acc) {
  const auto* pieces = reinterpret_cast<const float4*>(p.workspace + T::kCounterBytes);
  const int32_t first = p.work.first_block(tile), last = p.work.last_block(tile);
#pragma unroll
  for (int i = 0; i < T::kMmaM; ++i) {
#pragma unroll 1
    for (int32_t block = first; block <= last; ++block) {
      const float4* piece = pieces + int64_t{p.work.slot(block, tile)} * (T::kPieceFloats / 4) + threadIdx.x;
#pragma unroll
      for (int j = 0; j < T::kMmaN; ++j) {
        const float4 read = __ldcg(&piece[(i * T::kMmaN + j) * T::kMathThreads]);
        const float v[4] = {read.x, read.y, read.z, read.w};
        for (int e = 0; e < 4; ++e) acc[i][j][e] = block == first ? v[e] : acc[i][j][e] + v[e];
      }
    }
  }
}

// alpha * sum + bias of the two neighbours that a lane holds of one row.
template <class Format>
struct TiledScaler {
  float alpha;
  const float* bias;  // of the lane's first column; nullptr = none
  int32_t columns;    // of C, counted from there

  B12X_DEVICE TiledScaler(const Fp4GemmTiledParams& p, int32_t first_column)
      : alpha(p.alpha != nullptr ? *p.alpha : 1.f),
        bias(p.bias != nullptr ? p.bias + first_column : nullptr),
        columns(p.n - first_column) {}

  // `offset`: of the first of the two columns.
  B12X_DEVICE float2 operator()(int offset, float low, float high) const {
    low = Format::sum(low), high = Format::sum(high);
    if (bias == nullptr) return {alpha * low, alpha * high};
    if (offset >= columns) return {0.f, 0.f};  // never stored
    return {fmaf(alpha, low, bias[offset]), fmaf(alpha, high, bias[offset + 1])};
  }
};

// Four lanes hold 32 neighbouring bytes of a row: a whole sector, stored from registers.
template <class T, class Format>
B12X_DEVICE void tiled_store_f32(const Fp4GemmTiledParams& p, const TiledPlace& at, const TiledAccumulators<T>& acc) {
  const int32_t first = at.column + 8 * at.warp_n + tile::accumulator_column(at.lane, 0);
  const TiledScaler<Format> scale(p, first);
  auto* c = static_cast<float*>(p.c) + at.batch * p.c_batch_stride + first;
#pragma unroll
  for (int i = 0; i < T::kMmaM; ++i) {
    for (int v = 0; v < 4; v += 2) {
      const int32_t row = at.row + 32 * i + 16 * at.warp_m + tile::accumulator_row(at.lane, v);
      auto* c_row = reinterpret_cast<float2*>(c + row * p.c_row_stride);
#pragma unroll
      for (int j = 0; j < T::kMmaN; ++j) {
        if (row < p.m && first + 32 * j < p.n) c_row[16 * j] = scale(32 * j, acc[i][j][v], acc[i][j][v + 1]);
      }
      __syncwarp();  // a row after the other: what the next one needs would not fit into registers beside the sums
    }
  }
}

// Round i: both warp rows put their i-th m16 tile into shared memory, slot by slot, then all warps write 32 whole rows.
// Two buffers alternate; with one, a second barrier keeps a round from writing what the last one still reads.
template <class T, class Format, class Output>
B12X_DEVICE void tiled_store_16bit(const Fp4GemmTiledParams& p, typename T::Smem& smem, const TiledPlace& at,
                                   const TiledAccumulators<T>& acc) {
  static_assert(T::kMmaM % 2 == 0, "two store buffers alternate across tiles");
  constexpr int kVectorsPerRow = T::kTileN / 8;
  const int32_t lane_column = 8 * at.warp_n + tile::accumulator_column(at.lane, 0);
  const TiledScaler<Format> scale(p, at.column + lane_column);
#pragma unroll
  for (int i = 0; i < T::kMmaM; ++i) {
    uint16_t* c_smem = smem.c[i % T::kStoreBuffers];
#pragma unroll
    for (int j = 0; j < T::kMmaN; ++j) {
      for (int v = 0; v < 4; v += 2) {
        const int slot = 16 * at.warp_m + tile::accumulator_slot(at.lane, v);
        const float2 pair = scale(32 * j, acc[i][j][v], acc[i][j][v + 1]);
        *reinterpret_cast<uint32_t*>(&c_smem[slot * T::kStorePitch + lane_column + 32 * j]) =
            Output::pack(pair.x, pair.y);
      }
    }
    ptx::barrier_cta_sync<1, T::kMathThreads>();
    const int x = static_cast<int>(threadIdx.x) % kVectorsPerRow * 8;
    for (int row = static_cast<int>(threadIdx.x) / kVectorsPerRow; row < T::kStoreRows;
         row += T::kMathThreads / kVectorsPerRow) {
      const int32_t c_row = at.row + 32 * i + row, c_column = at.column + x;
      if (c_row < p.m && c_column < p.n) {
        // The address anew each time: a pointer that lived beside the sums would cost registers that are not there.
        auto* c = static_cast<uint16_t*>(p.c) + at.batch * p.c_batch_stride + c_row * p.c_row_stride + c_column;
        *reinterpret_cast<uint4*>(c) =
            *reinterpret_cast<const uint4*>(&c_smem[tile::row_of_slot(row) * T::kStorePitch + x]);
      }
    }
    if (T::kStoreBuffers == 1) ptx::barrier_cta_sync<1, T::kMathThreads>();
  }
}

template <class T, class Format, class Output>
B12X_DEVICE void tiled_store(const Fp4GemmTiledParams& p, typename T::Smem& smem, const TiledPlace& at,
                             const TiledAccumulators<T>& acc) {
  if constexpr (std::is_same_v<Output, math::F32>) {
    tiled_store_f32<T, Format>(p, at, acc);
  } else {
    tiled_store_16bit<T, Format, Output>(p, smem, at, acc);
  }
}

}  // namespace b12x

// nvfp4_gemm_tiled.cuh: C = alpha * A * B^T for many tokens: persistent TMA pipeline, one output tile at a time.
//
//        K (128 a stage)                 128 columns
//   64 or 128 rows [ A e2m1 | SFA ]  x  [ B e2m1 | SFB ]^T  ->  f32 registers -> 32 rows at a time through smem -> C
//   warp 8: producer (one lane issues TMA and bulk copies)      warps 0..7 = 2 (rows) x 4 (columns): MMA
//   ring of 4 stages: full[] = bytes have landed, empty[] = 8 warps have read them; runs on across tiles
//   warp (wm, wn) owns rows 32 i + 16 wm + 0..15 and columns 32 j + 8 wn + 0..7: one 16-byte shared load per lane holds
//   the scales of all its m16 (or n8) tiles, because the 128x4 layout keeps rows r, r + 32, r + 64, r + 96 together
//
// Order of accumulation: per output one f32 accumulator from +0, chunks of 64 k ascending. Padding rows are never
// stored; chunks beyond K are skipped, so neither stale bytes nor NaN in padding scales reach a valid output.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_traits.h"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/bulk_copy.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/ldmatrix.cuh"
#include "kernels/ptx/mma.cuh"
#include "kernels/tile/fragment.h"
#include "kernels/tile/scale_layout.h"
#include "kernels/tile/swizzle.h"

namespace b12x {

// Tiles in launch order: all row tiles of a column tile first, so that a column tile of B is read from memory once.
template <typename T>
struct TiledProblem {
  int32_t row_tiles, tiles, chunks, stages;

  B12X_DEVICE explicit TiledProblem(const Nvfp4GemmParams& p)
      : row_tiles((p.m + T::kTileM - 1) / T::kTileM),
        tiles(row_tiles * ((p.n + T::kTileN - 1) / T::kTileN)),
        chunks(p.k / kChunkK),
        stages((chunks + T::kChunks - 1) / T::kChunks) {}

  B12X_DEVICE int32_t row(int32_t tile) const { return tile % row_tiles * T::kTileM; }
  B12X_DEVICE int32_t column(int32_t tile) const { return tile / row_tiles * T::kTileN; }
  B12X_DEVICE int32_t chunks_of_stage(int32_t s) const { return min(T::kChunks, chunks - s * T::kChunks); }
};

template <typename T>
B12X_DEVICE void tiled_produce(const Nvfp4GemmParams& p, const TiledProblem<T>& problem, typename T::Smem& smem,
                               pipeline::Ring<T::kStages> ring) {
  for (int32_t tile = blockIdx.x; tile < problem.tiles; tile += gridDim.x) {
    const int32_t row = problem.row(tile), column = problem.column(tile);
    const uint8_t* a_scales = p.a_scales + tile::scale_atom_offset(row / tile::kAtomRows, 0, problem.chunks);
    const uint8_t* b_scales = p.b_scales + tile::scale_atom_offset(column / tile::kAtomRows, 0, problem.chunks);
    for (int32_t s = 0; s < problem.stages; ++s) {
      const uint32_t scale_bytes = static_cast<uint32_t>(problem.chunks_of_stage(s)) * kScaleAtomBytes;
      const int64_t scales_at = int64_t{s} * T::kChunks * kScaleAtomBytes;
      ring.wait_empty();
      ring.expect(sizeof(T::Stage::a) + sizeof(T::Stage::b) + 2 * scale_bytes);
      typename T::Stage& stage = smem.stages[ring.stage];
      ptx::cp_async_bulk_tensor_2d(stage.a, &p.a_map, s * T::kRowBytes, row, ring.barrier());
      ptx::cp_async_bulk_tensor_2d(stage.b, &p.b_map, s * T::kRowBytes, column, ring.barrier());
      ptx::cp_async_bulk(stage.a_scales, a_scales + scales_at, scale_bytes, ring.barrier());
      ptx::cp_async_bulk(stage.b_scales, b_scales + scales_at, scale_bytes, ring.barrier());
      ring.advance();
    }
  }
}

// What a lane reads of every stage: byte offsets into its arrays. Rows 32 apart are 2048 bytes apart and a chunk is 32
// bytes, neither of which changes the bits that the swizzle XORs with (7, 8) or carries out of those it changes (4, 5).
template <typename T>
struct TiledLane {
  uint32_t a, b, a_scales, b_scales;

  B12X_DEVICE TiledLane(int lane, int warp_m, int warp_n, int32_t tile_row) {
    const int a_row = 16 * warp_m + tile::ldmatrix_a_row(lane);
    const int b_row = 32 * tile::ldmatrix_b_tile(lane) + 8 * warp_n + tile::ldmatrix_b_row(lane);
    a = tile::swizzle64(a_row * T::kRowBytes + tile::ldmatrix_a_byte(lane));
    b = tile::swizzle64(b_row * T::kRowBytes + tile::ldmatrix_b_byte(lane));
    // A 64-row tile is the lower or upper two of the four rows in each 16 bytes of its atom.
    a_scales = (16 * warp_m + tile::a_scale_row(lane)) * 16 + tile_row % tile::kAtomRows / 32 * 4;
    b_scales = (8 * warp_n + tile::b_scale_column(lane)) * 16;
  }
};

template <typename T>
B12X_DEVICE void tiled_mma_chunk(const typename T::Stage& stage, const TiledLane<T>& at, int chunk,
                                 float (&acc)[T::kMmaM][T::kMmaN][4]) {
  constexpr uint32_t kRows32 = 32 * T::kRowBytes;
  const uint32_t a_smem = ptx::shared_address(stage.a) + (at.a ^ (32u * chunk));
  const uint32_t b_smem = ptx::shared_address(stage.b) + (at.b ^ (32u * chunk));
  uint32_t a_scales[T::kMmaM], b_scales[T::kMmaN];
  memcpy(a_scales, __builtin_assume_aligned(&stage.a_scales[chunk * kScaleAtomBytes + at.a_scales], sizeof(a_scales)),
         sizeof(a_scales));
  memcpy(b_scales, __builtin_assume_aligned(&stage.b_scales[chunk * kScaleAtomBytes + at.b_scales], sizeof(b_scales)),
         sizeof(b_scales));

  ptx::Nvfp4B b[T::kMmaN];
  for (int j = 0; j < T::kMmaN; j += 2) {
    uint32_t w0, w1, w2, w3;
    ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3, b_smem + j * kRows32);
    b[j] = ptx::nvfp4_b(w0, w1, b_scales[j]);
    b[j + 1] = ptx::nvfp4_b(w2, w3, b_scales[j + 1]);
  }
  for (int i = 0; i < T::kMmaM; ++i) {
    uint32_t w0, w1, w2, w3;
    ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3, a_smem + i * kRows32);
    const ptx::Nvfp4A a = ptx::nvfp4_a(w0, w1, w2, w3, a_scales[i]);
    for (int j = 0; j < T::kMmaN; ++j) ptx::mma_m16n8k64_mxf4nvf4(acc[i][j], a, b[j]);
  }
}

// Round i: both warp rows put their i-th m16 tile into shared memory, then all warps write 32 whole rows of 256 bytes.
template <typename T, typename Output>
B12X_DEVICE void tiled_store(const Nvfp4GemmParams& p, typename T::Smem& smem, int32_t row, int32_t column, int warp_m,
                             int warp_n, const float (&acc)[T::kMmaM][T::kMmaN][4]) {
  static_assert(T::kMmaM % 2 == 0, "two store buffers alternate across tiles");
  constexpr int kVectorsPerRow = T::kTileN / 8;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const float alpha = p.alpha != nullptr ? *p.alpha : 1.f;
  auto* c = static_cast<uint16_t*>(p.c);
  for (int i = 0; i < T::kMmaM; ++i) {
    uint16_t* c_smem = smem.c[i % 2];
    for (int j = 0; j < T::kMmaN; ++j) {
      for (int v = 0; v < 4; v += 2) {
        const int r = 16 * warp_m + tile::accumulator_row(lane, v);
        const int x = 32 * j + 8 * warp_n + tile::accumulator_column(lane, v);
        *reinterpret_cast<uint32_t*>(&c_smem[r * T::kStorePitch + x]) =
            Output::pack(ptx::nvfp4_sum(acc[i][j][v]) * alpha, ptx::nvfp4_sum(acc[i][j][v + 1]) * alpha);
      }
    }
    ptx::barrier_cta_sync<1, 32 * T::kMathWarps>();
    for (int vector = threadIdx.x; vector < T::kStoreRows * kVectorsPerRow; vector += 32 * T::kMathWarps) {
      const int r = vector / kVectorsPerRow, x = vector % kVectorsPerRow * 8;
      const int32_t c_row = row + 32 * i + r, c_column = column + x;
      if (c_row < p.m && c_column < p.n) {
        *reinterpret_cast<uint4*>(&c[c_row * p.c_row_stride + c_column]) =
            *reinterpret_cast<const uint4*>(&c_smem[r * T::kStorePitch + x]);
      }
    }
  }
}

template <typename T, typename Output>
B12X_DEVICE void nvfp4_gemm_tiled(const Nvfp4GemmParams& p) {
  extern __shared__ __align__(1024) uint8_t smem_bytes[];
  auto& smem = *reinterpret_cast<typename T::Smem*>(smem_bytes);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const TiledProblem<T> problem(p);
  pipeline::Ring<T::kStages> ring(smem.full, smem.empty);

  if (threadIdx.x == 0) {
    ptx::prefetch_tensormap(&p.a_map);
    ptx::prefetch_tensormap(&p.b_map);
    ring.init(T::kMathWarps);
  }
  __syncthreads();
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  if (warp == T::kMathWarps) {
    if (ptx::elect_sync()) tiled_produce<T>(p, problem, smem, ring);
    return;
  }

  const int warp_m = warp % T::kMathWarpsM, warp_n = warp / T::kMathWarpsM;
  for (int32_t tile = blockIdx.x; tile < problem.tiles; tile += gridDim.x) {
    const int32_t row = problem.row(tile), column = problem.column(tile);
    const TiledLane<T> at(lane, warp_m, warp_n, row);
    float acc[T::kMmaM][T::kMmaN][4] = {};
    for (int32_t s = 0; s < problem.stages; ++s) {
      const int32_t chunks = problem.chunks_of_stage(s);
      ring.wait_full();
#pragma unroll
      for (int chunk = 0; chunk < T::kChunks; ++chunk) {
        if (chunk < chunks) tiled_mma_chunk<T>(smem.stages[ring.stage], at, chunk, acc);
      }
      __syncwarp();
      if (lane == 0) ring.release();
      ring.advance();
    }
    tiled_store<T, Output>(p, smem, row, column, warp_m, warp_n, acc);
  }
}

}  // namespace b12x

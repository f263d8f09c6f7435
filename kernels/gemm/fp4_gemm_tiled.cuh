// fp4_gemm_tiled.cuh: C = alpha * A * B^T + bias for many tokens: persistent TMA pipeline over output tiles, whole ones
// in full waves and the rest cut along k so that all SMs end together.
//
//        K (128 a stage)                 128 or 256 columns
//   64 or 128 rows [ A e2m1 | SFA ]  x  [ B e2m1 | SFB ]^T  ->  f32 registers -> fp4_gemm_tiled_store.cuh
//   warp 8: producer (one lane issues TMA and bulk copies)      warps 0..7 = 2 (rows) x 4 (columns): MMA
//   ring of 3 or 4 stages: full[] = bytes have landed, empty[] = 8 warps have read them; runs on across tiles
//   warp (wm, wn) owns rows 32 i + 16 wm + 0..15 and columns 32 j + 8 wn + 0..7: one 16-byte shared load per lane holds
//   the scales of four of its m16 (or n8) tiles, because the 128x4 layout keeps rows r, r + 32, r + 64, r + 96 together
//
// Order of accumulation: Fp4GemmTiledTraits. Padding rows are never stored; chunks beyond K are skipped, and the upper
// half of a chunk that K % 64 = 32 leaves gets scales of zero: neither stale bytes nor NaN in padding scales reach a
// valid output.
#pragma once

#include <cstdint>

#include "kernels/gemm/fp4_format.cuh"
#include "kernels/gemm/fp4_gemm_tiled_params.h"
#include "kernels/gemm/fp4_gemm_tiled_store.cuh"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/bulk_copy.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/ldmatrix.cuh"
#include "kernels/tile/fragment.h"
#include "kernels/tile/scale_layout.h"
#include "kernels/tile/swizzle.h"

namespace b12x {

// What a block does of one tile, and where that tile lies.
struct TiledPiece {
  int32_t tile;  // of all batches
  int32_t first_stage, stages;
  int32_t row, column, batch;
};

// A block's pieces in their order; producer and math warps walk them alike.
template <class T>
struct TiledCursor {
  const Fp4GemmTiledParams& p;
  int32_t tile, unit, units_end;

  B12X_DEVICE explicit TiledCursor(const Fp4GemmTiledParams& params)
      : p(params), tile(blockIdx.x), unit(p.work.begin(blockIdx.x)), units_end(p.work.begin(blockIdx.x + 1)) {}

  B12X_DEVICE bool next(TiledPiece& piece) {
    if (tile < p.work.whole_tiles) {
      place(piece, tile);
      piece.first_stage = 0;
      piece.stages = p.work.tile_units();
      tile += gridDim.x;
      return true;
    }
    if (unit >= units_end) return false;
    const int32_t shared = p.work.tile_of(unit);
    place(piece, p.work.whole_tiles + shared);
    piece.first_stage = unit - shared * p.work.tile_units();
    piece.stages = min(p.work.tile_units() - piece.first_stage, units_end - unit);
    unit += piece.stages;
    return true;
  }

  // Bands of kBandRows row tiles, column by column: the blocks of a wave then cover about as many rows as columns, and
  // read the least of A and B together.
  B12X_DEVICE void place(TiledPiece& piece, int32_t index) const {
    const int32_t of_batch = p.row_tiles * p.column_tiles, of_band = T::kBandRows * p.column_tiles;
    piece.tile = index;
    piece.batch = index / of_batch;
    const int32_t in_batch = index - piece.batch * of_batch;
    const int32_t band = in_batch / of_band, in_band = in_batch - band * of_band;
    const int32_t rows = min(T::kBandRows, p.row_tiles - band * T::kBandRows);
    const int32_t column = in_band / rows;
    piece.column = column * T::kTileN;
    piece.row = (band * T::kBandRows + in_band - column * rows) * T::kTileM;
  }
};

template <class T>
B12X_DEVICE void tiled_produce(const Fp4GemmTiledParams& p, typename T::Smem& smem, pipeline::Ring<T::kStages> ring) {
  const int32_t atoms_k = (p.k + T::kAtomK - 1) / T::kAtomK;
  const int32_t last_atom_n = (p.n - 1) / tile::kAtomRows;
  TiledCursor<T> cursor(p);
  TiledPiece piece;
  while (cursor.next(piece)) {
    const uint8_t* a_scales =
        p.a_scales + piece.batch * p.a_scales_stride + tile::scale_atom_offset(piece.row / tile::kAtomRows, 0, atoms_k);
    const uint8_t* b_scales = p.b_scales + piece.batch * p.b_scales_stride;
    const int32_t stages_end = piece.first_stage + piece.stages;
    for (int32_t s = piece.first_stage; s < stages_end; ++s) {
      const int32_t atom = s * T::kAtoms;
      const uint32_t scale_bytes = static_cast<uint32_t>(min(T::kAtoms, atoms_k - atom)) * kScaleAtomBytes;
      ring.wait_empty();
      ring.expect(sizeof(T::Stage::a) + sizeof(T::Stage::b) + (1 + T::kAtomsN) * scale_bytes);
      typename T::Stage& stage = smem.stages[ring.stage];
      ptx::cp_async_bulk_tensor_3d(stage.a, &p.a_map, s * T::kRowBytes, piece.row, piece.batch, ring.barrier());
      ptx::cp_async_bulk_tensor_3d(stage.b, &p.b_map, s * T::kRowBytes, piece.column, piece.batch, ring.barrier());
      ptx::cp_async_bulk(stage.a_scales, a_scales + int64_t{atom} * kScaleAtomBytes, scale_bytes, ring.barrier());
      for (int i = 0; i < T::kAtomsN; ++i) {
        // Where the tile's second half lies beyond C, the last atom again: any bytes do.
        const int32_t atom_n = min(piece.column / tile::kAtomRows + i, last_atom_n);
        ptx::cp_async_bulk(stage.b_scales[i], b_scales + tile::scale_atom_offset(atom_n, atom, atoms_k), scale_bytes,
                           ring.barrier());
      }
      ring.advance();
    }
  }
}

// What a lane reads of every stage: byte offsets into its arrays. Rows 32 apart are 2048 bytes apart and a chunk is 32
// bytes, neither of which changes the bits that the swizzle XORs with (7, 8) or carries out of those it changes (4, 5).
template <class T>
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

// One chunk of 64 k, a group of columns at a time. `mask` keeps the scales of those k that exist.
template <class T, class Format>
B12X_DEVICE void tiled_mma_chunk(const typename T::Stage& stage, const TiledLane<T>& at, int chunk, uint32_t mask,
                                 TiledAccumulators<T>& acc) {
  constexpr uint32_t kRows32 = 32 * T::kRowBytes;
  const uint32_t a_smem = ptx::shared_address(stage.a) + (at.a ^ (32u * chunk));
  const uint32_t b_smem = ptx::shared_address(stage.b) + (at.b ^ (32u * chunk));
  const int atom_at = Format::atom(chunk) * kScaleAtomBytes;
  uint32_t a_scales[T::kMmaM];
  memcpy(a_scales, __builtin_assume_aligned(&stage.a_scales[atom_at + at.a_scales], sizeof(a_scales)),
         sizeof(a_scales));
#pragma unroll
  for (int first = 0; first < T::kMmaN; first += T::kGroupN) {
    uint32_t b_scales[T::kGroupN];
    const uint8_t* b_scales_smem = &stage.b_scales[first / T::kGroupN][atom_at + at.b_scales];
    memcpy(b_scales, __builtin_assume_aligned(b_scales_smem, sizeof(b_scales)), sizeof(b_scales));
    typename Format::B b[T::kGroupN];
#pragma unroll
    for (int j = 0; j < T::kGroupN; j += 2) {
      uint32_t w0, w1, w2, w3;
      ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3, b_smem + (first + j) * kRows32);
      b[j] = Format::b(w0, w1, Format::scales_of(b_scales[j], chunk) & mask);
      b[j + 1] = Format::b(w2, w3, Format::scales_of(b_scales[j + 1], chunk) & mask);
    }
#pragma unroll
    for (int i = 0; i < T::kMmaM; ++i) {
      uint32_t w[4];
      ptx::ldmatrix_m8n8_x4_b16(w[0], w[1], w[2], w[3], a_smem + i * kRows32);
      const typename Format::A a = Format::a(w, Format::scales_of(a_scales[i], chunk) & mask);
      for (int j = 0; j < T::kGroupN; ++j) Format::mma(acc[i][first + j], a, b[j]);
    }
  }
}

template <class T, class Format, class Output>
B12X_DEVICE void fp4_gemm_tiled(const Fp4GemmTiledParams& p) {
  static_assert(T::kScaleBlock == Format::kScaleBlock);
  extern __shared__ __align__(1024) uint8_t smem_bytes[];
  auto& smem = *reinterpret_cast<typename T::Smem*>(smem_bytes);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  pipeline::Ring<T::kStages> ring(smem.full, smem.empty);

  if (threadIdx.x == 0) {
    ptx::prefetch_tensormap(&p.a_map);
    ptx::prefetch_tensormap(&p.b_map);
    ring.init(T::kMathWarps);
  }
  __syncthreads();
  ptx::griddepcontrol_launch_dependents();
  ptx::griddepcontrol_wait();

  if (warp >= T::kMathWarps) {
    if constexpr (T::kMovesRegisters) ptx::setmaxnreg_dec<T::kProducerRegisters>();
    if (warp == T::kMathWarps && ptx::elect_sync()) tiled_produce<T>(p, smem, ring);
    return;
  }
  if constexpr (T::kMovesRegisters) ptx::setmaxnreg_inc<T::kMathRegisters>();

  const int warp_m = warp % T::kMathWarpsM, warp_n = warp / T::kMathWarpsM;
  TiledCursor<T> cursor(p);
  TiledPiece piece;
  while (cursor.next(piece)) {
    const TiledLane<T> at(lane, warp_m, warp_n, piece.row);
    TiledAccumulators<T> acc = {};
    int32_t left = p.k - piece.first_stage * T::kTileK;  // k from the stage on
    for (int32_t s = 0; s < piece.stages; ++s, left -= T::kTileK) {
      ring.wait_full();
#pragma unroll(Format::kUnroll)
      for (int chunk = 0; chunk < T::kChunks; ++chunk) {
        const int32_t chunk_left = left - chunk * kChunkK;
        const uint32_t mask = chunk_left < kChunkK ? Format::kHalfChunk : 0xFFFFFFFFu;
        if (chunk_left > 0) tiled_mma_chunk<T, Format>(smem.stages[ring.stage], at, chunk, mask, acc);
      }
      __syncwarp();
      if (lane == 0) ring.release();
      ring.advance();
    }
    if (piece.stages < p.work.tile_units()) {
      const int32_t shared = piece.tile - p.work.whole_tiles;
      if (!tiled_publish<T>(p, smem, shared, acc)) continue;
      tiled_gather<T>(p, shared, acc);
    }
    tiled_store<T, Format, Output>(p, smem, {piece.row, piece.column, piece.batch, lane, warp_m, warp_n}, acc);
  }
}

}  // namespace b12x

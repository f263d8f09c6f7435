// fp4_gemm_tiled_traits.h: tiles, shared memory, division of work and order of sums of the tiled FP4 GEMM, read by
// planner, kernel and exact reference alike.
//
// Full waves of output tiles are done whole, a block one tile at a time; what is left over is shared (stream_k.h), in
// units of kTileK.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_traits.h"
#include "kernels/gemm/stream_k.h"

namespace b12x {

// Passing a piece on, writing and reading 4 bytes an output through L2, takes about as long as this many stages: 128 KB
// at 48 bytes a clock against 1024 clocks a stage (128 x 128). Cuts that save less are not made.
inline constexpr int kPassStages = 6;
inline constexpr int kMostPieces = 8;     // of one tile: its last block reads them all
inline constexpr int kMostShared = 1024;  // tiles with a counter in the workspace

// Launch: grid {blocks, 1, 1}, block {kThreads, 1, 1}, dynamic smem sizeof(Smem).
// Maps of uint8 over {k / 2, rows, batches}, boxes {kRowBytes, kTileM, 1} and {kRowBytes, kTileN, 1},
// CU_TENSOR_MAP_SWIZZLE_64B. Sums: one f32 accumulator per output and piece, from +0, chunks of 64 k ascending; pieces
// ((s0 + s1) + s2) + ... in f32, nearest even. Output: round(alpha * sum), with bias round(fma(alpha, sum, bias)).
template <int ScaleBlock, int TileM, int TileN>
struct Fp4GemmTiledTraits {
  static constexpr int kScaleBlock = ScaleBlock;  // k that share a scale: 16 (NVFP4, ue4m3) or 32 (MXFP4, ue8m0)
  static constexpr int kTileM = TileM, kTileN = TileN, kTileK = 128;
  static constexpr int kStages = TileN == 256 ? 3 : 4;
  static constexpr int kMathWarpsM = 2, kMathWarpsN = 4;
  static constexpr int kMathWarps = kMathWarpsM * kMathWarpsN;
  static constexpr int kMathThreads = 32 * kMathWarps;
  // A producer warp. Where the accumulators need more registers than nine warps leave each (168), a warpgroup of
  // which one warp works gives its registers to the math warps: 256 x 232 + 128 x 40 of the 65,536.
  static constexpr bool kMovesRegisters = TileN == 256;
  static constexpr int kMathRegisters = 232, kProducerRegisters = 40;
  static constexpr int kThreads = kMathThreads + (kMovesRegisters ? 128 : 32);
  static constexpr int kMmaM = kTileM / 32;  // m16 tiles of a warp: rows 32 * i + 16 * warp_m
  static constexpr int kMmaN = kTileN / 32;  // n8 tiles of a warp: columns 32 * j + 8 * warp_n
  static constexpr int kGroupN = 4;          // n8 tiles whose B operands are in registers together: those of an atom
  static constexpr int kChunks = kTileK / kChunkK;  // MMA steps of a stage
  static constexpr int kRowBytes = kTileK / 2;      // bytes of one operand row of a stage
  static constexpr int kAtomK = 4 * kScaleBlock;    // k of one scale atom
  static constexpr int kAtoms = kTileK / kAtomK;    // atoms of a stage along k
  static constexpr int kAtomsN = kTileN / 128;      // and along the columns
  static constexpr int kBandRows = 16;              // row tiles taken side by side, see tile order in the kernel
  static constexpr int kStoreRows = 32;             // rows of one epilogue round: the i-th m16 tile of both warp rows
  static constexpr int kStorePitch = kTileN + 8;    // 16-bit elements: 8 extra = 16 bytes, so that rows shift banks
  static constexpr int kStoreBuffers = TileN == 256 ? 1 : 2;
  static constexpr int kPieceFloats = kTileM * kTileN;

  struct Stage {
    alignas(1024) uint8_t a[kTileM * kRowBytes];
    alignas(1024) uint8_t b[kTileN * kRowBytes];
    alignas(128) uint8_t a_scales[kAtoms * kScaleAtomBytes];
    alignas(128) uint8_t b_scales[kAtomsN][kAtoms * kScaleAtomBytes];
  };
  struct Smem {
    Stage stages[kStages];
    alignas(128) uint16_t c[kStoreBuffers][kStoreRows * kStorePitch];
    alignas(8) uint64_t full[kStages];   // the stage's bytes have landed
    alignas(8) uint64_t empty[kStages];  // all math warps have read the stage
    int32_t is_last;                     // this block came last to its shared tile
  };

  static_assert(kScaleBlock == 16 || kScaleBlock == 32);
  static_assert(kTileM == 64 || kTileM == 128, "a tile covers half a scale atom or a whole one");
  static_assert(kTileN % 128 == 0, "column tiles are whole scale atoms");
  static_assert(sizeof(Smem) <= kSmemPerBlock);

  static constexpr int64_t row_tiles(int64_t m) { return (m + kTileM - 1) / kTileM; }
  static constexpr int64_t column_tiles(int64_t n) { return (n + kTileN - 1) / kTileN; }
  static constexpr int64_t stages(int64_t k) { return (k + kTileK - 1) / kTileK; }

  struct Division {
    int64_t blocks = 0, shared_tiles = 0;
  };
  // `tiles` of all batches over `sms` SMs. More than one wave: the last full wave and the rest are shared, if that
  // saves kPassStages of the two waves that whole tiles would take. Less than one wave: every tile is cut into pieces
  // of at least kPassStages, at most kMostPieces, until the SMs are used.
  static constexpr Division divide(int64_t tiles, int64_t stages, int64_t sms) {
    constexpr int64_t kMostUnits = 0x7FFFFFFF;  // they are counted in 32 bits
    const auto can_share = [=](int64_t shared) { return shared <= kMostShared && shared * stages <= kMostUnits; };
    if (tiles < sms) {
      const int64_t most = stages / kPassStages < kMostPieces ? stages / kPassStages : kMostPieces;
      if (most < 2 || !can_share(tiles)) return {tiles, 0};
      return {tiles * most < sms ? tiles * most : sms, tiles};
    }
    const int64_t rest = tiles - (tiles / sms - 1) * sms;  // of one to two waves
    const int64_t longest = (rest * stages + sms - 1) / sms;
    const bool is_worth_it = rest > sms && 2 * stages - longest >= kPassStages && can_share(rest);
    return {sms, is_worth_it ? rest : 0};
  }

  // A counter for each shared tile, at one place for all shapes and kernels (they are 0 between launches, what lies
  // after them is not); then two pieces a block.
  static constexpr int64_t kCounterBytes = 4 * kMostShared;
  static constexpr int64_t workspace_bytes(int64_t shared_tiles, int64_t blocks) {
    if (shared_tiles == 0) return 0;
    return kCounterBytes + 2 * blocks * kPieceFloats * int64_t{sizeof(float)};
  }
};

}  // namespace b12x

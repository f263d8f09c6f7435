// nvfp4_gemm_skinny_traits.h: tiles, shared memory, work split and order of sums of the skinny NVFP4 GEMM, read by
// planner, kernel and exact reference alike.
//
// Work is a line of chunks: chunk (tile * chunks_of_k + c) is 128 rows of B by 64 k. Every block takes an equal part of
// the line, to one chunk, so it ends one tile and begins another, and all stream the same bytes. What a block does
// within one tile is a segment; a tile that one block does not do alone is summed from the segments' partials, in the
// order of k, by the block that finishes last.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_traits.h"

namespace b12x {

// The line cut into equal parts, the first `extra` of them one chunk longer.
struct SkinnyWork {
  int32_t base = 0, extra = 0;

  static constexpr SkinnyWork of(int64_t chunks, int64_t blocks) {
    return {static_cast<int32_t>(chunks / blocks), static_cast<int32_t>(chunks % blocks)};
  }
  constexpr int32_t begin(int32_t block) const { return block * base + (block < extra ? block : extra); }
  constexpr int32_t length(int32_t block) const { return base + (block < extra ? 1 : 0); }
  // The block that has this chunk.
  constexpr int32_t block_of(int32_t chunk) const {
    const int32_t longer = extra * (base + 1);
    return chunk < longer ? chunk / (base + 1) : extra + (chunk - longer) / base;
  }
};

// A tile of which a block has done a part.
struct SkinnyPart {
  int32_t tile, row_tile, batch;
  int32_t first, last;  // the blocks that share it
  bool is_complete;     // the block came last

  constexpr uint32_t others() const { return static_cast<uint32_t>(last - first); }
};

// Launch: grid {blocks, 1, 1}, block {kThreads, 1, 1}, dynamic smem sizeof(Smem).
// Tensor maps of uint8 over {k / 2, rows, batches}, CU_TENSOR_MAP_SWIZZLE_128B: tokens box {128, kTokens, 1}; weights
// boxes {128, 128, 1}, {96, 128, 1}, {64, 128, 1} and {32, 128, 1}, for stages of four chunks and of those that a
// segment ends with. Sums of a segment: its chunk j goes to accumulator j % kAccumulators, ascending, each f32 from +0;
// the segment's sum is a tree of pairs of them, ((p0 + p1) + (p2 + p3)) + .., in f32, nearest even. A tile's sum is
// ((s0 + s1) + s2) + ... over its segments. Output: round(fma(alpha, sum, bias)).
template <int TokenTiles>
struct Nvfp4GemmSkinnyTraits {
  static constexpr int kTileN = 128;  // weight rows; half h of the warps multiplies rows 32 q + 16 h + 0..15, q = 0..3
  static constexpr int kTokenTiles = TokenTiles;
  static constexpr int kTokens = 8 * TokenTiles;
  static constexpr int kStageChunks = 4;
  static constexpr int kRowBytes = kStageChunks * kChunkK / 2;
  static constexpr int kTokenScaleBytes = 16 * kTokens;  // of an atom: the lines that begin with a token's scales
  static constexpr int kStages = TokenTiles == 4 ? 3 : 4;
  static constexpr int kStagesAtOnce = 2;                  // sent for before the first one is there
  static constexpr int kGroups = TokenTiles == 1 ? 2 : 1;  // of warps, which take the stages of a segment in turn
  static constexpr int kHalves = 2;
  static constexpr int kGroupWarps = kStageChunks * kHalves;
  static constexpr int kMathWarps = kGroups * kGroupWarps;  // warp 8 g + 2 c + h: group g, chunk c of a stage, half h
  static constexpr int kAccumulators = kGroups * kStageChunks;
  static constexpr int kMathThreads = 32 * kMathWarps;
  static constexpr int kThreads =
      kMathThreads + 128;  // and a warpgroup, since setmaxnreg acts on four warps: two copy, one publishes
  // A thread has 96 (of 640) or 168 (of 384) registers at launch.
  static constexpr int kMathRegisters = TokenTiles == 1 ? 104 : 208, kProducerRegisters = 64;
  static constexpr int kMmaRows = kTileN / kHalves / 16;
  static constexpr int kHalfRows = kTileN / kHalves;
  static constexpr int kPassed = TokenTiles == 4 ? 2 : 1;  // vectors that a warp passes on between two barriers
  static constexpr int kPartialsInFlight = TokenTiles == 4 ? 16 : 8;  // vectors, to a thread that merges
  static constexpr int kSumPitch = kHalfRows + 4;                     // floats: lanes (8t + g) % 32 in different banks
  static constexpr int kPartialFloats = kTokens * kTileN;             // of one segment, in the workspace
  static constexpr int kMostSegments = TokenTiles == 4 ? 8 : 16;      // of one tile: the last block reads them all

  // setmaxnreg deals out what the block had at launch and no more: asking for more would wait for ever.
  static constexpr int kLaunchRegisters = 65536 / ((kThreads + 127) / 128 * 128) / 8 * 8;
  static_assert(kMathThreads * kMathRegisters + 128 * kProducerRegisters <= kThreads * kLaunchRegisters);

  struct Stage {
    alignas(1024) uint8_t b[kTileN * kRowBytes];   // weights
    alignas(1024) uint8_t a[kTokens * kRowBytes];  // tokens
    alignas(128) uint8_t b_scales[kStageChunks * kScaleAtomBytes];
    alignas(128) uint8_t a_scales[kStageChunks * kTokenScaleBytes];
  };
  struct Smem {
    Stage stages[kStages];
    union {  // of a segment: accumulators on their way, then what they come to, by [token][row]
      alignas(16) float passed[2][kHalves][kAccumulators][kPassed][32][4];
      alignas(16) float sums[kHalves][kTokens * kSumPitch];
    };
    alignas(8) uint64_t full[kStages];
    alignas(8) uint64_t empty[kStages];
    float alpha;
    SkinnyPart parts[2];  // the tile that the block ends, and the one that it goes on to, where others share them
  };
  // A barrier tells a turn of its stage from the one before by parity alone, so a group has to see every turn of its
  // stages.
  static_assert(kStages % kGroups == 0);
  static_assert(sizeof(Stage) % 512 == 0, "every stage keeps the swizzle's alignment");
  static_assert(sizeof(Smem) <= kSmemPerBlock);

  static constexpr int64_t kMostBlocks = 1024;
  static constexpr int64_t tiles(int64_t n, int64_t batches) { return (n + kTileN - 1) / kTileN * batches; }
  static constexpr int64_t chunks_of_k(int64_t k) { return (k + kChunkK - 1) / kChunkK; }
  // As many as there are SMs, but no more segments a tile than the last block can read. Where the parts of a tile are
  // equal and leave up to a sixth of the SMs idle, no block has parts of two tiles: the sum of the first one costs as
  // much as four chunks on an H100 (4096 x 4096 x 16: 12.8 us by 128 blocks, 14.0 by 132; 14336 x 4096 x 8: 23.9 by
  // 112, 26.0 by 132).
  static constexpr int64_t blocks(int64_t n, int64_t k, int64_t batches, int64_t sms) {
    const int64_t all = tiles(n, batches), chunks = chunks_of_k(k);
    const int64_t most = chunks < kMostSegments ? chunks : kMostSegments;
    const int64_t limit = sms < kMostBlocks ? sms : kMostBlocks;
    if (all * most <= limit) return all * most;
    int64_t parts = limit / all;
    while (parts > 1 && chunks % parts != 0) --parts;
    return 6 * all * parts >= 5 * limit ? all * parts : limit;
  }
  // A counter for each block, at one place for all shapes (they are 0 between launches, partials are not); then two
  // partials a block: of the tile that it ends, and of the one that it goes on to.
  static constexpr int64_t kCounterBytes = 4 * kMostBlocks;
  static constexpr int64_t workspace_bytes(int64_t blocks) {
    return kCounterBytes + 2 * blocks * kPartialFloats * int64_t{sizeof(float)};
  }
};

}  // namespace b12x

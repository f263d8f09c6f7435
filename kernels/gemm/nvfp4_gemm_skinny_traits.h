// nvfp4_gemm_skinny_traits.h: tiles, shared memory, work split and order of sums of the skinny NVFP4 GEMM, read by
// planner, kernel and exact reference alike.
//
// A tile is some rows of an atom of scales (128 rows, of four quarters; rows r, r + 32, r + 64, r + 96 have their
// scales side by side): the same octets (8 rows) of each quarter, so its scales are 128 neighbouring bytes an octet.
//
//   quarter    0      1      2      3          one octet a tile:  rows 32 q + 8 t + 0..7, q = 0..3, of tile t = 0..3
//   octet   0 1 2 3  0 1 2 3  ...              two octets:        rows 32 q + 16 t + 0..15, of tile t = 0, 1
//
// Work is counted in chunks: a tile's rows of B by 64 k. What a block does within one tile is a segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/gemm/nvfp4_gemm_traits.h"

namespace b12x {

struct SkinnySegment {
  int32_t chunk, chunks;  // of the tile: the first, and how many
  int32_t row_tile, batch;
  int32_t shared;  // the tile's place among those that blocks share, if it is one
};

// A shared tile of which a block does a part: who else does.
struct SkinnyPart {
  int32_t first, last;  // blocks

  constexpr uint32_t others() const { return static_cast<uint32_t>(last - first); }
};

// Launch: grid {blocks, 1, 1}, block {kThreads, 1, 1}, dynamic smem sizeof(Smem).
// Tensor maps of uint8. With CU_TENSOR_MAP_SWIZZLE_128B: tokens over {k / 2, rows, batches}, box {128, kTokens, 1};
// weights, grouped, over {k / 2, 32, n / 32, batches}, box {w, kQuarterRows, 4, 1}; or, where n is not a multiple
// of 32, over {k / 2, n, 1, batches}, box {w, kQuarterRows, 1, 1}; w is 128, 96, 64 and 32, for
// columns of four chunks and of those that a segment ends with. Without a swizzle, scales over {128, 4, atoms,
// batches}, box {128, octets, 4, 1}. Sums of a segment: its chunk j goes to accumulator j % kAccumulators, ascending,
// each f32 from +0; the segment's sum is a tree of pairs of them, ((p0 + p1) + (p2 + p3)) + .., in f32, nearest even. A
// tile's sum is ((s0 + s1) + s2) + ... over its segments. Output: round(fma(alpha, sum, bias)). Where groups of warps
// take stages in turn, either may have the segment's first: what they come to is added last, the same in either order.
//
// With Quantizes, tokens come as 16-bit values of one batch, and each block quantises all of them into shared memory
// before its first MMA: after Smem lie [columns][m][128 bytes], swizzled likewise, then [chunks][m][4] scales.
template <int TokenTiles, bool Quantizes = false>
struct Nvfp4GemmSkinnyTraits {
  static constexpr bool kQuantizes = Quantizes;
  static_assert(!Quantizes || TokenTiles == 1, "more tokens would not leave room for stages");
  static constexpr int kTokenTiles = TokenTiles;
  static constexpr int kTokens = 8 * TokenTiles;
  static constexpr int kOctets = TokenTiles == 1 ? 1 : 2;  // of each quarter of an atom
  static constexpr bool kIsNarrow = kOctets == 1;
  static constexpr int kTilesOfAtom = 4 / kOctets;
  static constexpr int kQuarterRows = 8 * kOctets;
  static constexpr int kTileN = 4 * kQuarterRows;
  static constexpr int kColumnChunks = 4;  // a column: 128 bytes of a row, a line of L2, which TMA swizzles
  static constexpr int kColumnBytes = kColumnChunks * kChunkK / 2;
  // Stages and groups, measured on an H100: with 16 tokens small stages leave room to pass more sums at once; with 32
  // that ring would be too short (8192 x 28672: 77 us, 70 with three stages of eight chunks).
  static constexpr int kColumns = TokenTiles == 2 ? 1 : 2;  // of a stage
  static constexpr int kStageChunks = kColumns * kColumnChunks;
  static constexpr int kRowBytes = kColumns * kColumnBytes;
  static constexpr int kOctetScaleBytes = kScaleAtomBytes / 4;
  static constexpr int kChunkScaleBytes = 4;  // of a row
  static constexpr int kStages = TokenTiles == 4 ? 3 : 6;
  static constexpr int kStagesAtOnce = TokenTiles == 4 ? 2 : 4;  // sent for before the first one is there
  static constexpr int kGroups = TokenTiles == 4 ? 1 : 2;        // of warps, which take the stages of a segment in turn
  static constexpr int kMathWarps = kGroups * kStageChunks;      // a chunk each of a group's stages
  static constexpr int kAccumulators = kMathWarps;
  static constexpr int kMathThreads = 32 * kMathWarps;
  // And a warpgroup, since setmaxnreg acts on four warps: three copy, one finishes or publishes.
  static constexpr int kThreads = kMathThreads + 128;
  // A thread has 96 (of 640) or 168 (of 384) registers at launch.
  static constexpr int kMathRegisters = kIsNarrow ? 96 : 208, kProducerRegisters = kIsNarrow ? 96 : 64;
  static constexpr int kMmaRows = 2 * kOctets;             // m16 parts of a tile: an octet of two quarters each
  static constexpr int kPassed = TokenTiles == 4 ? 1 : 2;  // vectors that a warp passes on between two barriers
  static constexpr int kPartialsInFlight = TokenTiles == 4 ? 16 : 8;  // vectors, to a thread that merges
  static constexpr int kVectors = kTileN / 4;                         // of four f32 in a row of sums
  static constexpr int kSumPitch = kTileN + 4;                        // floats: lanes (8t + g) % 32 in different banks
  static constexpr int kPartialFloats = kTokens * kTileN;             // of one segment, in the workspace
  static constexpr int kMostSegments = 24;  // of a tile, on average: its last block reads them all

  // setmaxnreg deals out what the block had at launch and no more: asking for more would wait for ever.
  static constexpr int kLaunchRegisters = 65536 / ((kThreads + 127) / 128 * 128) / 8 * 8;
  static_assert(kMathThreads * kMathRegisters + 128 * kProducerRegisters <= kThreads * kLaunchRegisters);

  struct CopyingStage {
    alignas(1024) uint8_t b[kColumns][kTileN * kColumnBytes];   // weights, quarter by quarter
    alignas(1024) uint8_t a[kColumns][kTokens * kColumnBytes];  // tokens
    alignas(128) uint8_t b_scales[kStageChunks][kOctets * kOctetScaleBytes];
    alignas(128) uint8_t a_scales[kStageChunks][kTokenTiles * kOctetScaleBytes];
  };
  struct QuantizingStage {
    alignas(1024) uint8_t b[kColumns][kTileN * kColumnBytes];
    alignas(128) uint8_t b_scales[kStageChunks][kOctets * kOctetScaleBytes];
  };
  using Stage = std::conditional_t<kQuantizes, QuantizingStage, CopyingStage>;
  // Of a segment: accumulators on their way, then what they come to, by [token][row].
  struct WideSums {
    union {
      alignas(16) float passed[2][kAccumulators][kPassed][32][4];
      alignas(16) float sums[kTokens * kSumPitch];
    };
    float alpha;
    // The tile that the block ends, and the one that it goes on to, where others share them.
    struct {
      SkinnySegment segment;
      SkinnyPart part;
      bool is_complete;  // the block came last
    } parts[2];
  };
  struct NarrowSums {
    alignas(16) float handed[kAccumulators][kMmaRows * kTokenTiles][32][4];
    alignas(16) float sums[kTokens * kSumPitch];
    alignas(8) uint64_t handed_full, handed_empty;
  };
  struct Smem : std::conditional_t<kIsNarrow, NarrowSums, WideSums> {
    alignas(8) uint64_t full[kStages], empty[kStages];
    Stage stages[kStages];
  };
  // A barrier tells a turn of its stage from the one before by parity alone, so a group has to see every turn of its
  // stages.
  static_assert(kStages % kGroups == 0);
  static_assert(sizeof(Stage) % 512 == 0, "every stage keeps the swizzle's alignment");
  static_assert(sizeof(Smem) <= kSmemPerBlock);

  static constexpr int64_t row_tiles(int64_t n) {  // of an atom that n cuts, those that have rows
    const int64_t rest = (n % 128 + kQuarterRows - 1) / kQuarterRows;
    return n / 128 * kTilesOfAtom + (rest < kTilesOfAtom ? rest : kTilesOfAtom);
  }
  static constexpr bool is_grouped(int64_t n) { return n % 32 == 0; }
  static constexpr int32_t columns(int32_t chunks) { return (chunks + kColumnChunks - 1) / kColumnChunks; }
  static constexpr int64_t chunks_of_k(int64_t k) { return (k + kChunkK - 1) / kChunkK; }

  // Of tokens that the block quantises; with those before them, what a block may have.
  static constexpr int64_t column_bytes(int64_t m, int64_t k) {
    return m * kColumnBytes * ((chunks_of_k(k) + kColumnChunks - 1) / kColumnChunks);
  }
  static constexpr int64_t shared_bytes(int64_t m, int64_t k) {
    const int64_t tokens = column_bytes(m, k) + m * kChunkScaleBytes * chunks_of_k(k);
    return static_cast<int64_t>(sizeof(Smem)) + (kQuantizes ? tokens : 0);
  }

  struct Division {
    int64_t blocks = 0, shared_tiles = 0, sharing_blocks = 1;
  };
  // `tiles` of all batches over `sms` SMs. A wave or more: what full waves leave over is shared, in parts of a stage or
  // more. Less: all tiles are shared, unless equal parts of each leave no more than a sixth of the SMs idle: a block
  // that has parts of two tiles sums twice (4096 x 4096 x 16 in tiles of 128 rows on an H100: 12.8 us by 128 blocks,
  // 14.0 by 132).
  static constexpr Division divide(int64_t tiles, int64_t chunks, int64_t sms) {
    const int64_t most = chunks < kMostSegments ? chunks : kMostSegments;
    const int64_t limit = sms < kMostBlocks ? sms : kMostBlocks;
    if (tiles >= limit) {
      const int64_t rest = tiles % limit, parts = rest * ((chunks + kStageChunks - 1) / kStageChunks);
      return {limit, rest, rest == 0 ? 1 : parts < limit ? parts : limit};
    }
    int64_t blocks = tiles * most;
    if (blocks > limit) {
      int64_t parts = limit / tiles;
      while (chunks % parts != 0) --parts;
      blocks = 6 * tiles * parts < 5 * limit ? limit : tiles * parts;
    }
    if (blocks == tiles) return {tiles, 0, 1};
    return {blocks, tiles, blocks};
  }
  // A counter for each block, at one place for all shapes (they are 0 between launches, parts are not); then two parts
  // a block: of the tile that it ends, and of the one that it goes on to.
  static constexpr int64_t kMostBlocks = 1024;
  static constexpr int64_t kCounterBytes = 4 * kMostBlocks;
  static constexpr int64_t workspace_bytes(int64_t shared_tiles, int64_t blocks) {
    return shared_tiles == 0 ? 0 : kCounterBytes + 2 * blocks * kPartialFloats * int64_t{sizeof(float)};
  }
};

// What `call` does for the kernel of so many tokens.
constexpr void with_skinny_traits(int tokens, auto&& call) {
  switch (tokens) {
    case Nvfp4GemmSkinnyTraits<1>::kTokens:
      return call.template operator()<1>();
    case Nvfp4GemmSkinnyTraits<2>::kTokens:
      return call.template operator()<2>();
    default:
      return call.template operator()<4>();
  }
}

}  // namespace b12x

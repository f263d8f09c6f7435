// nvfp4_gemm_traits.h: tiles, shared memory and launch shapes of the NVFP4 dense GEMM kernels, and the order in which
// each of them adds, so that planner, kernels and the exact references read the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace b12x {

inline constexpr int kSmemPerBlock = 101376;  // SM120: 99 KB a block
inline constexpr int kChunkK = 64;            // k of one block-scaled MMA
inline constexpr int kScaleAtomBytes = 512;   // 128 rows x 4 scales

// Tiled kernel. Launch: grid {min(tiles, SMs), 1, 1}, block {kThreads, 1, 1}, dynamic smem sizeof(Smem).
// a_map: box {kTileK / 2 = 64 bytes, kTileM rows}, CU_TENSOR_MAP_SWIZZLE_64B. b_map: box {64 bytes, kTileN rows},
// SWIZZLE_64B. Sums: one f32 accumulator per output, chunks of 64 k in ascending order.
template <int TileM>
struct Nvfp4GemmTiledTraits {
  static constexpr int kTileM = TileM, kTileN = 128, kTileK = 128;
  static constexpr int kStages = 4;
  static constexpr int kMathWarpsM = 2, kMathWarpsN = 4;
  static constexpr int kMathWarps = kMathWarpsM * kMathWarpsN;
  static constexpr int kThreads = 32 * (kMathWarps + 1);  // one producer warp
  static constexpr int kMmaM = kTileM / 32;               // m16 tiles of a warp: rows 32 * i + 16 * warp_m
  static constexpr int kMmaN = kTileN / 32;               // n8 tiles of a warp: columns 32 * j + 8 * warp_n
  static constexpr int kChunks = kTileK / kChunkK;        // MMA steps of a stage
  static constexpr int kRowBytes = kTileK / 2;            // bytes of one operand row of a stage
  static constexpr int kStoreRows = 32;           // rows of one epilogue round: the i-th m16 tile of both warp rows
  static constexpr int kStorePitch = kTileN + 8;  // 16-bit elements: 8 extra = 16 bytes, so that rows shift banks

  struct Stage {
    alignas(1024) uint8_t a[kTileM * kRowBytes];
    alignas(1024) uint8_t b[kTileN * kRowBytes];
    alignas(128) uint8_t a_scales[kChunks * kScaleAtomBytes];
    alignas(128) uint8_t b_scales[kChunks * kScaleAtomBytes];
  };
  struct Smem {
    Stage stages[kStages];
    alignas(128) uint16_t c[2][kStoreRows * kStorePitch];  // two rounds, so that one barrier a round is enough
    alignas(8) uint64_t full[kStages];                     // the stage's bytes have landed
    alignas(8) uint64_t empty[kStages];                    // all math warps have read the stage
  };

  static_assert(kTileM == 64 || kTileM == 128, "a tile covers half a scale atom or a whole one");
  static_assert(sizeof(Stage) % 1024 == 0, "every stage keeps the swizzle's alignment");
  static_assert(sizeof(Smem) <= kSmemPerBlock);

  static constexpr int64_t tiles(int64_t m, int64_t n) {
    return ((m + kTileM - 1) / kTileM) * ((n + kTileN - 1) / kTileN);
  }
};

// Skinny kernel: weights are the MMA's 16-row side, tokens its 8-column side; the math warps of a block split K.
// Launch: grid {row_tiles(n), token_groups(m), 1}, block {kThreads, 1, 1}, dynamic smem sizeof(Smem). Correct for every
// m. a_map (tokens): box {kTileK / 2 = 128 bytes, a_box_rows(m) rows}, CU_TENSOR_MAP_SWIZZLE_128B. b_map (weights): box
// {128 bytes, 16 rows}, SWIZZLE_128B. Sums: warp w accumulates chunks w, w + kMathWarps, w + 2 * kMathWarps, ... of 64
// k, ascending, in one f32 accumulator per output that starts at +0; the result is ((partial 0 + partial 1) + partial
// 2) + partial 3 in f32, round to nearest even.
struct Nvfp4GemmSkinnyTraits {
  static constexpr int kTileN = 64;       // weight rows {128 * (tile / 2) + 32 * q + 16 * (tile % 2) + 0..15, q = 0..3}
  static constexpr int kTileTokens = 32;  // at most, in groups of 8
  static constexpr int kTileK = 256;
  static constexpr int kStages = 6;
  static constexpr int kMathWarps = 4;                    // = chunks of a stage: warp w takes chunk w of every stage
  static constexpr int kThreads = 32 * (kMathWarps + 1);  // one producer warp
  static constexpr int kMmaRows = kTileN / 16;
  static constexpr int kMmaTokens = kTileTokens / 8;
  static constexpr int kRowBytes = kTileK / 2;
  static constexpr int kPartialPitch =
      kTileN + 4;  // floats: 2 * 68 * t + g are 32 different banks for the lanes of a warp

  struct Stage {
    alignas(1024) uint8_t b[kTileN * kRowBytes];                      // weights
    alignas(1024) uint8_t a[kTileTokens * kRowBytes];                 // tokens
    alignas(128) uint8_t b_scales[kMathWarps * kScaleAtomBytes / 2];  // half atoms: 32 q + 16 h + 0..15 lie together
    alignas(128) uint8_t a_scales[kMathWarps * kScaleAtomBytes];
  };
  struct Smem {
    union {
      Stage stages[kStages];                                   // main loop
      float partials[kMathWarps][kTileTokens][kPartialPitch];  // after it: [warp][token][row of the tile]
    };
    alignas(8) uint64_t full[kStages];
    alignas(8) uint64_t empty[kStages];
  };

  static_assert(kMathWarps * kChunkK == kTileK, "one chunk of a stage for each math warp");
  static_assert(sizeof(Stage) % 1024 == 0, "every stage keeps the swizzle's alignment");
  static_assert(sizeof(Smem) <= kSmemPerBlock);

  static constexpr int64_t row_tiles(int64_t n) { return (n + 127) / 128 * 2; }
  static constexpr int64_t token_groups(int64_t m) { return (m + kTileTokens - 1) / kTileTokens; }
  static constexpr int a_box_rows(int64_t m) { return m <= 8 ? 8 : m <= 16 ? 16 : 32; }
};

}  // namespace b12x

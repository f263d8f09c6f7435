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

}  // namespace b12x

// nvfp4_gemm_traits.h: what the FP4 GEMM kernels have in common: the block of SM120, the MMA's depth, the scale atom.
#pragma once

#include <cstddef>
#include <cstdint>

namespace b12x {

inline constexpr int kSmemPerBlock = 101376;  // SM120: 99 KB a block
inline constexpr int kChunkK = 64;            // k of one block-scaled MMA
inline constexpr int kScaleAtomBytes = 512;   // 128 rows x 4 scales

}  // namespace b12x

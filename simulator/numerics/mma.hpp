// mma.hpp: the registers of one warp-wide mma.sync in, the registers of D out, with the bits that the tensor core
// gives.
//
//   MmaFunction f = find_mma(Arch::kSm120, form);   // once, when a program is loaded; nullptr = the arch lacks the
//   form f(form, operands);                              // per instruction; d may be the same registers as c, a or b
//
// A register is 32 consecutive words, word l = lane l. Fragment layouts are those of the PTX ISA (g = lane / 4,
// t = lane % 4): register i of A holds bytes [4t + 16 (i/2), +4) of row g + 8 (i%2), register i of B bytes
// [4t + 16 i, +4) of column g, C and D (row g + 8 (v/2), column 2t + v%2). find_mma picks the fastest path that this
// processor has; find_mma_exact the scalar one. Both give equal bits. MXCSR must have FTZ and DAZ clear.
#pragma once

#include <cstdint>

namespace sim::numerics {

enum class Arch : uint8_t { kSm90, kSm120 };

// kS4 and kU4 occur in sparse forms alone: ops/mma_integer.cpp has the dense ones.
enum class Element : uint8_t { kF16, kBf16, kTf32, kE4m3, kE5m2, kE2m3, kE3m2, kE2m1, kS8, kU8, kS4, kU4 };
enum class Accumulator : uint8_t { kF32, kF16, kS32 };
// How many scale factors a row has in one instruction, and their type. 1X covers 32 k, 2X 2 x 32, 4X 4 x 16.
enum class BlockScale : uint8_t { kNone, k1xUe8m0, k2xUe8m0, k4xUe8m0, k4xUe4m3 };

struct MmaForm {
  Element a, b;
  Accumulator accumulator = Accumulator::kF32;
  uint8_t k = 16;  // m is 16 and n is 8
  BlockScale scale = BlockScale::kNone;
  bool satfinite = false;  // s32 results clamp instead of wrapping
  bool operator==(const MmaForm&) const = default;
};

// Unused pointers (a[2], a[3], b[1] of the small shapes, c[2], c[3] of f16 accumulators, scales) may be null.
struct MmaOperands {
  uint32_t* d[4];
  const uint32_t* a[4];
  const uint32_t* b[2];
  const uint32_t* c[4];
  const uint32_t* scale_a = nullptr;
  const uint32_t* scale_b = nullptr;
  uint8_t byte_a = 0, thread_a = 0;  // {byte-id-a, thread-id-a}
  uint8_t byte_b = 0, thread_b = 0;
};

using MmaFunction = void (*)(const MmaForm&, const MmaOperands&);

MmaFunction find_mma(Arch arch, const MmaForm& form);
MmaFunction find_mma_exact(Arch arch, const MmaForm& form);
// The path between, for processors with AVX2; nullptr for forms that it does not do (integers, sm_90's fp8).
MmaFunction find_mma_rows(Arch arch, const MmaForm& form);
// True when the processor has the AVX-512 subsets (F, BW, DQ, VL, VNNI) of the fast paths.
bool mma_has_avx512();

// Which lane's scale register serves a row of A or a column of B (PTX ISA, block scaling).
constexpr int scale_a_lane(int row, int thread_id) { return 4 * (row & 7) + 2 * thread_id + (row >> 3); }
constexpr int scale_b_lane(int column, int thread_id) { return 4 * column + thread_id; }

}  // namespace sim::numerics

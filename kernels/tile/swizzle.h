// swizzle.h: where TMA's swizzle modes put a byte of a shared-memory tile. Offsets count from a base that is aligned to
// the pattern's period (512 bytes for 64B, 1024 for 128B); the 16-byte chunk index is XORed with the row's low bits.
#pragma once

#include <cstdint>

namespace b12x::tile {

// CU_TENSOR_MAP_SWIZZLE_64B: bits 4..5 ^= bits 7..8. Eight rows of 64 bytes at one column fall in eight bank groups.
constexpr uint32_t swizzle64(uint32_t offset) { return offset ^ (((offset >> 7) & 3u) << 4); }

// CU_TENSOR_MAP_SWIZZLE_128B: bits 4..6 ^= bits 7..9. Eight rows of 128 bytes at one column fall in eight bank groups.
constexpr uint32_t swizzle128(uint32_t offset) { return offset ^ (((offset >> 7) & 7u) << 4); }

}  // namespace b12x::tile

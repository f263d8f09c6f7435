// What one warp-wide access costs the memory pipes: wavefronts of shared memory and sectors of global memory.
// Shared memory has 32 banks of 4 bytes and moves at most 128 bytes in a wavefront. Lanes of a wide access go in groups
// of 128 bytes: all 32 lanes of up to 4 bytes, halves of 8, quarters of 16 (a tile's 8 rows for ldmatrix). Groups of a
// load are twice as large where lanes read in pairs: every lane l the same as lane l ^ 1, or every lane the same as
// lane l ^ 2. Within a group the bank with the most different words decides; lanes that want one word share it.
#pragma once

#include <cstdint>

namespace sim::counters {

struct SharedCost {
  uint32_t wavefronts = 0;
  uint32_t ideal = 0;  // with no two words in one bank; the rest are conflicts
};

// Lane l of `mask` touches [offset[l], + bytes). Atomics: lanes that update one word take a wavefront each.
enum class SharedAccess : uint8_t { kLoad, kStore, kAtomic };
SharedCost shared_cost(const uint32_t offset[32], uint32_t mask, uint32_t bytes, SharedAccess access);

// The different sectors of a request, address / 32, in ascending order.
inline constexpr uint32_t kSectorBytes = 32;
struct Request {
  uint32_t count = 0;
  uint64_t sectors[64];  // 32 lanes, each in two sectors at most
};
void sectors_of(const uint64_t address[32], uint32_t mask, uint32_t bytes, Request& out);

}  // namespace sim::counters

// A model of the card's L2: lines of 128 bytes in 4 sectors, 16 ways, least recently used first out, write-back; reads
// fill sectors from DRAM, whole or partial writes do not. It lives as long as the process, as the hardware's lives
// between launches. Consecutive lines lie in consecutive sets, so a contiguous buffer of the cache's size fits;
// hardware spreads lines by a hash that nobody published.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace sim::counters {

enum class L2Access : uint8_t {
  kRead,
  kWrite,
  kUpdate
};  // kUpdate: atomics and reductions, which read what they change

// In sectors of 32 bytes.
struct L2Traffic {
  uint32_t hits = 0;
  uint32_t dram_reads = 0;
  uint32_t dram_writes = 0;  // dirty sectors that made room
};

class L2 {
 public:
  static constexpr uint32_t kWays = 16, kLineSectors = 4, kLineBytes = 128;

  explicit L2(uint64_t bytes);
  // The sectors [first, first + count) of the address space, in order. Thread safe.
  L2Traffic access(uint64_t first, uint64_t count, L2Access kind);
  // Writes nothing back: the next accesses meet an empty cache.
  void clear();

 private:
  struct Line {
    uint64_t number = ~0ull;
    uint8_t valid = 0, dirty = 0;  // a bit per sector
  };
  void access_line(uint64_t line, uint8_t sectors, L2Access kind, L2Traffic& traffic);

  static constexpr uint32_t kStripes = 64;  // locks: neighbouring sets have different ones
  uint64_t sets_;
  std::vector<Line> lines_;  // a set's ways, most recently used first
  std::unique_ptr<std::mutex[]> locks_;
};

}  // namespace sim::counters

#include "counters/l2.hpp"

#include <algorithm>
#include <bit>

namespace sim::counters {

L2::L2(uint64_t bytes)
    : sets_(std::max<uint64_t>(bytes / (kWays * kLineBytes), 1)),
      lines_(sets_ * kWays),
      locks_(std::make_unique<std::mutex[]>(kStripes)) {}

void L2::clear() { std::fill(lines_.begin(), lines_.end(), Line{}); }

L2Traffic L2::access(uint64_t first, uint64_t count, L2Access kind) {
  L2Traffic traffic;
  const uint64_t end = first + count;
  while (first < end) {
    const uint64_t line = first / kLineSectors, stop = std::min(end, (line + 1) * kLineSectors);
    const uint32_t mask = ((1u << (stop - first)) - 1) << first % kLineSectors;
    access_line(line, static_cast<uint8_t>(mask), kind, traffic);
    first = stop;
  }
  return traffic;
}

void L2::access_line(uint64_t line, uint8_t sectors, L2Access kind, L2Traffic& traffic) {
  const uint64_t set = line % sets_;
  const std::lock_guard lock(locks_[set % kStripes]);
  Line* const ways = &lines_[set * kWays];
  Line* way = std::find_if(ways, ways + kWays, [&](const Line& l) { return l.number == line; });
  if (way == ways + kWays) {
    --way;
    traffic.dram_writes += static_cast<uint32_t>(std::popcount(way->dirty));
    *way = {line, 0, 0};
  }
  std::rotate(ways, way, way + 1);
  const uint8_t missing = sectors & static_cast<uint8_t>(~ways->valid);
  traffic.hits += static_cast<uint32_t>(std::popcount(static_cast<uint8_t>(sectors & ways->valid)));
  if (kind != L2Access::kWrite) traffic.dram_reads += static_cast<uint32_t>(std::popcount(missing));
  if (kind != L2Access::kRead) ways->dirty |= sectors;
  ways->valid |= sectors;
}

}  // namespace sim::counters

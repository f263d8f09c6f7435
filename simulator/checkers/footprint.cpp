#include "checkers/footprint.hpp"

#include <algorithm>
#include <bit>

namespace sim::checkers {
namespace {

// Calls f(page, word of the page, mask of its bytes) for 64 bytes at a time, until it returns false.
template <class F>
void each_word(uint64_t address, uint64_t bytes, uint64_t page_bytes, F&& f) {
  while (bytes != 0) {
    const uint64_t first = address % 64, count = std::min(bytes, 64 - first);
    const uint64_t mask = (count == 64 ? ~0ull : (1ull << count) - 1) << first;
    if (!f(address / page_bytes, address % page_bytes / 64, mask)) return;
    address += count, bytes -= count;
  }
}

}  // namespace

void Footprint::add(uint64_t address, uint64_t bytes, bool is_write) {
  each_word(address, bytes, kPageBytes, [&](uint64_t page, uint64_t word, uint64_t mask) {
    Page& p = pages_[page];
    (is_write ? p.written : p.read)[word] |= mask;
    return true;
  });
}

uint64_t Footprint::conflict(uint64_t address, uint64_t bytes, bool is_write) const {
  uint64_t found = 0;
  each_word(address, bytes, kPageBytes, [&](uint64_t page, uint64_t word, uint64_t mask) {
    const auto p = pages_.find(page);
    if (p == pages_.end()) return true;
    const uint64_t hit = mask & (p->second.written[word] | (is_write ? p->second.read[word] : 0));
    if (hit != 0) found = page * kPageBytes + word * 64 + static_cast<uint64_t>(std::countr_zero(hit));
    return hit == 0;
  });
  return found;
}

void Footprint::join(const Footprint& other) {
  kernels_ += (kernels_.empty() ? "" : ", ") + other.kernels_;
  for (const auto& [page, bits] : other.pages_) {
    Page& mine = pages_[page];
    for (size_t n = 0; n < bits.read.size(); ++n) {
      mine.read[n] |= bits.read[n];
      mine.written[n] |= bits.written[n];
    }
  }
}

}  // namespace sim::checkers

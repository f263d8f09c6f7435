#include "machine/write_map.hpp"

#include <algorithm>
#include <bit>

namespace sim {

void WriteMap::add(uint64_t address, uint64_t bytes) {
  Block& block = blocks_[address];
  block = Block{};
  block.address = address;
  block.bytes = bytes;
  block.pages.resize((bytes + kPageBytes - 1) / kPageBytes);
}

WriteMap::Block* WriteMap::find(uint64_t address) {
  if (last_ != nullptr && address - last_->address < last_->bytes) return last_;
  auto next = blocks_.upper_bound(address);
  if (next == blocks_.begin()) return nullptr;
  Block& block = (--next)->second;
  if (address - block.address >= block.bytes) return nullptr;
  return last_ = &block;
}

template <class F>
void WriteMap::each_word(Block& block, uint64_t address, uint64_t bytes, bool makes_pages, F&& f) {
  uint64_t at = address - block.address;
  const uint64_t end = std::min(at + bytes, block.bytes);
  while (at < end) {
    std::unique_ptr<Page>& page = block.pages[at / kPageBytes];
    if (!page && makes_pages) page = std::make_unique<Page>();
    const uint64_t first = at % 64, count = std::min(64 - first, end - at);
    const uint64_t bits = (count == 64 ? ~0ull : (1ull << count) - 1) << first;
    f(page ? &(*page)[at % kPageBytes / 64] : nullptr, bits);
    at += count;
  }
}

void WriteMap::write(uint64_t address, uint64_t bytes) {
  if (Block* block = find(address))
    each_word(*block, address, bytes, true, [](uint64_t* word, uint64_t bits) { *word |= bits; });
}

uint64_t WriteMap::unwritten(uint64_t address, uint64_t bytes) {
  Block* block = find(address);
  if (block == nullptr) return 0;
  uint64_t missing = 0;
  each_word(*block, address, bytes, false, [&](const uint64_t* word, uint64_t bits) {
    missing += static_cast<uint64_t>(std::popcount(word != nullptr ? bits & ~*word : bits));
  });
  return missing;
}

}  // namespace sim

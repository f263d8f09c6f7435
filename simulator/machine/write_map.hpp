// Which bytes of device memory something has written, for the check of reads before writes: a bit for every byte of the
// allocations made since tracking began, in pages that come with their first write. Not thread safe: checked launches
// run on one host thread, under the driver's lock.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace sim {

class WriteMap {
 public:
  void add(uint64_t address, uint64_t bytes);  // an allocation of which nothing is written
  void remove(uint64_t address) {
    blocks_.erase(address);
    last_ = nullptr;
  }
  void clear() {
    blocks_.clear();
    last_ = nullptr;
  }
  void write(uint64_t address, uint64_t bytes);
  // How many of the bytes nothing has written; memory that is not tracked counts as written.
  uint64_t unwritten(uint64_t address, uint64_t bytes);

 private:
  static constexpr uint64_t kPageBytes = 4096;
  using Page = std::array<uint64_t, kPageBytes / 64>;
  struct Block {
    uint64_t address = 0, bytes = 0;
    std::vector<std::unique_ptr<Page>> pages;
  };
  Block* find(uint64_t address);
  // Calls f(word of the page or nullptr, bits) for every 64 bytes that [address, address + bytes) touches.
  template <class F>
  void each_word(Block& block, uint64_t address, uint64_t bytes, bool makes_pages, F&& f);

  std::map<uint64_t, Block> blocks_;
  Block* last_ = nullptr;
};

}  // namespace sim

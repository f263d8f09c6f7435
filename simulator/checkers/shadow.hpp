// What the race checker remembers of memory: for every 4-byte word the accesses that a later one may conflict with.
// An access is an event (one warp instruction in one epoch, or one asynchronous copy) and the lanes of it. Words whose
// bytes have different histories are kept byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include "machine/observer.hpp"

namespace sim::checkers {

// Where a copy may be relied on: after the wait of its own thread, and in the phases of mbarriers that heard of it.
struct Copy {
  uint32_t lane = 0;
  uint64_t ordinal = 0, sequence = 0;
  uint32_t read_at = 0, done_at = 0;  // epochs of the issuing warp at wait_group.read and wait_group; 0: not waited
  std::vector<std::pair<uint32_t, uint32_t>> told;  // mbarrier, phase
};

struct Event {
  uint32_t pc = 0, epoch = 0;
  uint64_t block = 0;
  uint16_t warp = 0;
  bool is_strong = false;    // volatile, relaxed or stronger: two of them with wide enough scopes do not race
  bool is_wide = false;      // gpu or sys scope
  bool is_async = false;     // asynchronous proxy
  bool is_mbarrier = false;  // of an mbarrier operation
  bool is_live = false;
  uint8_t bytes = 0;  // of a strong access; 0: fits any
  std::unique_ptr<Copy> copy;
};

struct Entry {
  uint32_t event : 31;
  uint32_t is_write : 1;
  uint32_t lanes;
};

struct Cell {
  static constexpr uint8_t kInline = 4;
  Entry entry[kInline];
  uint32_t extra;  // more entries, or with is_split four cells of a byte each: index + 1, 0 = none
  uint8_t count;   // in entry[]
  uint8_t strong;  // all entries are strong and wide accesses of so many bytes; 0: not so
  uint8_t is_split;
  uint8_t unused;
};
static_assert(sizeof(Cell) == 40);

// Cells of one memory, and the overflow of any.
class Shadow {
 public:
  struct Bytes {
    Cell cell[4];
  };

  std::vector<Entry>& extra(Cell& c) {
    if (c.extra == 0) c.extra = 1 + take(extras_, free_extras_);
    return extras_[c.extra - 1];
  }
  Bytes& bytes(Cell& c) { return bytes_[c.extra - 1]; }
  void split(Cell& c);
  // Forgets the accesses.
  void clear(Cell& c);

  // Calls f(cells) for each array of cells; f(entry) for all entries.
  void resize_shared(size_t bytes) { shared_.assign((bytes + 3) / 4, Cell{}); }
  Cell* shared(size_t offset) { return &shared_[offset / 4]; }
  Cell* global(uint64_t address) {
    const uint64_t page = address >> kPageBits;
    if (page != last_page_) {
      std::unique_ptr<Cell[]>& cells = pages_[page];
      if (!cells) cells.reset(new Cell[kPageBytes / 4]());
      last_ = cells.get();
      last_page_ = page;
    }
    return last_ + (address & (kPageBytes - 1)) / 4;
  }
  template <class F>
  void each_entry(F&& f) {
    for (Cell& c : shared_) each_of(c, f);
    for (auto& [page, cells] : pages_)
      for (size_t n = 0; n < kPageBytes / 4; ++n) each_of(cells[n], f);
  }

  static constexpr int kPageBits = 12;
  static constexpr uint64_t kPageBytes = 1u << kPageBits;

 private:
  template <class T>
  static uint32_t take(std::vector<T>& from, std::vector<uint32_t>& free) {
    if (free.empty()) {
      from.emplace_back();
      return static_cast<uint32_t>(from.size() - 1);
    }
    const uint32_t index = free.back();
    free.pop_back();
    return index;
  }
  template <class F>
  void each_of(Cell& c, F&& f) {
    if (c.is_split != 0) {
      for (Cell& b : bytes(c).cell) each_of(b, f);
      return;
    }
    for (uint8_t n = 0; n < c.count; ++n) f(c.entry[n]);
    if (c.extra != 0)
      for (Entry& e : extras_[c.extra - 1]) f(e);
  }

  std::vector<Cell> shared_;
  std::unordered_map<uint64_t, std::unique_ptr<Cell[]>> pages_;
  uint64_t last_page_ = ~0ull;
  Cell* last_ = nullptr;
  std::vector<std::vector<Entry>> extras_;
  std::vector<uint32_t> free_extras_;
  std::vector<Bytes> bytes_;
  std::vector<uint32_t> free_bytes_;
};

}  // namespace sim::checkers

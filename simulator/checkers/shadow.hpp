// What the race checker remembers of memory: for every 4-byte word the accesses that a later one may conflict with.
// An access is an event (one warp instruction in one epoch, or one asynchronous copy) and the lanes of it. Rows of
// words with one history are kept as one; words whose bytes have different histories are kept byte by byte.
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
  bool is_remote = false;             // an mbarrier of another block hears of it
  uint32_t read_at = 0, done_at = 0;  // epochs of the issuing warp at wait_group.read and wait_group; 0: not waited
  std::vector<std::pair<uint32_t, uint32_t>> told;  // mbarrier, phase
};

struct Event {
  uint32_t pc = 0, epoch = 0;
  uint64_t block = 0;
  uint16_t warp = 0;
  bool is_strong = false;    // volatile, relaxed or stronger: two of them with wide enough scopes do not race
  bool is_far = false;       // cluster scope or wider
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

// 32 words. While they have one history, `cell` is that of each: an entry without lanes is then of the word's own lane,
// which is first + (word >> shift). Else `cells` holds the words' own; of four words with one history (ldmatrix and
// vectors of 16 bytes leave them so) the first word's stands for all.
struct Row {
  static constexpr uint32_t kWords = 32, kBytes = 4 * kWords, kQuadBytes = 16;
  Cell cell{};
  Cell* cells = nullptr;
  uint8_t first = 0, shift = 0;
  uint8_t quads = 0;  // bit q: cells[4q] is of the words 4q to 4q + 3

  bool is_quad(uint64_t q) const { return (quads >> q & 1) != 0; }

  bool is_of(uint32_t first_lane, uint32_t lane_shift) const { return first == first_lane && shift == lane_shift; }
  bool has_own_lanes() const {
    for (uint8_t n = 0; n < cell.count; ++n)
      if (cell.entry[n].lanes == 0) return true;
    return false;
  }
};

// Rows of one memory, and the overflow of any.
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
  // Four words, or each word of four, have a history of their own from now on.
  void expand(Row& row);
  void spread(Row& row, uint64_t quad);
  // The first word's history is that of all four.
  void gather(Row& row, uint64_t quad);
  // Every word of an expanded row has the history `cell` now, as Row says.
  void collapse(Row& row, Cell cell);

  void resize_shared(size_t bytes) { shared_.assign((bytes + Row::kBytes - 1) / Row::kBytes, Row{}); }
  Row& shared(size_t offset) { return shared_[offset / Row::kBytes]; }
  Row& global(uint64_t address) {
    const uint64_t page = address >> kPageBits;
    if (page != last_page_) {
      std::unique_ptr<Row[]>& rows = pages_[page];
      if (!rows) rows.reset(new Row[kPageBytes / Row::kBytes]);
      last_ = rows.get();
      last_page_ = page;
    }
    return last_[(address & (kPageBytes - 1)) / Row::kBytes];
  }
  // Whether all of the words [offset, + bytes) have the reads `event` of all `lanes`.
  bool has_read(size_t offset, size_t bytes, uint32_t event, uint32_t lanes) {
    for (const size_t end = offset + bytes; offset < end; offset += 4) {
      Row& row = shared(offset);
      const uint64_t word = offset % Row::kBytes / 4;
      if (row.cells == nullptr || row.is_quad(word / 4) || row.cells[word].is_split != 0) return false;
      bool is_found = false;
      each_of(row.cells[word],
              [&](const Entry& e) { is_found |= e.event == event && e.is_write == 0 && (lanes & ~e.lanes) == 0; });
      if (!is_found) return false;
    }
    return true;
  }
  // Calls f(entry, offset of its row) for those of shared memory.
  template <class F>
  void each_shared_entry(F&& f) {
    for (size_t row = 0; row < shared_.size(); ++row)
      each_of(shared_[row], [&](const Entry& e) { f(e, row * Row::kBytes); });
  }
  // Calls f(entry) for all entries.
  template <class F>
  void each_entry(F&& f) {
    for (Row& r : shared_) each_of(r, f);
    for (auto& [page, rows] : pages_)
      for (size_t n = 0; n < kPageBytes / Row::kBytes; ++n) each_of(rows[n], f);
  }

 private:
  void copy(const Cell& from, Cell& to);

  static constexpr int kPageBits = 12;
  static constexpr uint64_t kPageBytes = 1u << kPageBits;

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
  void each_of(Row& r, F&& f) {
    if (r.cells == nullptr) return each_of(r.cell, f);
    for (uint32_t n = 0; n < Row::kWords; n += r.is_quad(n / 4) ? 4 : 1) each_of(r.cells[n], f);
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

  std::vector<Row> shared_;
  std::unordered_map<uint64_t, std::unique_ptr<Row[]>> pages_;
  uint64_t last_page_ = ~0ull;
  Row* last_ = nullptr;
  std::vector<std::unique_ptr<Cell[]>> expanded_;
  std::vector<Cell*> free_cells_;
  std::vector<std::vector<Entry>> extras_;
  std::vector<uint32_t> free_extras_;
  std::vector<Bytes> bytes_;
  std::vector<uint32_t> free_bytes_;
};

}  // namespace sim::checkers

#include "checkers/shadow.hpp"

#include <utility>

namespace sim::checkers {

void Shadow::clear(Cell& c) {
  if (c.is_split != 0) {
    const uint32_t index = c.extra - 1;
    for (int n = 0; n < 4; ++n) clear(bytes_[index].cell[n]);
    free_bytes_.push_back(index);
  } else if (c.extra != 0) {
    extras_[c.extra - 1].clear();
    free_extras_.push_back(c.extra - 1);
  }
  c.extra = 0;
  c.count = c.strong = c.is_split = 0;
}

void Shadow::split(Cell& c) {
  if (c.is_split != 0) return;
  Bytes four;
  for (Cell& b : four.cell) {
    b = c;
    b.extra = 0;
    if (c.extra == 0) continue;
    const uint32_t copy = take(extras_, free_extras_);
    extras_[copy] = extras_[c.extra - 1];
    b.extra = copy + 1;
  }
  clear(c);
  const uint32_t index = take(bytes_, free_bytes_);
  bytes_[index] = four;
  c.extra = index + 1;
  c.is_split = 1;
}

void Shadow::copy(const Cell& from, Cell& to) {
  to = from;
  if (from.extra == 0) return;
  to.extra = 0;
  const std::vector<Entry> more = extras_[from.extra - 1];
  extra(to) = more;
}

void Shadow::expand(Row& row) {
  if (row.cells != nullptr) return;
  if (free_cells_.empty()) {
    expanded_.emplace_back(new Cell[Row::kWords]);
    free_cells_.push_back(expanded_.back().get());
  }
  row.cells = free_cells_.back();
  free_cells_.pop_back();
  const bool has_quads = row.shift >= 2 || !row.has_own_lanes();
  row.quads = has_quads ? 0xff : 0;
  for (uint32_t w = 0; w < Row::kWords; w += has_quads ? 4 : 1) {
    Cell& c = row.cells[w];
    copy(row.cell, c);
    for (uint8_t n = 0; n < c.count; ++n)
      if (c.entry[n].lanes == 0) c.entry[n].lanes = 1u << (row.first + (w >> row.shift));
  }
  clear(row.cell);
}

void Shadow::spread(Row& row, uint64_t quad) {
  if (!row.is_quad(quad)) return;
  row.quads &= static_cast<uint8_t>(~(1u << quad));
  for (uint64_t n = 1; n < 4; ++n) copy(row.cells[4 * quad], row.cells[4 * quad + n]);
}

void Shadow::gather(Row& row, uint64_t quad) {
  for (uint64_t n = 1; n < 4; ++n) clear(row.cells[4 * quad + n]);
  row.quads |= static_cast<uint8_t>(1u << quad);
}

void Shadow::collapse(Row& row, Cell cell) {
  for (uint32_t w = 0; w < Row::kWords; w += row.is_quad(w / 4) ? 4 : 1) clear(row.cells[w]);
  free_cells_.push_back(std::exchange(row.cells, nullptr));
  row.cell = cell;
}

}  // namespace sim::checkers

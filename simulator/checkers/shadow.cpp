#include "checkers/shadow.hpp"

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

}  // namespace sim::checkers

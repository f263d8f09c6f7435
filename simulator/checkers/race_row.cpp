// A whole warp's row of words against what the shadow remembers: one verdict for all lanes where each meets the same.
#include <algorithm>
#include <bit>

#include "checkers/race.hpp"

namespace sim::checkers {

// All 32 lanes, each at its own `words` words of one row, a power of two.
void RaceChecker::touch_row(Accessor& a, std::byte* p, uint32_t words) {
  Shadow& shadow = shadow_of(a);
  const auto shift = static_cast<uint32_t>(std::countr_zero(words));
  uint64_t at = place_of(a, p);
  for (uint32_t word = 0; word < kWarpSize * words;) {
    const auto offset = static_cast<uint32_t>(at % Row::kBytes / 4);
    const uint32_t count = std::min(Row::kWords - offset, kWarpSize * words - word);
    Row& row = row_at(a, shadow, at);
    const uint32_t first = word >> shift;
    if (count != Row::kWords || !touch_alike(a, row, true, first, shift)) {
      shadow.expand(row);
      for (uint32_t n = 0; n < count;) {
        const uint32_t quad = (offset + n) / 4;
        a.lane = (word + n) >> shift;
        if (shift >= 2 && at % Row::kQuadBytes == 0) {
          touch_quad(a, shadow, row, quad, p + 4 * n);
          n += 4;
        } else {
          shadow.spread(row, quad);
          touch_word(a, shadow, row.cells[offset + n], p + 4 * n);
          ++n;
        }
      }
      if (count == Row::kWords && is_weak_write(a)) {
        Cell cell = row.cells[0];
        cell.entry[0].lanes = 0;
        shadow.collapse(row, cell);
        row.first = static_cast<uint8_t>(first), row.shift = static_cast<uint8_t>(shift);
      }
    }
    word += count, at += 4 * count, p += 4 * count;
  }
}

// All words of a row whose history is one. is_own: by the lane of each word, as `first` and `shift` say (Row); else all
// by the lane of `a`. False: words differ in their verdict, or somebody is to be told; nothing has been done.
bool RaceChecker::touch_alike(Accessor& a, Row& row, bool is_own, uint32_t first, uint32_t shift) {
  Cell& c = row.cell;
  const Event& me = events_[a.event];
  if (row.cells != nullptr || c.extra != 0 || (a.is_write && me.is_strong)) return false;
  const bool has_own = row.has_own_lanes(), is_aligned = row.is_of(first, shift);
  const Entry mine{a.event, a.is_write, is_own ? 0 : a.bit()};
  if (!a.is_write) {
    if (is_own && has_own && !is_aligned) return false;
    for (uint8_t n = 0; n < c.count; ++n)  // every write since has been followed by this
      if (c.entry[n].event == mine.event && !c.entry[n].is_write && c.entry[n].lanes == mine.lanes) return true;
    if (c.count == Cell::kInline) return false;
  }
  for (uint8_t n = 0; n < c.count; ++n) {
    Entry e = c.entry[n];
    if (!e.is_write && !a.is_write) continue;
    const Event& other = events_[e.event];
    if (other.is_mbarrier) return false;
    if (is_own && e.lanes == 0 && is_aligned && other.warp == me.warp && other.block == me.block) continue;
    if (e.lanes == 0) e.lanes = ~0u;
    bool is_unfenced = false;
    if (!is_before(a, e, is_own ? 0 : a.bit(), is_unfenced)) return false;
  }
  uint8_t kept = 0;
  if (!a.is_write)  // a lane's later read stands for its earlier ones
    for (uint8_t n = 0; n < c.count; ++n) {
      const Event& other = events_[c.entry[n].event];
      const bool is_replaced =
          is_own && !c.entry[n].is_write && c.entry[n].lanes == 0 && other.warp == me.warp && other.block == me.block;
      if (!is_replaced) c.entry[kept++] = c.entry[n];
    }
  const uint8_t strong = me.is_strong && !me.is_async && reaches_all(me, a.is_shared) ? me.bytes : 0;
  c.strong = c.count == 0 || c.strong == strong ? strong : 0;
  c.count = kept;
  c.entry[c.count++] = mine;
  if (is_own) row.first = static_cast<uint8_t>(first), row.shift = static_cast<uint8_t>(shift);
  return true;
}

// Whether the word's history is one whose verdict is known: nothing is left to do then.
bool RaceChecker::repeats(const Accessor& a, Cell& c) const {
  using Known = Accessor::Known;
  if (a.known == Known::kNothing || c.count != a.before.count || c.extra != 0 || c.strong != a.before.strong ||
      (a.known == Known::kOneLane && a.lane != a.known_lane))
    return false;
  const bool is_any = a.known == Known::kOneLane;  // entries without lanes match any
  for (uint8_t n = 0; n < c.count; ++n) {
    const Entry &e = c.entry[n], &known = a.before.entry[n];
    if (e.event != known.event || e.is_write != known.is_write) return false;
    if (known.lanes != 0 ? e.lanes != known.lanes : !is_any && e.lanes != a.bit()) return false;
  }
  c = a.after;
  for (uint8_t n = 0; n < c.count; ++n)
    if (c.entry[n].lanes == 0) c.entry[n].lanes = a.bit();
  return true;
}

// The verdict on a word whose history was `before` and is `after`.
void RaceChecker::learn(Accessor& a, const Cell& before, const Cell& after) {
  a.known = Accessor::Known::kNothing;
  if (before.extra != 0 || after.extra != 0) return;
  a.known = Accessor::Known::kOneLane;
  a.known_lane = a.lane;
  a.before = before, a.after = after;
  if (events_[a.event].copy) {
    for (uint8_t n = 0; is_weak_write(a) && n < before.count; ++n) {
      Entry all = before.entry[n];
      all.lanes = ~0u;
      bool is_unfenced = false;
      const Event& other = events_[all.event];
      if (!other.copy && !other.is_mbarrier && is_before(a, all, a.bit(), is_unfenced)) a.before.entry[n].lanes = 0;
    }
    return;
  }
  if (!a.is_write && before.count == Cell::kInline) return;
  for (uint8_t n = 0; n < before.count; ++n)
    if (!is_alike(a, before.entry[n])) return;
  a.known = Accessor::Known::kAnyLane;
  const auto make_own = [&](Cell& c) {
    for (uint8_t n = 0; n < c.count; ++n)
      if (c.entry[n].lanes == a.bit() && !events_[c.entry[n].event].copy) c.entry[n].lanes = 0;
  };
  make_own(a.before);
  make_own(a.after);
}

// Whether each lane of this instruction would be after its like of the earlier access: one that is of the lane alone,
// or of the same lanes for all.
bool RaceChecker::is_alike(const Accessor& a, const Entry& e) {
  const Event &me = events_[a.event], &other = events_[e.event];
  if (other.is_mbarrier) return false;
  const bool is_own = e.lanes == a.bit() && !other.copy;
  if (other.warp == me.warp && other.block == me.block && !other.copy) return is_own;
  if (!e.is_write && !a.is_write) return true;
  Entry all = e;
  if (is_own) all.lanes = ~0u;
  bool is_unfenced = false;
  return is_before(a, all, 0, is_unfenced);
}

}  // namespace sim::checkers

// One access against what the shadow remembers.
#include <algorithm>
#include <bit>

#include "checkers/race.hpp"

namespace sim::checkers {
// Strong accesses that include each other's thread in their scope and overlap completely do not race.
bool RaceChecker::are_strong(const Event& x, const Event& y) const {
  if (!x.is_strong || !y.is_strong || (x.bytes != y.bytes && x.bytes != 0 && y.bytes != 0)) return false;
  return x.block == y.block || (x.is_wide && y.is_wide) || (x.is_far && y.is_far && is_same_cluster(x.block, y.block));
}

const LaneClass& RaceChecker::class_of(WarpLanes& lanes, uint32_t lane) const {
  return *std::find_if(lanes.classes.begin(), lanes.classes.end(),
                       [&](const LaneClass& c) { return (c.mask >> lane & 1) != 0; });
}

void RaceChecker::access(Warp& w, const Instr& i, const MemoryAccess& m, const Pointers& at) {
  if (m.space == Space::kLocal || m.space == Space::kParam || m.space == Space::kConst) return;
  BlockClocks& own = clocks_of(*w.block);
  WarpLanes& lanes = own.warps[w.index];
  begin(lanes);
  const uint32_t event = event_of(w, i, m.order, m.scope, m.bytes, false);
  const std::byte *shared = w.block->shared, *end = shared + w.block->shared_bytes;
  const bool is_row = at.shape == Pointers::Shape::kRow && m.space != Space::kGeneric && m.bytes % 4 == 0;
  for (const LaneClass& c : lanes.classes) {
    Accessor a(own, w, c, 0, event, m.access != Access::kRead, m.space == Space::kShared);
    if (m.home != nullptr) {
      a.home = &clocks_of(*m.home);
      if ((c.mask & w.mask) != 0) check_started(w, i, c, at.of(std::countr_zero(c.mask & w.mask), m.bytes));
    }
    if (is_row && c.mask == 0xffffffffu && place_of(a, at.base) % 4 == 0) {
      touch_row(a, at.base, m.bytes / 4);
      continue;
    }
    for (uint32_t left = c.mask & w.mask; left != 0; left &= left - 1) {
      a.lane = static_cast<uint32_t>(std::countr_zero(left));
      std::byte* const p = at.of(static_cast<int>(a.lane), m.bytes);
      if (m.space == Space::kGeneric) {  // lanes differ: local memory and parameters lie outside allocations
        a.is_shared = p >= shared && p < end;
        if (!a.is_shared && !grid_.memory->find(reinterpret_cast<uint64_t>(p), 1)) continue;
      }
      touch(a, p, m.bytes);
    }
  }
  if (m.order != Order::kWeak || (m.access != Access::kRead && !variables_.empty())) synchronise(w, m, at);
}

void RaceChecker::touch(Accessor& a, std::byte* p, uint64_t bytes) {
  Shadow& shadow = shadow_of(a);
  for (uint64_t at = place_of(a, p); bytes != 0;) {
    const uint64_t n = std::min(bytes, Row::kBytes - at % Row::kBytes);
    touch_part(a, shadow, row_at(a, shadow, at), p, at % Row::kBytes, n);
    at += n, p += n, bytes -= n;
  }
}

void RaceChecker::touch_part(Accessor& a, Shadow& shadow, Row& row, std::byte* p, uint64_t at, uint64_t bytes) {
  const bool is_whole = bytes == Row::kBytes;
  if (is_whole && touch_alike(a, row, false, 0, 0)) return;
  shadow.expand(row);
  while (bytes != 0) {
    const uint64_t quad = at / Row::kQuadBytes;
    uint64_t n = 4;
    if (at % Row::kQuadBytes == 0 && bytes >= Row::kQuadBytes) {
      n = Row::kQuadBytes;
      touch_quad(a, shadow, row, quad, p);
    } else {
      shadow.spread(row, quad);
      Cell& c = row.cells[at / 4];
      if (at % 4 != 0 || bytes < 4) {
        n = 1;
        shadow.split(c);
        touch_cell(a, shadow, shadow.bytes(c).cell[at % 4], p);
      } else {
        touch_word(a, shadow, c, p);
      }
    }
    at += n, p += n, bytes -= n;
  }
  if (is_whole && is_weak_write(a)) shadow.collapse(row, row.cells[0]);
}

void RaceChecker::touch_quad(Accessor& a, Shadow& shadow, Row& row, uint64_t quad, std::byte* p) {
  Cell* const c = row.cells + 4 * quad;
  if (row.is_quad(quad)) return touch_word(a, shadow, *c, p);
  for (int n = 0; n < 4; ++n) touch_word(a, shadow, c[n], p + 4 * n);
  if (is_weak_write(a)) shadow.gather(row, quad);
}

void RaceChecker::touch_word(Accessor& a, Shadow& shadow, Cell& c, std::byte* p) {
  if (c.is_split != 0) {
    for (int b = 0; b < 4; ++b) touch_cell(a, shadow, shadow.bytes(c).cell[b], p + b);
    if (!is_weak_write(a)) return;
    shadow.clear(c);
    add(a, shadow, c);
    return;
  }
  if (repeats(a, c)) return;
  const Cell before = c;
  touch_cell(a, shadow, c, p);
  learn(a, before, c);
}

void RaceChecker::touch_cell(Accessor& a, Shadow& shadow, Cell& c, const std::byte* p) {
  const Event& me = events_[a.event];
  if (c.count != 0 && (c.strong == 0 || !me.is_strong || c.strong != me.bytes || !reaches_all(me, a.is_shared))) {
    // Entries that are settled are not needed any more once this access is a write.
    uint8_t kept = 0;
    for (uint8_t n = 0; n < c.count; ++n)
      if (!settles(a, c.entry[n], p) || !a.is_write) c.entry[kept++] = c.entry[n];
    c.count = kept;
    if (c.extra != 0) std::erase_if(shadow.extra(c), [&](const Entry& e) { return settles(a, e, p) && a.is_write; });
  }
  if (is_weak_write(a)) shadow.clear(c);
  add(a, shadow, c);
}

// Holds the access against an earlier one. True: the earlier one is before it, or the race has been told.
bool RaceChecker::settles(Accessor& a, const Entry& e, const std::byte* p) {
  if (!e.is_write && !a.is_write) return false;
  if (e.event == a.sure[0] || e.event == a.sure[1]) return true;
  const Event &me = events_[a.event], &other = events_[e.event];
  if (other.is_mbarrier && !me.is_mbarrier && a.is_shared) {
    const auto address = static_cast<uint32_t>(p - a.home->block->shared + a.home->block->shared_base) & ~7u;
    if (a.home->mbarriers.contains(address) && findings_.is_new("live", me.pc, other.pc))
      findings_.add(*a.warp, me.pc, a.bit(), "sync", buffer_text(*a.own->block, p, true),
                    std::string(a.is_write ? "writes" : "reads") + " an mbarrier that is in use, last by\n  " +
                        instruction_text(*grid_.kernel, other.pc) + "  " +
                        place_text(grid_, other.block, other.warp, e.lanes));
  }
  bool is_unfenced = false;
  if (is_before(a, e, is_unfenced)) {
    const bool is_sure = !other.copy && !me.is_async && other.block == me.block &&
                         a.lanes->knowledge.seen.warps[other.warp].covers_all(other.epoch);
    if (is_sure) {
      a.sure[1] = a.sure[0];
      a.sure[0] = e.event;
    }
    return true;
  }
  if (!is_unfenced && are_strong(me, other)) return false;
  tell_race(a, e, p, is_unfenced);
  return true;
}

bool RaceChecker::is_covered(const Accessor& a, const Clock& clock, const Event& e, uint32_t lanes,
                             uint32_t epoch) const {
  if (e.block == a.own->block->index) return e.warp < clock.warps.size() && clock.warps[e.warp].covers(lanes, epoch);
  if (clock.foreign == nullptr) return false;
  const auto known = clock.foreign->find(e.block);
  return known != clock.foreign->end() && e.warp < known->second->size() &&
         (*known->second)[e.warp].covers(lanes, epoch);
}

// `self`: lanes whose own accesses come before this one by program order.
bool RaceChecker::is_before(const Accessor& a, const Entry& e, uint32_t self, bool& is_unfenced) {
  const Event& other = events_[e.event];
  const Knowledge& k = a.lanes->knowledge;
  const bool is_here = other.block == a.own->block->index, is_own_warp = is_here && other.warp == a.warp->index;
  const bool needs_fence = events_[a.event].is_async && !a.is_map && !other.is_async && e.is_write;
  const Clock& fenced = k.fenced[a.is_shared ? 0 : 1];
  const uint32_t fenced_at = a.lanes->fenced_at[a.is_shared ? 0 : 1];
  uint32_t lanes = e.lanes, epoch = other.epoch;
  if (other.copy) {
    const Copy& copy = *other.copy;
    const auto is_told = [&](const Clock& c) {
      return (is_here || is_same_cluster(other.block, a.own->block->index)) &&
             std::any_of(copy.told.begin(), copy.told.end(),
                         [&](const auto& at) { return at.first < c.phases.size() && c.phases[at.first] > at.second; });
    };
    if (is_told(k.seen)) {
      is_unfenced = needs_fence && !is_told(fenced);
      return !is_unfenced;
    }
    epoch = e.is_write || copy.read_at == 0 ? copy.done_at : copy.read_at;
    if (epoch == 0) return false;
  }
  const uint32_t others = is_own_warp ? lanes & ~self : lanes;
  if (others != 0 && !is_covered(a, k.seen, other, others, epoch)) return false;
  if (!needs_fence) return true;
  if (is_own_warp && epoch <= fenced_at) lanes &= ~self;
  is_unfenced = lanes != 0 && !is_covered(a, fenced, other, lanes, epoch);
  return !is_unfenced;
}

void RaceChecker::add(Accessor& a, Shadow& shadow, Cell& c) {
  const Event& me = events_[a.event];
  const uint8_t strong = me.is_strong && !me.is_async && reaches_all(me, a.is_shared) ? me.bytes : 0;
  c.strong = c.count == 0 || c.strong == strong ? strong : 0;
  // A lane's later access stands for its earlier ones of the same kind.
  const auto is_replaced = [&](Entry& e) {
    if (e.is_write && !a.is_write) return false;
    const Event& other = events_[e.event];
    if (other.warp == me.warp && other.block == me.block && !other.copy && !me.copy && e.event != a.event)
      e.lanes &= ~a.bit();
    return e.lanes == 0;
  };
  const auto is_same = [&](const Entry& e) { return e.event == a.event && e.is_write == a.is_write; };
  for (uint8_t n = 0; n < c.count; ++n)
    if (is_same(c.entry[n])) {
      c.entry[n].lanes |= a.bit();
      return;
    }
  uint8_t kept = 0;
  for (uint8_t n = 0; n < c.count; ++n) {
    if (!is_replaced(c.entry[n])) c.entry[kept++] = c.entry[n];
  }
  c.count = kept;
  if (c.extra != 0) {
    std::vector<Entry>& more = shadow.extra(c);
    for (Entry& e : more)
      if (is_same(e)) {
        e.lanes |= a.bit();
        return;
      }
    std::erase_if(more, is_replaced);
  }
  const Entry mine{a.event, a.is_write, a.bit()};
  if (c.count == Cell::kInline && !a.is_write) {  // reads that are before this one need not be kept
    kept = 0;
    bool is_unfenced = false;
    for (uint8_t n = 0; n < c.count; ++n)
      if (c.entry[n].is_write || !is_before(a, c.entry[n], is_unfenced)) c.entry[kept++] = c.entry[n];
    c.count = kept;
  }
  if (c.count < Cell::kInline)
    c.entry[c.count++] = mine;
  else
    shadow.extra(c).push_back(mine);
}

void RaceChecker::tell_race(const Accessor& a, const Entry& e, const std::byte* p, bool is_unfenced) {
  const Event &me = events_[a.event], &other = events_[e.event];
  const bool is_init = me.is_mbarrier && other.is_mbarrier;
  if (!findings_.is_new(is_init ? "init" : is_unfenced ? "proxy" : "race", me.pc, other.pc)) return;
  const auto proxy = [](const Event& x) {
    return x.is_async ? "asynchronous " : x.copy ? "cp.async " : x.is_strong ? "strong " : "";
  };
  const std::string mine = std::string(proxy(me)) + (a.is_write ? "write" : "read");
  const std::string theirs = std::string(proxy(other)) + (e.is_write ? "write" : "read");
  std::string what;
  if (is_init)
    what = "uses an mbarrier whose initialisation is not ordered before it, by";
  else if (is_unfenced)
    what = mine + " of what was written through the generic proxy without a fence.proxy.async in between; the write is";
  else
    what = mine + " races with the " + theirs + " by";
  what += "\n  " + instruction_text(*grid_.kernel, other.pc) + "  " +
          place_text(grid_, other.block, other.warp, other.copy ? 1u << other.copy->lane : e.lanes);
  if (!is_unfenced && other.copy && other.copy->done_at == 0 && other.copy->told.empty())
    what += "; nothing has waited for that copy";
  else if (me.is_strong && other.is_strong && other.block != me.block)
    what += is_same_cluster(other.block, me.block) ? "; a .cta scope does not reach the other block"
                                                   : "; a .cta or .cluster scope does not reach the other block";
  else if (me.is_strong && other.is_strong && other.bytes != me.bytes)
    what += "; they differ in size";
  else if (!is_unfenced && other.block == me.block && other.warp == me.warp && !other.copy)
    what += "; lanes of a warp are ordered by __syncwarp() alone";
  findings_.add(*a.warp, me.pc, a.bit(), is_init ? "sync" : "race", buffer_text(*a.own->block, p, a.is_shared), what);
}

}  // namespace sim::checkers

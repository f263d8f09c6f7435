// One access against what the shadow remembers.
#include <algorithm>
#include <bit>

#include "checkers/race.hpp"

namespace sim::checkers {
namespace {

// Strong accesses that include each other's thread in their scope and overlap completely do not race.
bool are_strong(const Event& x, const Event& y) {
  if (!x.is_strong || !y.is_strong || (x.bytes != y.bytes && x.bytes != 0 && y.bytes != 0)) return false;
  return x.block == y.block || (x.is_wide && y.is_wide);
}

}  // namespace

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
    Accessor a{&own, &w, &c, 0, event, m.access != Access::kRead, m.space == Space::kShared};
    if (is_row && c.mask == 0xffffffffu && touch_row(a, at.base, m.bytes / 4)) continue;
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

// All 32 lanes, each at its own `words` words of one row. Where lane 0 meets only accesses of lane 0 that surely come
// before, the verdict is the same for every lane that meets the same of its own. False: nothing has been done.
bool RaceChecker::touch_row(Accessor& a, std::byte* p, size_t words) {
  Shadow& shadow = a.is_shared ? a.own->shared : global_;
  const uint64_t at = a.is_shared ? static_cast<uint64_t>(p - a.own->block->shared) : reinterpret_cast<uint64_t>(p);
  const size_t bytes = kWarpSize * words * 4;
  if (at % 4 != 0 || (!a.is_shared && at % Shadow::kPageBytes + bytes > Shadow::kPageBytes)) return false;
  Cell* c = a.is_shared ? shadow.shared(at) : shadow.global(at);
  if (!is_own_history(a, *c)) return false;
  const Cell before = *c;
  touch_words(a, shadow, c, p, words);
  const Cell after = *c;
  const bool is_plain = after.extra == 0 && after.is_split == 0;
  c += words, p += 4 * words;
  for (a.lane = 1; a.lane < kWarpSize; ++a.lane) {
    for (size_t n = 0; n < words; ++n, ++c, p += 4) {
      bool is_same =
          is_plain && c->extra == 0 && c->is_split == 0 && c->count == before.count && c->strong == before.strong;
      for (uint8_t k = 0; is_same && k < before.count; ++k)
        is_same = c->entry[k].event == before.entry[k].event && c->entry[k].is_write == before.entry[k].is_write &&
                  c->entry[k].lanes == a.bit();
      if (!is_same) {
        touch_words(a, shadow, c, p, 1);
        continue;
      }
      *c = after;
      for (uint8_t k = 0; k < after.count; ++k) c->entry[k].lanes = a.bit();
    }
  }
  return true;
}

// Whether the cell knows accesses of the lane `a.lane` alone, of warps of this block, whose order does not depend on
// the lane: of the own warp, or of epochs of which all lanes are known.
bool RaceChecker::is_own_history(const Accessor& a, const Cell& c) const {
  if (c.extra != 0 || c.is_split != 0) return false;
  const Event& me = events_[a.event];
  for (uint8_t n = 0; n < c.count; ++n) {
    const Event& other = events_[c.entry[n].event];
    if (c.entry[n].lanes != a.bit() || other.copy || other.is_mbarrier || other.block != me.block) return false;
    const std::vector<WarpClock>& known = a.lanes->knowledge.seen.warps;
    if (other.warp != me.warp && (other.warp >= known.size() || !known[other.warp].covers_all(other.epoch)))
      return false;
  }
  return true;
}

void RaceChecker::touch(Accessor& a, std::byte* p, uint64_t bytes) {
  Shadow& shadow = a.is_shared ? a.own->shared : global_;
  uint64_t at = a.is_shared ? static_cast<uint64_t>(p - a.own->block->shared) : reinterpret_cast<uint64_t>(p);
  const auto cell = [&] { return a.is_shared ? shadow.shared(at) : shadow.global(at); };
  while (bytes != 0) {
    if (at % 4 != 0 || bytes < 4) {
      Cell& c = *cell();
      shadow.split(c);
      touch_cell(a, shadow, shadow.bytes(c).cell[at % 4], p);
      ++at, ++p, --bytes;
      continue;
    }
    uint64_t n = bytes / 4 * 4;
    if (!a.is_shared) n = std::min(n, Shadow::kPageBytes - at % Shadow::kPageBytes);
    touch_words(a, shadow, cell(), p, n / 4);
    at += n, p += n, bytes -= n;
  }
}

// Neighbours mostly have one history, so one verdict serves them all.
void RaceChecker::touch_words(Accessor& a, Shadow& shadow, Cell* c, std::byte* p, size_t count) {
  Cell before{}, after{};
  bool is_known = false;
  for (size_t n = 0; n < count; ++n, ++c, p += 4) {
    if (c->is_split != 0) {
      for (int b = 0; b < 4; ++b) touch_cell(a, shadow, shadow.bytes(*c).cell[b], p + b);
      if (!a.is_write || events_[a.event].is_strong) continue;
      shadow.clear(*c);
      add(a, shadow, *c);
      continue;
    }
    if (is_known && std::memcmp(c, &before, sizeof before) == 0) {
      *c = after;
      continue;
    }
    const bool repeats = n + 1 < count && c->extra == 0;
    if (repeats) before = *c;
    touch_cell(a, shadow, *c, p);
    is_known = repeats && c->extra == 0;
    if (is_known) after = *c;
  }
}

void RaceChecker::touch_cell(Accessor& a, Shadow& shadow, Cell& c, const std::byte* p) {
  const Event& me = events_[a.event];
  const bool is_weak_write = a.is_write && !me.is_strong;
  if (c.count != 0 && (c.strong == 0 || !me.is_strong || c.strong != me.bytes || !(me.is_wide || a.is_shared))) {
    // Entries that are settled are not needed any more once this access is a write.
    uint8_t kept = 0;
    for (uint8_t n = 0; n < c.count; ++n)
      if (!settles(a, c.entry[n], p) || !a.is_write) c.entry[kept++] = c.entry[n];
    c.count = kept;
    if (c.extra != 0) std::erase_if(shadow.extra(c), [&](const Entry& e) { return settles(a, e, p) && a.is_write; });
  }
  if (is_weak_write) shadow.clear(c);
  add(a, shadow, c);
}

// Holds the access against an earlier one. True: the earlier one is before it, or the race has been told.
bool RaceChecker::settles(Accessor& a, const Entry& e, const std::byte* p) {
  if (!e.is_write && !a.is_write) return false;
  if (e.event == a.sure[0] || e.event == a.sure[1]) return true;
  const Event &me = events_[a.event], &other = events_[e.event];
  if (other.is_mbarrier && !me.is_mbarrier && a.is_shared) {
    const auto address = static_cast<uint32_t>(p - a.own->block->shared + Block::kSharedBase) & ~7u;
    if (a.own->mbarriers.contains(address) && findings_.is_new("live", me.pc, other.pc))
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

bool RaceChecker::is_before(Accessor& a, const Entry& e, bool& is_unfenced) {
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
      return is_here && std::any_of(copy.told.begin(), copy.told.end(), [&](const auto& at) {
               return at.first < c.phases.size() && c.phases[at.first] > at.second;
             });
    };
    if (is_told(k.seen)) {
      is_unfenced = needs_fence && !is_told(fenced);
      return !is_unfenced;
    }
    epoch = e.is_write || copy.read_at == 0 ? copy.done_at : copy.read_at;
    if (epoch == 0) return false;
  }
  const uint32_t others = is_own_warp ? lanes & ~a.bit() : lanes;
  if (others != 0 && !is_covered(a, k.seen, other, others, epoch)) return false;
  if (!needs_fence) return true;
  if (is_own_warp && epoch <= fenced_at) lanes &= ~a.bit();
  is_unfenced = lanes != 0 && !is_covered(a, fenced, other, lanes, epoch);
  return !is_unfenced;
}

void RaceChecker::add(Accessor& a, Shadow& shadow, Cell& c) {
  const Event& me = events_[a.event];
  const uint8_t strong = me.is_strong && !me.is_async && (me.is_wide || a.is_shared) ? me.bytes : 0;
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
    what += "; a .cta or .cluster scope does not reach the other block";
  else if (me.is_strong && other.is_strong && other.bytes != me.bytes)
    what += "; they differ in size";
  else if (!is_unfenced && other.block == me.block && other.warp == me.warp && !other.copy)
    what += "; lanes of a warp are ordered by __syncwarp() alone";
  findings_.add(*a.warp, me.pc, a.bit(), is_init ? "sync" : "race", buffer_text(*a.own->block, p, a.is_shared), what);
}

}  // namespace sim::checkers

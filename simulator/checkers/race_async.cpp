// Asynchronous copies and mbarriers in the race checker. A copy's accesses are checked at its issue and recorded under
// the copy; nobody is after them before a wait: of the own thread for its groups, or for the phase of an mbarrier that
// heard of the copy's end.
#include <algorithm>
#include <bit>

#include "checkers/race.hpp"

namespace sim::checkers {
namespace {

constexpr uint64_t kTensorMapBytes = 128;

std::string object_text(const Block& block, uint32_t address) {
  const Block& home = *home_of(block, address);
  return buffer_text(block, home.shared + (address - home.shared_base), true);
}

// A thread of any block.
uint64_t thread_in_grid(const Warp& w, int lane) { return w.block->index << 10 | thread_of(w, lane); }

// Whether arrivals of `count` are all that the phase in progress awaits and has ever awaited.
bool ends_alone(const Block& block, uint32_t address, uint32_t count) {
  for (const MbarrierRecord& r : block.async->mbarriers) {
    if (r.address != address) continue;
    const Mbarrier m = Mbarrier::decode(r.word);
    return m.expected == count && m.pending == count && m.tx == 0;
  }
  return false;
}

}  // namespace

// An operation on the 8 bytes of an mbarrier: strong, of the generic proxy; init and inval are ordinary writes.
void RaceChecker::touch_mbarrier(Warp& w, const Instr& i, uint32_t mask, uint32_t address, Order order, bool is_write) {
  Block& block = *home_of(*w.block, address);
  BlockClocks &own = clocks_of(*w.block), &home = clocks_of(block);
  WarpLanes& lanes = own.warps[w.index];
  begin(lanes);
  const uint32_t offset = address - block.shared_base;
  const uint32_t event = event_of(w, i, order, Scope::kCluster, 8, true);
  // A test in a loop: nothing but mbarrier operations has come since, or its entry would be gone.
  if (!is_write && home.shared.has_read(offset, 8, event, mask)) return;
  for (const LaneClass& c : lanes.classes) {
    Accessor a(own, w, c, 0, event, is_write, true);
    a.home = &home;
    if ((c.mask & mask) != 0) check_started(w, i, c, block.shared + offset);
    for (uint32_t left = c.mask & mask; left != 0; left &= left - 1) {
      a.lane = static_cast<uint32_t>(std::countr_zero(left));
      touch(a, block.shared + offset, 8);
    }
  }
}

void RaceChecker::mbarrier(Warp& w, const Instr& i, int lane, uint32_t address, MbarrierUse use, uint32_t value,
                           uint64_t phase, Order order, Scope scope) {
  BlockClocks &own = clocks_of(*w.block), &home = clocks_of(*home_of(*w.block, address));
  WarpLanes& lanes = own.warps[w.index];
  if (use == MbarrierUse::kInit) {
    touch_mbarrier(w, i, 1u << lane, address, Order::kWeak, true);
    MbarrierClock& m = home.mbarriers[address];
    m = MbarrierClock{};
    m.id = home.cluster != nullptr ? home.cluster->next_mbarrier++ : home.next_mbarrier++;
    return;
  }
  MbarrierClock& m = home.mbarriers[address];
  if (phase > m.phase) {
    m.phase = phase;
    m.done = m.arrived;
    m.done_far = m.arrived_far;
    m.done.seen.phases.resize(std::max<size_t>(m.done.seen.phases.size(), m.id + 1));
    m.done.seen.phases[m.id] = static_cast<uint32_t>(phase);
  }
  if (use == MbarrierUse::kExpectTx || use == MbarrierUse::kCompleteTx ||
      (use == MbarrierUse::kArrive && (completing_ != nullptr || &home != &own || order != Order::kRelease)))
    m.hidden = phase + 1;
  if (completing_ != nullptr) return hear(own, m, *std::exchange(completing_, nullptr));
  const bool is_wait = use == MbarrierUse::kWaitPassed || use == MbarrierUse::kWaitFailed;
  if (use == MbarrierUse::kInvalidate) {
    touch_mbarrier(w, i, 1u << lane, address, Order::kWeak, true);
    home.mbarriers.erase(address);
    return;
  }
  touch_mbarrier(w, i, is_wait ? w.mask : 1u << lane, address, Order::kRelaxed, !is_wait);
  if (use == MbarrierUse::kExpectTx) check_announcement(w, i, static_cast<uint32_t>(lane), address, m, phase);
  if (is_wait && value != kNoParity) check_parity(w, i, address, m, value, phase, use == MbarrierUse::kWaitPassed);
  if (use == MbarrierUse::kArrive && ends_alone(*home.block, address, value))
    m.witnesses[thread_in_grid(w, lane)] = phase + 1;
  if (use == MbarrierUse::kWaitPassed && order == Order::kRelaxed)
    for (uint32_t left = w.mask; left != 0; left &= left - 1)
      m.witnesses[thread_in_grid(w, std::countr_zero(left))] = phase;
  if (use == MbarrierUse::kArrive && &home != &own) return arrive_far(w, lane, m, order, scope);
  if (use == MbarrierUse::kArrive && order == Order::kRelease)
    m.arrived.join(publish(w, lanes, class_of(lanes, static_cast<uint32_t>(lane)), 1u << lane));
  if (use == MbarrierUse::kWaitPassed && order == Order::kAcquire)
    each_class(lanes, w.mask, [&](LaneClass& c) {
      c.knowledge.join(m.done);
      if (has_clusters_ && scope >= Scope::kCluster) c.knowledge.join(m.done_far, w.block->index);
    });
}

// Phases that the lane knows to be over: by a wait, be it one of others or one that acquired nothing, or since it knows
// of all their arrivals.
uint64_t RaceChecker::phases_known(const Warp& w, const LaneClass& c, uint32_t lane, const MbarrierClock& m) {
  const uint64_t acquired = m.id < c.knowledge.seen.phases.size() ? c.knowledge.seen.phases[m.id] : 0;
  const auto seen = m.witnesses.find(thread_in_grid(w, static_cast<int>(lane)));
  const uint64_t known = seen == m.witnesses.end() ? acquired : std::max(acquired, seen->second);
  if (known >= m.phase || known < m.hidden || !covers(c.knowledge.seen.warps, m.done.seen.warps)) return known;
  return m.phase;
}

// Who announces bytes must know that the phases before are over: else it is chance which phase awaits them.
void RaceChecker::check_announcement(Warp& w, const Instr& i, uint32_t lane, uint32_t address, const MbarrierClock& m,
                                     uint64_t phase) {
  const uint64_t known = phases_known(w, class_of(lanes_of(w), lane), lane, m);
  if (known >= phase || !findings_.is_new("late", i.pc, 0)) return;
  findings_.add(w, i.pc, 1u << lane, "sync", object_text(*w.block, address),
                "announces bytes in phase " + std::to_string(phase) +
                    " of an mbarrier, and nothing has told the lane that phase " + std::to_string(known) +
                    " is over: they may be meant for that one");
}

// Who waits for a parity must know that the phase before the awaited one is over: until it is, the parity answers for
// the phase before that, or two phases have passed a waiter that sees none. `phase`: phases over at the test, which has
// passed if the one in progress has another parity.
void RaceChecker::check_parity(Warp& w, const Instr& i, uint32_t address, const MbarrierClock& m, uint32_t parity,
                               uint64_t phase, bool has_passed) {
  if (phase == 0) return;
  if (!has_passed && phase % 2 != parity) return;          // try_wait has failed without need
  const uint64_t before = has_passed ? phase - 1 : phase;  // phases before the awaited one
  for (const LaneClass& c : lanes_of(w).classes) {
    for (uint32_t left = c.mask & w.mask; left != 0; left &= left - 1) {
      const uint32_t lane = static_cast<uint32_t>(std::countr_zero(left));
      const uint64_t known = phases_known(w, c, lane, m);
      if (known >= before) {
        if (m.witnesses.empty()) break;  // all lanes of a class know the same
        continue;
      }
      if (!findings_.is_new("parity", i.pc, 0)) return;
      const std::string awaited = std::to_string(before), last = std::to_string(before - 1);
      findings_.add(w, i.pc, c.mask & w.mask, "sync", object_text(*w.block, address),
                    !has_passed && (before - known) % 2 == 0
                        ? "waits for phase " + std::to_string(known) + ", but the mbarrier is in phase " + awaited +
                              ": two phases have passed the waiter, whose parity looks as if none had"
                        : "waits for phase " + awaited + " by its parity, and nothing has told the lane that phase " +
                              last + " is over: until it is, the parity looks as if phase " + awaited + " were");
      return;
    }
  }
}

// The block ends: cp.async copies that neither their threads nor an mbarrier have waited for.
void RaceChecker::check_left(Block& block) {
  for (const Warp& w : block.warps)
    if (w.live != 0) return;  // a fault ended it
  for (const auto& [key, ids] : clocks_of(block).copies) {
    if (key % 2 != static_cast<uint64_t>(CopyGroup::kCpAsync)) continue;
    for (const uint32_t id : ids) {
      const Event& e = events_[id];
      if (!e.copy->told.empty() || !findings_.is_new("copy left", e.pc, 0)) continue;
      findings_.add(block.warps[e.warp], e.pc, 1u << e.copy->lane, "sync", "",
                    "the block ends and nobody has waited for this copy (cp.async.wait_group, or the mbarrier of a "
                    "cp.async.mbarrier.arrive)");
    }
  }
}

// The mbarrier hears of the end of a copy, or of a thread's copies before a cp.async.mbarrier.arrive.
void RaceChecker::hear(BlockClocks& block, MbarrierClock& m, const AsyncOperation& o) {
  const std::pair<uint32_t, uint32_t> at{m.id, static_cast<uint32_t>(m.phase)};
  if (o.kind == AsyncOperation::Kind::kArrival) {
    for (const uint32_t id : block.copies[uint64_t{o.thread()} * 2 + static_cast<uint64_t>(CopyGroup::kCpAsync)])
      if (events_[id].copy->ordinal < o.ordinal) events_[id].copy->told.push_back(at);
    return;
  }
  const auto found = block.in_flight.find(o.ordinal);
  if (found == block.in_flight.end()) return;
  events_[found->second].copy->told.push_back(at);
  block.in_flight.erase(found);
}

void RaceChecker::async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& o) {
  if (o.barrier != 0) touch_mbarrier(w, i, 1u << lane, o.barrier, Order::kRelaxed, true);
  if (o.kind == AsyncOperation::Kind::kArrival) return;
  BlockClocks& own = clocks_of(*w.block);
  WarpLanes& lanes = own.warps[w.index];
  begin(lanes);
  const uint32_t id = new_event();
  Event& e = events_[id];
  e.pc = i.pc;
  e.epoch = lanes.epoch;
  e.block = w.block->index;
  e.warp = static_cast<uint16_t>(w.index);
  e.is_async = o.is_of_async_proxy();
  e.is_strong = e.is_far = e.is_wide = o.is_reduction;
  e.copy = std::make_unique<Copy>();
  e.copy->lane = static_cast<uint32_t>(lane);
  e.copy->ordinal = o.ordinal;
  e.copy->sequence = o.sequence;
  e.copy->is_remote = o.barrier != 0 && home_of(*w.block, o.barrier) != w.block;
  if (o.barrier != 0)
    own.in_flight[o.ordinal] = id;
  else
    own.copies[uint64_t{o.thread()} * 2 + static_cast<uint64_t>(o.group)].push_back(id);
  const LaneClass& c = class_of(lanes, static_cast<uint32_t>(lane));
  o.each_range([&](const AsyncRange& range) {
    Accessor a(own, w, c, static_cast<uint32_t>(lane), id, range.is_write, range.is_shared);
    if (range.is_shared && has_clusters_) {
      a.home = &clocks_of(*home_of(*w.block, range.begin));
      check_started(w, i, c, range.begin);
    }
    touch(a, range.begin, range.bytes);
  });
  // Tensor maps among the kernel's parameters are nobody's to write.
  if (o.map == nullptr || !grid_.memory->find(reinterpret_cast<uint64_t>(o.map), kTensorMapBytes)) return;
  Accessor a(own, w, c, static_cast<uint32_t>(lane), id, false, false);
  a.is_map = true;
  touch(a, const_cast<std::byte*>(o.map), kTensorMapBytes);
}

void RaceChecker::async_completed(Block&, AsyncOperation& o) {
  if (o.barrier != 0) completing_ = &o;
}

void RaceChecker::group_wait(Warp& w, const Instr&, CopyGroup group, const uint32_t* pending, bool is_read) {
  BlockClocks& block = clocks_of(*w.block);
  WarpLanes& lanes = block.warps[w.index];
  begin(lanes);
  const std::vector<CopyGroups>& groups = async_state(*w.block).groups[static_cast<size_t>(group)];
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t thread = thread_of(w, lane);
    const auto found = block.copies.find(uint64_t{thread} * 2 + static_cast<uint64_t>(group));
    if (found == block.copies.end()) continue;
    const uint64_t committed = groups[thread].committed;
    const uint64_t over = committed > pending[lane] ? committed - pending[lane] : 0;  // groups
    std::erase_if(found->second, [&](uint32_t id) {
      Copy& copy = *events_[id].copy;
      if (copy.sequence >= over) return false;
      if (copy.read_at == 0) copy.read_at = lanes.epoch;
      if (is_read) return false;
      copy.done_at = lanes.epoch;
      return true;
    });
  }
}

}  // namespace sim::checkers

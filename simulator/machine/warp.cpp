// The dispatch loop of a warp and its splits.
// Lanes that diverge become splits; the split with the lowest pc runs, splits that meet at one pc merge, and a split
// that polls lets the others go first, so that a lane which waits for another lane of its warp cannot starve it. A
// schedule that parts lanes picks the next split at random and lets splits meet at .sync instructions alone: all that
// independent thread scheduling promises.
#include <algorithm>

#include "machine/async.hpp"
#include "machine/fault.hpp"
#include "machine/observer.hpp"
#include "machine/schedule.hpp"

namespace sim {
namespace {

constexpr uint32_t kTurn = 1024;  // back edges after which others get their turn

using Wait = Split::Wait;

// The lanes of w.mask leave the running split and wait at `i` for `members`.
void park(Warp& w, const Instr& i, uint32_t members, bool is_rendezvous) {
  Split split;
  split.pc = split.at = i.pc;
  split.mask = w.mask;
  split.wait = Wait::kWarpSync;
  split.is_rendezvous = is_rendezvous;
  split.sync_mask = members;
  w.waiting.push_back(split);
  w.active &= ~w.mask;
  w.switch_pc = 0;
  --w.executed;  // it runs again
  if (w.block->observer != nullptr) w.block->observer->parked(w, i);
}

void check_members(Warp& w, const Instr& i, uint32_t members) {
  if ((w.mask & ~members) != 0)
    fault(w, i, std::countr_zero(w.mask & ~members),
          "lane is not in its own member mask (" + lanes_text(members) + ")");
}

// Nothing of the warp can run. Parked lanes can be helped only by lanes that wait at a CTA barrier.
void check_parked(Warp& w) {
  const Split* parked = nullptr;
  for (const Split& s : w.waiting) {
    if (s.wait == Wait::kBarrier) return;
    if (s.wait == Wait::kWarpSync && (parked == nullptr || s.pc < parked->pc)) parked = &s;
  }
  if (parked == nullptr) return;
  const Instr& i = w.kernel->code[parked->pc];
  fault(w, i, std::countr_zero(parked->mask),
        lanes_text(parked->mask) + " wait here for " + lanes_text(parked->sync_mask & w.live & ~parked->mask) +
            ", which never come");
}

// The running split takes in those that are at its pc. Where lanes stay apart, a .sync instruction alone joins them.
void merge(Warp& w, bool apart) {
  if (w.active == 0) return;
  std::erase_if(w.waiting, [&](const Split& s) {
    if (s.pc != w.pc || s.wait == Wait::kBarrier || (apart && s.wait != Wait::kWarpSync)) return false;
    w.active |= s.mask;
    return true;
  });
}

void switch_to(Warp& w, std::vector<Split>::iterator s) {
  const Split next = *s;
  w.waiting.erase(s);
  if (w.active != 0) w.waiting.push_back({w.pc, w.active, w.pc, Wait::kNone});
  w.pc = next.pc;
  w.active = next.mask;
}

// The split with the lowest pc runs. False: none can.
bool choose_lowest(Warp& w) {
  for (;;) {
    merge(w, false);
    auto best = w.waiting.end();
    for (auto s = w.waiting.begin(); s != w.waiting.end(); ++s)
      if (s->wait == Wait::kNone && (best == w.waiting.end() || s->pc < best->pc)) best = s;
    if (w.active != 0 && (best == w.waiting.end() || best->pc >= w.pc)) return true;
    if (best == w.waiting.end()) return false;
    switch_to(w, best);
  }
}

// Any split runs.
bool choose_any(Warp& w, Choices& choices) {
  merge(w, true);
  const auto can_run = [](const Split& s) { return s.wait == Wait::kNone; };
  auto n = static_cast<uint64_t>(std::count_if(w.waiting.begin(), w.waiting.end(), can_run)) + (w.active != 0);
  if (n == 0) return false;
  n = choices.below(Choice::kSplit, n);
  for (auto s = w.waiting.begin(); s != w.waiting.end(); ++s) {
    if (!can_run(*s) || n-- != 0) continue;
    switch_to(w, s);
    merge(w, true);
    break;
  }
  return true;
}

// Nothing of the warp can run now: its state tells why.
void leave(Warp& w) {
  bool polls = false;
  for (Split& s : w.waiting) {
    if (s.wait != Wait::kYielded) continue;
    s.wait = Wait::kNone;
    polls = true;
  }
  if (polls) {
    w.state = w.is_busy ? WarpState::kReady : WarpState::kPolling;
  } else if (w.waiting.empty()) {
    w.state = WarpState::kExited;
  } else {
    check_parked(w);
    w.state = WarpState::kBarrier;
  }
}

// Chooses what runs next after a jump of the running split, a merge point, a yield or a wait. False: the warp leaves
// the loop and its state tells why.
bool settle(Warp& w) {
  if (w.stop || w.has_yielded) {
    if (w.active != 0) w.waiting.push_back({w.pc, w.active, w.has_yielded ? w.poll_pc : w.pc, Wait::kYielded});
    w.is_busy |= !w.has_yielded;
    w.active = 0;
    w.stop = w.has_yielded = w.has_polled = false;
    w.back_edges = 0;
  }
  Schedule* const schedule = w.block->schedule;
  const bool apart = schedule != nullptr && schedule->parts_lanes();
  if (!(apart ? choose_any(w, schedule->choices) : choose_lowest(w))) {
    leave(w);
    return false;
  }
  // Every split above pc is a place to merge or to switch at; those below have had their turn.
  w.switch_pc = Warp::kNoSwitch;
  for (const Split& s : w.waiting)
    if (s.wait != Wait::kBarrier && s.pc > w.pc && (!apart || s.wait == Wait::kWarpSync))
      w.switch_pc = std::min(w.switch_pc, s.pc);
  return true;
}

}  // namespace

void run_warp(Warp& w) {
  w.is_busy = false;
  const Instr* const code = w.kernel->code.data();
  Observer* const observer = w.block->observer;
  const bool is_watched = observer != nullptr && observer->wants_instructions();
  Schedule* const schedule = w.block->schedule;
  const bool is_plain = !is_watched && schedule == nullptr;
  while (!is_plain && settle(w)) {
    do {
      const Instr& i = code[w.pc++];
      w.mask = w.active & pred(w, i.guard);
      ++w.executed;
      if (is_watched) observer->instruction(w, i);
      if (w.mask == 0) continue;
      i.execute(w, i);
      if (schedule == nullptr || !schedule->is_visible(i.pc)) continue;
      if (schedule->step(w)) w.stop = true;
      if (schedule->moves_copy()) move_copies(*w.block);
    } while (w.pc < w.switch_pc && !w.stop);
  }
  while (is_plain && settle(w)) {
    do {
      const Instr& i = code[w.pc++];
      w.mask = w.active & pred(w, i.guard);
      ++w.executed;
      if (w.mask != 0) i.execute(w, i);
    } while (w.pc < w.switch_pc && !w.stop);
  }
  w.block->cycles += w.executed - w.counted;
  w.counted = w.executed;
}

void yield(Warp& w) {
  w.poll_pc = w.pc - 1;
  w.has_yielded = true;
  w.switch_pc = 0;
}

void branch(Warp& w, const Instr& i, uint32_t target) {
  const uint32_t rest = w.active & ~w.mask;
  if (rest != 0) {
    w.waiting.push_back({w.pc, rest, w.pc, Wait::kNone});
    w.active = w.mask;
  }
  if (!w.waiting.empty()) w.switch_pc = 0;
  w.pc = target;
  if (target > i.pc) return;
  if (w.has_polled) {
    w.has_yielded = true;  // poll_pc names the read
    w.switch_pc = 0;
  } else if (++w.back_edges >= kTurn) {
    w.stop = true;
  }
}

void exit_lanes(Warp& w) {
  w.live &= ~w.mask;
  w.active &= ~w.mask;
  w.switch_pc = 0;
  ++w.block->progress;
  for (Split& s : w.waiting)
    if (s.wait == Wait::kWarpSync) s.wait = Wait::kNone;  // they look again whom they wait for
  leave_barriers(w);
}

bool meet(Warp& w, const Instr& i, uint32_t members) {
  check_members(w, i, members);
  if ((members & w.live & ~w.mask) == 0) return true;
  park(w, i, members, false);
  return false;
}

bool converge(Warp& w, const Instr& i) {
  if (w.mask == w.live) return true;
  if (w.mask != w.active)
    fault(w, i, std::countr_zero(w.mask),
          "an .aligned instruction under a guard that only " + lanes_text(w.mask) + " pass");
  park(w, i, w.live, false);
  return false;
}

bool rendezvous(Warp& w, const Instr& i, uint32_t members) {
  check_members(w, i, members);
  const auto is_here = [&](const Split& s) {
    return s.wait == Wait::kWarpSync && s.is_rendezvous && s.sync_mask == members;
  };
  uint32_t present = w.mask;
  for (const Split& s : w.waiting)
    if (is_here(s)) present |= s.mask;
  if ((members & w.live & ~present) != 0) {
    park(w, i, members, true);
    return false;
  }
  for (Split& s : w.waiting) {
    if (!is_here(s)) continue;
    s.wait = Wait::kNone;
    ++s.pc;
    w.switch_pc = 0;
  }
  return true;
}

uint64_t clock_cycles(const Warp& w) {
  return w.block->cycles + (w.executed - w.counted) + w.block->grid->skipped_cycles.load(std::memory_order_relaxed);
}

uint64_t global_nanoseconds(const Warp& w) {
  const Grid& grid = *w.block->grid;
  return grid.start_nanoseconds + clock_cycles(w) * 1000 / (grid.card->clock_khz / 1000);
}

}  // namespace sim

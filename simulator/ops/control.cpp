// Control flow and synchronisation: branches, exit, CTA and cluster barriers, fences, sleep, register hand-over.
// PTX ISA 9.7.12, 9.7.13.1 to 9.7.13.5, 9.7.20. Splits and barrier counts are kept by machine/warp.cpp and barrier.cpp.
#include <atomic>

#include "machine/fault.hpp"
#include "machine/observer.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

using Status = LaunchResult::Status;

void bra(Warp& w, const Instr& i) { branch(w, i, i.target); }

// brx.idx index, table: ops = index, number of targets, targets.
void brx(Warp& w, const Instr& i) {
  const uint32_t* index = u32(w, i.ops[0]);
  const uint32_t count = i.ops[1];
  uint32_t left = w.mask;
  for (uint32_t m = left; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    if (index[l] >= count)
      fault(w, i, l, "index " + std::to_string(index[l]) + " into a table of " + std::to_string(count) + " targets");
  }
  // Each group of lanes leaves the running split in turn; the last one takes the split along.
  while (left != 0) {
    const uint32_t target = index[std::countr_zero(left)];
    uint32_t group = 0;
    for (uint32_t m = left; m != 0; m &= m - 1)
      if (index[std::countr_zero(m)] == target) group |= m & (0u - m);
    left &= ~group;
    if (left == 0 && w.active == group) {
      w.mask = group;
      return branch(w, i, i.ops[2 + target]);
    }
    w.waiting.push_back({i.ops[2 + target], group, i.pc, Split::Wait::kNone});
    w.active &= ~group;
    w.switch_pc = 0;
  }
}

void exit_block(Warp& w, const Instr&) { exit_lanes(w); }
void trap(Warp& w, const Instr& i) { fault(w, i, std::countr_zero(w.mask), "trap", Status::kTrap); }
void breakpoint(Warp& w, const Instr& i) { fault(w, i, std::countr_zero(w.mask), "breakpoint", Status::kTrap); }

// Instr::imm of the barrier rows.
constexpr int64_t kAligned = 1, kHasCount = 2, kArriveOnly = 4;

uint32_t first_lane(Warp& w, uint32_t slot) { return u32(w, slot)[std::countr_zero(w.mask)]; }

BarrierArrival arrival_of(Warp& w, const Instr& i, uint32_t id_slot, uint32_t count_slot) {
  BarrierArrival a;
  a.id = first_lane(w, id_slot);
  a.is_aligned = (i.imm & kAligned) != 0;
  a.waits = (i.imm & kArriveOnly) == 0;
  if (a.id >= kBarriers)
    fault(w, i, std::countr_zero(w.mask),
          "barrier " + std::to_string(a.id) + " does not exist: a CTA has barriers 0 to 15");
  if ((i.imm & kHasCount) != 0) {
    a.threads = first_lane(w, count_slot);
    if (a.threads == 0) fault(w, i, std::countr_zero(w.mask), "barrier " + std::to_string(a.id) + " counts 0 threads");
  }
  return a;
}
void barrier(Warp& w, const Instr& i) { arrive(w, i, arrival_of(w, i, i.ops[0], i.ops[1])); }
template <Reduction kKind>
void barrier_red(Warp& w, const Instr& i) {
  BarrierArrival a = arrival_of(w, i, i.ops[1], i.ops[2]);
  a.reduction = kKind;
  a.votes = pred(w, i.ops[3]);
  a.result = i.ops[0];
  arrive(w, i, a);
}
int64_t barrier_flags(const ptx::Statement& s, size_t operands_with_count) {
  return (s.tokens[0] == "bar" || s.has("aligned") ? kAligned : 0) |
         (s.operands.size() == operands_with_count ? kHasCount : 0) | (s.has("arrive") ? kArriveOnly : 0);
}
Handler bind_barrier(const ptx::Statement& s, Instr& i) {
  i.imm = barrier_flags(s, 2);
  return barrier;
}
Handler bind_barrier_red(const ptx::Statement& s, Instr& i) {
  i.imm = barrier_flags(s, 4);
  return s.has("popc")  ? barrier_red<Reduction::kPopc>
         : s.has("and") ? barrier_red<Reduction::kAnd>
                        : barrier_red<Reduction::kOr>;
}

constexpr int64_t kClusterAligned = 1, kClusterRelaxed = 2;

void cluster_arrive(Warp& w, const Instr& i) {
  if ((i.imm & kClusterAligned) != 0 && !converge(w, i)) return;
  arrive_at_cluster(w, i, (i.imm & kClusterRelaxed) != 0);
}
void cluster_wait(Warp& w, const Instr& i) {
  if ((i.imm & kClusterAligned) != 0 && !converge(w, i)) return;
  wait_for_cluster(w, i);
}
template <Handler kExecute>
Handler bind_cluster(const ptx::Statement& s, Instr& i) {
  i.imm = (s.has("aligned") ? kClusterAligned : 0) | (s.has("relaxed") ? kClusterRelaxed : 0);
  return kExecute;
}

// Lanes whose member masks are equal meet each other.
void warp_sync(Warp& w, const Instr& i) {
  const uint32_t* members = u32(w, i.ops[0]);
  const uint32_t all = w.mask;
  const uint32_t first = members[std::countr_zero(all)];
  uint32_t everybody = 0;
  bool is_uniform = true;
  for (uint32_t m = all; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    if ((members[l] >> l & 1) == 0) fault(w, i, l, "lane is not in its own member mask");
    everybody |= members[l];
    is_uniform &= members[l] == first;
  }
  if (!(is_uniform ? rendezvous(w, i, first) : meet(w, i, everybody))) return;
  std::atomic_thread_fence(std::memory_order_acq_rel);
  Observer* const observer = w.block->observer;
  if (observer == nullptr) return;
  if (is_uniform) return observer->warp_sync(w, i, first & w.live);
  for (uint32_t left = all; left != 0;) {
    const uint32_t group = members[std::countr_zero(left)] & w.live;
    observer->warp_sync(w, i, group);
    left &= ~group;
  }
}

// Instr::imm: order in bits 0-3, scope above.
void fence(Warp& w, const Instr& i) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (w.block->observer != nullptr)
    w.block->observer->fence(w, i, Fence::kThread, static_cast<Order>(i.imm & 15), static_cast<Scope>(i.imm >> 4),
                             Space::kGeneric);
}
Handler bind_fence(const ptx::Statement& s, Instr& i) {
  const Order order = s.has("acquire") ? Order::kAcquire : s.has("release") ? Order::kRelease : Order::kAcqRel;
  const Scope scope = s.has("cta")       ? Scope::kCta
                      : s.has("cluster") ? Scope::kCluster
                      : s.has("sys")     ? Scope::kSys
                                         : Scope::kGpu;
  i.imm = static_cast<int64_t>(order) | static_cast<int64_t>(scope) << 4;
  return fence;
}
void dependency_wait(Warp& w, const Instr& i) {
  if (w.block->grid->waits_for_primary) {
    branch(w, i, i.pc);
    yield(w);
    w.poll_pc = i.pc;
    return;
  }
  if (w.block->observer != nullptr) w.block->observer->dependency_wait(w, i);
}
void dependents_launch(Warp& w, const Instr& i) {
  if (w.block->observer != nullptr) w.block->observer->dependents_launch(w, i);
  trigger_dependents(*w.block);
}
void nothing(Warp&, const Instr&) {}
void sleep(Warp& w, const Instr&) { yield(w); }

// What a block got at its launch for setmaxnreg to share out: .maxnreg, or the most that its threads (in warpgroups of
// 128) can have in steps of 8. An SM's other registers are out of reach: on an H100 a setmaxnreg.inc past it never
// ends.
uint64_t launch_registers(const Block& block) {
  const uint32_t on_sm = block.grid->card->registers_per_sm;
  const uint32_t threads = (block.thread_count + 127) / 128 * 128;
  const uint32_t limit = block.grid->kernel->max_nreg;
  return static_cast<uint64_t>(threads) * (limit != 0 ? limit : std::min(on_sm / threads / 8 * 8, 256u));
}

// Registers are not modelled; the rules of setmaxnreg are: a multiple of 8 in 24 .. 256, executed by all four warps of
// a warpgroup, growing with .inc and shrinking with .dec, and in sum no more than the block got at its launch.
void set_register_limit(Warp& w, const Instr& i) {
  if (!converge(w, i)) return;
  const uint32_t wanted = u32(w, i.ops[0])[std::countr_zero(w.mask)];
  if (wanted < 24 || wanted > 256 || wanted % 8 != 0)
    fault(w, i, -1, std::to_string(wanted) + " registers: must be a multiple of 8 from 24 to 256");
  if (w.register_limit != 0 && (i.imm != 0 ? wanted < w.register_limit : wanted > w.register_limit))
    fault(w, i, -1,
          "from " + std::to_string(w.register_limit) + " to " + std::to_string(wanted) + " registers: ." +
              (i.imm != 0 ? "inc must not shrink" : "dec must not grow"));
  w.register_limit = wanted;
  uint64_t sum = 0;
  for (const Warp& other : w.block->warps) sum += other.register_limit * kWarpSize;
  const uint64_t launched = launch_registers(*w.block);
  if (sum > launched)
    fault(w, i, -1,
          "the warps of the block now ask for " + std::to_string(sum) + " registers, the block has had " +
              std::to_string(launched) + " since its launch: .inc would wait for ever");
}
Handler bind_register_limit(const ptx::Statement& s, Instr& i) {
  i.imm = s.has("inc") ? 1 : 0;
  return set_register_limit;
}

constexpr Form kForms[] = {
    {"bra[|.uni]", "l", bra, nullptr, Unit::kControl, "9.7.12.3"},
    {"brx.idx[|.uni]", "r32 l", brx, nullptr, Unit::kControl, "9.7.12.4"},
    {"exit", "", exit_block, nullptr, Unit::kControl, "9.7.12.7"},
    {"ret[|.uni]", "", exit_block, nullptr, Unit::kControl, "9.7.12.6"},
    {"trap", "", trap, nullptr, Unit::kControl, "9.7.20.5"},
    {"brkpt", "", breakpoint, nullptr, Unit::kControl, "9.7.20.1"},

    {"[bar|bar.cta|barrier|barrier.cta].sync", "r32 r32?", nullptr, bind_barrier, Unit::kSync, "9.7.13.1"},
    {"[barrier|barrier.cta].sync.aligned", "r32 r32?", nullptr, bind_barrier, Unit::kSync, "9.7.13.1"},
    {"[bar|bar.cta|barrier|barrier.cta].arrive", "r32 r32", nullptr, bind_barrier, Unit::kSync, "9.7.13.1"},
    {"[barrier|barrier.cta].arrive.aligned", "r32 r32", nullptr, bind_barrier, Unit::kSync, "9.7.13.1"},
    {"[bar|bar.cta|barrier|barrier.cta].red.popc[.aligned|].u32", "r32 r32 r32? p", nullptr, bind_barrier_red,
     Unit::kSync, "9.7.13.1"},
    {"[bar|bar.cta|barrier|barrier.cta].red.[and|or][.aligned|].pred", "p r32 r32? p", nullptr, bind_barrier_red,
     Unit::kSync, "9.7.13.1"},
    {"barrier.cluster.arrive[|.release|.relaxed][|.aligned]", "", nullptr, bind_cluster<cluster_arrive>, Unit::kSync,
     "9.7.13.4"},
    {"barrier.cluster.wait[|.acquire][|.aligned]", "", nullptr, bind_cluster<cluster_wait>, Unit::kSync, "9.7.13.4"},
    {"bar.warp.sync", "r32", warp_sync, nullptr, Unit::kSync, "9.7.13.2"},
    {"membar.[cta|gl|sys]", "", nullptr, bind_fence, Unit::kSync, "9.7.13.5"},
    {"fence[|.sc|.acq_rel|.acquire|.release].[cta|cluster|gpu|sys]", "", nullptr, bind_fence, Unit::kSync, "9.7.13.5"},
    {"nanosleep.u32", "r32", sleep, nullptr, Unit::kControl, "9.7.20.3"},
    {"griddepcontrol.wait", "", dependency_wait, nullptr, Unit::kControl, "9.7.13.14"},
    {"griddepcontrol.launch_dependents", "", dependents_launch, nullptr, Unit::kControl, "9.7.13.14"},
    {"setmaxnreg.[inc|dec].sync.aligned.u32", "r32", nullptr, bind_register_limit, Unit::kControl, "9.7.20.6"},
    {"pmevent[|.mask]", "r32", nothing, nullptr, Unit::kControl, "9.7.20.4"},
};

}  // namespace

std::span<const Form> control_forms() { return kForms; }

}  // namespace sim

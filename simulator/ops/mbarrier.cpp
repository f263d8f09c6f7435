// mbarrier.*: each executing lane acts on the barrier that its own address names, lowest lane first. The rules of the
// object are in machine/async.cpp; this file decodes the PTX spellings.
#include "machine/schedule.hpp"
#include "ops/async_ops.hpp"

namespace sim {
namespace {

// Instr::imm of every mbarrier row.
constexpr int64_t kSharedSpace = 1;  // the address is a shared address; otherwise generic
constexpr int64_t kHasCount = 2;     // the optional count is written
constexpr int64_t kExpectTx = 4;     // the last operand announces bytes
constexpr int64_t kDrop = 8;
constexpr int64_t kNoComplete = 16;
constexpr int64_t kParity = 32;
constexpr int64_t kTry = 64;  // may fail though the phase is over
constexpr int64_t kRelaxed = 128, kCluster = 256;
constexpr int64_t kClusterSpace = 512;  // a shared address of any block of the cluster

int64_t space_flag(const ptx::Statement& s) {
  const Space space = shared_or_generic(s);
  return space == Space::kShared ? kSharedSpace : space == Space::kSharedCluster ? kClusterSpace : 0;
}

uint32_t barrier_address(Warp& w, const Instr& i, int lane, uint32_t slot) {
  const Space space = (i.imm & kSharedSpace) != 0    ? Space::kShared
                      : (i.imm & kClusterSpace) != 0 ? Space::kSharedCluster
                                                     : Space::kGeneric;
  return mbarrier_operand(w, i, lane, 0, slot, space);
}
// The same for what acts on mbarriers of the own block alone, be it through a generic address.
uint32_t own_barrier(Warp& w, const Instr& i, int lane, uint32_t slot) {
  const uint32_t at = barrier_address(w, i, lane, slot);
  if (at >> Cluster::kRankShift != w.block->rank)
    fault(w, i, lane,
          "an mbarrier of rank " + std::to_string(at >> Cluster::kRankShift) +
              " of the cluster: only arrive, expect_tx and complete_tx reach those of other blocks");
  return at;
}

template <class F>
void each_lane(Warp& w, F&& f) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) f(std::countr_zero(m));
}

// An object that is not initialised has completed no phase; whoever acts on it faults or makes it.
void tell(Warp& w, const Instr& i, int lane, uint32_t at, MbarrierUse use, uint32_t value) {
  Observer* const observer = w.block->observer;
  if (observer == nullptr) return;
  const bool is_acquire = use == MbarrierUse::kWaitPassed || use == MbarrierUse::kWaitFailed;
  const Order order = (i.imm & kRelaxed) != 0       ? Order::kRelaxed
                      : is_acquire                  ? Order::kAcquire
                      : use == MbarrierUse::kArrive ? Order::kRelease
                                                    : Order::kRelaxed;
  const uint64_t phase = use == MbarrierUse::kInit ? 0 : mbarrier_phases(w, i, lane, at);
  observer->mbarrier(w, i, lane, at, use, value, phase, order, (i.imm & kCluster) != 0 ? Scope::kCluster : Scope::kCta);
}

// Lanes that give one mbarrier the same count make it once: compilers turn a warp's init into one instruction of the
// uniform datapath, and code that lets the whole warp do it (CuTe's DSL) relies on that.
void init(Warp& w, const Instr& i) {
  const uint32_t* const counts = u32(w, i.ops[1]);
  int before = -1;
  uint32_t made = 0;
  each_lane(w, [&](int lane) {
    const uint32_t at = own_barrier(w, i, lane, i.ops[0]), count = counts[lane];
    if (before >= 0 && made == at && counts[before] == count) return;
    before = lane;
    made = at;
    tell(w, i, lane, at, MbarrierUse::kInit, count);
    mbarrier_init(w, i, lane, at, count);
  });
}

void inval(Warp& w, const Instr& i) {
  each_lane(w, [&](int lane) {
    const uint32_t at = own_barrier(w, i, lane, i.ops[0]);
    tell(w, i, lane, at, MbarrierUse::kInvalidate, 0);
    mbarrier_invalidate(w, i, lane, at);
  });
}

void expect_tx(Warp& w, const Instr& i) {
  each_lane(w, [&](int lane) {
    const uint32_t at = barrier_address(w, i, lane, i.ops[0]), bytes = u32(w, i.ops[1])[lane];
    tell(w, i, lane, at, MbarrierUse::kExpectTx, bytes);
    mbarrier_expect_tx(w, i, lane, at, bytes);
  });
}

void complete_tx(Warp& w, const Instr& i) {
  each_lane(w, [&](int lane) {
    const uint32_t at = barrier_address(w, i, lane, i.ops[0]), bytes = u32(w, i.ops[1])[lane];
    tell(w, i, lane, at, MbarrierUse::kCompleteTx, bytes);
    mbarrier_complete_tx(w, i, lane, at, bytes);
  });
}

void arrive(Warp& w, const Instr& i) {
  const bool is_drop = (i.imm & kDrop) != 0;
  const Arrival kind = (i.imm & kNoComplete) != 0 ? (is_drop ? Arrival::kDropNoComplete : Arrival::kNoComplete)
                                                  : (is_drop ? Arrival::kDrop : Arrival::kPlain);
  uint64_t* const state = u64(w, i.ops[0]);
  each_lane(w, [&](int lane) {
    const bool is_own = kind == Arrival::kNoComplete || kind == Arrival::kDropNoComplete;
    const uint32_t at = is_own ? own_barrier(w, i, lane, i.ops[1]) : barrier_address(w, i, lane, i.ops[1]);
    const uint32_t value = (i.imm & kHasCount) != 0 ? u32(w, i.ops[2])[lane] : 1;
    if ((i.imm & kExpectTx) != 0) {
      tell(w, i, lane, at, MbarrierUse::kExpectTx, value);
      mbarrier_expect_tx(w, i, lane, at, value);
    }
    tell(w, i, lane, at, MbarrierUse::kArrive, (i.imm & kExpectTx) != 0 ? 1 : value);
    state[lane] = mbarrier_arrive(w, i, lane, at, (i.imm & kExpectTx) != 0 ? 1 : value, kind);
  });
}

uint32_t awaited(Warp& w, const Instr& i, int lane) {
  return (i.imm & kParity) != 0 ? u32(w, i.ops[2])[lane] & 1 : static_cast<uint32_t>(u64(w, i.ops[2])[lane] >> 63);
}

void tell_waits(Warp& w, const Instr& i, uint32_t done) {
  const uint32_t all = w.mask;
  for (uint32_t left = all; left != 0; left &= ~w.mask) {
    const int lane = std::countr_zero(left);
    const uint32_t at = barrier_address(w, i, lane, i.ops[1]), parity = awaited(w, i, lane);
    const bool has_passed = (done >> lane & 1) != 0;
    w.mask = 0;
    for (uint32_t m = left & (has_passed ? done : ~done); m != 0; m &= m - 1) {
      const int other = std::countr_zero(m);
      if (barrier_address(w, i, other, i.ops[1]) == at && awaited(w, i, other) == parity) w.mask |= 1u << other;
    }
    tell(w, i, lane, at, has_passed ? MbarrierUse::kWaitPassed : MbarrierUse::kWaitFailed,
         (i.imm & kParity) != 0 ? parity : kNoParity);
  }
  w.mask = all;
}

// test_wait and try_wait. A lane that must go on waiting makes the warp yield: others have to help it on.
void wait(Warp& w, const Instr& i) {
  uint32_t done = 0;
  each_lane(w, [&](int lane) {
    const uint32_t current = mbarrier_parity(w, i, lane, own_barrier(w, i, lane, i.ops[1]));
    done |= static_cast<uint32_t>(current != awaited(w, i, lane)) << lane;
  });
  Schedule* const schedule = w.block->schedule;
  if ((i.imm & kTry) != 0 && done != 0 && schedule != nullptr && schedule->fails_spuriously()) {
    done = 0;
    note_progress(w);  // the next try may pass without help
  }
  if (w.block->observer != nullptr) tell_waits(w, i, done);
  set_pred(w, i.ops[0], done);
  if ((w.mask & ~done) != 0) yield(w);
}

void pending_count(Warp& w, const Instr& i) {
  const uint64_t* const state = u64(w, i.ops[1]);
  uint32_t* const count = u32(w, i.ops[0]);
  for_lanes(w, [=](int lane) { count[lane] = Mbarrier::decode(state[lane]).pending; });
}

Handler bind_init(const ptx::Statement& s, Instr& i) { return i.imm = space_flag(s), init; }
Handler bind_inval(const ptx::Statement& s, Instr& i) { return i.imm = space_flag(s), inval; }
Handler bind_expect_tx(const ptx::Statement& s, Instr& i) { return i.imm = space_flag(s), expect_tx; }
Handler bind_complete_tx(const ptx::Statement& s, Instr& i) { return i.imm = space_flag(s), complete_tx; }

// Order and scope, where the opcode names them.
int64_t order_flags(const ptx::Statement& s) {
  return (s.has("relaxed") ? kRelaxed : 0) | (s.has("cluster") ? kCluster : 0);
}

Handler bind_arrive(const ptx::Statement& s, Instr& i) {
  i.imm = space_flag(s) | order_flags(s);
  if (s.has("arrive_drop")) i.imm |= kDrop;
  if (s.has("noComplete")) i.imm |= kNoComplete;
  if (s.has("expect_tx")) i.imm |= kExpectTx;
  if (s.operands.size() == 3) i.imm |= kHasCount;
  return arrive;
}

Handler bind_wait(const ptx::Statement& s, Instr& i) {
  i.imm = space_flag(s) | order_flags(s) | (s.has("parity") ? kParity : 0) | (s.has("try_wait") ? kTry : 0);
  return wait;
}

constexpr char kIsaInit[] = "9.7.13.15.9 mbarrier.init";
constexpr char kIsaTx[] = "9.7.13.15.11 mbarrier.expect_tx, complete_tx";
constexpr char kIsaArrive[] = "9.7.13.15.13 mbarrier.arrive, arrive_drop";
constexpr char kIsaWait[] = "9.7.13.15.16 mbarrier.test_wait, try_wait";

const Form kForms[] = {
    {"mbarrier.init[.shared|.shared::cta|].b64", "[a] r32", nullptr, bind_init, Unit::kSync, kIsaInit},
    {"mbarrier.inval[.shared|.shared::cta|].b64", "[a]", nullptr, bind_inval, Unit::kSync, kIsaInit},
    {"mbarrier.expect_tx[.relaxed.cta|.relaxed.cluster|][.shared|.shared::cta|.shared::cluster|].b64", "[a] r32",
     nullptr, bind_expect_tx, Unit::kSync, kIsaTx},
    {"mbarrier.complete_tx[.relaxed.cta|.relaxed.cluster|][.shared|.shared::cta|.shared::cluster|].b64", "[a] r32",
     nullptr, bind_complete_tx, Unit::kSync, kIsaTx},
    {"mbarrier.[arrive|arrive_drop][.release.cta|.release.cluster|.relaxed.cta|.relaxed.cluster|]"
     "[.shared|.shared::cta|.shared::cluster|].b64",
     "r64 [a] r32?", nullptr, bind_arrive, Unit::kSync, kIsaArrive},
    {"mbarrier.[arrive|arrive_drop].expect_tx[.release.cta|.release.cluster|.relaxed.cta|.relaxed.cluster|]"
     "[.shared|.shared::cta|.shared::cluster|].b64",
     "r64 [a] r32", nullptr, bind_arrive, Unit::kSync, kIsaArrive},
    {"mbarrier.[arrive|arrive_drop].noComplete[.release.cta|][.shared|.shared::cta|].b64", "r64 [a] r32", nullptr,
     bind_arrive, Unit::kSync, kIsaArrive},
    {"mbarrier.test_wait[.acquire.cta|.acquire.cluster|.relaxed.cta|.relaxed.cluster|][.shared|.shared::cta|].b64",
     "p [a] r64", nullptr, bind_wait, Unit::kSync, kIsaWait},
    {"mbarrier.test_wait.parity[.acquire.cta|.acquire.cluster|.relaxed.cta|.relaxed.cluster|][.shared|.shared::cta|].b64",
     "p [a] r32", nullptr, bind_wait, Unit::kSync, kIsaWait},
    {"mbarrier.try_wait[.acquire.cta|.acquire.cluster|.relaxed.cta|.relaxed.cluster|][.shared|.shared::cta|].b64",
     "p [a] r64 r32?", nullptr, bind_wait, Unit::kSync, kIsaWait},
    {"mbarrier.try_wait.parity[.acquire.cta|.acquire.cluster|.relaxed.cta|.relaxed.cluster|][.shared|.shared::cta|].b64",
     "p [a] r32 r32?", nullptr, bind_wait, Unit::kSync, kIsaWait},
    {"mbarrier.pending_count.b64", "r32 r64", pending_count, nullptr, Unit::kSync,
     "9.7.13.15.17 mbarrier.pending_count"},
};

}  // namespace

std::span<const Form> mbarrier_forms() { return kForms; }

}  // namespace sim

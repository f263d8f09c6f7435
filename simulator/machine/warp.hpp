// The state of one warp, and the accessors through which instruction handlers see it.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "program/program.hpp"

namespace sim {

struct Block;

enum class Reduction : uint8_t { kNone, kPopc, kAnd, kOr };  // of bar.red

// Lanes that are at one place in the program. The running split lies unpacked in Warp::pc and Warp::active.
struct Split {
  enum class Wait : uint8_t {
    kNone,      // can run
    kYielded,   // has polled; runs again when the other splits have had their turn
    kWarpSync,  // at a .sync instruction (pc is its own) until the lanes of `sync_mask` are there
    kBarrier,   // behind a CTA barrier instruction until barrier `barrier` completes
  };
  uint32_t pc = 0;
  uint32_t mask = 0;
  uint32_t at = 0;  // the instruction that made it wait, for reports
  Wait wait = Wait::kNone;
  uint8_t barrier = 0;
  bool is_rendezvous = false;  // kWarpSync of bar.warp.sync: lanes may meet from different instructions
  uint32_t sync_mask = 0;
  Reduction reduction = Reduction::kNone;  // kBarrier of bar.red: what its destination `result` gets
  uint32_t result = 0;
};

// Bounds of an allocation that this warp has used: most accesses end their look-up here.
struct CachedRange {
  uint64_t begin = 1, end = 0;
};
inline constexpr int kCachedRanges = 4;

enum class WarpState : uint8_t {
  kReady,    // can run
  kBarrier,  // every live split waits at a CTA barrier
  kPolling,  // yielded in a poll (failed try_wait, spinning load, nanosleep): can run, but only others can help it on
  kExited,
};

struct Warp {
  std::byte* regs = nullptr;  // register file, Kernel::register_file_bytes, 64-byte aligned
  uint32_t* preds = nullptr;  // lane masks; preds[0] = all ones
  uint32_t mask = 0;          // lanes that execute the current instruction (active & guard)
  uint32_t active = 0;        // lanes of the running split
  uint32_t pc = 0;            // next instruction of the running split
  bool stop = false;          // a handler sets it to leave the dispatch loop (exit, barrier, yield, divergence)
  WarpState state = WarpState::kReady;
  uint32_t index = 0;  // warp in block
  uint32_t live = 0;   // lanes that have not exited
  Block* block = nullptr;
  const Kernel* kernel = nullptr;
  std::byte* local = nullptr;      // .local: lane l at l * kernel->local_bytes
  std::vector<Split> waiting;      // the other splits, in no order
  uint64_t executed = 0;           // warp instructions
  uint32_t switch_pc = kNoSwitch;  // the dispatch loop leaves for settle() when pc reaches it
  uint32_t back_edges = 0;         // taken since the warp was last scheduled
  bool has_polled = false;         // a volatile, relaxed or acquire read since the last back edge, and no write
  uint32_t poll_pc = 0;            // that read
  bool has_yielded = false;        // the running split polls: the others take their turn
  bool is_busy = false;            // left the loop for its length, not for a poll
  uint64_t counted = 0;            // part of `executed` that Block::cycles has
  uint32_t carry = 0;              // CC.CF of each lane: add.cc, sub.cc, mad.cc
  uint32_t register_limit = 0;     // what setmaxnreg set, 0 = not yet
  uint32_t cluster_arrived = 0;    // lanes that have arrived at the cluster barrier and not waited since; of these
  uint32_t cluster_passed = 0;     // those whose generation is over
  uint32_t next_cached = 0;
  CachedRange cached[kCachedRanges];
  uint32_t barrier_lanes[17] = {};  // lanes that arrived at a barrier before the rest of their warp

  static constexpr uint32_t kNoSwitch = 0xffffffffu;
};

// --- what handlers use ---

template <class T>
inline T* lanes(Warp& w, uint32_t slot) {
  return reinterpret_cast<T*>(w.regs + slot);
}
inline uint32_t* u32(Warp& w, uint32_t slot) { return lanes<uint32_t>(w, slot); }
inline uint64_t* u64(Warp& w, uint32_t slot) { return lanes<uint64_t>(w, slot); }
inline float* f32(Warp& w, uint32_t slot) { return lanes<float>(w, slot); }

// A predicate source operand (2 * index + negated) as a lane mask.
inline uint32_t pred(const Warp& w, uint32_t operand) { return w.preds[operand >> 1] ^ (0u - (operand & 1u)); }
// Writes the executing lanes of a predicate destination; the others keep their value.
inline void set_pred(Warp& w, uint32_t operand, uint32_t value) {
  if (operand == kNoPred) return;
  uint32_t& p = w.preds[operand >> 1];
  p = (p & ~w.mask) | (value & w.mask);
}

// Calls f(lane) for each executing lane. With all lanes on, the loop is one that the compiler turns into vector code:
// slots are equal or disjoint, so no lane depends on another.
template <class F>
inline void for_lanes(const Warp& w, F&& f) {
  if (w.mask == 0xffffffffu) {
#pragma GCC ivdep
    for (int lane = 0; lane < kWarpSize; ++lane) f(lane);
  } else {
    for (uint32_t m = w.mask; m != 0; m &= m - 1) f(std::countr_zero(m));
  }
}

// Address of lane l for address operand k whose base slot is `slot`.
inline uint64_t address(Warp& w, const Instr& i, int k, uint32_t slot, int lane) {
  const uint64_t base = (i.wide_base >> k & 1) ? u64(w, slot)[lane] : u32(w, slot)[lane];
  return base + static_cast<int64_t>(i.offset[k]);
}

// Stops the grid with a report that names source file:line, block, warp, thread and, for memory faults, the buffer.
// Never returns. `lane` < 0: the whole warp. The launch ends with "illegal instruction".
[[noreturn]] void fault(Warp& w, const Instr& i, int lane, const std::string& what);

// Lets other splits, warps and blocks run; the instruction counts as executed and pc stays behind it. Used by polls: a
// failed mbarrier.try_wait, nanosleep, a load that spins.
void yield(Warp& w);

// Moves the executing lanes to `target`; the others of the split go on behind `i`. A backward jump after a poll yields.
void branch(Warp& w, const Instr& i, uint32_t target);
// Ends the executing lanes.
void exit_lanes(Warp& w);
// A strong read (volatile, relaxed, acquire, an atomic that changed nothing): a loop around it is a poll.
inline void note_poll(Warp& w, const Instr& i) {
  w.has_polled = true;
  w.poll_pc = i.pc;
}
// A write that others may wait for (block.hpp).
void note_progress(Warp& w);

// For `.sync` forms with a member mask: true when all live lanes of `members` execute `i` together. Otherwise the split
// is parked until they do and `i` runs again; the handler then returns without effect. Parked lanes that can never meet
// are a fault.
[[nodiscard]] bool meet(Warp& w, const Instr& i, uint32_t members);
// For `.aligned` forms: the same with all live lanes of the warp; a guard that lets part of them through is a fault.
[[nodiscard]] bool converge(Warp& w, const Instr& i);
// bar.warp.sync: as meet(), but lanes may come from different instructions.
[[nodiscard]] bool rendezvous(Warp& w, const Instr& i, uint32_t members);

// Simulated time of the warp: SM cycles since the grid started, and nanoseconds of %globaltimer.
uint64_t clock_cycles(const Warp& w);
uint64_t global_nanoseconds(const Warp& w);

// Runs the warp until it exits, waits at a barrier, polls, or has run for long.
void run_warp(Warp& w);

// --- memory: every access of every handler goes through these; they check bounds, alignment and state spaces ---

// kShared: of the own block; kSharedCluster: of any block of its cluster.
enum class Space : uint8_t { kGeneric, kGlobal, kShared, kLocal, kParam, kConst, kSharedCluster };
enum class Access : uint8_t { kRead, kWrite, kAtomic };

// Host pointer to [address, address + bytes) in `space` for one lane; faults when the range is not inside one live
// allocation (or the block's shared memory, the lane's local memory, the parameters) or is not aligned to `align`.
// Shared addresses are offsets in the shared window (Block::shared_base + n); generic ones carry the window tag.
std::byte* resolve(Warp& w, const Instr& i, int lane, Space space, uint64_t address, uint32_t bytes, uint32_t align,
                   Access access);

// The same for asynchronous engines, which act for a block without a lane of their own (issued by `i` of `w`).
std::byte* resolve_async(Warp& w, const Instr& i, Space space, uint64_t address, uint64_t bytes, uint32_t align,
                         Access access);

}  // namespace sim

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

// Lanes that are at one place in the program. The running split lies unpacked in Warp::pc and Warp::active.
struct Split {
  uint32_t pc = 0;
  uint32_t mask = 0;
};

enum class WarpState : uint8_t {
  kReady,    // can run
  kBarrier,  // every live split waits at a CTA barrier
  kPolling,  // yielded in a poll (failed try_wait, spinning load, nanosleep): can run, but only others can help it on
  kExited,
};

struct Warp {
  std::byte* regs = nullptr;       // register file, Kernel::register_file_bytes, 64-byte aligned
  uint32_t* preds = nullptr;       // lane masks; preds[0] = all ones
  uint32_t mask = 0;               // lanes that execute the current instruction (active & guard)
  uint32_t active = 0;             // lanes of the running split
  uint32_t pc = 0;                 // next instruction of the running split
  bool stop = false;               // a handler sets it to leave the dispatch loop (exit, barrier, yield, divergence)
  WarpState state = WarpState::kReady;
  uint32_t index = 0;              // warp in block
  uint32_t live = 0;               // lanes that have not exited
  Block* block = nullptr;
  const Kernel* kernel = nullptr;
  std::byte* local = nullptr;      // .local: lane l at l * kernel->local_bytes
  std::vector<Split> waiting;      // the other splits, by pc
  uint64_t executed = 0;           // warp instructions
};

// --- what handlers use ------------------------------------------------------------------------------------------------

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

// Calls f(lane) for each executing lane. With all lanes on, the loop is one that the compiler turns into vector code.
template <class F>
inline void for_lanes(const Warp& w, F&& f) {
  if (w.mask == 0xffffffffu) {
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
// Never returns. `lane` < 0: the whole warp.
[[noreturn]] void fault(Warp& w, const Instr& i, int lane, const std::string& what);

// Leaves the dispatch loop and lets other warps (and blocks) run; the instruction counts as executed and pc stays behind
// it. Used by polls: a failed mbarrier.try_wait, nanosleep, a load that spins.
void yield(Warp& w);

// --- memory: every access of every handler goes through these; they check bounds, alignment and state spaces ----------

enum class Space : uint8_t { kGeneric, kGlobal, kShared, kLocal, kParam, kConst };
enum class Access : uint8_t { kRead, kWrite, kAtomic };

// Host pointer to [address, address + bytes) in `space` for one lane; faults when the range is not inside one live
// allocation (or the block's shared memory, the lane's local memory, the parameters) or is not aligned to `align`.
// Shared addresses are offsets in the shared window (Block::kSharedBase + n); generic ones carry the window tag.
std::byte* resolve(Warp& w, const Instr& i, int lane, Space space, uint64_t address, uint32_t bytes, uint32_t align, Access access);

// The same for asynchronous engines, which act for a block without a lane of their own (issued by `i` of `w`).
std::byte* resolve_async(Warp& w, const Instr& i, Space space, uint64_t address, uint64_t bytes, uint32_t align, Access access);

}  // namespace sim

// The asynchronous side of a block: its mbarriers, the copies in flight and the groups that threads wait for.
// An asynchronous instruction checks its operands, builds an operation object and hands it to issue(); issue() alone
// decides when perform() runs, so another order of delivery is a change of that one function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "machine/block.hpp"
#include "machine/warp.hpp"

namespace sim {

// The 64 bits of an mbarrier object, as Hopper keeps them in shared memory (read back on an H100):
//   63     parity of the phase in progress         62:43  -(arrivals still awaited)
//   41:21  -(bytes announced and not delivered)    20:1   -(arrivals that each new phase awaits)
struct Mbarrier {
  static constexpr uint32_t kMaxCount = (1u << 20) - 1;  // PTX ISA: valid counts and tx-counts
  uint32_t parity = 0;
  uint32_t pending = 0;
  uint32_t expected = 0;
  int32_t tx = 0;

  static Mbarrier decode(uint64_t word);
  uint64_t encode() const;
};

// What the block knows about a live mbarrier beyond its word: where it is, what the word must be, who came last.
struct MbarrierRecord {
  uint32_t address = 0;    // shared address
  uint64_t word = 0;       // as last written by an mbarrier operation
  uint64_t completed = 0;  // phases
  int last_warp = -1;      // who arrived last, for reports; -1: nobody yet
  int last_lane = -1;
};

// cp.async groups or bulk groups of one thread.
struct CopyGroups {
  uint32_t open = 0;     // operations issued since the last commit
  uint32_t pending = 0;  // committed groups that no wait has covered
};

struct AsyncState {
  std::vector<MbarrierRecord> mbarriers;
  std::vector<CopyGroups> copy_groups;  // cp.async, by thread of the block
  std::vector<CopyGroups> bulk_groups;  // cp.async.bulk and cp.reduce.async.bulk, by thread of the block
};

// The block's state, made at its first asynchronous instruction.
AsyncState& async_state(Block& block);

inline uint32_t thread_of(const Warp& w, int lane) { return w.index * kWarpSize + static_cast<uint32_t>(lane); }

// Runs an operation: today at once, in program order of the issuing lanes.
template <class Operation>
inline void issue(Warp& w, Operation&& operation) {
  operation.perform();
  note_progress(w);
}

// Closes the open group of each executing thread; also a group without operations counts.
void commit_groups(Warp& w, std::vector<CopyGroups>& groups);
// Each executing thread waits until at most limit[lane] of its committed groups are pending.
void wait_groups(Warp& w, std::vector<CopyGroups>& groups, const uint32_t* limit);

// --- mbarriers. `address` is a shared address; `lane` executes `i`. Faults: unaligned or outside shared memory, not
// initialised, overwritten by an ordinary store, a count outside its range. -------------------------------------------

void mbarrier_init(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t count);
void mbarrier_invalidate(Warp& w, const Instr& i, int lane, uint32_t address);

enum class Arrival : uint8_t { kPlain, kNoComplete, kDrop, kDropNoComplete };
// Returns the state word from before the arrival.
uint64_t mbarrier_arrive(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t count, Arrival kind);
void mbarrier_expect_tx(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t bytes);
void mbarrier_complete_tx(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t bytes);
// The phase in progress awaits one arrival more (cp.async.mbarrier.arrive without .noinc).
void mbarrier_add_pending(Warp& w, const Instr& i, int lane, uint32_t address);
// Parity of the phase in progress.
uint32_t mbarrier_parity(Warp& w, const Instr& i, int lane, uint32_t address);

// Shared address of the mbarrier that address operand k (base slot `slot`) names in `space`, kShared or kGeneric;
// faults when a generic address points elsewhere.
uint32_t mbarrier_operand(Warp& w, const Instr& i, int lane, int k, uint32_t slot, Space space);

// For deadlock reports: one line (a newline, then the text) per live mbarrier on which something has happened, and the
// threads with copies that no commit or wait covers. Empty: nothing is outstanding.
std::string describe_async(const Block& block);

}  // namespace sim

// The asynchronous side of a block: its mbarriers, the copies in flight and the groups that threads wait for.
// An asynchronous instruction checks its operands, builds an operation object that owns all it needs, and hands it to
// issue(). The engine (copy_engine.cpp) alone decides when it is performed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "machine/block.hpp"
#include "machine/observer.hpp"
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
  uint32_t address = 0;             // shared address
  uint64_t word = 0;                // as last written by an mbarrier operation
  uint64_t completed = 0;           // phases
  const Warp* last_warp = nullptr;  // who arrived last, of any block of the cluster, for reports; nullptr: nobody yet
  int last_lane = -1;
};

// An asynchronous copy of one lane, from its issue until its mbarrier or its thread's group is told of its end.
struct AsyncOperation {
  enum class Kind : uint8_t {
    kCpAsync,  // 4, 8 or 16 bytes, generic proxy
    kBulk,     // contiguous bytes, asynchronous proxy
    kTensor,   // a box of a tensor map, asynchronous proxy
    kStore,    // registers of st.async and red.async, generic proxy
    kArrival,  // cp.async.mbarrier.arrive: copies nothing, arrives when the thread's earlier cp.async have landed
  };
  Kind kind;
  bool is_reduction = false;              // cp.reduce.async: the destination is read, too
  bool is_repeat = false;                 // of a multicast, for one more block: its source has been read
  uint32_t warp = 0, lane = 0, pc = 0;    // who issued it, and where
  uint32_t barrier = 0;                   // shared address of the mbarrier that hears of its end; 0: it has a group
  uint32_t bytes = 0;                     // that complete_tx takes from `barrier`
  CopyGroup group = CopyGroup::kCpAsync;  // the issuing thread's: where `barrier` is 0, and of arrivals
  uint64_t sequence = 0;                  // groups that the thread had committed before: its own has this number
  uint64_t ordinal = 0;                   // operations that the block had issued before
  const std::byte* map = nullptr;         // of kTensor: the 128 bytes of the tensor map, which it reads while it runs

  explicit AsyncOperation(Kind k) : kind(k) {}
  virtual ~AsyncOperation() = default;
  uint32_t thread() const { return warp * kWarpSize + lane; }
  bool is_of_async_proxy() const { return kind == Kind::kBulk || kind == Kind::kTensor; }

  // The bytes that it reads and writes, range by range; the mbarrier and the tensor map are not among them.
  virtual void each_range(const std::function<void(const AsyncRange&)>& f) const = 0;
  virtual void perform() = 0;  // all of it at once
  // Operations told by an mbarrier can also be performed piece by piece: each piece once, in any order.
  virtual uint32_t pieces() const { return 0; }
  virtual void perform_piece(uint32_t /*piece*/) {}
  // Stores: takes the source's bytes now, perform() writes those.
  virtual void read_source() {}
};

// cp.async groups or bulk groups of one thread.
struct CopyGroups {
  uint64_t committed = 0;
  uint64_t covered = 0;  // groups, from the first, that a wait has covered
  uint32_t open = 0;     // operations issued since the last commit
};

// An operation that is not complete.
struct Pending {
  std::unique_ptr<AsyncOperation> operation;
  uint32_t done = 0;             // pieces
  uint32_t first = 0, step = 1;  // piece k in the order of delivery is (first + k * step) % pieces
  bool is_source_read = false;

  void perform_next(uint32_t pieces) {
    operation->perform_piece(static_cast<uint32_t>((first + uint64_t{done++} * step) % pieces));
  }
};

struct AsyncState {
  std::vector<MbarrierRecord> mbarriers;
  std::vector<CopyGroups> groups[2];          // by CopyGroup, then by thread of the block
  uint64_t issued = 0;                        // operations
  std::vector<Pending> told;                  // in flight, an mbarrier hears of them
  std::vector<std::vector<Pending>> grouped;  // in flight, in groups of their threads; by warp
};

// The block's state, made at its first asynchronous instruction.
AsyncState& async_state(Block& block);

inline uint32_t thread_of(const Warp& w, int lane) { return w.index * kWarpSize + static_cast<uint32_t>(lane); }

// True: nobody looks and copies are performed at once, so that no operation object need outlive its instruction.
inline bool performs_at_once(const Block& block) {
  return block.observer == nullptr && block.grid->options.async == AsyncMode::kEager;
}

// Tells the operation's mbarrier, if it has one, that its bytes are there. Arrivals arrive.
void tell_barrier(Warp& w, const Instr& i, const AsyncOperation& operation);
// An operation of lane `lane`, which executes `i`; the engine decides when it is performed.
void issue_later(Warp& w, const Instr& i, int lane, std::unique_ptr<AsyncOperation> operation);

template <class Operation>
inline void issue(Warp& w, const Instr& i, int lane, Operation&& operation) {
  if (!performs_at_once(*w.block))
    return issue_later(w, i, lane, std::make_unique<Operation>(std::forward<Operation>(operation)));
  operation.lane = static_cast<uint32_t>(lane);
  operation.perform();
  if (operation.barrier == 0)
    ++async_state(*w.block).groups[static_cast<size_t>(operation.group)][thread_of(w, lane)].open;
  else
    tell_barrier(w, i, operation);
  note_progress(w);
}

// Copies in flight, for the schedule. Something moves on although it need not yet.
void move_copies(Block& block);
// Nothing else of the block can run: completes one operation that an mbarrier waits for, or, of_any_kind, a grouped
// one. False: there is none.
bool land_copy(Block& block, bool of_any_kind);
// All threads have exited: stores, and what goes to other blocks, are performed; loads have lost their destination and
// are given up.
void end_copies(Block& block);

// Closes the open group of each executing thread; also a group without operations counts.
void commit_groups(Warp& w, const Instr& i, CopyGroup group);
// Each executing thread waits until at most limit[lane] of its committed groups are pending. is_read: their sources
// alone must have been read.
void wait_groups(Warp& w, const Instr& i, CopyGroup group, const uint32_t* limit, bool is_read = false);
// The same for all of its operations, committed or not.
void wait_all(Warp& w, const Instr& i, CopyGroup group);

// --- mbarriers. `address` is a shared address of any block of the cluster; `lane` executes `i`. Faults: unaligned or
// outside shared memory, not
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
// Phases completed so far.
uint64_t mbarrier_phases(Warp& w, const Instr& i, int lane, uint32_t address);
// Parity of the phase in progress.
uint32_t mbarrier_parity(Warp& w, const Instr& i, int lane, uint32_t address);

// Shared address of the mbarrier that address operand k (base slot `slot`) names in `space`: kShared, kSharedCluster or
// kGeneric. Faults when a generic address points elsewhere, or a kShared one to another block.
uint32_t mbarrier_operand(Warp& w, const Instr& i, int lane, int k, uint32_t slot, Space space);

// For deadlock reports: one line (a newline, then the text) per live mbarrier on which something has happened, and the
// threads with copies that no commit or wait covers. Empty: nothing is outstanding.
std::string describe_async(const Block& block);

}  // namespace sim

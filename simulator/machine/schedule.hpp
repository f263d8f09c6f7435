// The choices of an ordered run (RunOptions::is_ordered): who runs next, where it is interrupted, when copies land.
// A choice is a hash of (seed, launch, block, kind of choice, how many-th of its kind): no two kinds share a generator,
// so a choice more of one kind moves no other, and the same seed gives the same run to the bit.
#pragma once

#include <cstdint>
#include <vector>

#include "machine/options.hpp"
#include "program/program.hpp"

namespace sim {

struct Block;
struct Warp;

enum class Choice : uint8_t {
  kStart,      // which of the blocks that fit starts next
  kWidth,      // how many blocks share the host before they are stuck
  kBlock,      // which resident block runs next
  kTurn,       // for how long
  kPriority,   // of a warp, PCT
  kChange,     // PCT's change points
  kParting,    // whether divergent lanes stay apart until a .sync
  kSplit,      // which split of a warp runs next
  kSpurious,   // try_wait that fails though its phase is over
  kRate,       // how often a copy moves on before it must
  kStep,       // whether one does at this step
  kOperation,  // which copy
  kPiece,      // which of its pieces, and how many
  kCancel,     // whether try_cancel is refused though blocks are left
  kCount
};

class Choices {
 public:
  Choices() = default;
  Choices(const RunOptions& options, uint64_t owner);
  uint64_t draw(Choice kind);
  // 0 .. n - 1; n > 0.
  uint64_t below(Choice kind, uint64_t n) { return draw(kind) % n; }

 private:
  uint64_t key_ = 0;
  uint64_t drawn_[static_cast<size_t>(Choice::kCount)] = {};
};

// Of each instruction whether other threads can tell when it runs: barriers, mbarriers, fences, atomics, strong loads
// and stores, asynchronous copies and their groups. Only there are warps interrupted.
std::vector<uint8_t> visible_steps(const Kernel& kernel);

// The schedule of one resident block. Seed 0: warps take turns, copies wait until nothing else can run. Another seed:
// PCT (Burckhardt et al., ASPLOS 2010): the ready warp of highest random priority runs, and at few random steps the
// running one falls to the bottom. A warp that polls falls, too, so that spinning starves nobody.
class Schedule {
 public:
  Schedule(const Block& block, const uint8_t* visible);

  // A call of run_block begins. After a stall everybody who polled looks again: others may have helped.
  void begin_turn();
  void stall() { is_stalled_ = true; }
  // The warp to run; nullptr: nobody can get on before something changes.
  Warp* next(Block& block);
  // `warp` has left its loop; `before` is Block::progress from when it entered.
  void ran(const Block& block, const Warp& warp, uint64_t before);
  bool is_turn_over() const { return draws_ && steps_ >= turn_end_; }

  bool is_visible(uint32_t pc) const { return visible_[pc] != 0; }
  // A visible step is done. True: the running warp is interrupted.
  bool step(Warp& warp);
  bool parts_lanes() const { return parts_lanes_; }
  bool fails_spuriously() { return draws_ && choices.below(Choice::kSpurious, 8) == 0; }
  // Whether a copy moves on at this step although it need not yet.
  bool moves_copy() { return copy_rate_ != 0 && choices.below(Choice::kStep, copy_rate_) == 0; }

  Choices choices;

 private:
  struct Turn {
    uint64_t priority = 0;
    uint64_t polled_at = kNever;  // Block::progress that a failed poll has seen
  };
  static constexpr uint64_t kNever = ~0ull;
  static constexpr size_t kChanges = 3;  // PCT depth 4
  void demote(size_t warp);

  const uint8_t* visible_;
  std::vector<Turn> turns_;  // by warp
  size_t last_ = 0;          // warp that ran last
  bool is_interrupted_ = false, is_stalled_ = false;
  bool draws_ = false, parts_lanes_ = false;
  uint64_t steps_ = 0, turn_end_ = 0;
  uint64_t changes_[kChanges] = {};
  uint64_t demotions_ = 0;
  uint64_t copy_rate_ = 0;  // one visible step in so many; 0: never
};

}  // namespace sim

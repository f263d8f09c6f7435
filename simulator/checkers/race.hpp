// The race checker: every access of shared and global memory, generic or asynchronous, is held against those that are
// not ordered before it. In: the observer's hooks; out: findings. Threads are lanes; the rules are in docs/checkers.md.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "checkers/clock.hpp"
#include "checkers/findings.hpp"
#include "checkers/shadow.hpp"
#include "machine/access.hpp"
#include "machine/async.hpp"
#include "machine/observer.hpp"

namespace sim::checkers {

// What a fence has made ready for the next strong write of a lane. `epoch`: the lane's own accesses up to it.
struct Released {
  Knowledge knowledge;
  uint32_t epoch = 0;
  uint32_t fenced_at[2] = {0, 0};
  Scope scope = Scope::kCta;
  // With the own accesses of `lanes` of warp `warp`.
  Knowledge of(uint32_t warp, uint32_t lanes) const;
};

// Lanes of a warp that know the same.
struct LaneClass {
  uint32_t mask = 0;
  Knowledge knowledge;
  uint32_t fenced_at[2] = {0, 0};            // the lanes' own accesses up to this epoch are in the asynchronous proxy
  std::shared_ptr<const Released> released;  // of the last releasing fence
  std::shared_ptr<Knowledge> observed_here;  // by relaxed reads, until a fence acquires it: from the own block,
  std::shared_ptr<ClusterKnowledge> observed_cluster;  // from its cluster,
  SharedForeign observed_wide, observed_wide_fenced;   // and from any
  bool has_observed() const { return observed_here || observed_cluster || observed_wide; }
};

struct WarpLanes {
  uint32_t epoch = 1;
  bool has_released = false;  // the next access begins a new epoch
  std::vector<LaneClass> classes;
};

// What releases left at an address.
struct SyncVariable {
  SharedForeign wide, wide_fenced;                         // of gpu and sys scope, by any block
  std::unordered_map<uint64_t, ClusterKnowledge> cluster;  // by cluster: those of its scope or a wider one
  std::unordered_map<uint64_t, Knowledge> own;             // by block: all of its releases
};

struct MbarrierClock {
  uint32_t id = 0;
  uint64_t phase = 0;  // phases that `done` covers
  Knowledge arrived, done;
  ClusterKnowledge arrived_far, done_far;  // by arrivals of other blocks
  // Phases up to the last whose end is more than the arrivals that `arrived` has: bytes, relaxed or far arrivals.
  uint64_t hidden = 0;
  // Phases that threads know to be over without having acquired them: by an arrival that alone ended one, by a relaxed
  // wait.
  std::unordered_map<uint64_t, uint64_t> witnesses;
};

// Of a cluster of several blocks. Its mbarriers are counted together: what is known of phases goes from block to block.
struct ClusterClocks {
  uint32_t blocks = 0;             // that have not ended
  ClusterKnowledge barrier, left;  // of barrier.cluster: the generation in progress, and the last one
  uint32_t next_mbarrier = 0;
};

struct BlockClocks {
  Block* block = nullptr;
  std::vector<WarpLanes> warps;
  Shadow shared;
  ClusterClocks* cluster = nullptr;   // nullptr: alone in it
  Knowledge barriers[kBarriers + 1];  // of the generation in progress
  Knowledge left[kBarriers + 1];      // of the last one
  std::unordered_map<uint32_t, MbarrierClock> mbarriers;
  uint32_t next_mbarrier = 0;
  std::vector<uint32_t> known;                                 // event of warp and pc, valid if it has the warp's epoch
  std::unordered_map<uint64_t, std::vector<uint32_t>> copies;  // by thread * 2 + group: not yet waited for
  std::unordered_map<uint64_t, uint32_t> in_flight;            // by ordinal: of those that an mbarrier hears of
};

class RaceChecker : public Observer {
 public:
  explicit RaceChecker(const Grid& grid);

  void block_starts(Block& block) override;
  void block_ends(Block& block) override;
  void report(std::vector<Finding>& findings) override;
  void access(Warp& w, const Instr& i, const MemoryAccess& a, const Pointers& at) override;
  void warp_sync(Warp& w, const Instr& i, uint32_t lanes) override;
  void fence(Warp& w, const Instr& i, Fence kind, Order order, Scope scope, Space space) override;
  void map_acquired(Warp& w, const Instr& i, Scope scope, const std::byte* const* maps) override;
  void barrier_arrive(Warp& w, const Instr& i, uint32_t id, bool waits, Order order) override;
  void barrier_complete(Block& block, uint32_t id) override;
  void barrier_leave(Warp& w, uint32_t id, uint32_t lanes) override;
  void mbarrier(Warp& w, const Instr& i, int lane, uint32_t address, MbarrierUse use, uint32_t value, uint64_t phase,
                Order order, Scope scope) override;
  void async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& operation) override;
  void async_completed(Block& block, AsyncOperation& operation) override;
  void group_wait(Warp& w, const Instr& i, CopyGroup group, const uint32_t* pending, bool is_read) override;

 private:
  // One lane's access while it is held against the shadow.
  struct Accessor {
    Accessor(BlockClocks& o, Warp& w, const LaneClass& c, uint32_t l, uint32_t e, bool writes, bool in_shared)
        : own(&o), home(&o), warp(&w), lanes(&c), lane(l), event(e), is_write(writes), is_shared(in_shared) {}

    BlockClocks* own;
    BlockClocks* home;  // of the block whose shared memory it is
    Warp* warp;
    const LaneClass* lanes;
    uint32_t lane;
    uint32_t event;
    bool is_write;
    bool is_shared;
    bool is_map = false;        // a copy reads its tensor map: by a proxy that has a fence of its own
    uint32_t sure[2] = {0, 0};  // events found to be before this access, whatever their lanes
    // What became of the last word: `before` turned into `after`, and does so wherever it is met again, by known_lane
    // or by any. Entries without lanes are then of the accessing lane; in `before` of a copy, of any lanes.
    enum class Known : uint8_t { kNothing, kOneLane, kAnyLane } known = Known::kNothing;
    uint32_t known_lane = 0;
    Cell before, after;  // unless kNothing
    uint32_t bit() const { return 1u << lane; }
  };
  // The memory in which `p` lies for this access, and its offset or address there.
  Shadow& shadow_of(const Accessor& a) { return a.is_shared ? a.home->shared : global_; }
  static uint64_t place_of(const Accessor& a, const std::byte* p) {
    return a.is_shared ? static_cast<uint64_t>(p - a.home->block->shared) : reinterpret_cast<uint64_t>(p);
  }
  static Row& row_at(const Accessor& a, Shadow& shadow, uint64_t at) {
    return a.is_shared ? shadow.shared(at) : shadow.global(at);
  }
  bool is_weak_write(const Accessor& a) const { return a.is_write && !events_[a.event].is_strong; }

  BlockClocks& clocks_of(const Block& block);
  bool is_same_cluster(uint64_t block, uint64_t other) const;
  // Whether the scope of a strong access takes in all that can reach the memory.
  bool reaches_all(const Event& e, bool is_shared) const {
    return e.is_wide || (is_shared && (e.is_far || !has_clusters_));
  }
  WarpLanes& lanes_of(const Warp& w) { return clocks_of(*w.block).warps[w.index]; }
  // Begins a new epoch if the last one was released.
  void begin(WarpLanes& lanes) {
    lanes.epoch += lanes.has_released;
    lanes.has_released = false;
  }
  // Splits the classes so that `mask` is a union of some; calls f on these.
  template <class F>
  void each_class(WarpLanes& lanes, uint32_t mask, F&& f);
  // What the lanes of `mask` in class `c` make known by a release now.
  Knowledge publish(const Warp& w, WarpLanes& lanes, const LaneClass& c, uint32_t mask);

  uint32_t new_event();
  uint32_t event_of(Warp& w, const Instr& i, Order order, Scope scope, uint32_t bytes, bool is_mbarrier);
  void collect();

  // race_row.cpp
  void touch_row(Accessor& a, std::byte* p, uint32_t words);
  bool touch_alike(Accessor& a, Row& row, bool is_own, uint32_t first, uint32_t shift);

  bool repeats(const Accessor& a, Cell& c) const;
  void learn(Accessor& a, const Cell& before, const Cell& after);
  bool is_alike(const Accessor& a, const Entry& e);

  // race_access.cpp
  void touch(Accessor& a, std::byte* p, uint64_t bytes);
  void touch_part(Accessor& a, Shadow& shadow, Row& row, std::byte* p, uint64_t at, uint64_t bytes);
  void touch_quad(Accessor& a, Shadow& shadow, Row& row, uint64_t quad, std::byte* p);
  void touch_word(Accessor& a, Shadow& shadow, Cell& c, std::byte* p);
  void touch_cell(Accessor& a, Shadow& shadow, Cell& c, const std::byte* p);
  bool settles(Accessor& a, const Entry& e, const std::byte* p);
  bool is_before(const Accessor& a, const Entry& e, bool& is_unfenced) { return is_before(a, e, a.bit(), is_unfenced); }
  bool is_before(const Accessor& a, const Entry& e, uint32_t self, bool& is_unfenced);
  bool is_covered(const Accessor& a, const Clock& clock, const Event& e, uint32_t lanes, uint32_t epoch) const;
  void add(Accessor& a, Shadow& shadow, Cell& c);
  void tell_race(const Accessor& a, const Entry& other, const std::byte* p, bool is_unfenced);
  const LaneClass& class_of(WarpLanes& lanes, uint32_t lane) const;

  bool are_strong(const Event& x, const Event& y) const;

  // race_cluster.cpp: what blocks of a cluster let each other know
  void arrive_at_cluster(Warp& w, Order order);
  void arrive_far(Warp& w, int lane, MbarrierClock& m, Order order, Scope scope);
  void check_started(const Warp& w, const Instr& i, const LaneClass& c, const std::byte* p);
  void check_end(Block& block);

  // race_variable.cpp: strong accesses as synchronisation
  void acquire_at(Warp& w, uint64_t address, uint32_t mask, Order order, Scope scope);
  void release_at(Warp& w, uint64_t address, uint32_t mask, Order order, Scope scope);
  void synchronise(Warp& w, const MemoryAccess& a, const Pointers& at);

  // race_async.cpp
  void touch_mbarrier(Warp& w, const Instr& i, uint32_t lanes, uint32_t address, Order order, bool is_write);
  void hear(BlockClocks& block, MbarrierClock& m, const AsyncOperation& operation);
  void check_announcement(Warp& w, const Instr& i, uint32_t lane, uint32_t address, const MbarrierClock& m,
                          uint64_t phase);
  void check_parity(Warp& w, const Instr& i, uint32_t address, const MbarrierClock& m, uint32_t parity, uint64_t phase,
                    bool has_passed);
  static uint64_t phases_known(const Warp& w, const LaneClass& c, uint32_t lane, const MbarrierClock& m);
  void check_left(Block& block);

  const Grid& grid_;
  const bool has_clusters_;  // of several blocks
  std::unordered_map<uint64_t, ClusterClocks> clusters_;
  std::unordered_map<const Block*, std::unique_ptr<BlockClocks>> blocks_;
  const Block* last_block_ = nullptr;
  BlockClocks* last_clocks_ = nullptr;
  Shadow global_;
  std::vector<Event> events_{1};  // 0: none
  std::vector<uint32_t> free_events_;
  size_t collect_at_ = 1u << 18;
  std::unordered_map<uint64_t, SyncVariable> variables_;
  AsyncOperation* completing_ = nullptr;  // the mbarrier hears of it next
  FindingList findings_;
};

template <class F>
void RaceChecker::each_class(WarpLanes& lanes, uint32_t mask, F&& f) {
  const size_t count = lanes.classes.size();
  for (size_t n = 0; n < count; ++n) {
    const uint32_t both = lanes.classes[n].mask & mask;
    if (both == 0) continue;
    if (both != lanes.classes[n].mask) {
      LaneClass rest = lanes.classes[n];
      rest.mask &= ~both;
      lanes.classes.push_back(std::move(rest));
      lanes.classes[n].mask = both;
    }
    f(lanes.classes[n]);
  }
}

}  // namespace sim::checkers

#include "checkers/dependency.hpp"

#include <bit>
#include <unordered_map>
#include <vector>

#include "checkers/findings.hpp"
#include "machine/access.hpp"
#include "machine/async.hpp"
#include "machine/observer.hpp"

namespace sim::checkers {
namespace {

// Which warps have waited. A warp that synchronises with others in any way counts as one that has, once any of those
// has: what it was told is the race checker's matter, and here nobody is accused in vain.
class DependencyChecker : public Observer {
 public:
  explicit DependencyChecker(const Grid& grid) : grid_(grid) {}

  void block_starts(Block& block) override { blocks_[&block] = {std::vector<bool>(block.warps.size()), false}; }
  void block_ends(Block& block) override {
    overlap().lets_go_early |= !blocks_[&block].any_has_waited;
    blocks_.erase(&block);
  }
  void report(std::vector<Finding>& findings) override { findings_.take(findings); }

  void access(Warp& w, const Instr& i, const MemoryAccess& a, const Pointers& at) override {
    if (a.space != Space::kGlobal && a.space != Space::kGeneric) return;
    if (a.order != Order::kWeak) synchronise(w, any_has_waited_);
    if (at.shape == Pointers::Shape::kRow && a.space == Space::kGlobal && note_row(w, at.base, a)) return;
    for (uint32_t left = w.mask; left != 0; left &= left - 1) {
      const int lane = std::countr_zero(left);
      const std::byte* const p = at.of(lane, a.bytes);
      const bool is_global = a.space == Space::kGlobal || grid_.memory->find(reinterpret_cast<uint64_t>(p), 1);
      if (is_global) touch(w, i, lane, p, a.bytes, a.access != Access::kRead);
    }
  }
  void async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& operation) override {
    operation.each_range([&](const AsyncRange& r) {
      if (!r.is_shared) touch(w, i, lane, r.begin, r.bytes, r.is_write);
    });
  }

  void dependency_wait(Warp& w, const Instr&) override {
    any_has_waited_ = true;
    blocks_[w.block].any_has_waited = true;
    blocks_[w.block].has_waited[w.index] = true;
  }
  void dependents_launch(Warp& w, const Instr&) override {
    overlap().lets_go_early |= !blocks_[w.block].has_waited[w.index];
  }
  void barrier_leave(Warp& w, uint32_t, uint32_t) override { synchronise(w, blocks_[w.block].any_has_waited); }
  void mbarrier(Warp& w, const Instr&, int, uint32_t, MbarrierUse use, uint32_t, uint64_t, Order, Scope) override {
    if (use == MbarrierUse::kWaitPassed) synchronise(w, blocks_[w.block].any_has_waited);
  }

 private:
  struct BlockState {
    std::vector<bool> has_waited;  // by warp
    bool any_has_waited = false;
  };

  void synchronise(const Warp& w, bool has_waited) {
    BlockState& block = blocks_[w.block];
    if (!has_waited) return;
    block.has_waited[w.index] = true;
    block.any_has_waited = true;
  }

  // All lanes at once. False: they are to be looked at one by one.
  bool note_row(const Warp& w, const std::byte* p, const MemoryAccess& a) {
    Overlap& o = overlap();
    if (o.is_dependent && !blocks_[w.block].has_waited[w.index]) return false;
    o.own.add(reinterpret_cast<uint64_t>(p), uint64_t{kWarpSize} * a.bytes, a.access != Access::kRead);
    return true;
  }

  void touch(Warp& w, const Instr& i, int lane, const std::byte* p, uint64_t bytes, bool is_write) {
    const uint64_t address = reinterpret_cast<uint64_t>(p);
    Overlap& o = overlap();
    o.own.add(address, bytes, is_write);
    if (!o.is_dependent || blocks_[w.block].has_waited[w.index]) return;
    const uint64_t at = o.ahead.conflict(address, bytes, is_write);
    if (at == 0 || !findings_.is_new("dependency", i.pc, 0)) return;
    findings_.add(w, i.pc, 1u << lane, "race", buffer_text(*w.block, reinterpret_cast<const std::byte*>(at), false),
                  std::string(is_write ? "writes" : "reads") +
                      " before griddepcontrol.wait what a grid ahead may still " + (is_write ? "use: " : "write: ") +
                      o.ahead.kernels());
  }

  const Grid& grid_;
  std::unordered_map<const Block*, BlockState> blocks_;
  bool any_has_waited_ = false;
  FindingList findings_;
};

}  // namespace

// A dependent grid may start when the one ahead has just started itself, and what that one waits for still runs.
void Overlap::start(bool depends_on_trigger, const std::string& kernel) {
  if (is_dependent && lets_go_early && depends_on_trigger)
    ahead.join(own);
  else
    ahead = own;
  is_dependent = depends_on_trigger;
  lets_go_early = false;
  own.start(kernel);
}

Overlap& overlap() {
  static Overlap* const one = new Overlap;  // checked launches are one at a time, under the driver's lock
  return *one;
}

std::unique_ptr<Observer> check_dependency(const Grid& grid) { return std::make_unique<DependencyChecker>(grid); }

}  // namespace sim::checkers

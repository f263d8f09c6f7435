#include "machine/observers.hpp"

#include <algorithm>

namespace sim {
namespace {

class All : public Observer {
 public:
  explicit All(std::vector<std::unique_ptr<Observer>> each)
      : each_(std::move(each)),
        wants_instructions_(std::any_of(each_.begin(), each_.end(), [](auto& o) { return o->wants_instructions(); })) {}

  void grid_starts(const Grid& g) override { tell(&Observer::grid_starts, g); }
  void grid_ends(const Grid& g) override { tell(&Observer::grid_ends, g); }
  void block_starts(Block& b) override { tell(&Observer::block_starts, b); }
  void block_ends(Block& b) override { tell(&Observer::block_ends, b); }
  void instruction(Warp& w, const Instr& i) override {
    for (auto& o : each_)
      if (o->wants_instructions()) o->instruction(w, i);
  }
  bool wants_instructions() const override { return wants_instructions_; }
  void parked(Warp& w, const Instr& i) override { tell(&Observer::parked, w, i); }
  void access(Warp& w, const Instr& i, const MemoryAccess& a, const Pointers& at) override {
    tell(&Observer::access, w, i, a, at);
  }
  void warp_sync(Warp& w, const Instr& i, uint32_t lanes) override { tell(&Observer::warp_sync, w, i, lanes); }
  void report(std::vector<Finding>& findings) override { tell(&Observer::report, findings); }
  void fence(Warp& w, const Instr& i, Fence f, Order order, Scope scope, Space space) override {
    tell(&Observer::fence, w, i, f, order, scope, space);
  }
  void map_acquired(Warp& w, const Instr& i, Scope scope, const std::byte* const* maps) override {
    tell(&Observer::map_acquired, w, i, scope, maps);
  }
  void barrier_arrive(Warp& w, const Instr& i, uint32_t id, bool waits, Order order) override {
    tell(&Observer::barrier_arrive, w, i, id, waits, order);
  }
  void barrier_complete(Block& b, uint32_t id) override { tell(&Observer::barrier_complete, b, id); }
  void barrier_leave(Warp& w, uint32_t id, uint32_t lanes) override { tell(&Observer::barrier_leave, w, id, lanes); }
  void mbarrier(Warp& w, const Instr& i, int lane, uint32_t address, MbarrierUse use, uint32_t value, uint64_t phase,
                Order order, Scope scope) override {
    tell(&Observer::mbarrier, w, i, lane, address, use, value, phase, order, scope);
  }
  void async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& o) override {
    tell(&Observer::async_issued, w, i, lane, o);
  }
  void async_completed(Block& b, AsyncOperation& o) override { tell(&Observer::async_completed, b, o); }
  void group_commit(Warp& w, const Instr& i, CopyGroup g) override { tell(&Observer::group_commit, w, i, g); }
  void group_wait(Warp& w, const Instr& i, CopyGroup g, const uint32_t* pending, bool is_read) override {
    tell(&Observer::group_wait, w, i, g, pending, is_read);
  }
  void dependency_wait(Warp& w, const Instr& i) override { tell(&Observer::dependency_wait, w, i); }
  void dependents_launch(Warp& w, const Instr& i) override { tell(&Observer::dependents_launch, w, i); }

 private:
  template <class Hook, class... Arguments>
  void tell(Hook hook, Arguments&... arguments) {
    for (auto& o : each_) ((*o).*hook)(arguments...);
  }

  std::vector<std::unique_ptr<Observer>> each_;
  bool wants_instructions_;
};

}  // namespace

std::unique_ptr<Observer> make_observers(std::span<const MakeObserver> makers, const Grid& grid) {
  std::vector<std::unique_ptr<Observer>> each;
  for (const MakeObserver make : makers) each.push_back(make(grid));
  if (each.empty()) return nullptr;
  return each.size() == 1 ? std::move(each[0]) : std::make_unique<All>(std::move(each));
}

}  // namespace sim

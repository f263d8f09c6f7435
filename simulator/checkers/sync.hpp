// Use of barriers, mbarriers and copies that hardware accepts and that still goes wrong: what is left over when a block
// ends, objects made twice, copies issued or awaited by the wrong lanes.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "checkers/findings.hpp"
#include "machine/async.hpp"
#include "machine/observer.hpp"

namespace sim::checkers {

class SyncChecker : public Observer {
 public:
  void block_starts(Block& block) override { blocks_[&block] = {}; }
  void block_ends(Block& block) override;
  void report(std::vector<Finding>& findings) override { findings_.take(findings); }
  void barrier_arrive(Warp& w, const Instr& i, uint32_t id, bool waits, Order order) override;
  void mbarrier(Warp& w, const Instr& i, int lane, uint32_t address, MbarrierUse use, uint32_t value, uint64_t phase,
                Order order, Scope scope) override;
  void async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& operation) override;
  void group_wait(Warp& w, const Instr& i, CopyGroup group, const uint32_t* pending, bool is_read) override;

 private:
  struct Place {
    const Warp* warp = nullptr;
    uint32_t lanes = 0, pc = 0;
  };
  struct Object {
    Place made;
    Place load;  // the last copy that it is to hear of
    uint64_t issued = 0, heard = 0;
    uint64_t filled = 0;  // phases up to the last that copies completed in
    uint64_t waited = 0;  // phases that somebody has seen completed
  };
  struct Store {
    Place place;
    uint64_t sequence = 0;
  };
  struct State {
    std::map<uint32_t, Object> objects;             // live mbarriers, by address
    Place arrivals[kBarriers + 1];                  // the last at each named barrier
    std::map<uint32_t, std::vector<Store>> stores;  // by thread: bulk groups whose sources may be unread
    Place last;                                     // copy of the lane before, with its first range
    uint64_t last_executed = 0;
    std::byte* last_begin = nullptr;
  };
  void tell(const Place& at, const char* rule, const std::string& buffer, const std::string& what);

  std::unordered_map<const Block*, State> blocks_;
  FindingList findings_;
};

}  // namespace sim::checkers

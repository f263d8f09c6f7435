#include "checkers/sync.hpp"

#include <bit>

namespace sim::checkers {
namespace {

std::string object_text(const Block& block, uint32_t address) {
  const Block& home = *home_of(block, address);
  return buffer_text(block, home.shared + (address - home.shared_base), true);
}

}  // namespace

void SyncChecker::tell(const Place& at, const char* rule, const std::string& buffer, const std::string& what) {
  if (findings_.is_new(rule, at.pc, 0)) findings_.add(*at.warp, at.pc, at.lanes, "sync", buffer, what);
}

void SyncChecker::barrier_arrive(Warp& w, const Instr& i, uint32_t id, bool, Order) {
  blocks_[w.block].arrivals[id] = {&w, w.mask, i.pc};
}

void SyncChecker::mbarrier(Warp& w, const Instr& i, int lane, uint32_t address, MbarrierUse use, uint32_t,
                           uint64_t phase, Order, Scope) {
  State& state = blocks_[home_of(*w.block, address)];
  const Place here{&w, 1u << lane, i.pc};
  if (use == MbarrierUse::kInit) {
    if (const auto old = state.objects.find(address); old != state.objects.end())
      tell(here, "twice", object_text(*w.block, address),
           "initialises an mbarrier that is live (no mbarrier.inval since its initialisation at\n  " +
               instruction_text(*w.kernel, old->second.made.pc) + ")");
    Object& fresh = state.objects[address] = Object{};
    fresh.made = here;
    return;
  }
  const auto found = state.objects.find(address);
  if (found == state.objects.end()) return;
  Object& object = found->second;
  switch (use) {
    case MbarrierUse::kInvalidate:
      state.objects.erase(found);
      break;
    case MbarrierUse::kCompleteTx:
      ++object.heard;
      object.filled = phase + 1;
      break;
    case MbarrierUse::kWaitPassed:
      object.waited = std::max(object.waited, phase);
      break;
    default:
      break;
  }
}

void SyncChecker::async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& o) {
  if (o.kind == AsyncOperation::Kind::kCpAsync || o.kind == AsyncOperation::Kind::kArrival) return;
  State& state = blocks_[w.block];
  const Place here{&w, 1u << lane, i.pc};
  if (o.barrier != 0) {
    Object& object = blocks_[home_of(*w.block, o.barrier)].objects[o.barrier];
    object.load = here;
    ++object.issued;
  } else {
    state.stores[o.thread()].push_back({here, o.sequence});
  }
  std::byte* begin = nullptr;
  o.each_range([&](const AsyncRange& r) {
    if (r.is_write && begin == nullptr) begin = r.begin;
  });
  // Lanes of one instruction that write one destination: the whole warp does what one lane is to do.
  if (o.is_of_async_proxy() && !o.is_reduction && begin != nullptr && begin == state.last_begin &&
      state.last.warp == &w && state.last.pc == i.pc && state.last_executed == w.executed)
    tell({&w, w.mask, i.pc}, "many", "",
         "lanes of one instruction copy to the same place; one lane is to issue the copy");
  state.last = here;
  state.last_executed = w.executed;
  state.last_begin = begin;
}

void SyncChecker::group_wait(Warp& w, const Instr&, CopyGroup group, const uint32_t* pending, bool) {
  if (group != CopyGroup::kBulk) return;
  State& state = blocks_[w.block];
  const std::vector<CopyGroups>& groups = async_state(*w.block).groups[static_cast<size_t>(group)];
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t thread = thread_of(w, lane);
    const auto mine = state.stores.find(thread);
    if (mine == state.stores.end()) continue;
    const uint64_t committed = groups[thread].committed;
    const uint64_t over = committed > pending[lane] ? committed - pending[lane] : 0;
    std::erase_if(mine->second, [&](const Store& s) { return s.sequence < over; });
    if (mine->second.empty()) state.stores.erase(mine);
  }
}

void SyncChecker::block_ends(Block& block) {
  const State state = std::move(blocks_[&block]);
  blocks_.erase(&block);
  for (const Warp& w : block.warps)
    if (w.live != 0) return;  // a fault ended it
  for (uint32_t id = 0; id < kBarriers; ++id)
    if (block.barriers[id].is_pending)
      tell(
          state.arrivals[id], "barrier left", "",
          "the block ends while barrier " + std::to_string(id) + " has arrivals of a generation that did not complete");
  for (const auto& [address, object] : state.objects) {
    if (object.issued != 0 && (object.heard < object.issued || object.filled > object.waited))
      tell(object.load, "unwaited", object_text(block, address),
           "the block ends and nobody has waited for this copy on its mbarrier");
    if (!block.async) continue;
    // Bytes that were expected in vain hurt nobody who did not wait; some that came say that others are missing.
    for (const MbarrierRecord& r : block.async->mbarriers)
      if (const int32_t tx = r.address == address && object.filled == r.completed + 1 ? Mbarrier::decode(r.word).tx : 0;
          tx != 0)
        tell(object.made, "tx left", object_text(block, address),
             "the block ends while this mbarrier awaits " + std::to_string(tx) + " bytes");
  }
  for (const auto& [thread, stores] : state.stores)
    tell(stores.front().place, "store left", "",
         "the block ends and its thread has not waited (wait_group.read) until shared memory was read");
}

}  // namespace sim::checkers

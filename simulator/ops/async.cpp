// Joins the rows of the asynchronous instructions, and has the fences between proxies and of mbarrier.init. Copies land
// in a legal order with or without a fence: only observers hear of it.
#include "ops/async_ops.hpp"

#include <atomic>
#include <vector>

namespace sim {
namespace {

void tell(Warp& w, const Instr& i, Fence fence, Order order, Space space) {
  if (w.block->observer != nullptr) w.block->observer->fence(w, i, fence, order, Scope::kGpu, space);
}

// Makes generic-proxy accesses of the executing lanes visible to the asynchronous proxy and back.
void fence_proxy_async(Warp& w, const Instr& i) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  tell(w, i, Fence::kProxyAsync, Order::kAcqRel, static_cast<Space>(i.imm));
}
Handler bind_fence_proxy_async(const ptx::Statement& s, Instr& i) {
  const Space space = shared_or_generic(s);
  i.imm = static_cast<int64_t>(s.has("global")                  ? Space::kGlobal
                               : space == Space::kSharedCluster ? Space::kShared
                                                                : space);
  return fence_proxy_async;
}
// A release makes what the thread did generically ready for the asynchronous proxy, as the two-way fence does. An
// acquire is the other direction, which copies that an mbarrier tells of need no fence for.
void fence_shared_release(Warp& w, const Instr& i) { tell(w, i, Fence::kProxyAsync, Order::kRelease, Space::kShared); }
void fence_shared_acquire(Warp& w, const Instr& i) { tell(w, i, Fence::kProxyAsync, Order::kAcquire, Space::kShared); }
// Between threads, of synchronisation through shared memory: taken for the whole fence.
template <Order kOrder>
void fence_cluster(Warp& w, const Instr& i) {
  std::atomic_thread_fence(std::memory_order_acq_rel);
  if (w.block->observer != nullptr)
    w.block->observer->fence(w, i, Fence::kThread, kOrder, Scope::kCluster, Space::kGeneric);
}
// Orders accesses through different virtual addresses of one location.
void fence_proxy_alias(Warp&, const Instr&) { std::atomic_thread_fence(std::memory_order_seq_cst); }
// Makes mbarrier.init visible to the cluster and to the asynchronous proxy.
void fence_mbarrier_init(Warp& w, const Instr& i) { tell(w, i, Fence::kMbarrierInit, Order::kRelease, Space::kShared); }
constexpr char kFenceIsa[] = "9.7.13.5 membar, fence";

const Form kForms[] = {
    {"[fence|membar].proxy.async[.global|.shared::cta|.shared::cluster|]", "", nullptr, bind_fence_proxy_async,
     Unit::kSync, kFenceIsa},
    // One-way and for shared memory alone: the executing thread's accesses before a release, or those after an acquire.
    {"fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster", "", fence_shared_release, nullptr,
     Unit::kSync, kFenceIsa},
    {"fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster", "", fence_shared_acquire, nullptr,
     Unit::kSync, kFenceIsa},
    {"fence.acquire.sync_restrict::shared::cluster.cluster", "", fence_cluster<Order::kAcquire>, nullptr, Unit::kSync,
     kFenceIsa},
    {"fence.release.sync_restrict::shared::cta.cluster", "", fence_cluster<Order::kRelease>, nullptr, Unit::kSync,
     kFenceIsa},
    {"[fence|membar].proxy.alias", "", fence_proxy_alias, nullptr, Unit::kSync, kFenceIsa},
    {"fence.mbarrier_init.release.cluster", "", fence_mbarrier_init, nullptr, Unit::kSync, kFenceIsa},
};

}  // namespace

std::span<const Form> async_forms() {
  static const std::vector<Form> forms = [] {
    std::vector<Form> all(std::begin(kForms), std::end(kForms));
    for (const auto& rows : {mbarrier_forms(), async_copy_forms(), async_store_forms(), bulk_copy_forms(),
                             tensor_copy_forms(), tensor_map_forms(), cluster_launch_forms()})
      all.insert(all.end(), rows.begin(), rows.end());
    return all;
  }();
  return forms;
}

}  // namespace sim

// Joins the rows of the asynchronous instructions, and has the instructions that only order or announce: proxy fences,
// mbarrier-init fences and tensor map prefetches. Copies land in a legal order with or without a fence: only observers
// hear of it.
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
  i.imm = static_cast<int64_t>(s.has("global") ? Space::kGlobal : shared_or_generic(s));
  return fence_proxy_async;
}
// Orders accesses through different virtual addresses of one location.
void fence_proxy_alias(Warp&, const Instr&) { std::atomic_thread_fence(std::memory_order_seq_cst); }
// Makes mbarrier.init visible to the cluster and to the asynchronous proxy.
void fence_mbarrier_init(Warp& w, const Instr& i) { tell(w, i, Fence::kMbarrierInit, Order::kRelease, Space::kShared); }
void fence_tensormap_release(Warp& w, const Instr& i) {
  std::atomic_thread_fence(std::memory_order_release);
  tell(w, i, Fence::kProxyTensorMap, Order::kRelease, Space::kGlobal);
}

constexpr uint32_t kMapBytes = 128;

void check_map(Warp& w, const Instr& i, Space space) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    resolve(w, i, lane, space, address(w, i, 0, i.ops[0], lane), kMapBytes, 64, Access::kRead);
  }
}

void fence_tensormap_acquire(Warp& w, const Instr& i) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    if (u32(w, i.ops[1])[lane] != kMapBytes) fault(w, i, lane, "fence.proxy.tensormap covers exactly 128 bytes");
  }
  check_map(w, i, Space::kGeneric);
  std::atomic_thread_fence(std::memory_order_acquire);
  tell(w, i, Fence::kProxyTensorMap, Order::kAcquire, Space::kGlobal);
}

void prefetch_map(Warp& w, const Instr& i) { check_map(w, i, static_cast<Space>(i.imm)); }
Handler bind_prefetch_map(const ptx::Statement& s, Instr& i) {
  const Space space = s.has("param") ? Space::kParam : s.has("const") ? Space::kConst : Space::kGeneric;
  i.imm = static_cast<int64_t>(space);
  return prefetch_map;
}

constexpr char kFenceIsa[] = "9.7.13.5 membar, fence";

const Form kForms[] = {
    {"[fence|membar].proxy.async[.global|.shared::cta|.shared::cluster|]", "", nullptr, bind_fence_proxy_async,
     Unit::kSync, kFenceIsa},
    {"[fence|membar].proxy.alias", "", fence_proxy_alias, nullptr, Unit::kSync, kFenceIsa},
    {"fence.mbarrier_init.release.cluster", "", fence_mbarrier_init, nullptr, Unit::kSync, kFenceIsa},
    {"fence.proxy.tensormap::generic.release.[cta|cluster|gpu|sys]", "", fence_tensormap_release, nullptr, Unit::kSync,
     kFenceIsa},
    {"fence.proxy.tensormap::generic.acquire.[cta|cluster|gpu|sys]", "[a] r32", fence_tensormap_acquire, nullptr,
     Unit::kSync, kFenceIsa},
    {"prefetch[.param|.const|].tensormap", "[a]", nullptr, bind_prefetch_map, Unit::kAsync, "9.7.9.18 prefetch"},
};

}  // namespace

std::span<const Form> async_forms() {
  static const std::vector<Form> forms = [] {
    std::vector<Form> all(std::begin(kForms), std::end(kForms));
    for (const auto& rows : {mbarrier_forms(), async_copy_forms(), bulk_copy_forms(), tensor_copy_forms()})
      all.insert(all.end(), rows.begin(), rows.end());
    return all;
  }();
  return forms;
}

}  // namespace sim

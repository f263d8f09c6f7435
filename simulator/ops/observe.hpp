// Tells the block's observer of ordinary memory accesses: order and scope are decoded when a statement is bound and lie
// in Instr::imm above the state space and the strong bit.
#pragma once

#include "machine/access.hpp"
#include "machine/observer.hpp"
#include "ptx/ast.hpp"

namespace sim {

inline constexpr int kOrderShift = 12, kScopeShift = 16;  // 4 bits each

// The bits of an instruction whose order is `otherwise` where the opcode names none.
inline int64_t order_bits(const ptx::Statement& s, Order otherwise) {
  const Order order = s.has("volatile")  ? Order::kVolatile
                      : s.has("acq_rel") ? Order::kAcqRel
                      : s.has("acquire") ? Order::kAcquire
                      : s.has("release") ? Order::kRelease
                      : s.has("relaxed") ? Order::kRelaxed
                      : s.has("weak")    ? Order::kWeak
                                         : otherwise;
  const Scope scope = s.has("cta")                        ? Scope::kCta
                      : s.has("cluster")                  ? Scope::kCluster
                      : s.has("sys") || s.has("volatile") ? Scope::kSys
                                                          : Scope::kGpu;
  return static_cast<int64_t>(order) << kOrderShift | static_cast<int64_t>(scope) << kScopeShift;
}

void tell_observer(Warp& w, const Instr& i, Space space, Access access, uint32_t bytes, const Pointers& at);

inline void observe(Warp& w, const Instr& i, Space space, Access access, uint32_t bytes, const Pointers& at) {
  if (w.block->observer != nullptr) [[unlikely]]
    tell_observer(w, i, space, access, bytes, at);
}

}  // namespace sim

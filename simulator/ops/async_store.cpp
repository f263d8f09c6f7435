// st.async and red.async: registers to shared memory of the cluster, told by an mbarrier beside it; both belong to the
// generic proxy. To the own block is undefined by the ISA, and on an H100 like to any other. st.bulk: zeros over a
// range of shared memory, at once.
#include <utility>

#include "machine/access.hpp"
#include "ops/async_ops.hpp"
#include "ops/async_reduce.hpp"

namespace sim {
namespace {

constexpr uint32_t kMostBytes = 16;

struct Store : AsyncOperation {
  std::byte* to;
  Reducer reducer;  // null: store
  uint32_t size;
  alignas(8) std::byte data[kMostBytes];

  Store(std::byte* at, uint32_t n, Reducer f) : AsyncOperation(Kind::kStore), to(at), reducer(f), size(n) {
    is_reduction = f != nullptr;
    bytes = n;
  }
  void each_range(const std::function<void(const AsyncRange&)>& f) const override { f({to, size, true, true}); }
  void perform() override {
    if (reducer != nullptr)
      reducer(to, data, size);
    else
      std::memcpy(to, data, size);
  }
};

// Instr::imm: registers, then the reducer's row. Operands: address, registers of kBytes each, mbarrier.
template <uint32_t kBytes, uint32_t kCount>
void store(Warp& w, const Instr& i) {
  constexpr uint32_t kSize = kBytes * kCount;
  require_cluster(w, i);
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint64_t at = address(w, i, 0, i.ops[0], lane);
    Store op(resolve(w, i, lane, Space::kSharedCluster, at, kSize, kSize, Access::kWrite), kSize,
             reinterpret_cast<Reducer>(i.imm));
    for (uint32_t n = 0; n < kCount; ++n) {
      const void* const value = kBytes == 8 ? static_cast<const void*>(&u64(w, i.ops[1 + n])[lane])
                                            : static_cast<const void*>(&u32(w, i.ops[1 + n])[lane]);
      std::memcpy(op.data + n * kBytes, value, kBytes);
    }
    op.barrier = mbarrier_operand(w, i, lane, 1, i.ops[1 + kCount], Space::kSharedCluster);
    check_homes(w, i, lane, static_cast<uint32_t>(at), op.barrier);
    issue(w, i, lane, std::move(op));
  }
}

template <uint32_t kBytes>
Handler bind_reduce(const ptx::Statement& s, Instr& i) {
  const auto op = reduce_op(s.tokens[s.tokens.size() - 2]);
  const auto type = reduce_type(s.tokens.back());
  const Reducer reducer = op && type ? find_reducer(*op, *type) : nullptr;
  i.imm = reinterpret_cast<int64_t>(reducer);
  return reducer != nullptr ? store<kBytes, 1> : nullptr;
}

// Operands: address, bytes, the value: 0 is the only one.
void fill(Warp& w, const Instr& i) {
  require_card(w, i, 10, "sm_100 or newer");
  constexpr uint32_t kGranule = 8;
  const Space space = static_cast<Space>(i.imm);
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint64_t bytes = u64(w, i.ops[1])[lane];
    if (bytes % kGranule != 0 || bytes > w.block->shared_bytes)
      fault(w, i, lane, "st.bulk of " + std::to_string(bytes) + " bytes: a multiple of 8 within shared memory is asked",
            LaunchResult::Status::kMisalignedAddress);
    if (bytes == 0) continue;
    std::byte* const to = resolve(w, i, lane, space, address(w, i, 0, i.ops[0], lane), static_cast<uint32_t>(bytes),
                                  kGranule, Access::kWrite);
    const uint32_t all = std::exchange(w.mask, 1u << lane);
    Pointers at;
    at.shape = Pointers::Shape::kPointers;
    for (uint64_t n = 0; w.block->observer != nullptr && n < bytes; n += kGranule) {
      at.lane[lane] = to + n;
      w.block->observer->access(w, i, {Space::kShared, Access::kWrite, Order::kWeak, Scope::kCta, kGranule}, at);
    }
    w.mask = all;
    std::memset(to, 0, bytes);
  }
  note_progress(w);
}
Handler bind_fill(const ptx::Statement& s, Instr& i) {
  if (s.operands[2].kind != ptx::Operand::Kind::kInteger || s.operands[2].value != 0) return nullptr;
  i.imm = static_cast<int64_t>(shared_or_generic(s));
  return fill;
}

constexpr char kStoreIsa[] = "9.7.9.12 st.async";
constexpr char kReduceIsa[] = "9.7.13.8 red.async";

const Form kForms[] = {
    {"st.async[.weak|].shared::cluster.mbarrier::complete_tx::bytes.[b32|u32|s32|f32]", "[a] r32 [a]", store<4, 1>,
     nullptr, Unit::kAsync, kStoreIsa},
    {"st.async[.weak|].shared::cluster.mbarrier::complete_tx::bytes.[b64|u64|s64|f64]", "[a] r64 [a]", store<8, 1>,
     nullptr, Unit::kAsync, kStoreIsa},
    {"st.async[.weak|].shared::cluster.mbarrier::complete_tx::bytes.v2.[b32|u32|s32|f32]", "[a] v2r32 [a]", store<4, 2>,
     nullptr, Unit::kAsync, kStoreIsa},
    {"st.async[.weak|].shared::cluster.mbarrier::complete_tx::bytes.v2.[b64|u64|s64|f64]", "[a] v2r64 [a]", store<8, 2>,
     nullptr, Unit::kAsync, kStoreIsa},
    {"st.async[.weak|].shared::cluster.mbarrier::complete_tx::bytes.v4.[b32|u32|s32|f32]", "[a] v4r32 [a]", store<4, 4>,
     nullptr, Unit::kAsync, kStoreIsa},
    {"red.async.relaxed.cluster[.shared::cluster|].mbarrier::complete_tx::bytes."
     "[inc.u32|dec.u32|min.u32|min.s32|max.u32|max.s32|add.u32|add.s32|and.b32|or.b32|xor.b32]",
     "[a] r32 [a]", nullptr, bind_reduce<4>, Unit::kAsync, kReduceIsa},
    {"red.async.relaxed.cluster[.shared::cluster|].mbarrier::complete_tx::bytes.add.[u64|s64]", "[a] r64 [a]", nullptr,
     bind_reduce<8>, Unit::kAsync, kReduceIsa},
    {"st.bulk[.weak|][.shared::cta|]", "[a] r64 r32", nullptr, bind_fill, Unit::kLsu, "9.7.9.13 st.bulk"},
};

}  // namespace

std::span<const Form> async_store_forms() { return kForms; }

}  // namespace sim

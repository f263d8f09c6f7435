// Tensor maps as kernels handle them: tensormap.replace edits one field of the 128 bytes, tensormap.cp_fenceproxy
// copies a map from shared to global memory for others to use, fences order edits before copies that read the map.
// Edits touch the words that ptxas makes them touch (numerics/tensor_map.cpp), as plain accesses of the generic proxy.
#include "numerics/tensor_map.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "machine/access.hpp"
#include "ops/async_ops.hpp"

namespace sim {
namespace {

using numerics::TensorMapField;

constexpr uint32_t kMapBytes = numerics::kTensorMapBytes, kMapAlign = 64, kWord = 4;

Scope scope_in(const ptx::Statement& s) {
  return s.has("cta") ? Scope::kCta : s.has("cluster") ? Scope::kCluster : s.has("sys") ? Scope::kSys : Scope::kGpu;
}
// Generic, where the opcode names no space: the map of the executing block or one in global memory.
Space space_in(const ptx::Statement& s) {
  return s.has("global") ? Space::kGlobal : s.has("shared::cta") ? Space::kShared : Space::kGeneric;
}

std::byte* map_at(Warp& w, const Instr& i, Space space, int lane, Access access) {
  return resolve(w, i, lane, space, address(w, i, 0, i.ops[0], lane), kMapBytes, kMapAlign, access);
}
bool is_shared(const Block& block, const std::byte* p) {
  return p >= block.shared && p < block.shared + block.shared_bytes;
}

void observe_words(Warp& w, const Instr& i, Space space, Access access, Order order, Scope scope, const Pointers& at) {
  if (w.block->observer != nullptr) w.block->observer->access(w, i, {space, access, order, scope, kWord}, at);
}

// Instr::imm of tensormap.replace: field, ordinal, state space.
constexpr int kOrdinalShift = 8, kSpaceShift = 16;

// Operands: the map, then the ordinal where the field has one, then the new value.
template <bool kHasOrdinal, bool kIsWide>
void replace(Warp& w, const Instr& i) {
  require_card(w, i, 9, "sm_90a or newer");
  const auto field = static_cast<TensorMapField>(i.imm & 0xff);
  const uint32_t ordinal = static_cast<uint32_t>(i.imm >> kOrdinalShift & 0xff), operand = i.ops[kHasOrdinal ? 2 : 1];
  const Space space = static_cast<Space>(i.imm >> kSpaceShift);
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    std::byte* const map = map_at(w, i, space, lane, Access::kWrite);
    const uint64_t value = kIsWide ? u64(w, operand)[lane] : u32(w, operand)[lane];
    for (const numerics::WordEdit& edit : numerics::replace_field(field, ordinal, value)) {
      if (edit.mask == 0) continue;
      std::byte* const word = map + edit.word * kWord;
      Pointers at;
      at.shape = Pointers::Shape::kPointers;
      at.lane[lane] = word;
      const uint32_t all = std::exchange(w.mask, 1u << lane);
      observe_words(w, i, is_shared(*w.block, word) ? Space::kShared : Space::kGlobal, Access::kWrite, Order::kWeak,
                    Scope::kCta, at);
      w.mask = all;
      uint32_t bits;
      std::memcpy(&bits, word, kWord);
      bits = (bits & ~edit.mask) | edit.bits;
      std::memcpy(word, &bits, kWord);
    }
  }
  note_progress(w);
}

constexpr std::pair<std::string_view, TensorMapField> kFields[] = {
    {"global_address", TensorMapField::kAddress},
    {"rank", TensorMapField::kRank},
    {"box_dim", TensorMapField::kBox},
    {"global_dim", TensorMapField::kDim},
    {"global_stride", TensorMapField::kStride},
    {"element_stride", TensorMapField::kElementStep},
    {"elemtype", TensorMapField::kType},
    {"interleave_layout", TensorMapField::kInterleave},
    {"swizzle_mode", TensorMapField::kSwizzle},
    {"swizzle_atomicity", TensorMapField::kSwizzleAtomicity},
    {"fill_mode", TensorMapField::kFill},
};

// The ordinal, and the values of fields that name a mode, are immediates.
Handler bind_replace(const ptx::Statement& s, Instr& i) {
  const auto field =
      std::find_if(std::begin(kFields), std::end(kFields), [&](const auto& f) { return s.has(f.first); });
  const bool has_ordinal = s.operands.size() == 3, is_wide = s.has("b64");
  const auto is_immediate = [&](size_t k) { return s.operands[k].kind == ptx::Operand::Kind::kInteger; };
  uint64_t ordinal = 0;
  if (has_ordinal) {
    if (!is_immediate(1)) return nullptr;
    ordinal = s.operands[1].value;
    if (ordinal >= (field->second == TensorMapField::kStride ? 4u : 5u)) return nullptr;
  }
  if (field->second >= TensorMapField::kType &&
      (!is_immediate(1) || s.operands[1].value > numerics::greatest_value(field->second)))
    return nullptr;
  i.imm = static_cast<int64_t>(field->second) | static_cast<int64_t>(ordinal) << kOrdinalShift |
          static_cast<int64_t>(space_in(s)) << kSpaceShift;
  if (has_ordinal) return is_wide ? replace<true, true> : replace<true, false>;
  return is_wide ? replace<false, true> : replace<false, false>;
}

// Lane l moves word l, with an exchange: a release pattern by which an acquiring fence on the map learns of it. The
// addresses of the first lane are those of all.
void copy_and_release(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  if (u32(w, i.ops[2])[0] != kMapBytes) fault(w, i, -1, "tensormap.cp_fenceproxy copies exactly 128 bytes");
  const auto at = [&](int k, Space space, Access access) {
    return resolve(w, i, 0, space, address(w, i, k, i.ops[k], 0), kMapBytes, kMapAlign, access);
  };
  Pointers to, from;
  to.shape = from.shape = Pointers::Shape::kRow;
  to.base = at(0, Space::kGlobal, Access::kWrite);
  from.base = at(1, Space::kShared, Access::kRead);
  observe_words(w, i, Space::kShared, Access::kRead, Order::kWeak, Scope::kCta, from);
  observe_words(w, i, Space::kGlobal, Access::kAtomic, Order::kRelease, static_cast<Scope>(i.imm), to);
  std::atomic_thread_fence(std::memory_order_release);
  std::memcpy(to.base, from.base, kMapBytes);
  if (w.block->observer != nullptr)
    w.block->observer->fence(w, i, Fence::kProxyTensorMap, Order::kRelease, static_cast<Scope>(i.imm), Space::kGlobal);
  note_progress(w);
}
Handler bind_copy_and_release(const ptx::Statement& s, Instr& i) {
  i.imm = static_cast<int64_t>(scope_in(s));
  return copy_and_release;
}

void release(Warp& w, const Instr& i) {
  std::atomic_thread_fence(std::memory_order_release);
  if (w.block->observer != nullptr)
    w.block->observer->fence(w, i, Fence::kProxyTensorMap, Order::kRelease, static_cast<Scope>(i.imm), Space::kGlobal);
}
Handler bind_release(const ptx::Statement& s, Instr& i) {
  i.imm = static_cast<int64_t>(scope_in(s));
  return release;
}

// Operands: the map, its size.
void acquire(Warp& w, const Instr& i) {
  const std::byte* maps[kWarpSize] = {};
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    if (u32(w, i.ops[1])[lane] != kMapBytes) fault(w, i, lane, "fence.proxy.tensormap covers exactly 128 bytes");
    maps[lane] = map_at(w, i, Space::kGeneric, lane, Access::kRead);
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  if (w.block->observer == nullptr) return;
  w.block->observer->map_acquired(w, i, static_cast<Scope>(i.imm), maps);
  w.block->observer->fence(w, i, Fence::kProxyTensorMap, Order::kAcquire, static_cast<Scope>(i.imm), Space::kGlobal);
}
Handler bind_acquire(const ptx::Statement& s, Instr& i) {
  i.imm = static_cast<int64_t>(scope_in(s));
  return acquire;
}

void prefetch(Warp& w, const Instr& i) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1)
    map_at(w, i, static_cast<Space>(i.imm), std::countr_zero(m), Access::kRead);
}
Handler bind_prefetch(const ptx::Statement& s, Instr& i) {
  const Space space = s.has("param") ? Space::kParam : s.has("const") ? Space::kConst : Space::kGeneric;
  i.imm = static_cast<int64_t>(space);
  return prefetch;
}

constexpr char kFenceIsa[] = "9.7.13.5 membar, fence";
constexpr char kReplaceIsa[] = "9.7.9.28 tensormap.replace";

const Form kForms[] = {
    {"tensormap.replace.tile.global_address[.global|.shared::cta|].b1024.b64", "[a] r64", nullptr, bind_replace,
     Unit::kLsu, kReplaceIsa},
    {"tensormap.replace.tile.global_stride[.global|.shared::cta|].b1024.b64", "[a] r32 r64", nullptr, bind_replace,
     Unit::kLsu, kReplaceIsa},
    {"tensormap.replace.tile.[box_dim|global_dim|element_stride][.global|.shared::cta|].b1024.b32", "[a] r32 r32",
     nullptr, bind_replace, Unit::kLsu, kReplaceIsa},
    {"tensormap.replace.tile.[rank|elemtype|interleave_layout|swizzle_mode|swizzle_atomicity|fill_mode]"
     "[.global|.shared::cta|].b1024.b32",
     "[a] r32", nullptr, bind_replace, Unit::kLsu, kReplaceIsa},
    {"tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.[cta|cluster|gpu|sys].sync.aligned",
     "[a] [a] r32", nullptr, bind_copy_and_release, Unit::kSync, "9.7.13.16 tensormap.cp_fenceproxy"},
    {"fence.proxy.tensormap::generic.release.[cta|cluster|gpu|sys]", "", nullptr, bind_release, Unit::kSync, kFenceIsa},
    {"fence.proxy.tensormap::generic.acquire.[cta|cluster|gpu|sys]", "[a] r32", nullptr, bind_acquire, Unit::kSync,
     kFenceIsa},
    {"prefetch[.param|.const|].tensormap", "[a]", nullptr, bind_prefetch, Unit::kAsync, "9.7.9.18 prefetch"},
};

}  // namespace

std::span<const Form> tensor_map_forms() { return kForms; }

}  // namespace sim

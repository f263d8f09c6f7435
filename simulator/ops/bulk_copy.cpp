// cp.async.bulk, cp.reduce.async.bulk and their groups: contiguous bytes between global and shared memory, or shared
// memories of a cluster, moved by the asynchronous engine. Loads report their bytes to an mbarrier; stores and
// reductions belong to a bulk group of the thread.
#include <utility>

#include "ops/async_ops.hpp"
#include "ops/async_reduce.hpp"

namespace sim {
namespace {

constexpr uint32_t kAllBytes = 0xffff;
constexpr uint32_t kGranule = 16;  // size and both addresses are multiples of it

// Pieces of 16 bytes: every reduction's elements divide them.
struct BulkCopy : AsyncOperation {
  std::byte* destination;
  const std::byte* source;
  uint32_t size;
  Reducer reducer;  // null: copy
  bool from_shared, to_shared;
  uint32_t byte_mask = kAllBytes;  // of each 16 bytes, those that are copied
  std::vector<std::byte> taken;    // by read_source()

  BulkCopy(std::byte* to, const std::byte* from, uint32_t n, Reducer f)
      : AsyncOperation(Kind::kBulk), destination(to), source(from), size(n), reducer(f) {
    is_reduction = f != nullptr;
    group = CopyGroup::kBulk;
    bytes = n;
  }
  void each_range(const std::function<void(const AsyncRange&)>& f) const override {
    f({const_cast<std::byte*>(source), size, from_shared, false});
    if (byte_mask == kAllBytes) return f({destination, size, to_shared, true});
    for (uint32_t at = 0; at < size; ++at)
      if ((byte_mask >> at % kGranule & 1) != 0) f({destination + at, 1, to_shared, true});
  }
  void perform() override { move(0, size); }
  uint32_t pieces() const override { return size / kGranule; }
  void perform_piece(uint32_t piece) override { move(piece * kGranule, kGranule); }
  void read_source() override { taken.assign(source, source + size); }

 private:
  void move(uint32_t at, uint32_t n) {
    const std::byte* const from = (taken.empty() ? source : taken.data()) + at;
    if (reducer != nullptr) return reducer(destination + at, from, n);
    if (byte_mask == kAllBytes)
      std::memmove(destination + at, from, n);
    else
      for (uint32_t k = 0; k < n; ++k)
        if ((byte_mask >> k % kGranule & 1) != 0) destination[at + k] = from[k];
  }
};

uint32_t checked_size(Warp& w, const Instr& i, int lane, uint32_t slot) {
  const uint32_t bytes = u32(w, slot)[lane];
  if (bytes % kGranule != 0)
    fault(w, i, lane, "size " + std::to_string(bytes) + " of a bulk copy is not a multiple of 16 bytes",
          LaunchResult::Status::kMisalignedAddress);
  return bytes;
}

bool is_shared(Space space) { return space == Space::kShared || space == Space::kSharedCluster; }

// How a row copies. `mask`: operand with the bytes to copy of each 16, 0 = all.
struct Way {
  Space to, from;
  Reducer reducer = nullptr;
  uint32_t mask = 0;
};

BulkCopy make_copy(Warp& w, const Instr& i, int lane, const Way& way, uint64_t destination, uint32_t bytes) {
  const Access access = way.reducer != nullptr && way.to == Space::kGlobal ? Access::kAtomic : Access::kWrite;
  BulkCopy op(resolve(w, i, lane, way.to, destination, bytes, kGranule, access),
              resolve(w, i, lane, way.from, address(w, i, 1, i.ops[1], lane), bytes, kGranule, Access::kRead), bytes,
              way.reducer);
  op.from_shared = is_shared(way.from);
  op.to_shared = is_shared(way.to);
  return op;
}

// Operands: destination, source, size.
void store(Warp& w, const Instr& i, const Way& way) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t bytes = checked_size(w, i, lane, i.ops[2]);
    BulkCopy op = make_copy(w, i, lane, way, address(w, i, 0, i.ops[0], lane), bytes);
    if (way.mask != 0) op.byte_mask = u32(w, i.ops[way.mask])[lane] & kAllBytes;
    issue(w, i, lane, std::move(op));
  }
}

// Operands: destination, source, size, mbarrier.
void load(Warp& w, const Instr& i, const Way& way) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t bytes = checked_size(w, i, lane, i.ops[2]);
    const uint64_t at = address(w, i, 0, i.ops[0], lane);
    BulkCopy op = make_copy(w, i, lane, way, at, bytes);
    op.barrier = mbarrier_operand(w, i, lane, 2, i.ops[3], way.to);
    check_homes(w, i, lane, static_cast<uint32_t>(at), op.barrier);
    issue(w, i, lane, std::move(op));
  }
}

template <Space kTo>
void load_global(Warp& w, const Instr& i) {
  load(w, i, {kTo, Space::kGlobal});
}
// To one place in the memory of each block that the mask names, and each one's mbarrier at one place hears of it.
void load_multicast(Warp& w, const Instr& i) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t bytes = checked_size(w, i, lane, i.ops[2]);
    const auto at = static_cast<uint32_t>(address(w, i, 0, i.ops[0], lane));
    const uint32_t barrier = mbarrier_operand(w, i, lane, 2, i.ops[3], Space::kSharedCluster);
    bool is_first = true;
    for (uint32_t ranks = multicast_ranks(w, i, lane, i.ops[4]); ranks != 0; ranks &= ranks - 1) {
      const auto rank = static_cast<uint32_t>(std::countr_zero(ranks));
      BulkCopy op = make_copy(w, i, lane, {Space::kSharedCluster, Space::kGlobal}, at_rank(at, rank), bytes);
      op.barrier = at_rank(barrier, rank);
      op.is_repeat = !std::exchange(is_first, false);
      issue(w, i, lane, std::move(op));
    }
  }
}
void store_global(Warp& w, const Instr& i) { store(w, i, {Space::kGlobal, Space::kShared}); }
template <uint32_t kMask>
void store_masked(Warp& w, const Instr& i) {
  require_card(w, i, 10, "sm_100 or newer");
  store(w, i, {Space::kGlobal, Space::kShared, nullptr, kMask});
}
void move_shared(Warp& w, const Instr& i) {
  require_cluster(w, i);
  load(w, i, {Space::kSharedCluster, Space::kShared});
}
Reducer reducer_of(const Instr& i) { return reinterpret_cast<Reducer>(i.imm); }
void reduce_global(Warp& w, const Instr& i) { store(w, i, {Space::kGlobal, Space::kShared, reducer_of(i)}); }
void reduce_shared(Warp& w, const Instr& i) {
  require_cluster(w, i);
  load(w, i, {Space::kSharedCluster, Space::kShared, reducer_of(i)});
}

// A prefetch moves nothing that a program can see; its range must be valid all the same.
void prefetch(Warp& w, const Instr& i) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t bytes = checked_size(w, i, lane, i.ops[1]);
    resolve(w, i, lane, Space::kGlobal, address(w, i, 0, i.ops[0], lane), bytes, kGranule, Access::kRead);
  }
}

void commit(Warp& w, const Instr& i) { commit_groups(w, i, CopyGroup::kBulk); }
template <bool kIsRead>
void wait_group(Warp& w, const Instr& i) {
  wait_groups(w, i, CopyGroup::kBulk, u32(w, i.ops[0]), kIsRead);
}

Handler bind_load(const ptx::Statement& s, Instr&) {
  return s.has("shared::cta") ? load_global<Space::kShared> : load_global<Space::kSharedCluster>;
}
Handler bind_reduce(const ptx::Statement& s, Instr& i, Handler handler) {
  const auto op = reduce_op(s.tokens[s.tokens.size() - (s.has("noftz") ? 3 : 2)]);
  const auto type = reduce_type(s.tokens.back());
  if (!op || !type) return nullptr;
  const Reducer reducer = find_reducer(*op, *type);
  i.imm = reinterpret_cast<int64_t>(reducer);
  return reducer != nullptr ? handler : nullptr;
}
Handler bind_reduce_global(const ptx::Statement& s, Instr& i) { return bind_reduce(s, i, reduce_global); }
Handler bind_reduce_shared(const ptx::Statement& s, Instr& i) { return bind_reduce(s, i, reduce_shared); }

constexpr char kIsa[] = "9.7.9.25.4.1 cp.async.bulk";
constexpr char kReduceIsa[] = "9.7.9.25.4.2 cp.reduce.async.bulk";
constexpr char kGroupIsa[] = "9.7.9.25.5 cp.async.bulk.commit_group, wait_group";

const Form kForms[] = {
    {"cp.async.bulk.[shared::cta|shared::cluster].global.mbarrier::complete_tx::bytes", "[a] [a] r32 [a]", nullptr,
     bind_load, Unit::kAsync, kIsa},
    {"cp.async.bulk.[shared::cta|shared::cluster].global.mbarrier::complete_tx::bytes.L2::cache_hint",
     "[a] [a] r32 [a] r64", nullptr, bind_load, Unit::kAsync, kIsa},
    {"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster", "[a] [a] r32 [a] r16",
     load_multicast, nullptr, Unit::kAsync, kIsa},
    {"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint",
     "[a] [a] r32 [a] r16 r64", load_multicast, nullptr, Unit::kAsync, kIsa},
    {"cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes", "[a] [a] r32 [a]", move_shared, nullptr,
     Unit::kAsync, kIsa},
    {"cp.async.bulk.global.shared::cta.bulk_group", "[a] [a] r32", store_global, nullptr, Unit::kAsync, kIsa},
    {"cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint", "[a] [a] r32 r64", store_global, nullptr,
     Unit::kAsync, kIsa},
    {"cp.async.bulk.global.shared::cta.bulk_group.cp_mask", "[a] [a] r32 r16", store_masked<3>, nullptr, Unit::kAsync,
     kIsa},
    {"cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint.cp_mask", "[a] [a] r32 r64 r16", store_masked<4>,
     nullptr, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.L2.global", "[a] r32", prefetch, nullptr, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.L2.global.L2::cache_hint", "[a] r32 r64", prefetch, nullptr, Unit::kAsync, kIsa},
    {"cp.reduce.async.bulk.global.shared::cta.bulk_group."
     "[and.b32|and.b64|or.b32|or.b64|xor.b32|xor.b64|add.u32|add.s32|add.u64|add.f32|add.f64|add.noftz.f16|add.noftz.bf16"
     "|inc.u32|dec.u32|min.u32|min.s32|min.u64|min.s64|min.f16|min.bf16|max.u32|max.s32|max.u64|max.s64|max.f16|max.bf16]",
     "[a] [a] r32", nullptr, bind_reduce_global, Unit::kAsync, kReduceIsa},
    {"cp.reduce.async.bulk.global.shared::cta.bulk_group.L2::cache_hint."
     "[and.b32|and.b64|or.b32|or.b64|xor.b32|xor.b64|add.u32|add.s32|add.u64|add.f32|add.f64|add.noftz.f16|add.noftz.bf16"
     "|inc.u32|dec.u32|min.u32|min.s32|min.u64|min.s64|min.f16|min.bf16|max.u32|max.s32|max.u64|max.s64|max.f16|max.bf16]",
     "[a] [a] r32 r64", nullptr, bind_reduce_global, Unit::kAsync, kReduceIsa},
    {"cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes."
     "[and.b32|or.b32|xor.b32|add.u32|add.s32|add.u64|inc.u32|dec.u32|min.u32|min.s32|max.u32|max.s32]",
     "[a] [a] r32 [a]", nullptr, bind_reduce_shared, Unit::kAsync, kReduceIsa},
    {"cp.async.bulk.commit_group", "", commit, nullptr, Unit::kSync, kGroupIsa},
    {"cp.async.bulk.wait_group", "r32", wait_group<false>, nullptr, Unit::kSync, kGroupIsa},
    {"cp.async.bulk.wait_group.read", "r32", wait_group<true>, nullptr, Unit::kSync, kGroupIsa},
};

}  // namespace

std::span<const Form> bulk_copy_forms() { return kForms; }

}  // namespace sim

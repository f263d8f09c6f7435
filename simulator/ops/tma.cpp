// cp.async.bulk.tensor, cp.reduce.async.bulk.tensor and cp.async.bulk.prefetch.tensor (TMA): a box, gathered rows or a
// column of pixels of a tensor, which a 128-byte tensor map describes, between global and shared memory.
// Checked on an H100 and an H200: which misalignments, coordinates and modes fault.
#include "ops/tensor_copy.hpp"

namespace sim {
namespace {

using numerics::TensorMap;

constexpr uint32_t kSharedAlign = 128;

// Instr::imm: how many coordinates in bits 0-2, how many im2col offsets in bits 3-4, whether the opcode says
// .shared::cluster in bit 5, 1 + ReduceOp in bits 8-15.
constexpr int kOffsetsShift = 3, kReduceShift = 8;
constexpr int64_t kNamesCluster = 1 << 5;
uint32_t coordinates_of(const Instr& i) { return static_cast<uint32_t>(i.imm & 7); }
uint32_t offsets_of(const Instr& i) { return static_cast<uint32_t>(i.imm >> kOffsetsShift & 3); }

// Operands: destination, map and coordinates, mbarrier, im2col offsets.
template <BoxMode kMode, bool kIsMulticast = false>
void load(Warp& w, const Instr& i) {
  if (kMode == BoxMode::kGather4) require_card(w, i, 10, "sm_100 or newer");
  const uint32_t coordinates = coordinates_of(i), barrier_operand = 2 + coordinates;
  const BoxOperands operands{kMode, 1, 1, coordinates, kMode == BoxMode::kIm2col ? barrier_operand + 1 : 0};
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const Box box = make_box(w, i, lane, operands);
    if ((i.imm & kNamesCluster) != 0 && w.block->grid->card->cc_major == 12 &&
        (box.map.element_bits < 8 || box.map.swizzle_atomicity != 0))
      refuse(w, i, lane, "sm_120 loads packed types and swizzle atomicities to .shared::cta, not to .shared::cluster");
    check_global(w, i, lane, box, Access::kRead);
    const uint64_t at = address(w, i, 0, i.ops[0], lane);
    const Space to = (i.imm & kNamesCluster) != 0 ? Space::kSharedCluster : Space::kShared;
    const uint32_t barrier = mbarrier_operand(w, i, lane, 2, i.ops[barrier_operand], to);
    check_homes(w, i, lane, static_cast<uint32_t>(at), barrier);
    // A multicast goes to one place in the memory of each block that its mask names, and each one's mbarrier hears of
    // it.
    uint32_t ranks = 1u << (at >> Cluster::kRankShift & (Cluster::kMostBlocks - 1));
    if (kIsMulticast) ranks = multicast_ranks(w, i, lane, i.ops[3 + coordinates + offsets_of(i)]);
    bool is_first = true;
    for (; ranks != 0; ranks &= ranks - 1) {
      const auto rank = static_cast<uint32_t>(std::countr_zero(ranks));
      const uint64_t there = kIsMulticast ? at_rank(static_cast<uint32_t>(at), rank) : at;
      std::byte* const shared = resolve(w, i, lane, to, there, box.shared_bytes(), kSharedAlign, Access::kWrite);
      TensorLoad op(box, shared, static_cast<uint32_t>(there), kIsMulticast ? at_rank(barrier, rank) : barrier);
      op.is_repeat = !std::exchange(is_first, false);
      issue(w, i, lane, std::move(op));
    }
  }
}

// and, or and xor know only the width of the map's integers; the other operations their type.
Reducer reducer_for(const TensorMap& map, ReduceOp op) {
  const bool is_logic = op == ReduceOp::kAnd || op == ReduceOp::kOr || op == ReduceOp::kXor;
  const bool is_integer = map.reduce_type.starts_with('u') || map.reduce_type.starts_with('s');
  const auto type =
      is_logic && is_integer ? reduce_type(map.element_bits == 64 ? "b64" : "b32") : reduce_type(map.reduce_type);
  return type ? find_reducer(op, *type) : nullptr;
}

// Operands: map and coordinates, source.
template <BoxMode kMode>
void store(Warp& w, const Instr& i) {
  const uint32_t coordinates = coordinates_of(i);
  const int64_t op = i.imm >> kReduceShift;  // 0: copy, else 1 + ReduceOp
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    Box box = make_box(w, i, lane, {kMode, 0, 0, coordinates, 0});
    make_store(w, i, lane, box);
    Reducer reducer = nullptr;
    if (box.map.element_bits == 4 && box.has_gaps()) refuse(w, i, lane, "elements of 4 bits with gaps are for loads");
    if (op != 0) {
      reducer = reducer_for(box.map, static_cast<ReduceOp>(op - 1));
      if (reducer == nullptr) refuse(w, i, lane, "this reduction does not exist for the tensor map's data type");
    }
    check_global(w, i, lane, box, op != 0 ? Access::kAtomic : Access::kWrite);
    const uint64_t at = address(w, i, 1, i.ops[1 + coordinates], lane);
    std::byte* const shared = resolve(w, i, lane, Space::kShared, at, box.shared_bytes(), kSharedAlign, Access::kRead);
    issue(w, i, lane, TensorStore(box, shared, static_cast<uint32_t>(at), reducer));
  }
}

// Operands: map and coordinates, im2col offsets.
template <BoxMode kMode>
void prefetch(Warp& w, const Instr& i) {
  const uint32_t coordinates = coordinates_of(i);
  const BoxOperands operands{kMode, 0, 0, coordinates, kMode == BoxMode::kIm2col ? 1 + coordinates : 0};
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    check_global(w, i, lane, make_box(w, i, lane, operands), Access::kRead);
  }
}

// The coordinates are as many as the opcode's "1d" .. "5d" says; of gathered rows five. 0: the statement has another
// number.
int64_t coordinates_in(const ptx::Statement& s) {
  int64_t rank = s.has("tile::gather4") ? 1 + kGatheredRows : 0;
  for (const std::string_view token : s.tokens)
    if (rank == 0 && token.size() == 2 && token[1] == 'd') rank = token[0] - '0';
  for (const ptx::Operand& operand : s.operands)
    if (operand.kind == ptx::Operand::Kind::kTensor && operand.parts[1].parts.size() != static_cast<size_t>(rank))
      return 0;
  return rank;
}
template <Handler kHandler>
Handler bind(const ptx::Statement& s, Instr& i) {
  i.imm = coordinates_in(s);
  if (i.imm == 0) return nullptr;
  if (s.has("shared::cluster")) i.imm |= kNamesCluster;
  if (s.has("im2col")) i.imm |= ((i.imm & 7) - 2) << kOffsetsShift;
  for (const std::string_view token : s.tokens)
    if (const auto op = reduce_op(token)) i.imm |= (static_cast<int64_t>(*op) + 1) << kReduceShift;
  return kHandler;
}
constexpr Bind bind_load = bind<load<BoxMode::kTile>>, bind_gather = bind<load<BoxMode::kGather4>>,
               bind_column = bind<load<BoxMode::kIm2col>>, bind_multicast = bind<load<BoxMode::kTile, true>>,
               bind_column_multicast = bind<load<BoxMode::kIm2col, true>>, bind_store = bind<store<BoxMode::kTile>>,
               bind_column_store = bind<store<BoxMode::kIm2col>>, bind_prefetch = bind<prefetch<BoxMode::kTile>>,
               bind_column_prefetch = bind<prefetch<BoxMode::kIm2col>>;

constexpr char kIsa[] = "9.7.9.27.1.2 cp.async.bulk.tensor";
constexpr char kReduceIsa[] = "9.7.9.27.1.3 cp.reduce.async.bulk.tensor";
constexpr char kPrefetchIsa[] = "9.7.9.27.1.4 cp.async.bulk.prefetch.tensor";

const Form kForms[] = {
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].[shared::cta|shared::cluster].global[.tile|].mbarrier::complete_tx::bytes",
     "[a] [t,r32] [a]", nullptr, bind_load, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].[shared::cta|shared::cluster].global[.tile|].mbarrier::complete_tx::bytes"
     ".L2::cache_hint",
     "[a] [t,r32] [a] r64", nullptr, bind_load, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].shared::cluster.global[.tile|].mbarrier::complete_tx::bytes"
     ".multicast::cluster",
     "[a] [t,r32] [a] r16", nullptr, bind_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].shared::cluster.global[.tile|].mbarrier::complete_tx::bytes"
     ".multicast::cluster.L2::cache_hint",
     "[a] [t,r32] [a] r16 r64", nullptr, bind_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes", "[a] [t,r32] [a]",
     nullptr, bind_gather, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes.L2::cache_hint",
     "[a] [t,r32] [a] r64", nullptr, bind_gather, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta[.tile|].bulk_group", "[t,r32] [a]", nullptr, bind_store,
     Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta[.tile|].bulk_group.L2::cache_hint", "[t,r32] [a] r64",
     nullptr, bind_store, Unit::kAsync, kIsa},
    {"cp.reduce.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta.[add|min|max|inc|dec|and|or|xor][.tile|].bulk_group",
     "[t,r32] [a]", nullptr, bind_store, Unit::kAsync, kReduceIsa},
    {"cp.reduce.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta.[add|min|max|inc|dec|and|or|xor][.tile|].bulk_group"
     ".L2::cache_hint",
     "[t,r32] [a] r64", nullptr, bind_store, Unit::kAsync, kReduceIsa},
    {"cp.async.bulk.prefetch.tensor.[1d|2d|3d|4d|5d].L2.global[.tile|]", "[t,r32]", nullptr, bind_prefetch,
     Unit::kAsync, kPrefetchIsa},
    {"cp.async.bulk.prefetch.tensor.[1d|2d|3d|4d|5d].L2.global[.tile|].L2::cache_hint", "[t,r32] r64", nullptr,
     bind_prefetch, Unit::kAsync, kPrefetchIsa},
    {"cp.async.bulk.tensor.3d.[shared::cta|shared::cluster].global.im2col.mbarrier::complete_tx::bytes",
     "[a] [t,r32] [a] v1r16", nullptr, bind_column, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster",
     "[a] [t,r32] [a] v1r16 r16", nullptr, bind_column_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.tensor.3d.L2.global.im2col", "[t,r32] v1r16", nullptr, bind_column_prefetch, Unit::kAsync,
     kPrefetchIsa},
    {"cp.async.bulk.tensor.3d.[shared::cta|shared::cluster].global.im2col.mbarrier::complete_tx::bytes.L2::cache_hint",
     "[a] [t,r32] [a] v1r16 r64", nullptr, bind_column, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint",
     "[a] [t,r32] [a] v1r16 r16 r64", nullptr, bind_column_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.tensor.3d.L2.global.im2col.L2::cache_hint", "[t,r32] v1r16 r64", nullptr,
     bind_column_prefetch, Unit::kAsync, kPrefetchIsa},
    {"cp.async.bulk.tensor.4d.[shared::cta|shared::cluster].global.im2col.mbarrier::complete_tx::bytes",
     "[a] [t,r32] [a] v2r16", nullptr, bind_column, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster",
     "[a] [t,r32] [a] v2r16 r16", nullptr, bind_column_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.tensor.4d.L2.global.im2col", "[t,r32] v2r16", nullptr, bind_column_prefetch, Unit::kAsync,
     kPrefetchIsa},
    {"cp.async.bulk.tensor.4d.[shared::cta|shared::cluster].global.im2col.mbarrier::complete_tx::bytes.L2::cache_hint",
     "[a] [t,r32] [a] v2r16 r64", nullptr, bind_column, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint",
     "[a] [t,r32] [a] v2r16 r16 r64", nullptr, bind_column_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.tensor.4d.L2.global.im2col.L2::cache_hint", "[t,r32] v2r16 r64", nullptr,
     bind_column_prefetch, Unit::kAsync, kPrefetchIsa},
    {"cp.async.bulk.tensor.5d.[shared::cta|shared::cluster].global.im2col.mbarrier::complete_tx::bytes",
     "[a] [t,r32] [a] v3r16", nullptr, bind_column, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster",
     "[a] [t,r32] [a] v3r16 r16", nullptr, bind_column_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.tensor.5d.L2.global.im2col", "[t,r32] v3r16", nullptr, bind_column_prefetch, Unit::kAsync,
     kPrefetchIsa},
    {"cp.async.bulk.tensor.5d.[shared::cta|shared::cluster].global.im2col.mbarrier::complete_tx::bytes.L2::cache_hint",
     "[a] [t,r32] [a] v3r16 r64", nullptr, bind_column, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint",
     "[a] [t,r32] [a] v3r16 r16 r64", nullptr, bind_column_multicast, Unit::kAsync, kIsa},
    {"cp.async.bulk.prefetch.tensor.5d.L2.global.im2col.L2::cache_hint", "[t,r32] v3r16 r64", nullptr,
     bind_column_prefetch, Unit::kAsync, kPrefetchIsa},
    {"cp.async.bulk.tensor.[3d|4d|5d].global.shared::cta.im2col_no_offs.bulk_group", "[t,r32] [a]", nullptr,
     bind_column_store, Unit::kAsync, kIsa},
    {"cp.reduce.async.bulk.tensor.[3d|4d|5d].global.shared::cta.[add|min|max|inc|dec|and|or|xor].im2col_no_offs.bulk_group",
     "[t,r32] [a]", nullptr, bind_column_store, Unit::kAsync, kReduceIsa},
    {"cp.async.bulk.tensor.[3d|4d|5d].global.shared::cta.im2col_no_offs.bulk_group.L2::cache_hint", "[t,r32] [a] r64",
     nullptr, bind_column_store, Unit::kAsync, kIsa},
    {"cp.reduce.async.bulk.tensor.[3d|4d|5d].global.shared::cta.[add|min|max|inc|dec|and|or|xor].im2col_no_offs.bulk_group.L2::cache_hint",
     "[t,r32] [a] r64", nullptr, bind_column_store, Unit::kAsync, kReduceIsa},
};

}  // namespace

std::span<const Form> tensor_copy_forms() { return kForms; }

}  // namespace sim

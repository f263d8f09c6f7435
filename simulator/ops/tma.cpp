// cp.async.bulk.tensor and cp.reduce.async.bulk.tensor (TMA): a box of a tensor of rank 1 to 5, which a 128-byte tensor
// map describes, between global and shared memory. The box is moved row by row (a row runs along dimension 0); elements
// outside the tensor read as the fill value and are not written; rows in shared memory are a swizzle span apart.
// Checked on an H100 and an H200: the pitch of rows narrower than the span, the fill pattern, which misalignments
// fault.
#include <algorithm>

#include "numerics/formats.hpp"
#include "ops/async_ops.hpp"
#include "ops/async_reduce.hpp"
#include "ops/tensor_box.hpp"

namespace sim {
namespace {

using numerics::TensorMap;

constexpr uint32_t kSharedAlign = 128;
constexpr uint32_t kPiece = 16;             // what swizzling moves, and what deliveries in pieces are made of
constexpr uint32_t kMaxRowBytes = 256 * 8;  // boxes have at most 256 elements a side
constexpr uint16_t kNanFill = 0x7ff7;       // every 16 bits of an element outside the tensor, whatever its type

// One transfer. Shared memory is addressed by `shared` (host pointer to the box) and `shared_at` (its shared address,
// which the swizzle takes its bits from).
struct TensorCopy : AsyncOperation {
  Box box;
  std::byte* shared;
  uint32_t shared_at;
  bool is_load;

  TensorCopy(const Box& b, std::byte* host, uint32_t at, bool load)
      : AsyncOperation(Kind::kTensor), box(b), shared(host), shared_at(at), is_load(load) {
    group = CopyGroup::kBulk;
    map = b.map_bytes;
  }
  void each_range(const std::function<void(const AsyncRange&)>& f) const override {
    if (box.end != box.first)
      for (uint32_t row = 0; row < box.rows; ++row)
        if (const uint64_t at = box.row_address(row))
          f({reinterpret_cast<std::byte*>(at), box.end - box.first, false, !is_load});
    // Swizzling moves pieces within a span: rows as wide as their pitch fill the box.
    if (box.pitch == box.row_bytes) return f({shared, box.shared_bytes(), true, is_load});
    for (uint32_t row = 0; row < box.rows; ++row)
      each_piece(row, [&](uint32_t, std::byte* at, uint32_t n) { f({at, n, true, is_load}); });
  }

  // Calls f(offset of the piece in the row, host pointer, bytes) for the pieces of a row that swizzling keeps together.
  template <class F>
  void each_piece(uint32_t row, F&& f) const {
    const uint32_t at = shared_at + row * box.pitch;
    const uint32_t flip = (at >> 7 & box.swizzle_mask) << 4;
    if (flip == 0) return f(0u, shared + row * box.pitch, box.row_bytes);
    for (uint32_t c = 0; c < box.row_bytes; c += kPiece)
      f(c, shared + (((at + c) ^ flip) - shared_at), std::min(kPiece, box.row_bytes - c));
  }
};

struct TensorLoad : TensorCopy {
  TensorLoad(const Box& b, std::byte* host, uint32_t at, uint32_t mbarrier) : TensorCopy(b, host, at, true) {
    barrier = mbarrier;
    bytes = b.bytes();
  }
  void perform() override {
    std::byte padded[kMaxRowBytes];
    for (uint32_t row = 0; row < box.rows; ++row) {
      const std::byte* data = reinterpret_cast<const std::byte*>(box.row_address(row));
      if (data == nullptr || box.end - box.first != box.row_bytes || box.map.rounds_to_tf32) {
        build(row, 0, box.row_bytes, padded);
        data = padded;
      }
      each_piece(row, [&](uint32_t from, std::byte* to, uint32_t n) { std::memcpy(to, data + from, n); });
    }
  }
  uint32_t pieces() const override { return box.rows * pieces_of_row(); }
  void perform_piece(uint32_t piece) override {
    const uint32_t row = piece / pieces_of_row(), begin = piece % pieces_of_row() * kPiece;
    const uint32_t at = shared_at + row * box.pitch + begin, flip = (at >> 7 & box.swizzle_mask) << 4;
    build(row, begin, std::min(kPiece, box.row_bytes - begin), shared + ((at ^ flip) - shared_at));
  }

 private:
  uint32_t pieces_of_row() const { return (box.row_bytes + kPiece - 1) / kPiece; }

  // Bytes [begin, begin + n) of a row as shared memory gets them: filled outside the tensor, rounded if the map says
  // so.
  void build(uint32_t row, uint32_t begin, uint32_t n, std::byte* to) const {
    fill(to, n);
    const uint32_t first = std::max(begin, box.first), end = std::min(begin + n, box.end);
    const uint64_t data = box.row_address(row);
    if (data == 0 || first >= end) return;
    std::memcpy(to + (first - begin), reinterpret_cast<const std::byte*>(data) + (first - box.first), end - first);
    if (box.map.rounds_to_tf32) round(to + (first - begin), end - first);
  }
  void fill(std::byte* to, uint32_t n) const {
    if (!box.map.fills_nan) {
      std::memset(to, 0, n);
      return;
    }
    for (uint32_t at = 0; at < n; at += sizeof kNanFill) std::memcpy(to + at, &kNanFill, sizeof kNanFill);
  }
  static void round(std::byte* data, uint32_t n) {
    for (uint32_t at = 0; at < n; at += 4) {
      uint32_t value;
      std::memcpy(&value, data + at, 4);
      value = numerics::f32_to_tf32(value, numerics::Round::kNearestEven);
      std::memcpy(data + at, &value, 4);
    }
  }
};

struct TensorStore : TensorCopy {
  Reducer reducer;               // null: copy
  std::vector<std::byte> taken;  // by read_source(): row by row, each 8-byte aligned as row_bytes is

  TensorStore(const Box& b, std::byte* host, uint32_t at, Reducer f) : TensorCopy(b, host, at, false), reducer(f) {
    is_reduction = f != nullptr;
  }
  void read_source() override {
    taken.resize(box.bytes());
    for (uint32_t row = 0; row < box.rows; ++row) read(row, taken.data() + row * box.row_bytes);
  }
  void perform() override {
    alignas(8) std::byte gathered[kMaxRowBytes];
    for (uint32_t row = 0; row < box.rows; ++row) {
      std::byte* const to = reinterpret_cast<std::byte*>(box.row_address(row));
      if (to == nullptr || box.end == box.first) continue;
      const std::byte* from = gathered;
      if (taken.empty())
        read(row, gathered);
      else
        from = taken.data() + row * box.row_bytes;
      if (reducer != nullptr)
        reducer(to, from + box.first, box.end - box.first);
      else
        std::memcpy(to, from + box.first, box.end - box.first);
    }
  }

 private:
  void read(uint32_t row, std::byte* to) const {
    each_piece(row, [&](uint32_t at, const std::byte* from, uint32_t n) { std::memcpy(to + at, from, n); });
  }
};

uint32_t rank_of(const Instr& i) { return static_cast<uint32_t>(i.imm & 7); }

// Operands: destination, map and coordinates (`rank` of them), mbarrier.
template <bool kGathers>
void load_boxes(Warp& w, const Instr& i) {
  if (kGathers) require_card(w, i, 10, "sm_100 or newer");
  const uint32_t rank = rank_of(i);
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const Box box = make_box(w, i, lane, 1, 1, rank, kGathers);
    check_global(w, i, lane, box, Access::kRead);
    const uint64_t at = address(w, i, 0, i.ops[0], lane);
    std::byte* const shared = resolve(w, i, lane, Space::kShared, at, box.shared_bytes(), kSharedAlign, Access::kWrite);
    const uint32_t barrier = mbarrier_operand(w, i, lane, 2, i.ops[2 + rank], Space::kShared);
    issue(w, i, lane, TensorLoad(box, shared, static_cast<uint32_t>(at), barrier));
  }
}
constexpr Handler load = load_boxes<false>;
void load_multicast(Warp& w, const Instr& i) {
  check_multicast(w, i, i.ops[3 + rank_of(i)]);
  load(w, i);
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
void store(Warp& w, const Instr& i) {
  const uint32_t rank = rank_of(i);
  const int64_t op = i.imm >> 3;  // 0: copy, else 1 + ReduceOp
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    Box box = make_box(w, i, lane, 0, 0, rank);
    make_store(w, i, lane, box);
    Reducer reducer = nullptr;
    if (op != 0) {
      reducer = reducer_for(box.map, static_cast<ReduceOp>(op - 1));
      if (reducer == nullptr) refuse(w, i, lane, "this reduction does not exist for the tensor map's data type");
    }
    check_global(w, i, lane, box, op != 0 ? Access::kAtomic : Access::kWrite);
    const uint64_t at = address(w, i, 1, i.ops[1 + rank], lane);
    std::byte* const shared = resolve(w, i, lane, Space::kShared, at, box.shared_bytes(), kSharedAlign, Access::kRead);
    issue(w, i, lane, TensorStore(box, shared, static_cast<uint32_t>(at), reducer));
  }
}

void prefetch(Warp& w, const Instr& i) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    check_global(w, i, lane, make_box(w, i, lane, 0, 0, rank_of(i)), Access::kRead);
  }
}

// Instr::imm: how many coordinates in bits 0-2, 1 + ReduceOp above. They are as many as the opcode's "1d" .. "5d" says;
// of gathered rows five. 0: the statement has another number.
int64_t rank_in(const ptx::Statement& s) {
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
  return (i.imm = rank_in(s)) != 0 ? kHandler : nullptr;
}
Handler bind_store(const ptx::Statement& s, Instr& i) {
  i.imm = rank_in(s);
  if (i.imm == 0) return nullptr;
  for (const std::string_view token : s.tokens)
    if (const auto op = reduce_op(token)) i.imm |= (static_cast<int64_t>(*op) + 1) << 3;
  return store;
}

constexpr char kIsa[] = "9.7.9.27.1.2 cp.async.bulk.tensor";
constexpr char kReduceIsa[] = "9.7.9.27.1.3 cp.reduce.async.bulk.tensor";
constexpr char kPrefetchIsa[] = "9.7.9.27.1.4 cp.async.bulk.prefetch.tensor";

const Form kForms[] = {
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].[shared::cta|shared::cluster].global[.tile|].mbarrier::complete_tx::bytes",
     "[a] [t,r32] [a]", nullptr, bind<load>, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].[shared::cta|shared::cluster].global[.tile|].mbarrier::complete_tx::bytes"
     ".L2::cache_hint",
     "[a] [t,r32] [a] r64", nullptr, bind<load>, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].shared::cluster.global[.tile|].mbarrier::complete_tx::bytes"
     ".multicast::cluster",
     "[a] [t,r32] [a] r16", nullptr, bind<load_multicast>, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].shared::cluster.global[.tile|].mbarrier::complete_tx::bytes"
     ".multicast::cluster.L2::cache_hint",
     "[a] [t,r32] [a] r16 r64", nullptr, bind<load_multicast>, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes", "[a] [t,r32] [a]",
     nullptr, bind<load_boxes<true>>, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes.L2::cache_hint",
     "[a] [t,r32] [a] r64", nullptr, bind<load_boxes<true>>, Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta[.tile|].bulk_group", "[t,r32] [a]", nullptr, bind_store,
     Unit::kAsync, kIsa},
    {"cp.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta[.tile|].bulk_group.L2::cache_hint", "[t,r32] [a] r64",
     nullptr, bind_store, Unit::kAsync, kIsa},
    {"cp.reduce.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta.[add|min|max|inc|dec|and|or|xor][.tile|].bulk_group",
     "[t,r32] [a]", nullptr, bind_store, Unit::kAsync, kReduceIsa},
    {"cp.reduce.async.bulk.tensor.[1d|2d|3d|4d|5d].global.shared::cta.[add|min|max|inc|dec|and|or|xor][.tile|].bulk_group"
     ".L2::cache_hint",
     "[t,r32] [a] r64", nullptr, bind_store, Unit::kAsync, kReduceIsa},
    {"cp.async.bulk.prefetch.tensor.[1d|2d|3d|4d|5d].L2.global[.tile|]", "[t,r32]", nullptr, bind<prefetch>,
     Unit::kAsync, kPrefetchIsa},
    {"cp.async.bulk.prefetch.tensor.[1d|2d|3d|4d|5d].L2.global[.tile|].L2::cache_hint", "[t,r32] r64", nullptr,
     bind<prefetch>, Unit::kAsync, kPrefetchIsa},
};

}  // namespace

std::span<const Form> tensor_copy_forms() { return kForms; }

}  // namespace sim

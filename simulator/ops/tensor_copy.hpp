// Tensor copies as operations of the copy engine: a box is moved row by row; elements outside the tensor read as the
// fill value and are not written; rows in shared memory are a swizzle span apart. Checked on an H100 and an H200: the
// pitch of rows narrower than the span, the fill pattern.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/async_ops.hpp"
#include "ops/async_reduce.hpp"
#include "ops/tensor_box.hpp"

namespace sim {

// One transfer. Shared memory is addressed by `shared` (host pointer to the box) and `shared_at` (its shared address,
// which the swizzle takes its bits from).
struct TensorCopy : AsyncOperation {
  static constexpr uint32_t kMaxRowBytes = 256 * 8;  // boxes have at most 256 elements a side
  static constexpr uint32_t kPiece = 16;             // what a swizzle keeps together at least, but for flipped halves

  Box box;
  std::byte* shared;
  uint32_t shared_at;
  bool is_load;

  TensorCopy(const Box& b, std::byte* host, uint32_t at, bool load)
      : AsyncOperation(Kind::kTensor), box(b), shared(host), shared_at(at), is_load(load) {
    group = CopyGroup::kBulk;
    map = b.map_bytes;
  }
  void each_range(const std::function<void(const AsyncRange&)>& f) const override;

  uint32_t piece_bytes() const { return box.flip_mask == 0 ? kPiece : kPiece / 2; }
  uint32_t pieces_of_row() const { return (box.row_bytes + piece_bytes() - 1) / piece_bytes(); }
  // Where byte `begin`, the first of a piece, of row `row` lies.
  std::byte* shared_piece(uint32_t row, uint32_t begin) const {
    const uint32_t at = shared_at + row * box.pitch + begin;
    return shared + ((at ^ box.flip(at)) - shared_at);
  }
  // Calls f(offset of the piece in the row, host pointer, bytes) for the pieces of a row that swizzling keeps together.
  template <class F>
  void each_piece(uint32_t row, F&& f) const {
    if (box.flip(shared_at + row * box.pitch) == 0) return f(0u, shared + row * box.pitch, box.row_bytes);
    for (uint32_t c = 0; c < box.row_bytes; c += piece_bytes())
      f(c, shared_piece(row, c), std::min(piece_bytes(), box.row_bytes - c));
  }
};

struct TensorLoad : TensorCopy {
  TensorLoad(const Box& b, std::byte* host, uint32_t at, uint32_t mbarrier) : TensorCopy(b, host, at, true) {
    barrier = mbarrier;
    bytes = b.bytes();
  }
  void perform() override;
  uint32_t pieces() const override { return box.rows * pieces_of_row(); }
  void perform_piece(uint32_t piece) override;

 private:
  void build(uint32_t row, uint32_t begin, uint32_t n, std::byte* to) const;
};

struct TensorStore : TensorCopy {
  Reducer reducer;               // null: copy
  std::vector<std::byte> taken;  // by read_source(): row by row, each 8-byte aligned as data_bytes is

  TensorStore(const Box& b, std::byte* host, uint32_t at, Reducer f) : TensorCopy(b, host, at, false), reducer(f) {
    is_reduction = f != nullptr;
  }
  void read_source() override;
  void perform() override;

 private:
  void read(uint32_t row, std::byte* to) const;
};

}  // namespace sim

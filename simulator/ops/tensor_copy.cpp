#include "ops/tensor_copy.hpp"

#include <cstring>

#include "numerics/formats.hpp"

namespace sim {
namespace {

constexpr uint16_t kNanFill = 0x7ff7;  // every 16 bits of an element outside the tensor, whatever its type
constexpr uint32_t kTogether = 16;     // elements of the types with gaps that share 16 bytes of shared memory

void fill(const Box& box, std::byte* to, uint32_t n) {
  if (!box.map.fills_nan) {
    std::memset(to, 0, n);
    return;
  }
  for (uint32_t at = 0; at < n; at += sizeof kNanFill) std::memcpy(to + at, &kNanFill, sizeof kNanFill);
}

void round_to_tf32(std::byte* data, uint32_t n) {
  for (uint32_t at = 0; at < n; at += 4) {
    uint32_t value;
    std::memcpy(&value, data + at, 4);
    value = numerics::f32_to_tf32(value, numerics::Round::kNearestEven);
    std::memcpy(data + at, &value, 4);
  }
}

// Bytes of a piece of shared memory that are data; the rest is a gap.
uint32_t data_of_piece(const Box& box) { return kTogether * box.map.element_bits / 8; }

}  // namespace

// Swizzling moves pieces within a span: whole spans without gaps between rows stay one range.
void TensorCopy::each_range(const std::function<void(const AsyncRange&)>& f) const {
  if (box.end != box.first)
    for (uint32_t row = 0; row < box.rows; ++row)
      if (const uint64_t at = box.row_address(row))
        f({reinterpret_cast<std::byte*>(at), box.end - box.first, false, !is_load});
  if (box.has_gaps() && is_load) {
    for (uint32_t row = 0; row < box.rows; ++row)
      for (uint32_t c = 0; c < box.row_bytes; c += kPiece) f({shared_piece(row, c), data_of_piece(box), true, true});
    return;
  }
  if (box.rows * box.row_bytes == box.shared_bytes()) return f({shared, box.shared_bytes(), true, is_load});
  for (uint32_t row = 0; row < box.rows; ++row)
    each_piece(row, [&](uint32_t, std::byte* at, uint32_t n) { f({at, n, true, is_load}); });
}

void TensorLoad::perform() {
  std::byte padded[kMaxRowBytes];
  for (uint32_t row = 0; row < box.rows; ++row) {
    if (box.has_gaps()) {
      for (uint32_t k = 0; k < pieces_of_row(); ++k) perform_piece(row * pieces_of_row() + k);
      continue;
    }
    const std::byte* data = reinterpret_cast<const std::byte*>(box.row_address(row));
    if (data == nullptr || box.end - box.first != box.row_bytes || box.map.rounds_to_tf32) {
      build(row, 0, box.row_bytes, padded);
      data = padded;
    }
    each_piece(row, [&](uint32_t from, std::byte* to, uint32_t n) { std::memcpy(to, data + from, n); });
  }
}

void TensorLoad::perform_piece(uint32_t piece) {
  const uint32_t row = piece / pieces_of_row(), k = piece % pieces_of_row(), begin = k * piece_bytes();
  if (box.has_gaps())
    build(row, k * data_of_piece(box), data_of_piece(box), shared_piece(row, begin));
  else
    build(row, begin, std::min(piece_bytes(), box.row_bytes - begin), shared_piece(row, begin));
}

// Data bytes [begin, begin + n) of a row as shared memory gets them: filled outside the tensor, rounded if the map says
// so.
void TensorLoad::build(uint32_t row, uint32_t begin, uint32_t n, std::byte* to) const {
  fill(box, to, n);
  const uint32_t first = std::max(begin, box.first), end = std::min(begin + n, box.end);
  const uint64_t data = box.row_address(row);
  if (data == 0 || first >= end) return;
  std::memcpy(to + (first - begin), reinterpret_cast<const std::byte*>(data) + (first - box.first), end - first);
  if (box.map.rounds_to_tf32) round_to_tf32(to + (first - begin), end - first);
}

void TensorStore::read_source() {
  taken.resize(box.bytes());
  for (uint32_t row = 0; row < box.rows; ++row) read(row, taken.data() + row * box.data_bytes);
}

void TensorStore::perform() {
  alignas(8) std::byte gathered[kMaxRowBytes];
  for (uint32_t row = 0; row < box.rows; ++row) {
    std::byte* const to = reinterpret_cast<std::byte*>(box.row_address(row));
    if (to == nullptr || box.end == box.first) continue;
    const std::byte* from = gathered;
    if (taken.empty())
      read(row, gathered);
    else
      from = taken.data() + row * box.data_bytes;
    if (reducer != nullptr)
      reducer(to, from + box.first, box.end - box.first);
    else
      std::memcpy(to, from + box.first, box.end - box.first);
  }
}

// A row as global memory gets it. Elements of 6 bits lie in bytes of their own here, and close together there.
void TensorStore::read(uint32_t row, std::byte* to) const {
  if (!box.has_gaps())
    return each_piece(row, [&](uint32_t at, const std::byte* from, uint32_t n) { std::memcpy(to + at, from, n); });
  std::memset(to, 0, box.data_bytes);
  for (uint32_t n = 0; n < box.row_bytes; ++n) {
    const uint32_t bit = n * box.map.element_bits;
    const uint32_t element =
        static_cast<uint32_t>(shared_piece(row, n / kPiece * kPiece)[n % kPiece]) & ((1u << box.map.element_bits) - 1);
    to[bit / 8] |= static_cast<std::byte>(element << bit % 8);
    if (bit % 8 + box.map.element_bits > 8) to[bit / 8 + 1] |= static_cast<std::byte>(element >> (8 - bit % 8));
  }
}

}  // namespace sim

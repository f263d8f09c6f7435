// Layout, in 32-bit words (an H200 and an H100 with driver 580 are the judges, tests/tensor_map.cpp replays their
// answers):
//   0-1   address
//   2     [0] im2col, [6:4] rank - 1, [10:7] type code, [12:11] interleave, [14:13] swizzle, [15] NaN fill,
//         [16] flush/tf32 variant, [18:17] L2 promotion, [20:19] swizzle atomicity (0: 16 bytes)
//   3-6   strides of dimensions 1 to 4 in units of 16 bytes, low 32 bits; 7: their bits [35:32], 4 bits each
//   8-12  dimensions - 1
//   13    [14:0] element steps - 1, 3 bits each; [31:24] box 0 - 1 (im2col: channels - 1)
//   14    tiled: box 1 to 4, less 1, a byte each; im2col: lower corner in the low half, upper in the high half, of 16,
//   8
//         or 5 bits a dimension in rank 3, 4 or 5
//   15    im2col: pixels - 1
//   16    bytes of a box, with box / step rounded down      18: 16, or the bytes of a swizzle atom (8 rows of its span)
// No card with packed types or other atomicities than 0 was asked: theirs are the bits that tensormap.replace writes,
// with words 16 and 18 by analogy.
#include "numerics/tensor_map.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace sim::numerics {
namespace {

constexpr int kWords = 32;
using Words = std::array<uint32_t, kWords>;
constexpr uint32_t kTf32 = 11;             // and 12, its flushing twin
constexpr uint32_t kFirstPackedCode = 11;  // word 2, of type 13; the other two follow
constexpr uint32_t kSwizzle128 = 3;        // the modes beyond are of atomicities 1 to 3
// Bits of a corner's coordinate, by rank.
constexpr uint32_t corner_bits(uint32_t rank) { return rank == 3 ? 16 : rank == 4 ? 8 : 5; }

}  // namespace

bool encode_tensor_map(const TensorMapArguments& a, const TensorMapCard& card, std::byte* out, std::string& error) {
  error = broken_tensor_map_rule(a, card);
  if (!error.empty()) return false;
  const bool is_packed = a.data_type >= kByteTypes, is_im2col = a.mode == TensorMapMode::kIm2col;
  const TensorMapType type = is_packed ? TensorMapType{} : kTensorMapTypes[a.data_type];
  const uint32_t code = is_packed ? a.data_type - kByteTypes + kFirstPackedCode : type.code;
  const uint32_t swizzle = std::min(a.swizzle, kSwizzle128), inner = is_im2col ? a.channels : a.box[0];
  Words w{};
  w[0] = static_cast<uint32_t>(a.address);
  w[1] = static_cast<uint32_t>(a.address >> 32);
  w[2] = static_cast<uint32_t>(is_im2col) | (a.rank - 1) << 4 | code << 7 | a.interleave << 11 | swizzle << 13 |
         a.fill << 15 | static_cast<uint32_t>(type.variant) << 16 | a.promotion << 17 | (a.swizzle - swizzle) << 19;
  for (uint32_t d = 0; d < a.rank; ++d) {
    w[8 + d] = static_cast<uint32_t>(a.dims[d] - 1);
    w[13] |= (a.steps[d] - 1) << (3 * d);
  }
  w[13] |= (inner - 1) << 24;
  for (uint32_t d = 0; d + 1 < a.rank; ++d) {
    w[3 + d] = static_cast<uint32_t>(a.strides[d] >> 4);
    w[7] |= static_cast<uint32_t>(a.strides[d] >> 36) << (4 * d);
  }
  const uint32_t element_bits = is_packed ? kPackedTypes[a.data_type - kByteTypes].bits : 8 * type.bytes;
  uint32_t count = is_im2col ? inner : inner / a.steps[0];
  if (is_im2col) {
    const uint32_t bits = corner_bits(a.rank), mask = (1u << bits) - 1;
    for (uint32_t d = 0; d + 2 < a.rank; ++d)
      w[14] |= (static_cast<uint32_t>(a.lower[d]) & mask) << bits * d | (static_cast<uint32_t>(a.upper[d]) & mask)
                                                                            << (16 + bits * d);
    w[15] = a.pixels - 1;
    count *= a.pixels;
  }
  for (uint32_t d = 1; !is_im2col && d < a.rank; ++d) {
    w[14] |= (a.box[d] - 1) << (8 * (d - 1));
    count *= a.box[d] / a.steps[d];
  }
  w[16] = count * element_bits / 8;
  w[18] = swizzle == 0 ? 16 : 8 * (16u << swizzle);
  std::memcpy(out, w.data(), kTensorMapBytes);
  return true;
}

bool decode_tensor_map(const std::byte* bytes, TensorMap& map, std::string& error) {
  Words w;
  std::memcpy(w.data(), bytes, kTensorMapBytes);
  const auto field = [&](int word, uint32_t low, uint32_t count) { return w[word] >> low & ((1u << count) - 1); };
  const auto corner = [&](uint32_t low, uint32_t count) {
    return static_cast<int32_t>(field(14, low, count) << (32 - count)) >> (32 - count);
  };
  map = {};
  map.rank = field(2, 4, 3) + 1;
  if (map.rank > 5) return error = "its rank is " + std::to_string(map.rank), false;
  const uint32_t code = field(2, 7, 4);
  const auto* const type =
      std::find_if(std::begin(kTensorMapTypes), std::end(kTensorMapTypes),
                   [&](const TensorMapType& t) { return t.code == code && t.variant == (field(2, 16, 1) != 0); });
  const bool is_packed = code - kFirstPackedCode < std::size(kPackedTypes);
  if (type == std::end(kTensorMapTypes) && !is_packed)
    return error = "its data type code is " + std::to_string(code), false;
  map.address = w[0] | static_cast<uint64_t>(w[1]) << 32;
  if (is_packed) {
    map.element_bits = kPackedTypes[code - kFirstPackedCode].bits;
    map.shared_element_bits = kPackedTypes[code - kFirstPackedCode].shared_bits;
  } else {
    map.element_bits = map.shared_element_bits = 8 * type->bytes;
    map.reduce_type = type->reduce_type;
    map.rounds_to_tf32 = type - kTensorMapTypes >= kTf32;
  }
  map.interleave = field(2, 11, 2);
  if (map.interleave > 2) return error = "its interleaving is mode 3", false;
  if (map.interleave != 0 && map.rank < 3)
    return error = "it is interleaved and has rank " + std::to_string(map.rank), false;
  map.swizzle = field(2, 13, 2);
  map.swizzle_atomicity = field(2, 19, 2);
  map.fills_nan = field(2, 15, 1) != 0;
  map.stride[0] = map.slice_bytes();
  map.box[0] = field(13, 24, 8) + 1;
  for (uint32_t d = 0; d < map.rank; ++d) {
    map.dim[d] = uint64_t{w[8 + d]} + 1;
    map.element_step[d] = field(13, 3 * d, 3) + 1;
    if (d != 0) map.stride[d] = (w[2 + d] | static_cast<uint64_t>(field(7, 4 * (d - 1), 4)) << 32) << 4;
  }
  if (field(2, 0, 1) == 0) {
    for (uint32_t d = 1; d < map.rank; ++d) map.box[d] = field(14, 8 * (d - 1), 8) + 1;
    return true;
  }
  map.mode = TensorMapMode::kIm2col;
  if (map.rank < 3) return error = "it is of im2col mode and has rank " + std::to_string(map.rank), false;
  map.pixels = field(15, 0, 10) + 1;
  const uint32_t bits = corner_bits(map.rank);
  for (uint32_t d = 0; d < map.pixel_dims(); ++d) {
    map.lower[d] = corner(bits * d, bits);
    map.upper[d] = corner(16 + bits * d, bits);
  }
  return true;
}

}  // namespace sim::numerics

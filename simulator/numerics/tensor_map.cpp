// Layout, in 32-bit words (an H200 with driver 580 is the judge, tests/tensor_map.cpp replays its answers):
//   0-1   address
//   2     [6:4] rank - 1, [10:7] type code, [12:11] interleave, [14:13] swizzle, [15] NaN fill, [16] flush/tf32
//   variant,
//         [18:17] L2 promotion, [20:19] swizzle atomicity (0: 16 bytes)
//   3-6   strides of dimensions 1 to 4 in units of 16 bytes, low 32 bits; 7: their bits [35:32], 4 bits each
//   8-12  dimensions - 1
//   13    [14:0] element steps - 1, 3 bits each; [31:24] box 0 - 1         14: box 1 to 4, less 1, a byte each
//   16    bytes of a box, with box / step rounded down      18: 16, or the bytes of a swizzle atom (8 rows of its span)
#include "numerics/tensor_map.hpp"

#include <algorithm>
#include <cstring>

namespace sim::numerics {
namespace {

struct DataType {
  uint32_t code;  // word 2, bits 10:7
  bool variant;   // word 2, bit 16
  uint32_t bytes;
  bool is_float;
  std::string_view reduce_type;
};
constexpr DataType kTypes[] = {
    {0, false, 1, false, ""},    {1, false, 2, false, ""},     {2, false, 4, false, "u32"}, {3, false, 4, false, "s32"},
    {4, false, 8, false, "u64"}, {5, false, 8, false, "s64"},  {6, false, 2, true, "f16"},  {7, false, 4, true, "f32"},
    {9, false, 8, true, "f64"},  {10, false, 2, true, "bf16"}, {8, false, 4, true, "f32"},  {7, true, 4, true, ""},
    {8, true, 4, true, ""},
};
constexpr uint32_t kTf32 = 11;  // and 12, its flushing twin
// The code of 16U4_ALIGN8B, as CUTLASS's DSL writes it into its maps for sm_120 (2 a byte, low nibble first). An H200's
// driver refuses the type, so the encoder knows 0 to 12 alone.
constexpr uint32_t kPacked4 = 11;

constexpr int kWords = 32;
using Words = std::array<uint32_t, kWords>;
constexpr uint32_t swizzle_span(uint32_t swizzle) { return 16u << swizzle; }

// Which rule of cuTensorMapEncodeTiled the arguments break; empty when none.
std::string broken_rule(const TensorMapArguments& a, uint32_t shared_bytes) {
  const auto at = [](const char* what, uint32_t d) { return std::string(what) + "[" + std::to_string(d) + "]"; };
  if (a.data_type >= std::size(kTypes)) return "data type " + std::to_string(a.data_type) + " is not one of 0 to 12";
  if (a.rank < 1 || a.rank > 5) return "rank " + std::to_string(a.rank) + " is not 1 to 5";
  if (a.interleave > 2 || a.swizzle > 3 || a.promotion > 3 || a.fill > 1)
    return "interleave, swizzle, promotion or fill is not one of the known modes";
  if (a.interleave != 0 && a.rank < 3) return "interleaved tensors have rank 3 or more";
  const DataType& type = kTypes[a.data_type];
  if (a.fill == 1 && !type.is_float) return "NaN fill needs a floating-point type";
  const uint32_t align = a.interleave == 2 ? 32 : 16;
  if (a.address % align != 0) return "the address is not a multiple of " + std::to_string(align);
  if (a.address >> 57 != 0) return "the address has more than 57 bits";
  uint64_t box_bytes = type.bytes;
  for (uint32_t d = 0; d < a.rank; ++d) {
    if (a.dims[d] < 1 || a.dims[d] > uint64_t{1} << 32) return at("dims", d) + " is not 1 to 2^32";
    if (a.box[d] < 1 || a.box[d] > 256) return at("box", d) + " is not 1 to 256";
    if (a.steps[d] < 1 || a.steps[d] > 8) return at("steps", d) + " is not 1 to 8";
    box_bytes *= a.box[d] / a.steps[d];
  }
  for (uint32_t d = 0; d + 1 < a.rank; ++d)
    if (a.strides[d] % align != 0 || a.strides[d] >> 40 != 0)
      return at("strides", d) + " is not a multiple of " + std::to_string(align) + " below 2^40";
  if (box_bytes > shared_bytes) return "a box of " + std::to_string(box_bytes) + " bytes is larger than shared memory";
  if (a.interleave == 0) {
    const uint32_t inner = a.box[0] * type.bytes;
    if (inner % 16 != 0) return "box[0] spans " + std::to_string(inner) + " bytes, not a multiple of 16";
    if (a.swizzle != 0 && inner > swizzle_span(a.swizzle))
      return "box[0] spans " + std::to_string(inner) + " bytes, more than the swizzle's " +
             std::to_string(swizzle_span(a.swizzle));
  }
  return {};
}

}  // namespace

bool encode_tensor_map(const TensorMapArguments& a, uint32_t shared_bytes, std::byte* out, std::string& error) {
  error = broken_rule(a, shared_bytes);
  if (!error.empty()) return false;
  const DataType& type = kTypes[a.data_type];
  Words w{};
  w[0] = static_cast<uint32_t>(a.address);
  w[1] = static_cast<uint32_t>(a.address >> 32);
  w[2] = (a.rank - 1) << 4 | type.code << 7 | a.interleave << 11 | a.swizzle << 13 | a.fill << 15 |
         static_cast<uint32_t>(type.variant) << 16 | a.promotion << 17;
  w[16] = type.bytes;
  for (uint32_t d = 0; d < a.rank; ++d) {
    w[8 + d] = static_cast<uint32_t>(a.dims[d] - 1);
    w[13] |= (a.steps[d] - 1) << (3 * d);
    if (d == 0)
      w[13] |= (a.box[0] - 1) << 24;
    else
      w[14] |= (a.box[d] - 1) << (8 * (d - 1));
    w[16] *= a.box[d] / a.steps[d];
  }
  for (uint32_t d = 0; d + 1 < a.rank; ++d) {
    w[3 + d] = static_cast<uint32_t>(a.strides[d] >> 4);
    w[7] |= static_cast<uint32_t>(a.strides[d] >> 36) << (4 * d);
  }
  w[18] = a.swizzle == 0 ? 16 : 8 * swizzle_span(a.swizzle);
  std::memcpy(out, w.data(), kTensorMapBytes);
  return true;
}

bool decode_tensor_map(const std::byte* bytes, TensorMap& map, std::string& error) {
  Words w;
  std::memcpy(w.data(), bytes, kTensorMapBytes);
  const auto field = [&](int word, int low, int count) { return w[word] >> low & ((1u << count) - 1); };
  map = {};
  map.rank = field(2, 4, 3) + 1;
  if (map.rank > 5) return error = "its rank is " + std::to_string(map.rank), false;
  const DataType* const type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const DataType& t) {
    return t.code == field(2, 7, 4) && t.variant == (field(2, 16, 1) != 0);
  });
  const bool is_packed4 = field(2, 7, 4) == kPacked4;
  if (type == std::end(kTypes) && !is_packed4)
    return error = "its data type code is " + std::to_string(field(2, 7, 4)), false;
  map.address = w[0] | static_cast<uint64_t>(w[1]) << 32;
  map.element_bits = is_packed4 ? 4 : 8 * type->bytes;
  if (!is_packed4) {
    map.reduce_type = type->reduce_type;
    map.rounds_to_tf32 = type - kTypes >= kTf32;
  }
  map.interleave = field(2, 11, 2);
  map.swizzle = field(2, 13, 2);
  map.swizzle_atomicity = field(2, 19, 2);
  map.fills_nan = field(2, 15, 1) != 0;
  for (uint32_t d = 0; d < map.rank; ++d) {
    map.dim[d] = uint64_t{w[8 + d]} + 1;
    map.element_step[d] = field(13, static_cast<int>(3 * d), 3) + 1;
    map.box[d] = (d == 0 ? field(13, 24, 8) : field(14, static_cast<int>(8 * (d - 1)), 8)) + 1;
    if (d != 0)
      map.stride[d] = (w[2 + d] | static_cast<uint64_t>(field(7, static_cast<int>(4 * (d - 1)), 4)) << 32) << 4;
  }
  return true;
}

uint64_t greatest_value(TensorMapField mode) {
  switch (mode) {
    case TensorMapField::kType:
      return 15;
    case TensorMapField::kInterleave:
      return 2;
    case TensorMapField::kSwizzle:
    case TensorMapField::kSwizzleAtomicity:
      return 3;
    default:
      return 1;
  }
}

// As ptxas 13.0 expands the instruction into loads, LOP3 and stores. It leaves words 16 and 18 alone, and bit 16 of
// word 2 where the new type is not tf32.
std::array<WordEdit, 2> replace_field(TensorMapField field, uint32_t ordinal, uint64_t value) {
  const auto low = static_cast<uint32_t>(value);
  const auto edit = [](uint32_t word, uint32_t at, uint32_t count, uint32_t bits) {
    const uint32_t mask = (count == 32 ? ~0u : (1u << count) - 1) << at;
    return WordEdit{word, mask, bits << at & mask};
  };
  switch (field) {
    case TensorMapField::kAddress:
      return {edit(0, 0, 32, low), edit(1, 0, 32, static_cast<uint32_t>(value >> 32))};
    case TensorMapField::kRank:
      return {edit(2, 4, 3, low)};
    case TensorMapField::kBox:
      return {ordinal == 0 ? edit(13, 24, 8, low - 1) : edit(14, 8 * (ordinal - 1), 8, low - 1)};
    case TensorMapField::kDim:
      return {edit(8 + ordinal, 0, 32, low - 1)};
    case TensorMapField::kStride:
      return {edit(3 + ordinal, 0, 32, static_cast<uint32_t>(value >> 4)),
              edit(7, 4 * ordinal, 4, static_cast<uint32_t>(value >> 36))};
    case TensorMapField::kElementStep:
      return {edit(13, 3 * ordinal, 3, low - 1)};
    case TensorMapField::kType: {
      constexpr uint32_t kFirstTf32 = 11, kFirstPacked = 13;
      const uint32_t code = low < kFirstTf32 ? low : low < kFirstPacked ? low - 4 : low - 2;
      return {edit(2, 7, 4, code), low >= kFirstTf32 && low < kFirstPacked ? edit(2, 16, 1, 1) : WordEdit{}};
    }
    case TensorMapField::kInterleave:
      return {edit(2, 11, 2, low)};
    case TensorMapField::kSwizzle:
      return {edit(2, 13, 2, low)};
    case TensorMapField::kSwizzleAtomicity:
      return {edit(2, 19, 2, low)};
    case TensorMapField::kFill:
      return {edit(2, 15, 1, low)};
  }
  return {};
}

}  // namespace sim::numerics

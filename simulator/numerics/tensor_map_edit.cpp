// tensormap.replace as edits of a map's words: what ptxas 13.0 expands the instruction into (loads, LOP3 and stores).
// It knows the fields of tiled maps alone.
#include "numerics/tensor_map.hpp"

namespace sim::numerics {

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

// Words 16 and 18 stay, and bit 16 of word 2 where the new type is not tf32.
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

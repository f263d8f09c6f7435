// What cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col refuse. The verdicts of an H200's and an H100's driver on
// 6,399 calls are the judge (tests/tensor_map.cpp); the rules of packed types and of swizzles beyond 3 are cuda.h's.
#include <algorithm>

#include "numerics/tensor_map.hpp"

namespace sim::numerics {
namespace {

// Type 14, of four bits as well, has no rule of its own.
constexpr uint32_t k16U4Align8 = 13, k16U6Align16 = 15;
constexpr uint32_t kSwizzleNone = 0, kSwizzle128 = 3, kSwizzleAtom32 = 4, kSwizzleAtom64 = 6;

std::string at(const char* what, uint32_t d) { return std::string(what) + "[" + std::to_string(d) + "]"; }

std::string bad_modes(const TensorMapArguments& a, const TensorMapCard& card) {
  const bool is_blackwell = card.cc_major >= 10;
  const uint32_t last_type = is_blackwell ? k16U6Align16 : kByteTypes - 1;
  if (a.data_type > last_type)
    return "data type " + std::to_string(a.data_type) + " is not one of 0 to " + std::to_string(last_type);
  const uint32_t lowest = a.mode == TensorMapMode::kIm2col ? 3 : 1;
  if (a.rank < lowest || a.rank > 5)
    return "rank " + std::to_string(a.rank) + " is not " + std::to_string(lowest) + " to 5";
  if (a.interleave > 2 || a.swizzle > (is_blackwell ? kSwizzleAtom64 : kSwizzle128) || a.promotion > 3 || a.fill > 1)
    return "interleave, swizzle, promotion or fill is not one of the known modes";
  if (a.interleave != 0 && a.rank < 3) return "interleaved tensors have rank 3 or more";
  if (a.fill == 1 && (a.data_type >= kByteTypes || !kTensorMapTypes[a.data_type].is_float))
    return "NaN fill needs a floating-point type of whole bytes";
  return {};
}

// Of the types with gaps, whose units are 128 elements.
std::string bad_gaps(const TensorMapArguments& a, uint32_t inner) {
  const bool has_swizzle = a.swizzle == kSwizzleNone || a.swizzle == kSwizzle128 || a.swizzle == kSwizzleAtom32 ||
                           (a.swizzle == kSwizzleAtom64 && a.data_type == k16U6Align16);
  if (!has_swizzle) return "this swizzle does not go with a type that has gaps";
  if (a.interleave != 0) return "a type that has gaps is not interleaved";
  if (a.dims[0] % 128 != 0) return "dims[0] is not a multiple of 128";
  if (inner != 128) return "the box is " + std::to_string(inner) + " elements wide, not 128";
  return {};
}

// The difference is taken as the driver takes it, in 32 bits: dimensions beyond 2^31 wrap.
std::string bad_corners(const TensorMapArguments& a) {
  const int32_t limit = a.rank == 3 ? 1 << 15 : a.rank == 4 ? 1 << 7 : 1 << 4;
  for (uint32_t d = 0; d + 2 < a.rank; ++d) {
    for (const int32_t corner : {a.lower[d], a.upper[d]})
      if (corner < -limit || corner >= limit)
        return at("a corner", d) + " is not " + std::to_string(-limit) + " to " + std::to_string(limit - 1);
    const uint64_t size = a.dims[a.interleave == 0 ? d + 1 : d];
    const auto end = static_cast<int32_t>(static_cast<uint32_t>(size) + static_cast<uint32_t>(a.upper[d]));
    if (end <= a.lower[d]) return "the corners leave no pixel in dimension " + std::to_string(d) + " of W, H, D";
  }
  return {};
}

}  // namespace

std::string broken_tensor_map_rule(const TensorMapArguments& a, const TensorMapCard& card) {
  if (std::string error = bad_modes(a, card); !error.empty()) return error;
  const bool is_im2col = a.mode == TensorMapMode::kIm2col, has_gaps = a.data_type > k16U4Align8;
  const uint32_t align = a.interleave == 2 || has_gaps ? 32 : 16;
  if (a.address % align != 0) return "the address is not a multiple of " + std::to_string(align);
  if (a.address >> 57 != 0) return "the address has more than 57 bits";
  const uint32_t bits = a.data_type < kByteTypes ? 8 * kTensorMapTypes[a.data_type].bytes
                                                 : kPackedTypes[a.data_type - kByteTypes].shared_bits;
  uint64_t box_elements = is_im2col ? uint64_t{a.channels} * a.pixels : 1;
  for (uint32_t d = 0; d < a.rank; ++d) {
    if (a.dims[d] < 1 || a.dims[d] > uint64_t{1} << 32) return at("dims", d) + " is not 1 to 2^32";
    if (a.steps[d] < 1 || a.steps[d] > 8) return at("steps", d) + " is not 1 to 8";
    if (is_im2col) continue;
    if (a.box[d] < 1 || a.box[d] > 256) return at("box", d) + " is not 1 to 256";
    box_elements *= a.box[d] / a.steps[d];
  }
  for (uint32_t d = 0; d + 1 < a.rank; ++d)
    if (a.strides[d] % align != 0 || a.strides[d] >> 40 != 0)
      return at("strides", d) + " is not a multiple of " + std::to_string(align) + " below 2^40";
  if (is_im2col) {
    if (std::string error = bad_corners(a); !error.empty()) return error;
    if (a.channels < 1 || a.channels > 256) return "channels per pixel are not 1 to 256";
    if (a.pixels < 1 || a.pixels > 1024) return "pixels per column are not 1 to 1024";
  }
  const uint64_t box_bytes = box_elements * bits / 8;
  if (box_bytes > card.shared_bytes)
    return "a box of " + std::to_string(box_bytes) + " bytes is larger than shared memory";
  const uint32_t inner = is_im2col ? a.channels : a.box[0];
  const char* const name = is_im2col ? "a pixel" : "box[0]";
  if (has_gaps)
    if (std::string error = bad_gaps(a, inner); !error.empty()) return error;
  if (a.data_type == k16U4Align8 && a.dims[0] % 2 != 0) return "dims[0] is odd";
  if (inner * bits % 128 != 0)
    return std::string(name) + " spans " + std::to_string(inner * bits) + " bits, not a multiple of 16 bytes";
  const uint32_t span = 16u << std::min(a.swizzle, kSwizzle128);
  if (a.interleave == 0 && a.swizzle != kSwizzleNone && inner * bits / 8 > span)
    return std::string(name) + " spans " + std::to_string(inner * bits / 8) + " bytes, more than the swizzle's " +
           std::to_string(span);
  return {};
}

}  // namespace sim::numerics

// The 128 bytes of a CUtensorMap as the hardware reads them, deduced from maps that the drivers of an H200 and an H100
// encoded. Arguments of cuTensorMapEncodeTiled or cuTensorMapEncodeIm2col in, bytes out; and back, for the simulated
// copy engine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sim::numerics {

inline constexpr uint32_t kTensorMapBytes = 128;

enum class TensorMapMode : uint32_t { kTiled, kIm2col };

// What the two functions take, with the driver's numbers for their enumerations.
struct TensorMapArguments {
  TensorMapMode mode = TensorMapMode::kTiled;
  // 0 u8, 1 u16, 2 u32, 3 s32, 4 u64, 5 s64, 6 f16, 7 f32, 8 f64, 9 bf16, 10 f32 ftz, 11 tf32, 12 tf32 ftz; from
  // compute capability 10 on 13 to 15, sixteen elements together: 4 bits each, 4 bits with 8 bytes of gap, 6 bits with
  // 4
  uint32_t data_type = 0;
  uint32_t rank = 0;
  uint64_t address = 0;
  std::array<uint64_t, 5> dims{1, 1, 1, 1, 1};   // elements, innermost first
  std::array<uint64_t, 4> strides{};             // bytes, of dimensions 1 and up
  std::array<uint32_t, 5> box{1, 1, 1, 1, 1};    // elements
  std::array<uint32_t, 5> steps{1, 1, 1, 1, 1};  // element strides
  uint32_t interleave = 0;                       // 0 none, 1 16 bytes, 2 32 bytes
  // 0 none, 1 32, 2 64, 3 128 bytes; from compute capability 10 on 4 to 6, 128 bytes that keep 32 bytes together, 32
  // with flipped halves of 16, and 64
  uint32_t swizzle = 0;
  uint32_t promotion = 0;  // of L2: 0 none, 1 64, 2 128, 3 256 bytes
  uint32_t fill = 0;       // 0 zero, 1 NaN
  // Of im2col, in place of the box. Corners of W, then H, then D: the first position counted from 0, and the last one
  // counted from the last element.
  std::array<int32_t, 3> lower{}, upper{};
  uint32_t channels = 1, pixels = 1;
};

// What of the card a map depends on.
struct TensorMapCard {
  uint32_t shared_bytes = 0;  // of an SM: a box must fit in
  int cc_major = 9;
};

// Which rule of the driver the arguments break; empty when none.
std::string broken_tensor_map_rule(const TensorMapArguments& arguments, const TensorMapCard& card);
// Writes the map; false, with the reason in `error`, for what the driver refuses.
bool encode_tensor_map(const TensorMapArguments& arguments, const TensorMapCard& card, std::byte* out,
                       std::string& error);

// Types whose elements have bytes of their own, by the driver's number.
struct TensorMapType {
  uint32_t code;  // word 2, bits 10:7
  bool variant;   // word 2, bit 16
  uint32_t bytes;
  bool is_float;
  std::string_view reduce_type;  // as PTX names it: "u32", "f16" ..; empty where there is none
};
inline constexpr TensorMapType kTensorMapTypes[] = {
    {0, false, 1, false, ""},    {1, false, 2, false, ""},     {2, false, 4, false, "u32"}, {3, false, 4, false, "s32"},
    {4, false, 8, false, "u64"}, {5, false, 8, false, "s64"},  {6, false, 2, true, "f16"},  {7, false, 4, true, "f32"},
    {9, false, 8, true, "f64"},  {10, false, 2, true, "bf16"}, {8, false, 4, true, "f32"},  {7, true, 4, true, ""},
    {8, true, 4, true, ""},
};
inline constexpr uint32_t kByteTypes = 13;  // of them; the packed types follow
// Elements of types 13 to 15: bits in global and in shared memory.
struct PackedType {
  uint32_t bits, shared_bits;
};
inline constexpr PackedType kPackedTypes[] = {{4, 4}, {4, 8}, {6, 8}};

// A map as the copy engine uses it. An interleaved tensor has dimensions W, H, D, slices of channels, N (in rank 3 W,
// slices, N): an element of its dimension 0 is a slice of 16 or 32 bytes, and a box has one slice.
struct TensorMap {
  TensorMapMode mode = TensorMapMode::kTiled;
  uint64_t address = 0;
  uint32_t rank = 0;
  uint32_t element_bits = 0;
  uint32_t shared_element_bits = 0;  // differs from element_bits where there are gaps
  std::array<uint64_t, 5> dim{1, 1, 1, 1, 1};
  std::array<uint64_t, 5> stride{};            // bytes; of dimension 0: of interleaved tensors alone
  std::array<uint32_t, 5> box{1, 1, 1, 1, 1};  // of im2col: channels per pixel, 1 ..
  std::array<uint32_t, 5> element_step{1, 1, 1, 1, 1};
  std::array<int32_t, 3> lower{}, upper{};  // of im2col: corners of W, H, D
  uint32_t pixels = 0;
  uint32_t interleave = 0, swizzle = 0, swizzle_atomicity = 0;
  bool fills_nan = false;
  bool rounds_to_tf32 = false;
  std::string_view reduce_type;

  uint32_t slice_bytes() const { return 16 * interleave; }
  // Where W, H and D begin among the dimensions of an im2col map, and how many of them there are.
  uint32_t first_pixel_dim() const { return interleave == 0 ? 1 : 0; }
  uint32_t pixel_dims() const { return rank - 2; }
};

// False, with the reason in `error`, for bytes that no encoder writes.
bool decode_tensor_map(const std::byte* bytes, TensorMap& map, std::string& error);

// A field of a map that tensormap.replace edits. From kType on its values are modes, by PTX's numbers.
enum class TensorMapField : uint8_t {
  kAddress,
  kRank,         // less 1
  kBox,          // elements
  kDim,          // elements
  kStride,       // bytes
  kElementStep,  // elements
  kType,         // as TensorMapArguments::data_type, but 8 f32 ftz, 9 f64, 10 bf16
  kInterleave,
  kSwizzle,
  kSwizzleAtomicity,
  kFill
};
uint64_t greatest_value(TensorMapField mode);
// What an edit does to a 32-bit word of the map: (old & ~mask) | bits.
struct WordEdit {
  uint32_t word = 0, mask = 0, bits = 0;
};
// `ordinal`: of kBox, kDim, kStride (0 is that of dimension 1) and kElementStep. Edits with mask 0 are none.
std::array<WordEdit, 2> replace_field(TensorMapField field, uint32_t ordinal, uint64_t value);

}  // namespace sim::numerics

// The 128 bytes of a CUtensorMap as the hardware reads them, deduced from 1,920 maps that an H200's driver encoded.
// Arguments of cuTensorMapEncodeTiled in, bytes out; and back, for the simulated copy engine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sim::numerics {

inline constexpr uint32_t kTensorMapBytes = 128;

// What cuTensorMapEncodeTiled takes, with the driver's numbers for its enumerations.
struct TensorMapArguments {
  uint32_t data_type =
      0;  // 0 u8, 1 u16, 2 u32, 3 s32, 4 u64, 5 s64, 6 f16, 7 f32, 8 f64, 9 bf16, 10 f32 ftz, 11 tf32, 12 tf32 ftz
  uint32_t rank = 0;
  uint64_t address = 0;
  std::array<uint64_t, 5> dims{1, 1, 1, 1, 1};   // elements, innermost first
  std::array<uint64_t, 4> strides{};             // bytes, of dimensions 1 and up
  std::array<uint32_t, 5> box{1, 1, 1, 1, 1};    // elements
  std::array<uint32_t, 5> steps{1, 1, 1, 1, 1};  // element strides
  uint32_t interleave = 0;                       // 0 none, 1 16 bytes, 2 32 bytes
  uint32_t swizzle = 0;                          // 0 none, 1 32, 2 64, 3 128 bytes
  uint32_t promotion = 0;                        // of L2: 0 none, 1 64, 2 128, 3 256 bytes
  uint32_t fill = 0;                             // 0 zero, 1 NaN
};

// Writes the map; false, with the reason in `error`, for what the driver refuses. `shared_bytes`: shared memory of an
// SM, which a box must fit in.
bool encode_tensor_map(const TensorMapArguments& arguments, uint32_t shared_bytes, std::byte* out, std::string& error);

// A map as the copy engine uses it.
struct TensorMap {
  uint64_t address = 0;
  uint32_t rank = 0;
  uint32_t element_bits = 0;  // 4: sixteen in 8 bytes, in global and shared memory (PTX's .b4x16)
  std::array<uint64_t, 5> dim{1, 1, 1, 1, 1};
  std::array<uint64_t, 5> stride{};  // bytes, of dimensions 1 and up
  std::array<uint32_t, 5> box{1, 1, 1, 1, 1}, element_step{1, 1, 1, 1, 1};
  uint32_t interleave = 0, swizzle = 0, swizzle_atomicity = 0;
  bool fills_nan = false;
  bool rounds_to_tf32 = false;
  std::string_view reduce_type;  // as PTX names it: "u32", "f16" ..; empty where there is none
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
  kType,         // as TensorMapArguments::data_type, but 8 f32 ftz, 9 f64, 10 bf16, 13 to 15 packed
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

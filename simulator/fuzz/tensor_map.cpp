// Any arguments of cuTensorMapEncodeTiled or cuTensorMapEncodeIm2col, and any 128 bytes as a tensor map: what encodes
// decodes to what was asked for.
#include "numerics/tensor_map.hpp"

#include <cstdint>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sim::numerics;
  std::string error;
  TensorMap map;
  alignas(64) std::byte bytes[kTensorMapBytes]{};
  std::memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
  decode_tensor_map(bytes, map, error);

  TensorMapArguments asked;
  static_assert(std::is_trivially_copyable_v<TensorMapArguments>);
  std::memcpy(static_cast<void*>(&asked), data, size < sizeof asked ? size : sizeof asked);
  const int cc_major = size % 2 == 0 ? 9 : 12;
  if (!encode_tensor_map(asked, {.shared_bytes = 232448, .cc_major = cc_major}, bytes, error)) return 0;
  if (!decode_tensor_map(bytes, map, error)) __builtin_trap();
  const bool is_im2col = asked.mode == TensorMapMode::kIm2col;
  bool same = map.address == asked.address && map.rank == asked.rank &&
              (map.mode == TensorMapMode::kIm2col) == is_im2col && map.swizzle + map.swizzle_atomicity == asked.swizzle;
  for (uint32_t d = 0; d < asked.rank; ++d)
    same &= map.dim[d] == asked.dims[d] && (is_im2col || map.box[d] == asked.box[d]);
  if (is_im2col) {
    same &= map.box[0] == asked.channels && map.pixels == asked.pixels;
    for (uint32_t d = 0; d + 2 < asked.rank; ++d)
      same &= map.lower[d] == asked.lower[d] && map.upper[d] == asked.upper[d];
  }
  if (!same) __builtin_trap();
  return 0;
}

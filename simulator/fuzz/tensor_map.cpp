// Any arguments of cuTensorMapEncodeTiled, and any 128 bytes as a tensor map: what encodes decodes to what was asked
// for.
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
  if (!encode_tensor_map(asked, 232448, bytes, error)) return 0;
  if (!decode_tensor_map(bytes, map, error)) __builtin_trap();
  bool same = map.address == asked.address && map.rank == asked.rank && map.swizzle == asked.swizzle;
  for (uint32_t d = 0; d < asked.rank; ++d) same &= map.dim[d] == asked.dims[d] && map.box[d] == asked.box[d];
  if (!same) __builtin_trap();
  return 0;
}

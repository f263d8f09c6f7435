// tensor_map.cpp: a tensor of bytes -> cuTensorMapEncodeTiled. Host work only, about a microsecond.
#include "runtime/tensor_map.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"
#include "runtime/device_state.hpp"

namespace b12x::runtime {
namespace {

CUtensorMapSwizzle swizzle_of(int bytes, std::string_view what) {
  switch (bytes) {
    case 0:
      return CU_TENSOR_MAP_SWIZZLE_NONE;
    case 32:
      return CU_TENSOR_MAP_SWIZZLE_32B;
    case 64:
      return CU_TENSOR_MAP_SWIZZLE_64B;
    case 128:
      return CU_TENSOR_MAP_SWIZZLE_128B;
    default:
      fail(what, ": TMA has no swizzle of ", bytes, " bytes, want 0, 32, 64 or 128");
  }
}

}  // namespace

std::array<uint64_t, 16> encode_tensor_map(const Device& device, const ByteTensor& tensor, std::string_view what) {
  std::array<cuuint64_t, 4> sizes{};
  std::array<cuuint64_t, 3> strides{};
  std::array<cuuint32_t, 4> box{};
  std::ranges::copy(tensor.sizes, sizes.begin());
  std::ranges::copy(tensor.strides, strides.begin());
  std::ranges::copy(tensor.box, box.begin());
  const std::array<cuuint32_t, 4> element_strides = {1, 1, 1, 1};
  CUtensorMap map{};
  const ContextScope scope(device.state());  // the system's driver encodes only with a context
  const Driver& driver = device.state().driver();
  driver.check(driver.tensor_map_encode_tiled(&map, CU_TENSOR_MAP_DATA_TYPE_UINT8, static_cast<cuuint32_t>(tensor.rank),
                                              const_cast<void*>(tensor.data), sizes.data(), strides.data(), box.data(),
                                              element_strides.data(), CU_TENSOR_MAP_INTERLEAVE_NONE,
                                              swizzle_of(tensor.swizzle_bytes, what),
                                              CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
               "cuTensorMapEncodeTiled", what);
  return std::bit_cast<std::array<uint64_t, 16>>(map);
}

}  // namespace b12x::runtime

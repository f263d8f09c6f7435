// tensor_map.cpp: a byte matrix -> cuTensorMapEncodeTiled. Host work only, about a microsecond.
#include "runtime/tensor_map.hpp"

#include <bit>

#include "base/check.hpp"
#include "runtime/device_state.hpp"

namespace b12x::runtime {
namespace {

CUtensorMapSwizzle swizzle_of(int box_bytes, std::string_view what) {
  switch (box_bytes) {
    case 32:
      return CU_TENSOR_MAP_SWIZZLE_32B;
    case 64:
      return CU_TENSOR_MAP_SWIZZLE_64B;
    case 128:
      return CU_TENSOR_MAP_SWIZZLE_128B;
    default:
      fail(what, ": a TMA box row of ", box_bytes, " bytes has no swizzle, want 32, 64 or 128");
  }
}

}  // namespace

std::array<uint64_t, 16> encode_tensor_map(const Device& device, const ByteMatrix& matrix, std::string_view what) {
  const cuuint64_t sizes[3] = {static_cast<cuuint64_t>(matrix.row_bytes), static_cast<cuuint64_t>(matrix.rows),
                               static_cast<cuuint64_t>(matrix.batches)};
  const cuuint64_t strides[2] = {static_cast<cuuint64_t>(matrix.row_stride_bytes),
                                 static_cast<cuuint64_t>(matrix.batch_stride_bytes)};
  const cuuint32_t box[3] = {static_cast<cuuint32_t>(matrix.box_bytes), static_cast<cuuint32_t>(matrix.box_rows), 1};
  const cuuint32_t element_strides[3] = {1, 1, 1};
  const int swizzle_bytes = matrix.swizzle_bytes != 0 ? matrix.swizzle_bytes : matrix.box_bytes;
  CUtensorMap map{};
  const ContextScope scope(device.state());  // the system's driver encodes only with a context
  const Driver& driver = device.state().driver();
  driver.check(driver.tensor_map_encode_tiled(&map, CU_TENSOR_MAP_DATA_TYPE_UINT8, matrix.batches == 0 ? 2 : 3,
                                              const_cast<void*>(matrix.data), sizes, strides, box, element_strides,
                                              CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(swizzle_bytes, what),
                                              CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
               "cuTensorMapEncodeTiled", what);
  return std::bit_cast<std::array<uint64_t, 16>>(map);
}

}  // namespace b12x::runtime

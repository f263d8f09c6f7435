// cuTensorMapEncodeTiled: the hardware's 128 bytes, checked against the rules that the real driver enforces; it wants a
// current context, though the encoding needs none.
#include "numerics/tensor_map.hpp"

#include "driver/state.hpp"

using namespace sim::driver;
using sim::numerics::TensorMapArguments;

extern "C" {

CUresult CUDAAPI cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                        const cuuint64_t* dims, const cuuint64_t* strides, const cuuint32_t* box,
                                        const cuuint32_t* steps, CUtensorMapInterleave interleave,
                                        CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                                        CUtensorMapFloatOOBfill fill) {
  return call({.context = true, .healthy = false}, [&]() -> CUresult {
    if (map == nullptr || dims == nullptr || box == nullptr || steps == nullptr || (rank > 1 && strides == nullptr))
      return CUDA_ERROR_INVALID_VALUE;
    TensorMapArguments a{.data_type = static_cast<uint32_t>(type),
                         .rank = rank,
                         .address = reinterpret_cast<uint64_t>(address),
                         .interleave = static_cast<uint32_t>(interleave),
                         .swizzle = static_cast<uint32_t>(swizzle),
                         .promotion = static_cast<uint32_t>(promotion),
                         .fill = static_cast<uint32_t>(fill)};
    for (uint32_t d = 0; d < rank && d < 5; ++d) {
      a.dims[d] = dims[d];
      a.box[d] = box[d];
      a.steps[d] = steps[d];
      if (d + 1 < rank && d < 4) a.strides[d] = strides[d];
    }
    std::string error;
    if (!sim::numerics::encode_tensor_map(a, state().card->shared_per_sm, reinterpret_cast<std::byte*>(map), error))
      return report(CUDA_ERROR_INVALID_VALUE, "cuTensorMapEncodeTiled: " + error, false);
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuTensorMapReplaceAddress(CUtensorMap* map, void* address) {
  return call({.context = false, .healthy = false}, [&]() -> CUresult {
    const uint64_t value = reinterpret_cast<uint64_t>(address);
    if (map == nullptr || value % 16 != 0 || value >> 57 != 0) return CUDA_ERROR_INVALID_VALUE;
    map->opaque[0] = value;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

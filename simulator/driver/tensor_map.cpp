// cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col: the hardware's 128 bytes, checked against the rules that the real
// driver enforces; they want a current context, though the encoding needs none.
#include "numerics/tensor_map.hpp"

#include "driver/state.hpp"

using namespace sim::driver;
using sim::numerics::TensorMapArguments;
using sim::numerics::TensorMapMode;

namespace {

// What both functions are given: all but the shape of a box.
TensorMapArguments common(TensorMapMode mode, CUtensorMapDataType type, cuuint32_t rank, void* address,
                          const cuuint64_t* dims, const cuuint64_t* strides, const cuuint32_t* steps,
                          CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                          CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill) {
  TensorMapArguments a{.mode = mode,
                       .data_type = static_cast<uint32_t>(type),
                       .rank = rank,
                       .address = reinterpret_cast<uint64_t>(address),
                       .interleave = static_cast<uint32_t>(interleave),
                       .swizzle = static_cast<uint32_t>(swizzle),
                       .promotion = static_cast<uint32_t>(promotion),
                       .fill = static_cast<uint32_t>(fill)};
  for (uint32_t d = 0; d < rank && d < 5; ++d) {
    a.dims[d] = dims[d];
    a.steps[d] = steps[d];
    if (d + 1 < rank && d < 4) a.strides[d] = strides[d];
  }
  return a;
}

CUresult encode(const char* function, const TensorMapArguments& a, CUtensorMap* map) {
  std::string error;
  const sim::Card& card = *state().card;
  if (!sim::numerics::encode_tensor_map(a, {.shared_bytes = card.shared_per_sm, .cc_major = card.cc_major},
                                        reinterpret_cast<std::byte*>(map), error))
    return report(CUDA_ERROR_INVALID_VALUE, std::string(function) + ": " + error, false);
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                        const cuuint64_t* dims, const cuuint64_t* strides, const cuuint32_t* box,
                                        const cuuint32_t* steps, CUtensorMapInterleave interleave,
                                        CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                                        CUtensorMapFloatOOBfill fill) {
  return call({.context = true, .healthy = false}, [&]() -> CUresult {
    if (map == nullptr || dims == nullptr || box == nullptr || steps == nullptr || (rank > 1 && strides == nullptr))
      return CUDA_ERROR_INVALID_VALUE;
    TensorMapArguments a =
        common(TensorMapMode::kTiled, type, rank, address, dims, strides, steps, interleave, swizzle, promotion, fill);
    for (uint32_t d = 0; d < rank && d < 5; ++d) a.box[d] = box[d];
    return encode("cuTensorMapEncodeTiled", a, map);
  });
}

CUresult CUDAAPI cuTensorMapEncodeIm2col(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                         const cuuint64_t* dims, const cuuint64_t* strides, const int* lower,
                                         const int* upper, cuuint32_t channels, cuuint32_t pixels,
                                         const cuuint32_t* steps, CUtensorMapInterleave interleave,
                                         CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
                                         CUtensorMapFloatOOBfill fill) {
  return call({.context = true, .healthy = false}, [&]() -> CUresult {
    if (map == nullptr || dims == nullptr || strides == nullptr || lower == nullptr || upper == nullptr ||
        steps == nullptr)
      return CUDA_ERROR_INVALID_VALUE;
    TensorMapArguments a =
        common(TensorMapMode::kIm2col, type, rank, address, dims, strides, steps, interleave, swizzle, promotion, fill);
    for (uint32_t d = 0; d + 2 < rank && d < 3; ++d) {
      a.lower[d] = lower[d];
      a.upper[d] = upper[d];
    }
    a.channels = channels;
    a.pixels = pixels;
    return encode("cuTensorMapEncodeIm2col", a, map);
  });
}

CUresult CUDAAPI cuTensorMapEncodeIm2colWide(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*,
                                             const cuuint64_t*, int, int, cuuint32_t, cuuint32_t, const cuuint32_t*,
                                             CUtensorMapInterleave, CUtensorMapIm2ColWideMode, CUtensorMapSwizzle,
                                             CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  return call({.context = true, .healthy = false}, [&]() -> CUresult {
    return report(CUDA_ERROR_NOT_SUPPORTED,
                  "cuTensorMapEncodeIm2colWide: not simulated; how sm_100 and later encode these maps is not known",
                  false);
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

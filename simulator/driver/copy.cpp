// Copies and sets of memory: one to three dimensions, at once or in stream order. Every range that a call names as
// device memory must lie inside one live allocation; host memory is the caller's.
#include <cstring>
#include <utility>

#include "driver/graph.hpp"

namespace sim::driver {
namespace {

// One side of a copy, in bytes.
struct Side {
  CUdeviceptr base;
  size_t x, y, z, pitch, height;
  CUmemorytype type;
  CUdeviceptr at(size_t row, size_t slice) const { return base + ((z + slice) * height + y + row) * pitch + x; }
};
// A pitch of 0 is that of rows without a gap, a height of 0 that of slices without one.
void close_gaps(CUDA_MEMCPY3D& c) {
  if (c.srcPitch == 0) c.srcPitch = c.srcXInBytes + c.WidthInBytes;
  if (c.dstPitch == 0) c.dstPitch = c.dstXInBytes + c.WidthInBytes;
  if (c.srcHeight == 0) c.srcHeight = c.srcY + c.Height;
  if (c.dstHeight == 0) c.dstHeight = c.dstY + c.Height;
}
Side source(const CUDA_MEMCPY3D& c) {
  return {c.srcMemoryType == CU_MEMORYTYPE_HOST ? reinterpret_cast<CUdeviceptr>(c.srcHost) : c.srcDevice,
          c.srcXInBytes,
          c.srcY,
          c.srcZ,
          c.srcPitch,
          c.srcHeight,
          c.srcMemoryType};
}
Side destination(const CUDA_MEMCPY3D& c) {
  return {c.dstMemoryType == CU_MEMORYTYPE_HOST ? reinterpret_cast<CUdeviceptr>(c.dstHost) : c.dstDevice,
          c.dstXInBytes,
          c.dstY,
          c.dstZ,
          c.dstPitch,
          c.dstHeight,
          c.dstMemoryType};
}
// When work is made, memory counts that a node of a graph will allocate; when it runs, what is there.
enum class When { kMade, kRun };
bool is_memory(CUdeviceptr first, size_t bytes, When when) {
  return state().memory.find(first, bytes) || (when == When::kMade && is_graph_memory(first, bytes));
}
bool is_empty(const CUDA_MEMCPY3D& c) { return c.WidthInBytes == 0 || c.Height == 0 || c.Depth == 0; }

CUresult check_shape(const CUDA_MEMCPY3D& c, const Side& side) {
  if (is_empty(c)) return CUDA_SUCCESS;
  if (side.type < CU_MEMORYTYPE_HOST || side.type > CU_MEMORYTYPE_UNIFIED) return CUDA_ERROR_INVALID_VALUE;
  if (side.type == CU_MEMORYTYPE_ARRAY) return CUDA_ERROR_INVALID_VALUE;  // no array is made here that could be named
  if (side.base == 0) return CUDA_ERROR_INVALID_VALUE;
  if ((c.Height > 1 || c.Depth > 1) && side.pitch < side.x + c.WidthInBytes) return CUDA_ERROR_INVALID_VALUE;
  return c.Depth > 1 && side.height < side.y + c.Height ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult check_range(const CUDA_MEMCPY3D& c, const Side& side, const char* what, When when) {
  if (is_empty(c)) return CUDA_SUCCESS;
  const CUdeviceptr first = side.at(0, 0), end = side.at(c.Height - 1, c.Depth - 1) + c.WidthInBytes;
  if (side.type == CU_MEMORYTYPE_HOST || is_memory(first, end - first, when)) return CUDA_SUCCESS;
  if (side.type == CU_MEMORYTYPE_UNIFIED) {
    const auto found = state().memory.find(first, 1);
    if (!found || !found->is_owned) return CUDA_SUCCESS;  // host memory
  }
  return report(CUDA_ERROR_INVALID_VALUE,
                std::string("copy ") + what + " the device of " + std::to_string(end - first) +
                    " bytes: " + state().memory.describe(first, end - first),
                false);
}

CUresult check_fill(const CUDA_MEMSET_NODE_PARAMS& s, When when) {
  if (s.width == 0 || s.height == 0) return CUDA_SUCCESS;
  const size_t bytes = (s.height - 1) * s.pitch + s.width * s.elementSize;
  if (is_memory(s.dst, bytes, when)) return CUDA_SUCCESS;
  return report(CUDA_ERROR_INVALID_VALUE,
                "set of " + std::to_string(bytes) + " bytes: " + state().memory.describe(s.dst, bytes), false);
}

}  // namespace

CUresult make_copy(const CUDA_MEMCPY3D& shape, CopyWork& out) {
  CUDA_MEMCPY3D& c = out.shape = shape;
  close_gaps(c);
  for (const auto& [side, what] : {std::pair{destination(c), "to"}, std::pair{source(c), "from"}}) {
    if (const CUresult r = check_shape(c, side); r != CUDA_SUCCESS) return r;
    if (const CUresult r = check_range(c, side, what, When::kMade); r != CUDA_SUCCESS) return r;
  }
  return CUDA_SUCCESS;
}

CUresult run_copy(const CopyWork& work) {
  const CUDA_MEMCPY3D& c = work.shape;
  if (is_empty(c)) return CUDA_SUCCESS;
  const Side from = source(c), to = destination(c);
  if (const CUresult r = check_range(c, to, "to", When::kRun); r != CUDA_SUCCESS) return r;
  if (const CUresult r = check_range(c, from, "from", When::kRun); r != CUDA_SUCCESS) return r;
  for (size_t slice = 0; slice < c.Depth; ++slice)
    for (size_t row = 0; row < c.Height; ++row) {
      std::memmove(reinterpret_cast<void*>(to.at(row, slice)), reinterpret_cast<const void*>(from.at(row, slice)),
                   c.WidthInBytes);
      state().memory.note_write(to.at(row, slice), c.WidthInBytes);
    }
  return CUDA_SUCCESS;
}

CUresult make_fill(const CUDA_MEMSET_NODE_PARAMS& shape, FillWork& out) {
  const unsigned size = shape.elementSize;
  if ((size != 1 && size != 2 && size != 4) || shape.dst % size != 0) return CUDA_ERROR_INVALID_VALUE;
  if (shape.height > 1 && (shape.pitch % size != 0 || shape.pitch < shape.width * size))
    return CUDA_ERROR_INVALID_VALUE;
  out.shape = shape;
  return check_fill(shape, When::kMade);
}

CUresult run_fill(const FillWork& work) {
  const CUDA_MEMSET_NODE_PARAMS& s = work.shape;
  if (s.width == 0 || s.height == 0) return CUDA_SUCCESS;
  if (const CUresult r = check_fill(s, When::kRun); r != CUDA_SUCCESS) return r;
  const size_t row_bytes = s.width * s.elementSize;
  for (size_t row = 0; row < s.height; ++row) {
    auto* to = reinterpret_cast<std::byte*>(s.dst + row * s.pitch);
    state().memory.note_write(s.dst + row * s.pitch, row_bytes);
    if (s.elementSize == 1)
      std::memset(to, static_cast<int>(s.value), row_bytes);
    else
      for (size_t i = 0; i < row_bytes; i += s.elementSize) std::memcpy(to + i, &s.value, s.elementSize);
  }
  return CUDA_SUCCESS;
}

}  // namespace sim::driver

using namespace sim::driver;

namespace {

// How a call waits: in stream order, or until the host may go on. The latter cannot be captured.
struct Order {
  CUstream stream = nullptr;
  bool is_synchronous = false;
};
constexpr Order kNow{.is_synchronous = true};

CUresult submit(const Order& order, Work work) {
  CUstream_st* stream = find_stream(order.stream);
  if (order.is_synchronous && stream->capture != nullptr) {
    invalidate(*stream->capture);
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return sim::driver::submit(order.stream, std::move(work));
}

CUresult copy(const CUDA_MEMCPY3D* shape, const Order& order) {
  return call([&]() -> CUresult {
    CopyWork work;
    if (shape == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = make_copy(*shape, work); r != CUDA_SUCCESS) return r;
    return submit(order, work);
  });
}
CUresult copy(CUdeviceptr to, CUmemorytype to_type, CUdeviceptr from, CUmemorytype from_type, size_t bytes,
              const Order& order) {
  CUDA_MEMCPY3D c{};
  c.srcMemoryType = from_type;
  c.srcHost = reinterpret_cast<const void*>(from);
  c.srcDevice = from;
  c.dstMemoryType = to_type;
  c.dstHost = reinterpret_cast<void*>(to);
  c.dstDevice = to;
  c.WidthInBytes = bytes;
  c.Height = c.Depth = 1;
  return copy(&c, order);
}
CUresult copy(const CUDA_MEMCPY2D* c, const Order& order) {
  if (c == nullptr) return copy(static_cast<const CUDA_MEMCPY3D*>(nullptr), order);
  CUDA_MEMCPY3D full{};
  full.srcXInBytes = c->srcXInBytes;
  full.srcY = c->srcY;
  full.srcMemoryType = c->srcMemoryType;
  full.srcHost = c->srcHost;
  full.srcDevice = c->srcDevice;
  full.srcPitch = c->srcPitch;
  full.dstXInBytes = c->dstXInBytes;
  full.dstY = c->dstY;
  full.dstMemoryType = c->dstMemoryType;
  full.dstHost = c->dstHost;
  full.dstDevice = c->dstDevice;
  full.dstPitch = c->dstPitch;
  full.WidthInBytes = c->WidthInBytes;
  full.Height = c->Height;
  full.Depth = 1;
  return copy(&full, order);
}
// One card: a copy between peers is one between contexts that share its memory.
CUresult copy(const CUDA_MEMCPY3D_PEER* c, const Order& order) {
  if (c == nullptr) return copy(static_cast<const CUDA_MEMCPY3D*>(nullptr), order);
  CUDA_MEMCPY3D full{};
  full.srcXInBytes = c->srcXInBytes;
  full.srcY = c->srcY;
  full.srcZ = c->srcZ;
  full.srcMemoryType = c->srcMemoryType;
  full.srcHost = c->srcHost;
  full.srcDevice = c->srcDevice;
  full.srcPitch = c->srcPitch;
  full.srcHeight = c->srcHeight;
  full.dstXInBytes = c->dstXInBytes;
  full.dstY = c->dstY;
  full.dstZ = c->dstZ;
  full.dstMemoryType = c->dstMemoryType;
  full.dstHost = c->dstHost;
  full.dstDevice = c->dstDevice;
  full.dstPitch = c->dstPitch;
  full.dstHeight = c->dstHeight;
  full.WidthInBytes = c->WidthInBytes;
  full.Height = c->Height;
  full.Depth = c->Depth;
  return copy(&full, order);
}

CUdeviceptr address(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }
constexpr CUmemorytype kHost = CU_MEMORYTYPE_HOST, kDevice = CU_MEMORYTYPE_DEVICE, kEither = CU_MEMORYTYPE_UNIFIED;

CUresult fill(CUdeviceptr to, size_t pitch, unsigned value, unsigned element_bytes, size_t width, size_t height,
              CUstream stream) {
  return call([&]() -> CUresult {
    FillWork work;
    if (const CUresult r = make_fill({to, pitch, value, element_bytes, width, height}, work); r != CUDA_SUCCESS)
      return r;
    return submit({.stream = stream}, work);
  });
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  return copy(to, kDevice, address(from), kHost, bytes, {stream});
}
CUresult CUDAAPI cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy(address(to), kHost, from, kDevice, bytes, {stream});
}
CUresult CUDAAPI cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy(to, kDevice, from, kDevice, bytes, {stream});
}
CUresult CUDAAPI cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy(to, kEither, from, kEither, bytes, {stream});
}
CUresult CUDAAPI cuMemcpyPeerAsync(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t bytes,
                                   CUstream stream) {
  return copy(to, kDevice, from, kDevice, bytes, {stream});
}
CUresult CUDAAPI cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
  return copy(to, kDevice, address(from), kHost, bytes, kNow);
}
CUresult CUDAAPI cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
  return copy(address(to), kHost, from, kDevice, bytes, kNow);
}
CUresult CUDAAPI cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy(to, kDevice, from, kDevice, bytes, kNow);
}
CUresult CUDAAPI cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy(to, kEither, from, kEither, bytes, kNow);
}
CUresult CUDAAPI cuMemcpyPeer(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t bytes) {
  return copy(to, kDevice, from, kDevice, bytes, kNow);
}
CUresult CUDAAPI cuMemcpy2D_v2(const CUDA_MEMCPY2D* shape) { return copy(shape, kNow); }
CUresult CUDAAPI cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D* shape) { return copy(shape, kNow); }
CUresult CUDAAPI cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* shape, CUstream stream) { return copy(shape, {stream}); }
CUresult CUDAAPI cuMemcpy3D_v2(const CUDA_MEMCPY3D* shape) { return copy(shape, kNow); }
CUresult CUDAAPI cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D* shape, CUstream stream) { return copy(shape, {stream}); }
CUresult CUDAAPI cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER* shape) { return copy(shape, kNow); }
CUresult CUDAAPI cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER* shape, CUstream stream) { return copy(shape, {stream}); }

CUresult CUDAAPI cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  return fill(to, 0, value, 1, count, 1, stream);
}
CUresult CUDAAPI cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
  return fill(to, 0, value, 2, count, 1, stream);
}
CUresult CUDAAPI cuMemsetD32Async(CUdeviceptr to, unsigned int value, size_t count, CUstream stream) {
  return fill(to, 0, value, 4, count, 1, stream);
}
CUresult CUDAAPI cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height,
                                   CUstream stream) {
  return fill(to, pitch, value, 1, width, height, stream);
}
CUresult CUDAAPI cuMemsetD2D16Async(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height,
                                    CUstream stream) {
  return fill(to, pitch, value, 2, width, height, stream);
}
CUresult CUDAAPI cuMemsetD2D32Async(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height,
                                    CUstream stream) {
  return fill(to, pitch, value, 4, width, height, stream);
}
// Sets of device memory need not have finished when they return, so these too are work in stream order.
CUresult CUDAAPI cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  return fill(to, 0, value, 1, count, 1, nullptr);
}
CUresult CUDAAPI cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
  return fill(to, 0, value, 2, count, 1, nullptr);
}
CUresult CUDAAPI cuMemsetD32_v2(CUdeviceptr to, unsigned int value, size_t count) {
  return fill(to, 0, value, 4, count, 1, nullptr);
}
CUresult CUDAAPI cuMemsetD2D8_v2(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height) {
  return fill(to, pitch, value, 1, width, height, nullptr);
}
CUresult CUDAAPI cuMemsetD2D16_v2(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height) {
  return fill(to, pitch, value, 2, width, height, nullptr);
}
CUresult CUDAAPI cuMemsetD2D32_v2(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height) {
  return fill(to, pitch, value, 4, width, height, nullptr);
}

}  // extern "C"

// Allocation and registration of host memory. Device addresses are host addresses. An allocation costs the pages that
// are touched, however large it is: memory is reserved, and committed by the system page by page.
#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

void* host(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
CUdeviceptr device(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

constexpr unsigned kHostFlags = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
constexpr size_t kPitch = 512;

CUresult allocate_safely(CUdeviceptr* out, size_t bytes, const char* by, const Origin& origin = {}) {
  return call([&] {
    const CUresult r = check_capture_safe();
    return r == CUDA_SUCCESS ? allocate(out, bytes, by, origin) : r;
  });
}

}  // namespace

namespace sim::driver {

CUresult allocate(CUdeviceptr* out, size_t bytes, const char* by, const Origin& origin) {
  if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  State& s = state();
  if (bytes > s.card->memory_bytes - std::min(s.card->memory_bytes, s.memory.bytes_in_use()))
    return CUDA_ERROR_OUT_OF_MEMORY;
  *out = s.memory.allocate(bytes, by);
  if (*out == 0) return CUDA_ERROR_OUT_OF_MEMORY;
  if (origin.kind == Origin::Kind::kHost || origin.kind == Origin::Kind::kManaged)
    s.memory.note_write(*out, bytes);  // the host writes there unseen
  s.origins[*out] = origin;
  return CUDA_SUCCESS;
}

CUresult release(CUdeviceptr address) {
  if (address == 0) return CUDA_SUCCESS;
  State& s = state();
  const auto found = s.memory.find(address, 1);
  if (!s.memory.free(address)) return CUDA_ERROR_INVALID_VALUE;
  const auto origin = s.origins.find(address);
  if (origin->second.pool != nullptr) origin->second.pool->used -= found->bytes;
  s.origins.erase(origin);
  s.last_kernel_stream = nullptr;  // freeing waits for the card
  return CUDA_SUCCESS;
}

}  // namespace sim::driver

extern "C" {

CUresult CUDAAPI cuMemAlloc_v2(CUdeviceptr* out, size_t bytes) { return allocate_safely(out, bytes, "cuMemAlloc"); }
CUresult CUDAAPI cuMemFree_v2(CUdeviceptr address) {
  return call({.context = true, .healthy = false}, [&] {
    const CUresult r = check_capture_safe();
    return r == CUDA_SUCCESS ? release(address) : r;
  });
}
CUresult CUDAAPI cuMemAllocPitch_v2(CUdeviceptr* out, size_t* pitch, size_t width, size_t height, unsigned element) {
  if (pitch == nullptr || (element != 4 && element != 8 && element != 16)) return CUDA_ERROR_INVALID_VALUE;
  *pitch = (width + kPitch - 1) / kPitch * kPitch;
  return allocate_safely(out, *pitch * height, "cuMemAllocPitch");
}
CUresult CUDAAPI cuMemAllocManaged(CUdeviceptr* out, size_t bytes, unsigned int flags) {
  if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) return CUDA_ERROR_INVALID_VALUE;
  return allocate_safely(out, bytes, "cuMemAllocManaged", {Origin::Kind::kManaged, flags, nullptr});
}
CUresult CUDAAPI cuMemHostAlloc(void** out, size_t bytes, unsigned int flags) {
  if (out == nullptr || (flags & ~kHostFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  CUdeviceptr address = 0;
  const CUresult r = allocate_safely(&address, bytes, "cuMemHostAlloc", {Origin::Kind::kHost, flags, nullptr});
  *out = host(address);
  return r;
}
CUresult CUDAAPI cuMemAllocHost_v2(void** out, size_t bytes) { return cuMemHostAlloc(out, bytes, 0); }
CUresult CUDAAPI cuMemFreeHost(void* pointer) { return cuMemFree_v2(device(pointer)); }
CUresult CUDAAPI cuMemHostGetFlags(unsigned int* flags, void* pointer) {
  return call([&] {
    const auto found = state().memory.find(device(pointer), 1);
    if (flags == nullptr || !found) return CUDA_ERROR_INVALID_VALUE;
    const auto origin = state().origins.find(found->address);
    if (found->is_owned && (origin == state().origins.end() || origin->second.kind != Origin::Kind::kHost))
      return CUDA_ERROR_INVALID_VALUE;
    // With unified addresses all host memory of the driver is mapped.
    *flags = CU_MEMHOSTALLOC_DEVICEMAP | (found->is_owned ? origin->second.flags : 0);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  return call([&] {
    if (free_bytes == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
    State& s = state();
    *total = s.card->memory_bytes;
    *free_bytes = *total - std::min<uint64_t>(*total, s.memory.bytes_in_use());
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr address) {
  return call([&] {
    const auto found = state().memory.find(address, 1);
    if (!found) return CUDA_ERROR_NOT_FOUND;
    if (base != nullptr) *base = found->address;
    if (bytes != nullptr) *bytes = found->bytes;
    return CUDA_SUCCESS;
  });
}

// Plain host memory that kernels may touch from now on, in exactly this range: how CPU tensors are used in place.
CUresult CUDAAPI cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned int) {
  return call([&] {
    if (pointer == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    return state().memory.register_host(device(pointer), bytes, "registered host memory")
               ? CUDA_SUCCESS
               : CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
  });
}
CUresult CUDAAPI cuMemHostUnregister(void* pointer) {
  return call({.context = true, .healthy = false}, [&] {
    return state().memory.unregister_host(device(pointer)) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
  });
}
CUresult CUDAAPI cuMemHostGetDevicePointer_v2(CUdeviceptr* out, void* pointer, unsigned int) {
  return call([&] {
    if (out == nullptr || pointer == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = device(pointer);
    return CUDA_SUCCESS;
  });
}
// Where pages lie is not simulated: advice and prefetching are accepted for memory that exists.
CUresult CUDAAPI cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUmem_advise, CUmemLocation) {
  return call([&] { return state().memory.find(address, bytes) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; });
}
CUresult CUDAAPI cuMemPrefetchAsync_v2(CUdeviceptr address, size_t bytes, CUmemLocation, unsigned int flags,
                                       CUstream stream) {
  return call([&]() -> CUresult {
    if (flags != 0 || !state().memory.find(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
    return submit(stream, EmptyWork{});
  });
}

}  // extern "C"

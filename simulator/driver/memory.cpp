// Allocation and registration of host memory. Device addresses are host addresses. An allocation costs the pages that
// are touched, however large it is: memory is reserved, and committed by the system page by page.
#include <algorithm>
#include <initializer_list>

#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

void* host(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
CUdeviceptr device(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

constexpr unsigned kHostFlags = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
constexpr unsigned kRegisterFlags = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
                                    CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY;
constexpr size_t kPitch = 512;

const Origin* origin_of(const sim::Allocation& found) {
  const auto entry = state().origins.find(found.address);
  return entry != state().origins.end() ? &entry->second : nullptr;
}
using Kind = Origin::Kind;
// The memory of a kind that `address` lies in, nullptr: it lies in none.
const Origin* find_origin(CUdeviceptr address, size_t bytes, std::initializer_list<Kind> kinds) {
  const auto found = state().memory.find(address, bytes);
  const Origin* origin = found ? origin_of(*found) : nullptr;
  return origin != nullptr && std::find(kinds.begin(), kinds.end(), origin->kind) != kinds.end() ? origin : nullptr;
}

CUresult free_safely(CUdeviceptr address, bool is_host) {
  return call({.context = true, .healthy = false}, [&]() -> CUresult {
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
    if (address != 0 && (find_origin(address, 1, {Kind::kHost}) != nullptr) != is_host) return CUDA_ERROR_INVALID_VALUE;
    return release(address);
  });
}

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

CUresult release(CUdeviceptr address, Freed how) {
  if (address == 0) return CUDA_SUCCESS;
  State& s = state();
  const auto found = s.memory.find(address, 1);
  if (!s.memory.free(address)) return CUDA_ERROR_INVALID_VALUE;
  const auto origin = s.origins.find(address);
  // As an H100's driver has it, a pool goes on counting what cuMemFree took from it.
  CUmemoryPool pool = origin->second.pool;
  if (pool != nullptr && (how == Freed::kInStreamOrder || pool == &s.graph_pool)) pool->used -= found->bytes;
  s.origins.erase(origin);
  s.last_kernel_stream = nullptr;  // freeing waits for the card
  return CUDA_SUCCESS;
}

}  // namespace sim::driver

extern "C" {

CUresult CUDAAPI cuMemAlloc_v2(CUdeviceptr* out, size_t bytes) { return allocate_safely(out, bytes, "cuMemAlloc"); }
CUresult CUDAAPI cuMemFree_v2(CUdeviceptr address) { return free_safely(address, false); }
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
  *out = nullptr;
  if (bytes == 0) return call(check_capture_safe);
  const CUresult r = allocate_safely(&address, bytes, "cuMemHostAlloc", {Origin::Kind::kHost, flags, nullptr});
  *out = host(address);
  return r;
}
CUresult CUDAAPI cuMemAllocHost_v2(void** out, size_t bytes) { return cuMemHostAlloc(out, bytes, 0); }
CUresult CUDAAPI cuMemFreeHost(void* pointer) { return free_safely(device(pointer), true); }
CUresult CUDAAPI cuMemHostGetFlags(unsigned int* flags, void* pointer) {
  return call([&] {
    const Origin* origin = find_origin(device(pointer), 1, {Kind::kHost, Kind::kRegistered});
    if (flags == nullptr || origin == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = CU_MEMHOSTALLOC_DEVICEMAP | origin->flags;  // with unified addresses all of it is mapped
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  return call([&] {
    const uint64_t all = state().card->memory_bytes;
    if (total != nullptr) *total = all;
    if (free_bytes != nullptr) *free_bytes = all - std::min<uint64_t>(all, state().memory.bytes_in_use());
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
CUresult CUDAAPI cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned int flags) {
  return call([&]() -> CUresult {
    if (pointer == nullptr || bytes == 0 || (flags & ~kRegisterFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
    if (!state().memory.register_host(device(pointer), bytes, "registered host memory"))
      return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    state().origins[device(pointer)] = {Kind::kRegistered, flags & CU_MEMHOSTREGISTER_PORTABLE, nullptr};
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemHostUnregister(void* pointer) {
  return call({.context = true, .healthy = false}, [&]() -> CUresult {
    if (pointer == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
    const auto found = state().memory.find(device(pointer), 1);
    if (!found) return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
    if (find_origin(device(pointer), 1, {Kind::kRegistered}) == nullptr || found->address != device(pointer))
      return CUDA_ERROR_INVALID_VALUE;
    state().origins.erase(found->address);
    state().memory.unregister_host(found->address);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemHostGetDevicePointer_v2(CUdeviceptr* out, void* pointer, unsigned int flags) {
  return call([&] {
    const auto* origin = find_origin(device(pointer), 1, {Kind::kHost, Kind::kRegistered});
    if (out == nullptr || origin == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    *out = device(pointer);
    return CUDA_SUCCESS;
  });
}
// Where pages lie is not simulated: advice and prefetching are accepted for memory that has a choice.
CUresult CUDAAPI cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUmemLocation) {
  return call([&] {
    if (advice < CU_MEM_ADVISE_SET_READ_MOSTLY || advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY)
      return CUDA_ERROR_INVALID_VALUE;
    return find_origin(address, bytes, {Kind::kManaged}) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}
CUresult CUDAAPI cuMemPrefetchAsync_v2(CUdeviceptr address, size_t bytes, CUmemLocation, unsigned int flags,
                                       CUstream handle) {
  return call([&]() -> CUresult {
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (const CUresult r = check_not_captured(*stream); r != CUDA_SUCCESS) return r;
    if (flags != 0 || find_origin(address, bytes, {Kind::kManaged}) == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return submit(handle, EmptyWork{});
  });
}

}  // extern "C"

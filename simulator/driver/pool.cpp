// Stream-ordered allocation and memory pools. Work runs when it is submitted, so memory is there and gone at once;
// pools keep books, not memory.
#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

CUresult on_pool(CUmemoryPool pool, const std::function<CUresult(CUmemPoolHandle_st&)>& body) {
  return call({.context = false},
              [&] { return pool == &state().default_pool || is_live(pool) ? body(*pool) : CUDA_ERROR_INVALID_VALUE; });
}
CUresult on_device(CUdevice device, const std::function<CUresult()>& body) {
  return call({.context = false}, [&] { return device == 0 ? body() : CUDA_ERROR_INVALID_DEVICE; });
}

// In a graph, allocations would be nodes of their own, which are not simulated.
CUresult check_stream(CUstream handle) {
  const CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture == nullptr) return submit(handle, EmptyWork{});
  invalidate(*stream->capture);
  return report(CUDA_ERROR_NOT_SUPPORTED, "memory nodes of graphs are not simulated: allocate before the capture",
                false);
}

CUresult allocate_from(CUdeviceptr* out, size_t bytes, CUmemoryPool pool, CUstream stream) {
  if (const CUresult r = check_stream(stream); r != CUDA_SUCCESS) return r;
  const CUresult r = allocate(out, bytes, "cuMemAllocAsync", {Origin::Kind::kPool, 0, pool});
  if (r != CUDA_SUCCESS) return r;
  pool->used += bytes;
  pool->used_high = std::max(pool->used_high, pool->used);
  return CUDA_SUCCESS;
}

struct Attribute {
  int* policy = nullptr;
  uint64_t* number = nullptr;
  bool is_writable = false, resets_only = false;
};
Attribute find_attribute(CUmemPoolHandle_st& pool, CUmemPool_attribute which) {
  switch (which) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      return {.policy = &pool.reuse_policies[which - CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES],
              .is_writable = true};
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
      return {.number = &pool.release_threshold, .is_writable = true};
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
      return {.number = &pool.used};
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      return {.number = &pool.used_high, .is_writable = true, .resets_only = true};
    default:
      return {};
  }
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuMemAllocAsync(CUdeviceptr* out, size_t bytes, CUstream stream) {
  return call([&] { return allocate_from(out, bytes, state().current_pool, stream); });
}
CUresult CUDAAPI cuMemAllocFromPoolAsync(CUdeviceptr* out, size_t bytes, CUmemoryPool pool, CUstream stream) {
  return on_pool(pool, [&](CUmemPoolHandle_st& p) { return allocate_from(out, bytes, &p, stream); });
}
CUresult CUDAAPI cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return call([&]() -> CUresult {
    if (const CUresult r = check_stream(stream); r != CUDA_SUCCESS) return r;
    const auto found = state().memory.find(address, 1);
    const auto origin = state().origins.find(address);
    const CUmemoryPool pool = origin != state().origins.end() ? origin->second.pool : nullptr;
    if (const CUresult r = address != 0 ? release(address) : CUDA_ERROR_INVALID_VALUE; r != CUDA_SUCCESS) return r;
    if (pool == &state().default_pool || is_live(pool)) pool->used -= found->bytes;
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuMemPoolCreate(CUmemoryPool* out, const CUmemPoolProps* props) {
  return call({.context = false}, [&] {
    if (out == nullptr || props == nullptr || props->allocType != CU_MEM_ALLOCATION_TYPE_PINNED)
      return CUDA_ERROR_INVALID_VALUE;
    if (props->location.type != CU_MEM_LOCATION_TYPE_DEVICE || props->location.id != 0) return CUDA_ERROR_INVALID_VALUE;
    *out = new CUmemPoolHandle_st;
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolDestroy(CUmemoryPool pool) {
  return on_pool(pool, [](CUmemPoolHandle_st& p) {
    State& s = state();
    if (&p == &s.default_pool) return CUDA_ERROR_INVALID_VALUE;
    if (s.current_pool == &p) s.current_pool = &s.default_pool;
    s.live.erase(&p);
    delete &p;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute which, void* value) {
  return on_pool(pool, [&](CUmemPoolHandle_st& p) {
    const Attribute a = find_attribute(p, which);
    if (value == nullptr || (a.policy == nullptr && a.number == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    if (a.policy != nullptr) *static_cast<int*>(value) = *a.policy;
    if (a.number != nullptr) *static_cast<cuuint64_t*>(value) = *a.number;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute which, void* value) {
  return on_pool(pool, [&](CUmemPoolHandle_st& p) {
    const Attribute a = find_attribute(p, which);
    if (value == nullptr || !a.is_writable) return CUDA_ERROR_INVALID_VALUE;
    if (a.resets_only && *static_cast<const cuuint64_t*>(value) != 0) return CUDA_ERROR_INVALID_VALUE;
    if (a.policy != nullptr) *a.policy = *static_cast<const int*>(value);
    if (a.number != nullptr) *a.number = a.resets_only ? p.used : *static_cast<const cuuint64_t*>(value);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolTrimTo(CUmemoryPool pool, size_t) {
  return on_pool(pool, [](CUmemPoolHandle_st&) { return CUDA_SUCCESS; });
}
CUresult CUDAAPI cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc* access, size_t count) {
  return on_pool(pool, [&](CUmemPoolHandle_st&) {
    if (count != 0 && access == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i)  // the card's own access cannot be taken away
      if (access[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE) return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolGetAccess(CUmemAccess_flags* flags, CUmemoryPool pool, CUmemLocation* location) {
  return on_pool(pool, [&](CUmemPoolHandle_st&) {
    if (flags == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDeviceGetDefaultMemPool(CUmemoryPool* out, CUdevice device) {
  return on_device(device, [&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = &state().default_pool;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDeviceGetMemPool(CUmemoryPool* out, CUdevice device) {
  return on_device(device, [&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = state().current_pool;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool) {
  return on_device(device, [&] {
    if (pool != &state().default_pool && !is_live(pool)) return CUDA_ERROR_INVALID_VALUE;
    state().current_pool = pool;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

// Stream-ordered allocation and memory pools. Work runs when it is submitted, so memory is there and gone at once;
// pools keep books, not memory. While a stream is captured, graph_memory.cpp makes nodes of its allocations.
#include <algorithm>

#include "driver/graph.hpp"

using namespace sim::driver;

namespace sim::driver {
namespace {

// A pool takes memory from the card, and gives it back, in blocks of 32 MiB.
constexpr uint64_t kBlock = 32 << 20;
uint64_t whole_blocks(uint64_t bytes) { return bytes / kBlock * kBlock + (bytes % kBlock != 0 ? kBlock : 0); }

}  // namespace

void trim(CUmemPoolHandle_st& pool, uint64_t least) {
  pool.reserved = std::max(whole_blocks(pool.used), least < pool.reserved ? whole_blocks(least) : pool.reserved);
}

}  // namespace sim::driver

namespace {

CUresult on_pool(CUmemoryPool pool, const std::function<CUresult(CUmemPoolHandle_st&)>& body) {
  return call({.context = false},
              [&] { return state().pools.contains(pool) ? body(*pool) : CUDA_ERROR_INVALID_VALUE; });
}
CUresult on_device(CUdevice device, const std::function<CUresult()>& body) {
  return call({.context = false}, [&] { return device == 0 ? body() : CUDA_ERROR_INVALID_DEVICE; });
}

bool is_the_card(const CUmemLocation& location) {
  return location.type == CU_MEM_LOCATION_TYPE_DEVICE && location.id == 0;
}
CUresult at_location(const CUmemLocation* location, CUmemAllocationType type, const std::function<CUresult()>& body) {
  return call({.context = false}, [&]() -> CUresult {
    if (location == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!is_the_card(*location) || type != CU_MEM_ALLOCATION_TYPE_PINNED)
      return report(CUDA_ERROR_NOT_SUPPORTED, "pools of host and of managed memory are not simulated", false);
    return body();
  });
}
CUresult put(CUmemoryPool* out, CUmemoryPool pool) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = pool;
  return CUDA_SUCCESS;
}
CUresult set_current(CUmemoryPool pool) {
  if (!state().pools.contains(pool)) return CUDA_ERROR_INVALID_VALUE;
  state().current_pool = pool;
  return CUDA_SUCCESS;
}
constexpr unsigned kHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR | CU_MEM_HANDLE_TYPE_WIN32 |
                                  CU_MEM_HANDLE_TYPE_WIN32_KMT | CU_MEM_HANDLE_TYPE_FABRIC;

// `captured` is the stream where it is being captured: allocations are nodes of the graph then.
CUresult enter(CUstream handle, CUstream_st*& captured) {
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture == nullptr) {
    const CUresult r = check_capture_safe();
    return r == CUDA_SUCCESS ? submit(handle, EmptyWork{}) : r;
  }
  captured = stream;
  return CUDA_SUCCESS;
}

CUresult allocate_from(CUdeviceptr* out, size_t bytes, CUmemoryPool pool, CUstream stream) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = 0;
  CUstream_st* captured = nullptr;
  if (const CUresult r = enter(stream, captured); r != CUDA_SUCCESS) return r;
  if (bytes == 0) return CUDA_SUCCESS;
  if (captured != nullptr) return capture_allocation(*captured, bytes, out);
  if (pool->most != 0 && bytes > pool->most - std::min(pool->most, pool->used)) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult r = allocate(out, bytes, "cuMemAllocAsync", {Origin::Kind::kPool, 0, pool});
  if (r == CUDA_SUCCESS) note_allocated(*pool, bytes);
  return r;
}

struct Attribute {
  int* policy = nullptr;
  uint64_t* number = nullptr;
  bool is_writable = false;
  const uint64_t* resets_to = nullptr;  // a high mark: it can be set to 0 only, which makes it what is there now
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
      return {.number = &pool.reserved};
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
      return {.number = &pool.used};
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
      return {.number = &pool.reserved_high, .is_writable = true, .resets_to = &pool.reserved};
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      return {.number = &pool.used_high, .is_writable = true, .resets_to = &pool.used};
    default:
      return {};
  }
}

}  // namespace

namespace sim::driver {

void note_allocated(CUmemPoolHandle_st& pool, uint64_t bytes) {
  pool.used += bytes;
  pool.reserved = std::max(pool.reserved, whole_blocks(pool.used));
  pool.used_high = std::max(pool.used_high, pool.used);
  pool.reserved_high = std::max(pool.reserved_high, pool.reserved);
}

void trim_pools() {
  for (CUmemoryPool pool : state().pools) trim(*pool, pool->release_threshold);
}

}  // namespace sim::driver

extern "C" {

CUresult CUDAAPI cuMemAllocAsync(CUdeviceptr* out, size_t bytes, CUstream stream) {
  return call([&] { return allocate_from(out, bytes, state().current_pool, stream); });
}
CUresult CUDAAPI cuMemAllocFromPoolAsync(CUdeviceptr* out, size_t bytes, CUmemoryPool pool, CUstream stream) {
  return on_pool(pool, [&](CUmemPoolHandle_st& p) { return allocate_from(out, bytes, &p, stream); });
}
CUresult CUDAAPI cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return call([&]() -> CUresult {
    if (address == 0) return CUDA_SUCCESS;
    CUstream_st* captured = nullptr;
    if (const CUresult r = enter(stream, captured); r != CUDA_SUCCESS) return r;
    return captured != nullptr ? capture_free(*captured, address) : release(address, Freed::kInStreamOrder);
  });
}

CUresult CUDAAPI cuMemPoolCreate(CUmemoryPool* out, const CUmemPoolProps* props) {
  return call({.context = false}, [&] {
    if (out == nullptr || props == nullptr || props->allocType != CU_MEM_ALLOCATION_TYPE_PINNED)
      return CUDA_ERROR_INVALID_VALUE;
    const auto& reserved = props->reserved;
    const bool has_unknown = std::any_of(std::begin(reserved), std::end(reserved), [](auto byte) { return byte != 0; });
    if (!is_the_card(props->location) || has_unknown || (props->handleTypes & ~kHandleTypes) != 0)
      return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
    if (props->handleTypes != CU_MEM_HANDLE_TYPE_NONE)
      return report(CUDA_ERROR_NOT_SUPPORTED, "pools that other processes share are not simulated", false);
    *out = new CUmemPoolHandle_st{.most = whole_blocks(props->maxSize)};
    state().live.insert(*out);
    state().pools.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolDestroy(CUmemoryPool pool) {
  return on_pool(pool, [](CUmemPoolHandle_st& p) {
    State& s = state();
    if (&p == &s.default_pool) return CUDA_ERROR_INVALID_VALUE;
    if (s.current_pool == &p) s.current_pool = &s.default_pool;
    for (auto& [address, origin] : s.origins)  // what is still allocated outlives its pool
      if (origin.pool == &p) origin.pool = nullptr;
    s.live.erase(&p);
    s.pools.erase(&p);
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
    if (a.resets_to != nullptr && *static_cast<const cuuint64_t*>(value) != 0) return CUDA_ERROR_INVALID_VALUE;
    if (a.policy != nullptr) *a.policy = *static_cast<const int*>(value) != 0;
    if (a.number != nullptr) *a.number = a.resets_to != nullptr ? *a.resets_to : *static_cast<const cuuint64_t*>(value);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolTrimTo(CUmemoryPool pool, size_t least) {
  return on_pool(pool, [&](CUmemPoolHandle_st& p) {
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
    trim(p, least);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc* access, size_t count) {
  return on_pool(pool, [&](CUmemPoolHandle_st&) {
    if (count == 0 || access == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i) {
      if (!is_the_card(access[i].location)) return CUDA_ERROR_INVALID_DEVICE;
      // The card's own access cannot be taken away.
      if (access[i].flags == CU_MEM_ACCESS_FLAGS_PROT_NONE) return CUDA_ERROR_INVALID_DEVICE;
      if (access[i].flags == CU_MEM_ACCESS_FLAGS_PROT_READ) return CUDA_ERROR_NOT_SUPPORTED;
      if (access[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE) return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemPoolGetAccess(CUmemAccess_flags* flags, CUmemoryPool pool, CUmemLocation* location) {
  return on_pool(pool, [&](CUmemPoolHandle_st&) {
    if (flags == nullptr || location == nullptr || !is_the_card(*location)) return CUDA_ERROR_INVALID_VALUE;
    *flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDeviceGetDefaultMemPool(CUmemoryPool* out, CUdevice device) {
  return on_device(device, [&] { return put(out, &state().default_pool); });
}
CUresult CUDAAPI cuDeviceGetMemPool(CUmemoryPool* out, CUdevice device) {
  return on_device(device, [&] { return put(out, state().current_pool); });
}
CUresult CUDAAPI cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool) {
  return on_device(device, [&] { return set_current(pool); });
}
CUresult CUDAAPI cuMemGetDefaultMemPool(CUmemoryPool* out, CUmemLocation* location, CUmemAllocationType type) {
  return at_location(location, type, [&] { return put(out, &state().default_pool); });
}
CUresult CUDAAPI cuMemGetMemPool(CUmemoryPool* out, CUmemLocation* location, CUmemAllocationType type) {
  return at_location(location, type, [&] { return put(out, state().current_pool); });
}
CUresult CUDAAPI cuMemSetMemPool(CUmemLocation* location, CUmemAllocationType type, CUmemoryPool pool) {
  return at_location(location, type, [&] { return set_current(pool); });
}

}  // extern "C"

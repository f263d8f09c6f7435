// Contexts: the primary one and those that programs create. All share the one card's memory.
#include <algorithm>

#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

// Clears what belongs to the context's life: the sticky error. Memory and modules live on until they are freed, so a
// reset after a fault lets a test go on.
void reset() { state().sticky_error = CUDA_SUCCESS; }

// The depth of grids that wait for grids went with compute capability 9.0; graphics' limits belong to other contexts.
bool has_limit(CUlimit limit) {
  return limit == CU_LIMIT_STACK_SIZE || limit == CU_LIMIT_PRINTF_FIFO_SIZE || limit == CU_LIMIT_MALLOC_HEAP_SIZE ||
         limit == CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT || limit == CU_LIMIT_MAX_L2_FETCH_GRANULARITY ||
         limit == CU_LIMIT_PERSISTING_L2_CACHE_SIZE;
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext* out, CUdevice device) {
  return call({.context = false, .healthy = false}, [&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    State& s = state();
    ++s.primary_references;
    s.live.insert(&s.primary);
    *out = &s.primary;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return call({.context = false, .healthy = false}, [&] {
    State& s = state();
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    if (s.primary_references == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (--s.primary_references == 0) reset();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDevicePrimaryCtxReset_v2(CUdevice device) {
  return call({.context = false, .healthy = false}, [&] {
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    reset();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDevicePrimaryCtxGetState(CUdevice device, unsigned int* flags, int* active) {
  return call({.context = false, .healthy = false}, [&] {
    if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    *flags = state().primary.flags;
    *active = state().primary_references > 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned int flags) {
  return call({.context = false, .healthy = false}, [&] {
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    state().primary.flags = flags;
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuCtxCreate_v4(CUcontext* out, CUctxCreateParams*, unsigned int flags, CUdevice device) {
  return call({.context = false, .healthy = false}, [&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    auto context = std::make_unique<CUctx_st>(CUctx_st{.flags = flags});
    *out = context.get();
    state().live.insert(context.get());
    context_stack().push_back(context.get());
    state().contexts.insert(std::move(context));
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxDestroy_v2(CUcontext context) {
  return call({.context = false, .healthy = false}, [&] {
    State& s = state();
    if (!is_live(context) || context->is_primary) return CUDA_ERROR_INVALID_CONTEXT;
    std::erase(context_stack(), context);
    s.live.erase(context);
    std::erase_if(s.contexts, [&](const auto& c) { return c.get() == context; });
    reset();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxGetCurrent(CUcontext* out) {
  return call({.context = false, .healthy = false}, [&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = current_context();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxSetCurrent(CUcontext context) {
  return call({.context = false, .healthy = false}, [&] {
    if (context != nullptr && !is_live(context)) return CUDA_ERROR_INVALID_CONTEXT;
    auto& stack = context_stack();
    if (!stack.empty()) stack.pop_back();
    if (context != nullptr) stack.push_back(context);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxPushCurrent_v2(CUcontext context) {
  return call({.context = false, .healthy = false}, [&] {
    if (!is_live(context)) return CUDA_ERROR_INVALID_CONTEXT;
    context_stack().push_back(context);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxPopCurrent_v2(CUcontext* out) {
  return call({.context = true, .healthy = false}, [&] {
    if (out != nullptr) *out = current_context();
    context_stack().pop_back();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxGetDevice(CUdevice* device) {
  return call({.context = true, .healthy = false}, [&] {
    if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *device = 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxGetFlags(unsigned int* flags) {
  return call([&] {
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = current_context()->flags;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxGetApiVersion(CUcontext, unsigned int* version) {
  return call([&] {
    if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *version = 3020;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  return call([&] {
    if (least != nullptr) *least = 0;
    if (greatest != nullptr) *greatest = -5;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxGetLimit(size_t* value, CUlimit limit) {
  return call([&] {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!has_limit(limit)) return CUDA_ERROR_UNSUPPORTED_LIMIT;
    *value = current_context()->limits[limit];
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxSetLimit(CUlimit limit, size_t value) {
  return call([&] {
    if (!has_limit(limit)) return CUDA_ERROR_UNSUPPORTED_LIMIT;
    if (limit == CU_LIMIT_MAX_L2_FETCH_GRANULARITY) value = std::min<size_t>(value, 128);
    if (limit == CU_LIMIT_PERSISTING_L2_CACHE_SIZE) value = std::min<size_t>(value, state().card->l2_bytes);
    current_context()->limits[limit] = value;
    return CUDA_SUCCESS;
  });
}
// A preference between shared memory and L1, which change no result; so does what the L2 keeps.
CUresult CUDAAPI cuCtxGetCacheConfig(CUfunc_cache* config) {
  return call([&] {
    if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *config = current_context()->cache_config;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxSetCacheConfig(CUfunc_cache config) {
  return call([&] {
    if (config < CU_FUNC_CACHE_PREFER_NONE || config > CU_FUNC_CACHE_PREFER_EQUAL) return CUDA_ERROR_INVALID_VALUE;
    current_context()->cache_config = config;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxResetPersistingL2Cache() {
  return call([] { return CUDA_SUCCESS; });
}
CUresult CUDAAPI cuCtxSynchronize() {
  return call([] {
    state().last_kernel_stream = nullptr;
    trim_pools();
    return check_no_capture();
  });
}

}  // extern "C"

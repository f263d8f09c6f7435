// Contexts: the primary one and those that programs create. All share the one card's memory.
#include <algorithm>

#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

// Clears what belongs to the context's life: the sticky error. Memory and modules live on until they are freed, so a
// reset after a fault lets a test go on.
void reset() { state().sticky_error = CUDA_SUCCESS; }

// What a context may say of a limit. The depth of grids that wait for grids went with compute capability 9.0; graphics'
// limits are told and cannot be set.
struct Limit {
  bool is_there = false, is_writable = true;
  size_t first = 0, least = 0, most = SIZE_MAX;
  bool is_clamped = true;  // a value above `most`; else it is refused
  size_t step = 1;
};
Limit find_limit(CUlimit limit) {
  const sim::Card& card = *state().card;
  const size_t l2_way = card.l2_bytes / 16;  // what is set aside for persisting lines is whole ways
  switch (limit) {
    case CU_LIMIT_STACK_SIZE:
      return {.is_there = true, .first = 1024, .most = 512 << 10, .is_clamped = false, .step = 16};
    case CU_LIMIT_PRINTF_FIFO_SIZE:
      return {.is_there = true, .first = 8650752, .least = 512 << 10, .most = size_t{2} << 30};
    case CU_LIMIT_MALLOC_HEAP_SIZE:
      return {.is_there = true, .first = 8 << 20, .least = 4 << 20, .most = card.memory_bytes / 4};
    case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
      return {.is_there = true, .first = 2048, .least = 32, .most = 599186};
    case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
      return {.is_there = true, .first = 64, .most = 128, .is_clamped = false};
    case CU_LIMIT_PERSISTING_L2_CACHE_SIZE:
      return {.is_there = true, .first = 3 * l2_way, .most = 10 * l2_way, .is_clamped = false, .step = l2_way};
    case CU_LIMIT_SHMEM_SIZE:
      return {.is_there = true, .is_writable = false, .first = card.shared_per_block_optin};
    case CU_LIMIT_CIG_ENABLED:
      return {.is_there = true, .is_writable = false};
    default:
      return {};
  }
}
CUresult check_limit(CUlimit limit) {
  if (limit < CU_LIMIT_STACK_SIZE || limit >= CU_LIMIT_MAX) return CUDA_ERROR_INVALID_VALUE;
  return find_limit(limit).is_there ? CUDA_SUCCESS : CUDA_ERROR_UNSUPPORTED_LIMIT;
}

// One way to wait, and what else a context may be asked for.
bool are_flags(unsigned flags, unsigned others) {
  const unsigned waits = flags & CU_CTX_SCHED_MASK;
  return (waits == 0 || (waits & (waits - 1)) == 0) && (flags & ~(CU_CTX_SCHED_MASK | others)) == 0;
}
constexpr unsigned kPrimaryFlags =
    CU_CTX_LMEM_RESIZE_TO_MAX | CU_CTX_COREDUMP_ENABLE | CU_CTX_USER_COREDUMP_ENABLE | CU_CTX_SYNC_MEMOPS;

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
    if (!are_flags(flags, kPrimaryFlags)) return CUDA_ERROR_INVALID_VALUE;
    state().primary.flags = flags;
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuCtxCreate_v4(CUcontext* out, CUctxCreateParams*, unsigned int flags, CUdevice device) {
  return call({.context = false, .healthy = false}, [&] {
    if (out == nullptr || !are_flags(flags, kPrimaryFlags | CU_CTX_MAP_HOST)) return CUDA_ERROR_INVALID_VALUE;
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    auto context = std::make_unique<CUctx_st>(CUctx_st{.flags = flags, .limits = {}});
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
    if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
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
    if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
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
    *flags = current_context()->flags | CU_CTX_MAP_HOST;  // always, with unified addresses
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
  return call([&]() -> CUresult {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = check_limit(limit); r != CUDA_SUCCESS) return r;
    const auto& set = current_context()->limits;
    const auto found = set.find(limit);
    *value = found != set.end() ? found->second : find_limit(limit).first;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuCtxSetLimit(CUlimit limit, size_t value) {
  return call([&]() -> CUresult {
    if (const CUresult r = check_limit(limit); r != CUDA_SUCCESS) return r;
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
    const Limit known = find_limit(limit);
    if (!known.is_writable) return CUDA_ERROR_NOT_PERMITTED;
    if (value > known.most && !known.is_clamped) return CUDA_ERROR_INVALID_VALUE;
    const size_t wanted = std::clamp(value, known.least, known.most);
    current_context()->limits[limit] = (wanted + known.step - 1) / known.step * known.step;
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

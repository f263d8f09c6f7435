// Streams. Work runs when it is submitted (work.hpp), so a stream is idle whenever the host looks at it.
#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

CUresult on_stream(CUstream handle, const std::function<CUresult(CUstream_st&)>& body) {
  return call([&] {
    CUstream_st* stream = find_stream(handle);
    return stream != nullptr ? body(*stream) : CUDA_ERROR_INVALID_HANDLE;
  });
}

// A captured stream has nothing that one could wait for; the legacy one would wait for captured streams too.
CUresult reach_end(CUstream_st& stream) {
  if (const CUresult r = check_not_captured(stream); r != CUDA_SUCCESS) return r;
  state().last_kernel_stream = nullptr;
  trim_pools();
  return stream.is_legacy ? submit(&stream, EmptyWork{}) : CUDA_SUCCESS;
}

CUresult look(CUstream_st& stream) {
  if (stream.capture == nullptr && !stream.is_legacy)
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
  return reach_end(stream);
}

bool is_attribute(CUstreamAttrID which) {
  return which == CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW || which == CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY ||
         which == CU_LAUNCH_ATTRIBUTE_PRIORITY || which == CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP ||
         which == CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN;
}

template <class T>
CUresult get(CUstream handle, T* out, T CUstream_st::* member) {
  return on_stream(handle, [&](CUstream_st& stream) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = stream.*member;
    return CUDA_SUCCESS;
  });
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuStreamCreateWithPriority(CUstream* out, unsigned int flags, int priority) {
  return call([&] {
    if (out == nullptr || flags > CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
    *out = new CUstream_st{.flags = flags, .priority = std::clamp(priority, -5, 0), .id = state().next_id++};
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamCreate(CUstream* out, unsigned int flags) { return cuStreamCreateWithPriority(out, flags, 0); }
CUresult CUDAAPI cuStreamDestroy_v2(CUstream stream) {
  return call({.context = true, .healthy = false}, [&] {
    if (!is_live(stream)) return CUDA_ERROR_INVALID_HANDLE;
    leave_capture(*stream);
    state().live.erase(stream);
    delete stream;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamSynchronize(CUstream stream) { return on_stream(stream, look); }
CUresult CUDAAPI cuStreamQuery(CUstream stream) { return on_stream(stream, look); }
CUresult CUDAAPI cuStreamGetCtx(CUstream stream, CUcontext* out) {
  return on_stream(stream, [&](CUstream_st&) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = current_context();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamGetDevice(CUstream stream, CUdevice* out) {
  return on_stream(stream, [&](CUstream_st&) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = 0;
    return CUDA_SUCCESS;
  });
}
// Unlike its other properties, a stream's flags are not told while it is captured.
CUresult CUDAAPI cuStreamGetFlags(CUstream stream, unsigned int* flags) {
  return on_stream(stream, [&](CUstream_st& s) {
    const CUresult r = check_not_captured(s);
    return r == CUDA_SUCCESS ? get(stream, flags, &CUstream_st::flags) : r;
  });
}
CUresult CUDAAPI cuStreamGetPriority(CUstream stream, int* priority) {
  return get(stream, priority, &CUstream_st::priority);
}
CUresult CUDAAPI cuStreamGetId(CUstream stream, unsigned long long* id) { return get(stream, id, &CUstream_st::id); }

// Of a stream's attributes only its priority is kept: the others steer caches, waiting and memory domains, which change
// no result.
CUresult CUDAAPI cuStreamGetAttribute(CUstream stream, CUstreamAttrID which, CUstreamAttrValue* value) {
  return on_stream(stream, [&](CUstream_st& s) {
    if (value == nullptr || !is_attribute(which)) return CUDA_ERROR_INVALID_VALUE;
    *value = {};
    if (which == CU_LAUNCH_ATTRIBUTE_PRIORITY) value->priority = s.priority;
    if (which == CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY) value->syncPolicy = CU_SYNC_POLICY_AUTO;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamSetAttribute(CUstream stream, CUstreamAttrID which, const CUstreamAttrValue* value) {
  return on_stream(stream, [&](CUstream_st& s) {
    if (value == nullptr || !is_attribute(which)) return CUDA_ERROR_INVALID_VALUE;
    if (which == CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY && value->syncPolicy > CU_SYNC_POLICY_BLOCKING_SYNC)
      return CUDA_ERROR_INVALID_VALUE;
    if (which == CU_LAUNCH_ATTRIBUTE_PRIORITY) s.priority = std::clamp(value->priority, -5, 0);
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuStreamCopyAttributes(CUstream to, CUstream from) {
  return on_stream(from, [&](CUstream_st& source) {
    CUstream_st* stream = find_stream(to);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    stream->priority = source.priority;
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuLaunchHostFunc(CUstream stream, CUhostFn function, void* data) {
  return call([&]() -> CUresult {
    if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return submit(stream, HostWork{{function, data}});
  });
}
CUresult CUDAAPI cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void* data, unsigned int flags) {
  return on_stream(handle, [&](CUstream_st& stream) -> CUresult {
    if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = reach_end(stream); r != CUDA_SUCCESS) return r;
    const HostFunction scope;
    callback(handle, CUDA_SUCCESS, data);
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

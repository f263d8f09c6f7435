// Streams and events. Work runs when it is submitted (state.hpp), so waits are satisfied when they are made.
#include "driver/state.hpp"

using namespace sim::driver;

namespace {

CUresult on_stream(CUstream stream, const std::function<CUresult()>& body) {
  return call([&] { return is_stream(stream) ? body() : CUDA_ERROR_INVALID_HANDLE; });
}
CUresult on_event(CUevent event, const std::function<CUresult()>& body) {
  return call([&] { return is_live(event) ? body() : CUDA_ERROR_INVALID_HANDLE; });
}
bool is_ours(CUstream stream) { return is_live(stream); }

}  // namespace

extern "C" {

CUresult CUDAAPI cuStreamCreateWithPriority(CUstream* out, unsigned int flags, int priority) {
  return call([&] {
    if (out == nullptr || flags > CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
    *out = new CUstream_st{.flags = flags, .priority = priority, .id = state().next_id++};
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamCreate(CUstream* out, unsigned int flags) { return cuStreamCreateWithPriority(out, flags, 0); }
CUresult CUDAAPI cuStreamDestroy_v2(CUstream stream) {
  return call({.context = true, .healthy = false}, [&] {
    if (!is_ours(stream)) return CUDA_ERROR_INVALID_HANDLE;
    state().live.erase(stream);
    delete stream;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamSynchronize(CUstream stream) {
  return on_stream(stream, [] { return CUDA_SUCCESS; });
}
CUresult CUDAAPI cuStreamQuery(CUstream stream) {
  return on_stream(stream, [] { return CUDA_SUCCESS; });
}
CUresult CUDAAPI cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int) {
  return on_stream(stream, [&] { return is_live(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; });
}
CUresult CUDAAPI cuStreamGetCtx(CUstream stream, CUcontext* out) {
  return on_stream(stream, [&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = current_context();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamGetFlags(CUstream stream, unsigned int* flags) {
  return on_stream(stream, [&] {
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = is_ours(stream) ? stream->flags : 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamGetPriority(CUstream stream, int* priority) {
  return on_stream(stream, [&] {
    if (priority == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *priority = is_ours(stream) ? stream->priority : 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamGetId(CUstream stream, unsigned long long* id) {
  return on_stream(stream, [&] {
    if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *id = is_ours(stream) ? stream->id : 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus* status) {
  return on_stream(stream, [&] {
    if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *status = CU_STREAM_CAPTURE_STATUS_NONE;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuLaunchHostFunc(CUstream stream, CUhostFn function, void* data) {
  return on_stream(stream, [&] {
    if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return submit(stream, [&] {
      function(data);
      return CUDA_SUCCESS;
    });
  });
}

CUresult CUDAAPI cuEventCreate(CUevent* out, unsigned int flags) {
  return call([&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = new CUevent_st{.flags = flags, .time = {}};
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuEventDestroy_v2(CUevent event) {
  return call({.context = true, .healthy = false}, [&] {
    if (!is_live(event)) return CUDA_ERROR_INVALID_HANDLE;
    state().live.erase(event);
    delete event;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuEventRecord(CUevent event, CUstream stream) {
  return on_event(event, [&] {
    return submit(stream, [&] {
      event->is_recorded = true;
      event->time = std::chrono::steady_clock::now();
      return CUDA_SUCCESS;
    });
  });
}
CUresult CUDAAPI cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned int) {
  return cuEventRecord(event, stream);
}
CUresult CUDAAPI cuEventQuery(CUevent event) {
  return on_event(event, [] { return CUDA_SUCCESS; });
}
CUresult CUDAAPI cuEventSynchronize(CUevent event) {
  return on_event(event, [] { return CUDA_SUCCESS; });
}
// Host milliseconds between the two records: how long simulating took, never the time of a card.
CUresult CUDAAPI cuEventElapsedTime_v2(float* milliseconds, CUevent from, CUevent to) {
  return on_event(from, [&] {
    if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!is_live(to) || !from->is_recorded || !to->is_recorded) return CUDA_ERROR_INVALID_HANDLE;
    if (((from->flags | to->flags) & CU_EVENT_DISABLE_TIMING) != 0) return CUDA_ERROR_INVALID_HANDLE;
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

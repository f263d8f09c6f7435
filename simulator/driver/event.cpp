// Events: host times of records, and edges between streams that are being captured.
#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

// Whether the host may look at an event: not while its last record belongs to a graph.
CUresult look(CUevent event) {
  return call([&]() -> CUresult {
    if (!is_live(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (event->capture == nullptr) return check_capture_safe();
    if (event->capture->is_over) return CUDA_ERROR_INVALID_VALUE;
    invalidate(*event->capture);
    return CUDA_ERROR_CAPTURED_EVENT;
  });
}

// Another process could not use the times, so an event that it shares takes none.
bool are_flags(unsigned flags) {
  constexpr unsigned kAll = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
  const bool is_shared = (flags & CU_EVENT_INTERPROCESS) != 0, takes_times = (flags & CU_EVENT_DISABLE_TIMING) == 0;
  return (flags & ~kAll) == 0 && !(is_shared && takes_times);
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuEventCreate(CUevent* out, unsigned int flags) {
  return call([&] {
    if (out == nullptr || !are_flags(flags)) return CUDA_ERROR_INVALID_VALUE;
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
// In a captured stream an event stands for the nodes submitted so far; an external one becomes a node that records.
CUresult CUDAAPI cuEventRecordWithFlags(CUevent event, CUstream handle, unsigned int flags) {
  return call([&]() -> CUresult {
    if (!is_live(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (flags > CU_EVENT_RECORD_EXTERNAL) return CUDA_ERROR_INVALID_VALUE;
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture == nullptr && flags == CU_EVENT_RECORD_EXTERNAL) return CUDA_ERROR_ILLEGAL_STATE;
    if (stream->capture == nullptr || flags == CU_EVENT_RECORD_EXTERNAL) return submit(handle, RecordWork{event});
    if (stream->capture->is_invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    event->capture = stream->capture;
    event->frontier = stream->frontier;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuEventRecord(CUevent event, CUstream stream) {
  return cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_DEFAULT);
}
CUresult CUDAAPI cuStreamWaitEvent(CUstream handle, CUevent event, unsigned int flags) {
  return call([&]() -> CUresult {
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr || !is_live(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (flags > CU_EVENT_WAIT_EXTERNAL) return CUDA_ERROR_INVALID_VALUE;
    if (stream->capture != nullptr && stream->capture->is_invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (event->capture != nullptr && event->capture->is_over) return CUDA_ERROR_INVALID_VALUE;
    if (stream->capture == nullptr && flags == CU_EVENT_WAIT_EXTERNAL) return CUDA_ERROR_ILLEGAL_STATE;
    if (event->capture != nullptr) return wait_captured(*stream, *event);
    if (!event->is_recorded && flags != CU_EVENT_WAIT_EXTERNAL) return CUDA_SUCCESS;  // nothing to wait for
    if (stream->capture != nullptr && flags != CU_EVENT_WAIT_EXTERNAL) {
      invalidate(*stream->capture);
      return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    return submit(handle, WaitWork{event});
  });
}
CUresult CUDAAPI cuEventQuery(CUevent event) { return look(event); }
CUresult CUDAAPI cuEventSynchronize(CUevent event) { return look(event); }
// Host milliseconds between the two records: how long simulating took, never the time of a card.
CUresult CUDAAPI cuEventElapsedTime_v2(float* milliseconds, CUevent from, CUevent to) {
  return call([&]() -> CUresult {
    if (milliseconds == nullptr) return CUDA_ERROR_INVALID_HANDLE;  // what the driver says
    if (!is_live(from) || !is_live(to)) return CUDA_ERROR_INVALID_HANDLE;
    for (const CUevent e : {from, to})
      if (e->capture != nullptr) return e->capture->is_over ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_CAPTURED_EVENT;
    if (!from->is_recorded || !to->is_recorded) return CUDA_ERROR_INVALID_HANDLE;
    if (((from->flags | to->flags) & CU_EVENT_DISABLE_TIMING) != 0) return CUDA_ERROR_INVALID_HANDLE;
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

// Capture: what streams submit between begin and end becomes a graph. A stream takes part from cuStreamBeginCapture, or
// from the moment it waits for an event recorded in a captured stream. Anything that would make the sequence depend on
// work outside of it, or wait for it, is refused and spoils the sequence, as on a real driver.
#include <algorithm>
#include <thread>

#include "driver/graph.hpp"

namespace sim::driver {
namespace {

thread_local CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

uint64_t this_thread() { return std::hash<std::thread::id>{}(std::this_thread::get_id()); }

// The mode of a capture. A thread's may be any number: the driver takes it as it comes.
bool is_mode(CUstreamCaptureMode mode) {
  return mode == CU_STREAM_CAPTURE_MODE_GLOBAL || mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL ||
         mode == CU_STREAM_CAPTURE_MODE_RELAXED;
}

// Every node that `frontier` is or depends on.
std::unordered_set<const CUgraphNode_st*> reached(const std::vector<CUgraphNode>& frontier) {
  std::unordered_set<const CUgraphNode_st*> seen;
  std::vector<const CUgraphNode_st*> next(frontier.begin(), frontier.end());
  while (!next.empty()) {
    const CUgraphNode_st* node = next.back();
    next.pop_back();
    if (!seen.insert(node).second) continue;
    for (const auto& edge : node->dependencies) next.push_back(edge.from);
  }
  return seen;
}

void add_unique(std::vector<CUgraphNode>& to, const std::vector<CUgraphNode>& from) {
  for (CUgraphNode node : from)
    if (std::find(to.begin(), to.end(), node) == to.end()) to.push_back(node);
}

// Work of another stream that the origin's last nodes do not wait for.
bool is_unjoined(const Capture& capture) {
  const auto joined = reached(capture.origin->frontier);
  for (const CUstream_st* stream : capture.streams)
    for (CUgraphNode node : stream->frontier)
      if (!joined.contains(node)) return true;
  return false;
}

void close(Capture& capture) {
  capture.is_over = true;
  for (CUstream_st* stream : capture.streams) {
    stream->capture = nullptr;
    stream->frontier.clear();
  }
  std::erase_if(state().captures, [&](const auto& c) { return c.get() == &capture; });
}

CUresult begin(CUstream handle, CUstreamCaptureMode mode, CUgraph into, std::vector<CUgraphNode> frontier) {
  if (!is_mode(mode)) return CUDA_ERROR_INVALID_VALUE;
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (stream->is_legacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (stream->capture != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  auto capture = std::make_shared<Capture>();
  capture->id = state().next_id++;
  capture->mode = mode;
  capture->thread = this_thread();
  capture->origin = stream;
  capture->streams = {stream};
  if (into == nullptr) capture->owned = new_graph();
  capture->graph = into != nullptr ? into : capture->owned.get();
  stream->capture = capture;
  stream->frontier = std::move(frontier);
  state().captures.push_back(std::move(capture));
  return CUDA_SUCCESS;
}

CUstreamCaptureStatus status_of(const CUstream_st& stream) {
  if (stream.capture == nullptr) return CU_STREAM_CAPTURE_STATUS_NONE;
  return stream.capture->is_invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

// Asking the legacy stream while a blocking stream is captured would ask about that one as well.
bool is_implicitly_captured(const CUstream_st& stream) {
  return stream.is_legacy && std::any_of(state().captures.begin(), state().captures.end(), [](const auto& c) {
           return (c->origin->flags & CU_STREAM_NON_BLOCKING) == 0;
         });
}

}  // namespace

void invalidate(Capture& capture) { capture.is_invalid = true; }

void leave_capture(CUstream_st& stream) {
  if (stream.capture == nullptr) return;
  const std::shared_ptr<Capture> capture = stream.capture;
  invalidate(*capture);
  if (capture->origin == &stream) close(*capture);
  std::erase(capture->streams, &stream);
}

CUresult wait_captured(CUstream_st& stream, CUevent_st& event) {
  if (event.capture->is_invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (stream.is_legacy) {
    invalidate(*event.capture);
    return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  }
  if (stream.capture != nullptr && stream.capture != event.capture) {
    invalidate(*stream.capture);
    invalidate(*event.capture);
    return CUDA_ERROR_STREAM_CAPTURE_MERGE;
  }
  if (stream.capture == nullptr) {
    stream.capture = event.capture;
    event.capture->streams.push_back(&stream);
  }
  add_unique(stream.frontier, event.frontier);
  return CUDA_SUCCESS;
}

CUresult check_capture_safe() {
  if (thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
  CUresult result = CUDA_SUCCESS;
  for (const auto& capture : state().captures) {
    if (capture->mode == CU_STREAM_CAPTURE_MODE_RELAXED) continue;
    const bool is_ours = capture->thread == this_thread();
    const bool is_global =
        capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL && thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
    if (!is_ours && !is_global) continue;
    invalidate(*capture);
    result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return result;
}

CUresult check_not_captured(CUstream_st& stream) {
  if (stream.capture == nullptr) return CUDA_SUCCESS;
  invalidate(*stream.capture);
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult check_no_capture() {
  for (const auto& capture : state().captures) invalidate(*capture);
  return state().captures.empty() ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

}  // namespace sim::driver

using namespace sim::driver;

extern "C" {

CUresult CUDAAPI cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) {
  return call([&] { return begin(stream, mode, nullptr, {}); });
}

CUresult CUDAAPI cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const CUgraphNode* dependencies,
                                             const CUgraphEdgeData*, size_t count, CUstreamCaptureMode mode) {
  return call([&]() -> CUresult {
    if (!is_live(graph)) return CUDA_ERROR_INVALID_VALUE;
    if (count != 0 && dependencies == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i)
      if (!is_live(dependencies[i]) || dependencies[i]->graph != graph) return CUDA_ERROR_INVALID_VALUE;
    return begin(stream, mode, graph, {dependencies, dependencies + count});
  });
}

CUresult CUDAAPI cuStreamEndCapture(CUstream handle, CUgraph* out) {
  return call([&]() -> CUresult {
    if (out != nullptr) *out = nullptr;
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream) {
      invalidate(*capture);
      return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    }
    const bool is_elsewhere = capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != this_thread();
    const CUresult result = is_elsewhere            ? CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD
                            : capture->is_invalid   ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
                            : is_unjoined(*capture) ? CUDA_ERROR_STREAM_CAPTURE_UNJOINED
                                                    : CUDA_SUCCESS;
    close(*capture);  // whatever the answer, and whether or not there is a place for the graph
    if (result != CUDA_SUCCESS || out == nullptr) return result;
    *out = capture->owned != nullptr ? capture->owned.release() : capture->graph;
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus* status) {
  return call([&]() -> CUresult {
    const CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (is_implicitly_captured(*stream)) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    *status = status_of(*stream);
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuStreamGetCaptureInfo_v3(CUstream handle, CUstreamCaptureStatus* status, cuuint64_t* id,
                                           CUgraph* graph, const CUgraphNode** dependencies,
                                           const CUgraphEdgeData** edges, size_t* count) {
  return call([&]() -> CUresult {
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (is_implicitly_captured(*stream)) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    *status = status_of(*stream);
    if (*status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_SUCCESS;
    static std::vector<CUgraphEdgeData> all_full;  // valid until the next call, as the manual says of the real ones
    all_full.assign(stream->frontier.size(), kFullEdge);
    if (id != nullptr) *id = stream->capture->id;
    if (graph != nullptr) {
      *graph = stream->capture->graph;
      state().live.insert(*graph);
    }
    if (dependencies != nullptr) *dependencies = stream->frontier.data();
    if (edges != nullptr) *edges = all_full.data();
    if (count != nullptr) *count = stream->frontier.size();
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuStreamGetCaptureInfo_v2(CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id,
                                           CUgraph* graph, const CUgraphNode** dependencies, size_t* count) {
  return cuStreamGetCaptureInfo_v3(stream, status, id, graph, dependencies, nullptr, count);
}

CUresult CUDAAPI cuStreamUpdateCaptureDependencies_v2(CUstream handle, CUgraphNode* dependencies,
                                                      const CUgraphEdgeData*, size_t count, unsigned int flags) {
  return call([&]() -> CUresult {
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
    if (stream->capture->is_invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if ((count != 0 && dependencies == nullptr) || flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES)
      return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i)
      if (!is_live(dependencies[i]) || dependencies[i]->graph != stream->capture->graph)
        return CUDA_ERROR_INVALID_VALUE;
    if (flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES) stream->frontier.clear();
    add_unique(stream->frontier, {dependencies, dependencies + count});
    return CUDA_SUCCESS;
  });
}

CUresult CUDAAPI cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
  return call({.context = false, .healthy = false}, [&] {
    if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::swap(*mode, thread_mode);
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

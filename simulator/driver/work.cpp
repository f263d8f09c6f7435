// Running a piece of work at once, or recording it where its stream is being captured.
#include "driver/work.hpp"

#include "driver/graph.hpp"

namespace sim::driver {
namespace {

struct Runner {
  CUresult operator()(const EmptyWork&) const { return CUDA_SUCCESS; }
  CUresult operator()(const KernelWork& w) const { return run_kernel(w); }
  CUresult operator()(const CopyWork& w) const { return run_copy(w); }
  CUresult operator()(const FillWork& w) const { return run_fill(w); }
  CUresult operator()(const HostWork& w) const {
    const HostFunction scope;
    w.call.fn(w.call.userData);
    return CUDA_SUCCESS;
  }
  CUresult operator()(const RecordWork& w) const {
    if (!is_live(w.event)) return CUDA_ERROR_INVALID_HANDLE;
    w.event->is_recorded = true;
    w.event->time = std::chrono::steady_clock::now();
    w.event->capture = nullptr;
    w.event->frontier.clear();
    return CUDA_SUCCESS;
  }
  CUresult operator()(const WaitWork& w) const { return is_live(w.event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; }
  CUresult operator()(const AllocateWork& w) const { return run_allocation(w); }
  CUresult operator()(const FreeWork& w) const { return release(w.address); }
  CUresult operator()(const ChildWork& w) const { return run_graph(*w.graph, topological_order(*w.graph, 0)); }
};

// Copies and sets of nothing are no nodes.
bool does_nothing(const Work& work) {
  if (const auto* copy = std::get_if<CopyWork>(&work))
    return copy->shape.WidthInBytes == 0 || copy->shape.Height == 0 || copy->shape.Depth == 0;
  const auto* fill = std::get_if<FillWork>(&work);
  return fill != nullptr && (fill->shape.width == 0 || fill->shape.height == 0);
}

// A programmatic kernel right behind another kernel of the same stream depends on that one's trigger only.
CUresult record(CUstream_st& stream, Work work) {
  Capture& capture = *stream.capture;
  if (capture.is_invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (does_nothing(work)) return CUDA_SUCCESS;
  const auto* kernel = std::get_if<KernelWork>(&work);
  const bool is_programmatic = kernel != nullptr && kernel->is_programmatic && stream.frontier.size() == 1 &&
                               std::holds_alternative<KernelWork>(stream.frontier.front()->work);
  std::vector<CUgraphNode_st::Edge> dependencies;
  for (CUgraphNode node : stream.frontier)
    dependencies.push_back({node, is_programmatic ? kProgrammaticEdge : kFullEdge});
  stream.frontier = {add_node(*capture.graph, std::move(work), dependencies)};
  return CUDA_SUCCESS;
}

}  // namespace

CUresult run(const Work& work) {
  run_pending();
  return std::visit(Runner{}, work);
}

CUresult submit(CUstream handle, Work work) {
  CUstream_st* stream = find_stream(handle);
  if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture != nullptr) return record(*stream, std::move(work));
  // The legacy stream waits for every blocking stream, so work on it would make a dependency on a captured one.
  if (stream->is_legacy) {
    bool is_dependent = false;
    for (const auto& capture : state().captures) {
      if ((capture->origin->flags & CU_STREAM_NON_BLOCKING) != 0) continue;
      invalidate(*capture);
      is_dependent = true;
    }
    if (is_dependent) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  }
  State& s = state();
  const auto* kernel = std::get_if<KernelWork>(&work);
  const bool follows = kernel != nullptr && kernel->is_programmatic && s.last_kernel_stream == stream;
  const CUresult result = kernel != nullptr ? run_kernel(*kernel, follows) : run(work);
  s.last_kernel_stream = kernel != nullptr ? stream : nullptr;
  return result;
}

}  // namespace sim::driver

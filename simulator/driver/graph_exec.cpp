// Executable graphs: a copy of a graph in an order that respects its edges. Launching one runs its nodes; with a seed,
// nodes that no edge orders run in an order that the seed draws, so that a missing edge shows.
#include <cstring>

#include "driver/graph.hpp"

using namespace sim::driver;

namespace sim::driver {

CUresult run_graph(const CUgraph_st&, const std::vector<CUgraphNode_st*>& order) {
  state().last_kernel_stream = nullptr;
  const CUgraphNode_st* before = nullptr;
  for (const CUgraphNode_st* node : order) {
    if (!node->is_enabled) continue;
    const auto* kernel = std::get_if<KernelWork>(&node->work);
    const bool follows = node->dependencies.size() == 1 && node->dependencies[0].from == before &&
                         node->dependencies[0].data.type == CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
    if (const CUresult r = kernel != nullptr ? run_kernel(*kernel, follows) : run(node->work); r != CUDA_SUCCESS)
      return r;
    before = node;
  }
  run_pending();
  return CUDA_SUCCESS;
}

namespace {

bool is_update(const CUDA_MEMSET_NODE_PARAMS& a, const CUDA_MEMSET_NODE_PARAMS& b) {
  return (a.height == 1 && b.height == 1) ||
         (a.height == b.height && a.width == b.width && a.pitch == b.pitch && a.elementSize == b.elementSize);
}
bool is_update(const CUDA_MEMCPY3D& a, const CUDA_MEMCPY3D& b) {
  if (a.srcMemoryType != b.srcMemoryType || a.dstMemoryType != b.dstMemoryType) return false;
  const bool are_lines = a.Height == 1 && a.Depth == 1 && b.Height == 1 && b.Depth == 1;
  return are_lines || std::memcmp(&a, &b, sizeof a) == 0;
}

}  // namespace

bool can_become(const Work& mine, const Work& wanted) {
  if (const auto* fill = std::get_if<FillWork>(&mine)) return is_update(fill->shape, std::get<FillWork>(wanted).shape);
  if (const auto* copy = std::get_if<CopyWork>(&mine)) return is_update(copy->shape, std::get<CopyWork>(wanted).shape);
  return true;
}

CUgraphExecUpdateResultInfo compare(const CUgraph_st& mine, const CUgraph_st& graph) {
  constexpr auto kOtherShape = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
  const auto differs = [](CUgraphExecUpdateResult why, CUgraphNode node, CUgraphNode from) {
    return CUgraphExecUpdateResultInfo{why, node, from};
  };
  for (size_t i = 0; i < mine.nodes.size() && i < graph.nodes.size(); ++i) {
    const CUgraphNode_st &a = *mine.nodes[i], &b = *graph.nodes[i];
    CUgraphNode_st* node = graph.nodes[i].get();
    if (a.work.index() != b.work.index()) return differs(CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED, node, nullptr);
    if (const auto* child = std::get_if<ChildWork>(&a.work)) {
      const auto inner = compare(*child->graph, *std::get<ChildWork>(b.work).graph);
      if (inner.result != CU_GRAPH_EXEC_UPDATE_SUCCESS)
        return differs(inner.result, inner.result == kOtherShape ? nullptr : node, nullptr);
    }
    if (const auto* memory = std::get_if<AllocateWork>(&a.work);
        memory != nullptr && memory->memory != std::get<AllocateWork>(b.work).memory)
      return differs(CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED, node, nullptr);
    if (!can_become(a.work, b.work)) return differs(CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED, node, nullptr);
    if (const auto* kernel = std::get_if<KernelWork>(&a.work);
        kernel != nullptr && kernel->config.is_cooperative != std::get<KernelWork>(b.work).config.is_cooperative)
      return differs(CU_GRAPH_EXEC_UPDATE_ERROR_ATTRIBUTES_CHANGED, node, nullptr);
    // A node is named whose edges are gone; one that has more is not.
    if (a.dependencies.size() != b.dependencies.size())
      return differs(kOtherShape, a.dependencies.size() > b.dependencies.size() ? node : nullptr, nullptr);
    for (size_t d = 0; d < a.dependencies.size(); ++d)
      if (a.dependencies[d].from->id != b.dependencies[d].from->id)
        return differs(kOtherShape, node, b.dependencies[d].from);
  }
  if (mine.nodes.size() != graph.nodes.size()) return differs(kOtherShape, nullptr, nullptr);
  return differs(CU_GRAPH_EXEC_UPDATE_SUCCESS, nullptr, nullptr);
}

}  // namespace sim::driver

namespace {

constexpr unsigned long long kInstantiateFlags =
    CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD |
    CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY;

CUresult instantiate(CUgraphExec* out, CUgraph graph, unsigned long long flags, CUgraphInstantiateResult* result) {
  if (out == nullptr || !is_live(graph) || (flags & ~kInstantiateFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
  if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH) != 0)
    return report(CUDA_ERROR_NOT_SUPPORTED, "graphs that kernels launch are not simulated", false);
  auto exec = std::make_unique<CUgraphExec_st>();
  exec->graph = clone(*graph);
  exec->order = topological_order(*exec->graph, 0);
  exec->flags = flags;
  if (exec->order.size() != graph->nodes.size()) {
    *result = CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE;
    return report(CUDA_ERROR_INVALID_VALUE, "the graph has a cycle", false);
  }
  if (const CUresult r = own_memory(*graph); r != CUDA_SUCCESS) return r;
  *result = CUDA_GRAPH_INSTANTIATE_SUCCESS;
  *out = exec.release();
  state().live.insert(*out);
  return CUDA_SUCCESS;
}

CUresult on_exec(CUgraphExec exec, const std::function<CUresult(CUgraphExec_st&)>& body) {
  return call([&] { return is_live(exec) ? body(*exec) : CUDA_ERROR_INVALID_VALUE; });
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuGraphInstantiateWithFlags(CUgraphExec* out, CUgraph graph, unsigned long long flags) {
  CUgraphInstantiateResult result{};
  if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) != 0) return CUDA_ERROR_INVALID_VALUE;  // it names no stream
  return call([&] { return instantiate(out, graph, flags, &result); });
}
CUresult CUDAAPI cuGraphInstantiateWithParams(CUgraphExec* out, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* params) {
  return call([&]() -> CUresult {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    params->result_out = CUDA_GRAPH_INSTANTIATE_ERROR;
    params->hErrNode_out = nullptr;
    if ((params->flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) != 0 && find_stream(params->hUploadStream) == nullptr)
      return CUDA_ERROR_INVALID_HANDLE;
    return instantiate(out, graph, params->flags, &params->result_out);
  });
}
CUresult CUDAAPI cuGraphExecDestroy(CUgraphExec exec) {
  return call({.context = false, .healthy = false}, [&]() -> CUresult {
    if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
    if (!is_live(exec)) return CUDA_ERROR_INVALID_VALUE;
    state().live.erase(exec);
    disown_memory(*exec->graph);
    delete exec;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphExecGetFlags(CUgraphExec exec, cuuint64_t* flags) {
  return on_exec(exec, [&](CUgraphExec_st& e) {
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = e.flags & ~static_cast<cuuint64_t>(CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);  // not told
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo* info) {
  return on_exec(exec, [&](CUgraphExec_st& e) {
    if (!is_live(graph) || info == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *info = compare(*e.graph, *graph);
    if (info->result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    auto renewed = clone(*graph);
    for (size_t i = 0; i < e.graph->nodes.size(); ++i) e.graph->nodes[i]->work = std::move(renewed->nodes[i]->work);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphUpload(CUgraphExec exec, CUstream handle) {
  return on_exec(exec, [&](CUgraphExec_st&) {
    CUstream_st* stream = find_stream(handle);
    return stream != nullptr ? check_not_captured(*stream) : CUDA_ERROR_INVALID_HANDLE;
  });
}
CUresult CUDAAPI cuGraphLaunch(CUgraphExec exec, CUstream handle) {
  return on_exec(exec, [&](CUgraphExec_st& e) -> CUresult {
    CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (const CUresult r = check_not_captured(*stream); r != CUDA_SUCCESS) return r;
    if (const CUresult r = submit(handle, EmptyWork{}); r != CUDA_SUCCESS) return r;
    const bool frees = (e.flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH) != 0;
    if (const CUresult r = prepare_memory(*e.graph, frees); r != CUDA_SUCCESS) return r;
    const uint64_t seed = state().options.seed;
    if (seed != 0) e.order = topological_order(*e.graph, seed + state().next_id++);
    return run_graph(*e.graph, e.order);
  });
}

}  // extern "C"

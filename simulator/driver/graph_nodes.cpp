// Graph nodes: adding them, and reading and changing what they do. Kernel parameters are copied when a node is made or
// changed; host memory of a copy is read when the node runs.
#include <algorithm>

#include "driver/graph.hpp"

using namespace sim::driver;

namespace {

// A node's kernel: what `p` says, and attributes of `old`, which other calls set.
CUresult kernel_from(const CUDA_KERNEL_NODE_PARAMS& p, const KernelWork& old, Work& out) {
  KernelWork work;
  const CUfunction f = p.func != nullptr ? p.func : reinterpret_cast<CUfunction>(p.kern);
  const CUresult r = make_kernel(f,
                                 {.grid = {p.gridDimX, p.gridDimY, p.gridDimZ},
                                  .block = {p.blockDimX, p.blockDimY, p.blockDimZ},
                                  .cluster = old.config.cluster,
                                  .dynamic_shared_bytes = p.sharedMemBytes,
                                  .is_cooperative = old.config.is_cooperative},
                                 p.kernelParams, p.extra, work);
  work.is_programmatic = old.is_programmatic;
  work.priority = old.priority;
  out = std::move(work);
  return r;
}
CUresult set_cluster(KernelWork& work, const sim::Dim3& cluster) {
  sim::LaunchConfig changed = work.config;
  changed.cluster = cluster;
  changed = with_required_cluster(*work.function, changed);
  if (!cluster_refusal(*work.function, changed).empty()) return CUDA_ERROR_INVALID_CLUSTER_SIZE;
  work.config = changed;
  return CUDA_SUCCESS;
}
CUresult make(const CUDA_KERNEL_NODE_PARAMS& p, Work& out) { return kernel_from(p, {}, out); }
// Unlike a call that copies or sets nothing, a node that does so is refused.
CUresult make(const CUDA_MEMCPY3D& p, Work& out) {
  if (p.WidthInBytes == 0 || p.Height == 0 || p.Depth == 0) return CUDA_ERROR_INVALID_VALUE;
  CopyWork work;
  const CUresult r = make_copy(p, work);
  out = work;
  return r;
}
CUresult make(const CUDA_MEMSET_NODE_PARAMS& p, Work& out) {
  if (p.width == 0 || p.height == 0) return CUDA_ERROR_INVALID_VALUE;
  FillWork work;
  const CUresult r = make_fill(p, work);
  out = work;
  return r;
}
CUresult make(const CUDA_HOST_NODE_PARAMS& p, Work& out) {
  if (p.fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  out = HostWork{p};
  return CUDA_SUCCESS;
}

CUresult add(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, const CUgraphEdgeData* edges,
             size_t count, const std::function<CUresult(Work&)>& make_work) {
  return call([&]() -> CUresult {
    if (out == nullptr || !is_live(graph) || (count != 0 && dependencies == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    std::vector<CUgraphNode_st::Edge> from;
    for (size_t i = 0; i < count; ++i) {
      if (!is_live(dependencies[i]) || dependencies[i]->graph != graph) return CUDA_ERROR_INVALID_VALUE;
      for (const auto& edge : from)
        if (edge.from == dependencies[i]) return CUDA_ERROR_INVALID_VALUE;
      from.push_back({dependencies[i], edges != nullptr ? edges[i] : kFullEdge});
    }
    Work work;
    if (const CUresult r = make_work(work); r != CUDA_SUCCESS) return r;
    *out = add_node(*graph, std::move(work), from);
    return CUDA_SUCCESS;
  });
}
template <class Params>
CUresult add_from(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                  const Params* params) {
  return add(out, graph, dependencies, nullptr, count,
             [&](Work& work) { return params != nullptr ? make(*params, work) : CUDA_ERROR_INVALID_VALUE; });
}

// The node that a call means: of a graph, or the copy of it in an executable graph.
CUgraphNode_st* find_node(CUgraphExec exec, CUgraphNode node) {
  if (!is_live(node)) return nullptr;
  if (exec == nullptr) return node;
  return is_live(exec) ? find_copy(*exec->graph, *node) : nullptr;
}
template <class Kind>
CUresult on_node(CUgraphExec exec, CUgraphNode node, const std::function<CUresult(CUgraphNode_st&, Kind&)>& body) {
  return call([&]() -> CUresult {
    CUgraphNode_st* found = find_node(exec, node);
    if (found == nullptr || !std::holds_alternative<Kind>(found->work)) return CUDA_ERROR_INVALID_VALUE;
    return body(*found, std::get<Kind>(found->work));
  });
}
template <class Kind, class Params>
CUresult set(CUgraphExec exec, CUgraphNode node, const Params* params) {
  return on_node<Kind>(exec, node, [&](CUgraphNode_st& n, Kind&) -> CUresult {
    Work work;
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = make(*params, work); r != CUDA_SUCCESS) return r;
    if (exec != nullptr && !can_become(n.work, work)) return CUDA_ERROR_INVALID_VALUE;
    n.work = std::move(work);
    return CUDA_SUCCESS;
  });
}
CUresult set_kernel(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS* params) {
  return on_node<KernelWork>(exec, node, [&](CUgraphNode_st& n, KernelWork& old) -> CUresult {
    Work work;
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = kernel_from(*params, old, work); r != CUDA_SUCCESS) return r;
    n.work = std::move(work);
    return CUDA_SUCCESS;
  });
}
template <class Kind>
CUresult set_event(CUgraphExec exec, CUgraphNode node, CUevent event) {
  return on_node<Kind>(exec, node, [&](CUgraphNode_st&, Kind& work) {
    if (!is_live(event)) return CUDA_ERROR_INVALID_VALUE;
    work.event = event;
    return CUDA_SUCCESS;
  });
}
template <class Kind, class Value, class Member>
CUresult get(CUgraphNode node, Value* out, Member member) {
  return on_node<Kind>(nullptr, node, [&](CUgraphNode_st&, Kind& work) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = work.*member;
    return CUDA_SUCCESS;
  });
}
template <class Kind>
CUresult add_event(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count, CUevent event) {
  return add(out, graph, dependencies, nullptr, count, [&](Work& work) {
    if (!is_live(event)) return CUDA_ERROR_INVALID_VALUE;
    work = Kind{event};
    return CUDA_SUCCESS;
  });
}

CUresult make_child(CUgraph child, Work& out) {
  if (!is_live(child)) return CUDA_ERROR_INVALID_VALUE;
  if (has_memory_nodes(*child))
    return report(CUDA_ERROR_NOT_SUPPORTED, "a graph with memory nodes cannot be a child", false);
  out = ChildWork{clone(*child)};
  return CUDA_SUCCESS;
}

// cuGraphAddNode's parameters, one struct for every type.
CUresult make(const CUgraph_st& graph, CUgraphNodeParams& p, Work& out) {
  if (p.reserved2 != 0) return CUDA_ERROR_INVALID_VALUE;
  switch (p.type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: {
      const CUDA_KERNEL_NODE_PARAMS_v3& k = p.kernel;
      return make(CUDA_KERNEL_NODE_PARAMS{k.func, k.gridDimX, k.gridDimY, k.gridDimZ, k.blockDimX, k.blockDimY,
                                          k.blockDimZ, k.sharedMemBytes, k.kernelParams, k.extra, k.kern, k.ctx},
                  out);
    }
    case CU_GRAPH_NODE_TYPE_MEMCPY:
      return make(p.memcpy.copyParams, out);
    case CU_GRAPH_NODE_TYPE_MEMSET:
      return make(CUDA_MEMSET_NODE_PARAMS{p.memset.dst, p.memset.pitch, p.memset.value, p.memset.elementSize,
                                          p.memset.width, p.memset.height},
                  out);
    case CU_GRAPH_NODE_TYPE_HOST:
      return make(CUDA_HOST_NODE_PARAMS{p.host.fn, p.host.userData}, out);
    case CU_GRAPH_NODE_TYPE_EMPTY:
      out = EmptyWork{};
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_GRAPH:
      return make_child(p.graph.graph, out);
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
      return make_allocation(p.alloc.poolProps, p.alloc.bytesize, out, &p.alloc.dptr);
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
      return make_free(graph, p.free.dptr, out);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
      if (!is_live(p.eventRecord.event)) return CUDA_ERROR_INVALID_VALUE;
      out = RecordWork{p.eventRecord.event};
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
      if (!is_live(p.eventWait.event)) return CUDA_ERROR_INVALID_VALUE;
      out = WaitWork{p.eventWait.event};
      return CUDA_SUCCESS;
    default:
      if (p.type < CU_GRAPH_NODE_TYPE_KERNEL || p.type > CU_GRAPH_NODE_TYPE_CONDITIONAL)
        return CUDA_ERROR_INVALID_VALUE;
      return report(CUDA_ERROR_NOT_SUPPORTED, "graph nodes of type " + std::to_string(p.type) + " are not simulated",
                    false);
  }
}
// Of a launch's attributes, those that a node keeps.
bool is_attribute(CUkernelNodeAttrID which) {
  switch (which) {
    case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
    case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
    case CU_LAUNCH_ATTRIBUTE_PRIORITY:
    case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
    case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
    case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE:
    case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      return true;
    default:
      return false;
  }
}
bool can_be_disabled(const Work& work) {  // the manual allows these three only
  return std::holds_alternative<KernelWork>(work) || std::holds_alternative<FillWork>(work) ||
         std::holds_alternative<CopyWork>(work);
}
CUresult set_any(CUgraphExec exec, CUgraphNode node, CUgraphNodeParams* params) {
  return call([&]() -> CUresult {
    CUgraphNode_st* found = find_node(exec, node);
    Work work;
    if (found == nullptr || params == nullptr || params->type != type_of(found->work)) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = make(*found->graph, *params, work); r != CUDA_SUCCESS) return r;
    if (exec != nullptr && !can_become(found->work, work)) return CUDA_ERROR_INVALID_VALUE;
    found->work = std::move(work);
    return CUDA_SUCCESS;
  });
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuGraphAddKernelNode_v2(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                                         const CUDA_KERNEL_NODE_PARAMS* params) {
  return add_from(out, graph, dependencies, count, params);
}
CUresult CUDAAPI cuGraphAddMemcpyNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                                      const CUDA_MEMCPY3D* params, CUcontext) {
  return add_from(out, graph, dependencies, count, params);
}
CUresult CUDAAPI cuGraphAddMemsetNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                                      const CUDA_MEMSET_NODE_PARAMS* params, CUcontext) {
  return add_from(out, graph, dependencies, count, params);
}
CUresult CUDAAPI cuGraphAddHostNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                                    const CUDA_HOST_NODE_PARAMS* params) {
  return add_from(out, graph, dependencies, count, params);
}
CUresult CUDAAPI cuGraphAddEmptyNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count) {
  return add(out, graph, dependencies, nullptr, count, [](Work&) { return CUDA_SUCCESS; });
}
CUresult CUDAAPI cuGraphAddChildGraphNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies,
                                          size_t count, CUgraph child) {
  return add(out, graph, dependencies, nullptr, count, [&](Work& work) { return make_child(child, work); });
}
CUresult CUDAAPI cuGraphAddEventRecordNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies,
                                           size_t count, CUevent event) {
  return add_event<RecordWork>(out, graph, dependencies, count, event);
}
CUresult CUDAAPI cuGraphAddEventWaitNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                                         CUevent event) {
  return add_event<WaitWork>(out, graph, dependencies, count, event);
}
CUresult CUDAAPI cuGraphAddMemAllocNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                                        CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  return add(out, graph, dependencies, nullptr, count, [&](Work& work) -> CUresult {
    return params != nullptr ? make_allocation(params->poolProps, params->bytesize, work, &params->dptr)
                             : CUDA_ERROR_INVALID_VALUE;
  });
}
CUresult CUDAAPI cuGraphAddMemFreeNode(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies, size_t count,
                                       CUdeviceptr address) {
  return add(out, graph, dependencies, nullptr, count, [&](Work& work) { return make_free(*graph, address, work); });
}
CUresult CUDAAPI cuGraphAddNode_v2(CUgraphNode* out, CUgraph graph, const CUgraphNode* dependencies,
                                   const CUgraphEdgeData* edges, size_t count, CUgraphNodeParams* params) {
  return add(out, graph, dependencies, edges, count,
             [&](Work& work) { return params != nullptr ? make(*graph, *params, work) : CUDA_ERROR_INVALID_VALUE; });
}

CUresult CUDAAPI cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS* params) {
  return on_node<KernelWork>(nullptr, node, [&](CUgraphNode_st& n, KernelWork& work) {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    n.param_pointers.clear();
    for (const auto& p : work.function->kernel->params) n.param_pointers.push_back(work.params.data() + p.offset);
    const sim::LaunchConfig& c = work.config;
    *params = {.func = work.function,
               .gridDimX = c.grid.x,
               .gridDimY = c.grid.y,
               .gridDimZ = c.grid.z,
               .blockDimX = c.block.x,
               .blockDimY = c.block.y,
               .blockDimZ = c.block.z,
               .sharedMemBytes = c.dynamic_shared_bytes,
               .kernelParams = n.param_pointers.data(),
               .extra = nullptr,
               .kern = reinterpret_cast<CUkernel>(work.function),
               .ctx = nullptr};
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS* params) {
  return set_kernel(nullptr, node, params);
}
CUresult CUDAAPI cuGraphKernelNodeGetAttribute(CUgraphNode node, CUkernelNodeAttrID which,
                                               CUkernelNodeAttrValue* value) {
  return on_node<KernelWork>(nullptr, node, [&](CUgraphNode_st&, KernelWork& work) {
    if (value == nullptr || !is_attribute(which)) return CUDA_ERROR_INVALID_VALUE;
    *value = {};
    if (which == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) value->cooperative = work.config.is_cooperative;
    if (which == CU_LAUNCH_ATTRIBUTE_PRIORITY) value->priority = work.priority;
    if (which == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      value->clusterDim = {work.config.cluster.x, work.config.cluster.y, work.config.cluster.z};
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphKernelNodeSetAttribute(CUgraphNode node, CUkernelNodeAttrID which,
                                               const CUkernelNodeAttrValue* value) {
  return on_node<KernelWork>(nullptr, node, [&](CUgraphNode_st&, KernelWork& work) {
    if (value == nullptr || !is_attribute(which)) return CUDA_ERROR_INVALID_VALUE;
    if (which == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      return set_cluster(work, {value->clusterDim.x, value->clusterDim.y, value->clusterDim.z});
    if (which == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) work.config.is_cooperative = value->cooperative != 0;
    if (which == CU_LAUNCH_ATTRIBUTE_PRIORITY) work.priority = std::clamp(value->priority, -5, 0);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphKernelNodeCopyAttributes(CUgraphNode to, CUgraphNode from) {
  return on_node<KernelWork>(nullptr, from, [&](CUgraphNode_st&, KernelWork& source) {
    return on_node<KernelWork>(nullptr, to, [&](CUgraphNode_st&, KernelWork& work) {
      work.config.is_cooperative = source.config.is_cooperative;
      work.priority = source.priority;
      return set_cluster(work, source.config.cluster);
    });
  });
}
CUresult CUDAAPI cuGraphMemcpyNodeGetParams(CUgraphNode node, CUDA_MEMCPY3D* params) {
  return get<CopyWork>(node, params, &CopyWork::shape);
}
CUresult CUDAAPI cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D* params) {
  return set<CopyWork>(nullptr, node, params);
}
CUresult CUDAAPI cuGraphMemsetNodeGetParams(CUgraphNode node, CUDA_MEMSET_NODE_PARAMS* params) {
  return get<FillWork>(node, params, &FillWork::shape);
}
CUresult CUDAAPI cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS* params) {
  return set<FillWork>(nullptr, node, params);
}
CUresult CUDAAPI cuGraphHostNodeGetParams(CUgraphNode node, CUDA_HOST_NODE_PARAMS* params) {
  return get<HostWork>(node, params, &HostWork::call);
}
CUresult CUDAAPI cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS* params) {
  return set<HostWork>(nullptr, node, params);
}
CUresult CUDAAPI cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph* graph) {
  return on_node<ChildWork>(nullptr, node, [&](CUgraphNode_st&, ChildWork& work) {
    if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *graph = work.graph.get();
    state().live.insert(*graph);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphEventRecordNodeGetEvent(CUgraphNode node, CUevent* event) {
  return get<RecordWork>(node, event, &RecordWork::event);
}
CUresult CUDAAPI cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event) {
  return set_event<RecordWork>(nullptr, node, event);
}
CUresult CUDAAPI cuGraphEventWaitNodeGetEvent(CUgraphNode node, CUevent* event) {
  return get<WaitWork>(node, event, &WaitWork::event);
}
CUresult CUDAAPI cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event) {
  return set_event<WaitWork>(nullptr, node, event);
}
CUresult CUDAAPI cuGraphNodeSetParams(CUgraphNode node, CUgraphNodeParams* params) {
  return set_any(nullptr, node, params);
}

CUresult CUDAAPI cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                                   const CUDA_KERNEL_NODE_PARAMS* params) {
  return exec != nullptr ? set_kernel(exec, node, params) : CUDA_ERROR_INVALID_VALUE;
}
CUresult CUDAAPI cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D* params,
                                                CUcontext) {
  return exec != nullptr ? set<CopyWork>(exec, node, params) : CUDA_ERROR_INVALID_VALUE;
}
CUresult CUDAAPI cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                                const CUDA_MEMSET_NODE_PARAMS* params, CUcontext) {
  return exec != nullptr ? set<FillWork>(exec, node, params) : CUDA_ERROR_INVALID_VALUE;
}
CUresult CUDAAPI cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_HOST_NODE_PARAMS* params) {
  return exec != nullptr ? set<HostWork>(exec, node, params) : CUDA_ERROR_INVALID_VALUE;
}
// The new graph must have the shape of the old one.
CUresult CUDAAPI cuGraphExecChildGraphNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraph child) {
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return on_node<ChildWork>(exec, node, [&](CUgraphNode_st& n, ChildWork& old) -> CUresult {
    Work work;
    if (const CUresult r = make_child(child, work); r != CUDA_SUCCESS) return r;
    if (compare(*old.graph, *child).result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    n.work = std::move(work);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  return exec != nullptr ? set_event<RecordWork>(exec, node, event) : CUDA_ERROR_INVALID_VALUE;
}
CUresult CUDAAPI cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  return exec != nullptr ? set_event<WaitWork>(exec, node, event) : CUDA_ERROR_INVALID_VALUE;
}
CUresult CUDAAPI cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraphNodeParams* params) {
  return exec != nullptr ? set_any(exec, node, params) : CUDA_ERROR_INVALID_VALUE;
}
CUresult CUDAAPI cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode node, unsigned int is_enabled) {
  return call([&]() -> CUresult {
    CUgraphNode_st* found = exec != nullptr ? find_node(exec, node) : nullptr;
    if (found == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!can_be_disabled(found->work)) return CUDA_ERROR_INVALID_VALUE;
    found->is_enabled = is_enabled != 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphNodeGetEnabled(CUgraphExec exec, CUgraphNode node, unsigned int* is_enabled) {
  return call([&]() -> CUresult {
    const CUgraphNode_st* found = exec != nullptr ? find_node(exec, node) : nullptr;
    if (found == nullptr || is_enabled == nullptr || !can_be_disabled(found->work)) return CUDA_ERROR_INVALID_VALUE;
    *is_enabled = found->is_enabled;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

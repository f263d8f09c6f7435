// Graphs as a structure: nodes, edges, copies, order. What nodes do is in graph_nodes.cpp, running them in
// graph_exec.cpp.
#include "driver/graph.hpp"

#include <algorithm>
#include <fstream>

CUgraph_st::~CUgraph_st() {
  sim::driver::drop_objects(*this);
  for (const auto& node : nodes) sim::driver::state().live.erase(node.get());
  sim::driver::state().live.erase(this);
}

namespace sim::driver {

std::unique_ptr<CUgraph_st> new_graph() {
  auto graph = std::make_unique<CUgraph_st>();
  graph->id = static_cast<unsigned>(state().next_id++);
  return graph;
}

CUgraphNode add_node(CUgraph_st& graph, Work work, const std::vector<CUgraphNode_st::Edge>& dependencies) {
  auto node = std::make_unique<CUgraphNode_st>();
  node->graph = &graph;
  node->id = graph.next_node++;
  node->serial = state().next_id++;
  node->work = std::move(work);
  node->dependencies = dependencies;
  state().live.insert(node.get());
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().get();
}

std::unique_ptr<CUgraph_st> clone(const CUgraph_st& graph) {
  auto copy = new_graph();
  std::map<const CUgraphNode_st*, CUgraphNode_st*> twin;
  for (const auto& node : graph.nodes) {
    Work work = node->work;
    if (auto* child = std::get_if<ChildWork>(&work)) child->graph = clone(*child->graph);
    CUgraphNode_st* made = add_node(*copy, std::move(work), {});
    made->copied_from = node->serial;
    made->id = node->id;
    twin[node.get()] = made;
  }
  for (const auto& node : graph.nodes)
    for (const auto& edge : node->dependencies) twin[node.get()]->dependencies.push_back({twin[edge.from], edge.data});
  copy->next_node = graph.next_node;
  retain_objects(*copy, graph);
  return copy;
}

CUgraphNode find_copy(const CUgraph_st& graph, const CUgraphNode_st& original) {
  for (const auto& node : graph.nodes)
    if (node->copied_from == original.serial) return node.get();
  return nullptr;
}

std::vector<CUgraphNode_st*> topological_order(const CUgraph_st& graph, uint64_t seed) {
  std::vector<CUgraphNode_st*> order, left;
  for (const auto& node : graph.nodes) left.push_back(node.get());
  std::unordered_set<const CUgraphNode_st*> done;
  while (!left.empty()) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < left.size() && (seed != 0 || ready.empty()); ++i)
      if (std::all_of(left[i]->dependencies.begin(), left[i]->dependencies.end(),
                      [&](const auto& edge) { return done.contains(edge.from); }))
        ready.push_back(i);
    if (ready.empty()) return {};
    seed = seed * 6364136223846793005u + (seed != 0 ? 1442695040888963407u : 0);
    const size_t next = ready[(seed >> 33) % ready.size()];
    done.insert(left[next]);
    order.push_back(left[next]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(next));
  }
  return order;
}

CUgraphNodeType type_of(const Work& work) {
  constexpr CUgraphNodeType kTypes[] = {CU_GRAPH_NODE_TYPE_EMPTY,      CU_GRAPH_NODE_TYPE_KERNEL,
                                        CU_GRAPH_NODE_TYPE_MEMCPY,     CU_GRAPH_NODE_TYPE_MEMSET,
                                        CU_GRAPH_NODE_TYPE_HOST,       CU_GRAPH_NODE_TYPE_EVENT_RECORD,
                                        CU_GRAPH_NODE_TYPE_WAIT_EVENT, CU_GRAPH_NODE_TYPE_GRAPH,
                                        CU_GRAPH_NODE_TYPE_MEM_ALLOC,  CU_GRAPH_NODE_TYPE_MEM_FREE};
  static_assert(std::size(kTypes) == std::variant_size_v<Work>);
  return kTypes[work.index()];
}

namespace {

// The manual's way to return a list: count alone where `out` is null, else as many as fit, and null for the rest.
template <class T, class Get>
CUresult fill(T* out, size_t* count, const std::vector<CUgraphNode_st*>& nodes, Get get) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (out != nullptr)
    for (size_t i = 0; i < *count; ++i) out[i] = i < nodes.size() ? get(nodes[i]) : T{};
  *count = out == nullptr ? nodes.size() : std::min(*count, nodes.size());
  return CUDA_SUCCESS;
}
CUresult fill_nodes(CUgraphNode* out, size_t* count, const std::vector<CUgraphNode_st*>& nodes) {
  return fill(out, count, nodes, [](CUgraphNode n) { return n; });
}

struct FullEdge {
  CUgraphNode from, to;
  CUgraphEdgeData data;
};
CUresult fill_edges(const std::vector<FullEdge>& edges, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* data,
                    size_t* count) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const bool wants = from != nullptr || to != nullptr;
  // Without a place for edge data, edges that have some cannot be told.
  for (size_t i = 0; wants && data == nullptr && i < edges.size() && i < *count; ++i)
    if (edges[i].data.type != 0 || edges[i].data.from_port != 0) return CUDA_ERROR_LOSSY_QUERY;
  for (size_t i = 0; wants && i < *count; ++i) {
    const FullEdge edge = i < edges.size() ? edges[i] : FullEdge{};
    if (from != nullptr) from[i] = edge.from;
    if (to != nullptr) to[i] = edge.to;
    if (data != nullptr) data[i] = edge.data;
  }
  *count = wants ? std::min(*count, edges.size()) : edges.size();
  return CUDA_SUCCESS;
}

CUresult on_graph(CUgraph graph, const std::function<CUresult(CUgraph_st&)>& body) {
  return call({.context = false, .healthy = false},
              [&] { return is_live(graph) ? body(*graph) : CUDA_ERROR_INVALID_VALUE; });
}
CUresult on_node(CUgraphNode node, const std::function<CUresult(CUgraphNode_st&)>& body) {
  return call({.context = false, .healthy = false},
              [&] { return is_live(node) ? body(*node) : CUDA_ERROR_INVALID_VALUE; });
}

std::string label(const CUgraphNode_st& node) {
  switch (type_of(node.work)) {
    case CU_GRAPH_NODE_TYPE_KERNEL:
      return std::get<KernelWork>(node.work).function->kernel->name;
    case CU_GRAPH_NODE_TYPE_MEMCPY:
      return "memcpy";
    case CU_GRAPH_NODE_TYPE_MEMSET:
      return "memset";
    case CU_GRAPH_NODE_TYPE_HOST:
      return "host function";
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
      return "event record";
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
      return "event wait";
    case CU_GRAPH_NODE_TYPE_GRAPH:
      return "graph";
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
      return "allocate";
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
      return "free";
    default:
      return "empty";
  }
}

// Anything but a full edge is one between kernels.
bool is_edge_legal(const CUgraphNode_st& from, const CUgraphNode_st& to, const CUgraphEdgeData& data) {
  const bool are_kernels = std::holds_alternative<KernelWork>(from.work) && std::holds_alternative<KernelWork>(to.work);
  return data.to_port == 0 && data.from_port <= CU_GRAPH_KERNEL_NODE_PORT_LAUNCH_ORDER &&
         data.type <= CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC && (are_kernels || (data.from_port == 0 && data.type == 0));
}
bool is_same(const CUgraphEdgeData& a, const CUgraphEdgeData& b) {
  return a.from_port == b.from_port && a.to_port == b.to_port && a.type == b.type;
}

}  // namespace
}  // namespace sim::driver

using namespace sim::driver;

extern "C" {

CUresult CUDAAPI cuGraphCreate(CUgraph* out, unsigned int flags) {
  return call({.context = false}, [&] {
    if (out == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    *out = new_graph().release();
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphDestroy(CUgraph graph) {
  return on_graph(graph, [](CUgraph_st& g) {
    delete &g;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphClone(CUgraph* out, CUgraph graph) {
  return on_graph(graph, [&](CUgraph_st& g) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (has_memory_nodes(g)) return CUDA_ERROR_NOT_SUPPORTED;
    *out = clone(g).release();
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphNodeFindInClone(CUgraphNode* out, CUgraphNode original, CUgraph graph) {
  return on_graph(graph, [&](CUgraph_st& g) {
    if (out == nullptr || !is_live(original)) return CUDA_ERROR_INVALID_VALUE;
    *out = find_copy(g, *original);
    return *out != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}
CUresult CUDAAPI cuGraphGetId(CUgraph graph, unsigned int* id) {
  return on_graph(graph, [&](CUgraph_st& g) {
    if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *id = g.id;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
  return on_graph(graph, [&](CUgraph_st& g) {
    std::vector<CUgraphNode_st*> all;
    for (const auto& node : g.nodes) all.push_back(node.get());
    return fill_nodes(nodes, count, all);
  });
}
CUresult CUDAAPI cuGraphGetRootNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
  return on_graph(graph, [&](CUgraph_st& g) {
    std::vector<CUgraphNode_st*> roots;
    for (const auto& node : g.nodes)
      if (node->dependencies.empty()) roots.push_back(node.get());
    return fill_nodes(nodes, count, roots);
  });
}
CUresult CUDAAPI cuGraphGetEdges_v2(CUgraph graph, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* data,
                                    size_t* count) {
  return on_graph(graph, [&](CUgraph_st& g) {
    if ((from == nullptr) != (to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    std::vector<FullEdge> edges;
    for (const auto& node : g.nodes)
      for (const auto& edge : node->dependencies) edges.push_back({edge.from, node.get(), edge.data});
    return fill_edges(edges, from, to, data, count);
  });
}
CUresult CUDAAPI cuGraphNodeGetDependencies_v2(CUgraphNode node, CUgraphNode* out, CUgraphEdgeData* data,
                                               size_t* count) {
  return on_node(node, [&](CUgraphNode_st& n) {
    std::vector<FullEdge> edges;
    for (const auto& edge : n.dependencies) edges.push_back({edge.from, &n, edge.data});
    return fill_edges(edges, out, nullptr, data, count);
  });
}
CUresult CUDAAPI cuGraphNodeGetDependentNodes_v2(CUgraphNode node, CUgraphNode* out, CUgraphEdgeData* data,
                                                 size_t* count) {
  return on_node(node, [&](CUgraphNode_st& n) {
    std::vector<FullEdge> edges;
    for (const auto& other : n.graph->nodes)
      for (const auto& edge : other->dependencies)
        if (edge.from == &n) edges.push_back({&n, other.get(), edge.data});
    return fill_edges(edges, nullptr, out, data, count);
  });
}
CUresult CUDAAPI cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                           const CUgraphEdgeData* data, size_t count) {
  return on_graph(graph, [&](CUgraph_st& g) {
    if (count != 0 && (from == nullptr || to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i) {
      if (!is_live(from[i]) || !is_live(to[i]) || from[i]->graph != &g || to[i]->graph != &g || from[i] == to[i])
        return CUDA_ERROR_INVALID_VALUE;
      if (data != nullptr && !is_edge_legal(*from[i], *to[i], data[i])) return CUDA_ERROR_INVALID_VALUE;
      for (const auto& edge : to[i]->dependencies)
        if (edge.from == from[i]) return CUDA_ERROR_INVALID_VALUE;  // an edge can be there once only
    }
    for (size_t i = 0; i < count; ++i) to[i]->dependencies.push_back({from[i], data != nullptr ? data[i] : kFullEdge});
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                              const CUgraphEdgeData* data, size_t count) {
  return on_graph(graph, [&](CUgraph_st& g) {
    if (count != 0 && (from == nullptr || to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    if (has_memory_nodes(g)) return CUDA_ERROR_NOT_SUPPORTED;
    for (size_t i = 0; i < count; ++i) {
      if (!is_live(to[i]) || to[i]->graph != &g) return CUDA_ERROR_INVALID_VALUE;
      const CUgraphEdgeData wanted = data != nullptr ? data[i] : kFullEdge;
      if (std::erase_if(to[i]->dependencies,
                        [&](const auto& edge) { return edge.from == from[i] && is_same(edge.data, wanted); }) == 0)
        return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphDestroyNode(CUgraphNode node) {
  return on_node(node, [](CUgraphNode_st& n) {
    CUgraph_st& graph = *n.graph;
    if (has_memory_nodes(graph)) return CUDA_ERROR_NOT_SUPPORTED;
    for (const auto& other : graph.nodes)
      std::erase_if(other->dependencies, [&](const auto& edge) { return edge.from == &n; });
    state().live.erase(&n);
    std::erase_if(graph.nodes, [&](const auto& other) { return other.get() == &n; });
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType* type) {
  return on_node(node, [&](CUgraphNode_st& n) {
    if (type == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *type = type_of(n.work);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphNodeGetContainingGraph(CUgraphNode node, CUgraph* graph) {
  return on_node(node, [&](CUgraphNode_st& n) {
    if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *graph = n.graph;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphNodeGetLocalId(CUgraphNode node, unsigned int* id) {
  return on_node(node, [&](CUgraphNode_st& n) {
    if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *id = n.id;
    return CUDA_SUCCESS;
  });
}

// Nodes with what they do, and edges; programmatic ones are dashed.
CUresult CUDAAPI cuGraphDebugDotPrint(CUgraph graph, const char* path, unsigned int) {
  return on_graph(graph, [&](CUgraph_st& g) {
    if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::ofstream file(path);
    file << "digraph graph_" << g.id << " {\n";
    for (const auto& node : g.nodes) {
      file << "  n" << node->id << " [label=\"" << node->id << ": " << label(*node) << "\"];\n";
      for (const auto& edge : node->dependencies)
        file << "  n" << edge.from->id << " -> n" << node->id << (edge.data.type != 0 ? " [style=dashed]" : "")
             << ";\n";
    }
    file << "}\n";
    return file ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
  });
}

}  // extern "C"

// Graphs: nodes of work with edges between them, and executable copies of them. Handles are the structs; nodes have a
// serial number that copies remember, so that a node's handle finds its counterpart in a clone or an executable graph.
#pragma once

#include "driver/work.hpp"

struct CUgraphNode_st {
  struct Edge {
    CUgraphNode_st* from;
    CUgraphEdgeData data;
  };
  CUgraph_st* graph = nullptr;
  unsigned id = 0;  // in its graph, in the order of creation
  uint64_t serial = 0, copied_from = 0;
  sim::driver::Work work;
  std::vector<Edge> dependencies;
  std::vector<void*> param_pointers;  // what cuGraphKernelNodeGetParams hands out
  bool is_enabled = true;             // in executable graphs
};
struct CUgraph_st {
  std::vector<std::unique_ptr<CUgraphNode_st>> nodes;  // in the order of creation
  unsigned id = 0, next_node = 0;
  std::map<CUuserObject, uint64_t> objects;  // references that it holds
  ~CUgraph_st();
};
struct CUgraphExec_st {
  std::unique_ptr<CUgraph_st> graph;
  std::vector<CUgraphNode_st*> order;  // topological
  unsigned long long flags = 0;
};

namespace sim::driver {

inline constexpr CUgraphEdgeData kFullEdge{};
// From a kernel whose dependents may start when all its blocks have said so (griddepcontrol.launch_dependents).
inline constexpr CUgraphEdgeData kProgrammaticEdge{
    CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC, 0, CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC, {}};

std::unique_ptr<CUgraph_st> new_graph();
std::unique_ptr<CUgraph_st> clone(const CUgraph_st& graph);
CUgraphNode add_node(CUgraph_st& graph, Work work, const std::vector<CUgraphNode_st::Edge>& dependencies);
// The copy of `original` in `graph`, nullptr when it has none.
CUgraphNode find_copy(const CUgraph_st& graph, const CUgraphNode_st& original);
// Every node after those that it depends on; of several that could be next, the oldest, or with a seed any of them.
// Empty for a graph with a cycle.
std::vector<CUgraphNode_st*> topological_order(const CUgraph_st& graph, uint64_t seed);
CUresult run_graph(const CUgraph_st& graph, const std::vector<CUgraphNode_st*>& order);
CUgraphNodeType type_of(const Work& work);
// Why `graph` cannot replace `mine` in an executable graph; success when it can. Nodes are paired in the order of their
// creation.
CUgraphExecUpdateResultInfo compare(const CUgraph_st& mine, const CUgraph_st& graph);

// Whether a node of an executable graph may take this in place of what it does: sets and copies of a line to a line, of
// the same kind of memory; sets of several rows to such with another address or value; copies of several rows to
// nothing else. An H100's driver draws these lines.
bool can_become(const Work& mine, const Work& wanted);

// A capture sequence: what the streams that take part in it submit becomes nodes of one graph.
struct Capture {
  unsigned long long id = 0;
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
  uint64_t thread = 0;  // that began it
  CUstream_st* origin = nullptr;
  std::vector<CUstream_st*> streams;  // origin and those that joined it by an event
  CUgraph_st* graph = nullptr;
  std::unique_ptr<CUgraph_st> owned;  // nullptr: it records into a graph of the program's
  bool is_invalid = false;
  bool is_over = false;
};
void invalidate(Capture& capture);
void leave_capture(CUstream_st& stream);  // before the stream goes: a sequence that loses a stream cannot be completed
// The stream joins or waits inside a sequence, by an event that was last recorded in one.
CUresult wait_captured(CUstream_st& stream, CUevent_st& event);

// Memory nodes. A capturing stream's cuMemAllocAsync and cuMemFreeAsync become some; a graph that has them is
// instantiated once at a time (own_memory), and before a launch nothing of the last one may be left allocated, or that
// is freed.
CUresult capture_allocation(CUstream_st& stream, size_t bytes, CUdeviceptr* out);
CUresult capture_free(CUstream_st& stream, CUdeviceptr address);
bool has_memory_nodes(const CUgraph_st& graph);
CUresult own_memory(const CUgraph_st& graph);
void disown_memory(const CUgraph_st& graph);
CUresult prepare_memory(const CUgraph_st& graph, bool frees_what_is_left);

// User objects: a copy of a graph holds as many references as the graph, until it goes.
void retain_objects(CUgraph_st& by, const CUgraph_st& of);
void drop_objects(CUgraph_st& graph);

// For calls that are unsafe while a sequence is captured (allocation, event queries, whatever waits for the card or may
// do so): CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, and the sequences concerned become invalid, unless the modes allow it.
// Which calls these are, an H100 has told (tests/driver/questions/captures.cpp).
CUresult check_capture_safe();
// For calls that a captured stream never takes: the same error, and its sequence becomes invalid.
CUresult check_not_captured(CUstream_st& stream);
// The same for calls that wait for the whole context: no mode allows them.
CUresult check_no_capture();

}  // namespace sim::driver

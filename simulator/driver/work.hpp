// A piece of work that streams and graphs run: everything it needs is in it by value, so it may run at once, or as a
// graph's node as often as one likes after the call that made it has returned.
#pragma once

#include <variant>

#include "driver/state.hpp"

struct CUgraph_st;

namespace sim::driver {

struct KernelWork {
  CUfunction function = nullptr;
  LaunchConfig config;
  std::vector<std::byte> params;  // the kernel's parameter block
  bool is_programmatic = false;   // may start before the grid ahead of it in its stream has ended
  int priority = 0;               // told to who asks; submission order is a schedule that any priority allows
};
// Rows of bytes. HOST memory is not checked, DEVICE memory must lie in one allocation, UNIFIED is whichever it is.
struct CopyWork {
  CUDA_MEMCPY3D shape{};
};
struct FillWork {
  CUDA_MEMSET_NODE_PARAMS shape{};
};
struct HostWork {
  CUDA_HOST_NODE_PARAMS call{};
};
struct RecordWork {
  CUevent event = nullptr;
};
struct WaitWork {
  CUevent event = nullptr;
};
struct EmptyWork {};
struct ChildWork {
  std::shared_ptr<CUgraph_st> graph;
};
// The place of an allocation that nodes of a graph make and free: the same address at every launch. Kept as long as the
// node or a copy of it lives.
struct GraphMemory {
  CUdeviceptr address = 0;
  size_t bytes = 0;
  bool is_freed_inside = false;  // by a node of the same graph
  bool is_instantiated = false;  // one executable graph at a time may have it
  GraphMemory() = default;
  GraphMemory(const GraphMemory&) = delete;
  ~GraphMemory();
};
struct AllocateWork {
  std::shared_ptr<GraphMemory> memory;
};
struct FreeWork {
  CUdeviceptr address = 0;
};
using Work = std::variant<EmptyWork, KernelWork, CopyWork, FillWork, HostWork, RecordWork, WaitWork, ChildWork,
                          AllocateWork, FreeWork>;

CUresult run(const Work& work);

// Checks and makes work from what callers pass; the error is what the real driver answers.
CUresult make_kernel(CUfunction function, const LaunchConfig& config, void** params, void** extra, KernelWork& out);
// The launch with the clusters that the function's attributes require, and why it cannot have its clusters ("" if it
// can).
LaunchConfig with_required_cluster(const CUfunc_st& function, LaunchConfig config);
std::string cluster_refusal(const CUfunc_st& function, const LaunchConfig& config);
CUresult make_copy(const CUDA_MEMCPY3D& shape, CopyWork& out);
CUresult make_fill(const CUDA_MEMSET_NODE_PARAMS& shape, FillWork& out);

// Memory nodes (graph_memory.cpp). A place for an allocation, and a free of one, which must be an allocation node's.
CUresult make_allocation(const CUmemPoolProps& where, size_t bytes, Work& out, CUdeviceptr* address);
CUresult make_free(const CUgraph_st& graph, CUdeviceptr address, Work& out);
CUresult run_allocation(const AllocateWork& work);
bool is_graph_memory(CUdeviceptr address, size_t bytes);  // within what some allocation node makes

// In a seeded run a kernel that lets dependents start waits for the next piece of work: `follows` says that this one
// may start early behind it. run_pending() runs what has waited; every other call of the driver begins with it.
CUresult run_kernel(const KernelWork& work, bool follows = false);
void run_pending();
CUresult run_copy(const CopyWork& work);
CUresult run_fill(const FillWork& work);

// Work on a stream runs when it is submitted: that is one of the legal schedules, since the host enqueues in an order
// that respects every event. On a stream that is being captured it becomes a node of the graph instead.
CUresult submit(CUstream stream, Work work);

}  // namespace sim::driver

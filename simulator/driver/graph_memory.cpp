// Memory nodes of graphs: allocations that come and go at launches, always at the address that was told when the node
// was made. What a graph leaves allocated lives on until cuMemFree, another graph's free node, or the next launch of an
// executable graph that frees what is left.
#include <algorithm>
#include <utility>

#include "driver/graph.hpp"

namespace sim::driver {
namespace {

CUmemPoolProps on_the_card() {
  CUmemPoolProps props{};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  return props;
}

bool is_allocated(const GraphMemory& memory) {
  const auto found = state().memory.find(memory.address, 1);
  return found && found->address == memory.address;
}

std::shared_ptr<GraphMemory> hold(size_t bytes) {
  auto memory = std::make_shared<GraphMemory>();
  memory->address = state().memory.hold(bytes, "allocation of a graph");
  memory->bytes = bytes;
  return memory->address != 0 ? memory : nullptr;
}

GraphMemory* find_memory(const CUgraph_st& graph, CUdeviceptr address) {
  for (const auto& node : graph.nodes)
    if (const auto* work = std::get_if<AllocateWork>(&node->work); work != nullptr && work->memory->address == address)
      return work->memory.get();
  return nullptr;
}

// A free node for `address` in `graph`: of an allocation of the same graph, once, or of what another graph left.
CUresult check_free(const CUgraph_st& graph, CUdeviceptr address) {
  GraphMemory* own = find_memory(graph, address);
  if (own != nullptr) return std::exchange(own->is_freed_inside, true) ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  for (const auto& node : graph.nodes)
    if (const auto* work = std::get_if<FreeWork>(&node->work); work != nullptr && work->address == address)
      return CUDA_ERROR_INVALID_VALUE;
  const auto& places = state().graph_memory;
  const auto place = places.find(address);
  return place != places.end() && !place->second->is_freed_inside ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

template <class Body>
void for_each_memory(const CUgraph_st& graph, const Body& body) {
  for (const auto& node : graph.nodes)
    if (const auto* work = std::get_if<AllocateWork>(&node->work)) body(*work->memory);
}

}  // namespace

GraphMemory::~GraphMemory() {
  state().graph_memory.erase(address);
  if (address != 0) state().memory.let_go(address);
}

bool is_graph_memory(CUdeviceptr address, size_t bytes) {
  const auto& places = state().graph_memory;
  auto place = places.upper_bound(address);
  if (place == places.begin()) return false;
  const GraphMemory& memory = *(--place)->second;
  const size_t offset = address - memory.address;
  return offset < memory.bytes && bytes <= memory.bytes - offset;
}

CUresult make_allocation(const CUmemPoolProps& where, size_t bytes, Work& out, CUdeviceptr* address) {
  if (bytes == 0 || address == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (where.allocType != CU_MEM_ALLOCATION_TYPE_PINNED || where.location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
      where.location.id != 0)
    return CUDA_ERROR_INVALID_VALUE;
  const std::shared_ptr<GraphMemory> memory = hold(bytes);
  if (memory == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  state().graph_memory[memory->address] = memory.get();
  *address = memory->address;
  out = AllocateWork{memory};
  return CUDA_SUCCESS;
}

CUresult make_free(const CUgraph_st& graph, CUdeviceptr address, Work& out) {
  out = FreeWork{address};
  return check_free(graph, address);
}

CUresult capture_allocation(CUstream_st& stream, size_t bytes, CUdeviceptr* out) {
  Work work;
  const CUresult r = make_allocation(on_the_card(), bytes, work, out);
  return r == CUDA_SUCCESS ? submit(&stream, std::move(work)) : r;
}

CUresult capture_free(CUstream_st& stream, CUdeviceptr address) {
  Work work;
  const CUresult r = make_free(*stream.capture->graph, address, work);
  return r == CUDA_SUCCESS ? submit(&stream, std::move(work)) : r;
}

CUresult run_allocation(const AllocateWork& work) {
  State& s = state();
  const GraphMemory& memory = *work.memory;
  if (memory.bytes > s.card->memory_bytes - std::min(s.card->memory_bytes, s.memory.bytes_in_use()))
    return CUDA_ERROR_OUT_OF_MEMORY;
  if (!s.memory.occupy(memory.address)) return CUDA_ERROR_INVALID_VALUE;
  s.origins[memory.address] = {Origin::Kind::kPool, 0, &s.graph_pool};
  note_allocated(s.graph_pool, memory.bytes);
  s.graph_pool.used_high = std::max(s.graph_pool.used_high, s.graph_pool.reserved);
  return CUDA_SUCCESS;
}

bool has_memory_nodes(const CUgraph_st& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const auto& node) {
    return std::holds_alternative<AllocateWork>(node->work) || std::holds_alternative<FreeWork>(node->work);
  });
}

CUresult own_memory(const CUgraph_st& graph) {
  CUresult result = CUDA_SUCCESS;
  for_each_memory(graph, [&](const GraphMemory& memory) {
    if (memory.is_instantiated)
      result = report(CUDA_ERROR_NOT_SUPPORTED, "a graph with memory nodes has one executable graph at a time", false);
  });
  if (result == CUDA_SUCCESS) for_each_memory(graph, [](GraphMemory& memory) { memory.is_instantiated = true; });
  return result;
}

void disown_memory(const CUgraph_st& graph) {
  for_each_memory(graph, [](GraphMemory& memory) { memory.is_instantiated = false; });
}

CUresult prepare_memory(const CUgraph_st& graph, bool frees_what_is_left) {
  CUresult result = CUDA_SUCCESS;
  for_each_memory(graph, [&](const GraphMemory& memory) {
    if (result != CUDA_SUCCESS || !is_allocated(memory)) return;
    result = frees_what_is_left ? release(memory.address)
                                : report(CUDA_ERROR_INVALID_VALUE,
                                         "the last launch of this graph left " +
                                             state().memory.describe(memory.address, memory.bytes) +
                                             " allocated: free it, or instantiate with AUTO_FREE_ON_LAUNCH",
                                         false);
  });
  return result;
}

}  // namespace sim::driver

using namespace sim::driver;

namespace {

CUresult on_device(CUdevice device, const std::function<CUresult()>& body) {
  return call({.context = false}, [&] { return device == 0 ? body() : CUDA_ERROR_INVALID_DEVICE; });
}

// A number of the books of graphs' memory, and where it is a high mark, what resetting makes it.
struct Attribute {
  uint64_t* number = nullptr;
  const uint64_t* resets_to = nullptr;
};
Attribute find_attribute(CUgraphMem_attribute which) {
  CUmemPoolHandle_st& pool = state().graph_pool;
  switch (which) {
    case CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT:  // all that graphs have taken from the card, until it is trimmed
      return {.number = &pool.reserved};
    case CU_GRAPH_MEM_ATTR_USED_MEM_HIGH:
      return {.number = &pool.used_high, .resets_to = &pool.reserved};
    case CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT:
      return {.number = &pool.reserved};
    case CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH:
      return {.number = &pool.reserved_high, .resets_to = &pool.reserved};
    default:
      return {};
  }
}

template <class Kind>
CUresult on_node(CUgraphNode node, const std::function<CUresult(const Kind&)>& body) {
  return call([&]() -> CUresult {
    const Kind* work = is_live(node) ? std::get_if<Kind>(&node->work) : nullptr;
    return work != nullptr ? body(*work) : CUDA_ERROR_INVALID_VALUE;
  });
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  return on_node<AllocateWork>(node, [&](const AllocateWork& work) {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *params = {};
    params->poolProps = on_the_card();
    params->bytesize = work.memory->bytes;
    params->dptr = work.memory->address;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr* address) {
  return on_node<FreeWork>(node, [&](const FreeWork& work) {
    if (address == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *address = work.address;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDeviceGraphMemTrim(CUdevice device) {
  return on_device(device, [] {
    trim(state().graph_pool, 0);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute which, void* value) {
  return on_device(device, [&] {
    const Attribute a = find_attribute(which);
    if (value == nullptr || a.number == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *static_cast<cuuint64_t*>(value) = *a.number;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute which, void* value) {
  return on_device(device, [&] {
    const Attribute a = find_attribute(which);
    if (value == nullptr || a.resets_to == nullptr || *static_cast<const cuuint64_t*>(value) != 0)
      return CUDA_ERROR_INVALID_VALUE;
    *a.number = *a.resets_to;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

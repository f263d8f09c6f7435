// User objects: host data that graphs keep alive. An object has a count of references; callers, graphs and the copies
// of graphs hold some each, and the last one to go calls the object's destructor.
#include "driver/graph.hpp"

struct CUuserObject_st {
  void* data = nullptr;
  CUhostFn destroy = nullptr;
  uint64_t references = 0;
};

namespace sim::driver {
namespace {

CUresult drop(CUuserObject object, uint64_t count) {
  if (count > object->references) return CUDA_ERROR_INVALID_VALUE;
  object->references -= count;
  if (object->references != 0) return CUDA_SUCCESS;
  state().live.erase(object);
  const HostFunction scope;
  object->destroy(object->data);
  delete object;
  return CUDA_SUCCESS;
}

CUresult on_object(CUuserObject object, unsigned count, const std::function<CUresult()>& body) {
  return call({.context = false, .healthy = false},
              [&] { return is_live(object) && count != 0 ? body() : CUDA_ERROR_INVALID_VALUE; });
}

}  // namespace

void retain_objects(CUgraph_st& by, const CUgraph_st& of) {
  by.objects = of.objects;
  for (const auto& [object, count] : by.objects) object->references += count;
}

void drop_objects(CUgraph_st& graph) {
  for (const auto& [object, count] : graph.objects) drop(object, count);
  graph.objects.clear();
}

}  // namespace sim::driver

using namespace sim::driver;

extern "C" {

CUresult CUDAAPI cuUserObjectCreate(CUuserObject* out, void* data, CUhostFn destroy, unsigned int references,
                                    unsigned int flags) {
  return call({.context = false, .healthy = false}, [&] {
    if (out == nullptr || destroy == nullptr || references == 0 || references > INT32_MAX ||
        flags != CU_USER_OBJECT_NO_DESTRUCTOR_SYNC)
      return CUDA_ERROR_INVALID_VALUE;
    *out = new CUuserObject_st{data, destroy, references};
    state().live.insert(*out);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuUserObjectRetain(CUuserObject object, unsigned int count) {
  return on_object(object, count, [&] {
    object->references += count;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuUserObjectRelease(CUuserObject object, unsigned int count) {
  return on_object(object, count, [&] { return drop(object, count); });
}
// The graph gets references of its own, or those of the caller.
CUresult CUDAAPI cuGraphRetainUserObject(CUgraph graph, CUuserObject object, unsigned int count, unsigned int flags) {
  return on_object(object, count, [&] {
    if (!is_live(graph) || (flags & ~static_cast<unsigned>(CU_GRAPH_USER_OBJECT_MOVE)) != 0)
      return CUDA_ERROR_INVALID_VALUE;
    const bool is_moved = flags == CU_GRAPH_USER_OBJECT_MOVE;
    if (is_moved && count > object->references) return CUDA_ERROR_INVALID_VALUE;
    if (!is_moved) object->references += count;
    graph->objects[object] += count;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphReleaseUserObject(CUgraph graph, CUuserObject object, unsigned int count) {
  return on_object(object, count, [&] {
    if (!is_live(graph)) return CUDA_ERROR_INVALID_VALUE;
    const auto held = graph->objects.find(object);
    if (held == graph->objects.end() || held->second < count) return CUDA_ERROR_INVALID_VALUE;
    if ((held->second -= count) == 0) graph->objects.erase(held);
    return drop(object, count);
  });
}

}  // extern "C"

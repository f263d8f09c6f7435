// User objects: host data that graphs keep alive. An object has one count of references, whoever holds them, and the
// one that makes it zero calls the destructor. Nobody checks that a caller, or a graph, has what it gives back: a count
// that falls past zero destroys nothing, and an object that is gone too early is gone for the graphs that still name
// it.
#include <algorithm>

#include "driver/graph.hpp"

struct CUuserObject_st {
  void* data = nullptr;
  CUhostFn destroy = nullptr;
  int64_t references = 0;
};

namespace sim::driver {
namespace {

CUresult drop(CUuserObject object, uint64_t count) {
  object->references -= static_cast<int64_t>(count);
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
  for (const auto& [object, count] : by.objects)
    if (is_live(object)) object->references += static_cast<int64_t>(count);
}

void drop_objects(CUgraph_st& graph) {
  for (const auto& [object, count] : graph.objects)
    if (is_live(object)) drop(object, count);
  graph.objects.clear();
}

}  // namespace sim::driver

using namespace sim::driver;

extern "C" {

CUresult CUDAAPI cuUserObjectCreate(CUuserObject* out, void* data, CUhostFn destroy, unsigned int references,
                                    unsigned int flags) {
  return call({.context = false, .healthy = false}, [&] {
    if (out == nullptr || destroy == nullptr || references == 0 || flags != CU_USER_OBJECT_NO_DESTRUCTOR_SYNC)
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
    if (flags != CU_GRAPH_USER_OBJECT_MOVE) object->references += count;
    graph->objects[object] += count;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuGraphReleaseUserObject(CUgraph graph, CUuserObject object, unsigned int count) {
  return on_object(object, count, [&] {
    if (!is_live(graph)) return CUDA_ERROR_INVALID_VALUE;
    if (const auto held = graph->objects.find(object); held != graph->objects.end()) {
      held->second -= std::min<uint64_t>(held->second, count);
      if (held->second == 0) graph->objects.erase(held);
    }
    return drop(object, count);
  });
}

}  // extern "C"

// Stream capture: what becomes a node, which edges it gets, and which calls spoil it with which error.
#include "steps.hpp"

#include <thread>

namespace {

size_t node_count(CUgraph graph) {
  size_t n = 0;
  ok(cuGraphGetNodes(graph, nullptr, &n));
  return n;
}
size_t edge_count(CUgraph graph) {
  size_t n = 0;
  ok(cuGraphGetEdges_v2(graph, nullptr, nullptr, nullptr, &n));
  return n;
}
std::string status(CUstream stream) {
  CUstreamCaptureStatus s{};
  ok(cuStreamIsCapturing(stream, &s));
  return s == CU_STREAM_CAPTURE_STATUS_NONE ? "none" : s == CU_STREAM_CAPTURE_STATUS_ACTIVE ? "active" : "invalidated";
}

}  // namespace

TEST_CASE("nothing runs while a stream is captured, and every launch of the graph runs all of it") {
  Steps t;
  Stream s;
  Words x(4, 1);
  begin(s.at);
  CHECK(status(s.at) == "active");
  ok(t.launch(s.at, x, 3, 1));
  ok(t.launch(s.at, x, 5, 2));
  const CUgraph graph = end(s.at);
  CHECK(status(s.at) == "none");
  CHECK(node_count(graph) == 2);
  CHECK(edge_count(graph) == 1);
  CHECK(x.read() == std::vector<uint32_t>(4, 1));
  Executable exec(graph);
  ok(cuGraphDestroy(graph));
  exec.run(s.at);
  CHECK(x.read() == std::vector<uint32_t>(4, (1 * 3 + 1) * 5 + 2));
  exec.run(s.at);
  CHECK(x.read() == std::vector<uint32_t>(4, (22 * 3 + 1) * 5 + 2));
}

TEST_CASE("kernel parameters are those of the capture, whatever becomes of the host variables") {
  Steps t;
  Stream s;
  Words x(2, 10);
  {
    auto p = std::make_unique<Steps::Params>(x, 2, 7);
    begin(s.at);
    ok(cuLaunchKernel(t.step, 1, 1, 1, 32, 1, 1, 0, s.at, p->pointers, nullptr));
    p->factor = 100;
    p->x = 0;
  }
  const CUgraph graph = end(s.at);
  Executable exec(graph);
  exec.run(s.at);
  CHECK(x.read() == std::vector<uint32_t>(2, 27));
  ok(cuGraphDestroy(graph));
}

TEST_CASE("copies, sets and host functions are captured; host memory is read when the graph runs") {
  Steps t;
  Stream s;
  Words x(4);
  std::vector<uint32_t> in(4, 7), out(4);
  int calls = 0;
  begin(s.at);
  ok(cuMemcpyHtoDAsync_v2(x.at, in.data(), 16, s.at));
  ok(cuMemsetD32Async(x.at, 9, 1, s.at));
  ok(t.launch(s.at, x, 1, 1));
  ok(cuMemcpyDtoHAsync_v2(out.data(), x.at, 16, s.at));
  ok(cuLaunchHostFunc(s.at, [](void* n) { ++*static_cast<int*>(n); }, &calls));
  const CUgraph graph = end(s.at);
  CHECK(calls == 0);
  CHECK(node_count(graph) == 5);
  std::vector<CUgraphNode> nodes(5);
  size_t n = 5;
  ok(cuGraphGetNodes(graph, nodes.data(), &n));
  std::vector<CUgraphNodeType> types(5);
  for (size_t i = 0; i < 5; ++i) ok(cuGraphNodeGetType(nodes[i], &types[i]));
  CHECK(types == std::vector<CUgraphNodeType>{CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_MEMSET,
                                              CU_GRAPH_NODE_TYPE_KERNEL, CU_GRAPH_NODE_TYPE_MEMCPY,
                                              CU_GRAPH_NODE_TYPE_HOST});
  Executable exec(graph);
  exec.run(s.at);
  CHECK(out == std::vector<uint32_t>{10, 8, 8, 8});
  in.assign(4, 100);
  exec.run(s.at);
  CHECK(out == std::vector<uint32_t>{10, 101, 101, 101});
  CHECK(calls == 2);
  ok(cuGraphDestroy(graph));
}

TEST_CASE("a stream joins by waiting for a captured event, and the events make the edges") {
  Steps t;
  Stream a, b;
  Event fork, join;
  Words x(1, 1), y(1, 1);
  begin(a.at);
  ok(t.launch(a.at, x, 2, 0));
  ok(cuEventRecord(fork.at, a.at));
  ok(cuStreamWaitEvent(b.at, fork.at, 0));
  CHECK(status(b.at) == "active");
  cuuint64_t id_a = 0, id_b = 1;
  CUstreamCaptureStatus st{};
  ok(cuStreamGetCaptureInfo_v3(a.at, &st, &id_a, nullptr, nullptr, nullptr, nullptr));
  ok(cuStreamGetCaptureInfo_v3(b.at, &st, &id_b, nullptr, nullptr, nullptr, nullptr));
  CHECK(id_a == id_b);
  ok(t.launch(b.at, y, 3, 0));
  ok(t.launch(a.at, x, 1, 5));
  ok(cuEventRecord(join.at, b.at));
  ok(cuStreamWaitEvent(a.at, join.at, 0));
  ok(cuMemcpyDtoDAsync_v2(x.at, y.at, 4, a.at));
  const CUgraph graph = end(a.at);
  CHECK(status(b.at) == "none");
  CHECK(node_count(graph) == 4);
  CHECK(edge_count(graph) == 4);  // the diamond
  Executable exec(graph);
  exec.run(a.at);
  CHECK(x.read() == std::vector<uint32_t>{3});
  ok(cuGraphDestroy(graph));
}

TEST_CASE("work of a joined stream that nobody waits for is an unjoined capture") {
  Steps t;
  Stream a, b;
  Event fork;
  Words y(1);
  begin(a.at);
  ok(cuEventRecord(fork.at, a.at));
  ok(cuStreamWaitEvent(b.at, fork.at, 0));
  ok(t.launch(b.at, y, 1, 1));
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_UNJOINED");
  CHECK(status(a.at) == "none");
  CHECK(status(b.at) == "none");
}

TEST_CASE("ending where it did not begin, or beginning twice, is refused") {
  Steps t;
  Stream a, b;
  Event fork;
  CHECK(end_error(a.at) == "CUDA_ERROR_ILLEGAL_STATE");
  begin(a.at);
  CHECK(name_of(cuStreamBeginCapture_v2(a.at, CU_STREAM_CAPTURE_MODE_GLOBAL)) == "CUDA_ERROR_ILLEGAL_STATE");
  ok(cuEventRecord(fork.at, a.at));
  ok(cuStreamWaitEvent(b.at, fork.at, 0));
  CHECK(end_error(b.at) == "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED");
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
}

TEST_CASE("two captures cannot be merged, and both are spoilt") {
  Context context;
  Stream a, b;
  Event e;
  begin(a.at);
  begin(b.at);
  ok(cuEventRecord(e.at, a.at));
  CHECK(name_of(cuStreamWaitEvent(b.at, e.at, 0)) == "CUDA_ERROR_STREAM_CAPTURE_MERGE");
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  CHECK(end_error(b.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
}

TEST_CASE("a captured stream cannot wait for work outside of the capture") {
  Context context;
  Stream a, b;
  Event e;
  ok(cuEventRecord(e.at, b.at));
  begin(a.at);
  CHECK(name_of(cuStreamWaitEvent(a.at, e.at, 0)) == "CUDA_ERROR_STREAM_CAPTURE_ISOLATION");
  CHECK(status(a.at) == "invalidated");
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
}

TEST_CASE("nobody can wait for a captured stream or event") {
  Context context;
  Stream a;
  Event e;
  begin(a.at);
  CHECK(name_of(cuStreamSynchronize(a.at)) == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  begin(a.at);
  CHECK(name_of(cuStreamQuery(a.at)) == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  begin(a.at);
  CHECK(name_of(cuCtxSynchronize()) == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  begin(a.at);
  ok(cuEventRecord(e.at, a.at));
  CHECK(name_of(cuEventQuery(e.at)) == "CUDA_ERROR_CAPTURED_EVENT");
  CHECK(end_error(a.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  CHECK(name_of(cuEventSynchronize(e.at)) == "CUDA_ERROR_INVALID_VALUE");  // of a capture that is over
  ok(cuEventRecord(e.at, a.at));                                           // recorded anew, outside of any capture
  ok(cuEventSynchronize(e.at));
}

TEST_CASE("the legacy stream cannot be captured, nor used while a blocking stream is") {
  Context context;
  Words x(1);
  CHECK(name_of(cuStreamBeginCapture_v2(nullptr, CU_STREAM_CAPTURE_MODE_GLOBAL)) ==
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  CHECK(name_of(cuStreamBeginCapture_v2(CU_STREAM_LEGACY, CU_STREAM_CAPTURE_MODE_RELAXED)) ==
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  Stream blocking(CU_STREAM_DEFAULT);
  begin(blocking.at);
  CHECK(name_of(cuMemsetD32Async(x.at, 1, 1, nullptr)) == "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT");
  CHECK(end_error(blocking.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  Stream free;
  begin(free.at, CU_STREAM_CAPTURE_MODE_RELAXED);
  ok(cuMemsetD32Async(x.at, 5, 1, nullptr));
  CHECK(x.read() == std::vector<uint32_t>{5});
  ok(cuGraphDestroy(end(free.at)));
}

TEST_CASE("every default stream can be waited for and asked") {
  Context context;
  for (const CUstream s : {CUstream{nullptr}, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD}) {
    ok(cuStreamSynchronize(s));
    ok(cuStreamQuery(s));
    CHECK(status(s) == "none");
  }
}

TEST_CASE("each thread's default stream can be captured") {
  Steps t;
  Words x(1, 4);
  begin(CU_STREAM_PER_THREAD);
  ok(t.launch(CU_STREAM_PER_THREAD, x, 2, 1));
  const CUgraph graph = end(CU_STREAM_PER_THREAD);
  Executable exec(graph);
  exec.run(CU_STREAM_PER_THREAD);
  CHECK(x.read() == std::vector<uint32_t>{9});
  ok(cuGraphDestroy(graph));
}

TEST_CASE("modes decide whether allocation spoils a capture") {
  Context context;
  Stream s;
  CUdeviceptr p = 0;
  for (const CUstreamCaptureMode mode : {CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL}) {
    begin(s.at, mode);
    CHECK(name_of(cuMemAlloc_v2(&p, 64)) == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
    CHECK(end_error(s.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  }
  begin(s.at, CU_STREAM_CAPTURE_MODE_RELAXED);
  ok(cuMemAlloc_v2(&p, 64));
  ok(cuMemFree_v2(p));
  ok(cuGraphDestroy(end(s.at)));
  // What frameworks do to allocate during a capture.
  begin(s.at, CU_STREAM_CAPTURE_MODE_GLOBAL);
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  ok(cuThreadExchangeStreamCaptureMode(&mode));
  CHECK(mode == CU_STREAM_CAPTURE_MODE_GLOBAL);
  ok(cuMemAlloc_v2(&p, 64));
  ok(cuMemFree_v2(p));
  ok(cuThreadExchangeStreamCaptureMode(&mode));
  CHECK(mode == CU_STREAM_CAPTURE_MODE_RELAXED);
  ok(cuGraphDestroy(end(s.at)));
  mode = static_cast<CUstreamCaptureMode>(7);  // a thread's mode may be anything
  ok(cuThreadExchangeStreamCaptureMode(&mode));
  ok(cuThreadExchangeStreamCaptureMode(&mode));
  CHECK(mode == static_cast<CUstreamCaptureMode>(7));
}

TEST_CASE(
    "another thread's allocation spoils a global capture only, and it spoils by ending it one that is not relaxed") {
  Context context;
  Stream s;
  const auto elsewhere = [&](auto f) {
    std::string result;
    std::thread([&] {
      cuCtxSetCurrent(context.handle);
      result = f();
    }).join();
    return result;
  };
  const auto allocate = [] {
    CUdeviceptr p = 0;
    const std::string r = name_of(cuMemAlloc_v2(&p, 64));
    if (p != 0) cuMemFree_v2(p);
    return r;
  };
  begin(s.at, CU_STREAM_CAPTURE_MODE_GLOBAL);
  CHECK(elsewhere(allocate) == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  CHECK(end_error(s.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  begin(s.at, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  CHECK(elsewhere(allocate) == "CUDA_SUCCESS");
  CHECK(elsewhere([&] {
          CUgraph graph = nullptr;
          return name_of(cuStreamEndCapture(s.at, &graph));
        }) == "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD");
  CHECK(end_error(s.at) == "CUDA_ERROR_ILLEGAL_STATE");  // it ended it nevertheless
  begin(s.at, CU_STREAM_CAPTURE_MODE_RELAXED);
  CHECK(elsewhere([&] {
          CUgraph graph = nullptr;
          const CUresult r = cuStreamEndCapture(s.at, &graph);
          cuGraphDestroy(graph);
          return name_of(r);
        }) == "CUDA_SUCCESS");
}

TEST_CASE("capture info names the graph and what the next node depends on, and both can be changed") {
  Steps t;
  Stream s;
  Words x(1, 1);
  CUstreamCaptureStatus st{};
  cuuint64_t id = 0;
  CUgraph graph = nullptr;
  const CUgraphNode* deps = nullptr;
  const CUgraphEdgeData* edges = nullptr;
  size_t count = 9;
  begin(s.at);
  ok(cuStreamGetCaptureInfo_v3(s.at, &st, &id, &graph, &deps, &edges, &count));
  CHECK(count == 0);
  ok(t.launch(s.at, x, 2, 0));
  ok(cuStreamGetCaptureInfo_v3(s.at, &st, &id, &graph, &deps, &edges, &count));
  REQUIRE(count == 1);
  CHECK(st == CU_STREAM_CAPTURE_STATUS_ACTIVE);
  CUgraphNode own = nullptr;
  Steps::Params p(x, 1, 3);
  const CUDA_KERNEL_NODE_PARAMS node = t.node(p);
  ok(cuGraphAddKernelNode_v2(&own, graph, deps, count, &node));
  ok(cuStreamUpdateCaptureDependencies_v2(s.at, &own, nullptr, 1, CU_STREAM_SET_CAPTURE_DEPENDENCIES));
  ok(t.launch(s.at, x, 10, 0));
  const CUgraph done = end(s.at);
  CHECK(done == graph);
  CHECK(edge_count(done) == 2);
  Executable exec(done);
  exec.run(s.at);
  CHECK(x.read() == std::vector<uint32_t>{50});
  ok(cuGraphDestroy(done));
}

TEST_CASE("a capture can go on in a graph that is there already") {
  Steps t;
  Stream s;
  Words x(1, 1);
  CUgraph graph = nullptr, done = nullptr;
  CUgraphNode first = nullptr;
  ok(cuGraphCreate(&graph, 0));
  Steps::Params p(x, 4, 0);
  const CUDA_KERNEL_NODE_PARAMS node = t.node(p);
  ok(cuGraphAddKernelNode_v2(&first, graph, nullptr, 0, &node));
  ok(cuStreamBeginCaptureToGraph(s.at, graph, &first, nullptr, 1, CU_STREAM_CAPTURE_MODE_GLOBAL));
  ok(t.launch(s.at, x, 1, 1));
  ok(cuStreamEndCapture(s.at, &done));
  CHECK(done == graph);
  CHECK(edge_count(graph) == 1);
  Executable exec(graph);
  exec.run(s.at);
  CHECK(x.read() == std::vector<uint32_t>{5});
  ok(cuGraphDestroy(graph));
}

TEST_CASE("a captured stream takes no graph that is launched or uploaded; external events become nodes") {
  Steps t;
  Stream s;
  Event e;
  Words x(1, 1);
  begin(s.at);
  ok(t.launch(s.at, x, 2, 1));
  ok(cuEventRecordWithFlags(e.at, s.at, CU_EVENT_RECORD_EXTERNAL));
  ok(t.launch(s.at, x, 10, 0));
  const CUgraph graph = end(s.at);
  std::vector<CUgraphNode> nodes(3);
  size_t n = 3;
  ok(cuGraphGetNodes(graph, nodes.data(), &n));
  REQUIRE(n == 3);
  CUgraphNodeType type{};
  ok(cuGraphNodeGetType(nodes[1], &type));
  CHECK(type == CU_GRAPH_NODE_TYPE_EVENT_RECORD);
  Executable exec(graph);
  begin(s.at);
  CHECK(name_of(cuGraphLaunch(exec.at, s.at)) == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  CHECK(end_error(s.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  begin(s.at, CU_STREAM_CAPTURE_MODE_RELAXED);
  CHECK(name_of(cuGraphUpload(exec.at, s.at)) == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
  CHECK(end_error(s.at) == "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");
  exec.run(s.at);
  CHECK(x.read() == std::vector<uint32_t>{30});
  ok(cuEventSynchronize(e.at));
  ok(cuGraphDestroy(graph));
}

TEST_CASE("programmatic launches become programmatic edges") {
  Steps t;
  Stream s;
  Words x(1, 1);
  CUlaunchAttribute pdl{};
  pdl.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  pdl.value.programmaticStreamSerializationAllowed = 1;
  begin(s.at);
  ok(t.launch(s.at, x, 2, 1));
  ok(t.launch(s.at, x, 3, 0, pdl));
  const CUgraph graph = end(s.at);
  CUgraphNode from = nullptr, to = nullptr;
  CUgraphEdgeData edge{};
  size_t n = 1;
  CHECK(name_of(cuGraphGetEdges_v2(graph, &from, &to, nullptr, &n)) == "CUDA_ERROR_LOSSY_QUERY");
  n = 1;
  ok(cuGraphGetEdges_v2(graph, &from, &to, &edge, &n));
  CHECK(n == 1);
  CHECK(edge.type == CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC);
  CHECK(edge.from_port == CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC);
  ok(cuGraphDestroy(graph));
}

TEST_CASE("a captured stream that is destroyed takes its capture along") {
  Context context;
  Stream other;
  Event e;
  CUstream s = nullptr;
  ok(cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
  begin(s);
  ok(cuEventRecord(e.at, s));
  ok(cuStreamWaitEvent(other.at, e.at, 0));
  ok(cuStreamDestroy_v2(s));
  CHECK(status(other.at) == "none");
  ok(cuStreamSynchronize(other.at));
}

// Which changes an executable graph takes, and what it says of those that it does not.
#include <functional>
#include <vector>

#include "questions.hpp"

namespace questions {
namespace {

struct Two : Nothing {
  CUmodule second = nullptr;
  CUfunction g = nullptr, none = nullptr;
  CUdeviceptr memory = new_memory(4096), more = new_memory(4096);
  std::vector<char> host = std::vector<char>(4096);
  Two() {
    must(cuModuleLoadData(&second, kNothing));
    must(cuModuleGetFunction(&g, second, "nothing"));
    must(cuModuleGetFunction(&none, module, "no_parameters"));
  }
  CUDA_MEMSET_NODE_PARAMS set() const {
    return {.dst = memory, .pitch = 64, .value = 1, .elementSize = 4, .width = 16, .height = 1};
  }
  CUDA_MEMCPY3D copy() {
    CUDA_MEMCPY3D p{};
    p.srcMemoryType = CU_MEMORYTYPE_HOST;
    p.srcHost = host.data();
    p.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    p.dstDevice = memory;
    p.WidthInBytes = 64;
    p.Height = p.Depth = 1;
    return p;
  }
  CUgraph kernels(unsigned count, bool are_chained = true, CUfunction f_or_own = nullptr, unsigned threads = 32) {
    const CUgraph graph = new_graph();
    CUgraphNode before = nullptr;
    for (unsigned i = 0; i < count; ++i) {
      CUDA_KERNEL_NODE_PARAMS p = node(threads);
      if (f_or_own != nullptr) p.func = f_or_own;
      const CUgraphNode last = before;
      must(cuGraphAddKernelNode(&before, graph, &last, are_chained && last != nullptr ? 1 : 0, &p));
    }
    return graph;
  }
};

void whole(const Answers& say) {
  Two t;
  const auto ask = [&](const std::string& what, CUgraph from, CUgraph to) {
    CUgraphExec exec = nullptr;
    CUgraphExecUpdateResultInfo info{};
    must(cuGraphInstantiate(&exec, from, 0));
    const CUresult r = cuGraphExecUpdate(exec, to, &info);
    say.write("cuGraphExecUpdate to " + what, name_of(r) + ", result " + std::to_string(info.result) +
                                                  (info.errorNode != nullptr ? ", a node" : "") +
                                                  (info.errorFromNode != nullptr ? ", from a node" : ""));
    cuGraphExecDestroy(exec);
  };
  const auto of = [&](auto add) {
    const CUgraph graph = new_graph();
    CUgraphNode node = nullptr;
    add(graph, node);
    return graph;
  };
  const auto set = [&](auto change) {
    return of([&](CUgraph graph, CUgraphNode& node) {
      CUDA_MEMSET_NODE_PARAMS p = t.set();
      change(p);
      must(cuGraphAddMemsetNode(&node, graph, nullptr, 0, &p, t.at));
    });
  };
  const auto copy = [&](auto change) {
    return of([&](CUgraph graph, CUgraphNode& node) {
      CUDA_MEMCPY3D p = t.copy();
      change(p);
      must(cuGraphAddMemcpyNode(&node, graph, nullptr, 0, &p, t.at));
    });
  };
  using Set = CUDA_MEMSET_NODE_PARAMS;
  using Copy = CUDA_MEMCPY3D;
  ask("the same", t.kernels(2), t.kernels(2));
  ask("other blocks", t.kernels(2), t.kernels(2, true, nullptr, 64));
  ask("a function of another module", t.kernels(2), t.kernels(2, true, t.g));
  ask("a function with other parameters", t.kernels(2), t.kernels(2, true, t.none));
  ask("nodes without their edge", t.kernels(2), t.kernels(2, false));
  ask("nodes with an edge more", t.kernels(2, false), t.kernels(2));
  ask("more nodes", t.kernels(2), t.kernels(3));
  ask("fewer nodes", t.kernels(3), t.kernels(2));
  ask("nothing", t.kernels(1), new_graph());
  ask("an empty node instead of a kernel", t.kernels(1),
      of([](CUgraph graph, CUgraphNode& n) { must(cuGraphAddEmptyNode(&n, graph, nullptr, 0)); }));
  ask("a set instead of a kernel", t.kernels(1), set([](Set&) {}));
  ask("a cooperative kernel", t.kernels(1), of([&](CUgraph graph, CUgraphNode& n) {
        const CUDA_KERNEL_NODE_PARAMS p = t.node();
        must(cuGraphAddKernelNode(&n, graph, nullptr, 0, &p));
        CUkernelNodeAttrValue value{};
        value.cooperative = 1;
        must(cuGraphKernelNodeSetAttribute(n, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value));
      }));
  ask("a kernel of another priority", t.kernels(1), of([&](CUgraph graph, CUgraphNode& n) {
        const CUDA_KERNEL_NODE_PARAMS p = t.node();
        must(cuGraphAddKernelNode(&n, graph, nullptr, 0, &p));
        CUkernelNodeAttrValue value{};
        value.priority = -3;
        must(cuGraphKernelNodeSetAttribute(n, CU_LAUNCH_ATTRIBUTE_PRIORITY, &value));
      }));
  ask("another value to set", set([](Set&) {}), set([](Set& p) { p.value = 7; }));
  ask("another address to set", set([](Set&) {}), set([&](Set& p) { p.dst = t.more; }));
  ask("another width to set", set([](Set&) {}), set([](Set& p) { p.width = 8; }));
  ask("another element to set", set([](Set&) {}), set([](Set& p) { p.elementSize = 1; }));
  ask("more rows to set", set([](Set&) {}), set([](Set& p) { p.height = 4; }));
  ask("rows of another pitch to set", set([](Set& p) { p.height = 4; }), set([](Set& p) {
        p.height = 4;
        p.pitch = 128;
      }));
  const auto rows = [&](auto change) {
    return set([&](Set& p) {
      p.height = 4;
      change(p);
    });
  };
  ask("rows of another value to set", rows([](Set&) {}), rows([](Set& p) { p.value = 7; }));
  ask("rows at another address to set", rows([](Set&) {}), rows([&](Set& p) { p.dst = t.more; }));
  ask("rows of another width to set", rows([](Set&) {}), rows([](Set& p) { p.width = 8; }));
  ask("fewer rows to set", rows([](Set&) {}), rows([](Set& p) { p.height = 3; }));
  const auto box = [&](auto change) {
    return copy([&](Copy& p) {
      p.Height = 2;
      p.srcPitch = p.dstPitch = 64;
      change(p);
    });
  };
  ask("rows at another address to copy to", box([](Copy&) {}), box([&](Copy& p) { p.dstDevice = t.more; }));
  ask("rows of another width to copy", box([](Copy&) {}), box([](Copy& p) { p.WidthInBytes = 32; }));
  ask("rows of another pitch to copy", box([](Copy&) {}), box([](Copy& p) { p.dstPitch = 128; }));
  ask("more rows to copy", box([](Copy&) {}), box([](Copy& p) { p.Height = 3; }));
  ask("another address to copy to", copy([](Copy&) {}), copy([&](Copy& p) { p.dstDevice = t.more; }));
  ask("another number of bytes to copy", copy([](Copy&) {}), copy([](Copy& p) { p.WidthInBytes = 32; }));
  ask("a copy of another kind of memory", copy([](Copy&) {}), copy([&](Copy& p) {
        p.srcMemoryType = CU_MEMORYTYPE_DEVICE;
        p.srcDevice = t.more;
      }));
  ask("a copy of several rows", copy([](Copy&) {}), copy([](Copy& p) {
        p.Height = 2;
        p.srcPitch = p.dstPitch = 64;
      }));
  const CUDA_HOST_NODE_PARAMS one{[](void*) {}, nullptr}, two{[](void*) { must(CUDA_SUCCESS); }, &t};
  const auto host = [&](const CUDA_HOST_NODE_PARAMS& p) {
    return of([&](CUgraph graph, CUgraphNode& n) { must(cuGraphAddHostNode(&n, graph, nullptr, 0, &p)); });
  };
  ask("another host function", host(one), host(two));
  const auto record = [&](CUevent e) {
    return of([&](CUgraph graph, CUgraphNode& n) { must(cuGraphAddEventRecordNode(&n, graph, nullptr, 0, e)); });
  };
  ask("another event", record(new_event()), record(new_event()));
  const auto child = [&](CUgraph inner) {
    return of([&](CUgraph graph, CUgraphNode& n) { must(cuGraphAddChildGraphNode(&n, graph, nullptr, 0, inner)); });
  };
  ask("a child of the same shape", child(t.kernels(2)), child(t.kernels(2, true, nullptr, 64)));
  ask("a child of another shape", child(t.kernels(2)), child(t.kernels(3)));
}

void single(const Answers& say) {
  Two t;
  const CUgraph graph = new_graph(), other = new_graph();
  CUgraphNode kernel = nullptr, set = nullptr, copy = nullptr, host = nullptr, record = nullptr, foreign = nullptr,
              child = nullptr;
  const CUDA_KERNEL_NODE_PARAMS k = t.node();
  const CUDA_MEMSET_NODE_PARAMS s = t.set();
  const CUDA_MEMCPY3D c = t.copy();
  const CUDA_HOST_NODE_PARAMS h{[](void*) {}, nullptr};
  must(cuGraphAddKernelNode(&kernel, graph, nullptr, 0, &k));
  must(cuGraphAddKernelNode(&foreign, other, nullptr, 0, &k));
  must(cuGraphAddMemsetNode(&set, graph, nullptr, 0, &s, t.at));
  must(cuGraphAddMemcpyNode(&copy, graph, nullptr, 0, &c, t.at));
  must(cuGraphAddHostNode(&host, graph, nullptr, 0, &h));
  must(cuGraphAddEventRecordNode(&record, graph, nullptr, 0, new_event()));
  must(cuGraphAddChildGraphNode(&child, graph, nullptr, 0, t.kernels(2)));
  CUgraphExec exec = nullptr;
  must(cuGraphInstantiate(&exec, graph, 0));
  const auto change_kernel = [&](const std::string& what, CUgraphNode node, auto change) {
    CUDA_KERNEL_NODE_PARAMS p = t.node();
    change(p);
    say("cuGraphExecKernelNodeSetParams " + what, cuGraphExecKernelNodeSetParams(exec, node, &p));
  };
  using Kernel = CUDA_KERNEL_NODE_PARAMS;
  change_kernel("to other blocks", kernel, [](Kernel& p) { p.blockDimX = 64; });
  change_kernel("to a block of 2000", kernel, [](Kernel& p) { p.blockDimX = 2000; });
  change_kernel("to a function of another module", kernel, [&](Kernel& p) { p.func = t.g; });
  change_kernel("to a function without parameters", kernel, [&](Kernel& p) {
    p.func = t.none;
    p.kernelParams = nullptr;
  });
  change_kernel("of a node of another graph", foreign, [](Kernel&) {});
  change_kernel("of a set node", set, [](Kernel&) {});
  const auto change_set = [&](const std::string& what, auto change) {
    CUDA_MEMSET_NODE_PARAMS p = t.set();
    change(p);
    say("cuGraphExecMemsetNodeSetParams " + what, cuGraphExecMemsetNodeSetParams(exec, set, &p, t.at));
  };
  using Set = CUDA_MEMSET_NODE_PARAMS;
  change_set("to another value", [](Set& p) { p.value = 9; });
  change_set("to another width", [](Set& p) { p.width = 8; });
  change_set("to another element", [](Set& p) { p.elementSize = 2; });
  change_set("to elements of 3", [](Set& p) { p.elementSize = 3; });
  change_set("to more rows", [](Set& p) { p.height = 4; });
  change_set("to another address", [&](Set& p) { p.dst = t.more; });
  change_set("to an unknown address", [](Set& p) { p.dst = 0x1000; });
  const auto change_copy = [&](const std::string& what, auto change) {
    CUDA_MEMCPY3D p = t.copy();
    change(p);
    say("cuGraphExecMemcpyNodeSetParams " + what, cuGraphExecMemcpyNodeSetParams(exec, copy, &p, t.at));
  };
  using Copy = CUDA_MEMCPY3D;
  change_copy("to another address", [&](Copy& p) { p.dstDevice = t.more; });
  change_copy("to fewer bytes", [](Copy& p) { p.WidthInBytes = 32; });
  change_copy("to another kind of memory", [&](Copy& p) {
    p.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    p.srcDevice = t.more;
  });
  change_copy("to the other direction", [&](Copy& p) {
    p = {};
    p.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    p.srcDevice = t.memory;
    p.dstMemoryType = CU_MEMORYTYPE_HOST;
    p.dstHost = t.host.data();
    p.WidthInBytes = 64;
    p.Height = p.Depth = 1;
  });
  CUDA_HOST_NODE_PARAMS none{};
  say("cuGraphExecHostNodeSetParams to no function", cuGraphExecHostNodeSetParams(exec, host, &none));
  say("cuGraphExecHostNodeSetParams", cuGraphExecHostNodeSetParams(exec, host, &h));
  say("cuGraphExecEventRecordNodeSetEvent", cuGraphExecEventRecordNodeSetEvent(exec, record, new_event()));
  say("cuGraphExecEventRecordNodeSetEvent of a kernel", cuGraphExecEventRecordNodeSetEvent(exec, kernel, new_event()));
  say("cuGraphExecChildGraphNodeSetParams to the same shape",
      cuGraphExecChildGraphNodeSetParams(exec, child, t.kernels(2)));
  say("cuGraphExecChildGraphNodeSetParams to more nodes",
      cuGraphExecChildGraphNodeSetParams(exec, child, t.kernels(3)));
  say("cuGraphExecChildGraphNodeSetParams without the edge",
      cuGraphExecChildGraphNodeSetParams(exec, child, t.kernels(2, false)));
  say("cuGraphLaunch after the changes", cuGraphLaunch(exec, nullptr));
}

constexpr Group kGroups[] = {{"updates: whole graphs", whole}, {"updates: single nodes", single}};

}  // namespace

std::span<const Group> about_updates() { return kGroups; }

}  // namespace questions

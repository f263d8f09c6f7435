// Clusters through the driver: attributes, occupancy, refused launches, graph nodes. What each call answers is what an
// H100's driver did (580.159.04, 2026-11-26); how many fit is the simulated card's.
#include <vector>

#include "fixture.hpp"

namespace {

// Each block stores the blocks of its cluster, and what the block that is its mirror in the cluster has as its rank.
std::string ranks_ptx(const std::string& directives) {
  return R"(.version 8.7
.target sm_90
.address_size 64
.visible .entry ranks(.param .u64 out) )" +
         directives + R"({
  .reg .b32 %r<12>; .reg .b64 %rd<4>;
  .shared .align 4 .b32 mine;
  ld.param.u64 %rd1, [out];
  mov.u32 %r1, %cluster_ctarank;
  mov.u32 %r2, %cluster_nctarank;
  st.shared.u32 [mine], %r1;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  sub.u32 %r3, %r2, 1;
  sub.u32 %r3, %r3, %r1;
  mov.u32 %r4, mine;
  mapa.shared::cluster.u32 %r5, %r4, %r3;
  ld.shared::cluster.u32 %r6, [%r5];
  mad.lo.u32 %r6, %r2, 100, %r6;
  mov.u32 %r7, %ctaid.x;
  mul.wide.u32 %rd2, %r7, 4;
  add.u64 %rd3, %rd1, %rd2;
  st.global.u32 [%rd3], %r6;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  ret;
}
)";
}

struct Ranks {
  Context context;
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  CUdeviceptr out = 0;
  CUlaunchAttribute attributes[2] = {};
  void* params[1] = {&out};

  explicit Ranks(const std::string& directives = "") {
    ok(cuModuleLoadData(&module, ranks_ptx(directives).c_str()));
    ok(cuModuleGetFunction(&function, module, "ranks"));
    ok(cuMemAlloc_v2(&out, 64 * 4));
    ok(cuMemsetD32_v2(out, 0, 64));
  }
  ~Ranks() {
    cuMemFree_v2(out);
    cuModuleUnload(module);
  }
  // `cluster` blocks along x, 0: the launch says nothing.
  CUlaunchConfig config(unsigned grid, unsigned cluster, bool is_cooperative = false) {
    CUlaunchConfig c{};
    c.gridDimX = grid;
    c.gridDimY = c.gridDimZ = c.blockDimY = c.blockDimZ = 1;
    c.blockDimX = 32;
    c.attrs = attributes;
    c.numAttrs = 0;
    if (cluster != 0) {
      attributes[0].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
      attributes[0].value.clusterDim = {cluster, 1, 1};
      c.numAttrs = 1;
    }
    if (is_cooperative) {
      attributes[c.numAttrs].id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
      attributes[c.numAttrs++].value.cooperative = 1;
    }
    return c;
  }
  std::string launch(unsigned grid, unsigned cluster, bool is_cooperative = false) {
    const CUlaunchConfig c = config(grid, cluster, is_cooperative);
    return name_of(cuLaunchKernelEx(&c, function, params, nullptr));
  }
  std::vector<uint32_t> words(size_t n) {
    std::vector<uint32_t> w(n);
    ok(cuMemcpyDtoH_v2(w.data(), out, n * 4));
    return w;
  }
  int attribute(CUfunction_attribute which) {
    int value = -1;
    ok(cuFuncGetAttribute(&value, which, function));
    return value;
  }
  std::string active(unsigned grid, unsigned cluster) {
    const CUlaunchConfig c = config(grid, cluster);
    int n = -1;
    const CUresult r = cuOccupancyMaxActiveClusters(&n, function, &c);
    return r == CUDA_SUCCESS ? std::to_string(n) : name_of(r);
  }
  std::string potential(unsigned grid, unsigned cluster) {
    const CUlaunchConfig c = config(grid, cluster);
    int n = -1;
    const CUresult r = cuOccupancyMaxPotentialClusterSize(&n, function, &c);
    return r == CUDA_SUCCESS ? std::to_string(n) : name_of(r);
  }
};

const std::string kOk = "CUDA_SUCCESS", kInvalid = "CUDA_ERROR_INVALID_CLUSTER_SIZE";

}  // namespace

TEST_CASE("launches have the clusters that they ask for, or that the kernel requires") {
  {
    Ranks r;
    int has = 0;
    ok(cuDeviceGetAttribute(&has, CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, 0));
    CHECK(has == 1);
    CHECK(r.launch(4, 2) == kOk);
    CHECK(r.words(4) == std::vector<uint32_t>{201, 200, 201, 200});
    CHECK(r.launch(8, 8) == kOk);
    CHECK(r.words(3) == std::vector<uint32_t>{807, 806, 805});
    CHECK(r.launch(4, 0) == kOk);
    CHECK(r.words(2) == std::vector<uint32_t>{100, 100});
    CHECK(r.launch(4, 4, true) == kOk);
    CHECK(r.launch(3, 2) == kInvalid);
    CHECK(r.launch(9, 9) == kInvalid);
    ok(cuFuncSetAttribute(r.function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
    CHECK(r.launch(9, 9) == kOk);
    CHECK(r.launch(32, 32) == kInvalid);
    CHECK(r.launch(1u << 20, 2, true) == "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE");
    CHECK(name_of(cuCtxSynchronize()) == kOk);
  }
  {
    Ranks r(".reqnctapercluster 2");
    CHECK(r.launch(4, 0) == kOk);
    CHECK(r.words(2) == std::vector<uint32_t>{201, 200});
    CHECK(r.launch(4, 2) == kOk);
    CHECK(r.launch(4, 4) == kInvalid);
    CHECK(r.launch(3, 0) == kInvalid);
  }
  {
    Ranks r(".explicitcluster .maxclusterrank 2");
    CHECK(r.launch(4, 0) == kInvalid);
    CHECK(r.launch(4, 2) == kOk);
    CHECK(r.launch(4, 4) == kInvalid);
  }
}

TEST_CASE("function attributes tell of clusters and require them") {
  Ranks plain, required(".reqnctapercluster 2, 2"), named(".explicitcluster");
  CHECK(named.attribute(CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET) == 1);
  CHECK(required.attribute(CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET) == 0);
  CHECK(required.attribute(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT) == 2);
  CHECK(required.attribute(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH) == 1);
  CHECK(name_of(cuFuncSetAttribute(required.function, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 2)) == kOk);
  CHECK(name_of(cuFuncSetAttribute(required.function, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 4)) ==
        "CUDA_ERROR_INVALID_VALUE");
  CHECK(plain.attribute(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH) == 0);
  const auto set = [&](CUfunction_attribute which, int value) {
    return name_of(cuFuncSetAttribute(plain.function, which, value));
  };
  CHECK(set(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 0) == kOk);
  CHECK(set(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT, 1) == kOk);
  CHECK(set(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH, 1) == kOk);
  CHECK(plain.launch(4, 0) == kInvalid);
  CHECK(set(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 2) == kOk);
  CHECK(plain.attribute(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH) == 2);
  CHECK(plain.launch(4, 0) == kOk);
  CHECK(plain.words(2) == std::vector<uint32_t>{201, 200});
  CHECK(plain.launch(4, 4) == kInvalid);
  CHECK(set(CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE, 1) == kOk);
  CHECK(set(CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE, 7) == "CUDA_ERROR_INVALID_VALUE");
  CHECK(plain.attribute(CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE) == 1);
}

TEST_CASE("occupancy counts clusters where the launch names them, and says how large they may be") {
  Ranks r;
  CHECK(r.active(2, 0) == "0");
  const int one = std::stoi(r.active(2, 1)), pairs = std::stoi(r.active(2, 2)), eights = std::stoi(r.active(8, 8));
  CHECK(one == 188 * 8);  // 8 blocks at most on each of 188 SMs
  CHECK(pairs == 188 * 4);
  CHECK(eights == 10 * 16 + 2 * 14);  // 94 pairs of SMs in 12 GPCs
  CHECK(r.potential(2, 0) == "8");
  CHECK(r.active(3, 2) == kInvalid);
  CHECK(r.potential(9, 9) == kInvalid);
  ok(cuFuncSetAttribute(r.function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
  CHECK(r.potential(2, 2) == "12");
}

TEST_CASE("a kernel node keeps its cluster, and takes another") {
  Ranks r;
  CUstream stream = nullptr;
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  CUgraphNode node = nullptr;
  size_t count = 1;
  ok(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  ok(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  CUlaunchConfig c = r.config(4, 2);
  c.hStream = stream;
  ok(cuLaunchKernelEx(&c, r.function, r.params, nullptr));
  ok(cuStreamEndCapture(stream, &graph));
  ok(cuGraphGetNodes(graph, &node, &count));
  CUkernelNodeAttrValue value{};
  ok(cuGraphKernelNodeGetAttribute(node, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, &value));
  CHECK(value.clusterDim.x == 2);
  value.clusterDim.x = 3;
  CHECK(name_of(cuGraphKernelNodeSetAttribute(node, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, &value)) == kInvalid);
  value.clusterDim.x = 4;
  ok(cuGraphKernelNodeSetAttribute(node, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, &value));
  ok(cuGraphInstantiateWithFlags(&executable, graph, 0));
  ok(cuGraphLaunch(executable, stream));
  ok(cuStreamSynchronize(stream));
  CHECK(r.words(4) == std::vector<uint32_t>{403, 402, 401, 400});
  ok(cuGraphExecDestroy(executable));
  ok(cuGraphDestroy(graph));
  ok(cuStreamDestroy_v2(stream));
}

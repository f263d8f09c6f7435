// Programmatic dependent launch. In a seeded run a dependent grid gets as far as its griddepcontrol.wait at the moment
// at which the grid before it triggers, so that what it reads too early is not there yet; without a seed grids run one
// after another, which hides that.
#include "fixture.hpp"

#include <algorithm>
#include <map>
#include <utility>

extern "C" CUresult simSetOptions(const char* check, const char* async, uint64_t seed, const char* findings_file);

namespace {

// Entry 0: x[block] = 1, trigger, x[block] = 2. Entry 1: a[block] = x[block] early, wait, b[block] = x[block]. Entry 2:
// like 1, but it lets its own dependents start first. Entry 3: block 0 ends without a trigger.
constexpr char kPtx[] = R"(.version 8.0
.target sm_90
.address_size 64
.visible .entry primary(.param .u64 x, .param .u64 a, .param .u64 b)
{
  .reg .b32 %r<4>; .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [x];
  mov.u32 %r1, %ctaid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  mov.u32 %r2, 1;
  st.global.u32 [%rd3], %r2;
  griddepcontrol.launch_dependents;
  mov.u32 %r2, 2;
  st.global.u32 [%rd3], %r2;
  ret;
}
.visible .entry secondary(.param .u64 x, .param .u64 a, .param .u64 b)
{
  .reg .b32 %r<4>; .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [x];
  ld.param.u64 %rd4, [a];
  ld.param.u64 %rd5, [b];
  mov.u32 %r1, %ctaid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd1, %rd1, %rd2;
  add.s64 %rd4, %rd4, %rd2;
  add.s64 %rd5, %rd5, %rd2;
  ld.global.u32 %r2, [%rd1];
  st.global.u32 [%rd4], %r2;
  griddepcontrol.wait;
  ld.global.u32 %r2, [%rd1];
  st.global.u32 [%rd5], %r2;
  ret;
}
.visible .entry middle(.param .u64 x, .param .u64 a, .param .u64 b)
{
  .reg .b32 %r<4>; .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [x];
  mov.u32 %r1, %ctaid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd1, %rd1, %rd2;
  griddepcontrol.launch_dependents;
  griddepcontrol.wait;
  ld.global.u32 %r2, [%rd1];
  mul.lo.u32 %r2, %r2, 10;
  st.global.u32 [%rd1], %r2;
  ret;
}
.visible .entry uneven(.param .u64 x, .param .u64 a, .param .u64 b)
{
  .reg .pred %p<2>; .reg .b32 %r<4>; .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [x];
  mov.u32 %r1, %ctaid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  mov.u32 %r2, 5;
  setp.eq.u32 %p1, %r1, 0;
  @%p1 bra DONE;
  griddepcontrol.launch_dependents;
DONE:
  st.global.u32 [%rd3], %r2;
  ret;
}
)";

constexpr unsigned kBlocks = 6;
using Values = std::vector<uint32_t>;

struct Chain : Context {
  CUmodule module = nullptr;
  CUstream stream = nullptr;
  Words x{kBlocks}, a{kBlocks, 99}, b{kBlocks, 99};
  // Looked up before anything is launched: any call but a launch runs what is pending.
  std::map<std::string, CUfunction> functions;
  explicit Chain(uint64_t seed) {
    ok(simSetOptions("", "", seed, ""));
    ok(cuModuleLoadData(&module, kPtx));
    ok(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    for (const char* name : {"primary", "secondary", "middle", "uneven"})
      ok(cuModuleGetFunction(&functions[name], module, name));
  }
  ~Chain() {
    cuStreamDestroy_v2(stream);
    cuModuleUnload(module);
    simSetOptions("", "", 0, "");
  }
  void launch(const char* name, bool is_programmatic) {
    CUlaunchAttribute attribute{};
    attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attribute.value.programmaticStreamSerializationAllowed = is_programmatic;
    CUlaunchConfig config{};
    config.gridDimX = kBlocks;
    config.gridDimY = config.gridDimZ = config.blockDimX = config.blockDimY = config.blockDimZ = 1;
    config.hStream = stream;
    config.attrs = &attribute;
    config.numAttrs = 1;
    void* params[] = {&x.at, &a.at, &b.at};
    ok(cuLaunchKernelEx(&config, functions.at(name), params, nullptr));
  }
  // Every block of the primary has written 1 before the trigger is complete. The block that completed it has not
  // written 2, the others may have.
  void check_early() {
    const Values early = a.read();
    const auto ones = std::count(early.begin(), early.end(), 1u), twos = std::count(early.begin(), early.end(), 2u);
    CHECK(ones >= 1);
    CHECK(ones + twos == kBlocks);
  }
};

}  // namespace

TEST_CASE("with a seed, what a dependent grid reads before its wait is what was there at the trigger") {
  for (const uint64_t seed : {1, 2, 3, 77}) {
    CAPTURE(seed);
    Chain t(seed);
    t.launch("primary", false);
    t.launch("secondary", true);
    ok(cuStreamSynchronize(t.stream));
    t.check_early();
    CHECK(t.b.read() == Values(kBlocks, 2));
  }
}

TEST_CASE("without a seed, or without the attribute, grids run one after another") {
  for (const auto& [seed, is_programmatic] : {std::pair{0u, true}, std::pair{5u, false}}) {
    Chain t(seed);
    t.launch("primary", false);
    t.launch("secondary", is_programmatic);
    ok(cuStreamSynchronize(t.stream));
    CHECK(t.a.read() == Values(kBlocks, 2));
    CHECK(t.b.read() == Values(kBlocks, 2));
  }
}

TEST_CASE("a grid in the middle lets the next one start while it waits itself") {
  Chain t(9);
  t.launch("primary", false);
  t.launch("middle", true);
  t.launch("secondary", true);
  ok(cuStreamSynchronize(t.stream));
  t.check_early();
  CHECK(t.b.read() == Values(kBlocks, 20));
}

TEST_CASE("a block that ends without a trigger does not keep dependents waiting") {
  Chain t(4);
  t.launch("uneven", false);
  t.launch("secondary", true);
  ok(cuStreamSynchronize(t.stream));
  CHECK(t.b.read() == Values(kBlocks, 5));
}

TEST_CASE("a captured chain overlaps in the same way whenever its graph runs") {
  Chain t(6);
  CUgraph graph = nullptr;
  CUgraphExec exec = nullptr;
  ok(cuStreamBeginCapture_v2(t.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  t.launch("primary", false);
  t.launch("secondary", true);
  ok(cuStreamEndCapture(t.stream, &graph));
  ok(cuGraphInstantiateWithFlags(&exec, graph, 0));
  for (int k = 0; k < 3; ++k) {
    ok(cuMemsetD32_v2(t.x.at, 0, kBlocks));
    ok(cuGraphLaunch(exec, t.stream));
    ok(cuStreamSynchronize(t.stream));
    t.check_early();
    CHECK(t.b.read() == Values(kBlocks, 2));
  }
  ok(cuGraphExecDestroy(exec));
  ok(cuGraphDestroy(graph));
}

TEST_CASE("a primary that fails stops the chain") {
  Chain t(8);
  const CUdeviceptr x = t.x.at;
  t.x.at = 64;
  t.launch("primary", false);
  t.x.at = x;
  t.launch("secondary", true);
  CHECK(name_of(cuStreamSynchronize(t.stream)) == "CUDA_ERROR_ILLEGAL_ADDRESS");
  ok(cuDevicePrimaryCtxReset_v2(0));
  CHECK(t.b.read() == Values(kBlocks, 99));
}

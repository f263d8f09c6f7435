// What the tests of clusters share: a kernel round a body, with registers set up, and its launch on card h200.
#pragma once

#include <algorithm>

#include "program.hpp"

namespace sim::test {

inline constexpr uint32_t kWordsOfBlock = 256;  // of `out`
inline constexpr uint32_t kUntouched = 0xcccccccc;

// %r20 = &data[tid], %r21 = tid, %r22 = rank, %r23 = blocks of the cluster, %r24 = &bars; %rd1 = in, %rd2 = the block's
// words of `out`, %rd4 = the thread's. `data` has 1 KB, `area` 4 KB, `bars` four mbarriers.
inline std::string kernel(const std::string& body, const std::string& directives) {
  return header("sm_90a") + ".visible .entry test(.param .u64 in, .param .u64 out) " + directives + R"({
  .reg .b32 %r<40>; .reg .b64 %rd<20>; .reg .pred %p<12>; .reg .b16 %rs<8>; .reg .f32 %f<8>;
  .shared .align 128 .b8 area[4096];
  .shared .align 16 .b8 data[1024];
  .shared .align 8 .b64 bars[4];
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r21, %tid.x;
  mov.u32 %r22, %cluster_ctarank;
  mov.u32 %r23, %cluster_nctarank;
  mov.u32 %r24, bars;
  mov.u32 %r20, data;
  mad.lo.u32 %r20, %r21, 4, %r20;
  mov.u32 %r38, %nctaid.y;
  mov.u32 %r39, %ctaid.z;
  mov.u32 %r37, %ctaid.y;
  mad.lo.u32 %r39, %r39, %r38, %r37;
  mov.u32 %r38, %nctaid.x;
  mov.u32 %r37, %ctaid.x;
  mad.lo.u32 %r39, %r39, %r38, %r37;
  mul.wide.u32 %rd3, %r39, 1024;
  add.u64 %rd2, %rd2, %rd3;
  mul.wide.u32 %rd3, %r21, 4;
  add.u64 %rd4, %rd2, %rd3;
)" + body +
         "  ret;\n}\n";
}

struct Outcome {
  LaunchResult result;
  std::vector<uint32_t> out;
};

inline Outcome run(const std::string& body, Launch launch, const std::string& directives = "") {
  launch.card = "h200";
  Program program(kernel(body, directives));
  std::vector<uint8_t> in(8192);
  for (size_t k = 0; k < in.size(); ++k) in[k] = static_cast<uint8_t>(k * 7 + k / 256);
  Outcome o;
  o.out.assign(32 * kWordsOfBlock, kUntouched);
  program.add(in, "in");
  program.add(o.out, "out");
  o.result = program.run("test", launch, {pointer(in), pointer(o.out)});
  return o;
}

inline std::string cluster_sync(const std::string& aligned = ".aligned") {
  return "  barrier.cluster.arrive.release" + aligned + ";\n  barrier.cluster.wait.acquire" + aligned + ";\n";
}

}  // namespace sim::test

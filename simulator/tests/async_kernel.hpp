// What the tests of asynchronous instructions share: a kernel round a piece of PTX, and the launch of it.
#pragma once

#include "program.hpp"

namespace sim::test {

// One thread: `body` uses %rd2 (out), %rd1 (in), %r1 (shared address of the 8-byte-aligned `bar`), %r2 (of `tile`, 4096
// bytes), %tid in %r3, scratch %r4.., %rd4.., %p1..
inline std::string kernel(const std::string& body, const char* target = "sm_90a") {
  return header(target) + R"(
.visible .entry test(.param .u64 in, .param .u64 out) {
  .shared .align 8 .b64 bar[8];
  .shared .align 128 .b8 tile[4096];
  .reg .b32 %r<40>; .reg .b64 %rd<40>; .reg .pred %p<10>; .reg .b16 %rs<4>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, bar;
  mov.u32 %r2, tile;
  mov.u32 %r3, %tid.x;
)" + body +
         "\n  ret;\n}\n";
}

struct Outcome {
  LaunchResult result;
  std::vector<uint64_t> out;
};

inline std::vector<uint8_t> pattern(size_t bytes) {
  std::vector<uint8_t> data(bytes);
  for (size_t k = 0; k < bytes; ++k) data[k] = static_cast<uint8_t>(k * 7 + k / 256);
  return data;
}

// On the card and for the target that `launch` and `target` say.
inline Outcome run_on(const char* target, const std::string& body, const Launch& launch) {
  Program program(kernel(body, target));
  std::vector<uint8_t> in = pattern(4096);
  Outcome o;
  o.out.assign(1024, 0xcccccccccccccccc);
  program.add(in, "in");
  program.add(o.out, "out");
  o.result = program.run("test", launch, {pointer(in), pointer(o.out)});
  return o;
}
inline Outcome run(const std::string& body, Launch launch = {.block = {1}}) {
  launch.card = "h200";  // Hopper and Blackwell share these instructions
  return run_on("sm_90a", body, launch);
}
// Those that came with Blackwell.
inline Outcome run_on_blackwell(const std::string& body, const Launch& launch = {.block = {1}}) {
  Outcome o = run_on("sm_120a", body, launch);
  REQUIRE_MESSAGE(o.result.status == LaunchResult::Status::kOk, o.result.report);
  return o;
}

inline Outcome run_ok(const std::string& body, const Launch& launch = {.block = {1}}) {
  Outcome o = run(body, launch);
  REQUIRE_MESSAGE(o.result.status == LaunchResult::Status::kOk, o.result.report);
  return o;
}

inline void check_fault(const std::string& body, const std::string& text, const Launch& launch = {.block = {1}},
                        LaunchResult::Status status = LaunchResult::Status::kIllegalInstruction) {
  CAPTURE(body);
  const Outcome o = run(body, launch);
  CHECK(o.result.status == status);
  CAPTURE(o.result.report);
  CHECK(contains(o.result.report, text));
}

// Stores the predicate as 0 or 1.
inline std::string tell(const std::string& p, int index) {
  return "  selp.b32 %r9, 1, 0, " + p + ";\n  st.global.b32 [%rd2+" + std::to_string(8 * index) + "], %r9;\n";
}

}  // namespace sim::test

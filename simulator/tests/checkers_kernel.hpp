// What the tests of the checkers share: a kernel round a piece of PTX, one line after the other numbered, its launch
// with a check on, and what must have been found.
#pragma once

#include "program.hpp"

namespace sim::test {

enum class Check { kRace, kInit, kSync };

// `body` uses %rd1 (256 words of global memory), %r1 (shared address of `tile`, 4096 bytes), %r2 (of `bar`, 8-byte
// aligned), %r3 (thread), %r4 (block), %r5 (lane), %r6 (warp), %r7 (tile + 4 * thread), %p1 (lane 0), %p2 (warp 0),
// %p3 (thread 0); scratch from %r10, %rd10, %p5. A line that ends in "// here" is where a finding is expected.
inline std::string checked_kernel(const std::string& body) {
  return header("sm_90a") + R"(
.visible .entry test(.param .u64 data) {
  .shared .align 128 .b8 tile[4096];
  .shared .align 8 .b64 bar[8];
  .reg .b32 %r<40>; .reg .b64 %rd<40>; .reg .pred %p<20>; .reg .b16 %rs<4>;
  ld.param.u64 %rd1, [data];
  mov.u32 %r1, tile;
  mov.u32 %r2, bar;
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %ctaid.x;
  and.b32 %r5, %r3, 31;
  shr.u32 %r6, %r3, 5;
  shl.b32 %r7, %r3, 2;
  add.u32 %r7, %r7, %r1;
  setp.eq.u32 %p1, %r5, 0;
  setp.eq.u32 %p2, %r6, 0;
  setp.eq.u32 %p3, %r3, 0;
)" + body +
         "\n  ret;\n}\n";
}

struct Checked {
  LaunchResult result;
  uint32_t here = 0;  // the PTX line that ends in "// here"; 0: none
};

inline Checked run_checked(const std::string& body, Check check, Launch launch = {.block = {64}}) {
  const std::string ptx = checked_kernel(body);
  Checked c;
  const size_t mark = ptx.find("// here");
  if (mark != std::string::npos)
    c.here = 1 + static_cast<uint32_t>(std::count(ptx.begin(), ptx.begin() + static_cast<std::ptrdiff_t>(mark), '\n'));
  RunOptions options = launch.options ? *launch.options : RunOptions{};
  options.checks_races = check == Check::kRace;
  options.checks_init = check == Check::kInit;
  options.checks_sync = check == Check::kSync;
  launch.options = options;
  launch.card = "h200";
  Program program(ptx);
  static std::vector<uint32_t> data(256);
  std::fill(data.begin(), data.end(), 0u);
  program.add(data, "data");
  c.result = program.run("test", launch, {pointer(data)});
  return c;
}

// A finding of `kind` that names the marked line, whose text has `text`. Which of two accesses comes second and so
// tells the race is the schedule's choice.
inline void check_found(const std::string& body, Check check, const char* kind, const std::string& text,
                        const Launch& launch = {.block = {64}}) {
  CAPTURE(body);
  const Checked c = run_checked(body, check, launch);
  CAPTURE(c.result.report);
  REQUIRE(!c.result.findings.empty());
  const Finding& f = c.result.findings.front();
  CAPTURE(f.text);
  CHECK(f.kind == kind);
  CHECK(contains(f.text, "test.ptx:" + std::to_string(c.here) + "  "));
  CHECK(contains(f.text, text));
}

inline void check_silent(const std::string& body, Check check, const Launch& launch = {.block = {64}}) {
  CAPTURE(body);
  const Checked c = run_checked(body, check, launch);
  CAPTURE(c.result.report);
  CHECK(c.result.status == LaunchResult::Status::kOk);
  for (const Finding& f : c.result.findings) FAIL_CHECK(f.text);
}

}  // namespace sim::test

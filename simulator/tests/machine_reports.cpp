// Faults of memory: what each report says, to the letter, with and without line information.
#include "program.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

constexpr char kRegisters[] =
    ".reg .pred %p<4>;\n.reg .b32 %r<8>;\n.reg .b64 %rd<8>;\n.shared .align 16 .b8 area[64];\n"
    ".local .align 16 .b8 depot[16];\n"
    "ld.param.u64 %rd1, [data];\nmov.u32 %r0, %tid.x;\nmul.wide.u32 %rd2, %r0, 4;\nadd.s64 %rd2, %rd1, %rd2;\n";

LaunchResult run_body(const std::string& body, uint32_t threads = 64, Dim3 block = {}) {
  static std::vector<uint32_t> data(64);
  Program program(header() + ".visible .entry k(.param .u64 data)\n{\n" + kRegisters + body + "\nret;\n}\n");
  program.add(data, "data");
  return program.run("k", {.block = block.count() > 1 ? block : Dim3{threads}, .options = kInTurn}, {pointer(data)});
}

}  // namespace

TEST_CASE("reads and writes outside a buffer") {
  const LaunchResult past = run_body("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1+256];");
  CHECK(past.status == Status::kIllegalAddress);
  CHECK(past.report ==
        "test.ptx:15  ld.global.v4.u32  block (0,0,0) thread 0: read of 16 bytes, 16 bytes past data (host memory "
        "#1, 256 bytes)\n"
        "  k  warp 0 lane 0  test.ptx:15: ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1+256]");
  // The guilty lane is the first that leaves the buffer.
  CHECK(contains(run_body("st.global.u32 [%rd2+100], %r0;").report,
                 "block (0,0,0) thread 39: write of 4 bytes, 4 bytes past data (host memory #1, 256 bytes)"));
  CHECK(contains(run_body("st.global.u32 [%rd2-4], %r0;").report, "thread 0: write of 4 bytes, 4 bytes before data"));
  CHECK(contains(run_body("mov.u64 %rd3, 8;\natom.global.add.u32 %r1, [%rd3], 1;").report,
                 "thread 0: atomic of 4 bytes, null pointer + 8"));
  CHECK(contains(run_body("st.global.u32 [%rd2+248], %r0;", 0, {4, 8, 2}).report,
                 "block (0,0,0) thread (2,0,0): "
                 "write"));
}

TEST_CASE("only lanes that execute are checked") {
  CHECK(run_body("setp.lt.u32 %p1, %r0, 39;\n@%p1 st.global.u32 [%rd2+100], %r0;").status == Status::kOk);
}

TEST_CASE("alignment") {
  const LaunchResult result = run_body("ld.global.v2.u32 {%r1, %r2}, [%rd1+4];");
  CHECK(result.status == Status::kMisalignedAddress);
  CHECK(contains(result.report, "is not aligned to 8 bytes"));
  CHECK(run_body("mov.u32 %r1, area;\nld.shared.u16 %r2, [%r1+1];").status == Status::kMisalignedAddress);
}

TEST_CASE("shared, local and parameter memory have their own ends") {
  CHECK(contains(run_body("mov.u32 %r1, area;\nmad.lo.u32 %r1, %r0, 4, %r1;\nst.shared.u32 [%r1], %r0;").report,
                 "st.shared.u32  block (0,0,0) thread 16: 4 bytes past shared memory (64 bytes)"));
  CHECK(contains(run_body("ld.shared.u32 %r2, [area];\nmov.u32 %r1, 512;\nst.shared.u32 [%r1], %r0;").report,
                 "512 bytes before shared memory (64 bytes)"));
  CHECK(contains(run_body("ld.shared.u32 %r1, [%rd1];").report, "is not a shared memory address"));
  CHECK(contains(run_body("st.local.u32 [depot+16], %r0;").report, "thread 0: 4 bytes past local memory (16 bytes)"));
  CHECK(contains(run_body("mov.u64 %rd3, data;\nld.param.u64 %rd4, [%rd3+8];").report,
                 "8 bytes past the kernel parameters (8 bytes)"));
  CHECK(contains(run_body("mov.u64 %rd3, area;\ncvta.shared.u64 %rd3, %rd3;\nst.u32 [%rd3+64], %r0;").report,
                 "4 bytes past shared memory (64 bytes)"));
  CHECK(contains(run_body("mov.u64 %rd3, data;\ncvta.param.u64 %rd3, %rd3;\nst.u32 [%rd3], %r0;").report,
                 "kernel parameters are read-only"));
}

TEST_CASE("generic addresses reach every space") {
  std::vector<uint32_t> data(64);
  Program program(header() +
                  ".global .align 4 .u32 counter = 7;\n.const .align 4 .u32 table[2] = {5, 6};\n"
                  ".visible .entry k(.param .u64 data)\n{\n" +
                  kRegisters + R"(
    mov.u64 %rd3, area;
    cvta.shared.u64 %rd3, %rd3;
    st.u32 [%rd3+8], 41;
    ld.shared.u32 %r1, [area+8];
    mov.u64 %rd4, depot;
    cvta.local.u64 %rd4, %rd4;
    st.u32 [%rd4+4], %r0;
    ld.local.u32 %r2, [depot+4];
    mov.u64 %rd5, data;
    cvta.param.u64 %rd5, %rd5;
    ld.u64 %rd6, [%rd5];
    sub.s64 %rd6, %rd6, %rd1;
    cvt.u32.u64 %r3, %rd6;
    atom.global.add.u32 %r4, [counter], 1;
    ld.const.u32 %r5, [table+4];
    add.u32 %r1, %r1, %r2;
    add.u32 %r1, %r1, %r3;
    add.u32 %r1, %r1, %r5;
    st.global.u32 [%rd2], %r1;
    ret;
}
)");
  program.add(data, "data");
  program.run_ok("k", {.block = {64}}, {pointer(data)});
  for (uint32_t n = 0; n < 64; ++n) CHECK(data[n] == 41 + n + 0 + 6);
}

TEST_CASE("source lines and inlining") {
  std::vector<uint32_t> data(4);
  Program program(header() + R"(
.visible .entry k(.param .u64 data)
{
  .reg .b64 %rd<2>;
  .reg .b32 %r<2>;
  .loc 1 30 3
  ld.param.u64 %rd1, [data];
  .loc 2 212 5, function_name $L__info_string0, inlined_at 1 31 7
  ld.global.u32 %r1, [%rd1+16];
  .loc 1 40 1
  ret;
}
.file 1 "kernels/gemm/demo.cu"
.file 2 "kernels/gemm/demo.cuh"
.section .debug_str
{
$L__info_string0:
.b8 108
.b8 111
.b8 97
.b8 100
.b8 0
}
)");
  program.add(data, "w2_scale");
  const LaunchResult result = program.run("k", {.block = {32}}, {pointer(data)});
  CHECK(result.report ==
        "kernels/gemm/demo.cuh:212  ld.global.u32  block (0,0,0) thread 0: read of 4 bytes, 4 bytes past w2_scale "
        "(host memory #1, 16 bytes)\n"
        "  in load(), called at kernels/gemm/demo.cu:31\n"
        "  k  warp 0 lane 0  test.ptx:12: ld.global.u32 %r1, [%rd1+16]");
}

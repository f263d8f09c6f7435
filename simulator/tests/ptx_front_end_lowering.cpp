// Lowering of small kernels, inspected: slots, constants, live ranges, scopes, overloads, width adapters, variables,
// load errors; random structured programs on diverged lanes; text cut or damaged anywhere.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "machine/block.hpp"
#include "program/print.hpp"
#include "simulator/tests/ptx_front_end.hpp"

using namespace front_end_test;

namespace {

struct Loaded {
  explicit Loaded(const std::string& text) : module(load(text)), kernel(*module->kernels.at(0)) {}
  const Instr& at(size_t index) const { return kernel.code.at(index); }
  const ConstSlot* constant(uint32_t slot) const {
    for (const ConstSlot& c : kernel.constants)
      if (c.slot == slot) return &c;
    return nullptr;
  }
  uint64_t value(uint32_t slot) const {
    const ConstSlot* found = constant(slot);
    REQUIRE(found != nullptr);
    return found->value;
  }
  std::unique_ptr<Module> module;
  const Kernel& kernel;
};

Loaded load_body(std::string_view body) { return Loaded(entry(body)); }

constexpr const char* kRegisters = ".reg .b32 %r<20>; .reg .b64 %rd<20>; .reg .pred %p<9>; .reg .b16 %h<9>;\n";
Loaded with_registers(std::string_view body) { return load_body(kRegisters + std::string(body)); }
std::string error_with_registers(std::string_view body) { return error_of(entry(kRegisters + std::string(body))); }

}  // namespace

TEST_CASE("operands become slots; constants and special registers are slots of their own") {
  const Loaded k = with_registers(
      "mov.u32 %r1, %tid.x;\nadd.s32 %r2, %r1, 5;\nadd.s32 %r3, %r2, 5;\nadd.u64 %rd1, %rd2, 5;\n"
      "add.f16 %h1, %h2, -1;\n"
      "mov.u32 %r4, %tid.x;\nst.v4.b32 [%rd1+8], {%r1, %r2, %r3, %r4};\nexit;");
  CHECK(k.kernel.load_error.empty());
  REQUIRE(k.kernel.specials.size() == 1);
  CHECK(k.kernel.specials[0].special == Special::kTidX);
  CHECK(k.at(0).a == k.kernel.specials[0].slot);
  CHECK(k.at(5).a == k.kernel.specials[0].slot);
  CHECK(k.kernel.constants.size() == 3);  // 5 in 4 bytes, 5 in 8, 0xffff
  CHECK(k.value(k.at(1).b) == 5);
  CHECK(k.at(1).b == k.at(2).b);
  CHECK(k.constant(k.at(3).b)->bytes_per_lane == 8);
  CHECK(k.value(k.at(4).b) == 0xffff);
  CHECK(k.at(6).d == k.at(3).d);
  CHECK(k.at(6).offset[0] == 8);
  CHECK(k.at(6).wide_base == 1);
  CHECK(k.at(6).ops[1] == k.at(0).d);
  CHECK(k.at(6).ops[4] == k.at(5).d);
  CHECK(k.at(6).unit == Unit::kLsu);
  for (const Instr& i : k.kernel.code) CHECK(i.pc == &i - k.kernel.code.data());

  // No slot overlaps another and the sink is the last.
  std::set<std::pair<uint32_t, uint32_t>> slots;
  for (const ConstSlot& c : k.kernel.constants) slots.insert({c.slot, c.bytes_per_lane * 32});
  for (const SpecialSlot& s : k.kernel.specials) slots.insert({s.slot, s.bytes_per_lane * 32});
  slots.insert({k.kernel.sink_slot, 16 * 32});
  uint32_t end = slots.begin()->first;
  for (const auto& [slot, bytes] : slots) {
    CHECK(slot == end);
    end = slot + bytes;
  }
  CHECK(end == k.kernel.register_file_bytes);
}

TEST_CASE("disjoint live ranges share a slot, overlapping ones do not") {
  const Loaded k = with_registers(
      "mov.u32 %r1, 1;\nst.b32 [%rd1], %r1;\n"  // %r1: 0-1
      "mov.u32 %r2, 2;\nst.b32 [%rd1], %r2;\n"  // %r2: 2-3, takes %r1's slot
      "mov.u32 %r3, 3;\nadd.u32 %r4, %r3, %r3;\nst.b32 [%rd1], %r4;\nexit;");
  CHECK(k.at(0).d == k.at(2).d);
  CHECK(k.at(4).d == k.at(2).d);
  // %r3 dies where %r4 is born: still two slots, so that handlers may write early.
  CHECK(k.at(5).d != k.at(5).a);
}

TEST_CASE("a register lives round a loop and across the branches that reach its use") {
  const Loaded k = with_registers(
      "mov.u32 %r1, 0;\nmov.u32 %r9, 7;\nLOOP:\nadd.u32 %r1, %r1, %r9;\nmov.u32 %r2, 5;\nst.b32 [%rd1], %r2;\n"
      "setp.lt.u32 %p1, %r1, 100;\n@%p1 bra LOOP;\nexit;");
  CHECK(k.at(6).target == 2);
  // %r9 is last named before %r2 but read again in the next turn.
  CHECK(k.at(3).d != k.at(1).d);
  CHECK(k.at(3).d != k.at(0).d);
}

TEST_CASE("a guarded definition keeps the old value alive") {
  const Loaded k = with_registers(
      "mov.u32 %r1, 1;\nmov.u32 %r2, 2;\nst.b32 [%rd1], %r2;\nmov.u32 %r3, 4;\nst.b32 [%rd1], %r3;\n"
      "@%p1 mov.u32 %r1, 3;\nst.b32 [%rd1], %r1;\nexit;");
  CHECK(k.at(1).d != k.at(0).d);
  CHECK(k.at(3).d == k.at(1).d);
  CHECK(k.at(5).d == k.at(0).d);
  CHECK(k.at(5).guard != 0);

  // Round a loop: %r1 must outlive its last use in the body, since the next turn may not write it.
  const Loaded loop = with_registers(
      "mov.u32 %r1, 1;\nLOOP:\n@%p1 mov.u32 %r1, 3;\nst.b32 [%rd1], %r1;\nmov.u32 %r2, 2;\nst.b32 [%rd1], %r2;\n"
      "@%p2 bra LOOP;\nexit;");
  CHECK(loop.at(3).d != loop.at(0).d);
}

TEST_CASE("a value read behind a branch in a loop lives through the whole loop") {
  const Loaded k = with_registers(
      "mov.u32 %r1, 1;\nLOOP:\n@%p1 bra SKIP;\nst.b32 [%rd1], %r1;\nSKIP:\nmov.u32 %r2, 2;\nst.b32 [%rd1], %r2;\n"
      "@%p2 bra LOOP;\nexit;");
  CHECK(k.at(3).d != k.at(0).d);
}

TEST_CASE("predicates are indices with a negation bit and are shared too") {
  const Loaded k = with_registers(
      "setp.lt.u32 %p1, %r1, %r2;\n@%p1 bra END;\nsetp.lt.u32 %p2, %r1, %r2;\n@!%p2 bra END;\n"
      "setp.lt.u32 %p3|%p4, %r1, %r2;\nselp.b32 %r3, %r1, %r2, !%p3;\n@%p4 exit;\nmov.pred %p5, -1;\n"
      "mov.pred %p5, 0;\nEND:\nret;");
  CHECK(k.at(0).d == 2);  // index 1
  CHECK(k.at(0).a == kNoPred);
  CHECK(k.at(1).guard == 2);
  CHECK(k.at(1).target == 9);
  CHECK(k.at(2).d == 2);
  CHECK(k.at(3).guard == 3);
  CHECK(k.at(4).d != k.at(4).a);
  CHECK(k.at(5).c == k.at(4).d + 1);
  CHECK(k.at(7).a == 0);  // constant true
  CHECK(k.at(8).a == 1);
  CHECK(k.kernel.pred_count == 3);
}

TEST_CASE("inner scopes redeclare registers and labels") {
  const Loaded k = load_body(
      ".reg .b32 a; .reg .pred P1; .reg .b32 b;\nmov.u32 a, 1;\n"
      "{ .reg .pred P1; LAB:\n setp.lt.u32 P1, a, 2;\n @P1 bra DONE;\n bra LAB;\n DONE:\n}\n"
      "{ .reg .b64 a; LAB:\n mov.u64 a, 7;\n bra DONE;\n DONE:\n { bra LAB; }\n}\n"
      "mov.u32 b, a;\nret;");
  CHECK(k.at(2).target == 4);  // DONE of the first scope
  CHECK(k.at(3).target == 1);
  CHECK(k.at(5).target == 6);  // DONE of the second
  CHECK(k.at(6).target == 4);
  CHECK(k.constant(k.at(4).a)->bytes_per_lane == 8);
  CHECK(k.at(7).a == k.at(0).d);
  CHECK(k.at(4).d != k.at(0).d);

  CHECK(error_of(entry("{ L: ret; } bra L;")) ==
        "demo.ptx:5:17: there is no label `L`\n"
        "{ L: ret; } bra L;\n"
        "                ^");
  CHECK(error_of(entry("L: ret; L: ret;")).starts_with("demo.ptx:5:9: label `L` stands twice in this scope\n"));
  CHECK(error_of(entry(".reg .b32 a; .reg .b64 a;")).starts_with("demo.ptx:5:24: `a` is already declared"));
  CHECK(error_of(entry(".reg .b32 %r<4>;\n.reg .b64 %r<4>;"))
            .starts_with("demo.ptx:6:11: `%r<..>` is already declared in this scope, in line 5\n"));
}

TEST_CASE("code that can run off its end gets an exit") {
  CHECK(load_body("").kernel.code.size() == 1);
  CHECK(load_body("ret;").kernel.code.size() == 1);
  CHECK(with_registers("@%p1 ret;").kernel.code.size() == 2);
  CHECK(with_registers("@%p1 bra END; ret; END:").kernel.code.size() == 3);
  CHECK(load_body("L: bra L;").kernel.code.size() == 1);
}

TEST_CASE("rows with the same opcode are told apart by their operands") {
  const Loaded k = with_registers(
      "mov.b64 %rd1, {%r1, %r2};\nmov.b64 {%r1, _}, %rd1;\nmov.b64 %rd2, %rd1;\n"
      ".reg .b128 q; mov.b128 q, {%rd1, %rd2};");
  CHECK(k.kernel.forms[0]->operands == "r64 v2r32");
  CHECK(k.kernel.forms[1]->operands == "v2r32 r64");
  CHECK(k.at(1).a == k.kernel.sink_slot);
  CHECK(k.kernel.forms[2]->operands == "r64 r64");
}

TEST_CASE("optional operands, pairs, sinks, one-element lists") {
  const Loaded k = with_registers(
      "bar.sync 0;\nbar.sync 1, 64;\nshfl.sync.bfly.b32 %r1|%p1, %r2, 1, 31, -1;\n"
      "shfl.sync.bfly.b32 %r1, %r2, 1, 31, -1;\n"
      "elect.sync _|%p2, -1;\nmbarrier.arrive.b64 _, [%r1];\ncp.async.ca.shared.global [%r1], [%rd1+4], 16;\n"
      "mma.sync.aligned.m16n8k64.row.col.test {%r1,%r2,%r3,%r4}, {%r5,%r6,%r7,%r8}, {%r9,%r10}, "
      "{%r1,%r2,%r3,%r4}, {%r11}, "
      "{0, 1};\nbar.red.popc.u32 %r1, 0, !%p1;");
  CHECK(k.at(0).a == k.kernel.sink_slot);
  CHECK(k.value(k.at(1).a) == 64);
  CHECK(k.at(2).a != kNoPred);
  CHECK(k.at(3).a == kNoPred);
  CHECK(k.at(4).d == k.kernel.sink_slot);
  CHECK(k.at(5).d == k.kernel.sink_slot);
  CHECK(k.at(5).wide_base == 0);
  CHECK(k.at(6).wide_base == 2);
  CHECK(k.at(6).offset[1] == 4);
  CHECK(k.at(6).ops[3] == k.kernel.sink_slot);
  CHECK(k.at(7).ops[14] != 0);  // the scale register
  CHECK(k.value(k.at(7).ops[16]) == 1);
  CHECK((k.at(8).b & 1) == 1);
}

TEST_CASE("sources that come first are read, accumulators are read and written") {
  // If the first operand of bar.sync counted as written, %r1 would die before it.
  const Loaded k = with_registers("mov.u32 %r1, 3;\nmov.u32 %r2, 4;\nst.b32 [%rd1], %r2;\nbar.sync %r1;\nexit;");
  CHECK(k.at(3).d == k.at(0).d);
  CHECK(k.at(1).d != k.at(0).d);
  const Loaded wgmma = with_registers(
      "mov.u32 %r1, 3;\nmov.u32 %r2, 4;\nmov.u32 %r3, 5; st.b32 [%rd1], %r3;\n"
      "wgmma.mma_async.test {%r1, %r2}, %rd1;\nexit;");
  CHECK(wgmma.at(2).d != wgmma.at(0).d);
  CHECK(wgmma.at(4).ops[0] == wgmma.at(0).d);
}

TEST_CASE("tensor addresses flatten to the map and its coordinates") {
  const Loaded k = with_registers(
      "cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, 0}], [%r3+8];");
  const Instr& i = k.at(0);
  CHECK(i.ops[0] == i.d);
  CHECK(k.value(i.ops[3]) == 0);
  CHECK(i.wide_base == 2);
  CHECK(i.offset[2] == 8);
  CHECK(i.ops[4] != i.ops[0]);
}

TEST_CASE("changing special registers are part of the form") {
  const Loaded k = with_registers("mov.u64 %rd1, %globaltimer;\nmov.u32 %r1, %clock;");
  CHECK(k.kernel.load_error.empty());
  CHECK(k.kernel.forms[0]->pattern == "mov.u64:%globaltimer");
  CHECK(k.kernel.specials.empty());
  CHECK(with_registers("mov.u64 %rd1, %clock64;").kernel.load_error.find("unknown form `mov.u64:%clock64`") !=
        std::string::npos);
}

TEST_CASE("brx.idx gets its targets as instruction indices") {
  const Loaded k = with_registers(
      "mov.u32 %r1, 1;\nmov.u32 %r2, 2;\nts: .branchtargets A, B, A;\nbrx.idx %r1, ts;\n"
      "A: st.b32 [%rd1], %r1; ret;\n"
      "B: st.b32 [%rd1], %r2; ret;");
  const Instr& i = k.at(2);
  CHECK(i.ops[0] == k.at(0).d);
  CHECK(i.ops[1] == 3);
  CHECK(i.ops[2] == 3);
  CHECK(i.ops[3] == 5);
  CHECK(i.ops[4] == 3);
  CHECK(k.at(1).d != k.at(0).d);
  CHECK(k.at(5).a == k.at(1).d);  // live through the table into B
}

TEST_CASE("variables: shared layout, dynamic arrays behind it, local, parameters, globals") {
  const Loaded k(
      header() +
      ".extern .shared .align 1024 .b8 dyn[];\n.shared .align 16 .b8 unused[64];\n.shared .align 16 .b8 used[20];\n"
      ".global .align 4 .u32 counter = 5;\n"
      ".entry k(.param .u32 a, .param .align 64 .b8 map[128]) {\n"
      ".local .align 8 .b8 depot[40];\n.shared .align 8 .u64 bar;\n.reg .b32 r<9>; .reg .b64 d<9>;\n"
      "mov.b32 r1, used;\nmov.b32 r2, bar;\nmov.b64 d1, dyn;\nmov.b64 d2, depot;\nmov.b64 d3, map;\n"
      "ld.param.u32 r3, [map+8];\nld.global.u32 r4, [counter];\nld.shared.u32 r5, [used+4];\n"
      "add.u32 r1, r1, used+4;\n}");
  CHECK(k.value(k.at(0).a) == Block::kSharedBase);
  CHECK(k.value(k.at(1).a) == Block::kSharedBase + 24);
  CHECK(k.value(k.at(2).a) == 2 * 1024);
  CHECK(k.kernel.static_shared_bytes == 1024);
  CHECK(k.kernel.shared_align == 1024);
  CHECK(k.value(k.at(3).a) == 0);
  CHECK(k.kernel.local_bytes == 48);
  CHECK(k.value(k.at(4).a) == 64);
  CHECK(k.kernel.param_bytes == 192);
  REQUIRE(k.kernel.params.size() == 2);
  CHECK(k.kernel.params[1].offset == 64);
  CHECK(k.value(k.at(5).a) == 64);
  CHECK(k.at(5).offset[0] == 8);
  CHECK(k.at(5).wide_base == 0);
  CHECK(k.value(k.at(6).a) == k.module->globals[0].address);
  CHECK(k.at(6).wide_base == 1);
  CHECK(k.value(k.at(7).a) == Block::kSharedBase);
  CHECK(k.value(k.at(8).b) == Block::kSharedBase + 4);
}

TEST_CASE("ld, st and cvt on registers wider than the type") {
  const Loaded k = with_registers(
      "ld.s8 %rd1, [%rd9];\nst.b32 [%rd9], %rd1;\n@%p1 ld.u8 %rd2, [%rd9];\nld.u8 %h1, [%rd9];\n"
      "st.b8 [%rd9], %r1;\n"
      "ld.s8 %h2, [%rd9];\ncvt.u8.u32 %r1, %rd1;\nexit;");
  // Adapters have no form.
  std::string forms;
  for (const Form* form : k.kernel.forms) forms += form == nullptr ? '.' : form->pattern[0];
  CHECK(forms ==
        "l."
        ".s"
        "l."
        "l"
        "s"
        "l."
        ".c"
        "[");
  CHECK(k.at(5).guard == k.at(4).guard);
  CHECK(k.kernel.load_error.empty());

  // And they compute: registers hold 0xff read as s8, stored as b32 of the 64-bit register.
  alignas(64) std::byte registers[1 << 14] = {};
  Warp w;
  w.regs = registers;
  w.mask = 0xffffffff;
  REQUIRE(k.kernel.register_file_bytes <= sizeof registers);
  int8_t source = -3;
  for (int l = 0; l < 32; ++l) u64(w, k.at(0).a)[l] = reinterpret_cast<uint64_t>(&source);
  k.at(0).execute(w, k.at(0));
  k.at(1).execute(w, k.at(1));
  CHECK(u64(w, k.at(1).d)[31] == static_cast<uint64_t>(-3));
  k.at(2).execute(w, k.at(2));
  CHECK(u32(w, k.at(2).d)[31] == static_cast<uint32_t>(-3));
}

TEST_CASE("bind sees the statement and may refuse it") {
  const Loaded k = with_registers("test.imm %r1, 42;");
  CHECK(k.at(0).imm == 42);
  CHECK(with_registers("test.imm.bad %r1, 42;").kernel.load_error ==
        "kernel `k` cannot run on the simulator:\n"
        "demo.ptx:6: this combination of modifiers is no form: `test.imm.bad`");
}

TEST_CASE("unknown forms are listed once with their place; other entries of the module load") {
  const auto module = load(
      ".version 9.0\n.target sm_120f\n.address_size 64\n.entry bad() {\n.reg .b32 a;\n.loc 1 33 1\n"
      "frob.b32 a, a;\nfrob.b32 a, a;\n"
      "add.frob.u32 a, a, a;\n}\n.entry good() { ret; }\n.file 1 \"kernels/x.cu\"\n");
  CHECK(module->find("bad")->load_error ==
        "kernel `bad` cannot run on the simulator:\n"
        "kernels/x.cu:33: unknown form `frob.b32` (demo.ptx:7)\n"
        "kernels/x.cu:33: unknown form `add.frob.u32` (demo.ptx:9)");
  CHECK(module->find("bad")->code.size() == 4);
  CHECK(module->find("good")->load_error.empty());
  CHECK(module->find("none") == nullptr);

  std::string many;
  for (int i = 0; i < 30; ++i) many += "frob.x" + std::to_string(i) + ";\n";
  const std::string listed = load_body(many).kernel.load_error;
  CHECK(std::count(listed.begin(), listed.end(), '\n') == 21);
  CHECK(listed.ends_with("\nand 10 more"));
}

TEST_CASE("calls, with their parameter scopes, make a load error and no crash") {
  const Loaded k = with_registers(
      "{ // callseq 0, 0\n.param .b32 param0;\nst.param.b32 [param0], %r1;\n.param .b32 retval0;\n"
      "call.uni (retval0), vprintf, (param0);\nld.param.b32 %r2, [retval0];\n} // callseq 0\n"
      "call.uni __assertfail, (p);\n"
      "proto : .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 8 .b8 _[8]);\n"
      "call (%r1), %rd1, (%r2), proto;\nret;");
  CHECK(k.kernel.load_error.find("call to `vprintf`: only inlined functions run") != std::string::npos);
  CHECK(k.kernel.load_error.find("call to `__assertfail`") != std::string::npos);
  CHECK(k.kernel.load_error.find("`param0` serves a call") != std::string::npos);
  CHECK(k.kernel.load_error.find("unknown form") == std::string::npos);

  // Virtual tables and function pointers: the module loads, what takes a function's address does not run.
  const auto module =
      load(header() +
           ".func f() { ret; }\n.global .align 8 .u64 table[2] = {0, f};\n"
           ".entry uses() { .reg .b64 a; mov.b64 a, f; }\n.entry other() { .reg .b64 a; mov.b64 a, table; }");
  CHECK(module->find("uses")->load_error.find("`f` serves a call: only inlined functions run") != std::string::npos);
  CHECK(module->find("other")->load_error == "");
  CHECK(reinterpret_cast<const uint64_t*>(module->globals[0].address)[1] == 0);
}

TEST_CASE("wrong operands are errors that name the form") {
  CHECK(error_with_registers("add.u32 %r1, %r2, %rd3;") ==
        "demo.ptx:6:19: form `add.u32` takes `r32 r32 r32`: operand 3 is the 64-bit register `%rd3`\n"
        "add.u32 %r1, %r2, %rd3;\n"
        "                  ^");
  const auto reason = [](std::string_view body) {
    const std::string error = error_with_registers(body);
    const size_t begin = error.find("`: ");
    return begin == std::string::npos ? error : error.substr(begin + 3, error.find('\n') - begin - 3);
  };
  CHECK(reason("add.u32 %r1, %r2;") == "operand 3 is missing");
  CHECK(reason("add.u32 %r1, %r2, %r3, %r4;") == "operand 4 is one too many");
  CHECK(reason("add.u32 5, %r2, %r3;") == "operand 1 is an integer constant");
  CHECK(reason("add.u32 %r1, %p2, %r3;") == "operand 2 is the predicate `%p2`");
  CHECK(reason("add.u32 %r1, [%r2], %r3;") == "operand 2 is an address");
  CHECK(reason("add.u32 %r1, _, %r3;") == "operand 2 is `_`, which has no value");
  CHECK(reason("add.u32 %r1, 0d3FF0000000000000, %r3;") == "");  // a decimal or 0d constant narrows to f32
  CHECK(reason("add.f16 %h1, %h2, 0f3F800000;") == "operand 3 is a 32-bit float constant");
  CHECK(reason("st.v4.b32 [%rd1], {%r1, %r2};") == "operand 2 is a list of 2");
  CHECK(reason("ld.v4.u32 {%r1, %r2, %r3, %p4}, [%rd1];") == "operand 1 is the predicate `%p4`");
  CHECK(reason("ld.u32 %r1, [%p1];")
            .starts_with("demo.ptx:6:14: `%p1` is neither a 32- or 64-bit register nor a variable"));
  CHECK(reason("ld.u64 %r1, [%rd1];") == "operand 1 is the 32-bit register `%r1`");
  CHECK(reason("selp.b32 %r1, %r2, %r3, %r4;") == "operand 4 is `%r4`, which is no predicate");
  CHECK(reason("mov.u32 %tid.x, %r1;") == "operand 1 is the read-only register `%tid.x`");
  CHECK(reason("mov.u32 %r1, %r20;").starts_with("demo.ptx:6:14: `%r20` is not declared"));
  CHECK(reason("mov.u32 %r1, %r01;").starts_with("demo.ptx:6:14: `%r01` is not declared"));
  CHECK(reason("@%r1 exit;").starts_with("demo.ptx:6:6: the guard is `%r1`, which is no predicate"));
  CHECK(reason("bra NOWHERE;").starts_with("demo.ptx:6:5: there is no label `NOWHERE`"));
  CHECK(error_of(header() + ".extern .global .u32 e;\n.entry k() { .reg .b32 r; ld.u32 r, [e]; }")
            .starts_with("demo.ptx:4:22: `e` is used but defined nowhere in this module"));
  CHECK(error_with_registers("mov.b64 %rd1, {%r1, %r2, %r3};").find("takes `r64 r64` or `r64 v2r32` or `v2r32 r64`") !=
        std::string::npos);
}

TEST_CASE("disassembly shows index, text, form, slots, target and place") {
  const Loaded k = load_body(".reg .pred p1; .reg .b32 a;\nL: @p1\tadd.u32\ta,  a,\n 5;\nbra L;");
  const std::string text = disassemble(k.kernel);
  CHECK(text.starts_with("k: 2 instructions, "));
  CHECK(text.find("@p1 add.u32 a, a, 5") != std::string::npos);
  CHECK(text.find("add.[u32|s32]") != std::string::npos);
  CHECK(text.find("demo.ptx:6") != std::string::npos);
  CHECK(text.find("guard 2") != std::string::npos);
}

// The traps of PTX text: every one that nvcc, inline assembly or the manual's grammar sets, and error messages to the
// letter.
#include <doctest/doctest.h>

#include <bit>
#include <cstring>

#include "program/print.hpp"
#include "ptx/module_ast.hpp"
#include "simulator/tests/ptx_front_end.hpp"

using namespace front_end_test;
using OperandKind = ptx::Operand::Kind;

namespace {

// Keeps the text that the tree points into.
struct Parsed {
  explicit Parsed(std::string t) : text(std::move(t)), source{"demo.ptx", text}, tree(ptx::parse(source)) {}
  const ptx::Body& body() const { return tree.functions.back().body; }
  const ptx::Statement& statement(size_t index = 0) const { return body().statements.at(index); }

  std::string text;
  ptx::Source source;
  ptx::Tree tree;
};

Parsed parse_body(std::string_view body) { return Parsed(entry(body)); }

ptx::Operand operand_of(std::string_view operand) {
  static std::vector<std::unique_ptr<Parsed>> kept;
  kept.push_back(std::make_unique<Parsed>(entry("x " + std::string(operand) + ";")));
  return kept.back()->statement().operands.at(0);
}

uint64_t integer(std::string_view text) {
  const ptx::Operand operand = operand_of(text);
  REQUIRE(operand.kind == OperandKind::kInteger);
  return operand.value;
}

}  // namespace

TEST_CASE("integer literals in every base, signs, suffixes and constant expressions") {
  CHECK(integer("42") == 42);
  CHECK(integer("0") == 0);
  CHECK(integer("017") == 15);
  CHECK(integer("0x1fU") == 31);
  CHECK(integer("0XFFFFFFFFFFFFFFFF") == ~uint64_t{0});
  CHECK(integer("0b1011") == 11);
  CHECK(integer("42U") == 42);
  CHECK(integer("-1") == ~uint64_t{0});
  CHECK(integer("-2147483648") == static_cast<uint64_t>(-2147483648LL));
  CHECK(integer("4*8 + (1<<3) - 2") == 38);
  CHECK(integer("WARP_SZ") == 32);
  CHECK(integer("~0") == ~uint64_t{0});
  CHECK(integer("-4 + 2") == static_cast<uint64_t>(-2));
}

TEST_CASE("float literals keep their bits") {
  const ptx::Operand single = operand_of("0f3F800000");
  CHECK(single.kind == OperandKind::kFloat32);
  CHECK(single.value == 0x3f800000);
  const ptx::Operand twice = operand_of("0d400921FB54442D18");
  CHECK(twice.kind == OperandKind::kFloat64);
  CHECK(twice.value == 0x400921fb54442d18);
  CHECK(operand_of("-0f3F800000").value == 0xbf800000);
  CHECK(operand_of("1.5").value == std::bit_cast<uint64_t>(1.5));
  CHECK(operand_of("2.").value == std::bit_cast<uint64_t>(2.0));
  CHECK(operand_of("2e3").value == std::bit_cast<uint64_t>(2000.0));
}

TEST_CASE("operands: names, sinks, pairs, vectors without spaces, negation") {
  CHECK(operand_of("%r12").name == "%r12");
  CHECK(operand_of("P1").name == "P1");
  CHECK(operand_of("$L__BB0_1").name == "$L__BB0_1");
  CHECK(operand_of("%tid.x").name == "%tid.x");
  CHECK(operand_of("_").kind == OperandKind::kSink);
  CHECK(operand_of("!%p1").is_negated);
  CHECK(operand_of("-%r1").is_minus);
  CHECK(operand_of("sym+8").value == 8);

  const ptx::Operand pair = operand_of("%r1|%p1");
  REQUIRE(pair.kind == OperandKind::kPair);
  CHECK(pair.parts[0].name == "%r1");
  CHECK(pair.parts[1].name == "%p1");
  CHECK(operand_of("_|%p1").parts[0].kind == OperandKind::kSink);

  const ptx::Operand list = operand_of("{%r1,%r2,0,_}");
  REQUIRE(list.kind == OperandKind::kVector);
  REQUIRE(list.parts.size() == 4);
  CHECK(list.parts[1].name == "%r2");
  CHECK(list.parts[2].kind == OperandKind::kInteger);
  CHECK(list.parts[3].kind == OperandKind::kSink);
}

TEST_CASE("addresses: register, symbol, constant, offsets of both signs, tensors") {
  const auto address = [](std::string_view text) {
    const ptx::Operand operand = operand_of(text);
    REQUIRE(operand.kind == OperandKind::kAddress);
    return std::pair(std::string(operand.parts[0].name), static_cast<int64_t>(operand.value));
  };
  CHECK(address("[%rd1]") == std::pair(std::string("%rd1"), int64_t{0}));
  CHECK(address("[%rd1+16]") == std::pair(std::string("%rd1"), int64_t{16}));
  CHECK(address("[%rd1+-16]") == std::pair(std::string("%rd1"), int64_t{-16}));
  CHECK(address("[%rd1 - 4]") == std::pair(std::string("%rd1"), int64_t{-4}));
  CHECK(address("[sym + 4*4 - 2*2]") == std::pair(std::string("sym"), int64_t{12}));
  CHECK(operand_of("[1024]").parts[0].value == 1024);

  const ptx::Operand tensor = operand_of("[%rd1, {%r1, %r2}]");
  REQUIRE(tensor.kind == OperandKind::kTensor);
  CHECK(tensor.parts[0].name == "%rd1");
  CHECK(tensor.parts[1].parts[1].name == "%r2");
}

TEST_CASE("opcodes: tokens split at dots, `::` inside a token, spread over lines") {
  const Parsed parsed = parse_body(
      "ld.global.L1::no_allocate.L2::cache_hint.v4.u32 {a,b,c,d}, [e], f;\n"
      "cp.async.bulk.tensor.2d.shared::cluster .global.tile\n  .mbarrier::complete_tx::bytes [a], [b, {c,d}], [e];\n"
      "ret ;");
  CHECK(parsed.statement().opcode == "ld.global.L1::no_allocate.L2::cache_hint.v4.u32");
  REQUIRE(parsed.statement().tokens.size() == 6);
  CHECK(parsed.statement().tokens[2] == "L1::no_allocate");
  CHECK(parsed.statement().text == "ld.global.L1::no_allocate.L2::cache_hint.v4.u32 {a,b,c,d}, [e], f");
  CHECK(parsed.statement(1).opcode ==
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes");
  CHECK(parsed.statement(1).has("2d"));
  CHECK(parsed.statement(1).operands.size() == 3);
  CHECK(parsed.statement(2).opcode == "ret");
}

TEST_CASE("guards, labels, comments and empty statements") {
  const Parsed parsed =
      parse_body("@%p1 bra L; /* a comment\n over lines */ @!P bra L2;\nL: // here\n;;\nL2:add.u32 a,b,c;\nL3 : ret;");
  CHECK(parsed.statement(0).guard == "%p1");
  CHECK_FALSE(parsed.statement(0).is_guard_negated);
  CHECK(parsed.statement(1).guard == "P");
  CHECK(parsed.statement(1).is_guard_negated);
  REQUIRE(parsed.body().labels.size() == 3);
  CHECK(parsed.body().labels[1].name == "L2");
  CHECK(parsed.statement(2).position.line == 9);
  CHECK(parsed.statement(2).position.column == 4);
}

TEST_CASE("registers: ranges, lists, names without %, .b128 and .b8") {
  const Parsed parsed =
      parse_body(".reg .b32 %r<12>, a, $b;\n.reg .pred P1;\n.reg .b128 %rq<2>; .reg .f16x2 h; .reg .b8 c;");
  const auto& registers = parsed.body().registers;
  REQUIRE(registers.size() == 7);
  CHECK(registers[0].name == "%r");
  CHECK(registers[0].count == 12);
  CHECK(registers[1].name == "a");
  CHECK(registers[3].type.kind == 'p');
  CHECK(registers[4].type.bits == 128);
  CHECK(registers[5].type.bits == 32);
  CHECK(registers[6].type.bits == 8);
}

TEST_CASE("entries: parameters, performance directives, linkage") {
  const Parsed parsed(
      header() +
      ".visible .entry k(\n .param .align 64 .b8 k_param_0[192],\n .param .u64 .ptr .global .align 16 q,"
      "\n .param .u32 n\n)\n.maxntid 128, 2, 1\n.reqntid 64\n.minnctapersm 2\n.maxnreg 168\n"
      ".explicitcluster\n.reqnctapercluster 2, 1, 1\n.maxclusterrank 4\n.pragma \"nounroll\";\n{ ret; }\n"
      ".weak .func (.param .b32 r) f(.param .b32 x, .param .align 4 .b8 y[8]) .noreturn;\n"
      ".extern .func g;\n.entry empty() { }\n");
  const ptx::Function& k = parsed.tree.functions[0];
  REQUIRE(k.params.size() == 3);
  CHECK(k.params[0].bytes == 192);
  CHECK(k.params[0].align == 64);
  CHECK(k.params[1].bytes == 8);
  CHECK(k.params[1].align == 8);
  CHECK(k.maxntid[0] == 128);
  CHECK(k.maxntid[1] == 2);
  CHECK(k.reqntid[0] == 64);
  CHECK(k.reqntid[2] == 1);
  CHECK(k.min_ctas_per_sm == 2);
  CHECK(k.max_nreg == 168);
  CHECK(k.is_explicit_cluster);
  CHECK(k.required_cluster[0] == 2);
  CHECK(k.max_cluster_rank == 4);
  CHECK_FALSE(k.blocks_are_clusters);
  CHECK_FALSE(parsed.tree.functions[1].is_entry);
  CHECK_FALSE(parsed.tree.functions[1].has_body);
  CHECK(parsed.tree.functions.size() == 4);
  CHECK(parsed.tree.target == "sm_120f");
}

TEST_CASE("variables: arrays, alignment, initialisers, addresses of others") {
  const auto module = load(header() +
                           ".const .align 4 .b8 table[6] = {1, 2, 0xff, 4};\n"
                           ".global .align 8 .u64 pointers[2] = {table, generic(table)+2};\n"
                           ".visible .global .f32 pi = 0f40490FDB;\n.global .f32 half = 0.5;\n"
                           ".global .s16 grid[2][2] = {{1, 2}, {-3, 4}};\n.global .b32 sized[] = {7, 8, 9};\n"
                           ".extern .shared .align 1024 .b8 dyn[];\n");
  REQUIRE(module->globals.size() == 6);
  const auto* table = reinterpret_cast<const unsigned char*>(module->globals[0].address);
  CHECK(module->globals[0].name == "table");
  CHECK(module->globals[0].is_const);
  CHECK(module->globals[0].bytes == 6);
  CHECK(table[2] == 0xff);
  CHECK(table[4] == 0);
  CHECK(table[5] == 0);
  const auto* pointers = reinterpret_cast<const uint64_t*>(module->globals[1].address);
  CHECK(pointers[0] == module->globals[0].address);
  CHECK(pointers[1] == module->globals[0].address + 2);
  float half = 0;
  std::memcpy(&half, reinterpret_cast<const void*>(module->globals[3].address), 4);
  CHECK(half == 0.5f);
  int16_t grid[4];
  std::memcpy(grid, reinterpret_cast<const void*>(module->globals[4].address), 8);
  CHECK(grid[2] == -3);
  CHECK(module->globals[5].bytes == 12);
}

TEST_CASE(".loc without semicolon, inlined_at chains, names from .debug_str") {
  const auto module = load(
      ".version 9.0\n.target sm_120f\n.address_size 64\n.entry k() {\n"
      ".loc\t1 20 3\nret;\n"
      ".loc\t2 7 1, function_name $L__info_string0, inlined_at 1 20 3\nLAB:\nret;\n"
      ".loc\t3 5 1, function_name $L__info_string1, inlined_at 2 7 1\nret;\n"
      ".loc\t3 0 1\nret;\n}\n"
      ".file\t1 \"outer.cu\"\n.file 2 \"middle.cuh\", 1700000000, 99\n.file 3 \"inner.cuh\"\n"
      ".section\t.debug_str\n{\n$L__info_string0:\n.b8 95\n.b8 90\n.b8 0\n$L__info_string1:\n.b8 102,111,111,0\n}\n"
      ".section .debug_abbrev\n{\n.b8 1 // }\n}\n");
  const Kernel& k = *module->kernels[0];
  CHECK(describe_location(*module, k.locations[0]) == "outer.cu:20");
  CHECK(describe_location(*module, k.locations[1]) == "middle.cuh:7 (inlined at outer.cu:20)");
  CHECK(describe_location(*module, k.locations[2]) == "inner.cuh:5 (inlined at middle.cuh:7, inlined at outer.cu:20)");
  CHECK(describe_location(*module, k.locations[3]) == "inner.cuh:5 (inlined at middle.cuh:7, inlined at outer.cu:20)");
  REQUIRE(module->inline_sites.size() == 2);
  CHECK(module->inline_sites[0].function == "_Z");
  CHECK(module->inline_sites[1].function == "foo");
}

TEST_CASE("zero bytes behind the text are padding") {
  std::string text = entry("ret;");
  text.append(5, '\0');
  CHECK(load(text)->kernels.size() == 1);
}

TEST_CASE("errors show the place") {
  CHECK(error_of(".version 9.0\n.target sm_120f\n.adress_size 64\n") ==
        "demo.ptx:3:1: unknown directive `.adress_size`\n"
        ".adress_size 64\n"
        "^");
  CHECK(error_of(entry("\tmov.b32 \t%r1 %r2;")) ==
        "demo.ptx:5:15: expected `;`, found `%r2`\n"
        "\tmov.b32 \t%r1 %r2;\n"
        "\t        \t    ^");
  CHECK(error_of(entry("mov.b32 a, 0f3F8000;")) ==
        "demo.ptx:5:12: malformed number `0f3F8000`\n"
        "mov.b32 a, 0f3F8000;\n"
        "           ^");
  CHECK(error_of(header() + ".entry k() {\n  ret;") ==
        "demo.ptx:5:7: expected a statement or `}`, found the end of the file\n"
        "  ret;\n"
        "      ^");
  CHECK(error_of(header() + ".global .b32 x[2] = {1, 2, 3};") ==
        "demo.ptx:4:30: the initialiser has 3 values for 2 elements\n"
        ".global .b32 x[2] = {1, 2, 3};\n"
        "                             ^");
  CHECK(error_of(entry(".reg .b33 x;")) ==
        "demo.ptx:5:6: unknown type `.b33`\n"
        ".reg .b33 x;\n"
        "     ^");
  CHECK(error_of(header() + "/* no end").starts_with("demo.ptx:4:1: this comment has no end\n"));
  CHECK(error_of(entry(".reg .b32 %r<99999999>;")).starts_with("demo.ptx:5:14: a register count of at most 1048576"));
  CHECK(error_of(header() + ".global .b8 x[99999999999];").find("larger than 2 GiB") != std::string::npos);
  CHECK(error_of(entry("x " + std::string(500, '(') + "1;")).find("nested more than 64 deep") != std::string::npos);
  CHECK(error_of(entry("x {{a}};")).find("expected a register or a constant, found `{`") != std::string::npos);
  CHECK(error_of(".address_size 32\n").starts_with("demo.ptx:1:15: only .address_size 64 is supported\n"));
}

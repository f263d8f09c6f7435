// The instruction table: one row per PTX form (or per family of forms that share a handler). Parser checks, lowering,
// disassembly, coverage report and docs all read these rows.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "program/program.hpp"
#include "ptx/ast.hpp"

namespace sim {

// Chooses the handler for one statement and may store decoded modifiers in Instr::imm. Returns nullptr for a
// combination that the row's pattern admits but the ISA forbids.
using Bind = Handler (*)(const ptx::Statement& statement, Instr& instr);

struct Form {
  // The dotted opcode as PTX writes it; alternatives in brackets, an empty alternative is allowed:
  //   "add.[s32|u32|b32]"   "ld.[global|shared][.nc|].[v2|v4].[b32|u32|f32]"
  // No opcode may match two rows with equal operands; simulator/tests/ptx_front_end_table.cpp proves it.
  std::string_view pattern;
  // Operands as PTX writes them, separated by spaces; used to check a statement and to give immediates their width:
  //   r8 r16 r32 r64 r128  register, or an immediate where the ISA allows a source immediate
  //   p                    predicate; `!p` in PTX sets the negation bit
  //   r32|p                destination pair `r|p`, the second optional
  //   v2r32 v4r32 ...      brace list of so many registers
  //   [a]                  address: base register or symbol, + offset
  //   [t,r32]              tensor operand [map, {c0, .. c4}]: flattened to map base, then the coordinates
  //   l                    label; for brx.idx the .branchtargets list: ops gets its length, then instruction indices
  //   ...?                 optional operand; one that does not fit what was written counts as omitted
  // Several rows may share a dotted opcode if their operands differ (mov.b64 of a register, a pack, an unpack); the
  // first that fits the statement is taken. The first operand is the destination unless it is an address or a label or
  // the opcode is one of program/shape.cpp's kWithoutDestination. Widths must equal those of the declared registers.
  // ld, st and cvt also take wider registers (PTX ISA 9.4.1): lowering adds a widening or narrowing instruction, so
  // handlers see the row's widths only and never sign-extend past them. A special register that changes while a kernel
  // runs (%clock, %globaltimer ..) is part of the opcode, not an operand: "mov.u64:%globaltimer" with operands "r64".
  // So is the predicate %is_explicit_cluster. All other special registers are slots.
  std::string_view operands;
  Handler execute;  // the handler, or
  Bind bind;        // how to choose it
  Unit unit;
  std::string_view isa;  // section of the PTX ISA manual
};

// Each ops/*.cpp contributes its rows; rows.cpp joins them.
std::span<const Form> alu_forms();      // integer and logic arithmetic
std::span<const Form> float_forms();    // f32/f64/f16/bf16 arithmetic, mufu
std::span<const Form> compare_forms();  // setp, set, selp, slct
std::span<const Form> convert_forms();  // cvt, cvta, mov, prmt
std::span<const Form> memory_forms();   // ld, st, atom, red, prefetch
std::span<const Form> control_forms();  // bra, exit, ret, bar, nanosleep, griddepcontrol, setmaxnreg
std::span<const Form> warp_forms();     // shfl, vote, elect, match, redux, activemask
std::span<const Form> matrix_forms();   // ldmatrix, stmatrix, movmatrix
std::span<const Form> mma_forms();      // mma.sync of floats of up to 32 bits and 8-bit integers
std::span<const Form> mma_double_forms();
std::span<const Form> mma_integer_forms();     // 4-bit integers, single bits, 8 rows of 8-bit integers
std::span<const Form> mma_sparse_forms();      // mma.sp
std::span<const Form> convert_narrow_forms();  // cvt to and from e2m1, e4m3, e5m2, ue8m0 ...
std::span<const Form> async_forms();           // mbarrier, cp.async, cp.async.bulk, fences

// The row for an exact dotted opcode, nullptr when the simulator does not know it.
const Form* find_form(std::string_view dotted_opcode);

}  // namespace sim

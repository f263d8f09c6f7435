// Programs for people: source locations and disassembly.
#pragma once

#include <string>

#include "program/program.hpp"

namespace sim {

// "kernels/gemm/x.cuh:212 (inlined at y.cuh:40, inlined at z.cu:9)"; without line information "demo.ptx:17". Paths
// below the current directory are shortened to it.
std::string describe_location(const Module& module, const SourceLocation& location);

// "tensor": the pipe's name in listings and counters.
std::string_view unit_name(Unit unit);

// One line per instruction: index, PTX text, pipe, form ("(unknown)" where the table has none), operand slots, source
// location; before them the kernel's sizes.
std::string disassemble(const Kernel& kernel);

}  // namespace sim

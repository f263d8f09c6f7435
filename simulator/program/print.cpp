// Source locations and disassembly as text.
#include "program/print.hpp"

#include <algorithm>
#include <filesystem>

#include "ops/form.hpp"

namespace sim {
namespace {

std::string place(const Module& module, const SourceLocation& location) {
  if (location.line == 0) return module.name + ':' + std::to_string(location.ptx_line);
  const std::string written = location.file < module.files.size() ? module.files[location.file] : "";
  std::string file = std::filesystem::path(written).lexically_normal().string();
  std::error_code error;
  const std::string here = std::filesystem::current_path(error).string() + '/';
  if (!error && file.starts_with(here)) file.erase(0, here.size());
  return file + ':' + std::to_string(location.line);
}

// Operands as Instr encodes them; the form's shape says which are predicates, so here they are plain numbers.
std::string operands(const Kernel& kernel, const Instr& instr) {
  const uint32_t* const pool_end = kernel.operand_pool.data() + kernel.operand_pool.size();
  const uint32_t* const end = instr.pc + 1 < kernel.code.size() ? kernel.code[instr.pc + 1].ops : pool_end;
  std::string text;
  for (const uint32_t* op = instr.ops; op != end; ++op) {
    text += text.empty() ? "" : " ";
    text += *op == kNoPred ? "-" : *op == kernel.sink_slot ? "_" : std::to_string(*op);
  }
  return text;
}

void pad_to(std::string& line, size_t column) { line.resize(std::max(line.size() + 2, column), ' '); }

}  // namespace

std::string_view unit_name(Unit unit) {
  constexpr std::string_view kNames[] = {"alu", "fma",    "half",    "fp64", "mufu", "convert",
                                         "lsu", "tensor", "control", "sync", "async"};
  return kNames[static_cast<size_t>(unit)];
}

std::string describe_location(const Module& module, const SourceLocation& location) {
  std::string text = place(module, location);
  if (location.line == 0 || location.inlined_at < 0) return text;
  std::string_view before = " (inlined at ";
  for (int32_t site = location.inlined_at; site >= 0;) {
    const SourceLocation& call = module.inline_sites[static_cast<size_t>(site)].call_site;
    text.append(before) += place(module, call);
    before = ", inlined at ";
    site = call.inlined_at;
  }
  return text + ')';
}

std::string disassemble(const Kernel& kernel) {
  std::string text = kernel.name + ": " + std::to_string(kernel.code.size()) + " instructions, " +
                     std::to_string(kernel.register_file_bytes) + " register bytes a warp, " +
                     std::to_string(kernel.pred_count) + " predicates, " + std::to_string(kernel.constants.size()) +
                     " constants, " + std::to_string(kernel.static_shared_bytes) + " shared bytes, " +
                     std::to_string(kernel.local_bytes) + " local bytes a lane, " + std::to_string(kernel.param_bytes) +
                     " parameter bytes\n";
  for (const Instr& instr : kernel.code) {
    const Form* form = kernel.forms[instr.pc];
    std::string line = std::to_string(instr.pc);
    pad_to(line, 6);
    line += kernel.text[instr.pc];
    pad_to(line, 70);
    line += unit_name(instr.unit);
    pad_to(line, 79);
    line += form != nullptr ? std::string(form->pattern) : instr.execute != nullptr ? "(resize)" : "(unknown)";
    pad_to(line, 119);
    line += '[' + operands(kernel, instr) + ']';
    if (instr.guard != 0) line += " guard " + std::to_string(instr.guard);
    if (instr.target != 0) line += " -> " + std::to_string(instr.target);
    pad_to(line, 149);
    text += line + describe_location(*kernel.module, kernel.locations[instr.pc]) + '\n';
  }
  return text;
}

}  // namespace sim

// Reports of faults: warp, instruction and lane in, text for people out.
//   kernels/gemm/x.cuh:212  ld.global.v4.u32  block (17,0,0) thread 35: 16 bytes past w2_scale (cuMemAlloc #12, 4096
//   bytes)
//     in load_scales(), called at kernels/gemm/x.cuh:300
//     b12x_gemm  warp 1 lane 3  gemm.ptx:1024: ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd5+16]
#include "machine/fault.hpp"

namespace sim {
namespace {

const SourceLocation* location_of(const Kernel& kernel, uint32_t pc) {
  return pc < kernel.locations.size() ? &kernel.locations[pc] : nullptr;
}

std::string file_line(const Module& module, const SourceLocation& at) {
  return module.files[at.file] + ":" + std::to_string(at.line);
}

std::string ptx_line(const Kernel& kernel, uint32_t pc) {
  const SourceLocation* at = location_of(kernel, pc);
  const std::string name = kernel.module != nullptr ? kernel.module->name : kernel.name;
  return name + ":" + std::to_string(at != nullptr ? at->ptx_line : 0);
}

bool has_source(const Kernel& kernel, const SourceLocation* at) {
  return at != nullptr && at->file != 0 && kernel.module != nullptr && at->file < kernel.module->files.size();
}

const char* kind_of(LaunchResult::Status status) {
  switch (status) {
    case LaunchResult::Status::kIllegalAddress:
    case LaunchResult::Status::kMisalignedAddress:
    case LaunchResult::Status::kAbsentBlock:
      return "memcheck";
    case LaunchResult::Status::kDeadlock:
      return "deadlock";
    case LaunchResult::Status::kIllegalInstruction:
      return "sync";  // a barrier or an .aligned form used as hardware leaves undefined
    default:
      return "trap";
  }
}

std::string opcode(const Kernel& kernel, uint32_t pc) {
  const std::string text = pc < kernel.text.size() ? kernel.text[pc] : "";
  return text.substr(0, text.find_first_of(" \t;"));
}

}  // namespace

std::string source_line(const Kernel& kernel, uint32_t pc) {
  const SourceLocation* at = location_of(kernel, pc);
  return has_source(kernel, at) ? file_line(*kernel.module, *at) : ptx_line(kernel, pc);
}

std::vector<std::string> call_sites(const Kernel& kernel, uint32_t pc) {
  std::vector<std::string> result;
  for (const SourceLocation* at = location_of(kernel, pc); has_source(kernel, at) && at->inlined_at >= 0;) {
    at = &kernel.module->inline_sites[static_cast<size_t>(at->inlined_at)].call_site;
    result.push_back(file_line(*kernel.module, *at));
  }
  return result;
}

Finding finding_at(const Warp& w, uint32_t pc, uint32_t lanes, std::string kind) {
  const Kernel& kernel = *w.kernel;
  const SourceLocation* at = location_of(kernel, pc);
  Finding f;
  f.kind = std::move(kind);
  f.kernel = kernel.name;
  if (has_source(kernel, at)) {
    f.file = kernel.module->files[at->file];
    f.line = at->line;
  } else {
    f.file = kernel.module != nullptr ? kernel.module->name : kernel.name;
    f.line = at != nullptr ? at->ptx_line : 0;
  }
  f.block[0] = w.block->id.x;
  f.block[1] = w.block->id.y;
  f.block[2] = w.block->id.z;
  f.warp = static_cast<int>(w.index);
  f.lanes = lanes;
  f.seed = w.block->grid->options.seed;
  return f;
}

std::string to_string(const Dim3& d) {
  return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

std::string who(const Warp& w, int lane) {
  const Block& block = *w.block;
  const std::string prefix = "block " + to_string(block.id);
  if (lane < 0) return prefix + " warp " + std::to_string(w.index);
  const uint32_t thread = w.index * kWarpSize + static_cast<uint32_t>(lane);
  const Dim3& shape = block.grid->config.block;
  if (shape.y == 1 && shape.z == 1) return prefix + " thread " + std::to_string(thread);
  return prefix + " thread " + to_string({thread % shape.x, thread / shape.x % shape.y, thread / shape.x / shape.y});
}

void fault(Warp& w, const Instr& i, int lane, const std::string& what, LaunchResult::Status status) {
  const Kernel& kernel = *w.kernel;
  std::string report = source_line(kernel, i.pc) + "  " + opcode(kernel, i.pc) + "  " + who(w, lane) + ": " + what;
  const SourceLocation* at = location_of(kernel, i.pc);
  while (has_source(kernel, at) && at->inlined_at >= 0) {
    const InlineSite& site = kernel.module->inline_sites[static_cast<size_t>(at->inlined_at)];
    at = &site.call_site;
    report += "\n  in " + site.function + "(), called at " + file_line(*kernel.module, *at);
  }
  report += "\n  " + kernel.name + "  warp " + std::to_string(w.index);
  if (lane >= 0) report += " lane " + std::to_string(lane);
  report += "  " + ptx_line(kernel, i.pc);
  if (i.pc < kernel.text.size()) report += ": " + kernel.text[i.pc];
  Finding finding = finding_at(w, i.pc, lane < 0 ? w.mask : 1u << lane, kind_of(status));
  if (finding.kind == "memcheck") finding.buffer = what;
  finding.text = report;
  throw Fault{status, report, std::move(finding)};
}

void fault(Warp& w, const Instr& i, int lane, const std::string& what) {
  fault(w, i, lane, what, LaunchResult::Status::kIllegalInstruction);
}

std::string ranges(const std::vector<uint32_t>& sorted) {
  std::string text;
  for (size_t first = 0; first < sorted.size();) {
    size_t last = first;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (!text.empty()) text += ",";
    text += std::to_string(sorted[first]);
    if (last > first) text += "-" + std::to_string(sorted[last]);
    first = last + 1;
  }
  return text;
}

std::string lanes_text(uint32_t mask) {
  std::vector<uint32_t> lanes;
  for (uint32_t m = mask; m != 0; m &= m - 1) lanes.push_back(static_cast<uint32_t>(std::countr_zero(m)));
  return (lanes.size() == 1 ? "lane " : "lanes ") + ranges(lanes);
}

}  // namespace sim

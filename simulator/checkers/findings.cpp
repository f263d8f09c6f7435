#include "checkers/findings.hpp"

#include <cstdio>

namespace sim::checkers {
namespace {

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

std::string buffer_text(const Block& block, const std::byte* p, bool is_shared) {
  if (is_shared) {
    const Block* const home = home_of(block, p);
    if (home == nullptr || home == &block) return "shared memory + " + hex(static_cast<uint64_t>(p - block.shared));
    return "shared memory + " + hex(static_cast<uint64_t>(p - home->shared)) + " of block " + to_string(home->id);
  }
  const uint64_t address = reinterpret_cast<uint64_t>(p);
  for (const GlobalVariable& v : block.grid->kernel->module->globals)
    if (address >= v.address && address < v.address + v.bytes)
      return "byte " + std::to_string(address - v.address) + " of variable " + v.name;
  return block.grid->memory->describe(address, 1);
}

std::string instruction_text(const Kernel& kernel, uint32_t pc) {
  std::string text = source_line(kernel, pc);
  if (pc < kernel.text.size()) {
    std::string_view statement = kernel.text[pc];
    if (statement.starts_with('@')) statement.remove_prefix(std::min(statement.size(), statement.find(' ') + 1));
    text += "  " + std::string(statement.substr(0, statement.find_first_of(" \t;")));
  }
  const Module* module = kernel.module;
  if (pc >= kernel.locations.size() || module == nullptr) return text;
  for (const SourceLocation* at = &kernel.locations[pc]; at->inlined_at >= 0;) {
    const InlineSite& site = module->inline_sites[static_cast<size_t>(at->inlined_at)];
    at = &site.call_site;
    text += ", in " + site.function + "() called at " +
            (at->file < module->files.size() ? module->files[at->file] : "") + ":" + std::to_string(at->line);
  }
  return text;
}

std::string place_text(const Grid& grid, uint64_t block, uint32_t warp, uint32_t lanes) {
  const Dim3& shape = grid.config.grid;
  return "block " +
         to_string({static_cast<uint32_t>(block % shape.x), static_cast<uint32_t>(block / shape.x % shape.y),
                    static_cast<uint32_t>(block / shape.x / shape.y)}) +
         " warp " + std::to_string(warp) + " " + lanes_text(lanes);
}

bool FindingList::is_new(const char* rule, uint32_t pc, uint32_t other) {
  last_ = {rule, pc, other};
  Told& told = told_[last_];
  return ++told.count == 1 && findings_.size() < kMost;
}

void FindingList::add(const Warp& w, uint32_t pc, uint32_t lanes, const char* kind, std::string buffer,
                      const std::string& what) {
  Finding f = finding_at(w, pc, lanes, kind);
  f.buffer = std::move(buffer);
  f.text = instruction_text(*w.kernel, pc) + "  " + place_text(*w.block->grid, w.block->index, w.index, lanes) + ": " +
           what + "\n  " + w.kernel->name + "  replay: " + replay_text(w.block->grid->options);
  told_[last_].index = static_cast<int>(findings_.size());
  findings_.push_back(std::move(f));
}

void FindingList::take(std::vector<Finding>& out) {
  for (const auto& [key, told] : told_)
    if (told.index >= 0) findings_[static_cast<size_t>(told.index)].count = told.count;
  for (Finding& f : findings_) out.push_back(std::move(f));
  findings_.clear();
  told_.clear();
}

}  // namespace sim::checkers

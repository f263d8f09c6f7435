// Address assignment for variables.
#include "program/variables.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "machine/block.hpp"

namespace sim::lowering {
namespace {

constexpr uint64_t kStorageAlign = 256;       // as cuMemAlloc's
constexpr uint32_t kDynamicSharedAlign = 16;  // what the driver gives a dynamic array that asks for less

uint64_t align_up(uint64_t value, uint64_t align) { return (value + align - 1) / align * align; }

bool is_global(const ptx::Variable& variable) {
  return variable.space == ptx::VariableSpace::kGlobal || variable.space == ptx::VariableSpace::kConst;
}

std::vector<const ptx::Variable*> defined_globals(const ptx::Tree& tree) {
  std::vector<const ptx::Variable*> globals;
  const auto collect = [&](const std::vector<ptx::Variable>& variables) {
    for (const ptx::Variable& variable : variables)
      if (is_global(variable) && !variable.is_extern) globals.push_back(&variable);
  };
  collect(tree.variables);
  for (const ptx::Function& function : tree.functions) collect(function.body.variables);
  return globals;
}

void initialise(const ptx::Source& source, const ptx::Variable& variable, std::byte* at,
                const std::unordered_map<std::string_view, uint64_t>& address_of) {
  const size_t element = std::max<size_t>(variable.type.bits / 8, 1);
  for (size_t k = 0; k < variable.values.size(); ++k)
    std::memcpy(at + k * element, &variable.values[k], std::min<size_t>(element, 8));
  for (const ptx::Variable::Relocation& relocation : variable.relocations) {
    const auto found = address_of.find(relocation.symbol);
    if (found == address_of.end())
      source.fail(relocation.position, '`' + std::string(relocation.symbol) + "` has no address");
    if (element != 8) source.fail(relocation.position, "an address needs a 64-bit element");
    const uint64_t value = found->second + variable.values[relocation.element];
    std::memcpy(at + relocation.element * element, &value, sizeof value);
  }
}

}  // namespace

Addresses place_globals(const ptx::Source& source, const ptx::Tree& tree, Module& module) {
  const std::vector<const ptx::Variable*> globals = defined_globals(tree);
  uint64_t bytes = 0;
  for (const ptx::Variable* variable : globals)
    bytes = align_up(bytes, std::max<uint64_t>(variable->align, kStorageAlign)) + variable->bytes;
  Addresses addresses;
  if (globals.empty()) return addresses;
  uint64_t max_align = kStorageAlign;
  for (const ptx::Variable* variable : globals) max_align = std::max<uint64_t>(max_align, variable->align);
  module.storage = std::make_unique<std::byte[]>(bytes + max_align);
  const uint64_t start = align_up(reinterpret_cast<uint64_t>(module.storage.get()), max_align);
  std::unordered_map<std::string_view, uint64_t> address_of;
  uint64_t offset = 0;
  for (const ptx::Variable* variable : globals) {
    offset = align_up(offset, std::max<uint64_t>(variable->align, kStorageAlign));
    addresses[variable] = address_of[variable->name] = start + offset;
    const bool is_const = variable->space == ptx::VariableSpace::kConst;
    module.globals.push_back(
        {std::string(variable->name), start + offset, variable->bytes, is_const, variable->is_managed});
    offset += variable->bytes;
  }
  // Device functions have no address: what calls through one is refused when its entry is lowered.
  for (const ptx::Function& function : tree.functions) address_of.try_emplace(function.name, 0);
  for (const ptx::Variable* variable : globals)
    initialise(source, *variable, reinterpret_cast<std::byte*>(addresses[variable]), address_of);
  return addresses;
}

void place_variables(const ptx::Source& source, const ptx::Function& function, const Addresses& globals, Entry& entry,
                     Kernel& kernel) {
  Addresses addresses;
  for (const ptx::Variable& param : function.params) {
    const uint32_t offset = static_cast<uint32_t>(align_up(kernel.param_bytes, param.align));
    addresses[&param] = offset;
    kernel.params.push_back({std::string(param.name), offset, static_cast<uint32_t>(param.bytes), param.align});
    kernel.param_bytes = offset + static_cast<uint32_t>(param.bytes);
  }

  const auto declared_before = [](const ptx::Variable* a, const ptx::Variable* b) {
    return std::pair(a->position.line, a->position.column) < std::pair(b->position.line, b->position.column);
  };
  std::set<const ptx::Variable*, decltype(declared_before)> used(declared_before);
  for (const Constant& constant : entry.constants)
    if (constant.symbol != nullptr) used.insert(constant.symbol);

  uint64_t shared_end = Block::kSharedBase, local_end = 0;
  uint32_t dynamic_align = 0;
  kernel.shared_align = kDynamicSharedAlign;
  for (const ptx::Variable* variable : used) {
    const bool is_shared = variable->space == ptx::VariableSpace::kShared;
    if (is_shared) kernel.shared_align = std::max(kernel.shared_align, variable->align);
    if (is_shared && (variable->is_extern || variable->bytes == 0)) {
      dynamic_align = std::max({dynamic_align, variable->align, kDynamicSharedAlign});
    } else if (is_shared || variable->space == ptx::VariableSpace::kLocal) {
      uint64_t& end = is_shared ? shared_end : local_end;
      end = align_up(end, variable->align);
      addresses[variable] = end;
      end += variable->bytes;
    } else if (is_global(*variable)) {
      const auto found = globals.find(variable);
      if (found == globals.end())
        source.fail(variable->position,
                    '`' + std::string(variable->name) + "` is used but defined nowhere in this module");
      addresses[variable] = found->second;
    }
  }
  if (dynamic_align != 0) {
    shared_end = align_up(shared_end, dynamic_align);
    for (const ptx::Variable* variable : used)
      if (variable->space == ptx::VariableSpace::kShared) addresses.try_emplace(variable, shared_end);
  }
  kernel.static_shared_bytes = static_cast<uint32_t>(shared_end - Block::kSharedBase);
  kernel.local_bytes = static_cast<uint32_t>(align_up(local_end, 16));

  for (Constant& constant : entry.constants)
    if (constant.symbol != nullptr) {
      constant.value += addresses.at(constant.symbol);
      if (constant.bytes == 4) constant.value &= 0xffffffffu;
    }
}

}  // namespace sim::lowering

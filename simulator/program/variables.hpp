// Where variables live: .global and .const in the module's storage, .shared and .local at offsets of the entry, kernel
// parameters at offsets of the parameter buffer.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "program/ir.hpp"
#include "program/program.hpp"
#include "ptx/module_ast.hpp"

namespace sim::lowering {

using Addresses = std::unordered_map<const ptx::Variable*, uint64_t>;

// Allocates and initialises Module::storage and fills Module::globals. Throws ptx::Error for an initialiser that names
// something without an address.
Addresses place_globals(const ptx::Source& source, const ptx::Tree& tree, Module& module);

// Lays out what the entry uses and gives the constants of `entry` their values; fills the kernel's params and sizes.
//   .shared  in order of declaration from Block::kSharedBase; the launch's dynamic memory (extern arrays, all at one
//            address) begins behind, aligned to what its arrays ask for and to at least 16; padding before it counts as
//            static, so static + dynamic bytes always cover the arrays
//   .local   in order of declaration from 0
//   .param   offset in the parameter buffer
void place_variables(const ptx::Source& source, const ptx::Function& function, const Addresses& globals, Entry& entry,
                     Kernel& kernel);

}  // namespace sim::lowering

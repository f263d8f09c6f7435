// The steps of load_ptx that tests call on their own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ops/table.hpp"
#include "program/program.hpp"

namespace sim {

// load_ptx with another instruction table.
std::unique_ptr<Module> load_ptx(std::string_view text, std::string name, const FormTable& table);

}  // namespace sim

// load_ptx with the table of this simulator. Apart from lower.cpp, so that front-end tests link without any handler.
#include "program/lower.hpp"

namespace sim {

std::unique_ptr<Module> load_ptx(std::string_view text, std::string name) {
  return load_ptx(text, std::move(name), form_table());
}

}  // namespace sim

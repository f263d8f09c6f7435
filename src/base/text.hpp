// text.hpp: str(...) joins its parts into one string; messages and plans print with it (g++ 12 has no <format>).
#pragma once

#include <sstream>
#include <string>

namespace b12x {

template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

}  // namespace b12x

// error.hpp: the one exception of the library. A message names the op, the tensor, what came, what was wanted and why.
#pragma once

#include <stdexcept>
#include <string>

namespace b12x {

enum class ErrorKind {
  kArgument,  // the caller's tensors, shapes or options; nothing was launched
  kDriver,    // a driver that cannot be opened, an image that does not load, a call or a kernel that failed
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace b12x

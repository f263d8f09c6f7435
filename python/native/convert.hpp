// convert.hpp: tvm-ffi's view of a DLPack tensor -> the library's, and the library's errors -> Python's.
#pragma once

#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/error.h>

#include <string>
#include <string_view>

#include "b12x/error.hpp"
#include "b12x/tensor.hpp"

namespace b12x::python {

// Throws b12x::Error for a dtype, device or rank that the library does not know. `name` is the argument's in errors.
b12x::TensorView view_of(std::string_view name, const tvm::ffi::TensorView& tensor);

// Runs `body`; a b12x::Error becomes a ValueError (arguments) or a RuntimeError (driver) in Python.
template <class Body>
auto with_errors(Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    const char* kind = error.kind() == ErrorKind::kArgument ? "ValueError" : "RuntimeError";
    throw tvm::ffi::Error(kind, error.what(), "");
  }
}

}  // namespace b12x::python

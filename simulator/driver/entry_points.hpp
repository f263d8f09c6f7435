// The tables and functions that entry_points.py writes out of cuda.h when the simulator is built.
#pragma once

#include <cstddef>
#include <iterator>

#include "driver/state.hpp"

namespace sim::driver {

// A version of an entry point: its name, how the symbol goes on ("_v2"), and the CUDA version that brought it.
struct EntryPoint {
  const char* name;
  const char* suffix;
  int since;
};
extern const EntryPoint kEntryPoints[];
extern const size_t kEntryPointCount;

struct ErrorName {
  CUresult code;
  const char* name;
};
extern const ErrorName kErrorNames[];
extern const size_t kErrorNameCount;

// CUDA_ERROR_NOT_SUPPORTED, with a line on stderr the first time.
CUresult not_supported(const char* name);

}  // namespace sim::driver

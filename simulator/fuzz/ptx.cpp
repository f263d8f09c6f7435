// Any bytes as PTX text: parsed and lowered, or refused with an error that names a place; never a crash.
#include <cstdint>
#include <string_view>

#include "program/program.hpp"
#include "ptx/ast.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto module = sim::load_ptx({reinterpret_cast<const char*>(data), size}, "fuzz.ptx");
  } catch (const sim::ptx::Error&) {
  }
  return 0;
}

// Where the handlers are built once, for speed of building (fuzzers and sanitizers): that build stands for all.
#include "ops/table.hpp"

namespace sim {

std::span<const std::span<const Form>> baseline::form_groups() { return sim::form_groups(); }
std::span<const std::span<const Form>> avx2::form_groups() { return sim::form_groups(); }
std::span<const std::span<const Form>> avx512::form_groups() { return sim::form_groups(); }

}  // namespace sim

// isa.cpp: the processor's features and one environment variable -> a build of the hot code.
#include "isa.hpp"

#include <cstdlib>

namespace sim::numerics {
namespace {

Isa widest() {
  // F16C is older than AVX2, and AVX-512 CD is in every processor that has BW.
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2"))
    return Isa::kBaseline;
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl");
  return has_avx512 ? Isa::kAvx512 : Isa::kAvx2;
}

const IsaChoice& choice() {
  static const IsaChoice made = [] {
    const char* variable = std::getenv("B12X_SIM_ISA");
    return choose_isa(widest(), variable != nullptr ? variable : "");
  }();
  return made;
}

}  // namespace

IsaChoice choose_isa(Isa widest, std::string_view word) {
  if (word.empty()) return {widest, ""};
  constexpr const char* kWords[] = {"baseline", "avx2", "avx512"};
  const std::string start = "B12X_SIM_ISA is '" + std::string(word) + "', ";
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (word != kWords[static_cast<int>(isa)]) continue;
    if (isa <= widest) return {isa, ""};
    return {widest, start + "and this processor has no more than " + kWords[static_cast<int>(widest)]};
  }
  return {widest, start + "want baseline, avx2 or avx512"};
}

Isa isa() { return choice().isa; }
const std::string& isa_error() { return choice().error; }

}  // namespace sim::numerics

// isa.hpp: which of the builds of the simulator's hot code runs: the widest that the processor has, or the one that
// B12X_SIM_ISA=baseline|avx2|avx512 names. All of them give the same bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sim::numerics {

enum class Isa : uint8_t {
  kBaseline,  // x86-64: SSE2
  kAvx2,      // and AVX2, FMA, BMI2, F16C
  kAvx512,    // and AVX-512 F, BW, CD, DQ, VL
};

// Decided when first asked.
Isa isa();
// "" or why B12X_SIM_ISA cannot be followed; isa() is what the processor has then.
const std::string& isa_error();

// The two for a processor that has `widest` and a variable that says `word`.
struct IsaChoice {
  Isa isa;
  std::string error;
};
IsaChoice choose_isa(Isa widest, std::string_view word);

}  // namespace sim::numerics

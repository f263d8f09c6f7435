// restore_answers.cpp: recorded differences in, recorded answers out. Usage: restore_answers FORM FIRST DELTAS ANSWERS
//
// Adds the correctly rounded value (mufu_reference.hpp) that mufu_capture subtracted. FIRST is the first input in hex.
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "../mufu_reference.hpp"
#include "mufu_inputs.hpp"

namespace reference = sim::numerics::reference;

static double value(std::string_view form, double x) {
  if (form == "rcp_ftz") return 1.0 / x;
  if (form == "rsqrt_ftz") return 1.0 / reference::square_root(x);
  if (form == "sqrt_ftz") return reference::square_root(x);
  if (form == "ex2_ftz") return reference::exp2(x);
  if (form == "lg2_ftz") return reference::log2(x);
  return reference::sin_turns(sim::numerics::capture::turns_of(x), form == "cos_ftz");
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const uint32_t first = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 16));
  std::vector<uint32_t> words(1 << 23);
  std::FILE* in = std::fopen(argv[3], "rb");
  if (in == nullptr || std::fread(words.data(), 4, words.size(), in) != words.size()) return 1;
  std::fclose(in);
  for (uint32_t i = 0; i < words.size(); ++i)
    words[i] += reference::to_f32_bits(value(argv[1], reference::to_double(first + i)));
  std::FILE* out = std::fopen(argv[4], "wb");
  if (out == nullptr || std::fwrite(words.data(), 4, words.size(), out) != words.size()) return 1;
  return std::fclose(out) == 0 ? 0 : 1;
}

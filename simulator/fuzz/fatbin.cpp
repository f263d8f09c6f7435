// Any bytes as a module image of known length: the PTX that it holds for a card, or an ImageError.
#include "driver/fatbin.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const sim::Card* card : sim::all_cards()) {
    try {
      const std::string text = sim::driver::find_ptx(data, size, *card);
      if (text.find(".target") == std::string::npos || text.find('\0') != std::string::npos) __builtin_trap();
    } catch (const sim::driver::ImageError&) {
    }
  }
  return 0;
}

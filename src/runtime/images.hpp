// images.hpp: the fatbins that the build embedded in this library, one row per kernel entry.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace b12x::runtime {

struct KernelImage {
  std::string_view entry;
  const unsigned char* begin;
  const unsigned char* end;
  int registers;  // a thread's at launch on the SM120 family, as ptxas reported
  size_t bytes() const { return static_cast<size_t>(end - begin); }
};

std::span<const KernelImage> kernel_images();           // sorted by entry
const KernelImage& find_image(std::string_view entry);  // throws Error: no such kernel

// Throws Error, naming the kernel and what is wrong, unless the bytes are a whole fatbin.
void check_fatbin(const KernelImage& image);

}  // namespace b12x::runtime

// Compressed entries of fatbins: nvcc packs PTX as an LZ4 block or a zstd frame unless it is told not to.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace sim::driver {

enum class Packing { kLz4, kZstd };

// The `bytes` bytes that `packed` stands for. Throws ImageError (fatbin.hpp): damaged, or this machine lacks the
// library that unpacks it.
std::string unpack(Packing packing, std::span<const std::byte> packed, size_t bytes);

}  // namespace sim::driver

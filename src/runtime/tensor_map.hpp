// tensor_map.hpp: the descriptor by which a kernel's TMA copies reach a tensor of bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "b12x/device.hpp"

namespace b12x::runtime {

// A tensor of bytes, its fastest dimension first and adjacent, and the box of it that one copy brings. Outside of the
// tensor a copy reads zeros.
struct ByteTensor {
  const void* data = nullptr;  // 16-byte aligned
  int rank = 0;                // 2 to 4
  std::array<int64_t, 4> sizes{};
  std::array<int64_t, 3> strides{};  // bytes, of dimensions 1 and up; multiples of 16
  std::array<int, 4> box{};
  int swizzle_bytes = 0;  // 32, 64 or 128; 0: rows of the box lie one after another
};

// The 128 bytes of a CUtensorMap. `what` names the tensor in errors.
std::array<uint64_t, 16> encode_tensor_map(const Device& device, const ByteTensor& tensor, std::string_view what);

}  // namespace b12x::runtime

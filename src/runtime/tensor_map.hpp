// tensor_map.hpp: the descriptor by which a kernel's TMA copies reach a matrix.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "b12x/device.hpp"

namespace b12x::runtime {

// A row-major byte matrix (or a batch of them), and the piece of it that one copy brings. Outside the matrix a copy
// reads zeros. Rows of the box lie in shared memory with the swizzle of their own length, or of `swizzle_bytes`.
struct ByteMatrix {
  const void* data = nullptr;  // 16-byte aligned
  int64_t rows = 0;
  int64_t row_bytes = 0;
  int64_t row_stride_bytes = 0;  // multiple of 16
  int box_rows = 0;
  int box_bytes = 0;               // 32, 64 or 128
  int swizzle_bytes = 0;           // 0: box_bytes
  int64_t batches = 0;             // 0: a map of rank 2; else of rank 3
  int64_t batch_stride_bytes = 0;  // multiple of 16
};

// The 128 bytes of a CUtensorMap. `what` names the tensor in errors.
std::array<uint64_t, 16> encode_tensor_map(const Device& device, const ByteMatrix& matrix, std::string_view what);

}  // namespace b12x::runtime

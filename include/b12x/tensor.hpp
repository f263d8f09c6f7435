// tensor.hpp: how callers describe memory that they own. A view holds no reference: the memory outlives the call (on a
// GPU: the work that the call put on its stream).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace b12x {

// FP4 travels as kU8, two values a byte, the even index in the low nibble. kE4m3 is float8_e4m3fn.
enum class DType : uint8_t { kU8, kE4m3, kF16, kBf16, kF32, kI32 };

size_t bytes_of(DType dtype);
const char* name_of(DType dtype);  // "uint8", "float8_e4m3fn", "float16", "bfloat16", "float32", "int32"

// Where memory lies. CPU memory is what the simulated card works on; CUDA memory belongs to the GPU of that ordinal.
enum class Place : uint8_t { kCpu, kCuda };
struct MemoryDevice {
  Place place = Place::kCpu;
  int ordinal = 0;
  bool operator==(const MemoryDevice&) const = default;
};
std::string to_string(MemoryDevice device);  // "cpu", "cuda:0"

inline constexpr int kMaxRank = 6;

struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kU8;
  MemoryDevice device;
  int rank = 0;
  std::array<int64_t, kMaxRank> shape{};
  std::array<int64_t, kMaxRank> strides{};  // in elements

  // A row-major tensor without gaps.
  static TensorView contiguous(void* data, DType dtype, MemoryDevice device, std::initializer_list<int64_t> shape);

  int64_t elements() const;
  int64_t bytes() const { return elements() * static_cast<int64_t>(bytes_of(dtype)); }
  bool is_contiguous() const;   // sizes of 1 may have any stride; a tensor of no elements is contiguous
  size_t extent_bytes() const;  // from the first element to the end of the last one; strides must be >= 0
};
std::string shape_string(const TensorView& tensor);  // "[16, 128]"

}  // namespace b12x

// tensor.cpp: what can be said of a tensor without looking at its data.
#include "b12x/tensor.hpp"

#include "base/check.hpp"
#include "base/text.hpp"

namespace b12x {

size_t bytes_of(DType dtype) {
  switch (dtype) {
    case DType::kU8:
    case DType::kE4m3:
      return 1;
    case DType::kF16:
    case DType::kBf16:
      return 2;
    case DType::kF32:
    case DType::kI32:
      return 4;
  }
  fail("unknown dtype ", static_cast<int>(dtype));
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::kU8:
      return "uint8";
    case DType::kE4m3:
      return "float8_e4m3fn";
    case DType::kF16:
      return "float16";
    case DType::kBf16:
      return "bfloat16";
    case DType::kF32:
      return "float32";
    case DType::kI32:
      return "int32";
  }
  fail("unknown dtype ", static_cast<int>(dtype));
}

std::string to_string(MemoryDevice device) {
  return device.place == Place::kCpu ? "cpu" : str("cuda:", device.ordinal);
}

TensorView TensorView::contiguous(void* data, DType dtype, MemoryDevice device, std::initializer_list<int64_t> shape) {
  if (shape.size() > kMaxRank) fail("a tensor of ", shape.size(), " dimensions: at most ", kMaxRank, " are supported");
  TensorView tensor{.data = data, .dtype = dtype, .device = device, .rank = static_cast<int>(shape.size())};
  int64_t stride = 1;
  for (int i = tensor.rank; i-- > 0;) {
    tensor.shape[i] = shape.begin()[i];
    tensor.strides[i] = stride;
    stride *= tensor.shape[i];
  }
  return tensor;
}

int64_t TensorView::elements() const {
  int64_t count = 1;
  for (int i = 0; i < rank; ++i) count *= shape[i];
  return count;
}

bool TensorView::is_contiguous() const {
  if (elements() == 0) return true;
  int64_t stride = 1;
  for (int i = rank; i-- > 0;) {
    if (shape[i] != 1 && strides[i] != stride) return false;
    stride *= shape[i];
  }
  return true;
}

size_t TensorView::extent_bytes() const {
  if (elements() == 0) return 0;
  int64_t last = 0;
  for (int i = 0; i < rank; ++i) {
    if (strides[i] < 0) fail("a tensor with a negative stride (", strides[i], ") is not supported; pass a copy");
    last += (shape[i] - 1) * strides[i];
  }
  return static_cast<size_t>(last + 1) * bytes_of(dtype);
}

std::string shape_string(const TensorView& tensor) {
  std::string text = "[";
  for (int i = 0; i < tensor.rank; ++i) text += (i > 0 ? ", " : "") + std::to_string(tensor.shape[i]);
  return text + "]";
}

}  // namespace b12x

// check.cpp: the texts of refusals.
#include "base/check.hpp"

#include <string>

namespace b12x {
namespace {

std::string sizes_string(std::initializer_list<int64_t> sizes) {
  std::string text = "[";
  for (const int64_t size : sizes) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

std::string head(const Named& named) { return str(named.op, ": ", named.name, " "); }

}  // namespace

void check_dtype(const Named& named, std::initializer_list<DType> wanted) {
  std::string names;
  for (const DType dtype : wanted) {
    if (dtype == named.tensor.dtype) return;
    names += (names.empty() ? "" : " or ") + std::string(name_of(dtype));
  }
  fail(head(named), "has dtype ", name_of(named.tensor.dtype), ", want ", names);
}

void check_shape(const Named& named, std::initializer_list<int64_t> wanted, std::string_view meaning) {
  const TensorView& tensor = named.tensor;
  bool is_equal = tensor.rank == static_cast<int>(wanted.size());
  for (size_t i = 0; is_equal && i < wanted.size(); ++i) is_equal = tensor.shape[i] == wanted.begin()[i];
  if (!is_equal) {
    fail(head(named), "has shape ", shape_string(tensor), ", want ", sizes_string(wanted), " = ", meaning);
  }
}

void check_contiguous(const Named& named) {
  if (named.tensor.is_contiguous()) return;
  fail(head(named), "of shape ", shape_string(named.tensor), " is not contiguous; pass a contiguous copy");
}

void check_rows(const Named& named) {
  const TensorView& tensor = named.tensor;
  if (tensor.rank != 2) fail(head(named), "has shape ", shape_string(tensor), ", want two dimensions [rows, columns]");
  if (tensor.elements() == 0) return;
  if (tensor.shape[1] > 1 && tensor.strides[1] != 1) {
    fail(head(named), "has column stride ", tensor.strides[1], ", want 1: pass a row-major copy");
  }
  if (tensor.shape[0] > 1 && tensor.strides[0] < tensor.shape[1]) {
    fail(head(named), "has row stride ", tensor.strides[0], " for ", tensor.shape[1],
         " columns: rows must not overlap; pass a contiguous copy");
  }
}

void check_device(const Named& named, MemoryDevice wanted) {
  if (named.tensor.device == wanted) return;
  fail(head(named), "is on ", to_string(named.tensor.device), ", want ", to_string(wanted),
       ": all tensors of a call lie on the device that it runs on");
}

void check_aligned(const Named& named, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(named.tensor.data);
  if (named.tensor.elements() == 0 || address % bytes == 0) return;
  fail(head(named), "starts at a multiple of ", bytes, " bytes plus ", address % bytes, ", want a multiple of ", bytes,
       "; pass a copy");
}

void check_scales(const Named& named, int64_t wanted, std::string_view meaning) {
  check_dtype(named, {DType::kU8, DType::kE4m3});
  check_contiguous(named);
  if (named.tensor.elements() != wanted) {
    fail(head(named), "has ", named.tensor.elements(), " bytes, want ", wanted, " = ", meaning,
         " (128x4 swizzled, padded)");
  }
}

void check_scalar(const Named& named, MemoryDevice device) {
  check_dtype(named, {DType::kF32});
  check_device(named, device);
  if (named.tensor.elements() != 1) {
    fail(head(named), "has shape ", shape_string(named.tensor), ", want one element");
  }
}

}  // namespace b12x

// check.hpp: how an op refuses its arguments. Each function takes the op's name and the tensor's, and throws an Error
// that says what came and what was wanted; it returns without having looked at a byte of the tensor's data.
#pragma once

#include <initializer_list>
#include <string_view>

#include "b12x/error.hpp"
#include "b12x/tensor.hpp"
#include "base/text.hpp"

namespace b12x {

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(ErrorKind::kArgument, str(parts...));
}

// A tensor under check: "gemm: b_scales".
struct Named {
  std::string_view op;
  std::string_view name;
  const TensorView& tensor;
};

void check_dtype(const Named& named, std::initializer_list<DType> wanted);
// `meaning` explains the wanted sizes: "m, k / 2".
void check_shape(const Named& named, std::initializer_list<int64_t> wanted, std::string_view meaning);
void check_contiguous(const Named& named);
// Rows may be apart, their elements not. Rank 2.
void check_rows(const Named& named);
void check_device(const Named& named, MemoryDevice wanted);
// Of the address of the first element. A tensor of no elements passes.
void check_aligned(const Named& named, size_t bytes);
// Contiguous bytes of scales: at least one-byte elements, exactly `wanted` of them.
void check_scales(const Named& named, int64_t wanted, std::string_view meaning);
// One float32, on the device.
void check_scalar(const Named& named, MemoryDevice device);

}  // namespace b12x

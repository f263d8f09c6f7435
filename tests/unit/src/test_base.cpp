// Tensor views and the texts of refusals.
#include <doctest/doctest.h>

#include <array>

#include "b12x/error.hpp"
#include "b12x/tensor.hpp"
#include "base/align.hpp"
#include "base/check.hpp"

using namespace b12x;

namespace {

alignas(64) std::array<uint8_t, 4096> memory;

TensorView matrix(DType dtype, int64_t rows, int64_t cols) {
  return TensorView::contiguous(memory.data(), dtype, {}, {rows, cols});
}

// The message of the Error that `body` throws; empty if it throws none.
template <class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kArgument);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a view knows its sizes, contiguity and extent") {
  TensorView t = matrix(DType::kBf16, 4, 16);
  CHECK(t.elements() == 64);
  CHECK(t.bytes() == 128);
  CHECK(t.is_contiguous());
  CHECK(t.extent_bytes() == 128);
  CHECK(shape_string(t) == "[4, 16]");
  t.strides[0] = 24;
  CHECK_FALSE(t.is_contiguous());
  CHECK(t.extent_bytes() == 2 * (3 * 24 + 16));  // the last row ends where its elements do
  t.shape[0] = 1;
  CHECK(t.is_contiguous());  // the stride of a single row says nothing
  t.shape[0] = 0;
  CHECK(t.is_contiguous());
  CHECK(t.extent_bytes() == 0);
  t.shape[0] = 2, t.strides[0] = -24;
  CHECK(message_of([&] { t.extent_bytes(); }).find("negative stride") != std::string::npos);
}

TEST_CASE("refusals say op, tensor, what came and what was wanted") {
  const TensorView t = matrix(DType::kF32, 3, 32);
  const Named named{"gemm", "a", t};
  CHECK(message_of([&] { check_dtype(named, {DType::kBf16, DType::kF16}); }) ==
        "gemm: a has dtype float32, want bfloat16 or float16");
  CHECK(message_of([&] { check_shape(named, {3, 64}, "m, k / 2"); }) ==
        "gemm: a has shape [3, 32], want [3, 64] = m, k / 2");
  CHECK(message_of([&] { check_shape(named, {3, 32, 1}, "x"); }) == "gemm: a has shape [3, 32], want [3, 32, 1] = x");
  CHECK(message_of([&] { check_device(named, {Place::kCuda, 1}); }).find("is on cpu, want cuda:1") !=
        std::string::npos);
  CHECK(message_of([&] { check_scalar(named, {}); }) == "gemm: a has shape [3, 32], want one element");
  CHECK(message_of([&] { check_scales({"gemm", "b_scales", matrix(DType::kU8, 1, 2048)}, 4096, "this"); }) ==
        "gemm: b_scales has 2048 bytes, want 4096 = this (128x4 swizzled, padded)");
}

TEST_CASE("what is right passes") {
  const TensorView t = matrix(DType::kU8, 4, 64);
  const Named named{"gemm", "a", t};
  CHECK_NOTHROW(check_dtype(named, {DType::kE4m3, DType::kU8}));
  CHECK_NOTHROW(check_shape(named, {4, 64}, ""));
  CHECK_NOTHROW(check_contiguous(named));
  CHECK_NOTHROW(check_rows(named));
  CHECK_NOTHROW(check_aligned(named, 16));
  CHECK_NOTHROW(check_device(named, {}));
}

TEST_CASE("rows may be apart, must not overlap, and their elements are adjacent") {
  TensorView t = matrix(DType::kBf16, 4, 16);
  t.strides = {24, 1};
  CHECK_NOTHROW(check_rows({"quantize", "x", t}));
  CHECK(message_of([&] { check_contiguous({"quantize", "x", t}); }).find("not contiguous") != std::string::npos);
  t.strides = {8, 1};
  CHECK(message_of([&] { check_rows({"quantize", "x", t}); }).find("row stride 8 for 16 columns") != std::string::npos);
  t.strides = {1, 4};
  CHECK(message_of([&] { check_rows({"quantize", "x", t}); }).find("column stride 4, want 1") != std::string::npos);
}

TEST_CASE("alignment is of the first element's address") {
  TensorView t = matrix(DType::kU8, 2, 16);
  t.data = memory.data() + 8;
  CHECK_NOTHROW(check_aligned({"gemm", "a", t}, 8));
  CHECK(message_of([&] {
          check_aligned({"gemm", "a", t}, 16);
        }).find("starts at a multiple of 16 bytes plus 8, want") != std::string::npos);
}

TEST_CASE("sizes round up") {
  static_assert(ceil_div(0, 16) == 0 && ceil_div(1, 16) == 1 && ceil_div(16, 16) == 1 && ceil_div(17, 16) == 2);
  static_assert(align_up(129, 128) == 256 && align_up((int64_t{1} << 40) + 1, 4) == (int64_t{1} << 40) + 4);
  CHECK(hash_all(1, 2) != hash_all(2, 1));
}

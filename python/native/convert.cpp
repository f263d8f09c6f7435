// convert.cpp: DLPack codes -> the library's dtypes and places.
#include "convert.hpp"

namespace b12x::python {
namespace {

[[noreturn]] void refuse(std::string_view name, const std::string& what) {
  throw Error(ErrorKind::kArgument, std::string(name) + ": " + what);
}

DType dtype_of(std::string_view name, DLDataType dtype) {
  const int bits = dtype.bits * dtype.lanes;
  switch (dtype.code) {
    case kDLUInt:
      if (bits == 8) return DType::kU8;
      break;
    case kDLInt:
      if (bits == 32) return DType::kI32;
      break;
    case kDLFloat8_e4m3fn:
      if (bits == 8) return DType::kE4m3;
      break;
    case kDLFloat:
      if (bits == 16) return DType::kF16;
      if (bits == 32) return DType::kF32;
      break;
    case kDLBfloat:
      if (bits == 16) return DType::kBf16;
      break;
    case kDLFloat4_e2m1fn:
      refuse(name, "has a float4 dtype; FP4 is passed as uint8, two values a byte: view it as uint8");
    default:
      break;
  }
  refuse(name, "has dtype " + std::string(tvm::ffi::DLDataTypeToString(dtype)) +
                   ", want one of uint8, float8_e4m3fn, float16, bfloat16, float32, int32");
}

MemoryDevice device_of(std::string_view name, DLDevice device) {
  switch (device.device_type) {
    case kDLCPU:
      return {Place::kCpu, 0};
    case kDLCUDA:
      return {Place::kCuda, device.device_id};
    default:
      refuse(name, "is on a device of DLPack type " + std::to_string(static_cast<int>(device.device_type)) +
                       ", want the CPU (runs on the simulator) or CUDA");
  }
}

}  // namespace

b12x::TensorView view_of(std::string_view name, const tvm::ffi::TensorView& tensor) {
  if (tensor.ndim() > kMaxRank) {
    refuse(name, "has " + std::to_string(tensor.ndim()) + " dimensions, want at most " + std::to_string(kMaxRank));
  }
  b12x::TensorView view;
  view.data = static_cast<char*>(tensor.data_ptr()) + tensor.byte_offset();
  view.dtype = dtype_of(name, tensor.dtype());
  view.device = device_of(name, tensor.device());
  view.rank = tensor.ndim();
  for (int i = 0; i < view.rank; ++i) {
    view.shape[i] = tensor.size(i);
    view.strides[i] = tensor.stride(i);
  }
  return view;
}

}  // namespace b12x::python

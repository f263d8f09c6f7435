// Allocation, registration of host memory, copies and sets. Device addresses are host addresses; every range that a
// call names must lie inside one live allocation or plain host memory.
#include <cstring>

#include "driver/state.hpp"

using namespace sim::driver;

namespace {

void* host(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
CUdeviceptr device(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

bool is_device_range(CUdeviceptr address, size_t bytes) {
  return bytes == 0 || state().memory.find(address, bytes).has_value();
}

CUresult out_of_range(const char* what, CUdeviceptr address, size_t bytes) {
  return report(
      CUDA_ERROR_INVALID_VALUE,
      std::string(what) + " of " + std::to_string(bytes) + " bytes: " + state().memory.describe(address, bytes), false);
}

CUresult allocate(CUdeviceptr* out, size_t bytes, const char* by) {
  if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  State& s = state();
  if (bytes > s.card->memory_bytes - std::min(s.card->memory_bytes, s.memory.bytes_in_use()))
    return CUDA_ERROR_OUT_OF_MEMORY;
  *out = s.memory.allocate(bytes, by);
  return *out != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult release(CUdeviceptr address) {
  if (address == 0) return CUDA_SUCCESS;
  return state().memory.free(address) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult copy(CUdeviceptr to, CUdeviceptr from, size_t bytes, bool to_device, bool from_device, CUstream stream) {
  return submit(stream, [=]() -> CUresult {
    if (bytes == 0) return CUDA_SUCCESS;
    if (to == 0 || from == 0) return CUDA_ERROR_INVALID_VALUE;
    if (to_device && !is_device_range(to, bytes)) return out_of_range("copy to the device", to, bytes);
    if (from_device && !is_device_range(from, bytes)) return out_of_range("copy from the device", from, bytes);
    std::memmove(host(to), host(from), bytes);
    return CUDA_SUCCESS;
  });
}

template <class T>
CUresult fill(CUdeviceptr to, T value, size_t count, CUstream stream) {
  return call([&] {
    return submit(stream, [=]() -> CUresult {
      if (to % sizeof(T) != 0) return CUDA_ERROR_INVALID_VALUE;
      if (!is_device_range(to, count * sizeof(T))) return out_of_range("set", to, count * sizeof(T));
      for (size_t i = 0; i < count; ++i)
        std::memcpy(static_cast<std::byte*>(host(to)) + i * sizeof(T), &value, sizeof(T));
      return CUDA_SUCCESS;
    });
  });
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuMemAlloc_v2(CUdeviceptr* out, size_t bytes) {
  return call([&] { return allocate(out, bytes, "cuMemAlloc"); });
}
CUresult CUDAAPI cuMemFree_v2(CUdeviceptr address) {
  return call({.context = true, .healthy = false}, [&] { return release(address); });
}
CUresult CUDAAPI cuMemAllocAsync(CUdeviceptr* out, size_t bytes, CUstream stream) {
  return call([&] { return submit(stream, [&] { return allocate(out, bytes, "cuMemAllocAsync"); }); });
}
CUresult CUDAAPI cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return call([&] { return submit(stream, [&] { return release(address); }); });
}
CUresult CUDAAPI cuMemAllocManaged(CUdeviceptr* out, size_t bytes, unsigned int) {
  return call([&] { return allocate(out, bytes, "cuMemAllocManaged"); });
}
CUresult CUDAAPI cuMemHostAlloc(void** out, size_t bytes, unsigned int) {
  return call([&] { return allocate(reinterpret_cast<CUdeviceptr*>(out), bytes, "cuMemHostAlloc"); });
}
CUresult CUDAAPI cuMemAllocHost_v2(void** out, size_t bytes) { return cuMemHostAlloc(out, bytes, 0); }
CUresult CUDAAPI cuMemFreeHost(void* pointer) { return cuMemFree_v2(device(pointer)); }
CUresult CUDAAPI cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  return call([&] {
    if (free_bytes == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
    State& s = state();
    *total = s.card->memory_bytes;
    *free_bytes = *total - std::min<uint64_t>(*total, s.memory.bytes_in_use());
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr address) {
  return call([&] {
    const auto found = state().memory.find(address, 1);
    if (!found) return CUDA_ERROR_NOT_FOUND;
    if (base != nullptr) *base = found->address;
    if (bytes != nullptr) *bytes = found->bytes;
    return CUDA_SUCCESS;
  });
}

// Plain host memory that kernels may touch from now on, in exactly this range: how CPU tensors are used in place.
CUresult CUDAAPI cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned int) {
  return call([&] {
    if (pointer == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    return state().memory.register_host(device(pointer), bytes, "registered host memory")
               ? CUDA_SUCCESS
               : CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
  });
}
CUresult CUDAAPI cuMemHostUnregister(void* pointer) {
  return call({.context = true, .healthy = false}, [&] {
    return state().memory.unregister_host(device(pointer)) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
  });
}
CUresult CUDAAPI cuMemHostGetDevicePointer_v2(CUdeviceptr* out, void* pointer, unsigned int) {
  return call([&] {
    if (out == nullptr || pointer == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *out = device(pointer);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuPointerGetAttribute(void* value, CUpointer_attribute which, CUdeviceptr address) {
  return call([&] {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = state().memory.find(address, 1);
    if (!found) return CUDA_ERROR_INVALID_VALUE;
    switch (which) {
      case CU_POINTER_ATTRIBUTE_CONTEXT:
        *static_cast<CUcontext*>(value) = current_context();
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *static_cast<CUmemorytype*>(value) = found->is_owned ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        *static_cast<CUdeviceptr*>(value) = address;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        *static_cast<void**>(value) = host(address);
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        *static_cast<int*>(value) = 0;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_IS_MANAGED:
        *static_cast<bool*>(value) = false;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        *static_cast<CUdeviceptr*>(value) = found->address;
        return CUDA_SUCCESS;
      case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
        *static_cast<size_t*>(value) = found->bytes;
        return CUDA_SUCCESS;
      default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
  });
}

CUresult CUDAAPI cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  return call([&] { return copy(to, device(from), bytes, true, false, stream); });
}
CUresult CUDAAPI cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return call([&] { return copy(device(to), from, bytes, false, true, stream); });
}
CUresult CUDAAPI cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return call([&] { return copy(to, from, bytes, true, true, stream); });
}
CUresult CUDAAPI cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return call([&] { return copy(to, from, bytes, false, false, stream); });
}
CUresult CUDAAPI cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
  return cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr);
}
CUresult CUDAAPI cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
  return cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr);
}
CUresult CUDAAPI cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return cuMemcpyDtoDAsync_v2(to, from, bytes, nullptr);
}
CUresult CUDAAPI cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return cuMemcpyAsync(to, from, bytes, nullptr);
}

CUresult CUDAAPI cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  return fill(to, value, count, stream);
}
CUresult CUDAAPI cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
  return fill(to, value, count, stream);
}
CUresult CUDAAPI cuMemsetD32Async(CUdeviceptr to, unsigned int value, size_t count, CUstream stream) {
  return fill(to, value, count, stream);
}
CUresult CUDAAPI cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  return fill(to, value, count, nullptr);
}
CUresult CUDAAPI cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
  return fill(to, value, count, nullptr);
}
CUresult CUDAAPI cuMemsetD32_v2(CUdeviceptr to, unsigned int value, size_t count) {
  return fill(to, value, count, nullptr);
}

}  // extern "C"

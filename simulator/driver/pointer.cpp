// What the driver knows of an address.
#include "driver/state.hpp"

using namespace sim::driver;

namespace {

template <class T>
CUresult put(void* to, T value) {
  *static_cast<T*>(to) = value;
  return CUDA_SUCCESS;
}

// `found` is empty for memory that the driver does not know.
CUresult get(void* value, CUpointer_attribute which, CUdeviceptr address, const std::optional<sim::Allocation>& found) {
  const auto entry = found ? state().origins.find(found->address) : state().origins.end();
  const Origin origin = entry != state().origins.end() ? entry->second : Origin{Origin::Kind::kRegistered};
  const Origin::Kind kind = origin.kind;
  const bool is_host = kind == Origin::Kind::kHost || kind == Origin::Kind::kRegistered,
             is_pooled = kind == Origin::Kind::kPool, is_managed = kind == Origin::Kind::kManaged;
  switch (which) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      return put<CUcontext>(value, found && !is_pooled ? current_context() : nullptr);
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      return put<unsigned>(value, !found ? 0 : is_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE);
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
      return put<CUdeviceptr>(value, found ? address : 0);
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
      if (found && !is_host && !is_managed) return CUDA_ERROR_INVALID_VALUE;
      return put<void*>(value, reinterpret_cast<void*>(address));
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
      return put<unsigned>(value, found && origin.syncs);
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
    case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
      return put<unsigned long long>(value, found ? found->serial : 0);
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
      return put<unsigned>(value, found && is_managed);
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
      return put<int>(value, found ? 0 : -2);
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
    case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
      return put<unsigned>(value, 0);
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
      return put<CUdeviceptr>(value, found ? found->address : 0);
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
      return put<size_t>(value, found ? found->bytes : 0);
    case CU_POINTER_ATTRIBUTE_MAPPED:
      return put<unsigned>(value, found.has_value());
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
      return put<unsigned long long>(value, 0);
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
      return put<int>(value, found ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_NONE);
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
      return put<CUmemoryPool>(value, origin.pool);
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

bool is_attribute(CUpointer_attribute which) {
  return which >= CU_POINTER_ATTRIBUTE_CONTEXT && which <= CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE &&
         which != CU_POINTER_ATTRIBUTE_P2P_TOKENS;
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuPointerGetAttribute(void* value, CUpointer_attribute which, CUdeviceptr address) {
  return call([&] {
    const auto found = state().memory.find(address, 1);
    return value != nullptr && found ? get(value, which, address, found) : CUDA_ERROR_INVALID_VALUE;
  });
}
// Unlike the one above, no error for memory that the driver does not know, nor for an attribute that memory of its kind
// does not have: they are zero.
CUresult CUDAAPI cuPointerGetAttributes(unsigned int count, CUpointer_attribute* which, void** values,
                                        CUdeviceptr address) {
  return call([&] {
    if (count == 0 || which == nullptr || values == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = state().memory.find(address, 1);
    for (unsigned i = 0; i < count; ++i) {
      if (values[i] == nullptr || !is_attribute(which[i])) return CUDA_ERROR_INVALID_VALUE;
      get(values[i], which[i], address, found);
    }
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuPointerSetAttribute(const void* value, CUpointer_attribute which, CUdeviceptr address) {
  return call([&] {
    const auto found = state().memory.find(address, 1);
    const auto entry = found ? state().origins.find(found->address) : state().origins.end();
    if (value == nullptr || which != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS || entry == state().origins.end())
      return CUDA_ERROR_INVALID_VALUE;
    entry->second.syncs = *static_cast<const unsigned*>(value) != 0;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

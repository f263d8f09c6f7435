// Functions and kernels of loaded modules: attributes, names, parameters. A CUkernel is a CUfunction here.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver/state.hpp"

using namespace sim::driver;

namespace {

uint32_t& required_along(CUfunc_st& f, int axis) {
  sim::Dim3& cluster = f.required_cluster;
  return axis == 0 ? cluster.x : axis == 1 ? cluster.y : cluster.z;
}

CUresult get_attribute(int* value, CUfunction_attribute which, CUfunction f) {
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  const sim::Kernel& k = *f->kernel;
  switch (which) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      *value = static_cast<int>(sim::most_threads(k, *state().card));
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NUM_REGS:
      *value = static_cast<int>(k.registers);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
      *value = static_cast<int>(k.static_shared_bytes);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
      *value = static_cast<int>(k.local_bytes);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
      *value = static_cast<int>(sim::constant_bytes(*k.module));
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
      *value = 0;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
      *value = k.is_explicit_cluster;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH: {
      const int axis = which - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH;
      *value = static_cast<int>(k.required_cluster[axis] != 0 ? k.required_cluster[axis] : required_along(*f, axis));
      return CUDA_SUCCESS;
    }
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:  // of the target that the PTX names, 80 for sm_80
      *value = std::atoi(k.module->target.c_str() + std::strlen("sm_"));
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
      *value = state().card->cc_major * 10 + state().card->cc_minor;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      *value = static_cast<int>(f->max_dynamic_shared_bytes);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      *value = f->preferred_carveout;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
      *value = f->non_portable_cluster;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
      *value = f->cluster_policy;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult set_attribute(CUfunction f, CUfunction_attribute which, int value) {
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  switch (which) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: {
      const uint64_t total = static_cast<uint64_t>(std::max(0, value)) + f->kernel->static_shared_bytes;
      if (value < 0 || total > state().card->shared_per_block_optin) return CUDA_ERROR_INVALID_VALUE;
      f->max_dynamic_shared_bytes = static_cast<uint32_t>(value);
      return CUDA_SUCCESS;
    }
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      if (value < -1 || value > 100) return CUDA_ERROR_INVALID_VALUE;
      f->preferred_carveout = value;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
      f->non_portable_cluster = value != 0;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH: {
      const int axis = which - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH;
      if (value < 0) return CUDA_ERROR_INVALID_VALUE;
      const uint32_t compiled = f->kernel->required_cluster[axis];
      if (compiled != 0) return compiled == static_cast<uint32_t>(value) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
      required_along(*f, axis) = static_cast<uint32_t>(value);
      return CUDA_SUCCESS;
    }
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:  // where blocks are placed changes no result
      if (value < CU_CLUSTER_SCHEDULING_POLICY_DEFAULT || value > CU_CLUSTER_SCHEDULING_POLICY_LOAD_BALANCING)
        return CUDA_ERROR_INVALID_VALUE;
      f->cluster_policy = value;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult get_name(const char** name, CUfunction f) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  *name = f->kernel->name.c_str();
  return CUDA_SUCCESS;
}

CUresult get_module(CUmodule* module, CUfunction f) {
  if (module == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  *module = f->module;
  return CUDA_SUCCESS;
}

// A preference between shared memory and L1 changes no result.
CUresult set_cache_config(CUfunction f, CUfunc_cache config) {
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  return config >= CU_FUNC_CACHE_PREFER_NONE && config <= CU_FUNC_CACHE_PREFER_EQUAL ? CUDA_SUCCESS
                                                                                     : CUDA_ERROR_INVALID_VALUE;
}

CUresult get_param_info(CUfunction f, size_t index, size_t* offset, size_t* bytes) {
  if (offset == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  if (index >= f->kernel->params.size()) return CUDA_ERROR_INVALID_VALUE;
  *offset = f->kernel->params[index].offset;
  if (bytes != nullptr) *bytes = f->kernel->params[index].bytes;
  return CUDA_SUCCESS;
}

CUresult on_device(CUdevice device, const std::function<CUresult()>& body) {
  return call({.context = false}, [&] { return device == 0 ? body() : CUDA_ERROR_INVALID_DEVICE; });
}

CUfunction as_function(CUkernel kernel) { return reinterpret_cast<CUfunction>(kernel); }

}  // namespace

extern "C" {

CUresult CUDAAPI cuFuncGetAttribute(int* value, CUfunction_attribute which, CUfunction f) {
  return call([&] { return get_attribute(value, which, f); });
}
CUresult CUDAAPI cuFuncSetAttribute(CUfunction f, CUfunction_attribute which, int value) {
  return call([&] { return set_attribute(f, which, value); });
}
CUresult CUDAAPI cuFuncSetCacheConfig(CUfunction f, CUfunc_cache config) {
  return call([&] { return set_cache_config(f, config); });
}
CUresult CUDAAPI cuFuncGetModule(CUmodule* module, CUfunction f) {
  return call([&] { return get_module(module, f); });
}
// Modules are loaded eagerly, with all their functions.
CUresult CUDAAPI cuFuncIsLoaded(CUfunctionLoadingState* loaded, CUfunction f) {
  return call([&] {
    if (loaded == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
    *loaded = CU_FUNCTION_LOADING_STATE_LOADED;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuFuncLoad(CUfunction f) {
  return call([&] { return is_live(f) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; });
}
CUresult CUDAAPI cuFuncGetName(const char** name, CUfunction f) {
  return call([&] { return get_name(name, f); });
}
CUresult CUDAAPI cuFuncGetParamInfo(CUfunction f, size_t index, size_t* offset, size_t* bytes) {
  return call([&] { return get_param_info(f, index, offset, bytes); });
}

CUresult CUDAAPI cuKernelGetLibrary(CUlibrary* library, CUkernel kernel) {
  return call({.context = false},
              [&] { return get_module(reinterpret_cast<CUmodule*>(library), as_function(kernel)); });
}
CUresult CUDAAPI cuKernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice device) {
  return on_device(device, [&] { return set_cache_config(as_function(kernel), config); });
}
CUresult CUDAAPI cuKernelGetFunction(CUfunction* out, CUkernel kernel) {
  return call([&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!is_live(as_function(kernel))) return CUDA_ERROR_INVALID_HANDLE;
    *out = as_function(kernel);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuKernelGetAttribute(int* value, CUfunction_attribute which, CUkernel kernel, CUdevice device) {
  return on_device(device, [&] { return get_attribute(value, which, as_function(kernel)); });
}
CUresult CUDAAPI cuKernelSetAttribute(CUfunction_attribute which, int value, CUkernel kernel, CUdevice device) {
  return on_device(device, [&] { return set_attribute(as_function(kernel), which, value); });
}
CUresult CUDAAPI cuKernelGetName(const char** name, CUkernel kernel) {
  return call({.context = false}, [&] { return get_name(name, as_function(kernel)); });
}
CUresult CUDAAPI cuKernelGetParamInfo(CUkernel kernel, size_t index, size_t* offset, size_t* bytes) {
  return call({.context = false}, [&] { return get_param_info(as_function(kernel), index, offset, bytes); });
}

}  // extern "C"

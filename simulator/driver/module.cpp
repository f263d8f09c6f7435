// Modules and libraries: PTX is parsed and lowered when it is loaded. What one holds is in function.cpp.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "driver/cubin.hpp"
#include "driver/fatbin.hpp"
#include "driver/graph.hpp"
#include "driver/jit.hpp"
#include "ptx/ast.hpp"

using namespace sim::driver;

namespace {

std::string read_file(std::ifstream& file) { return {std::istreambuf_iterator<char>(file), {}}; }

// B12X_SIM_REPLACE_PTX=KERNEL:FILE   the module that has this kernel is loaded from the PTX text of that file instead:
// an edited kernel runs in a program that knows nothing of it.
std::unique_ptr<sim::Module> load_program(std::string_view ptx, const std::string& name) {
  auto program = sim::load_ptx(ptx, name);
  const char* variable = std::getenv("B12X_SIM_REPLACE_PTX");
  const std::string wanted = variable != nullptr ? variable : "";
  const size_t colon = wanted.find(':');
  if (wanted.empty()) return program;
  if (colon == std::string::npos)
    throw std::runtime_error("B12X_SIM_REPLACE_PTX is '" + wanted + "', want KERNEL:FILE");
  if (program->find(wanted.substr(0, colon)) == nullptr) return program;
  const std::string path = wanted.substr(colon + 1);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("B12X_SIM_REPLACE_PTX: cannot read " + path);
  return sim::load_ptx(read_file(file), path);
}

CUresult to_result(ImageError::Kind kind) {
  switch (kind) {
    case ImageError::Kind::kNoBinary:
      return CUDA_ERROR_NO_BINARY_FOR_GPU;
    case ImageError::Kind::kInvalidPtx:
      return CUDA_ERROR_INVALID_PTX;
    case ImageError::Kind::kNewerPtx:
      return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    case ImageError::Kind::kInvalidImage:
      return CUDA_ERROR_INVALID_IMAGE;
  }
  return CUDA_ERROR_UNKNOWN;
}

CUresult load(CUmodule* out, const void* image, size_t bytes, const std::string& name, JitOptions& options) {
  if (out == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = nullptr;
  State& s = state();
  std::string ptx;
  try {
    ptx = find_ptx(image, bytes, *s.card);
  } catch (const ImageError& e) {
    options.log_error(e.what());
    return report(to_result(e.kind), e.what(), false);
  }
  const std::map<std::string, CompiledKernel> compiled = read_cubin(find_cubin(image, bytes, *s.card));
  auto module = std::make_unique<CUmod_st>();
  try {
    module->program = load_program(ptx, name);
  } catch (const sim::ptx::Error& e) {
    options.log(e);
    throw;
  }
  for (const auto& kernel : module->program->kernels) {
    if (const auto found = compiled.find(kernel->name); found != compiled.end() && found->second.registers != 0) {
      kernel->registers = found->second.registers;
      kernel->barriers = found->second.barriers;
      kernel->local_bytes = std::max(kernel->local_bytes, found->second.local_bytes);
      kernel->are_registers_exact = true;
    }
    auto f = std::make_unique<CUfunc_st>();
    f->kernel = kernel.get();
    f->module = module.get();
    f->max_dynamic_shared_bytes = s.card->shared_per_block > kernel->static_shared_bytes
                                      ? s.card->shared_per_block - kernel->static_shared_bytes
                                      : 0;
    if (!kernel->load_error.empty()) options.log_note(kernel->load_error);
    s.live.insert(f.get());
    module->functions.push_back(std::move(f));
  }
  for (const sim::GlobalVariable& g : module->program->globals) {
    s.memory.register_host(g.address, g.bytes, g.name);
    s.origins[g.address] = {g.is_managed ? Origin::Kind::kManaged : Origin::Kind::kDevice};
  }
  *out = module.get();
  s.live.insert(module.get());
  s.modules.emplace(module.get(), std::move(module));
  return CUDA_SUCCESS;
}

CUresult unload(CUmodule module) {
  State& s = state();
  if (!is_live(module)) return CUDA_ERROR_INVALID_HANDLE;
  if (const CUresult r = check_capture_safe(); r != CUDA_SUCCESS) return r;
  for (const auto& f : module->functions) s.live.erase(f.get());
  for (const sim::GlobalVariable& g : module->program->globals) {
    s.memory.unregister_host(g.address);
    s.origins.erase(g.address);
  }
  s.live.erase(module);
  s.modules.erase(module);
  return CUDA_SUCCESS;
}

CUresult load_file(CUmodule* out, const char* path, JitOptions& options) {
  if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::ifstream file(path, std::ios::binary);
  if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
  const std::string image = read_file(file);
  return load(out, image.data(), image.size(), path, options);
}

CUresult find_function(CUfunction* out, CUmodule module, const char* name) {
  if (out == nullptr || name == nullptr || *name == '\0') return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(module)) return CUDA_ERROR_INVALID_HANDLE;
  *out = module->find(name);
  return *out != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult find_global(CUdeviceptr* address, size_t* bytes, CUmodule module, const char* name,
                     bool must_be_managed = false) {
  if (name == nullptr || *name == '\0' || (address == nullptr && bytes == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(module)) return CUDA_ERROR_INVALID_HANDLE;
  for (const sim::GlobalVariable& g : module->program->globals) {
    if (g.name != name || (must_be_managed && !g.is_managed)) continue;
    if (address != nullptr) *address = g.address;
    if (bytes != nullptr) *bytes = g.bytes;
    return CUDA_SUCCESS;
  }
  if (module->find(name) != nullptr) return CUDA_ERROR_INVALID_VALUE;  // the name of a function
  return CUDA_ERROR_NOT_FOUND;
}

CUresult list(CUfunction* out, unsigned capacity, CUmodule module) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(module)) return CUDA_ERROR_INVALID_HANDLE;
  for (size_t i = 0; i < module->functions.size() && i < capacity; ++i) out[i] = module->functions[i].get();
  return CUDA_SUCCESS;
}

// A library is a module that cannot be unloaded as one.
CUresult load_library(CUlibrary* out, unsigned count, CUjit_option* names, void** values,
                      const std::function<CUresult(CUmodule*, JitOptions&)>& body) {
  return call({.context = false}, [&]() -> CUresult {
    JitOptions options;
    if (const CUresult r = options.read(*state().card, count, names, values); r != CUDA_SUCCESS) return r;
    auto* const module = reinterpret_cast<CUmodule*>(out);
    const CUresult r = body(module, options);
    if (r == CUDA_SUCCESS) (*module)->is_library = true;
    return r;
  });
}

CUmodule as_module(CUlibrary library) { return reinterpret_cast<CUmodule>(library); }

}  // namespace

extern "C" {

CUresult CUDAAPI cuModuleLoad(CUmodule* out, const char* path) {
  JitOptions none;
  return call([&] { return load_file(out, path, none); });
}
CUresult CUDAAPI cuModuleLoadDataEx(CUmodule* out, const void* image, unsigned int count, CUjit_option* names,
                                    void** values) {
  return call([&] {
    JitOptions options;
    const CUresult r = options.read(*state().card, count, names, values);
    return r == CUDA_SUCCESS ? load(out, image, SIZE_MAX, "ptx in memory", options) : r;
  });
}
CUresult CUDAAPI cuModuleLoadData(CUmodule* out, const void* image) {
  return cuModuleLoadDataEx(out, image, 0, nullptr, nullptr);
}
CUresult CUDAAPI cuModuleLoadFatBinary(CUmodule* out, const void* image) { return cuModuleLoadData(out, image); }
CUresult CUDAAPI cuModuleUnload(CUmodule module) {
  return call([&] { return is_live(module) && module->is_library ? CUDA_ERROR_NOT_PERMITTED : unload(module); });
}
CUresult CUDAAPI cuModuleGetLoadingMode(CUmoduleLoadingMode* mode) {
  if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *mode = CU_MODULE_EAGER_LOADING;
  return CUDA_SUCCESS;
}
CUresult CUDAAPI cuModuleGetFunction(CUfunction* out, CUmodule module, const char* name) {
  return call([&] { return find_function(out, module, name); });
}
CUresult CUDAAPI cuModuleGetFunctionCount(unsigned int* count, CUmodule module) {
  return call([&] {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!is_live(module)) return CUDA_ERROR_INVALID_HANDLE;
    *count = static_cast<unsigned>(module->functions.size());
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuModuleEnumerateFunctions(CUfunction* functions, unsigned int capacity, CUmodule module) {
  return call([&] { return list(functions, capacity, module); });
}
CUresult CUDAAPI cuModuleGetGlobal_v2(CUdeviceptr* address, size_t* bytes, CUmodule module, const char* name) {
  return call([&] { return find_global(address, bytes, module, name); });
}
CUresult CUDAAPI cuLibraryLoadData(CUlibrary* out, const void* image, CUjit_option* names, void** values,
                                   unsigned int count, CUlibraryOption*, void**, unsigned int) {
  return load_library(out, count, names, values, [&](CUmodule* module, JitOptions& options) {
    return load(module, image, SIZE_MAX, "ptx in memory", options);
  });
}
CUresult CUDAAPI cuLibraryLoadFromFile(CUlibrary* out, const char* path, CUjit_option* names, void** values,
                                       unsigned int count, CUlibraryOption*, void**, unsigned int) {
  return load_library(out, count, names, values,
                      [&](CUmodule* module, JitOptions& options) { return load_file(module, path, options); });
}
CUresult CUDAAPI cuLibraryUnload(CUlibrary library) {
  return call({.context = false}, [&] { return unload(as_module(library)); });
}
CUresult CUDAAPI cuLibraryGetKernel(CUkernel* out, CUlibrary library, const char* name) {
  return call({.context = false},
              [&] { return find_function(reinterpret_cast<CUfunction*>(out), as_module(library), name); });
}
CUresult CUDAAPI cuLibraryGetKernelCount(unsigned int* count, CUlibrary library) {
  return cuModuleGetFunctionCount(count, as_module(library));
}
CUresult CUDAAPI cuLibraryEnumerateKernels(CUkernel* kernels, unsigned int capacity, CUlibrary library) {
  return call({.context = false},
              [&] { return list(reinterpret_cast<CUfunction*>(kernels), capacity, as_module(library)); });
}
CUresult CUDAAPI cuLibraryGetModule(CUmodule* module, CUlibrary library) {
  return call([&] {
    if (module == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!is_live(as_module(library))) return CUDA_ERROR_INVALID_HANDLE;
    *module = as_module(library);
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuLibraryGetGlobal(CUdeviceptr* address, size_t* bytes, CUlibrary library, const char* name) {
  return call([&] { return find_global(address, bytes, as_module(library), name); });
}
CUresult CUDAAPI cuLibraryGetManaged(CUdeviceptr* address, size_t* bytes, CUlibrary library, const char* name) {
  return call({.context = false}, [&] { return find_global(address, bytes, as_module(library), name, true); });
}
}  // extern "C"

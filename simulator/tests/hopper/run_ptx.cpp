// Runs a pack of PTX test cases on a GPU through the Driver API and writes what they answer. No other dependency than
// the driver library, which is opened at run time: g++ -O2 -std=c++20 run_ptx.cpp -o run_ptx -ldl
//   run_ptx CASES ANSWERS [libcuda.so.1]
// CASES (from `sim_scalar_cases pack`): count, then per case
//   text id, text PTX with an entry k(.param .u64 in, .param .u64 out, .param .u32 n), u32 in words, out words,
//   threads, u64 inputs [threads][in words]
// ANSWERS: count, then per case: text id, u32 CUresult (0: ok), u64 outputs [threads][out words] where it is ok
// A text is its u32 length and its bytes. A form that the GPU lacks fails to load and is recorded so.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using Pointer = unsigned long long;  // CUdeviceptr

struct Driver {
  int (*init)(unsigned);
  int (*device_get)(int*, int);
  int (*device_name)(char*, int, int);
  int (*context_retain)(void**, int);
  int (*context_set)(void*);
  int (*synchronize)();
  int (*module_load)(void**, const void*);
  int (*module_unload)(void*);
  int (*get_function)(void**, void*, const char*);
  int (*allocate)(Pointer*, size_t);
  int (*to_device)(Pointer, const void*, size_t);
  int (*to_host)(void*, Pointer, size_t);
  int (*fill)(Pointer, unsigned char, size_t);
  int (*launch)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "run_ptx: %s\n", what.c_str());
  std::exit(1);
}
void check(int result, const char* what) {
  if (result != 0) fail(std::string(what) + " gives CUresult " + std::to_string(result));
}

Driver open_driver(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) fail(dlerror());
  const auto get = [&](auto& function, const char* name) {
    void* address = dlsym(library, name);
    if (address == nullptr) fail(std::string("the driver has no ") + name);
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
  Driver d;
  get(d.init, "cuInit");
  get(d.device_get, "cuDeviceGet");
  get(d.device_name, "cuDeviceGetName");
  get(d.context_retain, "cuDevicePrimaryCtxRetain");
  get(d.context_set, "cuCtxSetCurrent");
  get(d.synchronize, "cuCtxSynchronize");
  get(d.module_load, "cuModuleLoadData");
  get(d.module_unload, "cuModuleUnload");
  get(d.get_function, "cuModuleGetFunction");
  get(d.allocate, "cuMemAlloc_v2");
  get(d.to_device, "cuMemcpyHtoD_v2");
  get(d.to_host, "cuMemcpyDtoH_v2");
  get(d.fill, "cuMemsetD8_v2");
  get(d.launch, "cuLaunchKernel");
  return d;
}

uint32_t read_u32(std::istream& in) {
  uint32_t value = 0;
  in.read(reinterpret_cast<char*>(&value), 4);
  if (!in) fail("the pack of cases ends early");
  return value;
}
std::string read_text(std::istream& in) {
  std::string text(read_u32(in), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}
void write_u32(std::ostream& out, uint32_t value) { out.write(reinterpret_cast<const char*>(&value), 4); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: run_ptx CASES ANSWERS [libcuda.so.1]");
  const Driver d = open_driver(argc > 3 ? argv[3] : "libcuda.so.1");
  int device = 0;
  void* context = nullptr;
  char name[128] = "";
  check(d.init(0), "cuInit");
  check(d.device_get(&device, 0), "cuDeviceGet");
  check(d.device_name(name, sizeof name, device), "cuDeviceGetName");
  check(d.context_retain(&context, device), "cuDevicePrimaryCtxRetain");
  check(d.context_set(context), "cuCtxSetCurrent");
  std::ifstream in(argv[1], std::ios::binary);
  std::ofstream out(argv[2], std::ios::binary);
  if (!in || !out) fail("cannot open the files");
  constexpr size_t kBufferBytes = 16u << 20;
  Pointer inputs = 0, outputs = 0;
  check(d.allocate(&inputs, kBufferBytes), "cuMemAlloc");
  check(d.allocate(&outputs, kBufferBytes), "cuMemAlloc");

  const uint32_t count = read_u32(in);
  uint32_t absent = 0;
  write_u32(out, count);
  for (uint32_t n = 0; n < count; ++n) {
    const std::string id = read_text(in), ptx = read_text(in);
    const uint32_t in_words = read_u32(in), out_words = read_u32(in), threads = read_u32(in);
    std::vector<uint64_t> words(static_cast<size_t>(threads) * in_words),
        answers(static_cast<size_t>(threads) * out_words);
    in.read(reinterpret_cast<char*>(words.data()), static_cast<std::streamsize>(words.size() * 8));
    if (words.size() * 8 > kBufferBytes || answers.size() * 8 > kBufferBytes) fail(id + " is too large");
    void *module = nullptr, *function = nullptr;
    int result = d.module_load(&module, ptx.c_str());
    if (result == 0) {
      check(d.get_function(&function, module, "k"), "cuModuleGetFunction");
      check(d.to_device(inputs, words.data(), words.size() * 8), "cuMemcpyHtoD");
      check(d.fill(outputs, 0, answers.size() * 8), "cuMemsetD8");
      uint32_t size = threads;
      void* params[] = {&inputs, &outputs, &size};
      check(d.launch(function, (threads + 63) / 64, 1, 1, 64, 1, 1, 0, nullptr, params, nullptr), id.c_str());
      result = d.synchronize();
      if (result != 0) fail(id + " ends with CUresult " + std::to_string(result) + "; the context is lost");
      check(d.to_host(answers.data(), outputs, answers.size() * 8), "cuMemcpyDtoH");
      check(d.module_unload(module), "cuModuleUnload");
    } else {
      ++absent;
    }
    write_u32(out, static_cast<uint32_t>(id.size()));
    out.write(id.data(), static_cast<std::streamsize>(id.size()));
    write_u32(out, static_cast<uint32_t>(result));
    if (result == 0)
      out.write(reinterpret_cast<const char*>(answers.data()), static_cast<std::streamsize>(answers.size() * 8));
  }
  std::printf("%s: %u cases, %u of them not loaded\n", name, count, absent);
  return 0;
}

// Modules and libraries: images that are none, options of the compiler and its logs, names that are not there.
#include <vector>

#include "questions.hpp"

namespace questions {
namespace {

const std::string kHead = ".version 8.0\n.target sm_80\n.address_size 64\n";

void images(const Answers& say) {
  const Context context;
  CUmodule module = nullptr;
  const auto load = [&](const std::string& what, const std::string& ptx) {
    say("cuModuleLoadData of " + what, cuModuleLoadData(&module, ptx.c_str()));
  };
  say("cuModuleLoadData of null", cuModuleLoadData(&module, nullptr));
  say("cuModuleLoadData without a place", cuModuleLoadData(nullptr, kNothing));
  load("no text", "");
  load("words", "hello, this is a text and no program at all");
  load("a syntax error", kHead + ".visible .entry f() { add.s32 %r1 ; }\n");
  load("an unknown instruction", kHead + ".visible .entry f() { frobnicate.sync; ret; }\n");
  load("an unknown modifier",
       kHead + ".visible .entry f() { .reg .b32 %r<3>; add.sat.u64.frob %r1, %r2, %r1; ret; }\n");
  load("an unknown directive", kHead + ".visible .frob f() { ret; }\n");
  load("an undeclared register", kHead + ".visible .entry f() { mov.u32 %r1, 5; ret; }\n");
  load("a register of the wrong type", kHead + ".visible .entry f() { .reg .f32 %f<2>; mov.u32 %f1, 5; ret; }\n");
  load("an undeclared label", kHead + ".visible .entry f() { bra NOWHERE; }\n");
  load("a name declared twice", kHead + ".visible .entry f() { ret; }\n.visible .entry f() { ret; }\n");
  load("an instruction newer than its target",
       ".version 8.0\n.target sm_70\n.address_size 64\n.visible .entry f() { .reg .b64 %rd<2>; .reg .b32 %r<2>;"
       " cp.async.ca.shared.global [%r1], [%rd1], 4; ret; }\n");
  load("an instruction newer than its version",
       ".version 6.0\n.target sm_60\n.address_size 64\n.visible .entry f() { .reg .b32 %r<3>;"
       " redux.sync.add.s32 %r1, %r2, -1; ret; }\n");
  load("a newer card", ".version 8.7\n.target sm_100\n.address_size 64\n.visible .entry f() { ret; }\n");
  load("an older card's own target", ".version 8.7\n.target sm_100a\n.address_size 64\n.visible .entry f() { ret; }\n");
  load("an unknown target", ".version 8.0\n.target sm_81\n.address_size 64\n.visible .entry f() { ret; }\n");
  load("a version yet to come", ".version 99.0\n.target sm_80\n.address_size 64\n.visible .entry f() { ret; }\n");
  load("no version", ".target sm_80\n.address_size 64\n.visible .entry f() { ret; }\n");
  load("no target", ".version 8.0\n.address_size 64\n.visible .entry f() { ret; }\n");
  load("addresses of 32 bits", ".version 8.0\n.target sm_80\n.address_size 32\n.visible .entry f() { ret; }\n");
  load("no address size", ".version 8.0\n.target sm_80\n.visible .entry f() { ret; }\n");
  load("an extern function", kHead + ".extern .func g();\n.visible .entry f() { call g; ret; }\n");
  load("an extern variable", kHead +
                                 ".extern .global .u32 g;\n.visible .entry f() { .reg .b32 %r<2>;"
                                 " ld.global.u32 %r1, [g]; ret; }\n");
  load("no entry", kHead);
  load("too much shared memory", kHead +
                                     ".visible .entry f() { .shared .b8 s[60000]; .reg .b32 %r<2>;"
                                     " mov.u32 %r1, s; st.shared.u32 [%r1], %r1; ret; }\n");
  load("too many parameters", kHead + ".visible .entry f(.param .b8 p[5000]) { ret; }\n");
  say("cuModuleLoad of no file", cuModuleLoad(&module, "/nonexistent.ptx"));
  say("cuModuleLoad of null", cuModuleLoad(&module, nullptr));
  say("cuModuleUnload of null", cuModuleUnload(nullptr));
}

// The log, and how much of the buffer it says that it filled.
void logs(const Answers& say) {
  const Context context;
  const auto load = [&](const std::string& what, const std::string& ptx, size_t room) {
    std::vector<char> errors(room + 1, '~'), notes(4097, '~');
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_INFO_LOG_BUFFER,
                              CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES};
    void* values[] = {errors.data(), reinterpret_cast<void*>(room), notes.data(), reinterpret_cast<void*>(4096)};
    CUmodule module = nullptr;
    say("cuModuleLoadDataEx of " + what, cuModuleLoadDataEx(&module, ptx.c_str(), 4, options, values));
    const auto text = [](const std::vector<char>& log) {
      std::string out;
      for (size_t i = 0; i < log.size() && log[i] != '\0' && log[i] != '~'; ++i) out += log[i];
      return out;
    };
    say.write("the error log of " + what, text(errors));
    say.write("its size of " + what, std::to_string(reinterpret_cast<size_t>(values[1])));
    say.write("the byte behind the error log of " + what,
              errors[std::min(text(errors).size(), room)] == '\0' ? "zero" : "not written");
    say.write("the information log of " + what, text(notes));
    say.write("the size of that of " + what, std::to_string(reinterpret_cast<size_t>(values[3])));
  };
  load("a good program", kNothing, 4096);
  load("an unknown instruction", kHead + ".visible .entry f() {\n  frobnicate.sync;\n  ret;\n}\n", 4096);
  load("an unknown instruction and 20 bytes of log", kHead + ".visible .entry f() {\n  frobnicate.sync;\n  ret;\n}\n",
       20);
  load("a syntax error", kHead + ".visible .entry f() {\n  .reg .b32 %r<2>;\n  add.s32 %r1 ;\n  ret;\n}\n", 4096);
  load("an undeclared register", kHead + ".visible .entry f() {\n  mov.u32 %r1, 5;\n  ret;\n}\n", 4096);
  load("two errors", kHead + ".visible .entry f() {\n  frobnicate.sync;\n  mov.u32 %r1, 5;\n  ret;\n}\n", 4096);
  load("an undeclared label", kHead + ".visible .entry f() {\n  bra NOWHERE;\n}\n", 4096);
  load("a newer card", ".version 8.7\n.target sm_100\n.address_size 64\n.visible .entry f() { ret; }\n", 4096);
  load("an extern function", kHead + ".extern .func g();\n.visible .entry f() { call g; ret; }\n", 4096);
  load("words", "hello, this is a text and no program at all", 4096);
}

void options(const Answers& say) {
  const Context context;
  const auto with = [&](const std::string& what, int option, size_t value) {
    CUmodule module = nullptr;
    auto id = static_cast<CUjit_option>(option);
    void* values[] = {reinterpret_cast<void*>(value)};
    say("cuModuleLoadDataEx with " + what, cuModuleLoadDataEx(&module, kNothing, 1, &id, values));
  };
  with("32 registers", CU_JIT_MAX_REGISTERS, 32);
  with("0 registers", CU_JIT_MAX_REGISTERS, 0);
  with("100000 registers", CU_JIT_MAX_REGISTERS, 100000);
  for (const size_t level : {0, 4, 5, 99})
    with("optimisation level " + std::to_string(level), CU_JIT_OPTIMIZATION_LEVEL, level);
  with("the context's target", CU_JIT_TARGET_FROM_CUCONTEXT, 0);
  with("target 90", CU_JIT_TARGET, 90);
  with("target 80", CU_JIT_TARGET, 80);
  with("target 7", CU_JIT_TARGET, 7);
  with("debug information", CU_JIT_GENERATE_DEBUG_INFO, 1);
  with("line information", CU_JIT_GENERATE_LINE_INFO, 1);
  with("a verbose log", CU_JIT_LOG_VERBOSE, 1);
  with("cache mode 1", CU_JIT_CACHE_MODE, 1);
  with("cache mode 9", CU_JIT_CACHE_MODE, 9);
  with("fallback strategy 1", CU_JIT_FALLBACK_STRATEGY, 1);
  with("fallback strategy 9", CU_JIT_FALLBACK_STRATEGY, 9);
  with("option 99", 99, 1);
  CUmodule module = nullptr;
  CUjit_option registers = CU_JIT_MAX_REGISTERS;
  void* value = nullptr;
  say("cuModuleLoadDataEx without options", cuModuleLoadDataEx(&module, kNothing, 0, nullptr, nullptr));
  say("cuModuleLoadDataEx without the options' names", cuModuleLoadDataEx(&module, kNothing, 1, nullptr, &value));
  CUjit_option time = CU_JIT_WALL_TIME;
  say("cuModuleLoadDataEx that measures", cuModuleLoadDataEx(&module, kNothing, 1, &time, &value));
  CUlibrary library = nullptr;
  for (const size_t count : {0, 32}) {
    value = reinterpret_cast<void*>(count);
    say("cuLibraryLoadData with " + std::to_string(count) + " registers",
        cuLibraryLoadData(&library, kNothing, &registers, &value, 1, nullptr, nullptr, 0));
  }
}

void names(const Answers& say) {
  const Nothing t;
  CUfunction f = nullptr;
  CUdeviceptr at = 0;
  size_t bytes = 0;
  CUmodule module = nullptr;
  const std::string ptx = kHead +
                          ".visible .global .align 8 .b8 v[12];\n.global .u32 hidden = 1;\n.const .u32 c = 2;\n"
                          ".visible .entry f() { ret; }\n.entry own() { ret; }\n.func g() { ret; }\n";
  must(cuModuleLoadData(&module, ptx.c_str()));
  for (const char* name : {"f", "own", "g", "thrice", "", "v"})
    say("cuModuleGetFunction '" + std::string(name) + "'", cuModuleGetFunction(&f, module, name));
  say("cuModuleGetFunction of null", cuModuleGetFunction(&f, module, nullptr));
  say("cuModuleGetFunction without a place", cuModuleGetFunction(nullptr, module, "f"));
  say("cuModuleGetFunction of no module", cuModuleGetFunction(&f, nullptr, "f"));
  for (const char* name : {"v", "hidden", "c", "f", "thrice", ""})
    say("cuModuleGetGlobal '" + std::string(name) + "'", cuModuleGetGlobal(&at, &bytes, module, name), bytes);
  say("cuModuleGetGlobal without places", cuModuleGetGlobal(nullptr, nullptr, module, "v"));
  say("cuModuleGetGlobal of null", cuModuleGetGlobal(&at, &bytes, module, nullptr));
  unsigned count = 0;
  say("cuModuleGetFunctionCount", cuModuleGetFunctionCount(&count, module), count);
  say("cuModuleGetFunctionCount without a place", cuModuleGetFunctionCount(nullptr, module));
  CUfunction functions[4] = {};
  say("cuModuleEnumerateFunctions into more room", cuModuleEnumerateFunctions(functions, 4, module));
  say("cuModuleEnumerateFunctions into no room", cuModuleEnumerateFunctions(functions, 0, module));
  say("cuModuleEnumerateFunctions without a place", cuModuleEnumerateFunctions(nullptr, 1, module));
  CUmoduleLoadingMode mode{};
  say("cuModuleGetLoadingMode", cuModuleGetLoadingMode(&mode), static_cast<int>(mode));
}

void libraries(const Answers& say) {
  const Context context;
  CUlibrary library = nullptr, other = nullptr;
  CUkernel kernel = nullptr;
  CUfunction f = nullptr;
  CUmodule module = nullptr;
  unsigned count = 0;
  CUdeviceptr at = 0;
  size_t bytes = 0, offset = 0;
  const std::string ptx = kHead +
                          ".visible .global .u32 v;\n.global .attribute(.managed) .align 4 .u32 m;\n"
                          ".visible .entry f(.param .u32 a, .param .u64 b) { ret; }\n.entry g() { ret; }\n";
  const auto load = [&](CUlibrary* out, const void* image) {
    return cuLibraryLoadData(out, image, nullptr, nullptr, 0, nullptr, nullptr, 0);
  };
  say("cuLibraryLoadData of null", load(&other, nullptr));
  say("cuLibraryLoadData of no text", load(&other, ""));
  say("cuLibraryLoadData without a place", load(nullptr, ptx.c_str()));
  const std::string wrong = kHead + ".visible .entry f() { frobnicate.sync; ret; }\n";
  say("cuLibraryLoadData of an unknown instruction", load(&other, wrong.c_str()));
  if (other != nullptr) {
    say("cuLibraryGetKernel of an unknown instruction", cuLibraryGetKernel(&kernel, other, "f"));
    say("cuKernelGetFunction of an unknown instruction", cuKernelGetFunction(&f, kernel));
  }
  must(load(&library, ptx.c_str()));
  say("cuLibraryLoadFromFile of no file",
      cuLibraryLoadFromFile(&other, "/nonexistent.ptx", nullptr, nullptr, 0, nullptr, nullptr, 0));
  say("cuLibraryGetKernel that is not there", cuLibraryGetKernel(&kernel, library, "h"));
  say("cuLibraryGetKernel of null", cuLibraryGetKernel(&kernel, library, nullptr));
  say("cuLibraryGetKernel", cuLibraryGetKernel(&kernel, library, "f"));
  say("cuLibraryGetKernelCount", cuLibraryGetKernelCount(&count, library), count);
  CUkernel kernels[4] = {};
  say("cuLibraryEnumerateKernels into more room", cuLibraryEnumerateKernels(kernels, 4, library));
  say("cuLibraryEnumerateKernels into no room", cuLibraryEnumerateKernels(kernels, 0, library));
  say("cuLibraryGetModule", cuLibraryGetModule(&module, library));
  say("cuModuleUnload of a library's module", cuModuleUnload(module));
  say("cuLibraryGetGlobal", cuLibraryGetGlobal(&at, &bytes, library, "v"), bytes);
  say("cuLibraryGetGlobal that is not there", cuLibraryGetGlobal(&at, &bytes, library, "w"));
  say("cuLibraryGetGlobal of a managed one", cuLibraryGetGlobal(&at, &bytes, library, "m"), bytes);
  say("cuLibraryGetManaged", cuLibraryGetManaged(&at, &bytes, library, "m"), bytes);
  say("cuLibraryGetManaged of one that is not", cuLibraryGetManaged(&at, &bytes, library, "v"));
  say("cuKernelGetFunction", cuKernelGetFunction(&f, kernel));
  const char* name = nullptr;
  say("cuKernelGetName", cuKernelGetName(&name, kernel));
  say.write("the kernel's name", name == nullptr ? "" : name);
  name = nullptr;
  say("cuFuncGetName of its function", cuFuncGetName(&name, f));
  say.write("the function's name", name == nullptr ? "" : name);
  for (const size_t i : {0, 1, 2})
    say("cuKernelGetParamInfo of parameter " + std::to_string(i), cuKernelGetParamInfo(kernel, i, &offset, &bytes),
        offset, bytes);
  int value = 0;
  say("cuKernelGetAttribute of threads a block",
      cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel, 0), value);
  say("cuKernelGetAttribute of card 77",
      cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel, 77));
  say("cuKernelSetAttribute of card 77",
      cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 0, kernel, 77));
  say("cuKernelSetCacheConfig to 9", cuKernelSetCacheConfig(kernel, CUfunc_cache(9), 0));
  say("cuLibraryUnload", cuLibraryUnload(library));
  say("cuLibraryUnload of null", cuLibraryUnload(nullptr));
}

constexpr Group kGroups[] = {{"modules: images", images},
                             {"modules: logs", logs},
                             {"modules: options", options},
                             {"modules: names", names},
                             {"modules: libraries", libraries}};

}  // namespace

std::span<const Group> about_modules() { return kGroups; }

}  // namespace questions

// What a driver tells of functions: registers, memory, versions, occupancy.
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <iterator>
#include <vector>

#include "questions.hpp"

namespace questions {
namespace {

// The image that the build puts beside this program.
std::string image() {
  std::string folder(PATH_MAX, '\0');
  folder.resize(static_cast<size_t>(std::max<ssize_t>(readlink("/proc/self/exe", folder.data(), folder.size()), 0)));
  std::ifstream file(folder.substr(0, folder.rfind('/')) + "/questions.fatbin", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
struct Kernels : Context {
  const std::string bytes = image();
  CUmodule module = nullptr;
  Kernels() { must(cuModuleLoadData(&module, bytes.data())); }
  CUfunction get(const char* name) const {
    CUfunction f = nullptr;
    must(cuModuleGetFunction(&f, module, name));
    return f;
  }
};
constexpr const char* kNames[] = {"empty",          "scale",     "many_registers",  "bounded_threads",
                                  "bounded_blocks", "spills",    "at_most_40",      "local_array",
                                  "static_shared",  "constants", "large_parameter", "with_barriers"};

void attributes_of(const Answers& say, const std::string& name, CUfunction f) {
  for (int which = 0; which <= 15; ++which) {
    int value = 0;
    say("attribute " + std::to_string(which) + " of " + name,
        cuFuncGetAttribute(&value, static_cast<CUfunction_attribute>(which), f), value);
  }
}

void compiled(const Answers& say) {
  const Kernels t;
  for (const char* name : kNames) attributes_of(say, name, t.get(name));
}

// Compiled by the driver: what it finds best, which the simulator can only estimate.
void translated(const Answers& say) {
  const Nothing t;
  attributes_of(say, "nothing, from PTX", t.f);
  CUmodule module = nullptr;
  CUfunction f = nullptr;
  for (const char* target : {"sm_60", "sm_75", "sm_90", "sm_90a"}) {
    const std::string ptx = ".version 8.0\n.target " + std::string(target) +
                            "\n.address_size 64\n"
                            ".visible .entry f(.param .align 16 .b8 p[64]) .maxntid 96, 2, 1 {\n"
                            "  .shared .align 4 .b8 s[1000];\n  .local .align 8 .b8 l[80];\n"
                            "  .reg .b32 %r<4>; .reg .b64 %rd<4>;\n"
                            "  ld.param.u32 %r1, [p]; mov.u64 %rd1, l; and.b32 %r2, %r1, 60; cvt.u64.u32 %rd2, %r2;\n"
                            "  add.s64 %rd3, %rd1, %rd2; st.local.u32 [%rd3], %r1; ld.local.u32 %r3, [%rd1+8];\n"
                            "  st.shared.u32 [s], %r3; ret;\n}\n";
    say("a module for " + std::string(target), cuModuleLoadData(&module, ptx.c_str()));
    must(cuModuleGetFunction(&f, module, "f"));
    attributes_of(say, "a function for " + std::string(target), f);
  }
}

void setting(const Answers& say) {
  const Kernels t;
  const CUfunction f = t.get("static_shared");
  const auto set = [&](const std::string& what, int which, int value) {
    say(what, cuFuncSetAttribute(f, static_cast<CUfunction_attribute>(which), value));
    int now = 0;
    say(what + ", and then", cuFuncGetAttribute(&now, static_cast<CUfunction_attribute>(which), f), now);
  };
  constexpr int kDynamic = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                kCarveout = CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT,
                kNonPortable = CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED;
  int most = 0;
  must(cuDeviceGetAttribute(&most, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
  set("12000 static bytes and as many dynamic ones as there are", kDynamic, most - 12000);
  set("12000 static bytes and one dynamic byte too many", kDynamic, most - 12000 + 1);
  set("-1 dynamic bytes", kDynamic, -1);
  set("0 dynamic bytes", kDynamic, 0);
  for (const int value : {-2, -1, 0, 50, 100, 101}) set("a carveout of " + std::to_string(value), kCarveout, value);
  for (const int value : {0, 1, 2, -1})
    set("cluster sizes that are not portable: " + std::to_string(value), kNonPortable, value);
  set("registers", CU_FUNC_ATTRIBUTE_NUM_REGS, 32);
  set("threads a block", CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 32);
  set("a scheduling policy of clusters", CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE, 1);
  set("attribute 99", 99, 1);
  int value = 0;
  say("cuFuncGetAttribute without a place", cuFuncGetAttribute(nullptr, CU_FUNC_ATTRIBUTE_NUM_REGS, f));
  say("cuFuncGetAttribute without a function", cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, nullptr));
  say("cuFuncSetCacheConfig to 9", cuFuncSetCacheConfig(f, CUfunc_cache(9)));
  say("cuFuncSetCacheConfig to L1", cuFuncSetCacheConfig(f, CU_FUNC_CACHE_PREFER_L1));
  const char* name = nullptr;
  say("cuFuncGetName", cuFuncGetName(&name, f));
  say.write("the name that it tells", name == nullptr ? "" : name);
  size_t offset = 0, bytes = 0;
  const CUfunction large = t.get("large_parameter");
  for (const size_t i : {0, 1, 2})
    say("cuFuncGetParamInfo of parameter " + std::to_string(i), cuFuncGetParamInfo(large, i, &offset, &bytes), offset,
        bytes);
  say("cuFuncGetParamInfo without a place for the offset", cuFuncGetParamInfo(large, 0, nullptr, &bytes));
  say("cuFuncGetParamInfo without a place for the bytes", cuFuncGetParamInfo(large, 0, &offset, nullptr));
  CUmodule module = nullptr;
  say("cuFuncGetModule", cuFuncGetModule(&module, f));
  say.write("it is the module that the function is from", module == t.module ? "yes" : "no");
  CUfunctionLoadingState loaded{};
  say("cuFuncIsLoaded before it is", cuFuncIsLoaded(&loaded, t.get("empty")), static_cast<int>(loaded));
  say("cuFuncLoad", cuFuncLoad(t.get("empty")));
  say("cuFuncIsLoaded after that", cuFuncIsLoaded(&loaded, t.get("empty")), static_cast<int>(loaded));
}

void occupancy(const Answers& say) {
  const Kernels t;
  for (const char* name : kNames) {
    const CUfunction f = t.get(name);
    for (const int threads : {1, 32, 33, 128, 192, 256, 384, 1024})
      for (const size_t shared : {0, 1000, 20000, 48 * 1024}) {
        int blocks = 0;
        say("blocks an SM of " + std::string(name) + ", " + std::to_string(threads) + " threads, " +
                std::to_string(shared) + " bytes",
            cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, threads, shared), blocks);
      }
    int grid = 0, block = 0;
    for (const int limit : {0, 100, 512})
      say("the suggested block of " + std::string(name) + ", at most " + std::to_string(limit) + " threads",
          cuOccupancyMaxPotentialBlockSize(&grid, &block, f, nullptr, 0, limit), grid, block);
    for (const int blocks : {1, 2, 5}) {
      size_t bytes = 0;
      say("dynamic shared memory of " + std::string(name) + " with " + std::to_string(blocks) + " blocks of 128",
          cuOccupancyAvailableDynamicSMemPerBlock(&bytes, f, blocks, 128), bytes);
    }
  }
}

void occupancy_of_wrong_things(const Answers& say) {
  const Kernels t;
  const CUfunction f = t.get("scale");
  int blocks = 0, threads = 0;
  size_t bytes = 0;
  const auto per_sm = [&](const std::string& what, int n, size_t shared, unsigned flags = 0) {
    say("blocks an SM " + what, cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&blocks, f, n, shared, flags),
        blocks);
  };
  per_sm("of 0 threads", 0, 0);
  per_sm("of -1 threads", -1, 0);
  per_sm("of 1025 threads", 1025, 0);
  per_sm("of 2000 threads", 2000, 0);
  per_sm("with 200000 bytes", 128, 200000);
  per_sm("with 300000 bytes", 128, 300000);
  per_sm("with flags 1", 128, 0, 1);
  per_sm("with flags 2", 128, 0, 2);
  say("blocks an SM without a place", cuOccupancyMaxActiveBlocksPerMultiprocessor(nullptr, f, 32, 0));
  say("blocks an SM without a function", cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nullptr, 32, 0));
  say("a suggested block of at most -1 threads",
      cuOccupancyMaxPotentialBlockSize(&blocks, &threads, f, nullptr, 0, -1));
  say("a suggested block of at most 5000 threads",
      cuOccupancyMaxPotentialBlockSize(&blocks, &threads, f, nullptr, 0, 5000), blocks, threads);
  say("a suggested block with 300000 bytes", cuOccupancyMaxPotentialBlockSize(&blocks, &threads, f, nullptr, 300000, 0),
      blocks, threads);
  say("dynamic shared memory with 0 blocks", cuOccupancyAvailableDynamicSMemPerBlock(&bytes, f, 0, 128), bytes);
  say("dynamic shared memory with 100 blocks", cuOccupancyAvailableDynamicSMemPerBlock(&bytes, f, 100, 128), bytes);
  say("dynamic shared memory with 2000 threads", cuOccupancyAvailableDynamicSMemPerBlock(&bytes, f, 1, 2000), bytes);
}

constexpr Group kGroups[] = {{"functions: compiled", compiled},
                             {"functions: translated", translated},
                             {"functions: setting", setting},
                             {"functions: occupancy", occupancy},
                             {"functions: occupancy of wrong things", occupancy_of_wrong_things}};

}  // namespace

std::span<const Group> about_functions() { return kGroups; }

}  // namespace questions

// Images that cuModuleLoadData gets: PTX, fatbins, and everything that only looks like one.
#include "fixture.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

extern "C" const char* simLastReport();
extern "C" const char* simDisassemble(const void* image, size_t bytes, const char* name, const char* kernel);

namespace {

template <class T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

struct Entry {
  uint16_t kind;
  std::string payload;
  uint64_t flags = 0x11;
};

// A fatbin as nvcc lays it out (driver/fatbin.cpp has the picture).
std::string fatbin(const std::vector<Entry>& entries) {
  std::string body;
  for (const Entry& e : entries) {
    std::string payload = e.payload;
    payload.resize((payload.size() + 1 + 7) / 8 * 8, '\0');
    put<uint16_t>(body, e.kind);
    put<uint16_t>(body, 0x101);
    put<uint32_t>(body, 64);
    put<uint64_t>(body, payload.size());
    put<uint32_t>(body, 0);
    put<uint32_t>(body, 0);
    put<uint32_t>(body, 0x90005);
    put<uint32_t>(body, 120);
    put<uint32_t>(body, 64);
    put<uint32_t>(body, 0);
    put<uint64_t>(body, e.flags);
    put<uint64_t>(body, 0);
    put<uint64_t>(body, 0);
    body += payload;
  }
  std::string image;
  put<uint32_t>(image, 0xBA55ED50);
  put<uint16_t>(image, 1);
  put<uint16_t>(image, 16);
  put<uint64_t>(image, body.size());
  return image + body;
}

std::string load(const std::string& image) {
  CUmodule module = nullptr;
  const CUresult r = cuModuleLoadData(&module, image.c_str());
  if (r == CUDA_SUCCESS) cuModuleUnload(module);
  return name_of(r);
}

// What the build made of packed.cu.
std::string packed_image(const std::string& mode) {
  std::ifstream file(std::string(PACKED_IMAGES) + "/packed_" + mode + ".fatbin", std::ios::binary);
  const std::string image{std::istreambuf_iterator<char>(file), {}};
  REQUIRE(image.size() > 64);
  return image;
}

}  // namespace

TEST_CASE("of several PTX entries the most specific that the card runs is taken") {
  Context context;
  // Each entry has a kernel of its own name, so the choice can be seen.
  const auto entry = [](const std::string& target, const std::string& kernel) {
    return Entry{1,
                 ".version 8.7\n.target " + target + "\n.address_size 64\n.visible .entry " + kernel + "() { ret; }\n"};
  };
  const auto chosen = [&](const std::vector<Entry>& entries) -> std::string {
    CUmodule module = nullptr;
    if (const CUresult r = cuModuleLoadData(&module, fatbin(entries).c_str()); r != CUDA_SUCCESS) return name_of(r);
    CUfunction f = nullptr;
    std::string name = "none";
    for (const char* candidate : {"base80", "base120", "family", "exact", "hopper", "spark"})
      if (cuModuleGetFunction(&f, module, candidate) == CUDA_SUCCESS) name = candidate;
    cuModuleUnload(module);
    return name;
  };
  const Entry base80 = entry("sm_80", "base80"), base120 = entry("sm_120", "base120"),
              family = entry("sm_120f", "family"), exact = entry("sm_120a", "exact"),
              hopper = entry("sm_90a", "hopper"), spark = entry("sm_121a", "spark");
  CHECK(chosen({family, exact, base120}) == "exact");
  CHECK(chosen({hopper, base120, family}) == "family");
  CHECK(chosen({base80, hopper, base120}) == "base120");
  CHECK(chosen({spark, base80}) == "base80");
  CHECK(chosen({hopper, spark}) == "CUDA_ERROR_NO_BINARY_FOR_GPU");
  CHECK(std::string(simLastReport()).find("PTX for sm_90a, sm_121a") != std::string::npos);
}

TEST_CASE("a fatbin cut off anywhere, or with a damaged header, is an error and never a crash") {
  Context context;
  const std::string whole = fatbin({{2, "machine code"}, {1, twice_ptx("sm_120f")}});
  CHECK(load(whole) == "CUDA_SUCCESS");
  // The header tells how long the image is, so a longer promise than what is there can only be seen through its
  // entries: shrink the promise instead, to every length.
  for (uint64_t bytes = 0; bytes + 16 < whole.size(); bytes += 4) {
    std::string cut = whole;
    std::memcpy(cut.data() + 8, &bytes, 8);
    const std::string result = load(cut);
    CHECK_MESSAGE((result == "CUDA_ERROR_INVALID_IMAGE" || result == "CUDA_ERROR_NO_BINARY_FOR_GPU"),
                  bytes << " " << result);
  }
  std::string bad = whole;
  bad[4] = 9;
  CHECK(load(bad) == "CUDA_ERROR_INVALID_IMAGE");
  bad = whole;
  bad[16 + 4] = 1;  // the first entry's header is one byte long
  CHECK(load(bad) == "CUDA_ERROR_INVALID_IMAGE");
}

TEST_CASE("a file with nvcc's wrapper around a pointer is an error and never a crash") {
  Context context;
  const std::string path = file_of_this_process("wrapper_in_a_file.fatbin");
  const uint32_t magic = 0x466243b1;
  std::string bytes(24, '\x55');
  std::memcpy(bytes.data(), &magic, 4);
  std::ofstream(path, std::ios::binary) << bytes;
  CUmodule module = nullptr;
  CHECK(name_of(cuModuleLoad(&module, path.c_str())) == "CUDA_ERROR_INVALID_IMAGE");
  std::remove(path.c_str());
}

TEST_CASE("an image of known length ends there, though digits stand behind it") {
  Context context;
  const std::string inside = ".target sm_120f\n.version";
  const std::string whole = inside + " 99.0\n";
  const auto report_of = [&](size_t bytes) {
    CHECK(simDisassemble(whole.data(), bytes, "image", "") == nullptr);
    return std::string(simLastReport());
  };
  CHECK(report_of(whole.size()).find("version above 9") != std::string::npos);
  CHECK(report_of(inside.size()).find("version above 9") == std::string::npos);
  CHECK(load(".version 99999999999999999999.0\n.target sm_120f\n") == "CUDA_ERROR_UNSUPPORTED_PTX_VERSION");
}

TEST_CASE("images without PTX that can run say what to do") {
  Context context;
  CHECK(load("\x7f"
             "ELF and so on") == "CUDA_ERROR_NO_BINARY_FOR_GPU");
  CHECK(std::string(simLastReport()).find("machine code") != std::string::npos);
  CHECK(load(fatbin({{2, "code only"}})) == "CUDA_ERROR_NO_BINARY_FOR_GPU");
  CHECK(std::string(simLastReport()).find("-gencode arch=compute_XX,code=[compute_XX,sm_XX]") != std::string::npos);
  CHECK(load("hello") == "CUDA_ERROR_INVALID_IMAGE");
  CHECK(load(twice_ptx("sm_90a")) == "CUDA_ERROR_INVALID_PTX");
}

TEST_CASE("images that nvcc packs are read as those that it does not") {
  Context context;
  for (const char* mode : {"none", "default", "speed"}) {
    CAPTURE(mode);
    const std::string image = packed_image(mode);
    // Packed or not is what the flags of the first entry say.
    uint64_t flags = 0;
    std::memcpy(&flags, image.data() + 16 + 40, 8);
    CHECK((flags & 0xa000) == (mode == std::string("none") ? 0 : mode == std::string("default") ? 0x8000 : 0x2000));
    CUmodule module = nullptr;
    CUfunction f = nullptr;
    ok(cuModuleLoadData(&module, image.c_str()));
    ok(cuModuleGetFunction(&f, module, "triple_and_one"));
    Words x(5, 7);
    uint32_t n = 4;
    void* params[] = {&x.at, &n};
    ok(cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, nullptr, params, nullptr));
    CHECK(x.read() == std::vector<uint32_t>{22, 22, 22, 22, 7});
    ok(cuModuleUnload(module));
  }
}

TEST_CASE("a packed image with any byte of its PTX changed is an error or other PTX, and never a crash") {
  Context context;
  for (const char* mode : {"default", "speed"}) {
    CAPTURE(mode);
    const std::string image = packed_image(mode);
    uint32_t head = 0, packed = 0;
    std::memcpy(&head, image.data() + 16 + 4, 4);
    std::memcpy(&packed, image.data() + 16 + 16, 4);
    size_t refused = 0;
    for (size_t at = 0; at < packed; at += 3) {
      std::string bad = image;
      bad[16 + head + at] = static_cast<char>(bad[16 + head + at] ^ 0x5a);
      refused += load(bad) != "CUDA_SUCCESS";
    }
    CHECK(refused > packed / 6);
    for (const size_t field : {16, 56}) {  // packed bytes; plain bytes
      std::string bad = image;
      std::memset(bad.data() + 16 + field, 0x7f, 4);
      CHECK(load(bad) == "CUDA_ERROR_INVALID_IMAGE");
      std::memset(bad.data() + 16 + field, 0, 4);
      CHECK(load(bad) != "CUDA_SUCCESS");
    }
  }
}

TEST_CASE("the compiler's logs have the form that programs read, and the options say how long they are") {
  Context context;
  const auto log_of = [](const std::string& ptx, size_t room, CUjit_option buffer, CUjit_option size) {
    std::string log(room, '~');
    CUjit_option options[] = {buffer, size};
    void* values[] = {log.data(), reinterpret_cast<void*>(room)};
    CUmodule module = nullptr;
    const CUresult r = cuModuleLoadDataEx(&module, ptx.c_str(), 2, options, values);
    if (r == CUDA_SUCCESS) cuModuleUnload(module);
    const size_t used = reinterpret_cast<size_t>(values[1]);
    CHECK(used <= room);
    log.resize(std::min(log.size(), log.find('\0')));
    CHECK((used == log.size() || (used == room && log.size() == room - 1)));
    return log;
  };
  const auto errors = [&](const std::string& ptx, size_t room) {
    return log_of(ptx, room, CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  };
  const std::string wrong =
      ".version 8.7\n.target sm_80\n.address_size 64\n.visible .entry f() {\n  mov.u32 %r1, 5;\n  ret;\n}\n";
  const std::string log = errors(wrong, 1000);
  CHECK_MESSAGE(log.starts_with("ptxas application ptx input, line 5; error   : "), log);
  CHECK_MESSAGE(log.ends_with("\nptxas fatal   : Ptx assembly aborted due to errors"), log);
  CHECK(errors(wrong, 20) == log.substr(0, 19));
  CHECK(errors(twice_ptx("sm_80"), 100).empty());
  const std::string unknown =
      ".version 8.7\n.target sm_80\n.address_size 64\n.visible .entry f() {\n  frobnicate.sync;\n  ret;\n}\n";
  CHECK(errors(unknown, 100).empty());
  CHECK(log_of(unknown, 1000, CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES).find("frobnicate.sync") !=
        std::string::npos);
}

TEST_CASE("registers are those of the machine code beside the PTX, packed or not; of PTX alone they are estimated") {
  Context context;
  const auto registers = [](const void* image) {
    CUmodule module = nullptr;
    CUfunction f = nullptr;
    ok(cuModuleLoadData(&module, image));
    ok(cuModuleEnumerateFunctions(&f, 1, module));
    int value = -1;
    ok(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, f));
    ok(cuModuleUnload(module));
    return value;
  };
  const int plain = registers(packed_image("none").c_str());
  CHECK(plain >= 4);
  CHECK(plain <= 16);
  CHECK(registers(packed_image("default").c_str()) == plain);
  CHECK(registers(packed_image("speed").c_str()) == plain);
  // 40 values that are live at a time, a base and an address; then the same within what .maxnreg leaves.
  std::string body = "  .reg .b32 %r<50>; .reg .b64 %rd<2>;\n  ld.param.u64 %rd1, [x];\n";
  for (int i = 0; i < 40; ++i)
    body += "  ld.global.u32 %r" + std::to_string(i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
  for (int i = 0; i < 40; ++i)
    body += "  st.global.u32 [%rd1+" + std::to_string(4 * ((i + 1) % 40)) + "], %r" + std::to_string(i) + ";\n";
  const auto kernel = [&](const std::string& bound) {
    return ".version 8.7\n.target sm_80\n.address_size 64\n.visible .entry f(.param .u64 x) " + bound + " {\n" + body +
           "  ret;\n}\n";
  };
  const int free = registers(kernel("").c_str());
  CHECK(free >= 42);
  CHECK(free <= 52);
  CHECK(registers(kernel(".maxnreg 32").c_str()) == 32);
  CHECK(registers(kernel(".maxntid 1024 .minnctapersm 2").c_str()) == 32);
}

TEST_CASE("a damaged image of machine code costs the exact numbers, and never a crash") {
  Context context;
  const std::string image = packed_image("none");
  const size_t begin = image.find("\177ELF");
  REQUIRE(begin != std::string::npos);
  for (size_t at = begin; at < image.size(); at += 7) {
    std::string bad = image;
    bad[at] = static_cast<char>(bad[at] ^ 0xa5);
    load(bad);
  }
}

TEST_CASE("PTX with an error gives a caret, PTX with an unknown form runs its other kernels") {
  Context context;
  CHECK(load(".version 8.7\n.target sm_120f\n.address_size 64\n.visible .entry f() { add.s32 %r1 ; }\n") ==
        "CUDA_ERROR_INVALID_PTX");
  CHECK(std::string(simLastReport()).find('^') != std::string::npos);
  const std::string ptx =
      ".version 8.7\n.target sm_120f\n.address_size 64\n.visible .entry good() { ret; }\n"
      ".visible .entry bad() { frobnicate.sync; ret; }\n";
  CUmodule module = nullptr;
  ok(cuModuleLoadData(&module, ptx.c_str()));
  CUfunction good = nullptr, bad = nullptr;
  ok(cuModuleGetFunction(&good, module, "good"));
  ok(cuModuleGetFunction(&bad, module, "bad"));
  ok(cuLaunchKernel(good, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, nullptr));
  ok(cuCtxSynchronize());
  CHECK(name_of(cuLaunchKernel(bad, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, nullptr)) == "CUDA_ERROR_INVALID_PTX");
  CHECK(std::string(simLastReport()).find("frobnicate.sync") != std::string::npos);
  ok(cuModuleUnload(module));
}

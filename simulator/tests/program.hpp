// Runs PTX text in a test: Program("…").run("entry", {.block = {32}}, {pointer, pointer, 7}). Buffers are host memory
// that the program registers, so that bounds are checked to the byte.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "machine/launch.hpp"
#include "program/program.hpp"

namespace sim::test {

// A kernel argument: any trivially copyable value, laid out in order with natural alignment (128-byte maps: 64).
struct Argument {
  std::vector<std::byte> bytes;
  size_t align;
  template <class T>
  Argument(const T& value) : bytes(sizeof value), align(sizeof value > 16 ? 64 : sizeof value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(bytes.data(), &value, sizeof value);
  }
};

struct Launch {
  Dim3 grid{}, block{32};
  uint32_t shared = 0;
  const char* card = "rtx-pro-6000";
};

class Program {
 public:
  explicit Program(const std::string& ptx) : module_(load_ptx(ptx, "test.ptx")) {}

  template <class T>
  void add(std::vector<T>& buffer, const char* name) {
    add_range(buffer.data(), buffer.size() * sizeof(T), name);
  }

  void add_range(const void* data, size_t bytes, const char* name) {
    REQUIRE(memory_.register_host(reinterpret_cast<uint64_t>(data), bytes, name));
  }

  LaunchResult run(const char* entry, const Launch& launch, const std::vector<Argument>& arguments) {
    const Kernel* kernel = module_->find(entry);
    REQUIRE(kernel != nullptr);
    REQUIRE_MESSAGE(kernel->load_error.empty(), kernel->load_error);
    alignas(64) std::byte params[4096] = {};
    size_t at = 0;
    for (const Argument& a : arguments) {
      at = (at + a.align - 1) / a.align * a.align;
      std::memcpy(params + at, a.bytes.data(), a.bytes.size());
      at += a.bytes.size();
    }
    REQUIRE(at == kernel->param_bytes);
    LaunchConfig config;
    config.grid = launch.grid;
    config.block = launch.block;
    config.dynamic_shared_bytes = launch.shared;
    return run_grid(*kernel, config, params, memory_, *find_card(launch.card));
  }

  // The same for a launch that must succeed.
  void run_ok(const char* entry, const Launch& launch, const std::vector<Argument>& arguments) {
    const LaunchResult result = run(entry, launch, arguments);
    REQUIRE_MESSAGE(result.status == LaunchResult::Status::kOk, result.report);
  }

 private:
  std::unique_ptr<Module> module_;
  Memory memory_;
};

template <class T>
uint64_t pointer(const std::vector<T>& buffer) {
  return reinterpret_cast<uint64_t>(buffer.data());
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string header(const char* target = "sm_120a") {
  return std::string(".version 8.8\n.target ") + target + "\n.address_size 64\n";
}

}  // namespace sim::test

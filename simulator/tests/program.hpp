// Runs PTX text in a test: Program("…").run("entry", {.block = {32}}, {pointer, pointer, 7}). Buffers are host memory
// that the program registers, so that bounds are checked to the byte.
// With SIM_RECORD=<folder> each launch on card h200 that succeeds, but for those of seeds, is also written there, with
// its buffers before and after: hopper/replay.py runs the same launches on a real GPU and compares.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkers/checkers.hpp"
#include "machine/launch.hpp"
#include "program/program.hpp"
#include "tests/forms.hpp"

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
  Dim3 cluster{0, 0, 0};                // none: what the kernel requires
  std::optional<RunOptions> options{};  // otherwise those of the environment
};

// For tests whose answer depends on who comes first: warps take turns, lanes meet again where they can.
inline const RunOptions kInTurn{};

inline RunOptions environment() {
  RunOptions options;
  std::string findings_file;
  REQUIRE(read_environment(options, findings_file) == "");
  return options;
}

class Program {
 public:
  explicit Program(const std::string& ptx) : text_(ptx), module_(load_ptx(ptx, "test.ptx")) {}

  template <class T>
  void add(std::vector<T>& buffer, const char* name) {
    add_range(buffer.data(), buffer.size() * sizeof(T), name);
  }

  void add_range(const void* data, size_t bytes, const char* name) {
    REQUIRE(memory_.register_host(reinterpret_cast<uint64_t>(data), bytes, name));
    buffers_.push_back({static_cast<const std::byte*>(data), bytes});
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
    config.cluster = launch.cluster;
    config.dynamic_shared_bytes = launch.shared;
    launched_forms().note(*kernel);
    const auto before = contents();
    const RunOptions options = launch.options ? *launch.options : environment();
    std::vector<MakeObserver> observers;
    if (checkers::checks(options)) observers.push_back(checkers::check_grid);
    const LaunchResult result = run_grid(*kernel, config, params, memory_, *find_card(launch.card), options, observers);
    if (!launch.options)  // checked as the environment says: nothing but the fault that ended it may be found
      for (const Finding& f : result.findings)
        if (f.text != result.report) FAIL_CHECK(f.text);
    const char* folder = std::getenv("SIM_RECORD");
    const bool is_asked = folder != nullptr && launch.card == std::string("h200") && options.seed == 0;
    if (is_asked && result.status == LaunchResult::Status::kOk)
      record(folder, *kernel, config, {params, params + at}, before);
    return result;
  }

  // The same for a launch that must succeed.
  void run_ok(const char* entry, const Launch& launch, const std::vector<Argument>& arguments) {
    const LaunchResult result = run(entry, launch, arguments);
    REQUIRE_MESSAGE(result.status == LaunchResult::Status::kOk, result.report);
  }

 private:
  struct Buffer {
    const std::byte* data;
    size_t bytes;
  };

  std::vector<std::byte> contents() const {
    std::vector<std::byte> all;
    for (const Buffer& b : buffers_) all.insert(all.end(), b.data, b.data + b.bytes);
    return all;
  }

  // <hash of the text>.ptx, the kernel's rows of the instruction table, and one file a launch: a line of text (the
  // fields below), then the bytes of the parameters, of all buffers before and of all buffers after.
  void record(const std::string& folder, const Kernel& kernel, const LaunchConfig& c,
              const std::vector<std::byte>& params, const std::vector<std::byte>& before) const {
    static int count = 0;
    const std::string name = std::to_string(std::hash<std::string>{}(text_));
    std::ofstream(folder + "/" + name + ".ptx") << text_;
    std::ofstream forms(folder + "/" + name + "." + kernel.name + ".forms");
    for (const Form* form : kernel.forms)
      if (form != nullptr) forms << form_key(*form) << '\n';
    std::ofstream out(folder + "/" + name + "." + std::to_string(count++) + ".launch", std::ios::binary);
    out << kernel.name;
    for (const Dim3& d : {c.grid, c.block, c.cluster}) out << ' ' << d.x << ' ' << d.y << ' ' << d.z;
    out << ' ' << c.dynamic_shared_bytes << ' ' << params.size() << ' ' << kernel.params.size();
    for (const Param& p : kernel.params) out << ' ' << p.offset;
    for (const Buffer& b : buffers_) out << ' ' << reinterpret_cast<uint64_t>(b.data) << ' ' << b.bytes;
    out << '\n';
    for (const auto& bytes : {params, before, contents()})
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  std::string text_;
  std::unique_ptr<Module> module_;
  Memory memory_;
  std::vector<Buffer> buffers_;
};

template <class T>
uint64_t pointer(const std::vector<T>& buffer) {
  return reinterpret_cast<uint64_t>(buffer.data());
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string header(const char* target = "sm_120a") {
  return std::string(".version 8.8\n.target ") + target + "\n.address_size 64\n";
}

// The grid barrier of every persistent kernel, on the counter at %rd1 with tid.x in %r0: the last arrival of a round
// opens the next.
inline constexpr char kGridBarrier[] = R"(
    bar.sync 0;
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $joined;
    mov.u32 %r2, %nctaid.x;
    atom.release.gpu.global.add.u32 %r3, [%rd1], 1;
  $spin:
    ld.acquire.gpu.global.u32 %r4, [%rd1];
    setp.lt.u32 %p2, %r4, %r2;
    @%p2 bra $spin;
  $joined:
    bar.sync 0;
)";

}  // namespace sim::test

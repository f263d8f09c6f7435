// The environment when a process starts: options of its launches (machine/options.hpp lists them), what is traced, and
// counters that it leaves in a file when it ends.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "counters/counters.hpp"
#include "driver/state.hpp"
#include "trace/trace.hpp"

namespace sim::driver {
namespace {

std::string_view variable(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

// The last thing that the process does: static destructors of programs may still launch.
void append_counters() {
  std::string text = counters::to_json(*state().card);
  std::erase(text, '\n');
  if (std::FILE* file = std::fopen(std::string(variable("B12X_SIM_COUNTERS_FILE")).c_str(), "a")) {
    std::fwrite((text + '\n').data(), 1, text.size() + 1, file);
    std::fclose(file);
  }
}

// B12X_SIM_TRACE and its companions; "" or what is wrong with one of them.
std::string read_trace() {
  trace::Settings settings;
  settings.file = variable("B12X_SIM_TRACE");
  if (settings.file.empty()) return "";
  settings.kernel = variable("B12X_SIM_TRACE_KERNEL");
  if (const std::string block(variable("B12X_SIM_TRACE_BLOCK")); !block.empty()) {
    Dim3 d;
    char rest = 0;
    if (std::sscanf(block.c_str(), "%u,%u,%u%c", &d.x, &d.y, &d.z, &rest) != 3)
      return "B12X_SIM_TRACE_BLOCK is '" + block + "', want x,y,z";
    settings.block = d;
  }
  if (const std::string warp(variable("B12X_SIM_TRACE_WARP")); !warp.empty()) settings.warp = std::atoi(warp.c_str());
  if (const std::string most(variable("B12X_SIM_TRACE_MAX")); !most.empty())
    settings.most = std::strtoull(most.c_str(), nullptr, 0);
  state().traces = true;
  trace::configure(std::move(settings));
  return "";
}

}  // namespace

std::string read_options(RunOptions& options, std::string& findings_file) {
  if (std::string wrong = read_environment(options, findings_file); !wrong.empty()) return wrong;
  state().is_l2_cold = variable("B12X_SIM_COLD_L2") == "1";
  if (options.counts && !variable("B12X_SIM_COUNTERS_FILE").empty()) std::atexit(append_counters);
  return read_trace();
}

}  // namespace sim::driver

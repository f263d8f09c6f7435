// B12X_SIM_* variables -> RunOptions. machine/options.hpp lists them.
#include <cerrno>
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

// One of the comma-separated words of B12X_SIM_CHECK; false: there is no such check.
bool turn_on(std::string_view check, RunOptions& options) {
  const bool all = check == "all";
  if (!all && check != "memcheck" && check != "race" && check != "init" && check != "sync" && check != "none")
    return false;
  options.checks_races |= all || check == "race";
  options.checks_init |= all || check == "init";
  options.checks_sync |= all || check == "sync";
  return true;
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
  for (std::string_view rest = variable("B12X_SIM_CHECK"); !rest.empty();) {
    const size_t comma = rest.find(',');
    if (!turn_on(rest.substr(0, comma), options))
      return "B12X_SIM_CHECK has '" + std::string(rest.substr(0, comma)) +
             "', want all, none, or some of memcheck,race,init,sync";
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
  const bool checks = options.checks_races || options.checks_init || options.checks_sync;
  const std::string_view async = variable("B12X_SIM_ASYNC");
  if (async == "hostile" || (async.empty() && checks))
    options.async = AsyncMode::kHostile;
  else if (async == "lazy")
    options.async = AsyncMode::kLazy;
  else if (!async.empty() && async != "eager")
    return "B12X_SIM_ASYNC is '" + std::string(async) + "', want eager, lazy or hostile";
  if (const std::string seed(variable("B12X_SIM_SEED")); !seed.empty()) {
    char* end = nullptr;
    errno = 0;
    options.seed = std::strtoull(seed.c_str(), &end, 0);
    if (*end != '\0' || errno != 0) return "B12X_SIM_SEED is '" + seed + "', want a number below 2^64";
  }
  options.counts = variable("B12X_SIM_COUNTERS") == "1";
  if (options.counts && !variable("B12X_SIM_COUNTERS_FILE").empty()) std::atexit(append_counters);
  findings_file = variable("B12X_SIM_FINDINGS");
  return read_trace();
}

}  // namespace sim::driver

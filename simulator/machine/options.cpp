// Words of B12X_SIM_* variables and of simSetOptions -> RunOptions. options.hpp lists them.
#include "machine/options.hpp"

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "numerics/isa.hpp"

namespace sim {
namespace {

std::string variable(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

// One of the comma-separated words; false: there is no such check.
bool turn_on(std::string_view check, RunOptions& options) {
  const bool all = check == "all";
  if (!all && check != "memcheck" && check != "race" && check != "init" && check != "sync" && check != "none")
    return false;
  options.checks_races |= all || check == "race";
  options.checks_init |= all || check == "init";
  options.checks_sync |= all || check == "sync";
  return true;
}

}  // namespace

std::string set_checks(RunOptions& options, std::string_view words) {
  RunOptions wanted = options;
  wanted.checks_races = wanted.checks_init = wanted.checks_sync = false;
  for (std::string_view rest = words; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    if (!turn_on(word, wanted))
      return "B12X_SIM_CHECK has '" + std::string(word) + "', want all, none, or some of memcheck,race,init,sync";
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
  options = wanted;
  return "";
}

std::string set_async(RunOptions& options, std::string_view word) {
  if (word == "eager")
    options.async = AsyncMode::kEager;
  else if (word == "lazy")
    options.async = AsyncMode::kLazy;
  else if (word == "hostile")
    options.async = AsyncMode::kHostile;
  else
    return "B12X_SIM_ASYNC is '" + std::string(word) + "', want eager, lazy or hostile";
  return "";
}

std::string read_environment(RunOptions& options, std::string& findings_file) {
  if (std::string wrong = set_checks(options, variable("B12X_SIM_CHECK")); !wrong.empty()) return wrong;
  if (!numerics::isa_error().empty()) return numerics::isa_error();
  const bool checks = options.checks_races || options.checks_init || options.checks_sync;
  const std::string async = variable("B12X_SIM_ASYNC");
  if (std::string wrong = set_async(options, !async.empty() ? async : checks ? "hostile" : "eager"); !wrong.empty())
    return wrong;
  if (const std::string seed = variable("B12X_SIM_SEED"); !seed.empty()) {
    char* end = nullptr;
    errno = 0;
    options.seed = std::strtoull(seed.c_str(), &end, 0);
    if (*end != '\0' || errno != 0) return "B12X_SIM_SEED is '" + seed + "', want a number below 2^64";
  }
  options.counts = variable("B12X_SIM_COUNTERS") == "1";
  findings_file = variable("B12X_SIM_FINDINGS");
  return "";
}

std::string replay_text(const RunOptions& options) {
  std::string checks;
  for (const auto& [is_on, name] :
       {std::pair{options.checks_races, "race"}, {options.checks_init, "init"}, {options.checks_sync, "sync"}})
    if (is_on) checks += (checks.empty() ? "" : ",") + std::string(name);
  if (!checks.empty()) checks = " B12X_SIM_CHECK=" + checks;
  const char* async = options.async == AsyncMode::kEager  ? "eager"
                      : options.async == AsyncMode::kLazy ? "lazy"
                                                          : "hostile";
  return "B12X_SIM_SEED=" + std::to_string(options.seed) + checks + " B12X_SIM_ASYNC=" + async +
         " and the same command";
}

}  // namespace sim

// The simulator's own entry points, found by dlsym: a program that runs on a real driver as well does not find them
// there.
#include "counters/counters.hpp"
#include "driver/fatbin.hpp"
#include "driver/work.hpp"
#include "program/print.hpp"

using namespace sim::driver;

extern "C" {

struct SimKernelStat {
  const char* name;  // valid until the next simResetKernelStats
  uint64_t launches;
  uint64_t warp_instructions;
  double seconds;  // host seconds spent simulating
};

// Statistics of every kernel launched since the last reset, by name. Returns how many there are; fills at most
// `capacity`.
size_t simKernelStats(SimKernelStat* out, size_t capacity) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  run_pending();
  size_t n = 0;
  for (const auto& [name, stat] : s.kernel_stats) {
    if (out != nullptr && n < capacity) out[n] = {name.c_str(), stat.launches, stat.warp_instructions, stat.seconds};
    ++n;
  }
  return n;
}

void simResetKernelStats() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.kernel_stats.clear();
}

// The text of the last fault or refusal, empty when there was none. Valid until the next call into the driver.
const char* simLastReport() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  run_pending();
  return s.last_report.c_str();
}

// Findings of all launches since the start or the last simClearFindings(), faults among them; the n-th as a JSON
// object, nullptr where there is none. Valid until simClearFindings().
size_t simFindingCount() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return s.findings.size();
}
const char* simFinding(size_t n) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return n < s.findings.size() ? s.findings[n].c_str() : nullptr;
}
void simClearFindings() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.findings.clear();
}

// Counters of every kernel since the last reset, where B12X_SIM_COUNTERS=1: one JSON object, docs/counters.md. Valid
// until the next call of this function; nullptr before cuInit.
const char* simCountersJson() {
  static std::string* const text = new std::string;
  const CUresult result = call({.context = false, .healthy = false}, [&] {
    *text = sim::counters::to_json(*state().card);
    return CUDA_SUCCESS;
  });
  return result == CUDA_SUCCESS ? text->c_str() : nullptr;
}
void simResetCounters() { sim::counters::reset(); }
// The modelled L2 is empty afterwards: for counting a cold start.
void simFlushL2() { sim::counters::flush_l2(); }

// The listing of all kernels of a PTX text or fatbin, or of the one named, as the card of B12X_SIM_GPU would run them.
// nullptr: simLastReport() says why. Valid until the next call of this function.
const char* simDisassemble(const void* image, size_t bytes, const char* name, const char* kernel) {
  static std::string* const text = new std::string;
  const CUresult result = call({.context = false, .healthy = false}, [&]() -> CUresult {
    const auto module = sim::load_ptx(find_ptx(image, bytes, *state().card), name);
    text->clear();
    std::string known;
    for (const auto& k : module->kernels) {
      known += (known.empty() ? "" : ", ") + k->name;
      if (*kernel != '\0' && k->name != kernel) continue;
      *text += (text->empty() ? "" : "\n") + sim::disassemble(*k) + k->load_error + (k->load_error.empty() ? "" : "\n");
    }
    if (text->empty())
      return report(CUDA_ERROR_NOT_FOUND, std::string(name) + " has no kernel `" + kernel + "`; it has: " + known,
                    false);
    return CUDA_SUCCESS;
  });
  return result == CUDA_SUCCESS ? text->c_str() : nullptr;
}

// How the launches that follow run, in the words of the B12X_SIM_* variables; null or empty: as before. Their schedules
// start over: the same seed and the same launches give the same run. Returns CUDA_ERROR_INVALID_VALUE, with the reason
// in simLastReport, for a word that is not one.
CUresult simSetOptions(const char* check, const char* async, uint64_t seed, const char* findings_file) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  run_pending();
  const auto is_set = [](const char* text) { return text != nullptr && *text != '\0'; };
  sim::RunOptions options = s.options;
  std::string wrong;
  if (is_set(check)) wrong = sim::set_checks(options, check);
  if (wrong.empty() && is_set(async)) wrong = sim::set_async(options, async);
  if (!wrong.empty()) return report(CUDA_ERROR_INVALID_VALUE, wrong, false);
  options.seed = seed;
  options.launch = 0;
  if (options.checks_init != s.options.checks_init) s.memory.track_writes(options.checks_init);
  s.options = options;
  if (is_set(findings_file)) s.findings_file = findings_file;
  return CUDA_SUCCESS;
}

}  // extern "C"

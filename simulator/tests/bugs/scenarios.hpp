// scenarios.hpp: the planted bugs by name, and how one is launched through the Driver API. Every kernel of kernels/*.cu
// exists twice, <name>_bug and <name>_fix; nothing here knows which driver runs it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bugs {

// How the host launches a kernel.
enum class Host : uint8_t {
  kOnce,
  kFreedBefore,  // `raw` is freed first (bug), or only afterwards
  kStaleGraph,   // launched from a graph whose buffer `in` has been freed since (bug), or that was told of the new one
  kDependent,    // twice, the second as a programmatic dependent of the first
};

// What a Hopper GPU does beyond running it.
enum class Gpu : uint8_t {
  kEnds,
  kHangs,       // the bug never ends there, or not under a tool that slows it down
  kAccusesFix,  // the tool that sees the bug also reports the fix, wrongly
};

struct Scenario {
  const char* name;   // b01 ... b20 are patterns of public bug reports, the others plain slips
  const char* what;   // one line for people
  const char* file;   // kernels/<file>.cu
  const char* kinds;  // of findings that name this bug: one or more of memcheck race init sync deadlock
  const char* tool;   // of compute-sanitizer on a Hopper GPU that is expected to see it; "" none does
  uint32_t blocks = 1, threads = 32;
  Host host = Host::kOnce;
  Gpu gpu = Gpu::kEnds;
};

std::span<const Scenario> scenarios();
const Scenario* find(const std::string& name);

// Runs a twin once, with modules from `folder`/<file>.fatbin. "" or the call that failed and its error's name.
std::string run(const Scenario& scenario, bool is_fixed, const std::string& folder);

}  // namespace bugs

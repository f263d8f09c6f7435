// How launches run: what is checked, when asynchronous copies land, which schedule. The driver reads the environment
// once; tests and tools set them through simSetOptions.
//   B12X_SIM_CHECK=all | none | LIST   of memcheck,race,init,sync; bounds and alignment are always checked
//   B12X_SIM_ASYNC=eager | lazy | hostile   default: hostile when anything is checked, else eager
//   B12X_SIM_SEED=N   0 (default): warps take turns; other: a schedule of its own
//   B12X_SIM_COUNTERS=1   counters per kernel and source line
//   B12X_SIM_COUNTERS_FILE=FILE   the process appends them when it ends, as a line of JSON
//   B12X_SIM_COLD_L2=1   each launch starts with an empty L2, as under a profiler
//   B12X_SIM_TRACE=FILE   what is executed is appended, a JSON object a line; B12X_SIM_TRACE_KERNEL=NAME, _BLOCK=x,y,z,
//       _WARP=N and _MAX=LINES (10000) say of what
//   B12X_SIM_ISA=baseline | avx2 | avx512   which build of the handlers; default: the widest that the processor has
//   B12X_SIM_FINDINGS=FILE   every finding is appended, a JSON object a line
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sim {

enum class AsyncMode : uint8_t {
  kEager,    // a copy is performed when it is issued
  kLazy,     // at some step between its issue and the wait that observes it
  kHostile,  // as late as allowed; destinations are poisoned at issue, sources are read last, pieces land in any order
};

struct RunOptions {
  bool checks_races = false;  // shared and global memory, generic and asynchronous proxy
  bool checks_init = false;   // reads of bytes that nothing wrote
  bool checks_sync = false;   // use of barriers and mbarriers that hardware leaves undefined
  bool counts = false;
  AsyncMode async = AsyncMode::kEager;
  uint64_t seed = 0;
  uint64_t launch = 0;  // launches since the seed was set: each has a schedule of its own

  // A run that checks, or whose schedule a seed draws, is replayed exactly: one host thread runs all its blocks.
  bool is_ordered() const {
    return checks_races || checks_init || checks_sync || seed != 0 || async != AsyncMode::kEager;
  }
};

// From words as the variables have them; "" or what is wrong with one of them, and then `options` are as before.
std::string set_checks(RunOptions& options, std::string_view words);
std::string set_async(RunOptions& options, std::string_view word);
std::string read_environment(RunOptions& options, std::string& findings_file);
// How to see a run again, for reports: "B12X_SIM_SEED=7 B12X_SIM_CHECK=race B12X_SIM_ASYNC=hostile and the same
// command".
std::string replay_text(const RunOptions& options);

// One thing that a check found.
struct Finding {
  std::string kind;  // "memcheck", "race", "init", "sync", "deadlock", "trap"
  std::string kernel;
  std::string file;  // source file, or the module where the PTX has no line information
  uint32_t line = 0;
  uint32_t block[3] = {0, 0, 0};
  int warp = -1;
  uint32_t lanes = 0;  // mask
  std::string buffer;  // "shared memory + 0x400", "w2_scale (cuMemAlloc #12)"
  uint64_t seed = 0;
  uint64_t count = 1;  // how often, between the same instructions
  std::string text;    // for people: both accesses, and the command that replays it
};

}  // namespace sim

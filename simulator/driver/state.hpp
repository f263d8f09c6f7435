// Everything that the driver remembers between calls: the card, its memory, the handles that it gave out, errors and
// statistics. Handles are pointers to the structs below; a registry of live ones makes a stale handle an error, not a
// crash.
#pragma once

#include <cuda.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "machine/launch.hpp"
#include "program/program.hpp"

// CUfunction and CUkernel are the same thing here: an entry of a loaded module with its attributes.
struct CUfunc_st {
  const sim::Kernel* kernel = nullptr;
  CUmod_st* module = nullptr;
  uint32_t max_dynamic_shared_bytes = 0;
  int preferred_carveout = -1;
  int non_portable_cluster = 0, cluster_policy = 0;
  sim::Dim3 required_cluster{0, 0, 0};  // set by attributes, as .reqnctapercluster would
};
// CUmodule and CUlibrary likewise.
struct CUmod_st {
  std::unique_ptr<sim::Module> program;
  std::vector<std::unique_ptr<CUfunc_st>> functions;  // in the order of program->kernels
  bool is_library = false;
  CUfunc_st* find(const char* name) const;
};
struct CUctx_st {
  unsigned flags = 0;
  bool is_primary = false;
  // Those that were set. Kernels need none of them: local memory is a kernel's own, printf and malloc on the device are
  // not simulated. They are what programs set and read back.
  std::map<CUlimit, size_t> limits;
  CUfunc_cache cache_config = CU_FUNC_CACHE_PREFER_NONE;
};
namespace sim::driver {
struct Capture;
}
struct CUstream_st {
  unsigned flags = 0;
  int priority = 0;
  unsigned long long id = 0;
  bool is_legacy = false;                           // the null stream
  std::shared_ptr<sim::driver::Capture> capture{};  // of the sequence that records what is submitted, if one does
  std::vector<CUgraphNode> frontier{};              // what the next captured node depends on
};
struct CUevent_st {
  unsigned flags = 0;
  bool is_recorded = false;
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<sim::driver::Capture> capture{};  // set while the last record was a captured one
  std::vector<CUgraphNode> frontier{};              // of the captured stream when it was recorded
};
// A pool keeps books, not memory: what it would have reserved, and how much of that is in use.
struct CUmemPoolHandle_st {
  int reuse_policies[3] = {1, 1, 1};         // follow events, opportunistic, internal dependencies
  uint64_t release_threshold = 0, most = 0;  // most: what it may use, 0 = no limit
  uint64_t used = 0, used_high = 0, reserved = 0, reserved_high = 0;
};

namespace sim::driver {

struct KernelWork;
struct GraphMemory;

// Where a range is from. Memory only knows whether it was allocated here.
struct Origin {
  enum class Kind : uint8_t { kDevice, kHost, kManaged, kPool, kRegistered } kind = Kind::kDevice;
  unsigned flags = 0;
  CUmemoryPool pool = nullptr;
  bool syncs = kind == Kind::kManaged;  // SYNC_MEMOPS: programs set it and read it back
};

struct KernelStat {
  uint64_t launches = 0;
  uint64_t warp_instructions = 0;
  double seconds = 0;
};

struct State {
  std::recursive_mutex mutex;
  const Card* card = nullptr;  // set by cuInit
  RunOptions options;          // of the launches that follow
  std::string findings_file;   // "" = findings are printed only
  bool is_l2_cold = false;     // for each launch, as profilers make it
  bool traces = false;         // launches write what they execute (trace/trace.hpp)
  Memory memory;
  std::map<CUdeviceptr, Origin> origins;  // of allocations, registered ranges and variables
  CUmemPoolHandle_st default_pool;
  CUmemoryPool current_pool = &default_pool;
  std::set<CUmemoryPool> pools{&default_pool};
  CUmemPoolHandle_st graph_pool;                     // the books of what memory nodes of graphs have allocated
  std::map<CUdeviceptr, GraphMemory*> graph_memory;  // places of allocations that nodes make
  CUctx_st primary{.flags = 0, .is_primary = true, .limits = {}};
  int primary_references = 0;
  CUresult sticky_error =
      CUDA_SUCCESS;  // after a fault every call fails with it until the context is destroyed or reset
  std::string last_report;
  std::deque<std::string> findings;  // as JSON, since the start or simClearFindings()
  std::map<std::string, KernelStat> kernel_stats;
  std::unordered_set<const void*> live;  // every handle that is valid
  std::map<const CUmod_st*, std::unique_ptr<CUmod_st>> modules;
  std::set<std::unique_ptr<CUctx_st>> contexts;
  CUstream_st legacy_stream{.is_legacy = true};
  std::vector<std::shared_ptr<Capture>> captures;   // active ones
  const CUstream_st* last_kernel_stream = nullptr;  // where the last work was a kernel that the host has not waited for
  bool is_overlapping = false;                      // the kernel that runs next need not wait for that one to end
  std::vector<KernelWork> pending;                  // kernels that may overlap, not run yet
  unsigned long long next_id = 1;
};
State& state();

// What a call needs before it does anything: cuInit has run, a context is current, no fault has stopped the context.
struct Required {
  bool context = true;
  bool healthy = true;
  bool leaves_pending = false;  // a launch, which may start behind the kernel that is pending (work.hpp)
};
// Takes the driver's lock, checks what is required, runs `body` and turns C++ exceptions into CUresults, so that none
// leaves the C ABI.
CUresult call(Required required, const std::function<CUresult()>& body);
inline CUresult call(const std::function<CUresult()>& body) { return call(Required{}, body); }

// While a host function runs on a stream, its thread may not call the driver: CUDA_ERROR_NOT_PERMITTED.
struct HostFunction {
  HostFunction();
  ~HostFunction();
};

CUcontext current_context();
std::vector<CUcontext>& context_stack();  // of the calling thread

// The stream behind a handle, default streams included; nullptr: there is none. The null handle is the legacy stream,
// or the calling thread's own where an entry point ending in _ptsz or _ptds was called.
CUstream_st* find_stream(CUstream stream);
struct PerThreadDefault {  // for the time of one such call
  PerThreadDefault();
  ~PerThreadDefault();
};
template <class T>
bool is_live(const T* handle) {
  return handle != nullptr && state().live.contains(handle);
}

// Memory of the card with what allocated it; release() forgets both.
CUresult allocate(CUdeviceptr* out, size_t bytes, const char* by, const Origin& origin = {});
enum class Freed { kAtOnce, kInStreamOrder };
CUresult release(CUdeviceptr address, Freed how = Freed::kAtOnce);
// The books of a pool: bytes come, or go. When the host waits for work, pools give back what is above their threshold.
void note_allocated(CUmemPoolHandle_st& pool, uint64_t bytes);
void trim_pools();
void trim(CUmemPoolHandle_st& pool, uint64_t least);

// From B12X_SIM_* variables; "" or what is wrong with one of them. B12X_SIM_COUNTERS_FILE makes the process append its
// counters to that file when it ends.
std::string read_options(RunOptions& options, std::string& findings_file);

// Prints what checks found, appends a JSON object each to State::findings_file if one was asked for, and keeps them.
// The launch goes on: only faults are errors.
void tell_findings(const LaunchResult& result);

// Records a fault's report, prints it to stderr (as a checker does) and makes the error sticky when it is one that
// hardware does not survive.
CUresult report(CUresult error, const std::string& text, bool is_sticky);

}  // namespace sim::driver

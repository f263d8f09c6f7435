// Launches: checks the limits that the real driver checks, runs the grid, keeps statistics, turns faults into
// CUresults.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "checkers/checkers.hpp"
#include "checkers/dependency.hpp"
#include "counters/counters.hpp"
#include "driver/graph.hpp"
#include "trace/trace.hpp"

using namespace sim::driver;

namespace {

CUresult refuse(CUresult error, const CUfunc_st& f, const std::string& what) {
  return report(error, "launch of " + f.kernel->name + " refused: " + what, false);
}

std::string text(sim::Dim3 d) {
  return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

CUresult check_limits(const CUfunc_st& f, const sim::LaunchConfig& c) {
  const sim::Card& card = *state().card;
  const sim::Kernel& k = *f.kernel;
  if (c.grid.count() == 0 || c.block.count() == 0)
    return refuse(CUDA_ERROR_INVALID_VALUE, f, "a grid or block dimension is 0");
  if (c.grid.x > 0x7fffffffu || c.grid.y > 65535 || c.grid.z > 65535)
    return refuse(CUDA_ERROR_INVALID_VALUE, f, "grid " + text(c.grid) + " is too large");
  if (c.block.count() > 1024 || c.block.z > 64)
    return refuse(CUDA_ERROR_INVALID_VALUE, f, "block " + text(c.block) + " has more than 1024 threads or z > 64");
  if (k.reqntid[0] != 0 &&
      (c.block.x != k.reqntid[0] || c.block.y != std::max(1u, k.reqntid[1]) || c.block.z != std::max(1u, k.reqntid[2])))
    return refuse(CUDA_ERROR_INVALID_VALUE, f, "block " + text(c.block) + " is not the kernel's .reqntid");
  if (k.maxntid[0] != 0 &&
      c.block.count() > static_cast<uint64_t>(k.maxntid[0]) * std::max(1u, k.maxntid[1]) * std::max(1u, k.maxntid[2]))
    return refuse(CUDA_ERROR_INVALID_VALUE, f, "block " + text(c.block) + " is larger than the kernel's .maxntid");
  if (std::string why = sim::driver::cluster_refusal(f, c); !why.empty())
    return refuse(CUDA_ERROR_INVALID_CLUSTER_SIZE, f, why);
  const uint32_t per_sm = sim::blocks_per_sm(k, card, static_cast<uint32_t>(c.block.count()),
                                             k.static_shared_bytes + c.dynamic_shared_bytes);
  const auto cluster = static_cast<uint32_t>(sim::cluster_of(k, c).count());
  const uint64_t resident = cluster == 1 ? static_cast<uint64_t>(per_sm) * static_cast<uint64_t>(card.sm_count)
                                         : cluster * sim::resident_clusters(card, per_sm, cluster);
  if (c.dynamic_shared_bytes > f.max_dynamic_shared_bytes)
    return refuse(CUDA_ERROR_INVALID_VALUE, f,
                  std::to_string(c.dynamic_shared_bytes) + " bytes of dynamic shared memory, allowed are " +
                      std::to_string(f.max_dynamic_shared_bytes) +
                      " (raise CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, at most " +
                      std::to_string(card.shared_per_block_optin) + " with static)");
  if (per_sm == 0) return refuse(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, f, "a block does not fit on an SM of the card");
  if (resident == 0)
    return refuse(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, f,
                  "a cluster of " + std::to_string(cluster) + " blocks does not fit on the card");
  const uint64_t blocks = sim::grid_of(k, c).count();
  if (c.is_cooperative && blocks > resident)
    return refuse(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, f,
                  "a cooperative grid of " + std::to_string(blocks) + " blocks, " + std::to_string(resident) +
                      " can be resident together");
  return CUDA_SUCCESS;
}

CUresult to_result(sim::LaunchResult::Status status) {
  using Status = sim::LaunchResult::Status;
  switch (status) {
    case Status::kOk:
      return CUDA_SUCCESS;
    case Status::kIllegalAddress:
      return CUDA_ERROR_ILLEGAL_ADDRESS;
    case Status::kMisalignedAddress:
      return CUDA_ERROR_MISALIGNED_ADDRESS;
    case Status::kIllegalInstruction:
      return CUDA_ERROR_ILLEGAL_INSTRUCTION;
    case Status::kDeadlock:
      return CUDA_ERROR_LAUNCH_TIMEOUT;
    case Status::kTrap:
    case Status::kAbsentBlock:
    case Status::kLaunchFailed:
      return CUDA_ERROR_LAUNCH_FAILED;
  }
  return CUDA_ERROR_UNKNOWN;
}

// The parameter block as the kernel sees it, from an array of pointers or from one packed buffer (`extra`).
CUresult gather(const CUfunc_st& f, void** params, void** extra, std::vector<std::byte>& block) {
  const sim::Kernel& k = *f.kernel;
  block.assign(std::max<size_t>(k.param_bytes, 1), std::byte{0});
  if (params != nullptr && extra != nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (extra != nullptr) {
    const void* buffer = nullptr;
    size_t bytes = 0;
    for (size_t i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
      if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER)
        buffer = extra[i + 1];
      else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE)
        bytes = *static_cast<size_t*>(extra[i + 1]);
      else
        return CUDA_ERROR_INVALID_VALUE;
    }
    // A buffer that is too short is taken, as the driver does; the simulator has zeros for the rest.
    if (buffer == nullptr || bytes == 0)
      return refuse(CUDA_ERROR_INVALID_VALUE, f, "there is nothing in the parameter buffer");
    if (bytes > k.param_bytes)
      return refuse(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, f,
                    "the parameter buffer has " + std::to_string(bytes) + " bytes, the kernel's parameters " +
                        std::to_string(k.param_bytes));
    std::memcpy(block.data(), buffer, bytes);
    return CUDA_SUCCESS;
  }
  if (!k.params.empty() && params == nullptr)
    return refuse(CUDA_ERROR_INVALID_VALUE, f, "it takes parameters and got none");
  for (size_t i = 0; i < k.params.size(); ++i)
    std::memcpy(block.data() + k.params[i].offset, params[i], k.params[i].bytes);
  return CUDA_SUCCESS;
}

bool lets_dependents_start(const sim::Kernel& kernel) {
  return std::any_of(kernel.text.begin(), kernel.text.end(), [](const std::string& text) {
    return text.find("griddepcontrol.launch_dependents") != std::string::npos;
  });
}

// What a launch has beside its shape.
struct Attributes {
  bool is_programmatic = false;
  std::optional<int> priority;  // else the stream's
  std::vector<CUevent> events;  // recorded behind the kernel
};

constexpr int kLastAttribute = CU_LAUNCH_ATTRIBUTE_SHARED_MEMORY_MODE;

// Nobody can tell when a grid's blocks have all started: such an event is for waiting alone.
bool takes_times(CUevent event) {
  const std::lock_guard lock(state().mutex);
  return is_live(event) && (event->flags & CU_EVENT_DISABLE_TIMING) == 0;
}

CUresult launch(CUfunction f, const sim::LaunchConfig& config, CUstream handle, void** params, void** extra,
                const Attributes& attributes = {}) {
  return call({.context = true, .healthy = true, .leaves_pending = true}, [&]() -> CUresult {
    KernelWork work;
    const CUstream_st* stream = find_stream(handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (const CUresult r = make_kernel(f, config, params, extra, work); r != CUDA_SUCCESS) {
      if (stream->capture != nullptr) invalidate(*stream->capture);
      return r;
    }
    work.is_programmatic = attributes.is_programmatic;
    work.priority = attributes.priority.value_or(stream->priority);
    CUresult r = submit(handle, std::move(work));
    for (size_t i = 0; i < attributes.events.size() && r == CUDA_SUCCESS; ++i)
      r = cuEventRecord(attributes.events[i], handle);
    return r;
  });
}

}  // namespace

namespace sim::driver {

LaunchConfig with_required_cluster(const CUfunc_st& f, LaunchConfig config) {
  const auto is_named = [](const Dim3& d) { return d.x != 0 || d.y != 0 || d.z != 0; };
  if (!is_named(config.cluster) && is_named(f.required_cluster)) config.cluster = f.required_cluster;
  return config;
}

std::string cluster_refusal(const CUfunc_st& f, const LaunchConfig& config) {
  const Dim3 &needed = f.required_cluster, &asked = config.cluster;
  const bool is_other = asked.x != needed.x || asked.y != needed.y || asked.z != needed.z;
  if ((needed.x != 0 || needed.y != 0 || needed.z != 0) && is_other)
    return "cluster " + text(asked) + " is not " + text(needed) +
           ", which CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, "
           "_HEIGHT and _DEPTH have been set to";
  const uint32_t most = f.non_portable_cluster != 0 ? state().card->most_cluster_blocks : kPortableCluster;
  return sim::cluster_refusal(*f.kernel, config, most);
}

CUresult make_kernel(CUfunction f, const LaunchConfig& config, void** params, void** extra, KernelWork& out) {
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  if (!f->kernel->load_error.empty()) return refuse(CUDA_ERROR_INVALID_PTX, *f, f->kernel->load_error);
  out.function = f;
  out.config = with_required_cluster(*f, config);
  if (const CUresult r = check_limits(*f, out.config); r != CUDA_SUCCESS) return r;
  return gather(*f, params, extra, out.params);
}

CUresult run_kernel(const KernelWork& work, bool follows) {
  State& s = state();
  if (!is_live(work.function)) return CUDA_ERROR_INVALID_HANDLE;  // a graph can outlive the module of its kernel
  if (!follows) run_pending();
  s.pending.push_back(work);
  s.is_overlapping = follows;
  // The race check tells of an overlap without one.
  if (s.options.seed == 0 || s.options.checks_races || !lets_dependents_start(*work.function->kernel)) {
    run_pending();
    return CUDA_SUCCESS;
  }
  static const int at_exit = std::atexit([] {  // a program may end without looking
    const std::lock_guard lock(state().mutex);
    run_pending();
  });
  return at_exit == 0 ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

void run_pending() {
  State& s = state();
  if (s.pending.empty()) return;
  const std::vector<KernelWork> works = std::exchange(s.pending, {});
  std::vector<MakeObserver> observers;
  if (s.is_l2_cold) counters::flush_l2();
  if (s.options.counts) observers.push_back(counters::count_grid);
  if (checkers::checks(s.options)) observers.push_back(checkers::check_grid);
  if (s.options.checks_races) {
    checkers::overlap().start(std::exchange(s.is_overlapping, false), works.front().function->kernel->name);
    observers.push_back(checkers::check_dependency);
  }
  if (s.traces) observers.push_back(trace::trace_grid);
  std::vector<GridLaunch> chain;
  for (const KernelWork& work : works) chain.push_back({work.function->kernel, work.config, work.params.data()});
  const std::vector<LaunchResult> results = run_chain(chain, s.memory, *s.card, s.options, observers);
  s.options.launch += works.size();
  for (size_t n = 0; n < results.size(); ++n) {
    const LaunchResult& result = results[n];
    KernelStat& stat = s.kernel_stats[chain[n].kernel->name];
    ++stat.launches;
    stat.warp_instructions += result.counters.warp_instructions;
    stat.seconds += result.counters.seconds;
    tell_findings(result);
    // As on hardware, a fault inside the kernel is told by the calls that follow.
    if (result.status != LaunchResult::Status::kOk) {
      const std::string replay = s.options.seed != 0 ? "\n  replay: " + replay_text(s.options) : "";
      report(to_result(result.status), result.report + replay, true);
    }
  }
}

}  // namespace sim::driver

extern "C" {

CUresult CUDAAPI cuLaunchKernel(CUfunction f, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                                unsigned int block_x, unsigned int block_y, unsigned int block_z,
                                unsigned int shared_bytes, CUstream stream, void** params, void** extra) {
  return launch(
      f, {.grid = {grid_x, grid_y, grid_z}, .block = {block_x, block_y, block_z}, .dynamic_shared_bytes = shared_bytes},
      stream, params, extra);
}

CUresult CUDAAPI cuLaunchCooperativeKernel(CUfunction f, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                                           unsigned int block_x, unsigned int block_y, unsigned int block_z,
                                           unsigned int shared_bytes, CUstream stream, void** params) {
  return launch(f,
                {.grid = {grid_x, grid_y, grid_z},
                 .block = {block_x, block_y, block_z},
                 .dynamic_shared_bytes = shared_bytes,
                 .is_cooperative = true},
                stream, params, nullptr);
}

// Priorities, memory domains and the policy of placing clusters change when work may start, never what it computes:
// submission order is one of the schedules that they allow. Programmatic serialisation lets the grid start early, which
// seeded runs do (run_chain). An event that others may pass once all blocks have started, or triggered, is recorded
// when the kernel has ended: later, which is allowed as well.
CUresult CUDAAPI cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction f, void** params, void** extra) {
  if (config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  sim::LaunchConfig c{.grid = {config->gridDimX, config->gridDimY, config->gridDimZ},
                      .block = {config->blockDimX, config->blockDimY, config->blockDimZ},
                      .dynamic_shared_bytes = config->sharedMemBytes};
  Attributes attributes;
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttributeValue& value = config->attrs[i].value;
    switch (config->attrs[i].id) {
      case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
        attributes.is_programmatic = value.programmaticStreamSerializationAllowed != 0;
        break;
      case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
        c.is_cooperative = value.cooperative != 0;
        break;
      case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
        c.cluster = {value.clusterDim.x, value.clusterDim.y, value.clusterDim.z};
        break;
      case CU_LAUNCH_ATTRIBUTE_PRIORITY:
        attributes.priority = value.priority;
        break;
      case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
        if (takes_times(value.programmaticEvent.event)) return CUDA_ERROR_NOT_SUPPORTED;
        attributes.events.push_back(value.programmaticEvent.event);
        break;
      case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
        if (takes_times(value.launchCompletionEvent.event)) return CUDA_ERROR_NOT_SUPPORTED;
        attributes.events.push_back(value.launchCompletionEvent.event);
        break;
      default:
        if (config->attrs[i].id > kLastAttribute) return CUDA_ERROR_INVALID_VALUE;
        break;
    }
  }
  return launch(f, c, config->hStream, params, extra, attributes);
}

}  // extern "C"

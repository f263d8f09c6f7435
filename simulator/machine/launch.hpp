// What the driver asks of the machine: memory to launch over, a grid to run, and what comes back.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/options.hpp"
#include "program/program.hpp"

namespace sim {

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return static_cast<uint64_t>(x) * y * z; }
};

// A simulated card; the rows are in machine/cards.cpp. Sources: spec/sm120-hardware.md §1.
struct Card {
  const char* key;   // "rtx-pro-6000"
  const char* name;  // "NVIDIA RTX PRO 6000 Blackwell Workstation Edition"
  int cc_major, cc_minor;
  int sm_count;
  uint32_t clock_khz, memory_clock_khz, memory_bus_bits;
  uint64_t memory_bytes, l2_bytes;
  uint32_t shared_per_sm, shared_per_block, shared_per_block_optin, shared_reserved;
  uint32_t registers_per_sm, threads_per_sm, blocks_per_sm;
  // Clusters: SMs lie in so many groups (GPCs), and no cluster spans two; blocks of one that a kernel may ask for.
  int gpc_count;
  uint32_t most_cluster_blocks;
};
const Card* find_card(std::string_view key);  // nullptr: unknown
std::vector<const Card*> all_cards();

// Blocks of `threads` threads and `shared_bytes` (static + dynamic) that one SM holds at a time; 0: none fits.
// Registers that are estimated lower the number, but never to 0.
uint32_t blocks_per_sm(const Kernel& kernel, const Card& card, uint32_t threads, uint32_t shared_bytes);

// The largest block that a launch of the kernel may have: by its bounds, or by registers that are known.
uint32_t most_threads(const Kernel& kernel, const Card& card);

// Clusters of `size` blocks, `per_sm` of which fit on an SM, that the card holds at a time.
uint64_t resident_clusters(const Card& card, uint32_t per_sm, uint32_t size);
inline constexpr uint32_t kPortableCluster = 8;  // blocks that a cluster may have on every card

// All memory that a kernel may touch. Device addresses are host addresses. Thread safe.
struct Allocation {
  uint64_t address = 0, bytes = 0;
  uint64_t serial = 0;    // "cuMemAlloc #12"
  std::string name;       // how reports call it
  bool is_owned = false;  // allocated here (red zones, quarantine) or registered host memory
  bool is_held = false;   // its place is kept when it is freed, for occupy()
};
class Memory {
 public:
  Memory();
  ~Memory();
  uint64_t allocate(uint64_t bytes, std::string name);  // 256-byte aligned, red zones around it; 0 when out of memory
  bool free(uint64_t address);                          // false: not the start of an owned allocation
  // A place that allocations come and go at, as a graph's memory nodes need: hold() finds one, occupy() allocates it
  // (false: it is allocated), free() leaves it held, let_go() gives it back, at once or when it is freed.
  uint64_t hold(uint64_t bytes, std::string name);
  bool occupy(uint64_t address);
  void let_go(uint64_t address);
  bool register_host(uint64_t address, uint64_t bytes, std::string name);  // false: overlaps something registered
  bool unregister_host(uint64_t address);
  // The allocation that contains [address, address + bytes), or nothing.
  std::optional<Allocation> find(uint64_t address, uint64_t bytes) const;
  // For reports: "16 bytes past w2_scale (cuMemAlloc #12, 4096 bytes)", "inside freed cuMemAlloc #3", ...
  std::string describe(uint64_t address, uint64_t bytes) const;
  uint64_t bytes_in_use() const;
  // Tracks writes of the allocations made from now on; off: forgets them all. What is not tracked counts as written.
  // Checked launches and the driver note theirs, on one thread at a time.
  void track_writes(bool is_on);
  void note_write(uint64_t address, uint64_t bytes);
  uint64_t unwritten(uint64_t address, uint64_t bytes) const;  // bytes of the range that nothing wrote
  uint64_t version() const;  // changes with every allocate, free, register, unregister: look-up caches check it
 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct LaunchConfig {
  Dim3 grid, block;
  Dim3 cluster{0, 0, 0};  // as the launch asks for; 0, 0, 0: nothing
  uint32_t dynamic_shared_bytes = 0;
  bool is_cooperative = false;
};

// The clusters of a launch: what it asks for, else what the kernel requires, else blocks by themselves.
Dim3 cluster_of(const Kernel& kernel, const LaunchConfig& config);
// Whether launch or kernel name clusters, be it of one block.
bool has_clusters(const Kernel& kernel, const LaunchConfig& config);
// Blocks along each dimension: the launch's grid, or of .blocksareclusters so many clusters.
Dim3 grid_of(const Kernel& kernel, const LaunchConfig& config);
// Why the launch cannot have these clusters, "" when it can. `most`: blocks that a cluster may have.
std::string cluster_refusal(const Kernel& kernel, const LaunchConfig& config, uint32_t most);

struct KernelCounters {
  uint64_t warp_instructions = 0;
  double seconds = 0;  // host seconds spent simulating
};

struct LaunchResult {
  enum class Status {
    kOk,
    kIllegalAddress,
    kMisalignedAddress,
    kIllegalInstruction,
    kDeadlock,
    kTrap,
    kAbsentBlock,  // shared memory of a block that the cluster has not, or not any more
    kLaunchFailed
  } status = Status::kOk;
  std::string report;  // multi-line, for people; empty when kOk
  std::vector<Finding> findings;
  KernelCounters counters;
};

class Observer;
struct Grid;
// Called once per host thread of a launch (machine/observers.hpp).
using MakeObserver = std::unique_ptr<Observer> (*)(const Grid& grid);

// A grid to run; its parameters stay where they are until it has ended.
struct GridLaunch {
  const Kernel* kernel = nullptr;
  LaunchConfig config;
  const void* params = nullptr;
};
// Runs grids of which each but the first was launched to start as early as the one before it allows: when all blocks of
// that one have executed griddepcontrol.launch_dependents or ended. In a seeded run it does so at that moment and gets
// as far as its griddepcontrol.wait, before the earlier grid goes on; else the grids run one after another. Results are
// in order, up to and with the first that is not kOk.
std::vector<LaunchResult> run_chain(std::span<const GridLaunch> chain, Memory& memory, const Card& card,
                                    const RunOptions& options, std::span<const MakeObserver> observers);

// Runs one grid to completion on all host cores. Launch limits (block size, shared memory, registers) have been
// checked.
LaunchResult run_grid(const Kernel& kernel, const LaunchConfig& config, const void* params, Memory& memory,
                      const Card& card, const RunOptions& options = {}, std::span<const MakeObserver> observers = {});

}  // namespace sim

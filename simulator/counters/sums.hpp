// The sums of the process: per kernel and instruction, with the texts that reports need after its module is gone.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "counters/counters.hpp"
#include "counters/l2.hpp"

namespace sim::counters {

// What the warps of one index did, over all blocks: roles of specialised warps differ.
struct WarpCounts {
  uint64_t executed = 0, mbarrier_wait_fails = 0, barrier_waits = 0;
};

// What the blocks of one SM did. Block b of a grid is on SM b % SMs, as %smid says; where all blocks are resident at
// once that is where hardware puts them, up to the order.
struct SmCounts {
  uint64_t blocks = 0, executed = 0, tensor = 0, bulk_load_bytes = 0;
};

struct InstructionSum {
  std::string text, file;  // of the source where the PTX has line information, else of the module
  uint32_t line = 0;
  Unit unit = Unit::kAlu;
  Counts counts;
};

struct KernelSum {
  std::string name, module;
  uint64_t launches = 0, last_grid = 0;
  std::vector<InstructionSum> instructions;
  std::vector<WarpCounts> warps;
  std::vector<SmCounts> sms;
};

struct Sums {
  std::mutex mutex;
  std::map<std::string, KernelSum> kernels;  // by name, module and length: a module may be loaded many times
  std::unique_ptr<L2> l2;                    // of the card of the first launch
};
Sums& sums();

// Cycles for which one MMA keeps the tensor pipe of its quarter of an SM.
uint32_t tensor_interval(const std::string& ptx, const Card& card);

}  // namespace sim::counters

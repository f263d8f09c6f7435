// How a running grid ends early: handlers throw a Fault, the worker that runs the block catches it.
#pragma once

#include <string>
#include <vector>

#include "machine/block.hpp"

namespace sim {

struct Fault {
  LaunchResult::Status status;
  std::string report;
  Finding finding;
};

// As fault() of warp.hpp, with the driver's error for it.
[[noreturn]] void fault(Warp& w, const Instr& i, int lane, const std::string& what, LaunchResult::Status status);

// "kernels/gemm/nvfp4_gemm.cuh:212", or "module.ptx:87" where the PTX has no line information.
std::string source_line(const Kernel& kernel, uint32_t pc);

// Where the function that `pc` was inlined from is called, from the inside out: "kernels/gemm/x.cuh:300", ...
std::vector<std::string> call_sites(const Kernel& kernel, uint32_t pc);

// A finding about the instruction `pc` of `w`; the caller adds buffer and text.
Finding finding_at(const Warp& w, uint32_t pc, uint32_t lanes, std::string kind);

// "(17,0,0)"
std::string to_string(const Dim3& d);

// "block (17,0,0) thread 35"; `lane` < 0: "block (17,0,0) warp 1". Blocks of more than one dimension: "thread (3,2,0)".
std::string who(const Warp& w, int lane);

// "0-3,7" of ascending numbers.
std::string ranges(const std::vector<uint32_t>& sorted);
// "lane 7", "lanes 0-3,7"
std::string lanes_text(uint32_t mask);

}  // namespace sim

// What a checker has found in one grid: one finding per kind and pair of instructions, with a count.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "machine/fault.hpp"

namespace sim::checkers {

// "shared memory + 0x400", "shared memory + 0x400 of block (1,0,0)" where that is another than `block`, "byte 64 of
// w2_scale (cuMemAlloc #12, 4096 bytes)"
std::string buffer_text(const Block& block, const std::byte* p, bool is_shared);
// "kernels/gemm/demo.cuh:212 st.shared.u32 (in load(), called at demo.cu:31)"
std::string instruction_text(const Kernel& kernel, uint32_t pc);
std::string place_text(const Grid& grid, uint64_t block, uint32_t warp, uint32_t lanes);

class FindingList {
 public:
  // True for the first of this kind at these instructions: the caller then gives its text. Others are counted.
  bool is_new(const char* rule, uint32_t pc, uint32_t other);
  // `what`: the first line. `w` executes `pc` with `lanes`.
  void add(const Warp& w, uint32_t pc, uint32_t lanes, const char* kind, std::string buffer, const std::string& what);
  // Appends all, with their counts.
  void take(std::vector<Finding>& out);

 private:
  static constexpr size_t kMost = 1000;  // different findings of one grid
  struct Told {
    int index = -1;  // into findings_
    uint64_t count = 0;
  };
  std::map<std::tuple<std::string, uint32_t, uint32_t>, Told> told_;
  std::tuple<std::string, uint32_t, uint32_t> last_;
  std::vector<Finding> findings_;
};

}  // namespace sim::checkers

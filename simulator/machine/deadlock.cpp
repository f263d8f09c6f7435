// Resident blocks in, one line per group of warps that wait alike out:
//   deadlock in b12x_gemm: no warp can run and no operation is pending
//   block (0,0,0) warps 0-3: lanes 0-31 wait at gemm.cuh:40 (bar.sync 0): 128 of 160 threads are there, missing warp 4
//   block (0,0,0) warp 4: lanes 0-31 poll at ring.cuh:77 (mbarrier.try_wait.parity.shared::cta.b64)
#include "machine/deadlock.hpp"

#include <algorithm>

#include "machine/async.hpp"
#include "machine/fault.hpp"

namespace sim {
namespace {

constexpr size_t kMostLines = 24;

std::string warps_text(const std::vector<uint32_t>& warps) {
  return (warps.size() == 1 ? "warp " : "warps ") + ranges(warps);
}

// Which live warps have nobody at the barrier.
std::string missing(const Block& block, uint32_t id) {
  std::vector<uint32_t> absent;
  for (const Warp& w : block.warps) {
    const bool is_here = std::any_of(w.waiting.begin(), w.waiting.end(), [&](const Split& s) {
      return s.wait == Split::Wait::kBarrier && s.barrier == id;
    });
    if (!is_here && w.state != WarpState::kExited) absent.push_back(w.index);
  }
  std::string text = absent.empty() ? "" : ", missing " + warps_text(absent);
  std::vector<uint32_t> gone;
  for (const Warp& w : block.warps)
    if (w.state == WarpState::kExited) gone.push_back(w.index);
  return gone.empty() ? text : text + ", " + warps_text(gone) + " exited";
}

uint32_t live_threads(const Block& block) {
  uint32_t all = 0;
  for (const Warp& w : block.warps) all += w.live != 0 ? kWarpSize : 0;
  return all;
}

// "barrier 0 has 32 of 64 threads, missing warp 1"
std::string barrier_text(const Block& block, uint32_t id) {
  const BarrierState& b = block.barriers[id];
  return "barrier " + std::to_string(id) + " has " + std::to_string(b.arrived) + " of " +
         std::to_string(b.expected != 0 ? b.expected : live_threads(block)) + " threads" + missing(block, id);
}

// "the cluster's barrier has 32 of 64 threads, missing block (1,0,0) warp 0"
std::string cluster_barrier_text(const Cluster& cluster) {
  uint32_t all = 0;
  std::string absent;
  for (uint32_t rank = 0; rank < cluster.size; ++rank) {
    const Block& block = *cluster.blocks[rank];
    all += live_threads(block);
    std::vector<uint32_t> warps;
    for (const Warp& w : block.warps)
      if (w.live != 0 && (w.live & ~w.cluster_arrived) != 0) warps.push_back(w.index);
    if (!warps.empty()) absent += ", missing block " + to_string(block.id) + ' ' + warps_text(warps);
  }
  return "the cluster's barrier has " + std::to_string(cluster.barrier.arrived) + " of " + std::to_string(all) +
         " threads" + absent;
}

// "gemm.cuh:40 (bar.sync 0), called at gemm.cuh:91"; of other instructions the opcode alone.
std::string place(const Kernel& kernel, const Split& s) {
  const std::string text = s.at < kernel.text.size() ? kernel.text[s.at] : "";
  const bool is_barrier = s.wait == Split::Wait::kBarrier;
  std::string result =
      source_line(kernel, s.at) + " (" + text.substr(0, text.find_first_of(is_barrier ? ";" : " ;")) + ")";
  for (const std::string& call : call_sites(kernel, s.at)) result += ", called at " + call;
  return result;
}

std::string split_text(const Block& block, const Warp& w, const Split& s) {
  const Kernel& kernel = *w.kernel;
  const bool polls = s.wait == Split::Wait::kNone, is_one = (s.mask & (s.mask - 1)) == 0;
  std::string text = lanes_text(s.mask) + (polls ? " poll" : " wait") + (is_one ? "s at " : " at ");
  text += place(kernel, s);
  if (s.wait == Split::Wait::kBarrier) {
    text +=
        ": " + (s.barrier == kClusterBarrier ? cluster_barrier_text(*block.cluster) : barrier_text(block, s.barrier));
  } else if (s.wait == Split::Wait::kWarpSync) {
    text += ": for " + lanes_text(s.sync_mask & w.live & ~s.mask);
  }
  return text;
}

std::string warp_text(const Block& block, const Warp& w) {
  std::vector<Split> splits = w.waiting;
  std::sort(splits.begin(), splits.end(), [](const Split& a, const Split& b) { return a.mask < b.mask; });
  std::string text;
  for (const Split& s : splits) text += (text.empty() ? "" : "; ") + split_text(block, w, s);
  return text;
}

}  // namespace

std::string deadlock_report(const Grid& grid, const std::vector<const Block*>& blocks, uint64_t waiting,
                            uint32_t per_sm) {
  std::string report = "deadlock in " + grid.kernel->name + ": no warp can get on and no operation is pending";
  size_t lines = 0;
  size_t untold = 0;
  for (const Block* block : blocks) {
    if (lines >= kMostLines) {
      ++untold;
      continue;
    }
    std::vector<std::pair<std::string, std::vector<uint32_t>>> groups;
    for (const Warp& w : block->warps) {
      if (w.state == WarpState::kExited) continue;
      const std::string text = warp_text(*block, w);
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == text; });
      if (same == groups.end())
        groups.push_back({text, {w.index}});
      else
        same->second.push_back(w.index);
    }
    for (const auto& [text, warps] : groups) {
      report += "\n  block " + to_string(block->id) + " " + warps_text(warps) + ": " + text;
      ++lines;
    }
    report += describe_async(*block);
  }
  if (untold != 0) report += "\n  and " + std::to_string(untold) + " more blocks";
  if (waiting != 0)
    report += "\n  " + std::to_string(waiting) + " of " + std::to_string(grid.config.grid.count()) +
              " blocks have not started: " + std::to_string(blocks.size()) + " are resident (" +
              std::to_string(per_sm) + " on each of " + std::to_string(grid.card->sm_count) +
              " SMs), and none of them ends";
  return report;
}

Finding deadlock_finding(const Grid& grid, const std::vector<const Block*>& blocks) {
  for (const Block* block : blocks) {
    for (const Warp& w : block->warps) {
      if (w.waiting.empty()) continue;
      const Split& first = w.waiting.front();
      return finding_at(w, first.at, first.mask, "deadlock");
    }
  }
  Finding finding;  // blocks that were never started wait for each other
  finding.kind = "deadlock";
  finding.kernel = grid.kernel->name;
  finding.seed = grid.options.seed;
  return finding;
}

}  // namespace sim

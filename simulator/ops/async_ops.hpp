// What the files of the asynchronous instructions share: their rows (async_forms() joins them), the decoding of
// modifiers that recur, and the check of the card.
#pragma once

#include <span>
#include <string>

#include "machine/async.hpp"
#include "machine/fault.hpp"
#include "machine/launch.hpp"
#include "machine/warp.hpp"
#include "ops/form.hpp"

namespace sim {

std::span<const Form> mbarrier_forms();
std::span<const Form> async_copy_forms();
std::span<const Form> async_store_forms();
std::span<const Form> bulk_copy_forms();
std::span<const Form> tensor_copy_forms();
std::span<const Form> tensor_map_forms();
std::span<const Form> cluster_launch_forms();

// Shared memory named by .shared, .shared::cta or (cluster rank 0, the only one) .shared::cluster; none of them:
// generic.
inline Space shared_or_generic(const ptx::Statement& s) {
  return s.has("shared") || s.has("shared::cta") || s.has("shared::cluster") ? Space::kShared : Space::kGeneric;
}

// Refuses an instruction that the simulated card does not have.
inline void require_card(Warp& w, const Instr& i, int cc_major, const char* targets) {
  const Card& card = *w.block->grid->card;
  if (card.cc_major < cc_major)
    fault(w, i, -1,
          std::string("the instruction needs ") + targets + "; " + card.name + " is sm_" +
              std::to_string(card.cc_major) + std::to_string(card.cc_minor),
          LaunchResult::Status::kIllegalInstruction);
}

// Clusters have one block: a multicast may name rank 0 only. `slot`: the 16-bit mask of ranks.
inline void check_multicast(Warp& w, const Instr& i, uint32_t slot) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t ranks = u32(w, slot)[lane];
    if (ranks != 1)
      fault(w, i, lane,
            "multicast to the cluster ranks of mask " + std::to_string(ranks) +
                ": clusters of one block are simulated, the mask must be 1");
  }
}

// For .aligned instructions that exchange data between all 32 lanes: false when the split was parked until the others
// come (the handler then returns). Exited lanes can never come.
[[nodiscard]] inline bool full_warp(Warp& w, const Instr& i) {
  if (w.mask == 0xffffffffu) return true;
  if (!converge(w, i)) return false;
  fault(w, i, -1, "lanes of this warp have exited or were never started; the instruction needs all 32");
}

}  // namespace sim

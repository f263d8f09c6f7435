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

// Shared memory named by .shared, .shared::cta or .shared::cluster; none of them: generic.
inline Space shared_or_generic(const ptx::Statement& s) {
  if (s.has("shared::cluster")) return Space::kSharedCluster;
  return s.has("shared") || s.has("shared::cta") ? Space::kShared : Space::kGeneric;
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

// The copy's destination and its mbarrier lie in one block: the ISA leaves anything else undefined, and on an H100 the
// mbarrier never hears of it.
inline void check_homes(Warp& w, const Instr& i, int lane, uint32_t destination, uint32_t barrier) {
  const uint32_t rank = destination >> Cluster::kRankShift, other = barrier >> Cluster::kRankShift;
  if (rank != other)
    fault(w, i, lane,
          "the destination lies in the shared memory of rank " + std::to_string(rank) +
              " of the cluster, the mbarrier in "
              "that of rank " +
              std::to_string(other) + ": they have to be in one block");
}

// An H100 ends these with "illegal instruction" in a launch that knows nothing of clusters.
inline void require_cluster(Warp& w, const Instr& i) {
  if (!w.block->grid->has_clusters)
    fault(w, i, -1, "the instruction needs a launch with cluster dimensions, be it of one block");
}

// The 16-bit mask of the ranks that a multicast names. Cards of compute capability 12 have no multicast; a copy to the
// own block alone is an ordinary one.
inline uint32_t multicast_ranks(Warp& w, const Instr& i, int lane, uint32_t slot) {
  const uint32_t ranks = u32(w, slot)[lane] & 0xffff;
  const Block& own = *w.block;
  if (own.grid->card->cc_major == 12 && ranks != 1u << own.rank)
    fault(w, i, lane,
          "multicast to the cluster ranks of mask " + std::to_string(ranks) + ": " + own.grid->card->name +
              " has no multicast, a copy goes to one block");
  if (ranks >> own.cluster->size != 0)
    fault(w, i, lane,
          "multicast to the cluster ranks of mask " + std::to_string(ranks) + ", the cluster has " +
              std::to_string(own.cluster->size) + " blocks",
          LaunchResult::Status::kAbsentBlock);
  return ranks;
}

// For .aligned instructions that exchange data between all 32 lanes: false when the split was parked until the others
// come (the handler then returns). Exited lanes can never come.
[[nodiscard]] inline bool full_warp(Warp& w, const Instr& i) {
  if (w.mask == 0xffffffffu) return true;
  if (!converge(w, i)) return false;
  fault(w, i, -1, "lanes of this warp have exited or were never started; the instruction needs all 32");
}

}  // namespace sim

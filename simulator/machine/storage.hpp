// The memory of one resident block, owned by a host thread and reused for block after block.
#pragma once

#include <memory>
#include <optional>

#include "machine/block.hpp"
#include "machine/schedule.hpp"

namespace sim {

class BlockStorage {
 public:
  // Lays out register files, shared and local memory for a launch and fills what stays the same in all its blocks.
  void prepare(Grid& grid);
  // Makes it the block of that rank in a cluster of the grid.
  void join(Cluster& cluster, uint32_t rank);
  // Puts the block at its entry: registers zero, shared memory poisoned, barriers free.
  void start(uint64_t cycles);
  // A cluster to join, kept with the memory of its first block.
  Cluster& cluster() { return cluster_; }
  Block& block() { return block_; }
  uint64_t executed() const;

 private:
  void write_special(Warp& w, const SpecialSlot& special);
  struct Free {
    void operator()(std::byte* p) const;
  };
  Block block_;
  Cluster cluster_;
  std::optional<Schedule> schedule_;
  std::unique_ptr<std::byte[], Free> bytes_;
  size_t capacity_ = 0;
  uint32_t zeroed_bytes_ = 0;  // registers end where constants and specials begin
};

// State of everything that a block's future depends on, for finding cycles in a grid that does not get on.
uint64_t fingerprint(const Block& block);

}  // namespace sim

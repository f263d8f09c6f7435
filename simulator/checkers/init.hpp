// Reads of shared, local and global memory that nothing has written. Which bytes of global memory are, Memory knows.
// A value is judged where it is loaded. Loads of more than 8 bytes a lane, matrix rows and copies may take padding
// along: they are told only when none of their bytes was written.
#pragma once

#include <unordered_map>
#include <vector>

#include "checkers/findings.hpp"
#include "machine/access.hpp"
#include "machine/observer.hpp"

namespace sim::checkers {

class InitChecker : public Observer {
 public:
  void block_starts(Block& block) override;
  void block_ends(Block& block) override;
  void report(std::vector<Finding>& findings) override { findings_.take(findings); }
  void access(Warp& w, const Instr& i, const MemoryAccess& a, const Pointers& at) override;
  void mbarrier(Warp& w, const Instr& i, int lane, uint32_t address, MbarrierUse use, uint32_t value, uint64_t phase,
                Order order, Scope scope) override;
  void async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& operation) override;

 private:
  struct Written {
    std::vector<uint8_t> shared, local;  // 1 or 0 for each byte; local: warp by warp, as Warp::local lies
  };
  Written& written_of(const Block& block) {
    if (&block != last_block_) {
      last_block_ = &block;
      last_ = &blocks_.at(&block);
    }
    return *last_;
  }
  // `home`: the block whose shared memory `written` is of, nullptr: it is of local memory.
  void touch(const Warp& w, const Instr& i, uint32_t lane, std::vector<uint8_t>& written, size_t at, uint64_t bytes,
             bool reads, bool writes, const Block* home);
  void touch_global(const Warp& w, const Instr& i, uint32_t lane, const std::byte* p, uint64_t bytes, bool reads,
                    bool writes);

  std::unordered_map<const Block*, Written> blocks_;
  const Block* last_block_ = nullptr;
  Written* last_ = nullptr;
  FindingList findings_;
};

}  // namespace sim::checkers

// The counting observer: hooks in, numbers per instruction out.
#include <bit>

#include "counters/banks.hpp"
#include "counters/sums.hpp"
#include "machine/access.hpp"
#include "machine/async.hpp"
#include "machine/observer.hpp"

namespace sim::counters {
namespace {

constexpr uint32_t kAll = 0xffffffffu;

// Full warps are the rule, and without its instruction popcount is a call.
uint64_t lanes_in(uint32_t mask) { return mask == kAll ? kWarpSize : static_cast<uint64_t>(std::popcount(mask)); }
uint64_t first_sector(uint64_t address) { return address / kSectorBytes; }
uint64_t sectors_in(uint64_t address, uint64_t bytes) {
  return (address + bytes - 1) / kSectorBytes - address / kSectorBytes + 1;
}

class Counting : public Observer {
 public:
  Counting(const Grid& grid, L2& l2)
      : counts_(grid.kernel->code.size()), sms_(static_cast<size_t>(grid.card->sm_count)), l2_(l2) {}

  bool wants_instructions() const override { return true; }
  void instruction(Warp& w, const Instr& i) override {
    Counts& c = counts_[i.pc];
    ++c[Counter::kInstExecuted];
    c[Counter::kThreadInst] += lanes_in(w.active);
    c[Counter::kThreadInstOn] += lanes_in(w.mask);
    ++warp(w).executed;
    SmCounts& here = sm(*w.block);
    ++here.executed;
    if (i.unit == Unit::kTensor) ++here.tensor;
  }
  void block_ends(Block& block) override { ++sm(block).blocks; }
  void parked(Warp& w, const Instr& i) override {
    Counts& c = counts_[i.pc];
    --c[Counter::kInstExecuted];
    c[Counter::kThreadInst] -= static_cast<uint64_t>(std::popcount(w.mask));
    c[Counter::kThreadInstOn] -= static_cast<uint64_t>(std::popcount(w.mask));
    --warp(w).executed;
    SmCounts& here = sm(*w.block);
    --here.executed;
    if (i.unit == Unit::kTensor) --here.tensor;
  }

  void access(Warp& w, const Instr& i, const MemoryAccess& a, const Pointers& at) override {
    Counts& c = counts_[i.pc];
    if (a.order != Order::kWeak && a.access == Access::kRead) ++c[Counter::kStrongLoads];
    switch (a.space) {
      case Space::kShared:
        return shared(w, c, a, at, w.mask);
      case Space::kGlobal:
        return global(w, c, a, at, w.mask);
      case Space::kLocal:
        ++c[Counter::kLocalRequests];
        return;
      case Space::kGeneric: {
        const uint32_t here = lanes_in_shared(w, a, at);
        if (here != 0) shared(w, c, a, at, here);
        if ((w.mask & ~here) != 0) global(w, c, a, at, w.mask & ~here);
        return;
      }
      default:
        return;
    }
  }

  void barrier_arrive(Warp& w, const Instr& i, uint32_t, bool waits, Order) override {
    if (!waits) return;
    ++counts_[i.pc][Counter::kBarrierWaits];
    ++warp(w).barrier_waits;
  }
  void mbarrier(Warp& w, const Instr& i, int, uint32_t, MbarrierUse use, uint32_t, uint64_t, Order, Scope) override {
    if (use == MbarrierUse::kWaitPassed) ++counts_[i.pc][Counter::kMbarrierWaits];
    if (use != MbarrierUse::kWaitFailed) return;
    ++counts_[i.pc][Counter::kMbarrierWaitFails];
    ++warp(w).mbarrier_wait_fails;
  }

  void async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& operation) override {
    if (operation.kind == AsyncOperation::Kind::kCpAsync) return copy_lane(w, i, lane, operation);
    if (!operation.is_of_async_proxy()) return;
    Counts& c = counts_[i.pc];
    operation.each_range([&](const AsyncRange& r) {
      if (operation.is_repeat && !r.is_write) return;
      if (r.is_shared) {
        c[r.is_write ? Counter::kBulkLoadBytes : Counter::kBulkStoreBytes] += r.bytes;
        if (r.is_write) sm(*w.block).bulk_load_bytes += r.bytes;
        return;
      }
      const L2Access kind = !r.is_write              ? L2Access::kRead
                            : operation.is_reduction ? L2Access::kUpdate
                                                     : L2Access::kWrite;
      const auto address = reinterpret_cast<uint64_t>(r.begin);
      to_l2(c, first_sector(address), sectors_in(address, r.bytes), kind);
    });
  }

  void grid_ends(const Grid& grid) override {
    Sums& all = sums();
    const std::lock_guard lock(all.mutex);
    const Kernel& kernel = *grid.kernel;
    KernelSum& sum = all.kernels[kernel.name + '\n' + kernel.module->name + '\n' + std::to_string(counts_.size())];
    if (sum.instructions.empty()) describe(kernel, *grid.card, sum);
    if (sum.last_grid != grid.id) ++sum.launches;
    sum.last_grid = grid.id;
    for (size_t pc = 0; pc < counts_.size(); ++pc) {
      Counts& to = sum.instructions[pc].counts;
      to.add(counts_[pc]);
      if (kernel.code[pc].unit != Unit::kTensor) continue;
      to[Counter::kTensorInst] = to[Counter::kInstExecuted];
      to[Counter::kTensorCycles] = to[Counter::kInstExecuted] * tensor_interval(kernel.text[pc], *grid.card);
    }
    if (sum.warps.size() < warps_.size()) sum.warps.resize(warps_.size());
    for (size_t n = 0; n < warps_.size(); ++n) {
      sum.warps[n].executed += warps_[n].executed;
      sum.warps[n].mbarrier_wait_fails += warps_[n].mbarrier_wait_fails;
      sum.warps[n].barrier_waits += warps_[n].barrier_waits;
    }
    if (sum.sms.size() < sms_.size()) sum.sms.resize(sms_.size());
    for (size_t n = 0; n < sms_.size(); ++n) {
      sum.sms[n].blocks += sms_[n].blocks;
      sum.sms[n].executed += sms_[n].executed;
      sum.sms[n].tensor += sms_[n].tensor;
      sum.sms[n].bulk_load_bytes += sms_[n].bulk_load_bytes;
    }
  }

 private:
  WarpCounts& warp(const Warp& w) {
    if (w.index >= warps_.size()) warps_.resize(w.index + 1);
    return warps_[w.index];
  }

  // Warps of a block run many instructions before another block's do.
  SmCounts& sm(const Block& block) {
    if (&block != block_ || block.index != block_index_) {
      block_ = &block;
      block_index_ = block.index;
      sm_ = &sms_[block.index % sms_.size()];
    }
    return *sm_;
  }

  static uint32_t lanes_in_shared(const Warp& w, const MemoryAccess& a, const Pointers& at) {
    uint32_t here = 0;
    for (uint32_t m = w.mask; m != 0; m &= m - 1) {
      const int l = std::countr_zero(m);
      const std::byte* p = at.of(l, a.bytes);
      if (p >= w.block->shared && p < w.block->shared + w.block->shared_bytes) here |= 1u << l;
    }
    return here;
  }

  void shared(const Warp& w, Counts& c, const MemoryAccess& a, const Pointers& at, uint32_t mask) {
    SharedCost cost;
    const std::byte* const begin = (a.home != nullptr ? a.home : w.block)->shared;
    if (at.shape == Pointers::Shape::kRow && a.access != Access::kAtomic) {
      cost.wavefronts = cost.ideal = a.bytes <= 4 ? 1 : a.bytes / 4;
    } else {
      uint32_t offset[kWarpSize];
      for (uint32_t m = mask; m != 0; m &= m - 1) {
        const int l = std::countr_zero(m);
        offset[l] = static_cast<uint32_t>(at.of(l, a.bytes) - begin);
      }
      cost = shared_cost(offset, mask, a.bytes,
                         a.access == Access::kRead    ? SharedAccess::kLoad
                         : a.access == Access::kWrite ? SharedAccess::kStore
                                                      : SharedAccess::kAtomic);
    }
    c[a.access == Access::kRead    ? Counter::kSharedLoadWavefronts
      : a.access == Access::kWrite ? Counter::kSharedStoreWavefronts
                                   : Counter::kSharedAtomicWavefronts] += cost.wavefronts;
    c[Counter::kSharedConflicts] += cost.wavefronts - cost.ideal;
  }

  void global(const Warp&, Counts& c, const MemoryAccess& a, const Pointers& at, uint32_t mask) {
    const bool reads = a.access == Access::kRead, writes = a.access == Access::kWrite;
    ++c[reads ? Counter::kGlobalLoadRequests : writes ? Counter::kGlobalStoreRequests : Counter::kGlobalAtomicRequests];
    uint64_t& sectors = c[reads    ? Counter::kGlobalLoadSectors
                          : writes ? Counter::kGlobalStoreSectors
                                   : Counter::kGlobalAtomicSectors];
    const L2Access kind = reads ? L2Access::kRead : writes ? L2Access::kWrite : L2Access::kUpdate;
    if (at.shape == Pointers::Shape::kRow && mask == kAll) {
      const auto address = reinterpret_cast<uint64_t>(at.base);
      const uint64_t n = sectors_in(address, uint64_t{a.bytes} * kWarpSize);
      sectors += n;
      return to_l2(c, first_sector(address), n, kind);
    }
    uint64_t address[kWarpSize];
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const int l = std::countr_zero(m);
      address[l] = reinterpret_cast<uint64_t>(at.of(l, a.bytes));
    }
    sectors += request(c, address, mask, a.bytes, kind);
  }

  // Returns the sectors of the request.
  uint32_t request(Counts& c, const uint64_t* address, uint32_t mask, uint32_t bytes, L2Access kind) {
    sectors_of(address, mask, bytes, request_);
    for (uint32_t n = 0; n < request_.count; ++n) to_l2(c, request_.sectors[n], 1, kind);
    return request_.count;
  }

  void to_l2(Counts& c, uint64_t first, uint64_t count, L2Access kind) {
    c[kind == L2Access::kRead    ? Counter::kL2ReadSectors
      : kind == L2Access::kWrite ? Counter::kL2WriteSectors
                                 : Counter::kL2UpdateSectors] += count;
    const L2Traffic traffic = l2_.access(first, count, kind);
    c[Counter::kL2HitSectors] += traffic.hits;
    c[Counter::kDramReadBytes] += uint64_t{traffic.dram_reads} * kSectorBytes;
    c[Counter::kDramWriteBytes] += uint64_t{traffic.dram_writes} * kSectorBytes;
  }

  // cp.async comes lane by lane; the hardware makes one request of a warp's lanes.
  void copy_lane(Warp& w, const Instr& i, int lane, const AsyncOperation& operation) {
    Counts& c = counts_[i.pc];
    uint32_t bytes = 0;
    operation.each_range([&](const AsyncRange& r) {
      if (r.is_shared) return;
      copies_[lane] = reinterpret_cast<uint64_t>(r.begin);
      bytes = static_cast<uint32_t>(r.bytes);
      copying_ |= 1u << lane;
    });
    c[Counter::kCopyBytes] += bytes;
    widest_ = std::max(widest_, bytes);
    if ((w.mask >> lane) > 1) return;  // not the last of the executing lanes
    if (copying_ != 0) {
      ++c[Counter::kGlobalLoadRequests];
      c[Counter::kGlobalLoadSectors] += request(c, copies_, copying_, widest_, L2Access::kRead);
    }
    copying_ = widest_ = 0;
  }

  static void describe(const Kernel& kernel, const Card&, KernelSum& sum) {
    const Module& module = *kernel.module;
    sum.name = kernel.name;
    sum.module = module.name;
    sum.instructions.resize(kernel.code.size());
    for (size_t pc = 0; pc < kernel.code.size(); ++pc) {
      InstructionSum& s = sum.instructions[pc];
      const SourceLocation& at = kernel.locations[pc];
      s.text = kernel.text[pc];
      s.file = at.line != 0 ? module.files[at.file] : module.name;
      s.line = at.line != 0 ? at.line : at.ptx_line;
      s.unit = kernel.code[pc].unit;
    }
  }

  std::vector<Counts> counts_;  // by pc
  std::vector<WarpCounts> warps_;
  std::vector<SmCounts> sms_;
  const Block* block_ = nullptr;  // of the last instruction, and what it counts for
  uint64_t block_index_ = 0;
  SmCounts* sm_ = nullptr;
  L2& l2_;
  Request request_;
  uint64_t copies_[kWarpSize];  // of the cp.async that is being issued
  uint32_t copying_ = 0, widest_ = 0;
};

}  // namespace

std::unique_ptr<Observer> count_grid(const Grid& grid) {
  Sums& all = sums();
  const std::lock_guard lock(all.mutex);
  if (!all.l2) all.l2 = std::make_unique<L2>(grid.card->l2_bytes);
  return std::make_unique<Counting>(grid, *all.l2);
}

}  // namespace sim::counters

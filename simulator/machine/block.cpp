// Blocks: memory and entry state (BlockStorage), and the loop that runs a block's warps in turn.
#include "machine/block.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "machine/async.hpp"
#include "machine/storage.hpp"

namespace sim {
namespace {

constexpr size_t kAlign = 1024;    // of shared memory: the span of the widest swizzle
constexpr uint8_t kPoison = 0xff;  // shared memory at entry: NaN in every format that has one

size_t round_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

uint32_t lane_mask(Special kind, int lane) {
  const uint32_t bit = 1u << lane;
  switch (kind) {
    case Special::kLanemaskEq:
      return bit;
    case Special::kLanemaskLt:
      return bit - 1;
    case Special::kLanemaskLe:
      return bit | (bit - 1);
    case Special::kLanemaskGt:
      return ~(bit | (bit - 1));
    default:
      return ~(bit - 1);
  }
}

uint64_t special_value(const Block& block, const Warp& w, Special kind, int lane) {
  const LaunchConfig& config = block.grid->config;
  const Dim3 &shape = config.block, &grid = config.grid, &cluster = block.grid->cluster;
  const uint32_t thread = w.index * kWarpSize + static_cast<uint32_t>(lane);
  switch (kind) {
    case Special::kTidX:
      return thread % shape.x;
    case Special::kTidY:
      return thread / shape.x % shape.y;
    case Special::kTidZ:
      return thread / shape.x / shape.y;
    case Special::kNtidX:
      return shape.x;
    case Special::kNtidY:
      return shape.y;
    case Special::kNtidZ:
      return shape.z;
    case Special::kCtaidX:
      return block.id.x;
    case Special::kCtaidY:
      return block.id.y;
    case Special::kCtaidZ:
      return block.id.z;
    case Special::kNctaidX:
      return grid.x;
    case Special::kNctaidY:
      return grid.y;
    case Special::kNctaidZ:
      return grid.z;
    case Special::kLaneId:
      return static_cast<uint64_t>(lane);
    case Special::kWarpId:
      return w.index;
    case Special::kNwarpId:
      return block.warps.size();
    case Special::kSmId:
      return block.index % static_cast<uint64_t>(block.grid->card->sm_count);
    case Special::kNsmId:
      return static_cast<uint64_t>(block.grid->card->sm_count);
    case Special::kGridId:
      return block.grid->id;
    case Special::kLanemaskEq:
    case Special::kLanemaskLe:
    case Special::kLanemaskLt:
    case Special::kLanemaskGe:
    case Special::kLanemaskGt:
      return lane_mask(kind, lane);
    case Special::kDynamicSmemSize:
      return config.dynamic_shared_bytes;
    case Special::kTotalSmemSize:
      return round_up(block.shared_bytes + block.grid->card->shared_reserved, 128);
    case Special::kClusterCtaidX:
      return block.id.x % cluster.x;
    case Special::kClusterCtaidY:
      return block.id.y % cluster.y;
    case Special::kClusterCtaidZ:
      return block.id.z % cluster.z;
    case Special::kClusterNctaidX:
      return cluster.x;
    case Special::kClusterNctaidY:
      return cluster.y;
    case Special::kClusterNctaidZ:
      return cluster.z;
    case Special::kClusterCtarank:
      return block.rank;
    case Special::kClusterNctarank:
      return block.cluster->size;
    case Special::kClusteridX:
      return block.id.x / cluster.x;
    case Special::kClusteridY:
      return block.id.y / cluster.y;
    case Special::kClusteridZ:
      return block.id.z / cluster.z;
    case Special::kNclusteridX:
      return grid.x / cluster.x;
    case Special::kNclusteridY:
      return grid.y / cluster.y;
    case Special::kNclusteridZ:
      return grid.z / cluster.z;
    case Special::kCurrentGraphExec:
    case Special::kEnvReg:
      return 0;
    default:
      return 0;  // clocks are read by their own instructions
  }
}

void write_lane(std::byte* slot, uint32_t bytes, int lane, uint64_t low, uint64_t high) {
  std::byte* p = slot + static_cast<size_t>(lane) * bytes;
  std::memcpy(p, &low, std::min<uint32_t>(bytes, 8));
  if (bytes == 16) std::memcpy(p + 8, &high, 8);
}

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 29;
}

}  // namespace

void BlockStorage::Free::operator()(std::byte* p) const { std::free(p); }

void BlockStorage::prepare(Grid& grid) {
  const Kernel& kernel = *grid.kernel;
  block_.grid = &grid;
  block_.thread_count = static_cast<uint32_t>(grid.config.block.count());
  block_.shared_base = Block::kSharedBase;
  block_.shared_bytes = kernel.static_shared_bytes + grid.config.dynamic_shared_bytes;
  const size_t warps = (block_.thread_count + kWarpSize - 1) / kWarpSize;
  const size_t registers = round_up(kernel.register_file_bytes, 64);
  const size_t predicates = round_up(kernel.pred_count * sizeof(uint32_t), 64);
  const size_t local = round_up(static_cast<size_t>(kernel.local_bytes) * kWarpSize, 64);
  const size_t shared = round_up(block_.shared_bytes, kAlign);
  const size_t total = shared + warps * (registers + predicates + local);
  if (total > capacity_) {
    bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlign, round_up(total, kAlign))));
    if (!bytes_) throw std::bad_alloc();
    capacity_ = round_up(total, kAlign);
  }
  std::memset(bytes_.get(), 0, total);
  block_.shared = bytes_.get();
  zeroed_bytes_ = kernel.register_file_bytes;
  for (const ConstSlot& c : kernel.constants) zeroed_bytes_ = std::min(zeroed_bytes_, c.slot);
  for (const SpecialSlot& s : kernel.specials) zeroed_bytes_ = std::min(zeroed_bytes_, s.slot);
  block_.warps.resize(warps);
  std::byte* next = bytes_.get() + shared;
  for (size_t index = 0; index < warps; ++index) {
    Warp& w = block_.warps[index];
    w.regs = next;
    w.preds = reinterpret_cast<uint32_t*>(next + registers);
    w.local = next + registers + predicates;
    next += registers + predicates + local;
    w.index = static_cast<uint32_t>(index);
    w.block = &block_;
    w.kernel = &kernel;
    for (CachedRange& r : w.cached) r = {};
    for (const ConstSlot& c : kernel.constants)
      for (int lane = 0; lane < kWarpSize; ++lane)
        write_lane(w.regs + c.slot, c.bytes_per_lane, lane, c.value, c.value_high);
  }
}

void BlockStorage::write_special(Warp& w, const SpecialSlot& special) {
  for (int lane = 0; lane < kWarpSize; ++lane)
    write_lane(w.regs + special.slot, special.bytes_per_lane, lane, special_value(block_, w, special.special, lane), 0);
}

void BlockStorage::join(Cluster& cluster, uint32_t rank) {
  const Dim3 &shape = block_.grid->cluster, &grid = block_.grid->config.grid;
  const Dim3 at = block_id({grid.x / shape.x, grid.y / shape.y, grid.z / shape.z}, cluster.index);
  const Dim3 here = block_id(shape, rank);
  cluster.blocks[rank] = &block_;
  block_.cluster = &cluster;
  block_.rank = rank;
  block_.id = {at.x * shape.x + here.x, at.y * shape.y + here.y, at.z * shape.z + here.z};
  block_.index = (uint64_t{block_.id.z} * grid.y + block_.id.y) * grid.x + block_.id.x;
  const uint32_t base = at_rank(Block::kSharedBase, rank);
  if (base == block_.shared_base) return;
  block_.shared_base = base;
  for (Warp& w : block_.warps)
    for (const ConstSlot& c : block_.grid->kernel->constants)
      for (int lane = 0; c.is_shared_address && lane < kWarpSize; ++lane)
        write_lane(w.regs + c.slot, c.bytes_per_lane, lane, at_rank(static_cast<uint32_t>(c.value), rank), 0);
}

void BlockStorage::start(uint64_t cycles) {
  const Kernel& kernel = *block_.grid->kernel;
  block_.cycles = cycles;
  block_.progress = 0;
  block_.has_triggered = block_.has_ended = false;
  std::fill(std::begin(block_.barriers), std::end(block_.barriers), BarrierState{});
  block_.async.reset();
  schedule_.reset();
  std::memset(block_.shared, kPoison, block_.shared_bytes);
  for (Warp& w : block_.warps) {
    std::memset(w.regs, 0, zeroed_bytes_);
    std::memset(w.preds, 0, kernel.pred_count * sizeof(uint32_t));
    w.preds[0] = 0xffffffffu;
    if (kernel.local_bytes != 0) std::memset(w.local, 0, static_cast<size_t>(kernel.local_bytes) * kWarpSize);
    for (const SpecialSlot& special : kernel.specials) write_special(w, special);
    const uint32_t threads = std::min<uint32_t>(kWarpSize, block_.thread_count - w.index * kWarpSize);
    w.live = w.active = threads == kWarpSize ? 0xffffffffu : (1u << threads) - 1;
    w.pc = 0;
    w.stop = w.has_polled = w.has_yielded = w.is_busy = false;
    w.state = WarpState::kReady;
    w.waiting.clear();
    w.executed = w.counted = 0;
    w.back_edges = w.register_limit = w.carry = w.cluster_arrived = w.cluster_passed = 0;
    w.switch_pc = Warp::kNoSwitch;
    std::fill(std::begin(w.barrier_lanes), std::end(w.barrier_lanes), 0u);
  }
  if (block_.grid->options.is_ordered()) schedule_.emplace(block_, block_.grid->visible.data());
  block_.schedule = schedule_ ? &*schedule_ : nullptr;
}

uint64_t BlockStorage::executed() const {
  uint64_t sum = 0;
  for (const Warp& w : block_.warps) sum += w.executed;
  return sum;
}

namespace {

BlockOutcome run_scheduled(Block& block) {
  Schedule& schedule = *block.schedule;
  schedule.begin_turn();
  while (!schedule.is_turn_over()) {
    if (Warp* const w = schedule.next(block)) {
      const uint64_t before = block.progress;
      run_warp(*w);
      schedule.ran(block, *w, before);
      continue;
    }
    const auto has_exited = [](const Warp& w) { return w.state == WarpState::kExited; };
    if (std::all_of(block.warps.begin(), block.warps.end(), has_exited)) {
      end_copies(block);
      return BlockOutcome::kFinished;
    }
    if (land_copy(block, false)) continue;
    schedule.stall();
    return BlockOutcome::kStalled;
  }
  return BlockOutcome::kTurnOver;
}

}  // namespace

void trigger_dependents(Block& block) {
  Grid& grid = *block.grid;
  if (block.has_triggered || !grid.on_trigger) return;
  block.has_triggered = true;
  if (--grid.untriggered == 0) grid.on_trigger();
}

BlockOutcome run_block(Block& block) {
  if (block.schedule != nullptr) return run_scheduled(block);
  for (;;) {
    const uint64_t before = block.progress;
    bool is_alive = false, is_busy = false;
    for (Warp& w : block.warps) {
      if (w.state == WarpState::kExited) continue;
      is_alive = true;
      if (w.state == WarpState::kBarrier) continue;
      run_warp(w);
      is_busy |= w.state == WarpState::kReady;
    }
    if (!is_alive) return BlockOutcome::kFinished;
    if (!is_busy && block.progress == before) return BlockOutcome::kStalled;
  }
}

uint64_t fingerprint(const Block& block) {
  uint64_t hash = block.index + 1;
  const auto add = [&](const std::byte* p, size_t bytes) {
    for (size_t n = 0; n + 8 <= bytes; n += 8) {
      uint64_t word;
      std::memcpy(&word, p + n, 8);
      hash = mix(hash, word);
    }
  };
  for (const Warp& w : block.warps) {
    hash = mix(hash, static_cast<uint64_t>(w.state) << 32 | w.live);
    add(w.regs, w.kernel->register_file_bytes);
    for (uint32_t p = 1; p < w.kernel->pred_count; ++p) hash = mix(hash, w.preds[p]);
    uint64_t splits = 0;  // their order does not matter
    for (const Split& s : w.waiting)
      splits += mix(static_cast<uint64_t>(s.pc) << 32 | s.mask, static_cast<uint64_t>(s.wait));
    hash = mix(hash, splits);
  }
  return hash;
}

}  // namespace sim

// Live intervals of virtual registers: per-thread control flow graph, backward dataflow over blocks, then one interval
// per register in code order. A guarded definition does not end liveness, since the lanes it skips keep the old value.
//
// Why intervals are safe when lanes of a warp diverge: a slot is 32 lane parts, handlers write executing lanes only,
// and each lane follows one path of the graph. Two registers that share a slot are never both live on any path, so no
// lane can lose a value to another lane that is elsewhere in the program.
#include <algorithm>
#include <vector>

#include "program/ir.hpp"

namespace sim::lowering {
namespace {

struct BasicBlock {
  uint32_t begin = 0, end = 0;  // operations [begin, end)
  std::vector<uint32_t> successors;
};

template <class F>
void for_registers(const Entry& entry, const Operation& operation, F&& f) {
  const auto visit = [&](const Ref& ref) {
    if (ref.kind == Ref::Kind::kRegister || ref.kind == Ref::Kind::kPredicate) f(ref);
  };
  visit(operation.guard);
  for (uint32_t i = 0; i < operation.ref_count; ++i) visit(entry.refs_of(operation)[i]);
}

template <class F>
void for_targets(const Entry& entry, const Operation& operation, F&& f) {
  if (operation.label != kNoLabel) f(entry.label_positions[operation.label]);
  for (uint32_t i = 0; i < operation.ref_count; ++i)
    if (const Ref& ref = entry.refs_of(operation)[i]; ref.kind == Ref::Kind::kLabel) f(entry.label_positions[ref.id]);
}

std::vector<BasicBlock> find_blocks(const Entry& entry) {
  const uint32_t count = static_cast<uint32_t>(entry.operations.size());
  std::vector<uint32_t> block_of(count + 1, 0);  // first: 1 where a block begins
  block_of[0] = 1;
  for (uint32_t i = 0; i < count; ++i) {
    bool is_branch = entry.operations[i].ends_flow();
    for_targets(entry, entry.operations[i], [&](uint32_t target) {
      block_of[target] = 1;
      is_branch = true;
    });
    if (is_branch) block_of[i + 1] = 1;
  }
  std::vector<BasicBlock> blocks;
  for (uint32_t i = 0; i < count; ++i) {
    if (block_of[i] == 1) blocks.push_back({i, i, {}});
    block_of[i] = static_cast<uint32_t>(blocks.size() - 1);
    blocks.back().end = i + 1;
  }
  for (uint32_t b = 0; b < blocks.size(); ++b) {
    const Operation& last = entry.operations[blocks[b].end - 1];
    for_targets(entry, last, [&](uint32_t target) {
      if (target < count) blocks[b].successors.push_back(block_of[target]);
    });
    if (!last.ends_flow() && b + 1 < blocks.size()) blocks[b].successors.push_back(b + 1);
  }
  return blocks;
}

// One bit set per block, all in one array.
class BitRows {
 public:
  BitRows() = default;
  BitRows(size_t rows, size_t bits) : words_((bits + 63) / 64), data_(rows * words_) {}
  size_t words() const { return words_; }
  uint64_t* row(size_t r) { return data_.data() + r * words_; }
  bool has(size_t r, size_t bit) const { return (data_[r * words_ + bit / 64] >> bit % 64 & 1) != 0; }
  void set(size_t r, size_t bit) { row(r)[bit / 64] |= uint64_t{1} << bit % 64; }

 private:
  size_t words_ = 0;
  std::vector<uint64_t> data_;
};

constexpr uint32_t kLocalToBlocks = 0xffffffffu;

// Registers that some block reads before it surely writes them, numbered densely: only they can live across blocks.
std::vector<uint32_t> number_crossing(const Entry& entry, const std::vector<BasicBlock>& blocks, uint32_t& count) {
  std::vector<uint32_t> number(entry.register_bytes.size(), kLocalToBlocks);
  std::vector<uint32_t> written_in(entry.register_bytes.size(), 0xffffffffu);
  count = 0;
  for (uint32_t b = 0; b < blocks.size(); ++b)
    for (uint32_t i = blocks[b].begin; i < blocks[b].end; ++i) {
      const Operation& operation = entry.operations[i];
      for_registers(entry, operation, [&](const Ref& ref) {
        if (ref.is_use && written_in[ref.id] != b && number[ref.id] == kLocalToBlocks) number[ref.id] = count++;
      });
      if (operation.is_guarded()) continue;
      for_registers(entry, operation, [&](const Ref& ref) {
        if (ref.is_def) written_in[ref.id] = b;
      });
    }
  return number;
}

// The blocks of an entry, and what is live before and behind each.
struct Flow {
  std::vector<BasicBlock> blocks;
  std::vector<uint32_t> number;  // of a register in the rows, or kLocalToBlocks
  BitRows live_in, live_out;
};
Flow flow_of(const Entry& entry) {
  Flow flow;
  flow.blocks = find_blocks(entry);
  const std::vector<BasicBlock>& blocks = flow.blocks;
  uint32_t crossing = 0;
  flow.number = number_crossing(entry, blocks, crossing);
  const std::vector<uint32_t>& number = flow.number;
  BitRows &live_in = flow.live_in = BitRows(blocks.size(), crossing),
          &live_out = flow.live_out = BitRows(blocks.size(), crossing);
  BitRows killed(blocks.size(), crossing);
  const size_t words = live_in.words();
  for (uint32_t b = 0; b < blocks.size(); ++b)
    for (uint32_t i = blocks[b].begin; i < blocks[b].end; ++i) {
      const Operation& operation = entry.operations[i];
      for_registers(entry, operation, [&](const Ref& ref) {
        const uint32_t n = number[ref.id];
        if (ref.is_use && n != kLocalToBlocks && !(killed.row(b)[n / 64] >> n % 64 & 1)) live_in.set(b, n);
      });
      if (operation.is_guarded()) continue;
      for_registers(entry, operation, [&](const Ref& ref) {
        if (ref.is_def && number[ref.id] != kLocalToBlocks) killed.set(b, number[ref.id]);
      });
    }
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (size_t b = blocks.size(); b-- > 0;) {
      uint64_t* out = live_out.row(b);
      uint64_t* in = live_in.row(b);
      for (const uint32_t successor : blocks[b].successors)
        for (size_t k = 0; k < words; ++k) out[k] |= live_in.row(successor)[k];
      for (size_t k = 0; k < words; ++k) {
        const uint64_t added = out[k] & ~killed.row(b)[k] & ~in[k];
        in[k] |= added;
        has_changed |= added != 0;
      }
    }
  }
  return flow;
}

}  // namespace

std::vector<Interval> live_intervals(const Entry& entry) {
  std::vector<Interval> intervals(entry.register_bytes.size());
  const auto extend = [&](uint32_t id, uint32_t position) {
    intervals[id].first = std::min(intervals[id].first, position);
    intervals[id].last = std::max(intervals[id].last, position);
  };
  for (uint32_t i = 0; i < entry.operations.size(); ++i)
    for_registers(entry, entry.operations[i], [&](const Ref& ref) { extend(ref.id, i); });

  const Flow flow = flow_of(entry);
  for (uint32_t id = 0; id < flow.number.size(); ++id) {
    const uint32_t n = flow.number[id];
    if (n == kLocalToBlocks) continue;
    for (size_t b = 0; b < flow.blocks.size(); ++b) {
      if (flow.live_in.has(b, n)) extend(id, flow.blocks[b].begin);
      if (flow.live_out.has(b, n)) extend(id, flow.blocks[b].end - 1);
    }
  }
  return intervals;
}

// Backwards through each block, from what is live behind it.
uint32_t register_pressure(const Entry& entry) {
  const Flow flow = flow_of(entry);
  uint32_t most = 0;
  for (size_t b = 0; b < flow.blocks.size(); ++b) {
    std::vector<bool> is_live(entry.register_bytes.size());
    uint32_t live = 0;
    const auto set = [&](uint32_t id, bool to) {
      const uint32_t registers = entry.register_bytes[id] / 4;
      if (is_live[id] != to) live = to ? live + registers : live - registers;
      is_live[id] = to;
    };
    for (uint32_t id = 0; id < flow.number.size(); ++id)
      if (flow.number[id] != kLocalToBlocks && flow.live_out.has(b, flow.number[id])) set(id, true);
    most = std::max(most, live);
    for (uint32_t i = flow.blocks[b].end; i-- > flow.blocks[b].begin;) {
      const Operation& operation = entry.operations[i];
      for_registers(entry, operation, [&](const Ref& ref) {
        if (ref.is_def && !operation.is_guarded()) set(ref.id, false);
      });
      for_registers(entry, operation, [&](const Ref& ref) {
        if (ref.is_use) set(ref.id, true);
      });
      most = std::max(most, live);
    }
  }
  return most;
}

}  // namespace sim::lowering

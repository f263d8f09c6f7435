// cp.async: 4, 8 or 16 bytes per lane from global to shared memory, the groups that a thread waits for, and the arrival
// of a thread's copies on an mbarrier. These copies belong to the generic proxy.
#include "machine/access.hpp"
#include "ops/async_ops.hpp"

namespace sim {
namespace {

// Instr::imm of cp.async: bytes per lane, and which optional operand is written.
constexpr int64_t kBytesMask = 31, kSourceSize = 32, kIgnoreSource = 64;

// One warp instruction's copies: lane l reads `read` bytes at source, writes `bytes` at destination, the rest zeros.
struct LaneCopies {
  uint32_t mask = 0;
  uint32_t bytes = 0;
  std::byte* destination[kWarpSize];
  const std::byte* source[kWarpSize];
  uint32_t read[kWarpSize];

  void perform() const {
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const int lane = std::countr_zero(m);
      if (bytes == 16 && read[lane] == 16) {
        std::memcpy(destination[lane], source[lane], 16);
      } else {
        if (read[lane] != 0) std::memcpy(destination[lane], source[lane], read[lane]);  // else it has no source
        std::memset(destination[lane] + read[lane], 0, bytes - read[lane]);
      }
    }
  }
};

// The copy of one lane, where it is told apart.
struct LaneCopy : AsyncOperation {
  std::byte* destination;
  const std::byte* source;
  uint32_t size, read;

  LaneCopy(const LaneCopies& all, int lane)
      : AsyncOperation(Kind::kCpAsync),
        destination(all.destination[lane]),
        source(all.source[lane]),
        size(all.bytes),
        read(all.read[lane]) {}
  void each_range(const std::function<void(const AsyncRange&)>& f) const override {
    if (read != 0) f({const_cast<std::byte*>(source), read, false, false});
    f({destination, size, true, true});
  }
  void perform() override {
    if (read != 0) std::memcpy(destination, source, read);
    std::memset(destination + read, 0, size - read);
  }
};

void issue_all(Warp& w, const Instr& i, const LaneCopies& all) {
  if (!performs_at_once(*w.block)) {
    for (uint32_t m = w.mask; m != 0; m &= m - 1) {
      const int lane = std::countr_zero(m);
      issue_later(w, i, lane, std::make_unique<LaneCopy>(all, lane));
    }
    return;
  }
  std::vector<CopyGroups>& groups = async_state(*w.block).groups[static_cast<size_t>(CopyGroup::kCpAsync)];
  for (uint32_t m = w.mask; m != 0; m &= m - 1) ++groups[thread_of(w, std::countr_zero(m))].open;
  all.perform();
  note_progress(w);
}

void copy(Warp& w, const Instr& i) {
  LaneCopies op;
  op.mask = w.mask;
  op.bytes = static_cast<uint32_t>(i.imm & kBytesMask);
  Pointers to;
  gather(w, i, i.ops[0], Space::kShared, op.bytes, op.bytes, Access::kWrite, to);
  Pointers from;
  const bool reads_all = (i.imm & ~kBytesMask) == 0;
  if (reads_all) {
    Instr source = i;  // gather() looks at address operand 0
    source.offset[0] = i.offset[1];
    source.wide_base = i.wide_base >> 1;
    gather(w, source, i.ops[1], Space::kGlobal, op.bytes, op.bytes, Access::kRead, from);
  }
  const uint32_t ignored = (i.imm & kIgnoreSource) != 0 ? pred(w, i.ops[3]) : 0;
  const uint32_t* const size = (i.imm & kSourceSize) != 0 ? u32(w, i.ops[3]) : nullptr;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    op.destination[lane] = to.of(lane, op.bytes);
    op.read[lane] = op.bytes;
    if (reads_all) {
      op.source[lane] = from.of(lane, op.bytes);
      continue;
    }
    uint32_t read = size != nullptr ? size[lane] : op.bytes;
    if (read > op.bytes)
      fault(w, i, lane, "src-size " + std::to_string(read) + " is greater than cp-size " + std::to_string(op.bytes));
    if ((ignored >> lane & 1) != 0) read = 0;
    const uint64_t at = address(w, i, 1, i.ops[1], lane);
    // The source must be aligned even where nothing is read from it; a lane that reads nothing may point anywhere.
    op.source[lane] = read != 0 || at % op.bytes != 0
                          ? resolve(w, i, lane, Space::kGlobal, at, read, op.bytes, Access::kRead)
                          : nullptr;
    op.read[lane] = read;
  }
  issue_all(w, i, op);
}

void commit(Warp& w, const Instr& i) { commit_groups(w, i, CopyGroup::kCpAsync); }
void wait_group(Warp& w, const Instr& i) { wait_groups(w, i, CopyGroup::kCpAsync, u32(w, i.ops[0])); }
void wait_for_all(Warp& w, const Instr& i) { wait_all(w, i, CopyGroup::kCpAsync); }

// The thread's earlier copies arrive on the mbarrier when they have landed. Without .noinc the object at once awaits
// one arrival more, so that the initial count need not know of it.
struct CopyArrival : AsyncOperation {
  explicit CopyArrival(uint32_t at) : AsyncOperation(Kind::kArrival) { barrier = at; }
  void each_range(const std::function<void(const AsyncRange&)>&) const override {}
  void perform() override {}
};

void arrive_on(Warp& w, const Instr& i) {
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t at = mbarrier_operand(w, i, lane, 0, i.ops[0], static_cast<Space>(i.imm >> 1));
    if ((i.imm & 1) == 0) mbarrier_add_pending(w, i, lane, at);
    issue(w, i, lane, CopyArrival(at));
  }
}

Handler bind_copy(const ptx::Statement& s, Instr& i) {
  if (s.operands.size() < 3 || s.operands[2].kind != ptx::Operand::Kind::kInteger) return nullptr;
  const uint64_t bytes = s.operands[2].value;
  const bool is_valid = bytes == 16 || (s.has("ca") && (bytes == 4 || bytes == 8));
  if (!is_valid) return nullptr;
  i.imm = static_cast<int64_t>(bytes);
  return copy;
}
Handler bind_copy_sized(const ptx::Statement& s, Instr& i) {
  const Handler handler = bind_copy(s, i);
  i.imm |= kSourceSize;
  return handler;
}
Handler bind_copy_ignored(const ptx::Statement& s, Instr& i) {
  const Handler handler = bind_copy(s, i);
  i.imm |= kIgnoreSource;
  return handler;
}
Handler bind_arrive(const ptx::Statement& s, Instr& i) {
  i.imm = static_cast<int64_t>(shared_or_generic(s)) << 1 | static_cast<int64_t>(s.has("noinc"));
  return arrive_on;
}

constexpr char kIsa[] = "9.7.9.25.3.1 cp.async";
constexpr char kIsaGroup[] = "9.7.9.25.3.2 cp.async.commit_group, wait_group, wait_all";

// Prefetch sizes and cache policies change no result.
const Form kForms[] = {
    // A literal after the size is a src-size: the row with a predicate comes last.
    {"cp.async.[ca|cg].[shared|shared::cta].global[.L2::64B|.L2::128B|.L2::256B|]", "[a] [a] r32", nullptr, bind_copy,
     Unit::kAsync, kIsa},
    {"cp.async.[ca|cg].[shared|shared::cta].global[.L2::64B|.L2::128B|.L2::256B|]", "[a] [a] r32 r32", nullptr,
     bind_copy_sized, Unit::kAsync, kIsa},
    {"cp.async.[ca|cg].[shared|shared::cta].global[.L2::64B|.L2::128B|.L2::256B|]", "[a] [a] r32 p", nullptr,
     bind_copy_ignored, Unit::kAsync, kIsa},
    {"cp.async.[ca|cg].[shared|shared::cta].global.L2::cache_hint[.L2::64B|.L2::128B|.L2::256B|]", "[a] [a] r32 r64",
     nullptr, bind_copy, Unit::kAsync, kIsa},
    {"cp.async.[ca|cg].[shared|shared::cta].global.L2::cache_hint[.L2::64B|.L2::128B|.L2::256B|]",
     "[a] [a] r32 r32 r64", nullptr, bind_copy_sized, Unit::kAsync, kIsa},
    {"cp.async.[ca|cg].[shared|shared::cta].global.L2::cache_hint[.L2::64B|.L2::128B|.L2::256B|]", "[a] [a] r32 p r64",
     nullptr, bind_copy_ignored, Unit::kAsync, kIsa},
    {"cp.async.commit_group", "", commit, nullptr, Unit::kSync, kIsaGroup},
    {"cp.async.wait_group", "r32", wait_group, nullptr, Unit::kSync, kIsaGroup},
    {"cp.async.wait_all", "", wait_for_all, nullptr, Unit::kSync, kIsaGroup},
    {"cp.async.mbarrier.arrive[.noinc|][.shared|.shared::cta|].b64", "[a]", nullptr, bind_arrive, Unit::kSync,
     "9.7.13.15.15 cp.async.mbarrier.arrive"},
};

}  // namespace

std::span<const Form> async_copy_forms() { return kForms; }

}  // namespace sim

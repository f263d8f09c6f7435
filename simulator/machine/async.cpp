// Mbarrier objects. The 8 bytes in shared memory are the state; the record
// beside them tells a live object from leftover bytes and catches stores that overwrite one.
#include "machine/async.hpp"

#include <algorithm>
#include <cstdio>

#include "machine/fault.hpp"

namespace sim {
namespace {

constexpr uint64_t kTxMask = (1u << 21) - 1;

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string name_of(uint32_t address) { return "mbarrier at shared address " + hex(address); }

MbarrierRecord* find(AsyncState& state, uint32_t address) {
  for (MbarrierRecord& record : state.mbarriers)
    if (record.address == address) return &record;
  return nullptr;
}

uint64_t load_word(const std::byte* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

std::byte* bytes_of(Warp& w, const Instr& i, int lane, uint32_t address) {
  return resolve(w, i, lane, Space::kSharedCluster, address, 8, 8, Access::kAtomic);
}

// State of the block whose mbarrier it is; bytes_of() has found that there is one.
AsyncState& state_of(Warp& w, uint32_t address) { return async_state(*home_of(*w.block, address)); }

MbarrierRecord& live(Warp& w, const Instr& i, int lane, uint32_t address, const std::byte* bytes) {
  MbarrierRecord* record = find(state_of(w, address), address);
  if (record == nullptr) fault(w, i, lane, name_of(address) + " is used before mbarrier.init");
  if (load_word(bytes) != record->word)
    fault(w, i, lane,
          name_of(address) + " was overwritten by an ordinary store: its word is " + hex(load_word(bytes)) +
              ", the last mbarrier operation left " + hex(record->word));
  return *record;
}

// Ends the phase if nothing is awaited any more, and writes the object back.
void store(Warp& w, MbarrierRecord& record, std::byte* bytes, Mbarrier barrier) {
  if (barrier.pending == 0 && barrier.tx == 0) {
    barrier.parity ^= 1;
    barrier.pending = barrier.expected;
    ++record.completed;
  }
  record.word = barrier.encode();
  std::memcpy(bytes, &record.word, sizeof record.word);
  note_progress(w);
}

void add_tx(Warp& w, const Instr& i, int lane, uint32_t address, int64_t bytes) {
  std::byte* const word = bytes_of(w, i, lane, address);
  MbarrierRecord& record = live(w, i, lane, address, word);
  Mbarrier barrier = Mbarrier::decode(record.word);
  const int64_t tx = barrier.tx + bytes;
  if (tx > Mbarrier::kMaxCount || tx < -static_cast<int64_t>(Mbarrier::kMaxCount))
    fault(w, i, lane, name_of(address) + ": tx-count " + std::to_string(tx) + " is outside -(2^20-1) .. 2^20-1");
  barrier.tx = static_cast<int32_t>(tx);
  store(w, record, word, barrier);
}

void describe_groups(const std::vector<CopyGroups>& groups, const char* what, std::string& text) {
  size_t threads = 0, first = 0;
  for (size_t t = 0; t < groups.size(); ++t)
    if (groups[t].open + groups[t].committed != groups[t].covered && threads++ == 0) first = t;
  if (threads == 0) return;
  text += "\n  " + std::string(what) + " that no wait_group covers: " + std::to_string(threads) + " threads, first " +
          std::to_string(first) + " with " + std::to_string(groups[first].committed - groups[first].covered) +
          " groups and " + std::to_string(groups[first].open) + " uncommitted operations";
}

}  // namespace

Mbarrier Mbarrier::decode(uint64_t word) {
  Mbarrier b;
  b.parity = static_cast<uint32_t>(word >> 63);
  b.pending = static_cast<uint32_t>(-(word >> 43)) & kMaxCount;
  b.expected = static_cast<uint32_t>(-(word >> 1)) & kMaxCount;
  const uint32_t negated = static_cast<uint32_t>(-(word >> 21) & kTxMask);
  b.tx = static_cast<int32_t>(negated << 11) >> 11;
  return b;
}

uint64_t Mbarrier::encode() const {
  const auto negated = [](int64_t value, uint64_t mask) { return static_cast<uint64_t>(-value) & mask; };
  return static_cast<uint64_t>(parity) << 63 | negated(pending, kMaxCount) << 43 | negated(tx, kTxMask) << 21 |
         negated(expected, kMaxCount) << 1;
}

void AsyncStateDeleter::operator()(AsyncState* state) const { delete state; }

AsyncState& async_state(Block& block) {
  if (!block.async) {
    block.async.reset(new AsyncState);
    const size_t threads = block.warps.size() * kWarpSize;
    for (auto& groups : block.async->groups) groups.resize(threads);
    block.async->grouped.resize(block.warps.size());
  }
  return *block.async;
}

void mbarrier_init(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t count) {
  std::byte* const bytes = bytes_of(w, i, lane, address);
  if (count == 0 || count > Mbarrier::kMaxCount)
    fault(w, i, lane, name_of(address) + ": count " + std::to_string(count) + " is outside 1 .. 2^20-1");
  AsyncState& state = state_of(w, address);
  MbarrierRecord* record = find(state, address);
  if (record == nullptr) record = &state.mbarriers.emplace_back();
  *record = MbarrierRecord{};
  record->address = address;
  Mbarrier barrier;
  barrier.pending = barrier.expected = count;
  store(w, *record, bytes, barrier);
}

void mbarrier_invalidate(Warp& w, const Instr& i, int lane, uint32_t address) {
  live(w, i, lane, address, bytes_of(w, i, lane, address));
  std::erase_if(state_of(w, address).mbarriers, [=](const MbarrierRecord& r) { return r.address == address; });
  note_progress(w);
}

uint64_t mbarrier_arrive(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t count, Arrival kind) {
  std::byte* const bytes = bytes_of(w, i, lane, address);
  MbarrierRecord& record = live(w, i, lane, address, bytes);
  const uint64_t before = record.word;
  Mbarrier barrier = Mbarrier::decode(before);
  const bool is_drop = kind == Arrival::kDrop || kind == Arrival::kDropNoComplete;
  const bool must_stay = kind == Arrival::kNoComplete || kind == Arrival::kDropNoComplete;
  if (count == 0 || count > barrier.pending)
    fault(w, i, lane,
          name_of(address) + ": arrival of " + std::to_string(count) + " where " + std::to_string(barrier.pending) +
              " of " + std::to_string(barrier.expected) + " are awaited in phase " + std::to_string(record.completed));
  if (must_stay && count == barrier.pending)
    fault(w, i, lane,
          name_of(address) + ": .noComplete arrival would complete phase " + std::to_string(record.completed));
  barrier.pending -= count;
  if (is_drop) barrier.expected -= count;
  record.last_warp = &w;
  record.last_lane = lane;
  store(w, record, bytes, barrier);
  return before;
}

void mbarrier_expect_tx(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t bytes) {
  add_tx(w, i, lane, address, bytes);
}

void mbarrier_complete_tx(Warp& w, const Instr& i, int lane, uint32_t address, uint32_t bytes) {
  add_tx(w, i, lane, address, -static_cast<int64_t>(bytes));
}

void mbarrier_add_pending(Warp& w, const Instr& i, int lane, uint32_t address) {
  std::byte* const bytes = bytes_of(w, i, lane, address);
  MbarrierRecord& record = live(w, i, lane, address, bytes);
  Mbarrier barrier = Mbarrier::decode(record.word);
  if (barrier.pending == Mbarrier::kMaxCount) fault(w, i, lane, name_of(address) + ": pending count exceeds 2^20-1");
  ++barrier.pending;
  store(w, record, bytes, barrier);
}

uint64_t mbarrier_phases(Warp& w, const Instr& i, int lane, uint32_t address) {
  return live(w, i, lane, address, bytes_of(w, i, lane, address)).completed;
}

uint32_t mbarrier_parity(Warp& w, const Instr& i, int lane, uint32_t address) {
  return Mbarrier::decode(live(w, i, lane, address, bytes_of(w, i, lane, address)).word).parity;
}

uint32_t mbarrier_operand(Warp& w, const Instr& i, int lane, int k, uint32_t slot, Space space) {
  const uint64_t a = address(w, i, k, slot, lane);
  const bool is_shared_window = (a & Block::kWindowMask) == Block::kSharedWindow;
  if (space == Space::kGeneric && !is_shared_window)
    fault(w, i, lane, "generic address " + hex(a) + " of an mbarrier does not lie in shared memory");
  const auto shared = static_cast<uint32_t>(a);
  if (space == Space::kShared && shared >> Cluster::kRankShift != w.block->rank)
    resolve(w, i, lane, space, shared, 8, 8, Access::kAtomic);  // says what is wrong with it
  return shared;
}

std::string describe_async(const Block& block) {
  std::string text;
  if (!block.async) return text;
  for (const MbarrierRecord& record : block.async->mbarriers) {
    const Mbarrier b = Mbarrier::decode(record.word);
    if (b.pending == b.expected && b.tx == 0 && record.last_warp == nullptr) continue;
    text +=
        "\n  " + name_of(record.address) + ": phase " + std::to_string(record.completed) + " awaits " +
        std::to_string(b.pending) + " of " + std::to_string(b.expected) + " arrivals and " + std::to_string(b.tx) +
        " bytes; last arrival: " + (record.last_warp == nullptr ? "none" : who(*record.last_warp, record.last_lane));
  }
  describe_groups(block.async->groups[static_cast<size_t>(CopyGroup::kCpAsync)], "cp.async copies", text);
  describe_groups(block.async->groups[static_cast<size_t>(CopyGroup::kBulk)], "bulk copies", text);
  return text;
}

}  // namespace sim

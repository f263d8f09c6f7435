#include "checkers/init.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "machine/async.hpp"

namespace sim::checkers {
namespace {

constexpr uint64_t kScalar = 8;  // bytes

bool are_all_set(const uint8_t* p, uint64_t bytes) { return std::memchr(p, 0, bytes) == nullptr; }

// The same for each of the lanes at p + offset[lane].
template <class Word>
bool are_all_set(const uint8_t* p, const uint32_t* offset) {
  Word all = ~Word{0};
  for (int lane = 0; lane < kWarpSize; ++lane) {
    Word here;
    std::memcpy(&here, p + offset[lane], sizeof here);
    all &= here;
  }
  return all == static_cast<Word>(0x0101010101010101ull);
}

size_t local_bytes(const Block& block) { return static_cast<size_t>(block.grid->kernel->local_bytes) * kWarpSize; }

}  // namespace

void InitChecker::block_starts(Block& block) {
  last_block_ = nullptr;
  Written& w = blocks_[&block];
  w.shared.assign(block.shared_bytes, 0);
  w.local.assign(local_bytes(block) * block.warps.size(), 0);
}

void InitChecker::block_ends(Block& block) {
  last_block_ = nullptr;
  blocks_.erase(&block);
}

void InitChecker::touch(const Warp& w, const Instr& i, uint32_t lane, std::vector<uint8_t>& written, size_t at,
                        uint64_t bytes, bool reads, bool writes, const Block* home) {
  const auto first = written.begin() + static_cast<std::ptrdiff_t>(at),
             end = first + static_cast<std::ptrdiff_t>(bytes);
  if (reads && !are_all_set(&*first, bytes)) {
    const auto missing = std::count(first, end, 0);
    if (missing != 0 && (bytes <= kScalar || static_cast<uint64_t>(missing) == bytes) &&
        findings_.is_new("init", i.pc, 0)) {
      const uint64_t byte = static_cast<uint64_t>(std::find(first, end, 0) - written.begin());
      const std::string buffer = home != nullptr
                                     ? buffer_text(*w.block, home->shared + byte, true)
                                     : "local memory + " + std::to_string(byte % std::max(w.kernel->local_bytes, 1u));
      findings_.add(w, i.pc, 1u << lane, "init", buffer,
                    "reads " + std::to_string(missing) + " of " + std::to_string(bytes) +
                        " bytes that nothing has written: " + buffer);
    }
  }
  if (writes) std::fill(first, end, 1);
}

void InitChecker::touch_global(const Warp& w, const Instr& i, uint32_t lane, const std::byte* p, uint64_t bytes,
                               bool reads, bool writes) {
  Memory& memory = *w.block->grid->memory;
  const auto address = reinterpret_cast<uint64_t>(p);
  if (reads) {
    const uint64_t missing = memory.unwritten(address, bytes);
    if (missing != 0 && (bytes <= kScalar || missing == bytes) && findings_.is_new("init", i.pc, 0))
      findings_.add(w, i.pc, 1u << lane, "init", buffer_text(*w.block, p, false),
                    "reads " + std::to_string(missing) + " of " + std::to_string(bytes) +
                        " bytes that nothing has written: " + buffer_text(*w.block, p, false));
  }
  if (writes) memory.note_write(address, bytes);
}

void InitChecker::access(Warp& w, const Instr& i, const MemoryAccess& m, const Pointers& at) {
  const bool reads = m.access != Access::kWrite, writes = m.access != Access::kRead;
  const bool is_row = at.shape == Pointers::Shape::kRow;
  if (m.space == Space::kGlobal) {
    if (is_row) {  // all lanes at once, if nothing of them is to be told
      const auto row = reinterpret_cast<uint64_t>(at.base), bytes = uint64_t{kWarpSize} * m.bytes;
      Memory& memory = *w.block->grid->memory;
      if (!reads || memory.unwritten(row, bytes) == 0) {
        if (writes) memory.note_write(row, bytes);
        return;
      }
    }
    for (uint32_t left = w.mask; left != 0; left &= left - 1) {
      const int lane = std::countr_zero(left);
      touch_global(w, i, static_cast<uint32_t>(lane), at.of(lane, m.bytes), m.bytes, reads, writes);
    }
  }
  if (m.space != Space::kShared && m.space != Space::kLocal) return;
  const Block& home = m.home != nullptr ? *m.home : *w.block;
  Written& written = written_of(home);
  const bool is_shared = m.space == Space::kShared;
  std::vector<uint8_t>& bytes = is_shared ? written.shared : written.local;
  if (is_shared && is_row) {
    uint8_t* const row = bytes.data() + (at.base - home.shared);
    if (!reads || are_all_set(row, kWarpSize * m.bytes)) {
      if (writes) std::memset(row, 1, kWarpSize * m.bytes);
      return;
    }
  } else if (is_shared && !writes && at.shape == Pointers::Shape::kOffsets) {
    const uint8_t* const base = bytes.data() + (at.base - home.shared);
    if (m.bytes == 4 && are_all_set<uint32_t>(base, at.offset)) return;
    if (m.bytes == 8 && are_all_set<uint64_t>(base, at.offset)) return;
  }
  for (uint32_t left = w.mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const std::byte* const p = at.of(lane, m.bytes);
    const size_t offset = is_shared ? static_cast<size_t>(p - home.shared)
                                    : w.index * local_bytes(*w.block) + static_cast<size_t>(p - w.local);
    touch(w, i, static_cast<uint32_t>(lane), bytes, offset, m.bytes, reads, writes, is_shared ? &home : nullptr);
  }
}

void InitChecker::mbarrier(Warp& w, const Instr& i, int lane, uint32_t address, MbarrierUse use, uint32_t, uint64_t,
                           Order, Scope) {
  if (use == MbarrierUse::kInit)
    touch(w, i, static_cast<uint32_t>(lane), written_of(*w.block).shared, address - w.block->shared_base, 8, false,
          true, w.block);
}

// What a copy is to write counts as written from its issue on: reading it too early is the race checker's matter.
void InitChecker::async_issued(Warp& w, const Instr& i, int lane, AsyncOperation& o) {
  Memory& memory = *w.block->grid->memory;
  bool is_any_read = false, is_any_written = false;
  o.each_range([&](const AsyncRange& r) {
    if (!r.is_shared) {
      const auto address = reinterpret_cast<uint64_t>(r.begin);
      if (r.is_write) return memory.note_write(address, r.bytes);
      is_any_read = true;
      is_any_written |= memory.unwritten(address, r.bytes) != r.bytes;
      return;
    }
    const Block& home = *home_of(*w.block, r.begin);
    Written& written = written_of(home);
    const auto at = static_cast<size_t>(r.begin - home.shared);
    if (r.is_write) {
      touch(w, i, static_cast<uint32_t>(lane), written.shared, at, r.bytes, false, true, &home);
      return;
    }
    const auto first = written.shared.begin() + static_cast<std::ptrdiff_t>(at);
    is_any_read = true;
    is_any_written |= std::find(first, first + static_cast<std::ptrdiff_t>(r.bytes), 1) !=
                      first + static_cast<std::ptrdiff_t>(r.bytes);
  });
  if (is_any_read && !is_any_written && findings_.is_new("init", i.pc, 0))
    findings_.add(w, i.pc, 1u << lane, "init", "", "copies memory of which nothing was written");
}

}  // namespace sim::checkers

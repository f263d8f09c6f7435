// Warp-wide look-up of addresses: [min, max] of the warp is checked once, against the shared memory of a block or the
// allocations that the warp has used before. Lanes are looked at one by one only when that fails, to name the guilty
// one.
#include <algorithm>
#include <limits>

#include "machine/access.hpp"
#include "machine/block.hpp"

namespace sim {
namespace {

using Shape = Pointers::Shape;

// Shared addresses in 32-bit registers, all inside the block's memory and aligned: nearly every shared access. `bytes`
// is a multiple of `align`, so a row is aligned when its first address is.
inline bool gather_shared(Warp& w, const Instr& i, uint32_t slot, uint32_t bytes, uint32_t align, Pointers& out) {
  const uint32_t* base = u32(w, slot);
  const uint32_t begin = w.block->shared_base;
  const uint32_t shift = static_cast<uint32_t>(i.offset[0]) - begin, first = base[0] + shift;
  const uint32_t size = w.block->shared_bytes;
  uint32_t uneven = 0;
  for (int lane = 0; lane < kWarpSize; ++lane) uneven |= base[lane] ^ (base[0] + static_cast<uint32_t>(lane) * bytes);
  if (uneven == 0) {
    out.shape = Shape::kRow;
    out.base = w.block->shared + first;
    return first <= size && kWarpSize * bytes <= size - first && ((first + begin) & (align - 1)) == 0;
  }
  uint32_t high = 0, bits = 0;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const uint32_t v = base[lane] + shift;
    out.offset[lane] = v;
    high = v > high ? v : high;
    bits |= v;
  }
  out.shape = Shape::kOffsets;
  out.base = w.block->shared;
  return high <= size && bytes <= size - high && ((bits + begin) & (align - 1)) == 0;
}

// Addresses of all 32 lanes that lie in one allocation.
inline bool gather_global(Warp& w, const uint64_t* a, uint32_t bytes, uint32_t align, Pointers& out) {
  uint64_t low = ~0ull, high = 0, bits = 0, uneven = 0;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    low = a[lane] < low ? a[lane] : low;
    high = a[lane] > high ? a[lane] : high;
    bits |= a[lane];
    uneven |= a[lane] ^ (a[0] + static_cast<uint64_t>(lane) * bytes);
  }
  if (high > ~Block::kWindowMask || (bits & (align - 1)) != 0 || !is_one_range(w, low, high + bytes)) return false;
  if (uneven == 0) {
    out.shape = Shape::kRow;
    out.base = reinterpret_cast<std::byte*>(a[0]);
  } else if (high - low <= std::numeric_limits<int32_t>::max()) {
    out.shape = Shape::kOffsets;
    out.base = reinterpret_cast<std::byte*>(low);
    for (int lane = 0; lane < kWarpSize; ++lane) out.offset[lane] = static_cast<uint32_t>(a[lane] - low);
  } else {
    out.shape = Shape::kPointers;
    for (int lane = 0; lane < kWarpSize; ++lane) out.lane[lane] = reinterpret_cast<std::byte*>(a[lane]);
  }
  return true;
}

// Addresses of all 32 lanes that lie in an area of `size` bytes which begins at address `begin` and host pointer
// `host`: shared memory named by 64-bit or generic addresses.
inline bool gather_area(const uint64_t* a, uint64_t begin, uint64_t size, std::byte* host, uint32_t bytes,
                        uint32_t align, Pointers& out) {
  uint64_t high = 0, bits = 0, uneven = 0;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const uint64_t v = a[lane] - begin;
    out.offset[lane] = static_cast<uint32_t>(v);
    high = v > high ? v : high;
    bits |= a[lane];
    uneven |= a[lane] ^ (a[0] + static_cast<uint64_t>(lane) * bytes);
  }
  out.shape = uneven == 0 ? Shape::kRow : Shape::kOffsets;
  out.base = host + (uneven == 0 ? a[0] - begin : 0);
  return high <= size && bytes <= size - high && (bits & (align - 1)) == 0;
}

// Parameters and constants are mostly read at one address by all lanes.
inline bool gather_uniform(Warp& w, const Instr& i, Space space, const uint64_t* a, uint32_t bytes, uint32_t align,
                           Access access, Pointers& out) {
  uint64_t uneven = 0;
  for (int lane = 0; lane < kWarpSize; ++lane) uneven |= a[lane] ^ a[0];
  if (uneven != 0) return false;
  out.shape = Shape::kOffsets;
  out.base = resolve(w, i, 0, space, a[0], bytes, align, access);
  std::fill(std::begin(out.offset), std::end(out.offset), 0u);
  return true;
}

}  // namespace

void gather(Warp& w, const Instr& i, uint32_t slot, Space space, uint32_t bytes, uint32_t align, Access access,
            Pointers& out) {
  const bool is_wide = (i.wide_base & 1) != 0, is_full = w.mask == 0xffffffffu;
  const bool is_shared = space == Space::kShared || space == Space::kSharedCluster;
  if (is_shared && is_full && !is_wide && gather_shared(w, i, slot, bytes, align, out)) return;
  alignas(32) uint64_t a[kWarpSize];
  const uint64_t shift = static_cast<uint64_t>(static_cast<int64_t>(i.offset[0]));
  if (is_wide) {
    const uint64_t* base = u64(w, slot);
    for (int lane = 0; lane < kWarpSize; ++lane) a[lane] = base[lane] + shift;
  } else {
    const uint32_t* base = u32(w, slot);
    for (int lane = 0; lane < kWarpSize; ++lane) a[lane] = static_cast<uint32_t>(base[lane] + shift);
  }
  if (is_full) {
    Block& block = *w.block;
    const bool is_generic_shared = space == Space::kGeneric && (a[0] & Block::kWindowMask) == Block::kSharedWindow;
    if (is_shared || is_generic_shared) {
      const uint64_t window = is_generic_shared ? Block::kSharedWindow : 0;
      const Block* home = &block;
      if (space != Space::kShared && block.cluster->size > 1) home = home_of(block, a[0] - window);
      if (home != nullptr && !home->has_ended &&
          gather_area(a, home->shared_base + window, home->shared_bytes, home->shared, bytes, align, out))
        return;
    } else if (space == Space::kGlobal || space == Space::kGeneric) {
      if (gather_global(w, a, bytes, align, out)) return;
    } else if (space != Space::kLocal) {
      if (gather_uniform(w, i, space, a, bytes, align, access, out)) return;
    }
  }
  out.shape = Shape::kPointers;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    out.lane[lane] = resolve(w, i, lane, space, a[lane], bytes, align, access);
  }
}

}  // namespace sim

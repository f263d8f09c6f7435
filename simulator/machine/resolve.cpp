// From PTX addresses to checked host pointers. The fast path looks at [min, max] of the warp once and at the allocations
// that the warp has used before; lanes are looked at one by one only when that fails, to name the guilty one.
#include <algorithm>
#include <cstdio>

#include "machine/access.hpp"
#include "machine/fault.hpp"

namespace sim {
namespace {

using Status = LaunchResult::Status;

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

const char* name_of(Access access) {
  return access == Access::kRead ? "read" : access == Access::kWrite ? "write" : "atomic";
}

// Remembers the allocation that holds [address, address + bytes); false: there is none.
bool look_up(Warp& w, uint64_t address, uint64_t bytes) {
  const auto found = w.block->grid->memory->find(address, bytes);
  if (!found) return false;
  w.cached[w.next_cached] = {found->address, found->address + found->bytes};
  w.next_cached = (w.next_cached + 1) % kCachedRanges;
  return true;
}

inline bool is_cached(const Warp& w, uint64_t first, uint64_t end) {
  for (const CachedRange& r : w.cached)
    if (first >= r.begin && end <= r.end) return true;
  return false;
}

[[noreturn]] void misaligned(Warp& w, const Instr& i, int lane, uint64_t address, uint32_t align) {
  fault(w, i, lane, "address " + hex(address) + " is not aligned to " + std::to_string(align) + " bytes",
        Status::kMisalignedAddress);
}

[[noreturn]] void outside(Warp& w, const Instr& i, int lane, const std::string& what) {
  fault(w, i, lane, what, Status::kIllegalAddress);
}

// "8 bytes past the end of shared memory (49152 bytes)" for an offset into an area of `size` bytes.
std::string area_text(const char* area, int64_t offset, uint64_t bytes, uint64_t size) {
  const std::string tail = std::string(area) + " (" + std::to_string(size) + " bytes)";
  if (offset < 0) return std::to_string(-offset) + " bytes before " + tail;
  return std::to_string(static_cast<uint64_t>(offset) + bytes - size) + " bytes past " + tail;
}

std::byte* resolve_shared(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes) {
  const Block& block = *w.block;
  const int64_t offset = static_cast<int64_t>(address) - Block::kSharedBase;
  if (offset >= 0 && static_cast<uint64_t>(offset) + bytes <= block.shared_bytes) return block.shared + offset;
  if (address >= 1ull << 32) outside(w, i, lane, "address " + hex(address) + " is not a shared memory address");
  outside(w, i, lane, area_text("shared memory", offset, bytes, block.shared_bytes));
}

std::byte* resolve_local(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes) {
  const uint64_t size = w.kernel->local_bytes;
  if (lane < 0) fault(w, i, lane, "an asynchronous copy names local memory");
  if (address <= size && bytes <= size - address)
    return w.local + static_cast<uint64_t>(lane) * size + address;
  outside(w, i, lane, area_text("local memory", static_cast<int64_t>(address), bytes, size));
}

std::byte* resolve_param(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes, Access access) {
  const uint64_t size = w.kernel->param_bytes;
  if (access != Access::kRead) outside(w, i, lane, "kernel parameters are read-only");
  if (address <= size && bytes <= size - address) return const_cast<std::byte*>(w.block->grid->params) + address;
  outside(w, i, lane, area_text("the kernel parameters", static_cast<int64_t>(address), bytes, size));
}

std::byte* resolve_global(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes, Access access) {
  if (is_cached(w, address, address + bytes) || look_up(w, address, bytes)) return reinterpret_cast<std::byte*>(address);
  for (const GlobalVariable& v : w.kernel->module->globals) {
    if (address < v.address || address - v.address >= v.bytes) continue;
    if (v.is_const && access != Access::kRead) outside(w, i, lane, "constant variable " + v.name + " is read-only");
    if (bytes <= v.bytes - (address - v.address)) return reinterpret_cast<std::byte*>(address);
    outside(w, i, lane,
            std::to_string(bytes - (v.bytes - (address - v.address))) + " bytes past variable " + v.name + " (" +
                std::to_string(v.bytes) + " bytes)");
  }
  outside(w, i, lane, std::string(name_of(access)) + " of " + std::to_string(bytes) + " bytes, " +
                          w.block->grid->memory->describe(address, bytes));
}

std::byte* resolve_any(Warp& w, const Instr& i, int lane, Space space, uint64_t address, uint64_t bytes, uint32_t align,
                       Access access) {
  if ((address & (align - 1)) != 0) misaligned(w, i, lane, address, align);
  switch (space) {
    case Space::kShared: return resolve_shared(w, i, lane, address, bytes);
    case Space::kLocal: return resolve_local(w, i, lane, address, bytes);
    case Space::kParam:
      // A taken parameter address (mov + cvta.param) is generic; ld.param has plain offsets.
      return resolve_param(w, i, lane, address & ~Block::kWindowMask, bytes, access);
    case Space::kGlobal:
    case Space::kConst: break;
    case Space::kGeneric:
      switch (address & Block::kWindowMask) {
        case Block::kSharedWindow: return resolve_shared(w, i, lane, address & ~Block::kWindowMask, bytes);
        case Block::kLocalWindow: return resolve_local(w, i, lane, address & ~Block::kWindowMask, bytes);
        case Block::kParamWindow: return resolve_param(w, i, lane, address & ~Block::kWindowMask, bytes, access);
        default: break;
      }
  }
  return resolve_global(w, i, lane, address, bytes, access);
}

void resolve_each(Warp& w, const Instr& i, const uint64_t* addresses, Space space, uint32_t bytes, uint32_t align,
                  Access access, Pointers& out) {
  out.is_row = false;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    out.lane[lane] = resolve_any(w, i, lane, space, addresses[lane], bytes, align, access);
  }
}

struct Extent {
  uint64_t low, high, bits;  // least, greatest, or of all
};

Extent extent(const uint64_t* a, uint32_t mask) {
  Extent e{~0ull, 0, 0};
  if (mask == 0xffffffffu) {
    for (int lane = 0; lane < kWarpSize; ++lane) {
      e.low = a[lane] < e.low ? a[lane] : e.low;
      e.high = a[lane] > e.high ? a[lane] : e.high;
      e.bits |= a[lane];
    }
  } else {
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const uint64_t v = a[std::countr_zero(m)];
      e.low = std::min(e.low, v);
      e.high = std::max(e.high, v);
      e.bits |= v;
    }
  }
  return e;
}

// All 32-bit shared addresses inside the block's memory and aligned: the path of nearly every shared access.
bool gather_shared32(Warp& w, const Instr& i, uint32_t slot, uint32_t bytes, uint32_t align, Pointers& out) {
  const uint32_t* base = u32(w, slot);
  const uint32_t shift = static_cast<uint32_t>(i.offset[0]) - Block::kSharedBase;
  uint32_t offset[kWarpSize];
  uint32_t high = 0, bits = 0, uneven = 0;
  const uint32_t first = base[0] + shift;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    const uint32_t v = base[lane] + shift;
    offset[lane] = v;
    high = v > high ? v : high;
    bits |= v;
    uneven |= v ^ (first + static_cast<uint32_t>(lane) * bytes);
  }
  const uint32_t size = w.block->shared_bytes;
  if (high > size || bytes > size - high || ((bits + Block::kSharedBase) & (align - 1)) != 0) return false;
  std::byte* const shared = w.block->shared;
  out.is_row = uneven == 0;
  if (out.is_row) {
    out.lane[0] = shared + first;
    return true;
  }
  for (int lane = 0; lane < kWarpSize; ++lane) out.lane[lane] = shared + offset[lane];
  return true;
}

}  // namespace

void gather(Warp& w, const Instr& i, uint32_t slot, Space space, uint32_t bytes, uint32_t align, Access access,
            Pointers& out) {
  const bool is_wide = (i.wide_base & 1) != 0;
  const bool is_full = w.mask == 0xffffffffu;
  if (space == Space::kShared && !is_wide && is_full && gather_shared32(w, i, slot, bytes, align, out)) return;
  alignas(64) uint64_t a[kWarpSize];
  const uint64_t shift = static_cast<uint64_t>(static_cast<int64_t>(i.offset[0]));
  if (is_wide) {
    const uint64_t* base = u64(w, slot);
    for (int lane = 0; lane < kWarpSize; ++lane) a[lane] = base[lane] + shift;
  } else {
    const uint32_t* base = u32(w, slot);
    for (int lane = 0; lane < kWarpSize; ++lane) a[lane] = static_cast<uint32_t>(base[lane] + shift);
  }
  if (space == Space::kGlobal || space == Space::kGeneric) {
    const Extent e = extent(a, w.mask);
    if (e.high <= ~Block::kWindowMask && (e.bits & (align - 1)) == 0 &&
        (is_cached(w, e.low, e.high + bytes) || look_up(w, e.low, e.high + bytes - e.low))) {
      uint64_t uneven = is_full ? 0 : 1;
      for (int lane = 0; lane < kWarpSize; ++lane) uneven |= a[lane] ^ (a[0] + static_cast<uint64_t>(lane) * bytes);
      out.is_row = uneven == 0;
      for (int lane = 0; lane < kWarpSize; ++lane) out.lane[lane] = reinterpret_cast<std::byte*>(a[lane]);
      return;
    }
  }
  resolve_each(w, i, a, space, bytes, align, access, out);
}

std::byte* resolve(Warp& w, const Instr& i, int lane, Space space, uint64_t address, uint32_t bytes, uint32_t align,
                   Access access) {
  return resolve_any(w, i, lane, space, address, bytes, align, access);
}

std::byte* resolve_async(Warp& w, const Instr& i, Space space, uint64_t address, uint64_t bytes, uint32_t align,
                         Access access) {
  return resolve_any(w, i, -1, space, address, bytes, align, access);
}

}  // namespace sim

// From one PTX address to a checked host pointer, or to the report that says what is wrong with it.
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

// Shared memory of another block. An H100 answers as this does, but lets writes to a block that has ended pass.
std::byte* resolve_remote(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes, bool is_cluster) {
  Block& own = *w.block;
  const std::string rank = std::to_string(address >> Cluster::kRankShift);
  if (!own.grid->has_clusters)
    fault(w, i, lane,
          "address " + hex(address) + " is of rank " + rank + " of a cluster, and the launch has no clusters");
  const Block* const home = home_of(own, address);
  if (home == nullptr)
    fault(w, i, lane,
          "address " + hex(address) + " is of rank " + rank + ", the cluster has " + std::to_string(own.cluster->size) +
              " blocks",
          Status::kAbsentBlock);
  if (!is_cluster)
    fault(w, i, lane,
          "address " + hex(address) + " is of the shared memory of block " + to_string(home->id) +
              "; without .shared::cluster the instruction reaches that of its own block alone");
  if (home->has_ended)
    fault(w, i, lane,
          "shared memory of block " + to_string(home->id) +
              ", which has ended; a barrier of the cluster "
              "behind the last use keeps it",
          Status::kAbsentBlock);
  const int64_t offset = static_cast<int64_t>(address) - home->shared_base;
  if (offset >= 0 && static_cast<uint64_t>(offset) + bytes <= home->shared_bytes) return home->shared + offset;
  const std::string area = "shared memory of block " + to_string(home->id);
  outside(w, i, lane, area_text(area.c_str(), offset, bytes, home->shared_bytes));
}

std::byte* resolve_shared(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes, bool is_cluster) {
  const Block& block = *w.block;
  const int64_t offset = static_cast<int64_t>(address) - block.shared_base;
  if (offset >= 0 && static_cast<uint64_t>(offset) + bytes <= block.shared_bytes) return block.shared + offset;
  if (address >= 1ull << 32) outside(w, i, lane, "address " + hex(address) + " is not a shared memory address");
  if (address >> Cluster::kRankShift != block.rank) return resolve_remote(w, i, lane, address, bytes, is_cluster);
  outside(w, i, lane, area_text("shared memory", offset, bytes, block.shared_bytes));
}

std::byte* resolve_local(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes) {
  const uint64_t size = w.kernel->local_bytes;
  if (lane < 0) fault(w, i, lane, "an asynchronous copy names local memory");
  if (address <= size && bytes <= size - address) return w.local + static_cast<uint64_t>(lane) * size + address;
  outside(w, i, lane, area_text("local memory", static_cast<int64_t>(address), bytes, size));
}

std::byte* resolve_param(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes, Access access) {
  const uint64_t size = w.kernel->param_bytes;
  if (access != Access::kRead) outside(w, i, lane, "kernel parameters are read-only");
  if (address <= size && bytes <= size - address) return const_cast<std::byte*>(w.block->grid->params) + address;
  outside(w, i, lane, area_text("the kernel parameters", static_cast<int64_t>(address), bytes, size));
}

std::byte* resolve_global(Warp& w, const Instr& i, int lane, uint64_t address, uint64_t bytes, Access access) {
  if (is_cached(w, address, address + bytes) || look_up(w, address, bytes))
    return reinterpret_cast<std::byte*>(address);
  for (const GlobalVariable& v : w.kernel->module->globals) {
    if (address < v.address || address - v.address >= v.bytes) continue;
    if (v.is_const && access != Access::kRead) outside(w, i, lane, "constant variable " + v.name + " is read-only");
    if (bytes <= v.bytes - (address - v.address)) return reinterpret_cast<std::byte*>(address);
    outside(w, i, lane,
            std::to_string(bytes - (v.bytes - (address - v.address))) + " bytes past variable " + v.name + " (" +
                std::to_string(v.bytes) + " bytes)");
  }
  outside(w, i, lane,
          std::string(name_of(access)) + " of " + std::to_string(bytes) + " bytes, " +
              w.block->grid->memory->describe(address, bytes));
}

std::byte* resolve_any(Warp& w, const Instr& i, int lane, Space space, uint64_t address, uint64_t bytes, uint32_t align,
                       Access access) {
  if ((address & (align - 1)) != 0) misaligned(w, i, lane, address, align);
  switch (space) {
    case Space::kShared:
    case Space::kSharedCluster:
      return resolve_shared(w, i, lane, address, bytes, space == Space::kSharedCluster);
    case Space::kLocal:
      return resolve_local(w, i, lane, address, bytes);
    case Space::kParam:
      // A taken parameter address (mov + cvta.param) is generic; ld.param has plain offsets.
      return resolve_param(w, i, lane, address & ~Block::kWindowMask, bytes, access);
    case Space::kGlobal:
    case Space::kConst:
      break;
    case Space::kGeneric:
      switch (address & Block::kWindowMask) {
        case Block::kSharedWindow:
          return resolve_shared(w, i, lane, address & ~Block::kWindowMask, bytes, true);
        case Block::kLocalWindow:
          return resolve_local(w, i, lane, address & ~Block::kWindowMask, bytes);
        case Block::kParamWindow:
          return resolve_param(w, i, lane, address & ~Block::kWindowMask, bytes, access);
        default:
          break;
      }
  }
  return resolve_global(w, i, lane, address, bytes, access);
}

}  // namespace

bool is_one_range(Warp& w, uint64_t first, uint64_t end) {
  return is_cached(w, first, end) || look_up(w, first, end - first);
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

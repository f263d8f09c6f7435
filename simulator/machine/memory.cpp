// Device memory: allocations in, checked look-ups and descriptions for reports out.
// One address range is reserved at start and committed as it fills; every allocation is 256-byte aligned and followed
// by a red zone of 512 bytes, and freed blocks wait in quarantine, so that a stray address meets no neighbour. Host
// memory can be registered beside it. All ranges lie in one map, ordered by address.
#include <sys/mman.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <shared_mutex>

#include "machine/launch.hpp"
#include "machine/write_map.hpp"

namespace sim {
namespace {

constexpr uint64_t kAlignment = 256, kRedZone = 512;
constexpr uint64_t kCommitStep = 4ull << 20;        // how much of the reservation becomes accessible at a time
constexpr uint64_t kQuarantineBytes = 64ull << 20;  // freed bytes that are not handed out again
constexpr size_t kQuarantineBlocks = 256;
constexpr uint64_t kNearby = 1ull << 20;  // reports name the nearest buffer up to this distance

uint64_t round_up(uint64_t value, uint64_t step) { return (value + step - 1) / step * step; }

std::string hex(uint64_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  do text.insert(text.begin(), kDigits[value & 15]);
  while ((value >>= 4) != 0);
  return "0x" + text;
}

// "w2_scale (cuMemAlloc #12, 4096 bytes)"
std::string title(const Allocation& a) {
  const std::string serial = (a.is_owned ? "cuMemAlloc #" : "host memory #") + std::to_string(a.serial);
  const std::string bytes = std::to_string(a.bytes) + " bytes)";
  return a.name.empty() ? serial + " (" + bytes : a.name + " (" + serial + ", " + bytes;
}

}  // namespace

struct Memory::Impl {
  mutable std::shared_mutex mutex;
  std::map<uint64_t, Allocation> live, freed;  // by address; `freed` is the quarantine
  std::deque<uint64_t> quarantine;             // addresses in `freed`, oldest first
  std::multimap<uint64_t, uint64_t> holes;     // size -> address of space that can be handed out again
  uint64_t base = 0, reserved = 0, committed = 0, top = 0;
  uint64_t quarantined_bytes = 0, bytes_in_use = 0, next_serial = 1;
  std::atomic<uint64_t> version{1};
  WriteMap written;
  bool tracks_writes = false;

  static uint64_t footprint(uint64_t bytes) { return round_up(std::max<uint64_t>(bytes, 1), kAlignment) + kRedZone; }

  // Space for one block with its red zone, 0 when the reservation is full.
  uint64_t place(uint64_t size) {
    if (const auto hole = holes.lower_bound(size); hole != holes.end()) {
      const auto [bytes, address] = *hole;
      holes.erase(hole);
      if (bytes > size) holes.emplace(bytes - size, address + size);
      return address;
    }
    if (size > base + reserved - top) return 0;
    const uint64_t address = top, end = address + size;
    if (end > base + committed) {
      const uint64_t grow = std::min(round_up(end - base, kCommitStep), reserved) - committed;
      if (mprotect(reinterpret_cast<void*>(base + committed), grow, PROT_READ | PROT_WRITE) != 0) return 0;
      committed += grow;
    }
    top = end;
    return address;
  }

  void add_hole(uint64_t address, uint64_t size) {
    for (auto it = holes.begin(); it != holes.end();) {
      if (it->second + it->first == address || address + size == it->second) {
        address = std::min(address, it->second);
        size += it->first;
        it = holes.erase(it);
      } else {
        ++it;
      }
    }
    holes.emplace(size, address);
  }

  // Space for a block of `bytes`, out of quarantine if need be; 0 when there is none.
  uint64_t find_place(uint64_t bytes) {
    if (bytes == 0 || bytes > reserved) return 0;
    uint64_t address = place(footprint(bytes));
    while (address == 0 && !quarantine.empty()) {
      leave_quarantine();
      address = place(footprint(bytes));
    }
    return address;
  }

  void enliven(Allocation allocation) {
    if (tracks_writes) written.add(allocation.address, allocation.bytes);
    bytes_in_use += allocation.bytes;
    live[allocation.address] = std::move(allocation);
    ++version;
  }

  void enter_quarantine(Allocation& dead) {
    dead.is_held = false;
    quarantine.push_back(dead.address);
    quarantined_bytes += footprint(dead.bytes);
    while (quarantine.size() > kQuarantineBlocks || (quarantined_bytes > kQuarantineBytes && quarantine.size() > 1))
      leave_quarantine();
  }

  void leave_quarantine() {
    const auto it = freed.find(quarantine.front());
    quarantine.pop_front();
    const uint64_t size = footprint(it->second.bytes);
    quarantined_bytes -= size;
    add_hole(it->first, size);
    freed.erase(it);
  }

  static const Allocation* containing(const std::map<uint64_t, Allocation>& map, uint64_t address) {
    auto it = map.upper_bound(address);
    if (it == map.begin()) return nullptr;
    const Allocation& a = (--it)->second;
    return address - a.address < std::max<uint64_t>(a.bytes, 1) ? &a : nullptr;
  }
};

Memory::Memory() : impl_(std::make_unique<Impl>()) {
  for (uint64_t bytes = 1ull << 40; bytes >= 1ull << 30; bytes /= 2) {  // less where the process has a limit
    void* p = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) continue;
    impl_->base = reinterpret_cast<uint64_t>(p);
    impl_->reserved = bytes;
    break;
  }
  impl_->top = impl_->base + kRedZone;
}

Memory::~Memory() {
  if (impl_->reserved != 0) munmap(reinterpret_cast<void*>(impl_->base), impl_->reserved);
}

uint64_t Memory::allocate(uint64_t bytes, std::string name) {
  std::unique_lock lock(impl_->mutex);
  const uint64_t address = impl_->find_place(bytes);
  if (address != 0) impl_->enliven({address, bytes, impl_->next_serial++, std::move(name), true});
  return address;
}

uint64_t Memory::hold(uint64_t bytes, std::string name) {
  std::unique_lock lock(impl_->mutex);
  const uint64_t address = impl_->find_place(bytes);
  if (address != 0) impl_->freed[address] = {address, bytes, impl_->next_serial++, std::move(name), true, true};
  return address;
}

bool Memory::occupy(uint64_t address) {
  std::unique_lock lock(impl_->mutex);
  auto held = impl_->freed.extract(address);
  if (held.empty()) return false;
  impl_->enliven(std::move(held.mapped()));
  return true;
}

void Memory::let_go(uint64_t address) {
  std::unique_lock lock(impl_->mutex);
  if (const auto live = impl_->live.find(address); live != impl_->live.end())
    live->second.is_held = false;
  else if (const auto freed = impl_->freed.find(address); freed != impl_->freed.end())
    impl_->enter_quarantine(freed->second);
}

bool Memory::free(uint64_t address) {
  std::unique_lock lock(impl_->mutex);
  const auto it = impl_->live.find(address);
  if (it == impl_->live.end() || !it->second.is_owned) return false;
  impl_->bytes_in_use -= it->second.bytes;
  // Whole pages go back to the system; what a dangling pointer then reads is zero.
  const uint64_t first = round_up(address, 4096), last = (address + it->second.bytes) / 4096 * 4096;
  if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  Allocation& dead = impl_->freed[address] = std::move(it->second);
  impl_->live.erase(it);
  impl_->written.remove(address);
  if (!dead.is_held) impl_->enter_quarantine(dead);
  ++impl_->version;
  return true;
}

bool Memory::register_host(uint64_t address, uint64_t bytes, std::string name) {
  std::unique_lock lock(impl_->mutex);
  if (address == 0 || bytes == 0 || address + bytes < address) return false;
  const auto next = impl_->live.lower_bound(address);
  if (next != impl_->live.end() && next->first < address + bytes) return false;
  if (Impl::containing(impl_->live, address) != nullptr) return false;
  impl_->live[address] = {address, bytes, impl_->next_serial++, std::move(name), false};
  ++impl_->version;
  return true;
}

bool Memory::unregister_host(uint64_t address) {
  std::unique_lock lock(impl_->mutex);
  const auto it = impl_->live.find(address);
  if (it == impl_->live.end() || it->second.is_owned) return false;
  impl_->live.erase(it);
  ++impl_->version;
  return true;
}

std::optional<Allocation> Memory::find(uint64_t address, uint64_t bytes) const {
  std::shared_lock lock(impl_->mutex);
  const Allocation* a = Impl::containing(impl_->live, address);
  if (a == nullptr || bytes > a->bytes - (address - a->address)) return std::nullopt;
  return *a;
}

std::string Memory::describe(uint64_t address, uint64_t bytes) const {
  std::shared_lock lock(impl_->mutex);
  if (address < 65536) return "null pointer + " + std::to_string(address);
  if (const Allocation* a = Impl::containing(impl_->live, address)) {
    const uint64_t offset = address - a->address;
    if (bytes <= a->bytes - offset) return "byte " + std::to_string(offset) + " of " + title(*a);
    return std::to_string(bytes - (a->bytes - offset)) + " bytes past " + title(*a);
  }
  if (const Allocation* a = Impl::containing(impl_->freed, address)) return "inside freed " + title(*a);
  // The nearest live buffer on either side; the one before wins a draw, for a loop that runs too far is the usual
  // error.
  const auto after = impl_->live.upper_bound(address);
  uint64_t best = kNearby;
  std::string text;
  if (after != impl_->live.begin()) {
    const Allocation& a = std::prev(after)->second;
    const uint64_t distance = address - (a.address + a.bytes);
    if (distance < best) {
      best = distance;
      text = std::to_string(distance + bytes) + " bytes past " + title(a);
    }
  }
  if (after != impl_->live.end() && after->first - address < best)
    text = std::to_string(after->first - address) + " bytes before " + title(after->second);
  return text.empty() ? "address " + hex(address) + " is in no allocation" : text;
}

uint64_t Memory::bytes_in_use() const {
  std::shared_lock lock(impl_->mutex);
  return impl_->bytes_in_use;
}

void Memory::track_writes(bool is_on) {
  impl_->tracks_writes = is_on;
  if (!is_on) impl_->written.clear();
}

void Memory::note_write(uint64_t address, uint64_t bytes) {
  if (impl_->tracks_writes) impl_->written.write(address, bytes);
}

uint64_t Memory::unwritten(uint64_t address, uint64_t bytes) const {
  return impl_->tracks_writes ? impl_->written.unwritten(address, bytes) : 0;
}

uint64_t Memory::version() const { return impl_->version.load(std::memory_order_relaxed); }

}  // namespace sim

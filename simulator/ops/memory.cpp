// Loads and stores of registers: ld, ldu, st in all spaces. PTX ISA 9.7.9.8 to 9.7.9.12.
// Cache operators, eviction priorities, prefetch sizes and cache policies are hints: accepted, without effect on
// values. A loop around a strong load counts as a poll.
#include "ops/memory.hpp"

#include <atomic>

#include "ops/lanes.hpp"
#include "ops/observe.hpp"

namespace sim {
namespace {

struct Bytes16 {
  uint64_t low, high;
};

// How a memory type lies in a lane.
template <class T>
struct Cell {
  using Lane = Storage<T>;
  static Lane widen(T v) {
    if constexpr (sizeof(T) < 4)
      return static_cast<uint32_t>(static_cast<int32_t>(v));
    else
      return v;
  }
  static T narrow(Lane v) { return static_cast<T>(v); }
};
template <>
struct Cell<Bytes16> {
  using Lane = Bytes16;
  static Lane widen(Bytes16 v) { return v; }
  static Bytes16 narrow(Lane v) { return v; }
};

constexpr int64_t kSpaceMask = 0xff, kStrong = 0x100;

// Calls f(lane, pointer) for the executing lanes, with a loop for each shape of the addresses.
template <uint32_t kBytes, class F>
inline void each_pointer(const Warp& w, const Pointers& at, F&& f) {
  if (at.shape == Pointers::Shape::kRow) {
    for (int l = 0; l < kWarpSize; ++l) f(l, at.base + static_cast<uint32_t>(l) * kBytes);
  } else if (at.shape == Pointers::Shape::kOffsets) {
    for (int l = 0; l < kWarpSize; ++l) f(l, at.base + at.offset[l]);
  } else {
    for (uint32_t m = w.mask; m != 0; m &= m - 1) f(std::countr_zero(m), at.lane[std::countr_zero(m)]);
  }
}

// Strong accesses meet those of blocks that other host threads run: each element is read or written in one piece, and
// what a thread wrote before it wrote this one is there for who reads it. Elements of 16 bytes are copied: C++ has no
// lock-free access of that size.
template <class T>
T load_strong(const std::byte* p) {
  if constexpr (sizeof(T) <= 8) {
    return std::atomic_ref<T>(*reinterpret_cast<T*>(const_cast<std::byte*>(p))).load(std::memory_order_acquire);
  } else {
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }
}
template <class T>
void store_strong(std::byte* p, T value) {
  if constexpr (sizeof(T) <= 8)
    std::atomic_ref<T>(*reinterpret_cast<T*>(p)).store(value, std::memory_order_release);
  else
    std::memcpy(p, &value, sizeof value);
}

template <class T, int N>
void load(Warp& w, const Instr& i) {
  using Lane = typename Cell<T>::Lane;
  constexpr uint32_t kBytes = sizeof(T) * N;
  Pointers at;
  const Space space = static_cast<Space>(i.imm & kSpaceMask);
  gather(w, i, i.ops[N], space, kBytes, kBytes, Access::kRead, at);
  observe(w, i, space, Access::kRead, kBytes, at);
  Lane* d[N];
  for (int n = 0; n < N; ++n) d[n] = lanes<Lane>(w, i.ops[n]);
  if ((i.imm & kStrong) != 0) {
    note_poll(w, i);
    return each_pointer<kBytes>(w, at, [&](int l, const std::byte* p) {
      for (int n = 0; n < N; ++n) d[n][l] = Cell<T>::widen(load_strong<T>(p + static_cast<size_t>(n) * sizeof(T)));
    });
  }
  if (N == 1 && sizeof(T) == sizeof(Lane) && at.shape == Pointers::Shape::kRow) {
    std::memcpy(d[0], at.base, sizeof(T) * kWarpSize);
    return;
  }
  each_pointer<kBytes>(w, at, [&](int l, const std::byte* p) {
    T v[N];
    std::memcpy(v, p, kBytes);
    for (int n = 0; n < N; ++n) d[n][l] = Cell<T>::widen(v[n]);
  });
}

// Where lanes write one place, the highest lane wins.
template <class T, int N>
void store(Warp& w, const Instr& i) {
  using Lane = typename Cell<T>::Lane;
  constexpr uint32_t kBytes = sizeof(T) * N;
  const Space space = static_cast<Space>(i.imm & kSpaceMask);
  Pointers at;
  gather(w, i, i.ops[0], space, kBytes, kBytes, Access::kWrite, at);
  observe(w, i, space, Access::kWrite, kBytes, at);
  if (space != Space::kLocal) note_progress(w);
  const Lane* s[N];
  for (int n = 0; n < N; ++n) s[n] = lanes<Lane>(w, i.ops[n + 1]);
  if ((i.imm & kStrong) != 0) {
    return each_pointer<kBytes>(w, at, [&](int l, std::byte* p) {
      for (int n = 0; n < N; ++n) store_strong(p + static_cast<size_t>(n) * sizeof(T), Cell<T>::narrow(s[n][l]));
    });
  }
  if (N == 1 && sizeof(T) == sizeof(Lane) && at.shape == Pointers::Shape::kRow) {
    std::memcpy(at.base, s[0], sizeof(T) * kWarpSize);
    return;
  }
  each_pointer<kBytes>(w, at, [&](int l, std::byte* p) {
    T v[N];
    for (int n = 0; n < N; ++n) v[n] = Cell<T>::narrow(s[n][l]);
    std::memcpy(p, v, kBytes);
  });
}

void describe_access(const ptx::Statement& s, Instr& i) {
  const bool is_strong = s.has("volatile") || s.has("relaxed") || s.has("acquire") || s.has("release");
  i.imm = static_cast<int64_t>(space_of(s)) | (is_strong ? kStrong : 0) | order_bits(s, Order::kWeak);
}

template <int N>
Handler bind_load(const ptx::Statement& s, Instr& i) {
  describe_access(s, i);
  const std::string_view type = s.tokens.back();
  if (type == "s8") return load<int8_t, N>;
  if (type == "s16") return load<int16_t, N>;
  if (type.ends_with("128")) {
    if constexpr (N <= 2) return load<Bytes16, N>;
    return nullptr;
  }
  if (type.ends_with("64")) return load<uint64_t, N>;
  if (type.ends_with("32")) return load<uint32_t, N>;
  return type.ends_with("16") ? load<uint16_t, N> : load<uint8_t, N>;
}
template <int N>
Handler bind_store(const ptx::Statement& s, Instr& i) {
  describe_access(s, i);
  const std::string_view type = s.tokens.back();
  if (type.ends_with("128")) {
    if constexpr (N <= 2) return store<Bytes16, N>;
    return nullptr;
  }
  if (type.ends_with("64")) return store<uint64_t, N>;
  if (type.ends_with("32")) return store<uint32_t, N>;
  return type.ends_with("16") ? store<uint16_t, N> : store<uint8_t, N>;
}

// A vector has 32 bytes at most: .v8 of 32 bits, .v4 of 64.
struct Width {
  const char *types, *slot;
  int bits;
  int most;  // elements
};
constexpr Width kWidths[] = {{"[b8|u8|s8]", "r8", 8, 4},
                             {"[b16|u16|s16|f16|bf16]", "r16", 16, 4},
                             {"[b32|u32|s32|f32]", "r32", 32, 8},
                             {"[b64|u64|s64|f64]", "r64", 64, 4},
                             {"b128", "r128", 128, 1}};

const FormList& load_store_list() {
  static const FormList list = [] {
    FormList l;
    const std::string scope = "[cta|cluster|gpu|sys]";
    const std::string load_order =
        "[|.weak|.volatile|.relaxed." + scope + "|.acquire." + scope + "|.relaxed|.mmio.relaxed.sys]";
    const std::string store_order =
        "[|.weak|.volatile|.relaxed." + scope + "|.release." + scope + "|.mmio.relaxed.sys]";
    const std::string shared = "[.shared|.shared::cta|.shared::cluster]";
    const std::string load_space = "[|.global|" + shared + "|.local|.const|.param|.param::entry]";
    const std::string store_space = "[|.global|" + shared + "|.local]";
    // ptxas also takes the space before the order, and compilers write that.
    const std::string space_first = "[.global|" + shared + "]";
    const std::string load_where = "[" + load_order + load_space + "|" + space_first + "[.volatile|.relaxed." + scope +
                                   "|.acquire." + scope + "]]";
    const std::string store_where = "[" + store_order + store_space + "|" + space_first + "[.volatile|.relaxed." +
                                    scope + "|.release." + scope + "]]";
    const std::string load_cache = "[|.ca|.cg|.cs|.lu|.cv]", store_cache = "[|.wb|.cg|.cs|.wt]";
    const std::string evict =
        "[|.L1::evict_normal|.L1::evict_unchanged|.L1::evict_first|.L1::evict_last|.L1::no_allocate]"
        "[|.L2::evict_normal|.L2::evict_first|.L2::evict_last]";
    const std::string prefetch = "[|.L2::64B|.L2::128B|.L2::256B]";
    for (const bool has_policy : {false, true}) {
      const std::string hint = has_policy ? ".L2::cache_hint" : "", policy = has_policy ? " r64" : "";
      const auto add = [&](int n, const Width& width, Bind load, Bind store) {
        const std::string vec = n == 1 ? "." : n == 2 ? ".v2." : n == 4 ? ".v4." : ".v8.";
        const std::string values = std::string(n == 1 ? "" : n == 2 ? "v2" : n == 4 ? "v4" : "v8") + width.slot;
        l.add("ld" + load_where + load_cache + "[|.nc]" + evict + hint + prefetch + vec + width.types,
              values + " [a]" + policy, load, Unit::kLsu, "9.7.9.8");
        l.add("st" + store_where + store_cache + evict + hint + vec + width.types, "[a] " + values + policy, store,
              Unit::kLsu, "9.7.9.12");
        if (!has_policy && n * width.bits <= 128 && width.bits < 128)
          l.add("ldu[|.global]" + vec + width.types, values + " [a]", load, Unit::kLsu, "9.7.9.11");
      };
      for (const Width& width : kWidths) {
        add(1, width, bind_load<1>, bind_store<1>);
        if (width.most >= 2) add(2, width, bind_load<2>, bind_store<2>);
        if (width.most >= 4) add(4, width, bind_load<4>, bind_store<4>);
        if (width.most >= 8) add(8, width, bind_load<8>, bind_store<8>);
      }
    }
    l.add(atomic_forms());
    l.add(address_forms());
    return l;
  }();
  return list;
}

}  // namespace

Space space_of(const ptx::Statement& s) {
  for (const std::string_view token : s.tokens) {
    if (token == "global") return Space::kGlobal;
    if (token == "shared::cluster") return Space::kSharedCluster;
    if (token == "shared" || token.starts_with("shared::")) return Space::kShared;
    if (token == "local") return Space::kLocal;
    if (token == "const") return Space::kConst;
    if (token == "param" || token.starts_with("param::")) return Space::kParam;
  }
  return Space::kGeneric;
}

std::span<const Form> memory_forms() { return load_store_list().forms(); }

}  // namespace sim

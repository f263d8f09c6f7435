// Read-modify-write of memory: atom and red. PTX ISA 9.7.13.6 to 9.7.13.8.
// Lanes act one after the other, lowest first. Global memory is shared with other host threads, so each lane's update
// is a host atomic; memory of the own block belongs to one host thread.
#include <atomic>
#include <mutex>

#include "ops/float_views.hpp"
#include "ops/lanes.hpp"
#include "ops/memory.hpp"
#include "ops/observe.hpp"

namespace sim {
namespace {

constexpr int64_t kSpaceMask = 0xff;

// New value from the old one and the operands b and c (c: cas only).
constexpr auto kAdd = [](auto old, auto b, auto) {
  return static_cast<decltype(old)>(static_cast<Wrapping<decltype(old)>>(old) +
                                    static_cast<Wrapping<decltype(old)>>(b));
};
constexpr auto kMin = [](auto old, auto b, auto) { return b < old ? b : old; };
constexpr auto kMax = [](auto old, auto b, auto) { return old < b ? b : old; };
constexpr auto kInc = [](auto old, auto b, auto) { return old >= b ? decltype(old){0} : old + 1; };
constexpr auto kDec = [](auto old, auto b, auto) { return old == 0 || old > b ? b : old - 1; };
constexpr auto kAnd = [](auto old, auto b, auto) { return static_cast<decltype(old)>(old & b); };
constexpr auto kOr = [](auto old, auto b, auto) { return static_cast<decltype(old)>(old | b); };
constexpr auto kXor = [](auto old, auto b, auto) { return static_cast<decltype(old)>(old ^ b); };
constexpr auto kExch = [](auto, auto b, auto) { return b; };
constexpr auto kCas = [](auto old, auto b, auto c) { return old == b ? c : old; };

// Floating point on the bits of view V. The unit that adds f64 hands a NaN on as it is, not even quiet (an H100's
// answers).
template <class V>
constexpr auto kAddFloat = [](auto old, auto b, auto) {
  const auto x = V::decode(old), y = V::decode(b);
  if constexpr (sizeof(old) == 8) {
    if (x != x) return old;
    if (y != y) return b;
  }
  return static_cast<decltype(old)>(V::encode(x + y));
};
template <class V, bool kGreater>
constexpr auto kExtreme = [](auto old, auto b, auto) {
  const auto x = V::decode(old), y = V::decode(b);
  if (x != x || y != y) return static_cast<decltype(old)>(V::encode(x != x ? y : x));
  const bool takes_new = x == y ? std::signbit(x) == kGreater : (kGreater ? x < y : y < x);
  return takes_new ? b : old;
};
// Two halves, each by F on 16 bits.
template <auto F>
constexpr auto kHalves = [](uint32_t old, uint32_t b, uint32_t) {
  const uint32_t low = F(static_cast<uint16_t>(old), static_cast<uint16_t>(b), uint16_t{0});
  const uint32_t high = F(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(b >> 16), uint16_t{0});
  return low | high << 16;
};

template <class T, auto F>
T update(std::byte* p, bool is_private, T b, T c, bool& is_changed) {
  T& memory = *reinterpret_cast<T*>(p);
  if (is_private) {
    const T old = memory;
    memory = F(old, b, c);
    is_changed |= memory != old;
    return old;
  }
  std::atomic_ref<T> cell(memory);
  T old = cell.load(), next;
  do next = F(old, b, c);
  while (!cell.compare_exchange_weak(old, next));
  is_changed |= next != old;
  return old;
}

// N elements of T at one address, the address aligned to all of them: N > 1 are the vector forms. kReturns: atom.
template <class T, auto F, int N, bool kReturns>
void atomic(Warp& w, const Instr& i) {
  const uint32_t* ops = i.ops + (kReturns ? N : 0);  // address, then operands
  const Space space = static_cast<Space>(i.imm & kSpaceMask);
  Pointers at;
  gather(w, i, ops[0], space, sizeof(T) * N, sizeof(T) * N, Access::kAtomic, at);
  observe(w, i, space, Access::kAtomic, sizeof(T) * N, at);
  const bool has_c = std::is_same_v<decltype(F), decltype(kCas)>;
  const std::byte* const shared = w.block->shared;
  bool is_changed = false;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    std::byte* p = at.of(l, sizeof(T) * N);
    const bool is_private = p >= shared && p < shared + w.block->shared_bytes;
    T old[N];
    for (int n = 0; n < N; ++n) {
      const T b = In<T>(w, ops[1 + n])[l], c = has_c ? In<T>(w, ops[2])[l] : T{};
      old[n] = update<T, F>(p + static_cast<size_t>(n) * sizeof(T), is_private, b, c, is_changed);
    }
    if constexpr (kReturns)
      for (int n = 0; n < N; ++n) Out<T>(w, i.ops[n]).set(l, old[n]);
  }
  if (is_changed)
    note_progress(w);
  else
    note_poll(w, i);
}

// 128-bit updates are atomic with respect to each other.
template <bool kCompare>
void atomic128(Warp& w, const Instr& i) {
  using u128 = unsigned __int128;
  static std::mutex turn;
  Pointers at;
  const Space space = static_cast<Space>(i.imm & kSpaceMask);
  gather(w, i, i.ops[1], space, 16, 16, Access::kAtomic, at);
  observe(w, i, space, Access::kAtomic, 16, at);
  u128 *d = lanes<u128>(w, i.ops[0]), *b = lanes<u128>(w, i.ops[2]), *c = kCompare ? lanes<u128>(w, i.ops[3]) : nullptr;
  bool is_changed = false;
  const std::lock_guard lock(turn);
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    u128 old;
    std::memcpy(&old, at.of(l, 16), 16);
    const u128 next = !kCompare ? b[l] : old == b[l] ? c[l] : old;
    std::memcpy(at.of(l, 16), &next, 16);
    is_changed |= next != old;
    d[l] = old;
  }
  if (is_changed)
    note_progress(w);
  else
    note_poll(w, i);
}

// atom.add.f32 on global memory flushes subnormals, on shared memory it keeps them.
template <int N, bool kReturns>
Handler add_f32(Space space) {
  const bool is_shared = space == Space::kShared || space == Space::kSharedCluster;
  return is_shared ? atomic<uint32_t, kAddFloat<F32>, N, kReturns> : atomic<uint32_t, kAddFloat<F32Ftz>, N, kReturns>;
}

template <bool kReturns>
Handler scalar(std::string_view op, std::string_view type, Space space) {
  using u16 = uint16_t;
  using u32 = uint32_t;
  using u64 = uint64_t;
  if (op == "add") {
    if (type == "f32") return add_f32<1, kReturns>(space);
    if (type == "f64") return atomic<u64, kAddFloat<F64>, 1, kReturns>;
    if (type == "f16") return atomic<u16, kAddFloat<F16>, 1, kReturns>;
    if (type == "bf16") return atomic<u16, kAddFloat<Bf16>, 1, kReturns>;
    if (type == "f16x2") return atomic<u32, kHalves<kAddFloat<F16>>, 1, kReturns>;
    if (type == "bf16x2") return atomic<u32, kHalves<kAddFloat<Bf16>>, 1, kReturns>;
    if (type == "u64" || type == "s64") return atomic<u64, kAdd, 1, kReturns>;
    return type == "u32" || type == "s32" ? atomic<u32, kAdd, 1, kReturns> : nullptr;
  }
  if (op == "min") {
    if (type == "u32") return atomic<u32, kMin, 1, kReturns>;
    if (type == "s32") return atomic<int32_t, kMin, 1, kReturns>;
    if (type == "u64") return atomic<u64, kMin, 1, kReturns>;
    return type == "s64" ? atomic<int64_t, kMin, 1, kReturns> : nullptr;
  }
  if (op == "max") {
    if (type == "u32") return atomic<u32, kMax, 1, kReturns>;
    if (type == "s32") return atomic<int32_t, kMax, 1, kReturns>;
    if (type == "u64") return atomic<u64, kMax, 1, kReturns>;
    return type == "s64" ? atomic<int64_t, kMax, 1, kReturns> : nullptr;
  }
  if (op == "inc") return type == "u32" ? atomic<u32, kInc, 1, kReturns> : nullptr;
  if (op == "dec") return type == "u32" ? atomic<u32, kDec, 1, kReturns> : nullptr;
  if (type == "b128") return op == "cas" ? atomic128<true> : atomic128<false>;
  const bool is_wide = type.ends_with("64");
  if (op == "and" && type[0] == 'b') return is_wide ? atomic<u64, kAnd, 1, kReturns> : atomic<u32, kAnd, 1, kReturns>;
  if (op == "or" && type[0] == 'b') return is_wide ? atomic<u64, kOr, 1, kReturns> : atomic<u32, kOr, 1, kReturns>;
  if (op == "xor" && type[0] == 'b') return is_wide ? atomic<u64, kXor, 1, kReturns> : atomic<u32, kXor, 1, kReturns>;
  if (op == "exch") return is_wide ? atomic<u64, kExch, 1, kReturns> : atomic<u32, kExch, 1, kReturns>;
  if (op == "cas" && kReturns) {
    if (type == "b16") return atomic<u16, kCas, 1, kReturns>;
    return is_wide ? atomic<u64, kCas, 1, kReturns> : atomic<u32, kCas, 1, kReturns>;
  }
  return nullptr;
}

constexpr std::string_view kOps[] = {"add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "cas"};
std::string_view op_of(const ptx::Statement& s) {
  for (const std::string_view token : s.tokens)
    for (const std::string_view op : kOps)
      if (token == op) return op;
  return "";
}

template <bool kReturns>
Handler bind_scalar(const ptx::Statement& s, Instr& i) {
  const Space space = space_of(s);
  i.imm = static_cast<int64_t>(space) | order_bits(s, Order::kRelaxed);
  return scalar<kReturns>(op_of(s), s.tokens.back(), space);
}

template <int N, bool kReturns>
Handler bind_vector(const ptx::Statement& s, Instr& i) {
  i.imm = static_cast<int64_t>(space_of(s)) | order_bits(s, Order::kRelaxed);
  const std::string_view op = op_of(s), type = s.tokens.back();
  if constexpr (N <= 4) {
    if (type == "f32") return op == "add" ? add_f32<N, kReturns>(Space::kGlobal) : nullptr;
    if (type == "f16x2" && op == "add") return atomic<uint32_t, kHalves<kAddFloat<F16>>, N, kReturns>;
    if (type == "f16x2" && op == "min") return atomic<uint32_t, kHalves<kExtreme<F16, false>>, N, kReturns>;
    if (type == "f16x2" && op == "max") return atomic<uint32_t, kHalves<kExtreme<F16, true>>, N, kReturns>;
    if (type == "bf16x2" && op == "add") return atomic<uint32_t, kHalves<kAddFloat<Bf16>>, N, kReturns>;
    if (type == "bf16x2" && op == "min") return atomic<uint32_t, kHalves<kExtreme<Bf16, false>>, N, kReturns>;
    if (type == "bf16x2" && op == "max") return atomic<uint32_t, kHalves<kExtreme<Bf16, true>>, N, kReturns>;
  }
  if (type == "f16" && op == "add") return atomic<uint16_t, kAddFloat<F16>, N, kReturns>;
  if (type == "f16" && op == "min") return atomic<uint16_t, kExtreme<F16, false>, N, kReturns>;
  if (type == "f16" && op == "max") return atomic<uint16_t, kExtreme<F16, true>, N, kReturns>;
  if (type == "bf16" && op == "add") return atomic<uint16_t, kAddFloat<Bf16>, N, kReturns>;
  if (type == "bf16" && op == "min") return atomic<uint16_t, kExtreme<Bf16, false>, N, kReturns>;
  if (type == "bf16" && op == "max") return atomic<uint16_t, kExtreme<Bf16, true>, N, kReturns>;
  return nullptr;
}

const FormList& atomic_list() {
  static const FormList list = [] {
    FormList l;
    const std::string scope = "[|.cta|.cluster|.gpu|.sys]";
    const std::string space = "[|.global|.shared|.shared::cta|.shared::cluster]";
    const std::string ops32 =
        "[[add|min|max].[u32|s32]|[inc|dec].u32|[and|or|xor].b32|add.f32|add.noftz.[f16x2|bf16x2]";
    const std::string ops64 = "[[add|min|max].[u64|s64]|[and|or|xor].b64|add.f64";
    for (const bool has_policy : {false, true}) {
      const std::string hint = has_policy ? ".L2::cache_hint" : "", policy = has_policy ? " r64" : "";
      // Puts `text` between each operation and its type.
      const auto insert = [](const std::string& ops, const std::string& text) {
        std::string out;
        for (size_t n = 0; n < ops.size(); ++n) {
          if (ops[n] == '.' && ops.compare(n, 6, ".noftz") != 0) out += text;
          out += ops[n];
        }
        return out;
      };
      // NVIDIA's C++ library writes order and scope behind the operation, on generic addresses.
      const auto both = [&](const std::string& name, const std::string& orders, const std::string& ops) {
        return name + "[" + orders + scope + space + "." + insert(ops, hint) + "|." + insert(ops, orders + scope) + "]";
      };
      const std::string orders = "[|.relaxed|.acquire|.release|.acq_rel]";
      const auto atom = [&](const std::string& ops, const std::string& operands) {
        l.add(both("atom", orders, ops), operands + policy, bind_scalar<true>, Unit::kLsu, "9.7.13.6");
      };
      atom(ops32 + "|exch.b32]", "r32 [a] r32");
      atom(ops64 + "|exch.b64]", "r64 [a] r64");
      atom("add.noftz.[f16|bf16]", "r16 [a] r16");
      atom("exch.b128", "r128 [a] r128");
      if (!has_policy) {
        atom("cas.b16", "r16 [a] r16 r16");
        atom("cas.b32", "r32 [a] r32 r32");
        atom("cas.b64", "r64 [a] r64 r64");
        atom("cas.b128", "r128 [a] r128 r128");
      }
      const auto red = [&](const std::string& ops, const std::string& operands) {
        l.add(both("red", "[|.relaxed|.release]", ops), operands + policy, bind_scalar<false>, Unit::kLsu, "9.7.13.7");
      };
      red(ops32 + "]", "[a] r32");
      red(ops64 + "]", "[a] r64");
      red("add.noftz.[f16|bf16]", "[a] r16");

      const auto vector = [&](int n, const std::string& ops, const std::string& types, const std::string& slot,
                              Bind atom_bind, Bind red_bind) {
        const std::string name = n == 2 ? "v2" : n == 4 ? "v4" : "v8", values = name + slot;
        const std::string tail = scope + "[|.global]." + ops + hint + "." + name + "." + types;
        l.add("atom" + orders + tail, values + " [a] " + values + policy, atom_bind, Unit::kLsu, "9.7.13.6");
        l.add("red[|.relaxed|.release]" + tail, "[a] " + values + policy, red_bind, Unit::kLsu, "9.7.13.7");
      };
      const std::string halves = "[add|min|max].noftz";
      vector(2, "add", "f32", "r32", bind_vector<2, true>, bind_vector<2, false>);
      vector(4, "add", "f32", "r32", bind_vector<4, true>, bind_vector<4, false>);
      vector(2, halves, "[f16x2|bf16x2]", "r32", bind_vector<2, true>, bind_vector<2, false>);
      vector(4, halves, "[f16x2|bf16x2]", "r32", bind_vector<4, true>, bind_vector<4, false>);
      vector(2, halves, "[f16|bf16]", "r16", bind_vector<2, true>, bind_vector<2, false>);
      vector(4, halves, "[f16|bf16]", "r16", bind_vector<4, true>, bind_vector<4, false>);
      vector(8, halves, "[f16|bf16]", "r16", bind_vector<8, true>, bind_vector<8, false>);
    }
    return l;
  }();
  return list;
}

}  // namespace

std::span<const Form> atomic_forms() { return atomic_list().forms(); }

}  // namespace sim

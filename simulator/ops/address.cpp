// Addresses and hints: cvta, isspacep, mapa, getctarank, prefetch, cache policies. PTX ISA 9.7.9.13 to 9.7.9.26.
// A generic address is a window tag plus the address in its space; global memory has no tag.
#include "machine/block.hpp"
#include "ops/lanes.hpp"
#include "ops/memory.hpp"

namespace sim {
namespace {

uint64_t window_of(Space space) {
  switch (space) {
    case Space::kShared:
    case Space::kSharedCluster:
      return Block::kSharedWindow;
    case Space::kLocal:
      return Block::kLocalWindow;
    case Space::kParam:
      return Block::kParamWindow;
    default:
      return 0;
  }
}

// d = a + window, d = a - window.
void add_window(Warp& w, const Instr& i) {
  const Out<uint64_t> d(w, i.d);
  const In<uint64_t> a(w, i.a);
  const uint64_t window = static_cast<uint64_t>(i.imm);
  for_lanes(w, [=](int l) { d.set(l, a[l] + window); });
}
Handler bind_cvta(const ptx::Statement& s, Instr& i) {
  const uint64_t window = window_of(space_of(s));
  i.imm = static_cast<int64_t>(s.has("to") ? 0 - window : window);
  return add_window;
}

void is_space(Warp& w, const Instr& i) {
  const In<uint64_t> a(w, i.a);
  const uint64_t window = static_cast<uint64_t>(i.imm);
  set_pred(w, i.d, ballot([=](int l) { return (a[l] & Block::kWindowMask) == window; }));
}
// .shared and .shared::cta: of the own block; .shared::cluster takes any rank, be it one that the cluster has not.
void is_own_shared(Warp& w, const Instr& i) {
  const In<uint64_t> a(w, i.a);
  const uint64_t own = (Block::kSharedWindow | w.block->shared_base) >> Cluster::kRankShift;
  set_pred(w, i.d, ballot([=](int l) { return a[l] >> Cluster::kRankShift == own; }));
}
Handler bind_is_space(const ptx::Statement& s, Instr& i) {
  if (space_of(s) == Space::kShared) return is_own_shared;
  i.imm = static_cast<int64_t>(window_of(space_of(s)));
  return is_space;
}
// Constant variables lie in a module's storage, beside global memory.
void is_const(Warp& w, const Instr& i) {
  const In<uint64_t> a(w, i.a);
  const auto& globals = w.kernel->module->globals;
  set_pred(w, i.d, ballot([&](int l) {
             for (const GlobalVariable& v : globals)
               if (v.is_const && a[l] - v.address < v.bytes) return true;
             return false;
           }));
}

// Ranks that the cluster has not are told where the address is used.
template <class T>
void mapa(Warp& w, const Instr& i) {
  const Out<T> d(w, i.d);
  const In<T> a(w, i.a);
  const uint32_t* rank = u32(w, i.b);
  for_lanes(w, [=](int l) {
    const T above = a[l] - static_cast<uint32_t>(a[l]);  // a generic address's window
    d.set(l, above + at_rank(static_cast<uint32_t>(a[l]), rank[l]));
  });
}
template <class T>
void cta_rank(Warp& w, const Instr& i) {
  const Out<uint32_t> d(w, i.d);
  const In<T> a(w, i.a);
  for_lanes(w, [=](int l) { d.set(l, static_cast<uint32_t>(a[l]) >> Cluster::kRankShift); });
}

void hint(Warp&, const Instr&) {}

// Policies steer caches only; the value is opaque.
void create_policy(Warp& w, const Instr& i) {
  const Out<uint64_t> d(w, i.d);
  for_lanes(w, [=](int l) { d.set(l, 0x12f0000000000000ull); });
}

constexpr Form kForms[] = {
    {"cvta[|.to].[global|const|local|shared|shared::cta|shared::cluster|param|param::entry].u64", "r64 r64", nullptr,
     bind_cvta, Unit::kAlu, "9.7.9.20"},
    {"isspacep.[global|local|shared|shared::cta|shared::cluster|param|param::entry]", "p r64", nullptr, bind_is_space,
     Unit::kAlu, "9.7.9.19"},
    {"isspacep.const", "p r64", is_const, nullptr, Unit::kAlu, "9.7.9.19"},
    {"mapa[|.shared::cluster].u64", "r64 r64 r32", mapa<uint64_t>, nullptr, Unit::kAlu, "9.7.9.23"},
    {"mapa.shared::cluster.u32", "r32 r32 r32", mapa<uint32_t>, nullptr, Unit::kAlu, "9.7.9.23"},
    {"getctarank[|.shared::cluster].u64", "r32 r64", cta_rank<uint64_t>, nullptr, Unit::kAlu, "9.7.9.24"},
    {"getctarank.shared::cluster.u32", "r32 r32", cta_rank<uint32_t>, nullptr, Unit::kAlu, "9.7.9.24"},
    {"prefetch[|.global|.local].[L1|L2]", "[a]", hint, nullptr, Unit::kLsu, "9.7.9.15"},
    {"prefetch.global.L2::[evict_last|evict_normal]", "[a]", hint, nullptr, Unit::kLsu, "9.7.9.15"},
    {"prefetchu.L1", "[a]", hint, nullptr, Unit::kLsu, "9.7.9.15"},
    {"applypriority[|.global].L2::evict_normal", "[a] r32", hint, nullptr, Unit::kLsu, "9.7.9.16"},
    {"discard[|.global].L2", "[a] r32", hint, nullptr, Unit::kLsu, "9.7.9.17"},
    {"createpolicy.fractional.L2::[evict_last|evict_normal|evict_first|evict_unchanged][|.L2::evict_first|"
     ".L2::evict_unchanged].b64",
     "r64 r32?", create_policy, nullptr, Unit::kAlu, "9.7.9.18"},
    {"createpolicy.range[|.global].L2::[evict_last|evict_normal|evict_first|evict_unchanged][|.L2::evict_first|"
     ".L2::evict_unchanged].b64",
     "r64 [a] r32 r32", create_policy, nullptr, Unit::kAlu, "9.7.9.18"},
    {"createpolicy.cvt.L2.b64", "r64 r64", create_policy, nullptr, Unit::kAlu, "9.7.9.18"},
};

}  // namespace

std::span<const Form> address_forms() { return kForms; }

}  // namespace sim

// Exchange between the lanes of a warp: shfl, vote, match, redux, elect, activemask. PTX ISA 9.7.9.5, 9.7.13.9 to 13.
// `.sync` forms first wait until the lanes of the member mask are here. Lanes may name different masks; each group of
// lanes with one mask then exchanges within itself.
#include "machine/fault.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

// Calls f(group) for the executing lanes of each member mask; false while the split is parked.
template <class F>
bool each_group(Warp& w, const Instr& i, uint32_t mask_slot, F&& f) {
  const uint32_t* members = u32(w, mask_slot);
  uint32_t everybody = 0;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int l = std::countr_zero(m);
    if ((members[l] >> l & 1) == 0) fault(w, i, l, "lane is not in its own member mask");
    everybody |= members[l];
  }
  if (!meet(w, i, everybody)) return false;
  const uint32_t executing = w.mask;
  for (uint32_t left = executing; left != 0;) {
    const uint32_t mask = members[std::countr_zero(left)];
    uint32_t group = 0;
    for (uint32_t m = left; m != 0; m &= m - 1)
      if (members[std::countr_zero(m)] == mask) group |= m & (0u - m);
    left &= ~group;
    f(group);
  }
  return true;
}

// Writes a predicate destination in `group` only.
void set_group(Warp& w, uint32_t group, uint32_t operand, uint32_t value) {
  const uint32_t executing = w.mask;
  w.mask = group;
  set_pred(w, operand, value);
  w.mask = executing;
}

template <class F>
void each_lane(uint32_t mask, F&& f) {
  for (; mask != 0; mask &= mask - 1) f(std::countr_zero(mask));
}

enum class Shuffle { kUp, kDown, kButterfly, kIndex };

// d|p, a, b, c, members. c: clamp in bits 4..0, segment mask in bits 12..8. p: the source lane lay inside the segment.
template <Shuffle kMode>
void shfl(Warp& w, const Instr& i) {
  const uint32_t *a = u32(w, i.ops[2]), *b = u32(w, i.ops[3]), *c = u32(w, i.ops[4]);
  uint32_t value[kWarpSize];
  uint32_t inside = 0;
  const auto exchange = [&](uint32_t group) {
    each_lane(group, [&](int l) {
      const int step = static_cast<int>(b[l] & 31), segment = static_cast<int>(c[l] >> 8 & 31);
      const int least = l & segment, most = least | (static_cast<int>(c[l] & 31) & ~segment);
      int source = 0;
      bool is_inside = false;
      switch (kMode) {
        case Shuffle::kUp:
          source = l - step;
          is_inside = source >= most;
          break;
        case Shuffle::kDown:
          source = l + step;
          is_inside = source <= most;
          break;
        case Shuffle::kButterfly:
          source = l ^ step;
          is_inside = source <= most;
          break;
        case Shuffle::kIndex:
          source = least | (step & ~segment);
          is_inside = source <= most;
          break;
      }
      value[l] = a[is_inside ? source : l];
      inside |= static_cast<uint32_t>(is_inside) << l;
    });
  };
  if (!each_group(w, i, i.ops[5], exchange)) return;
  uint32_t* d = u32(w, i.ops[0]);
  for_lanes(w, [&](int l) { d[l] = value[l]; });
  set_pred(w, i.ops[1], inside);
}

enum class Vote { kAll, kAny, kUniform };
template <Vote kMode>
void vote(Warp& w, const Instr& i) {
  const uint32_t p = pred(w, i.ops[1]);
  uint32_t result = 0;
  const auto decide = [&](uint32_t group) {
    const bool all = (p & group) == group, any = (p & group) != 0;
    const bool yes = kMode == Vote::kAll ? all : kMode == Vote::kAny ? any : all || !any;
    result |= yes ? group : 0;
  };
  if (each_group(w, i, i.ops[2], decide)) set_pred(w, i.ops[0], result);
}
void ballot_lanes(Warp& w, const Instr& i) {
  const uint32_t p = pred(w, i.ops[1]);
  uint32_t* d = u32(w, i.ops[0]);
  each_group(w, i, i.ops[2], [&](uint32_t group) { each_lane(group, [&](int l) { d[l] = p & group; }); });
}

template <class T>
void match_any(Warp& w, const Instr& i) {
  const T* a = lanes<T>(w, i.ops[1]);
  uint32_t value[kWarpSize];
  const auto find = [&](uint32_t group) {
    each_lane(group, [&](int l) {
      value[l] = 0;
      each_lane(group, [&](int other) { value[l] |= static_cast<uint32_t>(a[other] == a[l]) << other; });
    });
  };
  if (!each_group(w, i, i.ops[2], find)) return;
  uint32_t* d = u32(w, i.ops[0]);
  for_lanes(w, [&](int l) { d[l] = value[l]; });
}
template <class T>
void match_all(Warp& w, const Instr& i) {
  const T* a = lanes<T>(w, i.ops[2]);
  uint32_t value[kWarpSize];
  uint32_t equal = 0;
  const auto find = [&](uint32_t group) {
    bool all = true;
    each_lane(group, [&](int l) { all &= a[l] == a[std::countr_zero(group)]; });
    each_lane(group, [&](int l) { value[l] = all ? group : 0; });
    equal |= all ? group : 0;
  };
  if (!each_group(w, i, i.ops[3], find)) return;
  uint32_t* d = u32(w, i.ops[0]);
  for_lanes(w, [&](int l) { d[l] = value[l]; });
  set_pred(w, i.ops[1], equal);
}

constexpr auto kAdd = [](uint32_t a, uint32_t b) { return a + b; };
constexpr auto kAnd = [](uint32_t a, uint32_t b) { return a & b; };
constexpr auto kOr = [](uint32_t a, uint32_t b) { return a | b; };
constexpr auto kXor = [](uint32_t a, uint32_t b) { return a ^ b; };
template <class T>
constexpr auto kMin = [](uint32_t a, uint32_t b) { return static_cast<T>(b) < static_cast<T>(a) ? b : a; };
template <class T>
constexpr auto kMax = [](uint32_t a, uint32_t b) { return static_cast<T>(a) < static_cast<T>(b) ? b : a; };
template <auto F>
void redux(Warp& w, const Instr& i) {
  const uint32_t* a = u32(w, i.ops[1]);
  uint32_t value[kWarpSize];
  const auto reduce = [&](uint32_t group) {
    uint32_t sum = a[std::countr_zero(group)];
    each_lane(group & (group - 1), [&](int l) { sum = F(sum, a[l]); });
    each_lane(group, [&](int l) { value[l] = sum; });
  };
  if (!each_group(w, i, i.ops[2], reduce)) return;
  uint32_t* d = u32(w, i.ops[0]);
  for_lanes(w, [&](int l) { d[l] = value[l]; });
}

// d|p, members: the lowest lane leads.
void elect(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.ops[0]);
  const auto choose = [&](uint32_t group) {
    const uint32_t leader = static_cast<uint32_t>(std::countr_zero(group));
    each_lane(group, [&](int l) { d[l] = leader; });
    set_group(w, group, i.ops[1], 1u << leader);
  };
  each_group(w, i, i.ops[2], choose);
}

void active_mask(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t mask = w.mask;
  for_lanes(w, [=](int l) { d[l] = mask; });
}

constexpr Form kForms[] = {
    {"shfl.sync.up.b32", "r32|p r32 r32 r32 r32", shfl<Shuffle::kUp>, nullptr, Unit::kLsu, "9.7.9.6"},
    {"shfl.sync.down.b32", "r32|p r32 r32 r32 r32", shfl<Shuffle::kDown>, nullptr, Unit::kLsu, "9.7.9.6"},
    {"shfl.sync.bfly.b32", "r32|p r32 r32 r32 r32", shfl<Shuffle::kButterfly>, nullptr, Unit::kLsu, "9.7.9.6"},
    {"shfl.sync.idx.b32", "r32|p r32 r32 r32 r32", shfl<Shuffle::kIndex>, nullptr, Unit::kLsu, "9.7.9.6"},
    {"vote.sync.all.pred", "p p r32", vote<Vote::kAll>, nullptr, Unit::kAlu, "9.7.13.10"},
    {"vote.sync.any.pred", "p p r32", vote<Vote::kAny>, nullptr, Unit::kAlu, "9.7.13.10"},
    {"vote.sync.uni.pred", "p p r32", vote<Vote::kUniform>, nullptr, Unit::kAlu, "9.7.13.10"},
    {"vote.sync.ballot.b32", "r32 p r32", ballot_lanes, nullptr, Unit::kAlu, "9.7.13.10"},
    {"match.any.sync.b32", "r32 r32 r32", match_any<uint32_t>, nullptr, Unit::kAlu, "9.7.13.11"},
    {"match.any.sync.b64", "r32 r64 r32", match_any<uint64_t>, nullptr, Unit::kAlu, "9.7.13.11"},
    {"match.all.sync.b32", "r32|p r32 r32", match_all<uint32_t>, nullptr, Unit::kAlu, "9.7.13.11"},
    {"match.all.sync.b64", "r32|p r64 r32", match_all<uint64_t>, nullptr, Unit::kAlu, "9.7.13.11"},
    {"activemask.b32", "r32", active_mask, nullptr, Unit::kAlu, "9.7.13.12"},
    {"redux.sync.add.[u32|s32]", "r32 r32 r32", redux<kAdd>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"redux.sync.min.u32", "r32 r32 r32", redux<kMin<uint32_t>>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"redux.sync.min.s32", "r32 r32 r32", redux<kMin<int32_t>>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"redux.sync.max.u32", "r32 r32 r32", redux<kMax<uint32_t>>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"redux.sync.max.s32", "r32 r32 r32", redux<kMax<int32_t>>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"redux.sync.and.b32", "r32 r32 r32", redux<kAnd>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"redux.sync.or.b32", "r32 r32 r32", redux<kOr>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"redux.sync.xor.b32", "r32 r32 r32", redux<kXor>, nullptr, Unit::kAlu, "9.7.13.13"},
    {"elect.sync", "r32|p r32", elect, nullptr, Unit::kAlu, "9.7.13.14"},
};

}  // namespace

std::span<const Form> warp_forms() { return kForms; }

}  // namespace sim

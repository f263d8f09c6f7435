// Moves: mov of registers, predicates and clocks, packing and unpacking. PTX ISA 9.7.9.1 to 9.7.9.3.
#include "ops/move.hpp"

#include "machine/block.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

struct Bytes16 {
  uint64_t low, high;
};

template <class T>
void move(Warp& w, const Instr& i) {
  T* d = lanes<T>(w, i.d);
  const T* a = lanes<T>(w, i.a);
  for_lanes(w, [=](int l) { d[l] = a[l]; });
}
void move_pred(Warp& w, const Instr& i) { set_pred(w, i.d, pred(w, i.a)); }
void move_is_clustered(Warp& w, const Instr& i) { set_pred(w, i.d, w.block->grid->has_clusters ? ~0u : 0u); }

// Clocks are read when the instruction executes.
enum class Clock { kCycles, kCyclesHigh, kNanoseconds, kNanosecondsHigh };

template <class T, Clock kWhich>
void move_clock(Warp& w, const Instr& i) {
  const Out<T> d(w, i.d);
  const bool is_time = kWhich == Clock::kNanoseconds || kWhich == Clock::kNanosecondsHigh;
  const uint64_t now = is_time ? global_nanoseconds(w) : clock_cycles(w);
  const bool is_high = kWhich == Clock::kCyclesHigh || kWhich == Clock::kNanosecondsHigh;
  const T value = static_cast<T>(is_high ? now >> 32 : now);
  for_lanes(w, [=](int l) { d.set(l, value); });
}

// d = {part 0, part 1, ..}, part 0 in the lowest bits, and back. kBits of each part.
template <class Whole, class Part, int kParts, int kBits>
void pack(Warp& w, const Instr& i) {
  constexpr Whole kMask = sizeof(Whole) * 8 == kBits ? ~Whole{0} : (Whole{1} << kBits) - 1;
  Whole* d = lanes<Whole>(w, i.ops[0]);
  const Part* s[kParts];
  for (int n = 0; n < kParts; ++n) s[n] = lanes<Part>(w, i.ops[n + 1]);
  for_lanes(w, [=](int l) {
    Whole value = 0;
    for (int n = 0; n < kParts; ++n) value |= (static_cast<Whole>(s[n][l]) & kMask) << (n * kBits);
    d[l] = value;
  });
}
template <class Whole, class Part, int kParts, int kBits>
void unpack(Warp& w, const Instr& i) {
  constexpr Whole kMask = (Whole{1} << kBits) - 1;
  const Whole* s = lanes<Whole>(w, i.ops[kParts]);
  Part* d[kParts];
  for (int n = 0; n < kParts; ++n) d[n] = lanes<Part>(w, i.ops[n]);
  for_lanes(w, [=](int l) {
    const Whole value = s[l];
    for (int n = 0; n < kParts; ++n) d[n][l] = static_cast<Part>(value >> (n * kBits) & kMask);
  });
}
using u128 = unsigned __int128;

constexpr Form kForms[] = {
    {"mov.pred", "p p", move_pred, nullptr, Unit::kAlu, "9.7.9.1"},
    {"mov.[b16|u16|s16]", "r16 r16", move<uint32_t>, nullptr, Unit::kAlu, "9.7.9.1"},
    {"mov.[b32|u32|s32|f32]", "r32 r32", move<uint32_t>, nullptr, Unit::kAlu, "9.7.9.1"},
    {"mov.[b64|u64|s64|f64]", "r64 r64", move<uint64_t>, nullptr, Unit::kAlu, "9.7.9.1"},
    {"mov.pred:%is_explicit_cluster", "p", move_is_clustered, nullptr, Unit::kAlu, "10.16"},
    {"mov.[b32|u32|s32]:%clock", "r32", move_clock<uint32_t, Clock::kCycles>, nullptr, Unit::kAlu, "10.23"},
    {"mov.[b32|u32|s32]:%clock_hi", "r32", move_clock<uint32_t, Clock::kCyclesHigh>, nullptr, Unit::kAlu, "10.23"},
    {"mov.[b64|u64|s64]:%clock64", "r64", move_clock<uint64_t, Clock::kCycles>, nullptr, Unit::kAlu, "10.24"},
    {"mov.[b64|u64|s64]:%globaltimer", "r64", move_clock<uint64_t, Clock::kNanoseconds>, nullptr, Unit::kAlu, "10.28"},
    {"mov.[b32|u32|s32]:%globaltimer_lo", "r32", move_clock<uint32_t, Clock::kNanoseconds>, nullptr, Unit::kAlu,
     "10.28"},
    {"mov.[b32|u32|s32]:%globaltimer_hi", "r32", move_clock<uint32_t, Clock::kNanosecondsHigh>, nullptr, Unit::kAlu,
     "10.28"},
    {"mov.b128", "r128 r128", move<Bytes16>, nullptr, Unit::kAlu, "9.7.9.1"},
    {"mov.b16", "r16 v2r8", pack<uint32_t, uint32_t, 2, 8>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b16", "v2r8 r16", unpack<uint32_t, uint32_t, 2, 8>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b32", "r32 v2r16", pack<uint32_t, uint32_t, 2, 16>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b32", "v2r16 r32", unpack<uint32_t, uint32_t, 2, 16>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b32", "r32 v4r8", pack<uint32_t, uint32_t, 4, 8>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b32", "v4r8 r32", unpack<uint32_t, uint32_t, 4, 8>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b64", "r64 v2r32", pack<uint64_t, uint32_t, 2, 32>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b64", "v2r32 r64", unpack<uint64_t, uint32_t, 2, 32>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b64", "r64 v4r16", pack<uint64_t, uint32_t, 4, 16>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b64", "v4r16 r64", unpack<uint64_t, uint32_t, 4, 16>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b128", "r128 v2r64", pack<u128, uint64_t, 2, 64>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b128", "v2r64 r128", unpack<u128, uint64_t, 2, 64>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b128", "r128 v4r32", pack<u128, uint32_t, 4, 32>, nullptr, Unit::kAlu, "9.7.9.2"},
    {"mov.b128", "v4r32 r128", unpack<u128, uint32_t, 4, 32>, nullptr, Unit::kAlu, "9.7.9.2"},
};

}  // namespace

std::span<const Form> move_forms() { return kForms; }

}  // namespace sim

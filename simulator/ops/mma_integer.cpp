// mma.sync of 4-bit integers and single bits, and of 8-bit integers with 8 rows: exact sums, wrapped to 32 bits or
// clamped. Lane l = 4g + t: a register holds 32 bits of a row of A or a column of B, of the k that begin at
// (32 t + 128 r) bits; register r of A is row g (and, with 16 rows, g + 8 for odd r), of B column g, of C and D
// (row g + 8 (r / 2), column 2t + r % 2).
#include <algorithm>
#include <bit>

#include "ops/async_ops.hpp"

namespace sim {
namespace {

using Dot = int64_t (*)(uint32_t a, uint32_t b);

template <int kBits, bool kIsSigned>
int64_t element(uint32_t word, int n) {
  const uint32_t bits = word >> (n * kBits) & ((1u << kBits) - 1);
  return kIsSigned ? static_cast<int32_t>(bits << (32 - kBits)) >> (32 - kBits) : static_cast<int64_t>(bits);
}
template <int kBits, bool kSignedA, bool kSignedB>
int64_t dot(uint32_t a, uint32_t b) {
  int64_t sum = 0;
  for (int n = 0; n < 32 / kBits; ++n) sum += element<kBits, kSignedA>(a, n) * element<kBits, kSignedB>(b, n);
  return sum;
}
int64_t count_different(uint32_t a, uint32_t b) { return std::popcount(a ^ b); }
int64_t count_common(uint32_t a, uint32_t b) { return std::popcount(a & b); }

// Instr::imm: the dot product of two words.
template <int kRows, int kSteps, bool kClamps>
void multiply(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  constexpr int kHalves = kRows / 8, kRegistersD = 2 * kHalves, kRegistersA = kHalves * kSteps;
  const Dot dot_of = reinterpret_cast<Dot>(i.imm);
  const auto registers = [&](int first, int n) { return u32(w, i.ops[first + n]); };
  uint32_t result[kRegistersD][kWarpSize];
  for (int d = 0; d < kRegistersD; ++d)
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const int g = lane / 4, column = 2 * (lane % 4) + d % 2, half = d / 2;
      int64_t sum = static_cast<int32_t>(registers(kRegistersD + kRegistersA + kSteps, d)[lane]);
      for (int step = 0; step < kSteps; ++step)
        for (int t = 0; t < 4; ++t)
          sum += dot_of(registers(kRegistersD, half + kHalves * step)[4 * g + t],
                        registers(kRegistersD + kRegistersA, step)[4 * column + t]);
      if (kClamps) sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
      result[d][lane] = static_cast<uint32_t>(sum);
    }
  for (int d = 0; d < kRegistersD; ++d) std::memcpy(registers(0, d), result[d], sizeof result[d]);
}

template <int kBits>
Dot dot_for(bool is_signed_a, bool is_signed_b) {
  if (is_signed_a) return is_signed_b ? dot<kBits, true, true> : dot<kBits, true, false>;
  return is_signed_b ? dot<kBits, false, true> : dot<kBits, false, false>;
}

template <int kRows, int kSteps>
Handler bind(const ptx::Statement& s, Instr& i) {
  const std::string_view a = s.tokens[s.tokens.size() - 3], b = s.tokens[s.tokens.size() - 2];
  Dot f = nullptr;
  if (s.has("popc"))
    f = s.has("xor") ? count_different : count_common;
  else if (a.ends_with('8'))
    f = dot_for<8>(a[0] == 's', b[0] == 's');
  else
    f = dot_for<4>(a[0] == 's', b[0] == 's');
  i.imm = reinterpret_cast<int64_t>(f);
  return s.has("satfinite") ? multiply<kRows, kSteps, true> : multiply<kRows, kSteps, false>;
}

constexpr char kIsa[] = "9.7.14.5.14 mma";
constexpr char kEightRows[] = "v2r32 v1r32 v1r32 v2r32", kHalfDepth[] = "v4r32 v2r32 v1r32 v4r32",
               kFullDepth[] = "v4r32 v4r32 v2r32 v4r32";

const Form kForms[] = {
    {"mma.sync.aligned.m8n8k16.row.col[.satfinite|].s32.[s8|u8].[s8|u8].s32", kEightRows, nullptr, bind<8, 1>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m8n8k32.row.col[.satfinite|].s32.[s4|u4].[s4|u4].s32", kEightRows, nullptr, bind<8, 1>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k32.row.col[.satfinite|].s32.[s4|u4].[s4|u4].s32", kHalfDepth, nullptr, bind<16, 1>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m16n8k64.row.col[.satfinite|].s32.[s4|u4].[s4|u4].s32", kFullDepth, nullptr, bind<16, 2>,
     Unit::kTensor, kIsa},
    {"mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.[xor|and].popc", kEightRows, nullptr, bind<8, 1>, Unit::kTensor,
     kIsa},
    {"mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.[xor|and].popc", kHalfDepth, nullptr, bind<16, 1>, Unit::kTensor,
     kIsa},
    {"mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.[xor|and].popc", kFullDepth, nullptr, bind<16, 2>, Unit::kTensor,
     kIsa},
};

}  // namespace

std::span<const Form> mma_integer_forms() { return kForms; }

}  // namespace sim

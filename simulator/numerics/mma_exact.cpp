// mma_exact.cpp: dense products, one output element at a time (mma_output.hpp).
#include "mma_exact.hpp"

#include <bit>
#include <cstdlib>

#include "mma_output.hpp"

namespace sim::numerics {
namespace {

constexpr int kRows = kMmaRows, kColumns = kMmaColumns, kMaxK = kMmaMaxK;

struct Tile {
  Value a[kRows][kMaxK];
  Value b[kColumns][kMaxK];
};

// Element j of a lane's register: `per` elements a register, t = lane % 4, `half` the 16-byte half of the row.
constexpr int k_of(int t, int half, int j, int per) { return per * t + j + 4 * per * half; }

void load_tile(const MmaForm& form, const MmaOperands& operands, Tile& tile) {
  const Format format_a = format_of(form.a), format_b = format_of(form.b);
  const int bits = container_bits(form, form.a), per = 32 / bits;
  const int halves = form.k * bits / 128;
  const uint32_t mask = bits == 32 ? ~0u : (1u << bits) - 1;
  for (int half = 0; half < halves; ++half)
    for (int lane = 0; lane < 32; ++lane)
      for (int j = 0; j < per; ++j) {
        const int k = k_of(lane & 3, half, j, per), g = lane >> 2;
        for (int upper = 0; upper < 2; ++upper) {
          const uint32_t container = operands.a[2 * half + upper][lane] >> j * bits & mask;
          tile.a[g + 8 * upper][k] = unpack(format_a, code_of(form.a, bits, container));
        }
        const uint32_t container = operands.b[half][lane] >> j * bits & mask;
        tile.b[g][k] = unpack(format_b, code_of(form.b, bits, container));
      }
}

}  // namespace

template <Arch kArch>
void mma_exact_float(const MmaForm& form, const MmaOperands& operands) {
  const MmaRule* rule = find_mma_rule(kArch, form);
  if (rule == nullptr) std::abort();  // find_mma never hands out such a form
  Tile tile;
  Scales scales;
  load_tile(form, operands, tile);
  if (form.scale != BlockScale::kNone) load_scales(form, operands, scales);
  uint32_t result[4][32];
  const bool half = form.accumulator == Accumulator::kF16;
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const int row = (lane >> 2) + 8 * (v >> 1), column = 2 * (lane & 3) + (v & 1);
      const uint32_t c = half ? operands.c[v >> 1][lane] >> 16 * (v & 1) & 0xffff : operands.c[v][lane];
      result[v][lane] = output(form, *rule, tile.a[row], tile.b[column], scales, row, column, c);
    }
  for (int lane = 0; lane < 32; ++lane)
    for (int v = 0; v < 4; ++v) {
      if (!half) operands.d[v][lane] = result[v][lane];
      if (half && v % 2 == 0) operands.d[v / 2][lane] = result[v][lane] | result[v + 1][lane] << 16;
    }
}

template void mma_exact_float<Arch::kSm90>(const MmaForm&, const MmaOperands&);
template void mma_exact_float<Arch::kSm120>(const MmaForm&, const MmaOperands&);

void mma_exact_integer(const MmaForm& form, const MmaOperands& operands) {
  int32_t a[kRows][kMaxK], b[kColumns][kMaxK];
  const auto widen = [](Element element, uint32_t byte) {
    return element == Element::kS8 ? static_cast<int32_t>(static_cast<int8_t>(byte))
                                   : static_cast<int32_t>(byte & 0xff);
  };
  for (int half = 0; half < form.k / 16; ++half)
    for (int lane = 0; lane < 32; ++lane)
      for (int j = 0; j < 4; ++j) {
        const int k = k_of(lane & 3, half, j, 4), g = lane >> 2;
        a[g][k] = widen(form.a, operands.a[2 * half][lane] >> 8 * j);
        a[g + 8][k] = widen(form.a, operands.a[2 * half + 1][lane] >> 8 * j);
        b[g][k] = widen(form.b, operands.b[half][lane] >> 8 * j);
      }
  uint32_t result[4][32];
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const int row = (lane >> 2) + 8 * (v >> 1), column = 2 * (lane & 3) + (v & 1);
      int64_t sum = static_cast<int32_t>(operands.c[v][lane]);
      for (int k = 0; k < form.k; ++k) sum += int64_t{a[row][k]} * b[column][k];
      if (form.satfinite) sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
      result[v][lane] = static_cast<uint32_t>(sum);
    }
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) operands.d[v][lane] = result[v][lane];
}

void mma_exact_f8_by_f16(const MmaForm& form, const MmaOperands& operands) {
  const MmaForm half_form{Element::kF16, Element::kF16};
  uint32_t a[2][4][32], b[2][2][32], sum[4][32] = {};
  const auto pair = [](Element element, uint32_t word, int step) {
    const uint32_t low = word >> 16 * step & 0xff, high = word >> (16 * step + 8) & 0xff;
    if (element == Element::kE4m3) return e4m3_to_f16(low) | static_cast<uint32_t>(e4m3_to_f16(high)) << 16;
    return e5m2_to_f16(low) | static_cast<uint32_t>(e5m2_to_f16(high)) << 16;
  };
  for (int step = 0; step < 2; ++step)
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) a[step][i][lane] = pair(form.a, operands.a[i][lane], step);
      for (int i = 0; i < 2; ++i) b[step][i][lane] = pair(form.b, operands.b[i][lane], step);
    }
  for (int step = 0; step < 2; ++step) {
    const MmaOperands once{{sum[0], sum[1], sum[2], sum[3]},
                           {a[step][0], a[step][1], a[step][2], a[step][3]},
                           {b[step][0], b[step][1]},
                           {sum[0], sum[1], sum[2], sum[3]}};
    mma_exact_float<Arch::kSm90>(half_form, once);
  }
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const float total = std::bit_cast<float>(sum[v][lane]) + std::bit_cast<float>(operands.c[v][lane]);
      const uint32_t bits = std::bit_cast<uint32_t>(total);
      operands.d[v][lane] = is_nan_f32(bits) ? kNanF32 : bits;
    }
}

}  // namespace sim::numerics

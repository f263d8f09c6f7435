// mma.sync of f64: each element of D is a chain of fused multiply-adds in the order of k, each rounded as the opcode
// says (arXiv 2511.10909: so do A100 and H100; for sm_120 ptxas makes chains of m8n8k4). Lane l = 4g + t: register r of
// A is (row g + 8 (r % 2), k = t + 4 (r / 2)), of B (k = t + 4 r, column g), of C and D (row g + 8 (r / 2), column 2t +
// r % 2); with 8 rows, A has one register and the row is g.
#include "ops/async_ops.hpp"
#include "ops/float_views.hpp"

namespace sim {
namespace {

template <int kRows, int kDepth, Mode kMode>
void multiply(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  constexpr int kHalves = kRows / 8, kSteps = kDepth / 4;
  constexpr int kRegistersD = 2 * kHalves, kRegistersA = kHalves * kSteps;
  const uint32_t* const slots = i.ops;
  const auto registers = [&](int first, int n) { return u64(w, slots[first + n]); };
  uint64_t result[kRegistersD][kWarpSize];
  {
    const Rounding<kMode> rounding;
    for (int d = 0; d < kRegistersD; ++d)
      for (int lane = 0; lane < kWarpSize; ++lane) {
        const int g = lane / 4, column = 2 * (lane % 4) + d % 2, half = d / 2;
        uint64_t sum = registers(kRegistersD + kRegistersA + kSteps, d)[lane];
        for (int k = 0; k < kDepth; ++k) {
          const uint64_t a = registers(kRegistersD, half + kHalves * (k / 4))[4 * g + k % 4];
          const uint64_t b = registers(kRegistersD + kRegistersA, k / 4)[4 * column + k % 4];
          sum = propagate(F64::encode(std::fma(F64::decode(a), F64::decode(b), F64::decode(sum))), b, sum, a);
        }
        result[d][lane] = sum;
      }
  }
  for (int d = 0; d < kRegistersD; ++d) std::memcpy(registers(0, d), result[d], sizeof result[d]);
}

template <int kRows, int kDepth>
Handler bind(const ptx::Statement& s, Instr&) {
  if (s.has("rz")) return multiply<kRows, kDepth, Mode::kZero>;
  if (s.has("rm")) return multiply<kRows, kDepth, Mode::kDown>;
  return s.has("rp") ? multiply<kRows, kDepth, Mode::kUp> : multiply<kRows, kDepth, Mode::kNearest>;
}

constexpr char kIsa[] = "9.7.14.5.14 mma";

const Form kForms[] = {
    {"mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64[|.rn|.rz|.rm|.rp]", "v2r64 v1r64 v1r64 v2r64", nullptr,
     bind<8, 4>, Unit::kFp64, kIsa},
    {"mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64[|.rn|.rz|.rm|.rp]", "v4r64 v2r64 v1r64 v4r64", nullptr,
     bind<16, 4>, Unit::kFp64, kIsa},
    {"mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64[|.rn|.rz|.rm|.rp]", "v4r64 v4r64 v2r64 v4r64", nullptr,
     bind<16, 8>, Unit::kFp64, kIsa},
    {"mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64[|.rn|.rz|.rm|.rp]", "v4r64 v8r64 v4r64 v4r64", nullptr,
     bind<16, 16>, Unit::kFp64, kIsa},
};

}  // namespace

std::span<const Form> mma_double_forms() { return kForms; }

}  // namespace sim

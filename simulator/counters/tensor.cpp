// Issue intervals of mma.sync: how long one MMA keeps the tensor pipe of a quarter of an SM.
// SM120: every MMA over 32 bytes of K takes 16 cycles; GeForce cards take 32 where they accumulate in f32 without block
// scales, and for mxf8f6f4 with both operands narrower than 8 bits. Hopper through mma.sync: 6.06 were measured
// on an H200 (docs/probes.md).
#include "counters/sums.hpp"

namespace sim::counters {
namespace {

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// Depth in bytes of a row of A, of its kept elements where it is sparse: 32, or 16 for the half forms.
bool is_half(const std::string& ptx) {
  if (has(ptx, ".sp.") || has(ptx, ".sp::"))
    return has(ptx, "m16n8k8.") || has(ptx, "k16.row.col.f32.f16") || has(ptx, "k16.row.col.f32.bf16") ||
           has(ptx, "k16.row.col.f16") || (has(ptx, "m16n8k32.") && has(ptx, "8.s32")) ||
           (has(ptx, "m16n8k64.") && has(ptx, "4.s32"));
  return has(ptx, "m16n8k8.row.col.f32.bf16") || has(ptx, "m16n8k8.row.col.f32.f16") ||
         has(ptx, "m16n8k8.row.col.f16") || has(ptx, "m16n8k4.") || has(ptx, "k16.row.col.f32.e") ||
         has(ptx, "k16.row.col.s32") || has(ptx, "k16.row.col.satfinite.s32");
}

}  // namespace

uint32_t tensor_interval(const std::string& ptx, const Card& card) {
  uint32_t full = 16;
  if (card.cc_major == 9) {
    full = 6;
  } else if (std::string(card.key).starts_with("rtx-50")) {
    const bool is_scaled = has(ptx, "block_scale"), is_f32 = has(ptx, ".f32.");
    const bool has_fp8 = has(ptx, "e4m3") || has(ptx, "e5m2");
    if (is_f32 && (!is_scaled || (has(ptx, "mxf8f6f4") && !has_fp8))) full = 32;
  }
  return is_half(ptx) ? full / 2 : full;
}

}  // namespace sim::counters

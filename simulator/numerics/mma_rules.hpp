// mma_rules.hpp: how each architecture's tensor core sums, as one table.
//
// The model is the truncated fused dot product (Xie et al., "Bit-Accurate Modeling of GPU Matrix Multiply-Accumulate
// Units", arXiv 2511.10909, tables 4 and 5): the terms of a sum are exact, each is cut toward zero at
// 2^(largest exponent - fraction_bits), the cut terms are added exactly, and the sum is rounded once. An exponent here
// is the sum of the factors' exponent fields (a product of significands in [1, 4) is not normalised first; subnormals
// read as the smallest exponent). A zero C reads as exponent `zero`; so does a zero product, which can never win
// against C. In the block-scaled k64 forms a term is the exact sum of `group` products, aligned by its scales'
// exponents even where every product is zero; a zero scale reads as a zero term.
#pragma once

#include "mma.hpp"

namespace sim::numerics {

enum class Rounding : uint8_t { kF32TowardZero, kF16NearestEven };

struct MmaRule {
  Arch arch;
  Element first, last;  // element types of A and B, a range of the enum
  BlockScale scale_first, scale_last;
  Accumulator accumulator;
  int terms;          // products summed at once; k is at most this on both architectures
  int group;          // products that form one term
  int fraction_bits;  // kept below the largest exponent
  int zero;           // exponent of a zero
  Rounding rounding;
};

inline constexpr MmaRule kMmaRules[] = {
    {Arch::kSm90, Element::kF16, Element::kTf32, BlockScale::kNone, BlockScale::kNone, Accumulator::kF32, 16, 1, 25,
     -133, Rounding::kF32TowardZero},
    {Arch::kSm90, Element::kF16, Element::kF16, BlockScale::kNone, BlockScale::kNone, Accumulator::kF16, 16, 1, 25, -22,
     Rounding::kF16NearestEven},
    {Arch::kSm120, Element::kF16, Element::kTf32, BlockScale::kNone, BlockScale::kNone, Accumulator::kF32, 16, 1, 25,
     -133, Rounding::kF32TowardZero},
    {Arch::kSm120, Element::kF16, Element::kF16, BlockScale::kNone, BlockScale::kNone, Accumulator::kF16, 16, 1, 25,
     -22, Rounding::kF16NearestEven},
    {Arch::kSm120, Element::kE4m3, Element::kE2m1, BlockScale::kNone, BlockScale::k1xUe8m0, Accumulator::kF32, 32, 1,
     25, -133, Rounding::kF32TowardZero},
    {Arch::kSm120, Element::kE4m3, Element::kE2m1, BlockScale::kNone, BlockScale::kNone, Accumulator::kF16, 32, 1, 25,
     -22, Rounding::kF16NearestEven},
    {Arch::kSm120, Element::kE2m1, Element::kE2m1, BlockScale::k2xUe8m0, BlockScale::k4xUe4m3, Accumulator::kF32, 64,
     16, 35, -139, Rounding::kF32TowardZero},
};

// The rule of a form, or nullptr.
constexpr const MmaRule* find_mma_rule(Arch arch, const MmaForm& form) {
  for (const MmaRule& rule : kMmaRules)
    if (rule.arch == arch && form.a >= rule.first && form.a <= rule.last && form.b >= rule.first &&
        form.b <= rule.last && form.scale >= rule.scale_first && form.scale <= rule.scale_last &&
        form.accumulator == rule.accumulator && form.k <= rule.terms)
      return &rule;
  return nullptr;
}

}  // namespace sim::numerics

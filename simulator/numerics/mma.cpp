// mma.cpp: which function executes which form of mma.sync on which architecture and processor.
#include "mma.hpp"

#include "isa.hpp"
#include "mma_avx512.hpp"
#include "mma_exact.hpp"
#include "mma_rows.hpp"
#include "mma_rules.hpp"

namespace sim::numerics {
namespace {

constexpr bool is_f8f6f4(Element element) { return element >= Element::kE4m3 && element <= Element::kE2m1; }
constexpr bool is_f8(Element element) { return element == Element::kE4m3 || element == Element::kE5m2; }
constexpr bool is_integer(Element element) { return element == Element::kS8 || element == Element::kU8; }

// Shapes and type pairs that PTX has; the rule table alone would accept mixtures of f16 and bf16.
bool exists(Arch arch, const MmaForm& form) {
  const bool plain = form.scale == BlockScale::kNone;
  if (is_integer(form.a) && is_integer(form.b))
    return plain && form.accumulator == Accumulator::kS32 && (form.k == 16 || form.k == 32);
  if (form.satfinite || form.accumulator == Accumulator::kS32) return false;
  if (form.a == Element::kTf32)
    return form.b == form.a && plain && form.accumulator == Accumulator::kF32 && (form.k == 4 || form.k == 8);
  if (form.a == Element::kF16 || form.a == Element::kBf16)
    return form.b == form.a && plain && (form.k == 8 || form.k == 16) &&
           (form.accumulator == Accumulator::kF32 || form.a == Element::kF16);
  if (!is_f8f6f4(form.a) || !is_f8f6f4(form.b)) return false;
  if (form.scale >= BlockScale::k2xUe8m0)
    return arch == Arch::kSm120 && form.a == Element::kE2m1 && form.b == Element::kE2m1 && form.k == 64 &&
           form.accumulator == Accumulator::kF32;
  if (arch == Arch::kSm90)
    return plain && is_f8(form.a) && is_f8(form.b) && form.k == 32 && form.accumulator == Accumulator::kF32;
  if (form.scale == BlockScale::k1xUe8m0) return form.k == 32 && form.accumulator == Accumulator::kF32;
  return form.k == 32 || (form.k == 16 && is_f8(form.a) && is_f8(form.b));
}

}  // namespace

bool mma_has_avx512() {
  static const bool has = isa() == Isa::kAvx512 && __builtin_cpu_supports("avx512vnni") != 0;
  return has;
}

MmaFunction find_mma_exact(Arch arch, const MmaForm& form) {
  if (!exists(arch, form)) return nullptr;
  if (is_integer(form.a)) return mma_exact_integer;
  if (arch == Arch::kSm90 && is_f8(form.a)) return mma_exact_f8_by_f16;
  return arch == Arch::kSm90 ? mma_exact_float<Arch::kSm90> : mma_exact_float<Arch::kSm120>;
}

MmaFunction find_mma_rows(Arch arch, const MmaForm& form) {
  const bool emulated = arch == Arch::kSm90 && is_f8(form.a);
  if (!exists(arch, form) || is_integer(form.a) || emulated || isa() == Isa::kBaseline) return nullptr;
  return arch == Arch::kSm90 ? mma_rows<Arch::kSm90> : mma_rows<Arch::kSm120>;
}

MmaFunction find_mma(Arch arch, const MmaForm& form) {
  const MmaFunction exact = find_mma_exact(arch, form);
  if (exact == nullptr) return nullptr;
  const MmaFunction fast = mma_has_avx512() ? find_mma_avx512(arch, form) : nullptr;
  if (fast != nullptr) return fast;
  const MmaFunction rows = find_mma_rows(arch, form);
  return rows != nullptr ? rows : exact;
}

}  // namespace sim::numerics

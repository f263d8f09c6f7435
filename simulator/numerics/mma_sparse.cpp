// mma_sparse.cpp: for each element of D the rows of B that metadata names, then the dense model (mma_output.hpp).
#include "mma_sparse.hpp"

#include <algorithm>
#include <bit>

#include "mma_exact.hpp"
#include "mma_output.hpp"

namespace sim::numerics {
namespace {

constexpr int kMaxB = 2 * kMmaMaxK;

constexpr bool is_byte(Element e) { return e == Element::kS8 || e == Element::kU8; }
constexpr bool is_nibble(Element e) { return e == Element::kS4 || e == Element::kU4; }

constexpr int bits_of(const MmaForm& kept) {
  if (is_byte(kept.a)) return 8;
  return is_nibble(kept.a) ? 4 : container_bits(kept, kept.a);
}

// Metadata of one row: `bits` in all, in pieces of `piece` bits, each in a lane of its own.
struct Layout {
  int bits, piece;

  int pieces() const { return bits / piece; }
  bool is_halved() const { return piece == 16; }  // a word serves rows g and g + 8
  int lanes() const { return is_halved() ? pieces() : 2 * pieces(); }
  int lane(int row, int selector, int which) const {
    const int first = 4 * (row & 7) + selector * lanes();
    return is_halved() ? first + which : first + 2 * which + (row >> 3);
  }
};

Layout layout_of(const MmaForm& kept) {
  const int width = bits_of(kept);
  const int per_element = width == 32 ? 4 : width == 4 ? 1 : 2;
  return {kept.k * per_element, width >= 16 ? 16 : 32};
}

uint64_t metadata_of(const Layout& layout, const SparseOperands& operands, int row) {
  uint64_t all = 0;
  for (int which = 0; which < layout.pieces(); ++which) {
    uint64_t word = operands.metadata[layout.lane(row, operands.selector, which)];
    if (layout.is_halved()) word = word >> 16 * (row >> 3) & 0xffff;
    all |= word << layout.piece * which;
  }
  return all;
}

// The row of B that kept element k of A multiplies.
int column_of(int width, uint64_t metadata, int k) {
  if (width == 32) return 2 * k + static_cast<int>(metadata >> (4 * k + 1) & 1);
  if (width == 4) return 8 * (k / 4) + 2 * static_cast<int>(metadata >> 2 * (k / 2) & 3) + k % 2;
  return 4 * (k / 2) + static_cast<int>(metadata >> 2 * k & 3);
}

// A's kept elements and all of B, decoded.
template <class T>
struct Tile {
  T a[kMmaRows][kMmaMaxK];
  T b[kMmaColumns][kMaxB];
  uint8_t column[kMmaRows][kMmaMaxK];  // of each kept element

  template <class DecodeA, class DecodeB>
  Tile(const SparseForm& form, const SparseOperands& operands, DecodeA decode_a, DecodeB decode_b) {
    const int width = bits_of(form.kept), per = 32 / width, halves = form.kept.k / (4 * per);
    const uint32_t mask = width == 32 ? ~0u : (1u << width) - 1;
    for (int lane = 0; lane < 32; ++lane)
      for (int j = 0; j < per; ++j) {
        const int g = lane >> 2, first = per * (lane & 3) + j;
        for (int r = 0; r < 2 * halves; ++r) {
          a[g + 8 * (r & 1)][first + 4 * per * (r >> 1)] = decode_a(operands.kept.a[r][lane] >> width * j & mask);
          b[g][first + 4 * per * r] = decode_b(operands.b[r][lane] >> width * j & mask);
        }
      }
    const Layout layout = layout_of(form.kept);
    for (int row = 0; row < kMmaRows; ++row) {
      const uint64_t metadata = metadata_of(layout, operands, row);
      for (int k = 0; k < form.kept.k; ++k) column[row][k] = static_cast<uint8_t>(column_of(width, metadata, k));
    }
  }
};

// Calls `element(row, column, c)` for each element of D.
template <class F>
void for_each_output(const MmaForm& kept, const MmaOperands& operands, F&& element) {
  const bool half = kept.accumulator == Accumulator::kF16;
  uint32_t result[4][32];
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      const int row = (lane >> 2) + 8 * (v >> 1), column = 2 * (lane & 3) + (v & 1);
      const uint32_t c = half ? operands.c[v >> 1][lane] >> 16 * (v & 1) & 0xffff : operands.c[v][lane];
      result[v][lane] = element(row, column, c);
    }
  for (int v = 0; v < 4; ++v)
    for (int lane = 0; lane < 32; ++lane) {
      if (!half) operands.d[v][lane] = result[v][lane];
      if (half && v % 2 == 0) operands.d[v / 2][lane] = result[v][lane] | result[v + 1][lane] << 16;
    }
}

template <Arch kArch>
void sparse_float(const SparseForm& form, const SparseOperands& operands) {
  const MmaForm& kept = form.kept;
  const MmaRule& rule = *find_mma_rule(kArch, kept);
  const auto decoder = [&](Element element) {
    return [format = format_of(element), element, width = bits_of(kept)](uint32_t container) {
      return unpack(format, code_of(element, width, container));
    };
  };
  const Tile<Value> tile(form, operands, decoder(kept.a), decoder(kept.b));
  Scales scales;
  if (kept.scale != BlockScale::kNone) load_scales(kept, operands.kept, scales);
  for_each_output(kept, operands.kept, [&](int row, int column, uint32_t c) {
    Value b[kMmaMaxK];
    for (int k = 0; k < kept.k; ++k) b[k] = tile.b[column][tile.column[row][k]];
    return output(kept, rule, tile.a[row], b, scales, row, column, c);
  });
}

// fp8 as sm_90 executes it (mma_exact_f8_by_f16): two sparse products of f16, of bytes 0 and 1 of each word of A, then
// of bytes 2 and 3 on top, and an f32 addition of C.
void sparse_f8_by_f16(const SparseForm& form, const SparseOperands& operands) {
  const MmaForm half{Element::kF16, Element::kF16};
  const MmaRule& rule = *find_mma_rule(Arch::kSm90, half);
  const auto decoder = [](Element element) {
    return [element](uint32_t byte) {
      return unpack(kF16, element == Element::kE4m3 ? e4m3_to_f16(byte) : e5m2_to_f16(byte));
    };
  };
  const Tile<Value> tile(form, operands, decoder(form.kept.a), decoder(form.kept.b));
  for_each_output(form.kept, operands.kept, [&](int row, int column, uint32_t c) {
    uint32_t sum = 0;
    for (int step = 0; step < 2; ++step) {
      Value a[16], b[16];
      for (int k = 0; k < 16; ++k) {
        const int from = 4 * (k / 2) + 2 * step + k % 2;
        a[k] = tile.a[row][from];
        b[k] = tile.b[column][tile.column[row][from]];
      }
      sum = output(half, rule, a, b, {}, row, column, sum);
    }
    const uint32_t bits = std::bit_cast<uint32_t>(std::bit_cast<float>(sum) + std::bit_cast<float>(c));
    return is_nan_f32(bits) ? kNanF32 : bits;
  });
}

void sparse_integer(const SparseForm& form, const SparseOperands& operands) {
  const int width = bits_of(form.kept);
  const auto decoder = [width](Element element) {
    const bool is_signed = element == Element::kS8 || element == Element::kS4;
    return [is_signed, above = 32 - width](uint32_t code) {
      return is_signed ? static_cast<int32_t>(code << above) >> above : static_cast<int32_t>(code);
    };
  };
  const Tile<int32_t> tile(form, operands, decoder(form.kept.a), decoder(form.kept.b));
  for_each_output(form.kept, operands.kept, [&](int row, int column, uint32_t c) {
    int64_t sum = static_cast<int32_t>(c);
    for (int k = 0; k < form.kept.k; ++k) sum += int64_t{tile.a[row][k]} * tile.b[column][tile.column[row][k]];
    if (form.kept.satfinite) sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
    return static_cast<uint32_t>(sum);
  });
}

bool is_pattern(const SparseForm& form, uint32_t bits) {
  if (bits_of(form.kept) == 32) return bits == 0b0100 || bits == 0b1110;
  const uint32_t first = bits & 3, second = bits >> 2;
  return form.is_ordered ? first < second : first != second;
}

}  // namespace

SparseFunction find_mma_sparse(Arch arch, const SparseForm& form) {
  const MmaForm& kept = form.kept;
  if (form.has_kind && (arch == Arch::kSm90 || !form.is_ordered)) return nullptr;
  if (is_nibble(kept.a) && is_nibble(kept.b))
    return kept.accumulator == Accumulator::kS32 && (kept.k == 32 || kept.k == 64) ? sparse_integer : nullptr;
  const MmaFunction dense = find_mma_exact(arch, kept);
  if (dense == nullptr) return nullptr;
  if (dense == mma_exact_integer) return sparse_integer;
  if (dense == mma_exact_f8_by_f16) return sparse_f8_by_f16;
  return arch == Arch::kSm90 ? sparse_float<Arch::kSm90> : sparse_float<Arch::kSm120>;
}

int selector_count(const SparseForm& form) { return 4 / layout_of(form.kept).lanes(); }

std::optional<BadMetadata> find_bad_metadata(const SparseForm& form, const SparseOperands& operands) {
  const Layout layout = layout_of(form.kept);
  const int chunk_columns = 8 * form.kept.k / layout.bits;  // columns that four bits describe
  for (int row = 0; row < kMmaRows; ++row) {
    const uint64_t metadata = metadata_of(layout, operands, row);
    for (int at = 0; at < layout.bits; at += 4) {
      const uint32_t bits = metadata >> at & 15;
      if (!is_pattern(form, bits))
        return BadMetadata{layout.lane(row, operands.selector, at / layout.piece), row, at / 4 * chunk_columns, bits};
    }
  }
  return std::nullopt;
}

}  // namespace sim::numerics

// mma_sparse.hpp: the registers of one warp-wide mma.sp in, the registers of D out. A holds the kept half of its
// elements; metadata says which columns they came from, and only those rows of B are multiplied:
//
//   A kept     a0 a1 | a2 a3 ..      two of every four columns   (tf32: one of two; four bits: two pairs of four pairs)
//   metadata   i0 i1 | i2 i3 ..      two bits each, the lowest first; row by row
//   D = C + a0 B[i0] + a1 B[i1] + a2 B[4 + i2] + a3 B[4 + i3] ..
//
// So a sparse product is the dense one of half the depth over rows of B that differ with the row of A, and sums as that
// does. A, C, D and scales lie in their registers as in the dense form of half the depth; register i of B holds bytes
// [4t + 16 i, +4) of column g. Metadata of 16- and 32-bit types: a word has 16 bits of row g low and of row g + 8 high;
// of narrower types: 32 bits of row g in even lanes and of row g + 8 in odd ones. The selector says with which lanes of
// each four they begin.
#pragma once

#include <optional>

#include "mma.hpp"

namespace sim::numerics {

struct SparseForm {
  MmaForm kept;             // the dense form over the kept elements: its k is half the shape's
  bool is_ordered = false;  // .sp::ordered_metadata: indices climb
  bool has_kind = false;    // .kind: forms that only the SM120 family has
  bool operator==(const SparseForm&) const = default;
};

struct SparseOperands {
  MmaOperands kept;      // its b is not used
  const uint32_t* b[4];  // the small shapes have two
  const uint32_t* metadata;
  uint8_t selector = 0;
};

using SparseFunction = void (*)(const SparseForm&, const SparseOperands&);

// nullptr: the architecture lacks the form.
SparseFunction find_mma_sparse(Arch arch, const SparseForm& form);

// Selectors are below this: 4 where one lane of four has all metadata of its two rows, 2 for two lanes, 1 for all.
int selector_count(const SparseForm& form);

// Four bits of metadata that name no pattern, so that the product is undefined.
struct BadMetadata {
  int lane, row, column;  // the register's lane; the first column of the chunk
  uint32_t bits;
};
std::optional<BadMetadata> find_bad_metadata(const SparseForm& form, const SparseOperands& operands);

}  // namespace sim::numerics

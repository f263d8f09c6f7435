// The order in which the GEMM kernels add, worked out from a plan's numbers alone: what the traits promise, by other
// arithmetic.
#pragma once

#include <algorithm>
#include <vector>

#include "b12x/gemm.hpp"
#include "tests/reference/gemm.hpp"

namespace b12x::testing {

class OrderOfSums {
 public:
  explicit OrderOfSums(const GemmPlan& plan) : plan_(plan), tiles_(plan.tiles) {
    const GemmProblem& p = plan.problem;
    column_tiles_ = plan.family == GemmKernel::kSkinny ? plan.tiles / p.l : (p.n + plan.tile_n - 1) / plan.tile_n;
    row_tiles_ = (p.m + plan.tile_m - 1) / plan.tile_m;
    number_tiles();
    if (plan.family == GemmKernel::kSkinny) {
      // A segment's chunks go to its accumulators in turn.
      const int accumulators = p.m <= 8 ? 16 : 8;
      const int64_t chunks = (p.k + 63) / 64, whole = plan.tiles - plan.shared_tiles;
      const auto fill = [=](int64_t units, int64_t, std::vector<int>& segment) {
        for (int chunk = 0; chunk < units; ++chunk) segment.push_back(chunk % accumulators);
      };
      for (int64_t tile = 0; tile < whole; ++tile) fill(chunks, 0, tiles_[tile].segments.emplace_back());
      cut(whole, plan.shared_tiles, chunks, fill);
    } else if (plan.shared_tiles > 0) {
      const int64_t chunks = (p.k + 63) / 64, per_unit = plan.tile_k / 64;
      cut(plan.tiles - plan.shared_tiles, plan.shared_tiles, (chunks + per_unit - 1) / per_unit,
          [=](int64_t units, int64_t first, std::vector<int>& segment) {
            segment.assign(std::min(units * per_unit, chunks - first * per_unit), 0);
          });
    }
  }

  const reference::Order& at(int64_t batch, int64_t row, int64_t column) const {
    const int64_t place = (batch * row_tiles_ + row / plan_.tile_m) * column_tiles_ + column_tile(column);
    return tiles_[number_[place]];
  }

 private:
  // Of 128 columns a skinny kernel's narrow tiles have a part of each quarter.
  int64_t column_tile(int64_t column) const {
    if (plan_.family == GemmKernel::kTiled) return column / plan_.tile_n;
    return column / 128 * (128 / plan_.tile_n) + column % 32 / (plan_.tile_n / 4);
  }

  // Skinny: column by column. Tiled: bands of 16 row tiles; in a band column by column.
  void number_tiles() {
    const int64_t batches = plan_.problem.l;
    number_.resize(batches * row_tiles_ * column_tiles_);
    int64_t next = 0;
    for (int64_t batch = 0; batch < batches; ++batch) {
      for (int64_t band = 0; band < row_tiles_; band += 16) {
        for (int64_t column = 0; column < column_tiles_; ++column) {
          for (int64_t row = band; row < std::min(band + 16, row_tiles_); ++row) {
            number_[(batch * row_tiles_ + row) * column_tiles_ + column] = next++;
          }
        }
      }
    }
  }

  // Tiles from `first` on, of `units` each, on a line that the blocks share equally, the first ones one unit more.
  template <class Fill>
  void cut(int64_t first_tile, int64_t count, int64_t units, Fill&& fill) {
    const int64_t blocks = plan_.sharing_blocks, all = count * units;
    int64_t begin = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t end = begin + all / blocks + (block < all % blocks ? 1 : 0);
      while (begin < end) {
        const int64_t tile = begin / units, part = std::min(end, (tile + 1) * units) - begin;
        fill(part, begin % units, tiles_[first_tile + tile].segments.emplace_back());
        begin += part;
      }
    }
  }

  GemmPlan plan_;
  int64_t row_tiles_ = 0, column_tiles_ = 0;
  std::vector<int64_t> number_;          // [batch][row tile][column tile]
  std::vector<reference::Order> tiles_;  // by number
};

}  // namespace b12x::testing

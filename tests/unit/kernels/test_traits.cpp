// Launch shapes that host and device share.
#include <doctest/doctest.h>

#include <utility>

#include "kernels/gemm/fp4_gemm_tiled_params.h"
#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "kernels/quant/quant_params.h"
#include "kernels/quant/quant_traits.h"
#include "kernels/tile/scale_layout.h"

using namespace b12x;

TEST_CASE("quantise: warps for all sectors of scale bytes, padding included, at most one wave") {
  CHECK(Nvfp4QuantizeTraits::scale_bytes(1, 64) == 512);
  CHECK(Nvfp4QuantizeTraits::scale_bytes(129, 80) == 2 * 2 * 512);
  CHECK(Nvfp4QuantizeTraits::scale_bytes(300, 4096) == tile::scale_bytes(300, 256));
  CHECK(Nvfp4QuantizeTraits::units(129, 80, 1) == 2 * 2 * 16);
  CHECK(Nvfp4QuantizeTraits::units(129, 80, 2) == 2 * 16);
  CHECK(Nvfp4QuantizeTraits::units(129, 144, 2) == 2 * 2 * 16);
  CHECK(Nvfp4QuantizeTraits::grid(16, 188) == 2);
  CHECK(Nvfp4QuantizeTraits::grid(1 << 20, 188) == 188 * 4);
  CHECK(Nvfp4AmaxTraits::grid(1, 188) == 1);
  CHECK(Nvfp4AmaxTraits::grid(9, 188) == 2);
}

TEST_CASE("tiles that do not fill whole waves are cut along k, evenly, and each unit is done once") {
  using Tiled = Fp4GemmTiledTraits<16, 128, 128>;
  CHECK(Tiled::row_tiles(129) * Tiled::column_tiles(129) == 4);
  CHECK(Fp4GemmTiledTraits<16, 64, 128>::row_tiles(129) == 3);
  CHECK(Tiled::stages(32) == 1);
  CHECK(Tiled::stages(4128) == 33);
  struct Row {
    int64_t tiles, stages, blocks, shared;
  };
  for (const Row& row : {Row{188, 8, 188, 0},                   // a full wave
                         Row{1024, 32, 188, 272},               // 4 full waves, 1.45 shared
                         Row{1024, 4, 188, 0},                  // 8 stages against 6: less than passing pieces on costs
                         Row{300, 32, 188, 300},                // one to two waves: all shared
                         Row{375, 32, 188, 0},                  // a last tile less: nothing to gain
                         Row{4, 11, 4, 0},                      // two pieces would be shorter than 6 stages
                         Row{4, 12, 8, 4}, Row{4, 100, 32, 4},  // at most 8 pieces
                         Row{100, 64, 188, 100}}) {
    CAPTURE(row.tiles);
    CAPTURE(row.stages);
    const auto [blocks, shared] = Tiled::divide(row.tiles, row.stages, 188);
    CHECK(blocks == row.blocks);
    CHECK(shared == row.shared);
    const TiledWork work = TiledWork::of(row.tiles, shared, row.stages, blocks);
    CHECK(work.whole_tiles + work.shared_tiles == row.tiles);
    CHECK(work.begin(0) == 0);
    CHECK(work.begin(static_cast<int32_t>(blocks)) == shared * row.stages);
    for (int32_t block = 0; block < blocks; ++block) {
      for (int32_t unit = work.begin(block); unit < work.begin(block + 1); ++unit) {
        if (work.block_of(unit) != block) FAIL("unit ", unit, " is of block ", work.block_of(unit), ", not ", block);
      }
    }
    // A block's pieces of different tiles have different slots.
    for (int32_t tile = 0; tile + 1 < shared; ++tile) {
      const int32_t block = work.last_block(tile);
      if (block == work.first_block(tile + 1) && work.begin(block) < tile * row.stages) continue;  // whole in between
      if (block == work.first_block(tile + 1)) CHECK(work.slot(block, tile) != work.slot(block, tile + 1));
    }
  }
  CHECK(Tiled::workspace_bytes(0, 188) == 0);
  CHECK(Tiled::workspace_bytes(65, 188) == 4096 + 2 * 188 * 65536);
}

TEST_CASE("the skinny kernel's blocks share the line of chunks evenly, each chunk once") {
  using Narrow = Nvfp4GemmSkinnyTraits<1>;
  CHECK(Narrow::tiles(8, 1) == 1);
  CHECK(Narrow::tiles(16, 1) == 2);
  CHECK(Narrow::tiles(24, 1) == 3);
  CHECK(Narrow::tiles(32, 1) == 4);  // of 32 rows in four quarters, of which three are not there
  CHECK(Narrow::tiles(128, 1) == 4);
  CHECK(Narrow::tiles(136, 3) == 15);
  CHECK(Narrow::blocks(4096, 4096, 1, 132) == 128);   // a whole tile each
  CHECK(Narrow::blocks(14336, 4096, 1, 132) == 112);  // four
  CHECK(Narrow::blocks(4608, 4096, 1, 132) == 132);
  CHECK(Narrow::blocks(512, 7168, 1, 188) == 188);
  using Skinny = Nvfp4GemmSkinnyTraits<2>;
  CHECK(Skinny::tiles(8, 1) == 1);
  CHECK(Skinny::tiles(136, 3) == 6);
  CHECK(Skinny::chunks_of_k(32) == 1);
  CHECK(Skinny::chunks_of_k(4096) == 64);
  CHECK(Skinny::blocks(4096, 4096, 1, 188) == 188);
  CHECK(Skinny::blocks(128, 4096, 1, 188) == 16);  // more partials than that the last block would read too long
  CHECK(Skinny::blocks(128, 192, 1, 188) == 3);
  CHECK(Skinny::blocks(4096, 4096, 1, 132) == 128);   // four equal parts a tile
  CHECK(Skinny::blocks(14336, 4096, 1, 132) == 112);  // whole tiles
  CHECK(Skinny::blocks(14336, 4096, 1, 188) == 188);  // 112 would leave too many idle
  CHECK(Skinny::blocks(4608, 4096, 1, 132) == 132);   // 64 chunks are not three equal parts
  CHECK(Skinny::blocks(8192, 28672, 1, 132) == 128);
  CHECK(Skinny::blocks(128 * 200, 4096, 1, 188) == 188);
  for (const auto& [chunks, blocks] : {std::pair{2048, 188}, {448, 64}, {7, 7}, {100, 3}}) {
    const SkinnyWork work = SkinnyWork::of(chunks, blocks);
    int32_t next = 0;
    for (int32_t block = 0; block < blocks; ++block) {
      CHECK(work.begin(block) == next);
      for (const int32_t end = next + work.length(block); next < end; ++next) CHECK(work.block_of(next) == block);
    }
    CHECK(next == chunks);
    CHECK(work.length(0) - work.length(blocks - 1) <= 1);
  }
}

TEST_CASE("shared memory fits a block of SM120, and the swizzled arrays are aligned to the pattern's period") {
  using Tiled = Fp4GemmTiledTraits<16, 128, 128>;
  using Wide = Fp4GemmTiledTraits<16, 128, 256>;
  using Skinny = Nvfp4GemmSkinnyTraits<4>;
  CHECK(sizeof(Tiled::Smem) <= 101376);
  CHECK(sizeof(Wide::Smem) <= 101376);
  CHECK(sizeof(Wide::Stage) % 1024 == 0);
  CHECK(sizeof(Fp4GemmTiledTraits<32, 64, 128>::Stage) % 1024 == 0);
  CHECK(sizeof(Skinny::Smem) <= 101376);
  CHECK(sizeof(Nvfp4GemmSkinnyTraits<1>::Smem) <= 101376);
  CHECK(offsetof(Nvfp4GemmSkinnyParams, b_map) % 64 == 0);
  CHECK(offsetof(Tiled::Stage, b) % 512 == 0);
  CHECK(offsetof(Skinny::Stage, a) % 1024 == 0);
  CHECK(sizeof(Skinny::Stage) % 1024 == 0);
  CHECK(offsetof(Fp4GemmTiledParams, b_map) % 64 == 0);
}

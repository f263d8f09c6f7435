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
  CHECK(Nvfp4AmaxTraits::units_of_row(1, 2) == 1);
  CHECK(Nvfp4AmaxTraits::units_of_row(1025, 2) == 2);
  CHECK(Nvfp4AmaxTraits::units_of_row(1025, 4) == 3);
  CHECK(Nvfp4AmaxTraits::grid(1, 188) == 1);
  CHECK(Nvfp4AmaxTraits::grid(17, 188) == 2);
  CHECK(Nvfp4AmaxTraits::grid(1 << 20, 188) == 188 * 2);
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
    const StreamKWork work = StreamKWork::of(row.tiles, shared, row.stages, blocks);
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
  // Nothing shared: no block has a part, and asking whose a unit is divides by no zero.
  const StreamKWork alone = StreamKWork::of(376, 0, 32, 188);
  for (const int32_t block : {0, 1, 187, 188}) CHECK(alone.begin(block) == 0);
  CHECK(alone.block_of(5) == 5);
  CHECK(Tiled::workspace_bytes(0, 188) == 0);
  CHECK(Tiled::workspace_bytes(65, 188) == 4096 + 2 * 188 * 65536);
}

TEST_CASE(
    "the skinny kernel shares what full waves leave over, a tile among no more blocks than its last one can read") {
  using Skinny = Nvfp4GemmSkinnyTraits<1>;
  CHECK(Skinny::row_tiles(8) == 1);
  CHECK(Skinny::row_tiles(16) == 2);
  CHECK(Skinny::row_tiles(24) == 3);
  CHECK(Skinny::row_tiles(32) == 4);  // of 32 rows in four quarters, of which three are not there
  CHECK(Skinny::row_tiles(128) == 4);
  CHECK(Skinny::row_tiles(136) == 5);
  CHECK(Skinny::chunks_of_k(32) == 1);
  CHECK(Skinny::chunks_of_k(4096) == 64);
  struct Row {
    int64_t tiles, chunks, sms, blocks, shared, sharing;
  };
  for (const Row& row : {Row{132, 64, 132, 132, 0, 1},      // a full wave
                         Row{448, 64, 132, 132, 52, 132},   // three, and 52 shared
                         Row{144, 64, 132, 132, 12, 96},    // one, and 12 in parts of a stage
                         Row{448, 64, 188, 188, 72, 188},   // 112 x 128 rows
                         Row{128, 64, 132, 128, 0, 1},      // a whole tile each, 4 SMs idle
                         Row{128, 64, 188, 188, 128, 188},  // 60 would be idle
                         Row{64, 64, 132, 128, 64, 128},    // halves
                         Row{16, 112, 188, 188, 16, 188},   // 12 segments a tile
                         Row{4, 64, 188, 96, 4, 96},        // 24, and no more
                         Row{4, 3, 188, 12, 4, 12}, Row{4, 1, 188, 4, 0, 1}}) {
    CAPTURE(row.tiles);
    CAPTURE(row.chunks);
    const auto [blocks, shared, sharing] = Skinny::divide(row.tiles, row.chunks, row.sms);
    CHECK(blocks == row.blocks);
    CHECK(shared == row.shared);
    CHECK(sharing == row.sharing);
    const StreamKWork work = StreamKWork::of(row.tiles, shared, row.chunks, sharing);
    CHECK(work.begin(static_cast<int32_t>(blocks)) == shared * row.chunks);
    CHECK(work.whole_tiles % blocks == 0);
    if (shared != 0) CHECK(sharing <= shared * Skinny::kMostSegments);
    int32_t begun = -1;  // the block that is the first of the cut tile before
    for (int32_t tile = 0; tile < shared; ++tile) {
      const int32_t first = work.first_block(tile), last = work.last_block(tile);
      if (first == last) continue;
      CHECK(first > begun);
      begun = first;
    }
  }
  using Wide = Nvfp4GemmSkinnyTraits<4>;
  CHECK(Wide::row_tiles(128) == 2);
  CHECK(Wide::row_tiles(136) == 3);
  CHECK(Skinny::workspace_bytes(0, 132) == 0);
  CHECK(Skinny::workspace_bytes(1, 16) == 4096 + 2 * 16 * 1024);
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
  CHECK(offsetof(Fp4GemmTiledParams, b_map) % 64 == 0);
}

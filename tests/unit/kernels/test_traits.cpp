// Launch shapes that host and device share.
#include <doctest/doctest.h>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_traits.h"
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

TEST_CASE("GEMM tiles cover the output") {
  using Tiled = Nvfp4GemmTiledTraits<128>;
  CHECK(Tiled::tiles(1, 8) == 1);
  CHECK(Tiled::tiles(129, 129) == 4);
  CHECK(Nvfp4GemmTiledTraits<64>::tiles(129, 129) == 6);
  using Skinny = Nvfp4GemmSkinnyTraits;
  CHECK(Skinny::row_tiles(8) == 2);
  CHECK(Skinny::row_tiles(128) == 2);
  CHECK(Skinny::row_tiles(136) == 4);
  CHECK(Skinny::token_groups(33) == 2);
  CHECK(Skinny::a_box_rows(1) == 8);
  CHECK(Skinny::a_box_rows(9) == 16);
  CHECK(Skinny::a_box_rows(100) == 32);
}

TEST_CASE("shared memory fits a block of SM120, and the swizzled arrays are aligned to the pattern's period") {
  using Tiled = Nvfp4GemmTiledTraits<128>;
  using Skinny = Nvfp4GemmSkinnyTraits;
  CHECK(sizeof(Tiled::Smem) <= 101376);
  CHECK(sizeof(Skinny::Smem) <= 101376);
  CHECK(offsetof(Tiled::Stage, b) % 512 == 0);
  CHECK(offsetof(Skinny::Stage, a) % 1024 == 0);
  CHECK(sizeof(Skinny::Stage) % 1024 == 0);
  CHECK(offsetof(Nvfp4GemmParams, b_map) % 64 == 0);
}

// Launch shapes that host and device share.
#include <doctest/doctest.h>

#include <utility>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
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
}

TEST_CASE("the skinny kernel's blocks share the line of chunks evenly, each chunk once") {
  using Skinny = Nvfp4GemmSkinnyTraits<1>;
  CHECK(Skinny::tiles(8, 1) == 1);
  CHECK(Skinny::tiles(136, 3) == 6);
  CHECK(Skinny::chunks_of_k(32) == 1);
  CHECK(Skinny::chunks_of_k(4096) == 64);
  CHECK(Skinny::blocks(4096, 4096, 1, 188) == 188);
  CHECK(Skinny::blocks(128, 4096, 1, 188) == 16);  // more partials than that the last block would read too long
  CHECK(Skinny::blocks(128, 192, 1, 188) == 3);
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
  using Tiled = Nvfp4GemmTiledTraits<128>;
  using Skinny = Nvfp4GemmSkinnyTraits<4>;
  CHECK(sizeof(Tiled::Smem) <= 101376);
  CHECK(sizeof(Skinny::Smem) <= 101376);
  CHECK(sizeof(Nvfp4GemmSkinnyTraits<1>::Smem) <= 101376);
  CHECK(offsetof(Nvfp4GemmSkinnyParams, b_map) % 64 == 0);
  CHECK(offsetof(Tiled::Stage, b) % 512 == 0);
  CHECK(offsetof(Skinny::Stage, a) % 512 == 0);
  CHECK(sizeof(Skinny::Stage) % 512 == 0);
  CHECK(offsetof(Nvfp4GemmParams, b_map) % 64 == 0);
}

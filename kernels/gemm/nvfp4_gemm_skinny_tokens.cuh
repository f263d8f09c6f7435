// nvfp4_gemm_skinny_tokens.cuh: where the math warps of the skinny GEMM find a chunk's tokens: in the stage, where TMA
// has copied them, or among those that the block has quantised itself.
//
//   x [m, k], 16 bits --16-byte loads--> blocks of 16 --quantise--> packed [column of 256 k][token][128 bytes]
//                                                                   scales [chunk of 64 k][token][4]
//   packed bytes lie as TMA's swizzle has them; a thread takes a block at a time, while the first weights are on their
//   way
//
// The values and scales are those of nvfp4_quantize.cuh, bit for bit.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_skinny_traits.h"
#include "kernels/math/nvfp4_block.cuh"
#include "kernels/ptx/device.h"
#include "kernels/tile/load_block.cuh"
#include "kernels/tile/swizzle.h"

namespace b12x {

template <class T>
struct SkinnyTokens {
  uint8_t* packed;
  uint8_t* scales;
  int m;

  B12X_DEVICE SkinnyTokens(const Nvfp4GemmSkinnyParams& p, uint8_t* memory)
      : packed(memory), scales(memory + T::column_bytes(p.m, p.k)), m(p.m) {}

  B12X_DEVICE uint8_t* column(int32_t chunk) const { return packed + chunk / T::kColumnChunks * m * T::kColumnBytes; }
  B12X_DEVICE uint8_t* chunk_scales(int32_t chunk) const { return scales + chunk * m * T::kChunkScaleBytes; }
};

// Of one chunk. Tokens beyond the last read that one again, and what they get is not used.
template <class T>
struct SkinnyTokenChunk {
  const uint8_t* rows;    // of its column
  int byte;               // of a row: the chunk's first. A segment's stages need not begin where a column of k does
  const uint8_t* scales;  // four bytes of each token, kScalePitch apart
  int last;

  static constexpr int kScalePitch = T::kQuantizes ? T::kChunkScaleBytes : 4 * T::kChunkScaleBytes;

  // `chunk` of the tile, which is `here` of the stage.
  B12X_DEVICE SkinnyTokenChunk(const SkinnyTokens<T>& tokens, const typename T::Stage& stage, int32_t chunk, int here) {
    if constexpr (T::kQuantizes) {
      rows = tokens.column(chunk);
      byte = chunk % T::kColumnChunks * (kChunkK / 2);
      scales = tokens.chunk_scales(chunk);
      last = tokens.m - 1;
    } else {
      rows = stage.a[here / T::kColumnChunks];
      byte = here % T::kColumnChunks * (kChunkK / 2);
      scales = stage.a_scales[here];
      last = T::kTokens - 1;  // of a copied tile there are all
    }
  }
  B12X_DEVICE int existing(int token) const { return T::kQuantizes ? min(token, last) : token; }
  B12X_DEVICE const uint8_t* row(int token, int in_chunk) const {
    return rows + tile::swizzle128(existing(token) * T::kColumnBytes + byte + in_chunk);
  }
  B12X_DEVICE uint32_t scales_of(int token) const {
    return *reinterpret_cast<const uint32_t*>(scales + existing(token) * kScalePitch);
  }
};

// What the block's segments need of all tokens: of whole tiles every chunk, of shared ones those of its part, which may
// pass from the end of a tile to the beginning of the next. k that do not exist are zero. All math threads; a barrier
// has to follow.
template <class T, typename Input>
B12X_DEVICE void skinny_quantize_tokens(const Nvfp4GemmSkinnyParams& p, const SkinnyTokens<T>& tokens) {
  constexpr int kBlocks = kChunkK / math::kNvfp4Block;  // of a chunk
  constexpr int kWords = math::kNvfp4Words<Input>;
  const float given = p.global_scale != nullptr ? *p.global_scale : 1.f;
  const int32_t unit = p.work.begin(blockIdx.x), all = p.work.tile_units();
  const bool has_whole = static_cast<int32_t>(blockIdx.x) < p.work.whole_tiles;
  const int32_t begin = has_whole ? 0 : unit - p.work.tile_of(unit) * all;
  const int32_t of_token = kBlocks * (has_whole ? all : min(p.work.begin(blockIdx.x + 1) - unit, all));

  int token = 0, block = static_cast<int>(threadIdx.x);
  const auto find_token = [&] {
    for (; block >= of_token && token < tokens.m; ++token) block -= of_token;
  };
  const auto chunk_of = [&](int of_block) {
    const int32_t turned = begin + of_block / kBlocks;
    return turned < all ? turned : turned - all;
  };
  const auto k_of = [&](int of_block) { return chunk_of(of_block) * kChunkK + of_block % kBlocks * math::kNvfp4Block; };
  const auto load = [&](uint32_t (&words)[kWords]) {
    for (uint32_t& word : words) word = 0;
    if (token >= tokens.m || k_of(block) >= p.k) return;
    const auto* row = static_cast<const typename Input::Storage*>(p.x) + token * p.x_row_stride;
    load_words<Input>(row + k_of(block), true, words);
  };
  uint32_t words[kWords];
  find_token();
  load(words);
  const math::Nvfp4Scale scale = math::nvfp4_scale(p.is_reciprocal != 0 ? __frcp_rn(given) : given);
#pragma unroll 1
  while (token < tokens.m) {
    const int row = token, column = block, chunk = chunk_of(column);
    uint32_t ahead[kWords];  // on its way while this block is quantised
    block += T::kMathThreads;
    find_token();
    load(ahead);
    const math::Nvfp4Block quantized = math::quantize_nvfp4_block<Input>(words, scale);
    const int byte = k_of(column) % (T::kColumnChunks * kChunkK) / 2;
    *reinterpret_cast<uint2*>(tokens.column(chunk) + tile::swizzle128(row * T::kColumnBytes + byte)) = quantized.packed;
    tokens.chunk_scales(chunk)[row * T::kChunkScaleBytes + column % kBlocks] = quantized.scale;
    for (int i = 0; i < kWords; ++i) words[i] = ahead[i];
  }
}

}  // namespace b12x

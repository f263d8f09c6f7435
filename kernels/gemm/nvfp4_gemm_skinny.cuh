// nvfp4_gemm_skinny.cuh: C = alpha * A * B^T for few tokens: weights stream once, as the MMA's 16-row side.
//
//   block (tile, group): 64 rows of B {128 (tile / 2) + 32 q + 16 (tile % 2) + 0..15, q = 0..3}  x  32 tokens of A
//   those rows are half of each scale atom: 256 contiguous bytes, and 16 bytes of it hold the scales of one row of all
//   four q warp 4: producer     warps 0..3: MMA, warp w takes the w-th 64-k chunk of each stage of 256 k ring of 6
//   stages: weights 8 KB + tokens <= 4 KB + scales 3 KB; then the partials of the four warps take its place
//
//      weights [64, K] ---TMA--> smem --ldmatrix--> A operand --.
//      tokens  [<=32, K] -TMA--> smem --ldmatrix--> B operand ---+--> f32 [64 rows][tokens] per warp -> smem -> sum ->
//      C
//
// Order of accumulation: warp w adds chunks w, w + 4, w + 8, ... ascending from +0; C = alpha * (((p0 + p1) + p2) +
// p3). Weights do not depend on the previous kernel: the first stages' loads start before griddepcontrol.wait.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_params.h"
#include "kernels/gemm/nvfp4_gemm_traits.h"
#include "kernels/pipeline/ring.cuh"
#include "kernels/ptx/bulk_copy.cuh"
#include "kernels/ptx/control.cuh"
#include "kernels/ptx/device.h"
#include "kernels/ptx/ldmatrix.cuh"
#include "kernels/ptx/mma.cuh"
#include "kernels/tile/fragment.h"
#include "kernels/tile/scale_layout.h"
#include "kernels/tile/swizzle.h"

namespace b12x {

struct SkinnyProblem {
  using T = Nvfp4GemmSkinnyTraits;
  int32_t row_atom, row_half;   // rows 128 * row_atom + 32 q + 16 * row_half + 0..15
  int32_t first_token, tokens;  // tokens of this group, 1..32
  int32_t chunks, stages;

  B12X_DEVICE explicit SkinnyProblem(const Nvfp4GemmParams& p)
      : row_atom(blockIdx.x / 2),
        row_half(blockIdx.x % 2),
        first_token(blockIdx.y * T::kTileTokens),
        tokens(min(T::kTileTokens, p.m - first_token)),
        chunks(p.k / kChunkK),
        stages((chunks + T::kMathWarps - 1) / T::kMathWarps) {}

  B12X_DEVICE int32_t row(int32_t q) const { return row_atom * tile::kAtomRows + 32 * q + 16 * row_half; }
  B12X_DEVICE int32_t chunks_of_stage(int32_t s) const { return min(T::kMathWarps, chunks - s * T::kMathWarps); }
};

struct SkinnyProducer {
  using T = Nvfp4GemmSkinnyTraits;
  using Ring = pipeline::Ring<T::kStages>;
  static constexpr uint32_t kHalfAtomBytes = kScaleAtomBytes / 2;

  const Nvfp4GemmParams& p;
  const SkinnyProblem& problem;
  T::Smem& smem;

  B12X_DEVICE void load_weights(Ring& ring, int32_t s) const {
    const int32_t chunks = problem.chunks_of_stage(s);
    const uint32_t token_bytes = static_cast<uint32_t>(p.a_box_rows) * T::kRowBytes + chunks * kScaleAtomBytes;
    T::Stage& stage = smem.stages[ring.stage];
    ring.expect(sizeof(T::Stage::b) + chunks * kHalfAtomBytes + token_bytes);
    for (int q = 0; q < T::kMmaRows; ++q) {
      ptx::cp_async_bulk_tensor_2d(&stage.b[q * 16 * T::kRowBytes], &p.b_map, s * T::kRowBytes, problem.row(q),
                                   ring.barrier());
    }
    const uint8_t* scales = p.b_scales + problem.row_half * kHalfAtomBytes +
                            tile::scale_atom_offset(problem.row_atom, s * T::kMathWarps, problem.chunks);
    for (int32_t chunk = 0; chunk < chunks; ++chunk) {
      ptx::cp_async_bulk(&stage.b_scales[chunk * kHalfAtomBytes], scales + chunk * kScaleAtomBytes, kHalfAtomBytes,
                         ring.barrier());
    }
  }

  B12X_DEVICE void load_tokens(Ring& ring, int32_t s) const {
    T::Stage& stage = smem.stages[ring.stage];
    ptx::cp_async_bulk_tensor_2d(stage.a, &p.a_map, s * T::kRowBytes, problem.first_token, ring.barrier());
    ptx::cp_async_bulk(
        stage.a_scales,
        p.a_scales + tile::scale_atom_offset(problem.first_token / tile::kAtomRows, s * T::kMathWarps, problem.chunks),
        problem.chunks_of_stage(s) * kScaleAtomBytes, ring.barrier());
  }

  B12X_DEVICE void run(Ring ring) const {
    const int32_t early = min(T::kStages, problem.stages);
    Ring token_ring = ring;
    for (int32_t s = 0; s < early; ++s, ring.advance()) load_weights(ring, s);
    ptx::griddepcontrol_wait();
    for (int32_t s = 0; s < early; ++s, token_ring.advance()) load_tokens(token_ring, s);
    for (int32_t s = early; s < problem.stages; ++s, ring.advance()) {
      ring.wait_empty();
      load_weights(ring, s);
      load_tokens(ring, s);
    }
  }
};

// One 64-k chunk: all four m16 tiles of weights against the token tiles that exist.
B12X_DEVICE void skinny_mma_chunk(const Nvfp4GemmSkinnyTraits::Stage& stage, int warp, int lane, int token_tiles,
                                  int a_box_rows, int token_scale_word,
                                  float (&acc)[Nvfp4GemmSkinnyTraits::kMmaRows][Nvfp4GemmSkinnyTraits::kMmaTokens][4]) {
  using T = Nvfp4GemmSkinnyTraits;
  const uint32_t b_smem = ptx::shared_address(stage.b) + tile::swizzle128(tile::ldmatrix_a_row(lane) * T::kRowBytes +
                                                                          32 * warp + tile::ldmatrix_a_byte(lane));
  const auto scales = *reinterpret_cast<const uint4*>(
      &stage.b_scales[warp * SkinnyProducer::kHalfAtomBytes + tile::a_scale_row(lane) * 16]);
  const uint32_t row_scales[T::kMmaRows] = {scales.x, scales.y, scales.z, scales.w};
  ptx::Nvfp4A weights[T::kMmaRows];
  for (int q = 0; q < T::kMmaRows; ++q) {
    uint32_t w0, w1, w2, w3;
    ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3, b_smem + q * 16 * T::kRowBytes);
    weights[q] = ptx::nvfp4_a(w0, w1, w2, w3, row_scales[q]);
  }
  for (int j = 0; j < T::kMmaTokens; j += 2) {
    if (j >= token_tiles) break;
    // The box may end at 8 tokens: lanes of the second tile then read the first again, and its result is not used.
    const int token = min(8 * (j + tile::ldmatrix_b_tile(lane)), a_box_rows - 8) + tile::ldmatrix_b_row(lane);
    uint32_t w0, w1, w2, w3;
    ptx::ldmatrix_m8n8_x4_b16(w0, w1, w2, w3,
                              ptx::shared_address(stage.a) +
                                  tile::swizzle128(token * T::kRowBytes + 32 * warp + tile::ldmatrix_b_byte(lane)));
    const uint8_t* token_scales =
        &stage.a_scales[warp * kScaleAtomBytes + (8 * j + tile::b_scale_column(lane)) * 16 + token_scale_word * 4];
    const ptx::Nvfp4B first = ptx::nvfp4_b(w0, w1, *reinterpret_cast<const uint32_t*>(token_scales));
    for (int q = 0; q < T::kMmaRows; ++q) ptx::mma_m16n8k64_mxf4nvf4(acc[q][j], weights[q], first);
    if (j + 1 < token_tiles) {
      const ptx::Nvfp4B second = ptx::nvfp4_b(w2, w3, *reinterpret_cast<const uint32_t*>(token_scales + 8 * 16));
      for (int q = 0; q < T::kMmaRows; ++q) ptx::mma_m16n8k64_mxf4nvf4(acc[q][j + 1], weights[q], second);
    }
  }
}

// The four warps' sums of eight neighbouring rows of one token, in the fixed order of the warps.
B12X_DEVICE void skinny_reduce(const Nvfp4GemmSkinnyTraits::Smem& smem, int token, int tile_row, float (&sums)[8]) {
  using T = Nvfp4GemmSkinnyTraits;
  for (int w = 0; w < T::kMathWarps; ++w) {
    const auto* partial = reinterpret_cast<const float4*>(&smem.partials[w][token][tile_row]);
    const float4 low = partial[0], high = partial[1];
    const float values[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
    for (int i = 0; i < 8; ++i) sums[i] = w == 0 ? values[i] : sums[i] + values[i];
  }
}

template <typename Output>
B12X_DEVICE void nvfp4_gemm_skinny(const Nvfp4GemmParams& p) {
  using T = Nvfp4GemmSkinnyTraits;
  extern __shared__ __align__(1024) uint8_t smem_bytes[];
  auto& smem = *reinterpret_cast<T::Smem*>(smem_bytes);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const SkinnyProblem problem(p);
  if (problem.row(0) >= p.n) return;  // the last atom may have rows for its first half only
  pipeline::Ring<T::kStages> ring(smem.full, smem.empty);

  if (threadIdx.x == 0) {
    ptx::prefetch_tensormap(&p.b_map);
    ptx::prefetch_tensormap(&p.a_map);
    ring.init(T::kMathWarps);
  }
  __syncthreads();
  ptx::griddepcontrol_launch_dependents();

  if (warp == T::kMathWarps) {
    if (ptx::elect_sync()) SkinnyProducer{p, problem, smem}.run(ring);
    return;
  }
  ptx::griddepcontrol_wait();

  const int token_tiles = (problem.tokens + 7) / 8;
  const int token_scale_word = problem.first_token % tile::kAtomRows / 32;
  float acc[T::kMmaRows][T::kMmaTokens][4] = {};
  for (int32_t s = 0; s < problem.stages; ++s) {
    ring.wait_full();
    if (warp < problem.chunks_of_stage(s)) {
      skinny_mma_chunk(smem.stages[ring.stage], warp, lane, token_tiles, p.a_box_rows, token_scale_word, acc);
    }
    __syncwarp();
    if (lane == 0) ring.release();
    ring.advance();
  }

  // Every stage has landed and every warp has read it: the partials may take the ring's place.
  ptx::barrier_cta_sync<1, 32 * T::kMathWarps>();
  for (int j = 0; j < T::kMmaTokens; ++j) {
    if (j >= token_tiles) break;
    for (int q = 0; q < T::kMmaRows; ++q) {
      for (int v = 0; v < 4; ++v) {
        const int token = 8 * j + tile::accumulator_column(lane, v);
        smem.partials[warp][token][16 * q + tile::accumulator_row(lane, v)] = acc[q][j][v];
      }
    }
  }
  ptx::barrier_cta_sync<1, 32 * T::kMathWarps>();

  constexpr int kVectorsPerToken = T::kTileN / 8;
  const float alpha = p.alpha != nullptr ? *p.alpha : 1.f;
  auto* c = static_cast<uint16_t*>(p.c);
  for (int vector = threadIdx.x; vector < problem.tokens * kVectorsPerToken; vector += 32 * T::kMathWarps) {
    const int token = vector / kVectorsPerToken, tile_row = vector % kVectorsPerToken * 8;
    const int32_t column = problem.row(tile_row / 16) + tile_row % 16;
    if (column >= p.n) continue;
    float sums[8];
    skinny_reduce(smem, token, tile_row, sums);
    uint4 out;
    out.x = Output::pack(sums[0] * alpha, sums[1] * alpha);
    out.y = Output::pack(sums[2] * alpha, sums[3] * alpha);
    out.z = Output::pack(sums[4] * alpha, sums[5] * alpha);
    out.w = Output::pack(sums[6] * alpha, sums[7] * alpha);
    *reinterpret_cast<uint4*>(&c[(problem.first_token + token) * p.c_row_stride + column]) = out;
  }
}

}  // namespace b12x

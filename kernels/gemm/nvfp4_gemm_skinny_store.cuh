// nvfp4_gemm_skinny_store.cuh: from a segment's sums in shared memory to C. A segment that is a whole tile goes there
// at once; a part of one goes to the workspace, and the block that comes last adds all parts, in the order of k.
#pragma once

#include <cstdint>

#include "kernels/gemm/nvfp4_gemm_skinny_walk.cuh"
#include "kernels/ptx/atomic.cuh"

namespace b12x {

template <class T>
using SkinnyAccumulators = float[T::kMmaRows][T::kTokenTiles][4];

B12X_DEVICE void add_vector(float4& a, float4 b) {
  a.x += b.x;
  a.y += b.y;
  a.z += b.z;
  a.w += b.w;
}

// Four neighbouring rows of the tile's weights, columns of C.
template <class T>
B12X_DEVICE float4 skinny_read_sums(const typename T::Smem& smem, int token, int vector) {
  return *reinterpret_cast<const float4*>(&smem.sums[token * T::kSumPitch + 4 * vector]);
}

// The first of these columns.
template <class T>
B12X_DEVICE int32_t skinny_column(int32_t row_tile, int vector) {
  const int32_t atom = row_tile / T::kTilesOfAtom, part = row_tile % T::kTilesOfAtom;
  const int quarter = 4 * vector / T::kQuarterRows, row = 4 * vector % T::kQuarterRows;
  return 128 * atom + 32 * quarter + T::kQuarterRows * part + row;
}

// alpha * sum + bias, rounded: four columns of a token.
template <typename Output>
B12X_DEVICE void skinny_store(const Nvfp4GemmSkinnyParams& p, float alpha, int32_t batch, int token, int32_t column,
                              float4 v) {
  if (p.bias != nullptr) {
    const float4 bias = *reinterpret_cast<const float4*>(&p.bias[column]);
    v = {fmaf(alpha, v.x, bias.x), fmaf(alpha, v.y, bias.y), fmaf(alpha, v.z, bias.z), fmaf(alpha, v.w, bias.w)};
  } else {
    v = {alpha * v.x, alpha * v.y, alpha * v.z, alpha * v.w};
  }
  Output::store4(p.c, batch * p.c_batch_stride + token * p.c_row_stride + column, v);
}

// Where a block's partial sums of a shared tile lie.
template <class T>
B12X_DEVICE float4* skinny_partial(const Nvfp4GemmSkinnyParams& p, int32_t block, int32_t shared) {
  auto* partials = reinterpret_cast<float*>(p.workspace + T::kCounterBytes);
  return reinterpret_cast<float4*>(partials + int64_t{p.work.slot(block, shared)} * T::kPartialFloats);
}

// Worked out while there is time: it takes divisions.
B12X_DEVICE SkinnyPart skinny_part(const Nvfp4GemmSkinnyParams& p, const SkinnySegment& at) {
  return {p.work.first_block(at.shared), p.work.last_block(at.shared)};
}

// Counts the block's partial sums of a shared tile as stored, those that a barrier has shown to this thread. Returns
// whether they are the last: then this thread, and whom it meets at a barrier, may read them all.
B12X_DEVICE bool skinny_arrive(const Nvfp4GemmSkinnyParams& p, const SkinnyPart& part) {
  // A block is the first of one cut tile at most, so the tiles' counters have a place each, the same for all shapes.
  uint32_t* counter = reinterpret_cast<uint32_t*>(p.workspace) + part.first;
  return ptx::atom_inc_acq_rel_gpu(counter, part.others()) == part.others();
}

}  // namespace b12x

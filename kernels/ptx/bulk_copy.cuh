// bulk_copy.cuh: what cuda::ptx of CCCL has for barriers and bulk copies, under one name each, with the choices of
// SM120 made: copies land in .shared::cta (the .shared::cluster spelling becomes a driver call there), barriers belong
// to the block.
#pragma once

#include <cstdint>
#include <cuda/ptx>

#include "kernels/ptx/device.h"
#include "kernels/ptx/tensor_map.h"

namespace b12x::ptx {

// mbarrier.init.shared::cta.b64 [barrier], arrivals;   PTX ISA 7.0, sm_80
B12X_DEVICE void mbarrier_init(uint64_t* barrier, uint32_t arrivals) { cuda::ptx::mbarrier_init(barrier, arrivals); }

// fence.mbarrier_init.release.cluster;   PTX ISA 8.0, sm_90. Makes initialised barriers visible to the async proxy.
B12X_DEVICE void fence_mbarrier_init() {
  cuda::ptx::fence_mbarrier_init(cuda::ptx::sem_release, cuda::ptx::scope_cluster);
}

// mbarrier.arrive.shared::cta.b64 state, [barrier];   PTX ISA 7.0, sm_80
B12X_DEVICE void mbarrier_arrive(uint64_t* barrier) { cuda::ptx::mbarrier_arrive(barrier); }

// mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 state, [barrier], bytes;   PTX ISA 8.0, sm_90
B12X_DEVICE void mbarrier_arrive_expect_tx(uint64_t* barrier, uint32_t bytes) {
  cuda::ptx::mbarrier_arrive_expect_tx(cuda::ptx::sem_release, cuda::ptx::scope_cta, cuda::ptx::space_shared, barrier,
                                       bytes);
}

// mbarrier.try_wait.parity.shared::cta.b64 done, [barrier], parity;   PTX ISA 7.8, sm_90. Loops until the phase
// completes.
B12X_DEVICE void mbarrier_wait_parity(uint64_t* barrier, uint32_t parity) {
  while (!cuda::ptx::mbarrier_try_wait_parity(barrier, parity)) {
  }
}

// cp.async.bulk.tensor.3d.shared::cta.global.tile.mbarrier::complete_tx::bytes [smem], [map, {x, y, z}], [barrier];
//     PTX ISA 8.6, sm_90. x is the element index along the fastest dimension, y the row, z the matrix of a batch.
B12X_DEVICE void cp_async_bulk_tensor_3d(void* smem, const TensorMap* map, int32_t x, int32_t y, int32_t z,
                                         uint64_t* barrier) {
  const int32_t coordinates[3] = {x, y, z};
  cuda::ptx::cp_async_bulk_tensor(cuda::ptx::space_shared, cuda::ptx::space_global, smem, map, coordinates, barrier);
}

// The same of four dimensions.
B12X_DEVICE void cp_async_bulk_tensor_4d(void* smem, const TensorMap* map, int32_t x, int32_t y, int32_t z, int32_t w,
                                         uint64_t* barrier) {
  const int32_t coordinates[4] = {x, y, z, w};
  cuda::ptx::cp_async_bulk_tensor(cuda::ptx::space_shared, cuda::ptx::space_global, smem, map, coordinates, barrier);
}

// cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [smem], [global], bytes, [barrier];   PTX ISA 8.6,
// sm_90. Addresses and size are multiples of 16.
B12X_DEVICE void cp_async_bulk(void* smem, const void* global, uint32_t bytes, uint64_t* barrier) {
  cuda::ptx::cp_async_bulk(cuda::ptx::space_shared, cuda::ptx::space_global, smem, global, bytes, barrier);
}

// prefetch.tensormap [map];   PTX ISA 8.0, sm_90. Hides the first descriptor miss (about 0.4 us) behind the set-up.
B12X_DEVICE void prefetch_tensormap(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

}  // namespace b12x::ptx

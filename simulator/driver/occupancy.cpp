// How many blocks of a kernel fit on the card at a time.
#include "driver/state.hpp"

using namespace sim::driver;

namespace {

CUresult blocks_per_sm(int* out, CUfunction f, int block_threads, size_t dynamic_shared) {
  if (out == nullptr || block_threads <= 0 || block_threads > 1024) return CUDA_ERROR_INVALID_VALUE;
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  const uint64_t shared = f->kernel->static_shared_bytes + dynamic_shared;
  const sim::Card& card = *state().card;
  *out = shared > card.shared_per_block_optin
             ? 0
             : static_cast<int>(sim::blocks_per_sm(*f->kernel, card, static_cast<uint32_t>(block_threads),
                                                   static_cast<uint32_t>(shared)));
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* out, CUfunction f, int block_threads,
                                                                      size_t dynamic_shared, unsigned int) {
  return call([&] { return blocks_per_sm(out, f, block_threads, dynamic_shared); });
}
CUresult CUDAAPI cuOccupancyMaxActiveBlocksPerMultiprocessor(int* out, CUfunction f, int block_threads,
                                                             size_t dynamic_shared) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(out, f, block_threads, dynamic_shared, 0);
}
// Clusters of one block: as many as blocks.
CUresult CUDAAPI cuOccupancyMaxActiveClusters(int* out, CUfunction f, const CUlaunchConfig* config) {
  return call([&]() -> CUresult {
    if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult r = blocks_per_sm(
        out, f, static_cast<int>(config->blockDimX * config->blockDimY * config->blockDimZ), config->sharedMemBytes);
    if (r == CUDA_SUCCESS) *out *= state().card->sm_count;
    return r;
  });
}

}  // extern "C"

// How many blocks of a kernel fit on the card at a time, and which block sizes and shared memory make the most of it.
#include <algorithm>

#include "driver/state.hpp"

using namespace sim::driver;

namespace {

constexpr int kMostThreads = 1024;

// 0 where a block needs more shared memory than one may have.
int resident_blocks(const CUfunc_st& f, int threads, uint64_t dynamic_shared) {
  const uint64_t shared = f.kernel->static_shared_bytes + dynamic_shared;
  const sim::Card& card = *state().card;
  if (shared > card.shared_per_block_optin) return 0;
  return static_cast<int>(
      sim::blocks_per_sm(*f.kernel, card, static_cast<uint32_t>(threads), static_cast<uint32_t>(shared)));
}

CUresult check(CUfunction f, int threads) {
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  return threads > 0 && threads <= kMostThreads ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

int threads_of(const CUlaunchConfig& config) {
  const uint64_t threads = uint64_t{config.blockDimX} * config.blockDimY * config.blockDimZ;
  return static_cast<int>(std::min<uint64_t>(threads, kMostThreads + 1));  // too many, however many
}

// The largest block that a launch of the kernel may have.
int most_threads(CUfunction f) {
  int threads = kMostThreads;
  return cuFuncGetAttribute(&threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, f) == CUDA_SUCCESS
             ? std::min(threads, kMostThreads)
             : kMostThreads;
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* out, CUfunction f, int threads,
                                                                      size_t dynamic_shared, unsigned int) {
  return call([&] {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult r = check(f, threads);
    if (r == CUDA_SUCCESS) *out = resident_blocks(*f, threads, dynamic_shared);
    return r;
  });
}
CUresult CUDAAPI cuOccupancyMaxActiveBlocksPerMultiprocessor(int* out, CUfunction f, int threads,
                                                             size_t dynamic_shared) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(out, f, threads, dynamic_shared, 0);
}

// The block size with the most threads resident on an SM; of several, the largest: it needs the fewest blocks. Sizes
// are whole warps, but for a limit that is none.
CUresult CUDAAPI cuOccupancyMaxPotentialBlockSizeWithFlags(int* blocks, int* threads, CUfunction f,
                                                           CUoccupancyB2DSize shared_of, size_t dynamic_shared,
                                                           int limit, unsigned int) {
  return call([&] {
    if (blocks == nullptr || threads == nullptr || limit < 0) return CUDA_ERROR_INVALID_VALUE;
    if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
    const int most = limit == 0 ? most_threads(f) : std::min(limit, most_threads(f));
    int best = 0;
    for (int size = most; size > 0; size = (size - 1) / sim::kWarpSize * sim::kWarpSize) {
      const int resident = resident_blocks(*f, size, shared_of != nullptr ? shared_of(size) : dynamic_shared);
      if (resident * size <= best) continue;
      best = resident * size;
      *threads = size;
      *blocks = resident * state().card->sm_count;
    }
    if (best == 0) *threads = *blocks = 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuOccupancyMaxPotentialBlockSize(int* blocks, int* threads, CUfunction f, CUoccupancyB2DSize shared_of,
                                                  size_t dynamic_shared, int limit) {
  return cuOccupancyMaxPotentialBlockSizeWithFlags(blocks, threads, f, shared_of, dynamic_shared, limit, 0);
}

// The most dynamic shared memory with which `blocks` blocks still fit on an SM.
CUresult CUDAAPI cuOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, CUfunction f, int blocks, int threads) {
  return call([&]() -> CUresult {
    if (bytes == nullptr || blocks <= 0) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = check(f, threads); r != CUDA_SUCCESS) return r;
    if (resident_blocks(*f, threads, 0) < blocks) return CUDA_ERROR_INVALID_VALUE;
    uint64_t fits = 0, too_much = uint64_t{state().card->shared_per_block_optin} + 1;
    while (too_much - fits > 1) {
      const uint64_t middle = (fits + too_much) / 2;
      (resident_blocks(*f, threads, middle) >= blocks ? fits : too_much) = middle;
    }
    *bytes = fits;
    return CUDA_SUCCESS;
  });
}

// Clusters of one block, the only ones that are simulated: as many as blocks, and none larger.
CUresult CUDAAPI cuOccupancyMaxActiveClusters(int* out, CUfunction f, const CUlaunchConfig* config) {
  return call([&]() -> CUresult {
    if (out == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const int threads = threads_of(*config);
    if (const CUresult r = check(f, threads); r != CUDA_SUCCESS) return r;
    *out = resident_blocks(*f, threads, config->sharedMemBytes) * state().card->sm_count;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuOccupancyMaxPotentialClusterSize(int* size, CUfunction f, const CUlaunchConfig* config) {
  return call([&]() -> CUresult {
    if (size == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult r = check(f, threads_of(*config));
    if (r == CUDA_SUCCESS) *size = 1;
    return r;
  });
}

}  // extern "C"

// How many blocks of a kernel fit on the card at a time, and which block sizes and shared memory make the most of it.
#include <algorithm>

#include "driver/work.hpp"

using namespace sim::driver;

namespace {

constexpr int kMostThreads = 1024;
constexpr uint32_t kSharedStep = 128;

// 0 where a block is larger, or needs more shared memory, than a launch may have.
int resident_blocks(const CUfunc_st& f, int threads, uint64_t dynamic_shared) {
  const uint64_t shared = f.kernel->static_shared_bytes + dynamic_shared;
  const sim::Card& card = *state().card;
  if (threads > kMostThreads || dynamic_shared > f.max_dynamic_shared_bytes) return 0;
  return static_cast<int>(
      sim::blocks_per_sm(*f.kernel, card, static_cast<uint32_t>(threads), static_cast<uint32_t>(shared)));
}

CUresult check(CUfunction f, int threads) {
  if (!is_live(f)) return CUDA_ERROR_INVALID_HANDLE;
  return threads > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

int threads_of(const CUlaunchConfig& config) {
  const uint64_t threads = uint64_t{config.blockDimX} * config.blockDimY * config.blockDimZ;
  return static_cast<int>(std::min<uint64_t>(threads, kMostThreads + 1));  // too many, however many
}

// The launch that `config` describes, if its clusters are possible.
CUresult check(CUfunction f, const CUlaunchConfig& config, sim::LaunchConfig& launch) {
  if (const CUresult r = check(f, threads_of(config)); r != CUDA_SUCCESS) return r;
  launch.grid = {config.gridDimX, config.gridDimY, config.gridDimZ};
  for (unsigned n = 0; n < config.numAttrs; ++n)
    if (const CUlaunchAttribute& a = config.attrs[n]; a.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      launch.cluster = {a.value.clusterDim.x, a.value.clusterDim.y, a.value.clusterDim.z};
  launch = with_required_cluster(*f, launch);
  return cluster_refusal(*f, launch).empty() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CLUSTER_SIZE;
}

// Clusters of `size` blocks that the card holds at a time.
int resident(const CUfunc_st& f, const CUlaunchConfig& config, uint32_t size) {
  const int per_sm = resident_blocks(f, threads_of(config), config.sharedMemBytes);
  return static_cast<int>(sim::resident_clusters(*state().card, static_cast<uint32_t>(per_sm), size));
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
                                                                      size_t dynamic_shared, unsigned int flags) {
  return call([&] {
    if (out == nullptr || flags > CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE) return CUDA_ERROR_INVALID_VALUE;
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

// What a block gets of an SM that `blocks` blocks share, and no more than a launch may have. As an H100's driver has
// it, what the card reserves of each block is not taken off: so many blocks with so much need not fit.
CUresult CUDAAPI cuOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, CUfunction f, int blocks, int threads) {
  return call([&]() -> CUresult {
    if (bytes == nullptr || blocks <= 0) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult r = check(f, threads); r != CUDA_SUCCESS) return r;
    if (resident_blocks(*f, threads, 0) < blocks) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t whole = state().card->shared_per_sm / static_cast<uint32_t>(blocks) / kSharedStep * kSharedStep,
                   own = f->kernel->static_shared_bytes;
    *bytes = std::min<uint64_t>(whole - std::min(whole, own), f->max_dynamic_shared_bytes);
    return CUDA_SUCCESS;
  });
}

// As an H100's driver answers: no clusters for a launch that names none; .maxclusterrank limits launches alone.
CUresult CUDAAPI cuOccupancyMaxActiveClusters(int* out, CUfunction f, const CUlaunchConfig* config) {
  return call([&]() -> CUresult {
    if (out == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    sim::LaunchConfig launch;
    if (const CUresult r = check(f, *config, launch); r != CUDA_SUCCESS) return r;
    *out = sim::has_clusters(*f->kernel, launch)
               ? resident(*f, *config, static_cast<uint32_t>(sim::cluster_of(*f->kernel, launch).count()))
               : 0;
    return CUDA_SUCCESS;
  });
}
CUresult CUDAAPI cuOccupancyMaxPotentialClusterSize(int* size, CUfunction f, const CUlaunchConfig* config) {
  return call([&]() -> CUresult {
    if (size == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    sim::LaunchConfig launch;
    if (const CUresult r = check(f, *config, launch); r != CUDA_SUCCESS) return r;
    uint32_t most = f->non_portable_cluster != 0 ? state().card->most_cluster_blocks : sim::kPortableCluster;
    while (most > 1 && resident(*f, *config, most) == 0) --most;
    *size = static_cast<int>(most);
    return CUDA_SUCCESS;
  });
}

}  // extern "C"

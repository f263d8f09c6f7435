// The clusters of a launch: kernel, configuration and card in; their shape, how many the card holds, or why it cannot
// have them out. What is refused and when is what an H100's driver answered.
#include <algorithm>

#include "machine/fault.hpp"

namespace sim {
namespace {

constexpr uint32_t kMostOfClusters = 8;

bool is_named(const Dim3& shape) { return shape.x != 0 || shape.y != 0 || shape.z != 0; }

Dim3 required(const Kernel& kernel) {
  const uint32_t* const n = kernel.required_cluster;
  return {n[0], n[1], n[2]};
}

}  // namespace

Dim3 cluster_of(const Kernel& kernel, const LaunchConfig& config) {
  if (is_named(config.cluster)) return config.cluster;
  return is_named(required(kernel)) ? required(kernel) : Dim3{};
}

bool has_clusters(const Kernel& kernel, const LaunchConfig& config) {
  return is_named(config.cluster) || is_named(required(kernel));
}

Dim3 grid_of(const Kernel& kernel, const LaunchConfig& config) {
  if (!kernel.blocks_are_clusters) return config.grid;
  const Dim3 cluster = cluster_of(kernel, config);
  return {config.grid.x * cluster.x, config.grid.y * cluster.y, config.grid.z * cluster.z};
}

std::string cluster_refusal(const Kernel& kernel, const LaunchConfig& config, uint32_t most) {
  if (!has_clusters(kernel, config))
    return kernel.is_explicit_cluster ? "the kernel is .explicitcluster and the launch names no cluster dimensions"
                                      : "";
  const Dim3 cluster = cluster_of(kernel, config), needed = required(kernel), grid = grid_of(kernel, config);
  const std::string name = "cluster " + to_string(cluster);
  if (cluster.count() == 0) return name + " has a dimension of 0";
  if (is_named(needed) && (needed.x != cluster.x || needed.y != cluster.y || needed.z != cluster.z))
    return name + " is not the kernel's .reqnctapercluster " + to_string(needed);
  if (cluster.count() > most)
    return name + " has " + std::to_string(cluster.count()) + " blocks, " + std::to_string(most) + " are the most" +
           (most <= kPortableCluster ? " (CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED may allow more)" : "");
  if (kernel.max_cluster_rank != 0 && cluster.count() > kernel.max_cluster_rank)
    return name + " is larger than the kernel's .maxclusterrank " + std::to_string(kernel.max_cluster_rank);
  if (grid.x % cluster.x != 0 || grid.y % cluster.y != 0 || grid.z % cluster.z != 0)
    return "grid " + to_string(grid) + " is not a multiple of cluster " + to_string(cluster);
  return "";
}

// SMs come in pairs (TPCs), which the GPCs share as evenly as they can; which of a real card's are switched off is a
// matter of the piece. An H100's driver counts 8 blocks of clusters on an SM at most, however small they are.
uint64_t resident_clusters(const Card& card, uint32_t per_sm, uint32_t size) {
  per_sm = std::min(per_sm, kMostOfClusters);
  uint64_t clusters = 0;
  const int pairs = card.sm_count / 2, least = pairs / card.gpc_count, larger = pairs % card.gpc_count;
  for (int gpc = 0; gpc < card.gpc_count; ++gpc) {
    const auto sms = static_cast<uint64_t>(2 * (least + (gpc < larger)));
    clusters += sms * per_sm / size;
  }
  return clusters;
}

}  // namespace sim

// What merging S partials of 8 KB costs once the splits are done: the last block to arrive reads all, or every block
// waits for the row's counter and reads its 1/S of each, or a cluster does that through distributed shared memory.
// Out: merge.none.<S> (us by events of a launch that only writes the partials), merge.last, .slices, .cluster.<S>.
#include "probe.h"

using probe::Launch;

enum Mode { kNone, kLast, kSlices, kCluster };
constexpr uint32_t kThreads = 256, kWords = 512;  // a partial: 512 x 16 B = 8 heads x 256 columns x 4 B

template <Mode kMode>
__global__ void merge(uint32_t* counter, float4* partials, float4* result) {
  __shared__ float4 own[kWords];
  __shared__ uint32_t before;
  const uint32_t splits = gridDim.x, log2 = 31 - __clz(kMode == kLast ? kWords : kWords / splits);
  for (uint32_t w = threadIdx.x; w < kWords; w += kThreads)
    (kMode == kCluster ? own[w] : partials[blockIdx.x * kWords + w]) = {float(blockIdx.x), float(w), 1, 2};
  if (kMode == kNone) return;
  kMode == kCluster ? probe::cluster_barrier() : __syncthreads();
  if (kMode != kCluster && threadIdx.x == 0) before = probe::arrive(counter);
  if (kMode == kSlices && threadIdx.x == 0) probe::wait_for(counter, splits);
  __syncthreads();
  if (kMode == kLast && before + 1 != splits) return;
  const uint32_t first = kMode == kLast ? 0 : blockIdx.x << log2;
  constexpr uint32_t kBatch = kMode == kLast ? 8 : 2;  // loads in flight per thread; divides the words of a thread
  float4 sum = {}, v[kBatch];
  for (uint32_t turn = threadIdx.x; turn < splits << log2; turn += kBatch * kThreads) {
#pragma unroll
    for (uint32_t i = 0; i < kBatch; ++i) {
      const uint32_t w = turn + i * kThreads, split = w >> log2, word = first + w - (split << log2);
      v[i] = kMode == kCluster ? probe::read_peer(own + word, split) : __ldcg(partials + split * kWords + word);
    }
    for (float4 x : v) sum = {sum.x + x.x, sum.y + x.y, sum.z + x.z, sum.w + x.w};
  }
  result[blockIdx.x * kThreads + threadIdx.x] = sum;
  if (kMode == kCluster) probe::cluster_barrier();  // peers may still read
}

int main() {
  const probe::Session session("merge");
  uint32_t* const counter = probe::allocate<uint32_t>(1);
  float4* const data = probe::allocate<float4>(128 * (kWords + 256));
  probe::check(cudaFuncSetAttribute(merge<kCluster>, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  const auto measure = [&](const std::string& name, auto kernel, Launch how, int splits) {
    probe::repeat("merge." + name + "." + probe::str(splits), "us", 31, [&] {
      probe::check(cudaMemsetAsync(counter, 0, 4));
      probe::spin<<<1, 32>>>(80'000, nullptr);  // what follows is enqueued meanwhile
      return probe::event_us(
          [&] { probe::launch(how, kernel, splits, kThreads, nullptr, counter, data, data + 128 * kWords); });
    });
  };
  for (int splits : {4, 8, 16, 32, 64, 128}) {
    measure("none", merge<kNone>, Launch::kPlain, splits), measure("last", merge<kLast>, Launch::kPlain, splits);
    measure("slices", merge<kSlices>, Launch::kPlain, splits);  // nothing else runs, so all blocks are resident
    measure("slices_cooperative", merge<kSlices>, Launch::kCooperative, splits);
    if (splits <= 16) measure("cluster", merge<kCluster>, Launch::kCluster, splits);
  }
}

// Weights as a GEMM streams them: tiles of R rows, 16 KB a stage, W bytes of each row, by TMA; blocks take equal parts
// of the line of stages; nobody reads what arrives. Out, from a cold L2: microseconds
// boxes.us.<rows>x<bytes>.RxW.<stages>; boxes.lead..: the slowest block's clocks over the fastest one's.
#include "reads.h"

static __global__ void read_boxes(const __grid_constant__ CUtensorMap map, int rows, int wide, int turns, int total,
                                  int stages, long long* cycles) {
  extern __shared__ __align__(1024) char boxes[];
  __shared__ uint64_t full[16];
  const auto address = [](void* p) { return uint32_t(__cvta_generic_to_shared(p)); };
  const long long begin = clock64();
  for (int s = 0; s < stages; ++s) asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address(full + s)));
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  const int part = total / gridDim.x, rest = total % gridDim.x, block = blockIdx.x;
  const int first = block * part + min(block, rest), end = first + part + (block < rest);
  const auto issue = [&](int at) {
    const uint32_t slot = (at - first) % stages, bar = address(full + slot), to = address(boxes) + slot * rows * wide;
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar), "r"(rows * wide) : "memory");
    for (int w = 0; w < wide; w += 128)  // a box of the swizzle is 128 bytes wide
      asm volatile(
          "cp.async.bulk.tensor.2d.shared::cta.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
              to + w * rows),
          "l"(&map), "r"(at % turns * wide + w), "r"(at / turns * rows), "r"(bar)
          : "memory");
  };
  for (int at = first; at < min(first + stages, end); ++at) issue(at);
  for (int at = first; at < end; ++at) {
    wait_full(address(full + (at - first) % stages), (at - first) / stages & 1);
    if (at + stages < end) issue(at + stages);
  }
  cycles[blockIdx.x] = clock64() - begin;
}

int main() {
  const probe::Session session("boxes");
  char* const data = probe::allocate<char>(size_t{8192} * 14336);
  long long* const cycles = probe::allocate<long long>(132);
  probe::check(cudaFuncSetAttribute(read_boxes, cudaFuncAttributeMaxDynamicSharedMemorySize, 192 << 10));
  for (auto [n, pitch] : {std::pair{4096, 2048}, {4096, 7168}, {8192, 14336}})
    for (int rows : {128, 64, 32, 16})
      for (int stages : {3, 4, 6, 8, 12}) {
        const int wide = 16384 / rows, turns = pitch / wide, total = n / rows * turns;
        const auto map = probe::tensor_map(data, pitch, n, rows);
        char name[64];
        std::snprintf(name, sizeof name, "%dx%d.%dx%d.%d", n, pitch, rows, wide, stages);
        const auto read = [&] { read_boxes<<<132, 1, stages << 14>>>(map, rows, wide, turns, total, stages, cycles); };
        probe::repeat(std::string("boxes.us.") + name, "us", 9,
                      [&] { return probe::scrub_l2(), probe::event_us(read); });
        const auto each = probe::fetch(cycles, 132);
        const auto [least, most] = std::minmax_element(each.begin(), each.end());
        probe::report(std::string("boxes.lead.") + name, {double(*most) / double(*least)}, "slowest over fastest");
      }
}

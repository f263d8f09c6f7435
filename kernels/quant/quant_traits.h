// quant_traits.h: launch shapes of the NVFP4 quantisation kernels, read by the planner and by the kernels themselves.
#pragma once

#include <cstdint>

namespace b12x {

// Launch: grid {blocks, 1, 1}, block {kThreads, 1, 1}, no dynamic shared memory. Any number of blocks >= 1 is correct
// (grid-stride); the natural one gives every warp kSectorsPerPass sectors, at most one wave of the device.
struct Nvfp4QuantizeTraits {
  static constexpr int kThreads = 256;
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kBlockElements = 16;  // elements that share one scale byte; one thread quantises one such block
  static constexpr int kSectorBytes = 32;    // of scales: one a warp
  static constexpr int kSectorsPerPass = 1;  // whose loads a warp has in flight
  static constexpr int kMaxBlocksPerSm = 6;  // 1536 threads an SM / kThreads

  static constexpr int64_t scale_bytes(int64_t rows, int64_t cols) {
    const int64_t padded_rows = (rows + 127) / 128 * 128;
    const int64_t padded_blocks = (cols / kBlockElements + 3) / 4 * 4;
    return padded_rows * padded_blocks;
  }
  static constexpr int64_t atoms_k(int64_t cols) { return (cols / kBlockElements + 3) / 4; }
  static constexpr int64_t sectors(int64_t groups, int64_t rows, int64_t cols) {
    return groups * scale_bytes(rows, cols) / kSectorBytes;
  }

  static constexpr int64_t grid(int64_t groups, int64_t rows, int64_t cols, int sm_count) {
    constexpr int64_t kSectorsPerBlock = kWarps * kSectorsPerPass;
    const int64_t wanted = (sectors(groups, rows, cols) + kSectorsPerBlock - 1) / kSectorsPerBlock;
    const int64_t resident = int64_t{sm_count} * kMaxBlocksPerSm;
    return wanted < resident ? wanted : resident;
  }
};

// Launch: grid {blocks, 1, 1}, block {kThreads, 1, 1}, no dynamic shared memory. Grid-stride, as above.
struct Mxfp8QuantizeTraits {
  static constexpr int kThreads = 256;
  static constexpr int kBlockElements = 32;  // elements that share one scale byte: two lanes' work
  static constexpr int kLaneElements = 16;
  static constexpr int kMaxBlocksPerSm = 6;

  static constexpr int64_t grid(int64_t rows, int64_t cols, int sm_count) {
    const int64_t wanted = (rows * cols / kLaneElements + kThreads - 1) / kThreads;
    const int64_t resident = int64_t{sm_count} * kMaxBlocksPerSm;
    return wanted < resident ? wanted : resident;
  }
};

// Launch: grid {blocks, 1, 1}, block {kThreads, 1, 1}, no dynamic shared memory. A warp strides over rows.
struct Nvfp4AmaxTraits {
  static constexpr int kThreads = 256;
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kMaxBlocksPerSm = 4;
  static constexpr int kWorkspaceBytes = 8;

  static constexpr int64_t grid(int64_t rows, int sm_count) {
    const int64_t wanted = (rows + kWarps - 1) / kWarps;
    const int64_t resident = int64_t{sm_count} * kMaxBlocksPerSm;
    return wanted < resident ? wanted : resident;
  }
};

}  // namespace b12x

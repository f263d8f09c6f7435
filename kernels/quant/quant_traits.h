// quant_traits.h: launch shapes of the NVFP4 quantisation kernels, read by the planner and by the kernels themselves.
#pragma once

#include <cstddef>
#include <cstdint>

namespace b12x {

// Launch: grid {blocks, 1, 1}, block {kThreads, 1, 1}, no dynamic shared memory. Any number of blocks >= 1 is correct
// (grid-stride); the natural one gives every warp one unit, at most one wave of the device.
struct Nvfp4QuantizeTraits {
  static constexpr int kThreads = 256;
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kBlockElements = 16;  // elements that share one scale byte; one thread quantises one such block
  static constexpr int kSectorBytes = 32;    // of scales: what a warp writes of an atom
  static constexpr int kMaxBlocksPerSm = 4;  // 64 registers a thread: 32 warps with 2 KB of loads in flight each

  // Neighbouring atoms that a warp may take at once, a unit of work. Where all of its units are resident at once the
  // planner gives it one: a warp that has nothing else to do is done sooner.
  static constexpr int most_atoms(size_t element_bytes, bool silu_mul) {
    return element_bytes == 2 && !silu_mul ? 2 : 1;
  }
  static constexpr int64_t atoms_k(int64_t cols) { return (cols / kBlockElements + 3) / 4; }
  static constexpr int64_t units_k(int64_t cols, int atoms) { return (atoms_k(cols) + atoms - 1) / atoms; }
  static constexpr int64_t sector_rows(int64_t rows) { return (rows + 127) / 128 * 16; }
  static constexpr int64_t units(int64_t rows, int64_t cols, int atoms) {
    return sector_rows(rows) * units_k(cols, atoms);
  }
  static constexpr int64_t scale_bytes(int64_t rows, int64_t cols) {
    return sector_rows(rows) * atoms_k(cols) * kSectorBytes;
  }

  static constexpr int64_t resident_blocks(int sm_count) { return int64_t{sm_count} * kMaxBlocksPerSm; }
  static constexpr int64_t grid(int64_t units, int sm_count) {
    const int64_t wanted = (units + kWarps - 1) / kWarps, resident = resident_blocks(sm_count);
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
  static constexpr int kThreads = 512;
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kMaxBlocksPerSm = 2;
  static constexpr int kLoads = 4;  // of 16 bytes, of a lane at once: 64 KB on their way to an SM
  static constexpr int kUnitBytes = kLoads * 32 * 16;
  static constexpr int kWorkspaceBytes = 8;

  static constexpr int32_t unit_elements(size_t element_bytes) {
    return static_cast<int32_t>(kUnitBytes / element_bytes);
  }
  static constexpr int64_t units_of_row(int64_t cols, size_t element_bytes) {
    const int64_t unit = unit_elements(element_bytes);
    return (cols + unit - 1) / unit;
  }
  static constexpr int64_t grid(int64_t units, int sm_count) {
    const int64_t wanted = (units + kWarps - 1) / kWarps;
    const int64_t resident = int64_t{sm_count} * kMaxBlocksPerSm;
    return wanted < resident ? wanted : resident;
  }
};

}  // namespace b12x

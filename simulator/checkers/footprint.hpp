// The bytes of global memory that grids have read and written: what a dependent grid must leave alone until it has
// waited for them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace sim::checkers {

class Footprint {
 public:
  // Of one grid, `kernel`.
  void start(std::string kernel) {
    kernels_ = std::move(kernel);
    pages_.clear();
  }
  void add(uint64_t address, uint64_t bytes, bool is_write);
  // The first byte of [address, address + bytes) at which an access of this kind conflicts with one in here; 0: none.
  uint64_t conflict(uint64_t address, uint64_t bytes, bool is_write) const;
  void join(const Footprint& other);
  const std::string& kernels() const { return kernels_; }

 private:
  static constexpr uint64_t kPageBytes = 1024;
  using Bits = std::array<uint64_t, kPageBytes / 64>;
  struct Page {
    Bits read{}, written{};
  };
  std::string kernels_;                       // "b12x_nvfp4_amax_bf16, b12x_nvfp4_quantize_bf16"
  std::unordered_map<uint64_t, Page> pages_;  // by address / kPageBytes
};

}  // namespace sim::checkers

// What kinds of image cuModuleLoadData accepts, and how the PTX for one card is taken out of them.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "machine/launch.hpp"

namespace sim::driver {

// The image is damaged (kInvalidImage), a fatbin with nothing that this card runs (kNoBinary), PTX that it does not run
// (kInvalidPtx), or PTX of a version yet to come (kNewerPtx).
struct ImageError : std::runtime_error {
  enum class Kind { kInvalidImage, kNoBinary, kInvalidPtx, kNewerPtx } kind;
  ImageError(Kind k, const std::string& text) : std::runtime_error(text), kind(k) {}
};

// The PTX of `image` for `card`: the image is PTX text (zero-terminated), a fatbin, or the wrapper struct that nvcc's
// host code points at; entries may be packed with LZ4 or zstd. Of several PTX entries the most specific one that the
// card runs wins: sm_120a over sm_120f over sm_120 over sm_90. Throws ImageError; its text says what the image holds
// and how to build one that works. `bytes` bounds the image where the caller knows it (files); SIZE_MAX where the
// format itself must tell.
std::string find_ptx(const void* image, size_t bytes, const Card& card);

// The machine code for `card` beside that PTX, unpacked: of a fatbin that has some. Empty else; throws as find_ptx
// does.
std::vector<std::byte> find_cubin(const void* image, size_t bytes, const Card& card);

// True when PTX for `target` ("sm_120f") runs on a card of that compute capability, by the rules for a and f targets.
bool target_runs_on(std::string_view target, const Card& card);

}  // namespace sim::driver

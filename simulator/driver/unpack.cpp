// The system's liblz4 and libzstd do the work. They are loaded when the first packed image comes: no build and no other
// program needs them or their headers. The functions are those of the libraries' manuals, with a stable ABI.
#include "driver/unpack.hpp"

#include <dlfcn.h>

#include "driver/fatbin.hpp"

namespace sim::driver {
namespace {

using Lz4Decompress = int (*)(const char* from, char* to, int packed_bytes, int room);  // bytes, negative: damaged
using ZstdDecompress = size_t (*)(void* to, size_t room, const void* from, size_t packed_bytes);

// PTX shrinks by 5 to 30; what promises more than this is damaged, and need not cost the memory that it promises.
constexpr size_t kMostGrowth = 2000, kMostBytes = size_t{1} << 30;

template <class Function>
Function find(const char* library, const char* package, const char* name) {
  void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);  // loaded once, however often it is asked for
  void* const function = handle != nullptr ? dlsym(handle, name) : nullptr;
  if (function == nullptr)
    throw ImageError(ImageError::Kind::kNoBinary, std::string("the fatbin's PTX is compressed and ") + library +
                                                      " is not there to unpack it: install it (Debian, Ubuntu: apt-get "
                                                      "install " +
                                                      package + ") or build with nvcc --compress-mode=none");
  return reinterpret_cast<Function>(function);
}

}  // namespace

std::string unpack(Packing packing, std::span<const std::byte> packed, size_t bytes) {
  const auto damaged = [] {
    throw ImageError(ImageError::Kind::kInvalidImage, "the fatbin is damaged: a compressed entry cannot be unpacked");
  };
  if (bytes > kMostBytes || packed.size() > kMostBytes || bytes > packed.size() * kMostGrowth) damaged();
  std::string text(bytes, '\0');
  size_t got = 0;
  if (packing == Packing::kZstd) {
    static const auto decompress = find<ZstdDecompress>("libzstd.so.1", "libzstd1", "ZSTD_decompress");
    got = decompress(text.data(), text.size(), packed.data(), packed.size());  // an error is a huge number
  } else {
    static const auto decompress = find<Lz4Decompress>("liblz4.so.1", "liblz4-1", "LZ4_decompress_safe");
    const int n = decompress(reinterpret_cast<const char*>(packed.data()), text.data(), static_cast<int>(packed.size()),
                             static_cast<int>(text.size()));
    got = n < 0 ? SIZE_MAX : static_cast<size_t>(n);
  }
  if (got != bytes) damaged();
  return text;
}

}  // namespace sim::driver

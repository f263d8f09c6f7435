// images.cpp: the embedded table and the check of a fatbin's frame. The driver's own answer to a damaged image is one
// word; this one says which kernel and which field.
#include "runtime/images.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iomanip>

#include "b12x/device.hpp"
#include "b12x/error.hpp"
#include "base/text.hpp"

#include "kernel_symbols.inc"

namespace b12x::runtime {
namespace {

const KernelImage kImages[] = {
#include "kernel_table.inc"
};

// First 16 bytes of a fatbin: magic, version, bytes of this header, bytes that follow it.
struct FatbinHeader {
  uint32_t magic;
  uint16_t version;
  uint16_t header_bytes;
  uint64_t body_bytes;
};
static_assert(sizeof(FatbinHeader) == 16);
constexpr uint32_t kFatbinMagic = 0xBA55ED50;

}  // namespace

std::span<const KernelImage> kernel_images() { return kImages; }

const KernelImage& find_image(std::string_view entry) {
  const auto images = kernel_images();
  const auto row = std::lower_bound(images.begin(), images.end(), entry,
                                    [](const KernelImage& image, std::string_view name) { return image.entry < name; });
  if (row == images.end() || row->entry != entry) {
    throw Error(ErrorKind::kDriver, str("kernel ", entry, " is not in this build of the library"));
  }
  return *row;
}

void check_fatbin(const KernelImage& image) {
  const auto corrupt = [&](const auto&... parts) {
    throw Error(ErrorKind::kDriver,
                str("kernel ", image.entry, ": its embedded fatbin is corrupt: ", parts..., "; rebuild the library"));
  };
  FatbinHeader header{};
  if (image.bytes() < sizeof(header)) corrupt("it has ", image.bytes(), " bytes, its header alone ", sizeof(header));
  std::memcpy(&header, image.begin, sizeof(header));
  if (header.magic != kFatbinMagic) {
    corrupt("it starts with 0x", std::hex, header.magic, ", want 0x", kFatbinMagic);
  }
  const uint64_t wanted = header.header_bytes + header.body_bytes;
  if (wanted != image.bytes()) corrupt("it has ", image.bytes(), " bytes, its header says ", wanted);
}

}  // namespace b12x::runtime

namespace b12x {
int kernel_registers(std::string_view kernel) { return runtime::find_image(kernel).registers; }
}  // namespace b12x

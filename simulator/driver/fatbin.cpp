// Fatbin layout, read off files that nvcc 13 writes (nothing here comes from NVIDIA's code):
//   header  u32 magic 0xBA55ED50, u16 version 1, u16 header bytes, u64 bytes that follow
//   entry   u16 kind (1 PTX, 2 ELF), u16 version, u32 header bytes, u64 payload bytes, u32 compressed bytes, u32
//   options offset,
//           u16 minor, u16 major, u32 architecture, u32 name offset, u32 name bytes, u64 flags
//           (0x2000 LZ4, 0x8000 zstd), u64 0, u64 plain bytes
#include "driver/fatbin.hpp"

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "driver/unpack.hpp"

namespace sim::driver {
namespace {

constexpr uint32_t kFatbinMagic = 0xBA55ED50;
constexpr uint32_t kWrapperMagic = 0x466243B1;
constexpr uint32_t kElfMagic = 0x464C457F;
constexpr uint16_t kKindPtx = 1, kKindElf = 2;
constexpr int kNewestPtx = 9;  // the major version
constexpr uint64_t kLz4Flag = 0x2000, kZstdFlag = 0x8000;

struct FatbinHeader {
  uint32_t magic;
  uint16_t version, header_bytes;
  uint64_t bytes;
};
struct EntryHeader {
  uint16_t kind, version;
  uint32_t header_bytes;
  uint64_t payload_bytes;
  uint32_t compressed_bytes, options_offset;
  uint16_t minor, major;
  uint32_t arch;
  uint32_t name_offset, name_bytes;
  uint64_t flags, reserved, plain_bytes;
};
static_assert(sizeof(FatbinHeader) == 16 && sizeof(EntryHeader) == 64);

template <class T>
T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

[[noreturn]] void damaged(const std::string& what) {
  throw ImageError(ImageError::Kind::kInvalidImage, "the fatbin is damaged: " + what);
}

// The word behind `.target`, up to a comma or white space; empty when the text has none.
std::string_view target_of(std::string_view ptx) {
  const size_t at = ptx.find(".target");
  if (at == std::string_view::npos) return {};
  const size_t begin = ptx.find_first_not_of(" \t", at + 7);
  if (begin == std::string_view::npos) return {};
  return ptx.substr(begin, ptx.find_first_of(", \t\r\n", begin) - begin);
}

// The major version behind `.version`, whose place is `at`; 0 when no number stands there. It ends with the image: a
// file's bytes have no zero behind them.
int major_version(std::string_view ptx, size_t at) {
  ptx.remove_prefix(at + std::strlen(".version"));
  ptx.remove_prefix(std::min(ptx.size(), ptx.find_first_not_of(" \t\r\n")));
  int major = 0;
  const bool too_large =
      std::from_chars(ptx.data(), ptx.data() + ptx.size(), major).ec == std::errc::result_out_of_range;
  return too_large ? INT_MAX : major;
}

struct Target {
  int arch = 0;        // 120
  char suffix = '\0';  // 'a', 'f' or none
};
Target parse_target(std::string_view text) {
  Target t;
  if (!text.starts_with("sm_")) return t;
  size_t i = 3;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && t.arch < 10000; ++i)
    t.arch = t.arch * 10 + (text[i] - '0');
  if (i < text.size()) t.suffix = text[i];
  return t;
}

// Larger = more specific.
int rank(const Target& t) { return t.arch * 4 + (t.suffix == 'a' ? 2 : t.suffix == 'f' ? 1 : 0); }

// What an entry holds, unpacked if it is packed.
std::string content_of(const EntryHeader& e, std::span<const std::byte> payload) {
  if ((e.flags & (kLz4Flag | kZstdFlag)) == 0) return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  if (e.compressed_bytes > payload.size()) damaged("a compressed entry is longer than its payload");
  return unpack((e.flags & kZstdFlag) != 0 ? Packing::kZstd : Packing::kLz4, payload.first(e.compressed_bytes),
                e.plain_bytes);
}
std::string text_of(const EntryHeader& e, std::span<const std::byte> payload) {
  std::string text = content_of(e, payload);
  text.resize(std::min(text.size(), text.find('\0')));  // a zero ends it
  return text;
}

template <class Take>
void for_entries(const std::byte* image, size_t bytes, const Take& take) {
  if (bytes < sizeof(FatbinHeader)) damaged("shorter than its header");
  const auto header = read<FatbinHeader>(image);
  if (header.version != 1 || header.header_bytes != sizeof(FatbinHeader))
    damaged("unknown version " + std::to_string(header.version));
  if (header.bytes > bytes - sizeof(FatbinHeader))
    damaged("the header promises " + std::to_string(header.bytes) + " bytes, " +
            std::to_string(bytes - sizeof(FatbinHeader)) + " are there");
  for (uint64_t at = 0; at < header.bytes;) {
    const uint64_t left = header.bytes - at;
    const std::byte* entry = image + sizeof(FatbinHeader) + at;
    if (left < sizeof(EntryHeader)) damaged("an entry's header is cut off");
    const auto e = read<EntryHeader>(entry);
    if (e.header_bytes < sizeof(EntryHeader) || e.header_bytes > left || e.payload_bytes > left - e.header_bytes)
      damaged("an entry reaches past the end");
    take(e, std::span<const std::byte>{entry + e.header_bytes, e.payload_bytes});
    at += e.header_bytes + e.payload_bytes;
  }
}

std::string ptx_of_fatbin(const std::byte* image, size_t bytes, const Card& card) {
  std::string best;
  int best_rank = -1;
  std::string held;
  for_entries(image, bytes, [&](const EntryHeader& e, std::span<const std::byte> payload) {
    if (e.kind != kKindPtx) return;
    std::string ptx = text_of(e, payload);
    const std::string target(target_of(ptx));
    held += (held.empty() ? "PTX for " : ", ") + (target.empty() ? "an unnamed target" : target);
    if (!target_runs_on(target, card) || rank(parse_target(target)) <= best_rank) return;
    best_rank = rank(parse_target(target));
    best = std::move(ptx);
  });
  if (best_rank < 0)
    throw ImageError(ImageError::Kind::kNoBinary,
                     "the fatbin holds " + (held.empty() ? std::string("no PTX, only machine code") : held) +
                         "; the simulated " + card.name + " (compute capability " + std::to_string(card.cc_major) +
                         "." + std::to_string(card.cc_minor) +
                         ") needs PTX it can run: build with -gencode arch=compute_XX,code=[compute_XX,sm_XX]");
  return best;
}

// Machine code runs on cards of its major version, from its minor version on.
std::vector<std::byte> cubin_of_fatbin(const std::byte* image, size_t bytes, const Card& card) {
  const auto card_arch = static_cast<uint32_t>(card.cc_major * 10 + card.cc_minor);
  std::string best;
  uint32_t best_arch = 0;
  for_entries(image, bytes, [&](const EntryHeader& e, std::span<const std::byte> payload) {
    if (e.kind != kKindElf || e.arch > card_arch || e.arch / 10 != card_arch / 10 || e.arch < best_arch) return;
    best_arch = e.arch;
    best = content_of(e, payload);
  });
  const auto* first = reinterpret_cast<const std::byte*>(best.data());
  return {first, first + best.size()};
}

// Where an image begins: a wrapper is a struct in a program, u32 magic, u32 version, pointer to the fatbin.
struct Found {
  const std::byte* at;
  size_t bytes;
  uint32_t magic;
};
// The first four bytes. A text whose size the caller does not say may end before them; no magic number has a zero.
uint32_t magic_of(const std::byte* at) {
  uint32_t magic = 0;
  for (int i = 0; i < 4 && at[i] != std::byte{0}; ++i) magic |= std::to_integer<uint32_t>(at[i]) << 8 * i;
  return magic;
}

Found find(const void* image, size_t bytes) {
  if (image == nullptr) throw ImageError(ImageError::Kind::kInvalidImage, "the image pointer is null");
  if (bytes < 4) throw ImageError(ImageError::Kind::kInvalidImage, "the image is shorter than four bytes");
  const auto* at = static_cast<const std::byte*>(image);
  uint32_t magic = magic_of(at);
  if (magic == kWrapperMagic) {  // never in a file
    if (bytes != SIZE_MAX) damaged("it is a wrapper, whose pointer means something in one process only");
    at = read<const std::byte*>(at + 8);
    if (at == nullptr || (magic = magic_of(at)) != kFatbinMagic) damaged("its wrapper points at something else");
  }
  return {at, bytes, magic};
}

}  // namespace

bool target_runs_on(std::string_view target, const Card& card) {
  const Target t = parse_target(target);
  const int cc = card.cc_major * 10 + card.cc_minor;
  if (t.arch == 0) return false;
  if (t.suffix == 'a') return t.arch == cc;
  if (t.suffix == 'f') return t.arch / 10 == card.cc_major && t.arch <= cc;
  return t.arch <= cc;
}

std::vector<std::byte> find_cubin(const void* image, size_t bytes, const Card& card) {
  const auto [at, size, magic] = find(image, bytes);
  return magic == kFatbinMagic ? cubin_of_fatbin(at, size, card) : std::vector<std::byte>{};
}

std::string find_ptx(const void* image, size_t bytes, const Card& card) {
  const auto [at, size, magic] = find(image, bytes);
  if (magic == kFatbinMagic) return ptx_of_fatbin(at, size, card);
  if (magic == kElfMagic)
    throw ImageError(
        ImageError::Kind::kNoBinary,
        "the image is a cubin: machine code, which the simulator does not execute; pass PTX or a fatbin that holds PTX");
  const char* text = static_cast<const char*>(static_cast<const void*>(at));
  const std::string_view ptx(text, bytes == SIZE_MAX ? std::strlen(text) : strnlen(text, bytes));
  const std::string_view target = target_of(ptx);
  const size_t version = ptx.find(".version");
  if (version == std::string_view::npos)
    throw ImageError(ImageError::Kind::kInvalidImage, "the image is neither a fatbin nor PTX text (no .version in it)");
  if (target.empty()) throw ImageError(ImageError::Kind::kInvalidPtx, "the PTX has no .target");
  if (major_version(ptx, version) > kNewestPtx)
    throw ImageError(ImageError::Kind::kNewerPtx, "the PTX is of a version above " + std::to_string(kNewestPtx));
  if (!target_runs_on(target, card))
    throw ImageError(ImageError::Kind::kInvalidPtx, "the PTX is for " + std::string(target) + "; the simulated " +
                                                        card.name + " has compute capability " +
                                                        std::to_string(card.cc_major) + "." +
                                                        std::to_string(card.cc_minor));
  return std::string(ptx);
}

}  // namespace sim::driver

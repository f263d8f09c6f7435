// A cubin is an ELF file. Its sections `.nv.info` (for all kernels) and `.nv.info.KERNEL` are lists of
//   u8 form, u8 attribute, u16 value or, for form 4, the bytes of a payload that follows
// of which three are read, as they stand in files that nvcc 13 writes: 0x2f {symbol, registers}, 0x11 {symbol, bytes of
// its stack frame} and 0x4c (form 2), the number of barriers. Every offset is checked: nothing here trusts the image.
#include "driver/cubin.hpp"

#include <elf.h>

#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace sim::driver {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint8_t kFormByte = 2, kFormPayload = 4;
constexpr uint8_t kFrameSize = 0x11, kRegisterCount = 0x2f, kBarrierCount = 0x4c;

template <class T>
std::optional<T> read(Bytes from, uint64_t at) {
  if (at > from.size() || from.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

Bytes part(Bytes image, uint64_t at, uint64_t bytes) {
  return at <= image.size() && bytes <= image.size() - at ? image.subspan(at, bytes) : Bytes{};
}

std::string_view text(Bytes strings, uint64_t at) {
  if (at >= strings.size()) return {};
  const char* first = reinterpret_cast<const char*>(strings.data()) + at;
  return {first, strnlen(first, strings.size() - at)};
}

struct Image {
  Bytes bytes;
  std::vector<Elf64_Shdr> sections;
  Bytes content(const Elf64_Shdr& s) const { return part(bytes, s.sh_offset, s.sh_size); }
  Bytes content(uint64_t index) const { return index < sections.size() ? content(sections[index]) : Bytes{}; }
};

Image sections_of(Bytes bytes) {
  Image image{bytes, {}};
  const auto header = read<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_shentsize != sizeof(Elf64_Shdr))
    return image;
  for (uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto section = read<Elf64_Shdr>(bytes, header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) break;
    image.sections.push_back(*section);
  }
  return image;
}

// The names of symbols, by index.
std::vector<std::string> symbols_of(const Image& image) {
  std::vector<std::string> names;
  for (const Elf64_Shdr& s : image.sections) {
    if (s.sh_type != SHT_SYMTAB) continue;
    const Bytes table = image.content(s), strings = image.content(s.sh_link);
    for (uint64_t at = 0; const auto symbol = read<Elf64_Sym>(table, at); at += sizeof(Elf64_Sym))
      names.emplace_back(text(strings, symbol->st_name));
  }
  return names;
}

template <class Take>
void for_attributes(Bytes list, const Take& take) {
  struct Head {
    uint8_t form, attribute;
    uint16_t value;
  };
  for (uint64_t at = 0; const auto head = read<Head>(list, at);) {
    at += sizeof(Head);
    const Bytes payload = head->form == kFormPayload ? part(list, at, head->value) : Bytes{};
    take(head->form, head->attribute, head->value, payload);
    at += head->form == kFormPayload ? head->value : 0;
  }
}

}  // namespace

std::map<std::string, CompiledKernel> read_cubin(Bytes bytes) {
  constexpr std::string_view kInfo = ".nv.info";
  std::map<std::string, CompiledKernel> kernels;
  const Image image = sections_of(bytes);
  const auto header = read<Elf64_Ehdr>(bytes, 0);
  if (image.sections.empty()) return kernels;
  const std::vector<std::string> symbols = symbols_of(image);
  const Bytes names = image.content(header->e_shstrndx);
  for (const Elf64_Shdr& section : image.sections) {
    const std::string_view name = text(names, section.sh_name);
    if (!name.starts_with(kInfo)) continue;
    const bool is_common = name == kInfo;
    for_attributes(image.content(section), [&](uint8_t form, uint8_t attribute, uint16_t value, Bytes payload) {
      if (!is_common) {
        if (form == kFormByte && attribute == kBarrierCount)
          kernels[std::string(name.substr(kInfo.size() + 1))].barriers = value;
        return;
      }
      const auto symbol = read<uint32_t>(payload, 0), number = read<uint32_t>(payload, 4);
      if (!symbol || !number || *symbol >= symbols.size()) return;
      if (attribute == kRegisterCount) kernels[symbols[*symbol]].registers = *number;
      if (attribute == kFrameSize) kernels[symbols[*symbol]].local_bytes = *number;
    });
  }
  return kernels;
}

}  // namespace sim::driver

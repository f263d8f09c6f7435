// Width adapters: handlers of their own, so that the rows of ld, st and cvt stay free of register widths.
#include "program/adapters.hpp"

#include "machine/warp.hpp"

namespace sim::lowering {
namespace {

uint64_t low_bits(uint64_t value, int bits) { return bits == 64 ? value : value & ((uint64_t{1} << bits) - 1); }

template <class Destination, class Source, bool kIsSigned>
void resize(Warp& w, const Instr& i) {
  const int from = static_cast<int>(i.imm & 0xff), to = static_cast<int>(i.imm >> 8);
  Destination* d = lanes<Destination>(w, i.d);
  const Source* a = lanes<Source>(w, i.a);
  for_lanes(w, [&](int lane) {
    uint64_t value = low_bits(a[lane], from);
    if (kIsSigned && (value >> (from - 1) & 1)) value -= uint64_t{1} << from;
    d[lane] = static_cast<Destination>(low_bits(value, to));
  });
}

}  // namespace

Handler Resize::handler() const {
  if (is_source_wide) return resize<uint32_t, uint64_t, false>;
  if (is_destination_wide) return is_signed ? resize<uint64_t, uint32_t, true> : resize<uint64_t, uint32_t, false>;
  return is_signed ? resize<uint32_t, uint32_t, true> : resize<uint32_t, uint32_t, false>;
}

}  // namespace sim::lowering

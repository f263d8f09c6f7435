#include "counters/banks.hpp"

#include <algorithm>
#include <bit>

namespace sim::counters {
namespace {

constexpr uint32_t kBanks = 32, kWord = 4, kRow = kBanks * kWord;

// Different words per bank among the lanes of `mask`; the greatest.
uint32_t passes(const uint32_t* offset, uint32_t mask, uint32_t bytes, bool is_atomic) {
  uint32_t words[kRow];  // up to 32 lanes of one word, or fewer lanes of more: 128 bytes, and a straddled word a lane
  uint32_t count = 0;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint32_t at = offset[std::countr_zero(m)];
    for (uint32_t word = at / kWord; word <= (at + bytes - 1) / kWord; ++word) words[count++] = word;
  }
  if (!is_atomic) {
    std::sort(words, words + count);
    count = static_cast<uint32_t>(std::unique(words, words + count) - words);
  }
  uint32_t depth[kBanks] = {}, most = 0;
  for (uint32_t n = 0; n < count; ++n) most = std::max(most, ++depth[words[n] % kBanks]);
  return most;
}

// Whether every lane of `mask` has the offset of the lane `apart` from it, where that one takes part.
bool in_pairs(const uint32_t* offset, uint32_t mask, int apart) {
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m), other = lane ^ apart;
    if ((mask >> other & 1) != 0 && offset[lane] != offset[other]) return false;
  }
  return true;
}

}  // namespace

SharedCost shared_cost(const uint32_t* offset, uint32_t mask, uint32_t bytes, SharedAccess access) {
  const bool is_atomic = access == SharedAccess::kAtomic;
  uint32_t lanes = bytes <= kWord ? 32 : kRow / bytes;
  if (lanes < 32 && access == SharedAccess::kLoad && (in_pairs(offset, mask, 1) || in_pairs(offset, mask, 2))) {
    lanes *= 2;
  }
  const uint32_t group = lanes == 32 ? ~0u : (1u << lanes) - 1;
  SharedCost cost;
  for (uint32_t first = 0; first < 32; first += lanes) {
    const uint32_t here = mask & group << first;
    if (here == 0) continue;
    ++cost.ideal;
    cost.wavefronts += passes(offset, here, bytes, is_atomic);
  }
  return cost;
}

void sectors_of(const uint64_t* address, uint32_t mask, uint32_t bytes, Request& out) {
  out.count = 0;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const uint64_t at = address[std::countr_zero(m)];
    for (uint64_t number = at / kSectorBytes; number <= (at + bytes - 1) / kSectorBytes; ++number) {
      // Neighbouring lanes usually lie in neighbouring sectors: look from the back.
      uint32_t k = out.count;
      while (k > 0 && out.sectors[k - 1] > number) --k;
      if (k > 0 && out.sectors[k - 1] == number) continue;
      std::copy_backward(out.sectors + k, out.sectors + out.count, out.sectors + out.count + 1);
      out.sectors[k] = number;
      ++out.count;
    }
  }
}

}  // namespace sim::counters

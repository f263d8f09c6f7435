// The simulated cards: limits and clocks as the driver reports them, and how many blocks fit on an SM.
// Sources: NVIDIA's programming guide (table of compute capabilities), cuda_occupancy.h, product pages, device queries.
#include <algorithm>

#include "machine/launch.hpp"

namespace sim {
namespace {

constexpr uint64_t kGiB = 1ull << 30, kMiB = 1ull << 20;

// Compute capability 12.x: 48 warps and 24 blocks an SM, 100 KB shared memory of which a block may have 99.
constexpr Card blackwell(const char* key, const char* name, int minor, int sms, int gpcs, uint32_t clock_khz,
                         uint32_t memory_khz, uint32_t bus_bits, uint64_t memory_bytes, uint64_t l2_bytes) {
  return {key,   name,   12,   minor, sms,  clock_khz, memory_khz, bus_bits, memory_bytes, l2_bytes, 102400,
          49152, 101376, 1024, 65536, 1536, 24,        gpcs,       12};
}

constexpr Card kCards[] = {
    blackwell("rtx-pro-6000", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 0, 188, 12, 2617000, 14001000, 512,
              96 * kGiB, 128 * kMiB),
    blackwell("rtx-5090", "NVIDIA GeForce RTX 5090", 0, 170, 11, 2407000, 14001000, 512, 32 * kGiB, 96 * kMiB),
    blackwell("rtx-5080", "NVIDIA GeForce RTX 5080", 0, 84, 7, 2617000, 15001000, 256, 16 * kGiB, 64 * kMiB),
    blackwell("gb10", "NVIDIA GB10", 1, 48, 4, 2418000, 4266000, 256, 120 * kGiB, 24 * kMiB),
    // Compute capability 9.0: 64 warps and 32 blocks an SM, 228 KB shared memory of which a block may have 227.
    {"h200", "NVIDIA H200", 9, 0, 132, 1980000, 3201000, 6144, 141 * kGiB, 50 * kMiB, 233472, 49152, 232448, 1024,
     65536, 2048, 32, 8, 16},
};

constexpr uint32_t kSharedGranule = 128;  // shared memory is given out in these steps
constexpr uint32_t kWarpRegisterGranule = 256, kWarpGroup = 4;
constexpr uint32_t kMostThreads = 1024;
constexpr uint32_t kBarriersPerSm = 64;  // read off an H100's answers: 10 blocks of 6 barriers

}  // namespace

const Card* find_card(std::string_view key) {
  for (const Card& card : kCards)
    if (key == card.key) return &card;
  return nullptr;
}

std::vector<const Card*> all_cards() {
  std::vector<const Card*> cards;
  for (const Card& card : kCards) cards.push_back(&card);
  return cards;
}

uint32_t blocks_per_sm(const Kernel& kernel, const Card& card, uint32_t threads, uint32_t shared_bytes) {
  if (threads == 0) return 0;
  const uint32_t warps = (threads + kWarpSize - 1) / kWarpSize;
  uint32_t blocks = std::min(card.blocks_per_sm, card.threads_per_sm / (warps * kWarpSize));
  const uint32_t shared = (shared_bytes + card.shared_reserved + kSharedGranule - 1) / kSharedGranule * kSharedGranule;
  blocks = std::min(blocks, card.shared_per_sm / shared);
  if (kernel.barriers != 0) blocks = std::min(blocks, kBarriersPerSm / kernel.barriers);
  const uint32_t registers = kernel.registers != 0 ? kernel.registers : kernel.max_nreg;
  if (registers == 0 || blocks == 0) return blocks;
  const uint32_t per_warp =
      (registers * kWarpSize + kWarpRegisterGranule - 1) / kWarpRegisterGranule * kWarpRegisterGranule;
  const uint32_t fitting = card.registers_per_sm / per_warp / kWarpGroup * kWarpGroup / warps;
  // An estimate must not refuse a launch: ptxas may have found a way.
  blocks = std::min(blocks, kernel.are_registers_exact ? fitting : std::max(1u, fitting));
  return blocks;
}

uint32_t most_threads(const Kernel& kernel, const Card& card) {
  const auto count = [](const uint32_t* n) { return n[0] * std::max(1u, n[1]) * std::max(1u, n[2]); };
  uint32_t threads = kMostThreads;
  if (kernel.maxntid[0] != 0) threads = count(kernel.maxntid);
  if (kernel.reqntid[0] != 0) threads = count(kernel.reqntid);
  while (kernel.are_registers_exact && threads > kWarpSize && blocks_per_sm(kernel, card, threads, 0) == 0)
    threads = (threads - 1) / kWarpSize * kWarpSize;
  return threads;
}

}  // namespace sim

// Writes the tiles that an independent model of the tensor core is asked about (capture/mma_sim.py), and what ours
// says.
//   mma_sim_tiles FILE     per form and tile, 32-bit words: A 4 x 32, B 2 x 32, C 4 x 32, scales of A and B, D 4 x 32
#include <cstdio>

#include "mma_sim_answers.hpp"

using namespace sim::numerics;
using namespace sim::numerics::test;

int main(int argc, char** argv) {
  std::FILE* const file = argc == 2 ? std::fopen(argv[1], "wb") : nullptr;
  if (file == nullptr) {
    std::fprintf(stderr, "usage: mma_sim_tiles FILE\n");
    return 2;
  }
  bool ok = true;
  for (const Sm120Form& kind : kSm120Forms)
    each_asked_tile(kind, [&](int, Tile& tile) {
      find_mma_exact(Arch::kSm120, kind.form)(kind.form, tile.operands());
      for (const auto& part : {std::span<uint32_t>(tile.a[0], 128), std::span<uint32_t>(tile.b[0], 64),
                               std::span<uint32_t>(tile.c[0], 128), std::span<uint32_t>(tile.scale_a),
                               std::span<uint32_t>(tile.scale_b), std::span<uint32_t>(tile.d[0], 128)})
        ok &= std::fwrite(part.data(), 4, part.size(), file) == part.size();
    });
  return std::fclose(file) == 0 && ok ? 0 : 1;
}

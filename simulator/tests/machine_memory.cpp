// Device memory: placement, red zones, quarantine, registration, and the words that reports use for an address.
#include <doctest/doctest.h>

#include <cstring>

#include "machine/launch.hpp"

using namespace sim;

TEST_CASE("allocations are aligned, apart and owned") {
  Memory memory;
  const uint64_t a = memory.allocate(100, "a"), b = memory.allocate(1, "b"), c = memory.allocate(4096, "c");
  for (const uint64_t p : {a, b, c}) CHECK(p % 256 == 0);
  CHECK(b >= a + 100 + 512);
  CHECK(c >= b + 1 + 512);
  std::memset(reinterpret_cast<void*>(c), 0xab, 4096);
  CHECK(memory.bytes_in_use() == 4197);
  CHECK(memory.find(a, 100)->name == "a");
  CHECK(memory.find(a + 99, 1)->address == a);
  CHECK_FALSE(memory.find(a + 99, 2));
  CHECK_FALSE(memory.find(a - 1, 1));
  CHECK_FALSE(memory.find(a, ~0ull));
  CHECK(memory.allocate(0, "none") == 0);
  CHECK(memory.allocate(1ull << 60, "too large") == 0);
}

TEST_CASE("freed memory rests in quarantine and is named") {
  Memory memory;
  const uint64_t a = memory.allocate(1000, "weights");
  CHECK_FALSE(memory.free(a + 1));
  const uint64_t version = memory.version();
  CHECK(memory.free(a));
  CHECK(memory.version() != version);
  CHECK_FALSE(memory.free(a));
  CHECK_FALSE(memory.find(a, 1));
  CHECK(memory.describe(a + 8, 4) == "inside freed weights (cuMemAlloc #1, 1000 bytes)");
  for (int n = 0; n < 100; ++n) CHECK(memory.allocate(1000, "") != a);
}

TEST_CASE("space comes back after the quarantine") {
  Memory memory;
  uint64_t lowest = ~0ull, highest = 0;
  for (int n = 0; n < 4000; ++n) {
    const uint64_t p = memory.allocate(1 << 20, "");
    REQUIRE(p != 0);
    *reinterpret_cast<char*>(p + (1 << 20) - 1) = 1;
    lowest = std::min(lowest, p);
    highest = std::max(highest, p);
    CHECK(memory.free(p));
  }
  CHECK(highest - lowest < 512ull << 20);
  CHECK(memory.bytes_in_use() == 0);
}

TEST_CASE("host memory is registered to the byte") {
  Memory memory;
  alignas(64) static std::byte buffer[256];
  const uint64_t p = reinterpret_cast<uint64_t>(buffer);
  CHECK(memory.register_host(p, 128, "x"));
  CHECK_FALSE(memory.register_host(p + 127, 10, "overlap"));
  CHECK_FALSE(memory.register_host(p - 8, 9, "overlap"));
  CHECK(memory.register_host(p + 128, 64, ""));
  CHECK(memory.find(p + 127, 1)->name == "x");
  CHECK_FALSE(memory.find(p + 127, 2));
  CHECK_FALSE(memory.free(p));
  CHECK(memory.describe(p + 120, 16) == "8 bytes past x (host memory #1, 128 bytes)");
  CHECK(memory.describe(p + 130, 4) == "byte 2 of host memory #2 (64 bytes)");
  CHECK(memory.unregister_host(p));
  CHECK_FALSE(memory.unregister_host(p));
  CHECK(memory.describe(p + 96, 4) == "32 bytes before host memory #2 (64 bytes)");
}

TEST_CASE("an address is described by what lies near it") {
  Memory memory;
  const uint64_t a = memory.allocate(4096, "w2_scale");
  CHECK(memory.describe(a + 4096, 16) == "16 bytes past w2_scale (cuMemAlloc #1, 4096 bytes)");
  CHECK(memory.describe(a + 4088, 16) == "8 bytes past w2_scale (cuMemAlloc #1, 4096 bytes)");
  CHECK(memory.describe(a - 4, 4) == "4 bytes before w2_scale (cuMemAlloc #1, 4096 bytes)");
  CHECK(memory.describe(16, 4) == "null pointer + 16");
  CHECK(memory.describe(0x123456789000, 4) == "address 0x123456789000 is in no allocation");
}

TEST_CASE("cards have the limits of their hardware") {
  CHECK(find_card("rtx-4090") == nullptr);
  CHECK(all_cards().size() == 5);
  const Card* pro = find_card("rtx-pro-6000");
  REQUIRE(pro != nullptr);
  CHECK(pro->sm_count == 188);
  CHECK(pro->shared_per_block_optin == 101376);
  CHECK(find_card("gb10")->cc_minor == 1);
  CHECK(find_card("h200")->shared_per_block_optin == 232448);
  Kernel kernel;
  CHECK(blocks_per_sm(kernel, *pro, 128, 0) == 12);         // 1536 threads
  CHECK(blocks_per_sm(kernel, *pro, 32, 0) == 24);          // blocks
  CHECK(blocks_per_sm(kernel, *pro, 128, 49 * 1024) == 2);  // 100 KB less 1 KB a block
  CHECK(blocks_per_sm(kernel, *pro, 128, 99 * 1024) == 1);
  CHECK(blocks_per_sm(kernel, *pro, 128, 100 * 1024) == 0);
  kernel.max_nreg = 168;
  CHECK(blocks_per_sm(kernel, *pro, 384, 0) == 1);  // 12 warps of 168 x 32 registers
}

// Tensor copies that came with Blackwell: packed elements of 4 and 6 bits, with and without gaps in shared memory, and
// swizzles of 128 bytes that keep 32 or 64 bytes together. No silicon has judged them: the expected values are the
// layouts and tables of the PTX manual (5.5.1.1 and 5.5.7).
#include <doctest/doctest.h>

#include <cstring>

#include "numerics/tensor_map.hpp"
#include "tensor_kernel.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;

namespace {

// A matrix of 8 rows, of which a copy moves `box_rows`.
struct Matrix {
  uint32_t type = 15, columns = 256, stride = 192, box_columns = 128, box_rows = 4, swizzle = 0;
  int32_t column = 0, row = 0;
  uint32_t tx_bytes = 4 * 96;  // what the mbarrier is told: the data without gaps
};

Outcome run(const std::string& text, const Matrix& m, const std::vector<uint8_t>& memory, uint32_t offset = 0,
            const char* card = "rtx-pro-6000") {
  const auto encode = [&](uint64_t address) {
    numerics::TensorMapArguments a;
    a.data_type = m.type;
    a.rank = 2;
    a.address = address;
    a.dims = {m.columns, 8, 1, 1, 1};
    a.strides = {m.stride};
    a.box = {m.box_columns, m.box_rows, 1, 1, 1};
    a.swizzle = m.swizzle;
    MapBytes bytes;
    std::string error;
    REQUIRE_MESSAGE(numerics::encode_tensor_map(a, {.shared_bytes = 100 * 1024, .cc_major = 12}, bytes.bytes, error),
                    error);
    return bytes;
  };
  return run_kernel(text, std::vector<int32_t>{m.column, m.row, 0, 0, 0}, memory, encode, offset, m.tx_bytes,
                    {.block = {128}, .card = card});
}

std::string load(const std::string& space = "shared::cta") {
  return kernel("  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r1], %r4;\n  cp.async.bulk.tensor.2d." + space +
                    ".global.tile.mbarrier::complete_tx::bytes [%r2], [%rd5, {%r20, %r21}], [%r1];\n"
                    "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r1], 0;\n  @!%p3 bra WAIT;\n",
                "sm_120a");
}
std::string store(const std::string& opcode = "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group") {
  return kernel(store_text(2, opcode), "sm_120a");
}

std::vector<uint8_t> untouched() {
  std::vector<uint8_t> tile(kTile);
  for (uint32_t k = 0; k < kTile; ++k) tile[k] = static_cast<uint8_t>(k * 11 + k / 256);
  return tile;
}

// Which 16 bytes of a row lie at each place of a line of shared memory, by the number of the line.
constexpr uint32_t kAtom16[8][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}, {2, 3, 0, 1, 6, 7, 4, 5},
                                    {3, 2, 1, 0, 7, 6, 5, 4}, {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
                                    {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}};
constexpr uint32_t kAtom32[4][8] = {
    {0, 1, 2, 3, 4, 5, 6, 7}, {2, 3, 0, 1, 6, 7, 4, 5}, {4, 5, 6, 7, 0, 1, 2, 3}, {6, 7, 4, 5, 2, 3, 0, 1}};
constexpr uint32_t kAtom64[2][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {4, 5, 6, 7, 0, 1, 2, 3}};

uint32_t piece_at(uint32_t swizzle, uint32_t line, uint32_t place) {
  switch (swizzle) {
    case 3:
      return kAtom16[line % 8][place];
    case 4:
    case 5:
      return kAtom32[line % 4][place];
    case 6:
      return kAtom64[line % 2][place];
    default:
      return place;
  }
}

}  // namespace

TEST_CASE("elements of four bits without gaps are copied as the bytes they lie in") {
  // 600 elements a row: the last 40 of the third box of 128 lie outside.
  Matrix m{.type = 13, .columns = 600, .stride = 304, .tx_bytes = 4 * 64};
  const std::vector<uint8_t> memory = random_bytes(8 * 304, 1);
  for (const auto& [column, row] : {std::pair{0, 0}, {128, 3}, {512, 6}, {-64, -3}, {640, 0}}) {
    CAPTURE(column);
    m.column = column;
    m.row = row;
    const Outcome o = run(load(), m, memory, 1024);
    REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
    std::vector<uint8_t> want = untouched();
    for (int r = 0; r < 4; ++r)
      for (int b = 0; b < 64; ++b) {
        const int byte = column / 2 + b;
        const bool is_inside = row + r >= 0 && row + r < 8 && byte >= 0 && byte < 300;
        want[static_cast<size_t>(1024 + 64 * r + b)] =
            is_inside ? memory[static_cast<size_t>((row + r) * 304 + byte)] : 0;
      }
    CHECK(o.tile == want);
  }
}

TEST_CASE("sixteen elements with gaps fill 16 bytes: 8 or 12 bytes of data, the rest stays as it was") {
  for (const uint32_t type : {14u, 15u}) {
    const uint32_t data = type == 14 ? 8 : 12, row_bytes = 8 * data;
    const std::vector<uint8_t> memory = random_bytes(8 * 2 * row_bytes, type);
    for (const uint32_t swizzle : {0u, 3u, 4u}) {
      for (const auto& [column, row] : {std::pair{0, 0}, {128, 2}, {128, -1}, {0, 6}, {256, 0}, {-128, 0}}) {
        CAPTURE(type);
        CAPTURE(swizzle);
        CAPTURE(column);
        const Matrix m{.type = type,
                       .stride = 2 * row_bytes,
                       .swizzle = swizzle,
                       .column = column,
                       .row = row,
                       .tx_bytes = 4 * row_bytes};
        const Outcome o = run(load(), m, memory, 256);
        REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
        std::vector<uint8_t> want = untouched();
        for (uint32_t r = 0; r < 4; ++r)
          for (uint32_t place = 0; place < 8; ++place)
            for (uint32_t b = 0; b < data; ++b) {
              const int from_row = row + static_cast<int>(r);
              const bool is_inside = from_row >= 0 && from_row < 8 && column >= 0 && column < 256;
              const uint32_t piece = piece_at(swizzle, 2 + r, place);
              const uint32_t byte = static_cast<uint32_t>(column) / 128 * row_bytes + piece * data + b;
              want[256 + 128 * r + 16 * place + b] =
                  is_inside ? memory[static_cast<size_t>(from_row) * 2 * row_bytes + byte] : 0;
            }
        CHECK(o.tile == want);
      }
    }
  }
}

TEST_CASE("a store packs elements of six bits out of bytes of their own") {
  for (const uint32_t swizzle : {0u, 3u, 4u, 6u}) {
    CAPTURE(swizzle);
    const Matrix m{.swizzle = swizzle, .column = 128, .row = 5};
    const std::vector<uint8_t> memory = random_bytes(8 * 192, 3);
    const Outcome o = run(store(), m, memory, 384);
    REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
    const std::vector<uint8_t> tile = untouched();
    std::vector<uint8_t> want = memory;
    for (uint32_t r = 0; r < 3; ++r)  // the fourth row lies outside
      for (uint32_t n = 0; n < 128; ++n) {
        uint32_t place = 0;
        while (piece_at(swizzle, 3 + r, place) != n / 16) ++place;
        const uint32_t element = tile[384 + 128 * r + 16 * place + n % 16] & 0x3f;
        for (uint32_t b = 0; b < 6; ++b) {
          uint8_t& byte = want[(5 + r) * 192 + 96 + (6 * n + b) / 8];
          const uint32_t bit = (6 * n + b) % 8;
          byte = static_cast<uint8_t>((byte & ~(1u << bit)) | (element >> b & 1) << bit);
        }
      }
    CHECK(o.memory == want);
  }
}

TEST_CASE("swizzles that keep 32 or 64 bytes together, and flip halves of 16 in every other line") {
  Matrix m{.type = 7, .columns = 64, .stride = 256, .box_columns = 32, .box_rows = 8, .tx_bytes = 8 * 128};
  const std::vector<uint8_t> memory = random_bytes(8 * 256, 4);
  for (const uint32_t swizzle : {3u, 4u, 5u, 6u}) {
    for (const uint32_t first_line : {0u, 1u, 6u}) {
      CAPTURE(swizzle);
      CAPTURE(first_line);
      m.swizzle = swizzle;
      const Outcome loaded = run(load(), m, memory, 128 * first_line);
      REQUIRE_MESSAGE(loaded.result.status == Status::kOk, loaded.result.report);
      const auto place_of = [&](uint32_t r, uint32_t place, uint32_t b) {
        const bool flips = swizzle == 5 && (first_line + r) % 2 == 1;
        return 256 * r + 16 * piece_at(swizzle, first_line + r, place) + (flips ? b ^ 8 : b);
      };
      std::vector<uint8_t> want = untouched();
      for (uint32_t r = 0; r < 8; ++r)
        for (uint32_t b = 0; b < 128; ++b) want[128 * (first_line + r) + b] = memory[place_of(r, b / 16, b % 16)];
      CHECK(loaded.tile == want);
      const Outcome stored = run(store(), m, memory, 128 * first_line);
      if (swizzle == 5) {
        check_fault(stored, Status::kIllegalInstruction, "are for loads");
        continue;
      }
      REQUIRE_MESSAGE(stored.result.status == Status::kOk, stored.result.report);
      want = memory;
      for (uint32_t r = 0; r < 8; ++r)
        for (uint32_t b = 0; b < 128; ++b) want[place_of(r, b / 16, b % 16)] = untouched()[128 * (first_line + r) + b];
      CHECK(stored.memory == want);
    }
  }
}

TEST_CASE("what Blackwell's tensor copies do not take") {
  const std::vector<uint8_t> memory(8 * 192);
  const auto refused = [&](const std::string& text, const Matrix& m, const std::string& why,
                           const char* card = "rtx-pro-6000") {
    check_fault(run(text, m, memory, 0, card), Status::kIllegalInstruction, why);
  };
  // An H100 answers "illegal instruction" to maps of 4-bit elements.
  refused(load(), {.type = 13, .stride = 128}, "packed elements of 4 bits need sm_100", "h200");
  refused(load(), {.type = 2, .columns = 32, .box_columns = 32, .swizzle = 4}, "need sm_100", "h200");
  refused(load("shared::cluster"), {}, "not to .shared::cluster");
  refused(load("shared::cluster"), {.type = 2, .columns = 32, .box_columns = 32, .swizzle = 4},
          "not to .shared::cluster");
  refused(load(), {.column = 64}, "units of 128");
  refused(store(), {.type = 14, .stride = 128}, "are for loads");
  refused(store("cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group"), {}, "does not exist");
}

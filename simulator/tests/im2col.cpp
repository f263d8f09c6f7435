// Columns of pixels (im2col mode) and interleaved tensors through PTX, against a reference that walks one pixel after
// the other: random tensors of rank 3 to 5 with all swizzles, fills, strides, corners and offsets; then what faults,
// what the checkers say, and the columns of a convolution worked out by hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>
#include <utility>

#include "numerics/tensor_map.hpp"
#include "tensor_kernel.hpp"

using namespace sim;
using namespace sim::test;
using Status = LaunchResult::Status;
using numerics::TensorMapMode;

namespace {

// A copy: what encodes its map, and the operands of the instruction. Interleaved tensors have dimensions W, H, D,
// slices of channels, N; the others C, W, H, D, N.
struct Copy {
  numerics::TensorMapArguments map;
  std::array<int32_t, 5> start{};
  std::array<uint16_t, 3> offset{};

  uint32_t rank() const { return map.rank; }
  bool is_im2col() const { return map.mode == TensorMapMode::kIm2col; }
  bool is_interleaved() const { return map.interleave != 0; }
  uint32_t element() const { return numerics::kTensorMapTypes[map.data_type].bytes; }
  uint32_t row_bytes() const { return is_interleaved() ? 16 * map.interleave : map.channels * element(); }
  uint32_t pitch() const {
    return is_interleaved() || map.swizzle == 0 ? row_bytes() : std::max(row_bytes(), 16u << map.swizzle);
  }
  uint64_t stride(uint32_t d) const { return d != 0 ? map.strides[d - 1] : is_interleaved() ? row_bytes() : element(); }
  uint64_t tensor_bytes() const {
    uint64_t last = 0;
    for (uint32_t d = is_interleaved() ? 0 : 1; d < rank(); ++d) last += (map.dims[d] - 1) * stride(d);
    return last + (is_interleaved() ? row_bytes() : (map.dims[0] * element() + 15) / 16 * 16);
  }

  // For each row in shared memory: the place in every dimension (of C: the first channel).
  std::vector<std::array<int64_t, 5>> rows() const { return is_im2col() ? pixels() : tile(); }
  uint32_t box_bytes() const { return static_cast<uint32_t>(rows().size()) * row_bytes(); }

 private:
  std::vector<std::array<int64_t, 5>> pixels() const {
    const uint32_t first = is_interleaved() ? 0 : 1, last = rank() - 1;
    std::array<int64_t, 5> filter{};
    std::copy(start.begin(), start.end(), filter.begin());
    std::vector<std::array<int64_t, 5>> places;
    while (places.size() < map.pixels) {
      std::array<int64_t, 5> place = filter;
      for (uint32_t n = 0; n + 2 < rank(); ++n) place[first + n] += offset[n];
      places.push_back(place);
      uint32_t n = 0;
      for (; n + 2 < rank(); ++n) {
        filter[first + n] += map.steps[first + n];
        if (filter[first + n] <= static_cast<int64_t>(map.dims[first + n]) - 1 + map.upper[n]) break;
        filter[first + n] = map.lower[n];
      }
      if (n + 2 == rank()) filter[last] += map.steps[last];
    }
    return places;
  }
  // Of interleaved tensors: a box has one slice.
  std::vector<std::array<int64_t, 5>> tile() const {
    std::vector<std::array<int64_t, 5>> places{{}};
    for (uint32_t d = 0; d < rank(); ++d) {
      const uint32_t count = d == rank() - 2 ? 1 : (map.box[d] + map.steps[d] - 1) / map.steps[d];
      const std::vector<std::array<int64_t, 5>> before = std::exchange(places, {});
      for (uint32_t k = 0; k < count; ++k)
        for (std::array<int64_t, 5> place : before) {
          place[d] = start[d] + int64_t{k} * map.steps[d];
          places.push_back(place);
        }
    }
    return places;
  }
};

// Calls f(offset in the tensor or -1 outside, offset in shared memory) for every byte that the copy moves.
void each_byte(const Copy& c, uint32_t base, bool stores, const std::function<void(int64_t, uint32_t)>& f) {
  const std::vector<std::array<int64_t, 5>> rows = c.rows();
  const uint32_t mask = c.map.swizzle == 0 ? 0 : (1u << c.map.swizzle) - 1;
  const auto channel_end = static_cast<int64_t>(c.map.dims[0] * c.element());
  for (uint32_t row = 0; row < rows.size(); ++row) {
    int64_t at = 0;
    bool is_inside = true;
    for (uint32_t d = 0; d < c.rank(); ++d) {
      at += rows[row][d] * static_cast<int64_t>(c.stride(d));
      if (d != 0 || c.is_interleaved())
        is_inside = is_inside && rows[row][d] >= 0 && rows[row][d] < static_cast<int64_t>(c.map.dims[d]);
    }
    for (uint32_t b = 0; b < c.row_bytes(); ++b) {
      const int64_t channel = c.is_interleaved() ? 0 : rows[row][0] * c.element() + b;
      const int64_t end = c.is_interleaved() ? 1 : stores ? (channel_end + 15) / 16 * 16 : channel_end;
      const uint32_t linear = base + row * c.pitch() + b;
      f(is_inside && channel >= 0 && channel < end ? at + b : -1, (linear ^ (linear >> 7 & mask) << 4) - base);
    }
  }
}

MapBytes encode(Copy c, uint64_t address) {
  c.map.address = address;
  MapBytes bytes;
  std::string error;
  REQUIRE_MESSAGE(numerics::encode_tensor_map(c.map, {.shared_bytes = 100 * 1024}, bytes.bytes, error), error);
  return bytes;
}

Outcome run(const std::string& text, const Copy& c, const std::vector<uint8_t>& memory, uint32_t offset = 0,
            const Launch& launch = {.block = {128}, .card = "h200"}) {
  std::vector<int32_t> at(c.start.begin(), c.start.end());
  for (const uint16_t o : c.offset) at.push_back(o);
  return run_kernel(
      text, at, memory, [&](uint64_t address) { return encode(c, address); }, offset, c.box_bytes(), launch);
}

constexpr char kOffsets[] =
    "  ld.global.b16 %rs1, [%rd1+20];\n  ld.global.b16 %rs2, [%rd1+24];\n  ld.global.b16 %rs3, [%rd1+28];\n"
    "  createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n";
std::string offsets(uint32_t rank) { return rank == 3 ? "{%rs1}" : rank == 4 ? "{%rs1, %rs2}" : "{%rs1, %rs2, %rs3}"; }
// `mode`: what follows ".global" in the opcode.
std::string load_text(uint32_t rank, const std::string& mode = "im2col", const std::string& space = "shared::cta",
                      const std::string& hint = "", const std::string& operands = "") {
  return kOffsets +
         ("  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r1], %r4;\n  cp.async.bulk.tensor." +
          std::to_string(rank)) +
         "d." + space + ".global." + mode + ".mbarrier::complete_tx::bytes" + hint + " [%r2], [%rd5, " +
         coordinates(rank) + "], [%r1]" + (mode == "im2col" ? ", " + offsets(rank) : "") + operands +
         ";\nWAIT: mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r1], 0;\n  @!%p3 bra WAIT;\n";
}
std::string store_opcode(uint32_t rank, const std::string& operation, const std::string& mode) {
  return (operation.empty() ? "cp.async.bulk.tensor." : "cp.reduce.async.bulk.tensor.") + std::to_string(rank) +
         "d.global.shared::cta." + (operation.empty() ? "" : operation + ".") + mode + ".bulk_group";
}

constexpr uint32_t kTypes[] = {0, 1, 2, 4, 6, 7, 8, 9, 11};

class Draw {
 public:
  explicit Draw(uint32_t seed) : random_(seed) {}

  template <class T = uint32_t>
  T pick(int64_t low, int64_t high) {
    return static_cast<T>(low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1)));
  }
  // `stores`: coordinates and corners inside the tensor.
  Copy copy(TensorMapMode mode, uint32_t interleave, bool stores) {
    for (;;) {
      Copy c;
      numerics::TensorMapArguments& a = c.map;
      a.mode = mode;
      a.interleave = interleave;
      a.rank = pick(3, 5);
      a.data_type = kTypes[pick(0, std::size(kTypes) - 1)];
      a.swizzle = pick(0, 3);
      a.fill = a.data_type >= 6 && !stores ? pick(0, 1) : 0;
      const uint32_t granule = 16 / c.element(), first = c.is_interleaved() ? 0 : 1;
      a.channels = granule * pick(1, c.is_interleaved() || a.swizzle == 0 ? 8 : 1 << a.swizzle);
      a.pixels = pick(1, pick(0, 1) == 0 ? 10 : 100);
      a.dims[0] = pick(1, a.channels * 2);
      for (uint32_t n = 0; n + 2 < a.rank; ++n) {
        a.dims[first + n] = pick(1, 9);
        a.lower[n] = stores ? pick<int32_t>(0, 1) : pick<int32_t>(-3, 2);
        a.upper[n] = stores ? pick<int32_t>(-1, 0) : pick<int32_t>(-3, 3);
        c.offset[n] = mode == TensorMapMode::kIm2col && !stores ? pick<uint16_t>(0, 3) : 0;
      }
      if (c.is_interleaved()) a.dims[a.rank - 2] = pick(1, 4);
      a.dims[a.rank - 1] = pick(1, 4);
      a.box = {granule * pick(1, 3), pick(1, 4), pick(1, 4), pick(1, 3), pick(1, 3)};
      if (c.is_interleaved()) a.box[a.rank - 2] = pick(1, 256);
      for (uint32_t d = first; d < a.rank; ++d) a.steps[d] = pick(0, 2) == 0 ? pick(1, 3) : 1;
      const uint64_t align = interleave == 2 ? 32 : 16;
      uint64_t size = c.is_interleaved() ? align * a.dims[0] : (a.dims[0] * c.element() + 15) / 16 * 16;
      for (uint32_t d = 1; d < a.rank; ++d) {
        a.strides[d - 1] = size + align * pick(0, 2);
        size = a.strides[d - 1] * a.dims[d];
      }
      // The driver reckons a box's slices, which are never more than one.
      if (!numerics::broken_tensor_map_rule(a, {.shared_bytes = 100 * 1024}).empty()) continue;
      if (!place(c, stores) || c.tensor_bytes() > 1 << 16 || c.rows().size() * c.pitch() + 1024 > kTile) continue;
      return c;
    }
  }

 private:
  // Coordinates: of filters inside the corners. False: the corners leave nothing.
  bool place(Copy& c, bool stores) {
    const numerics::TensorMapArguments& a = c.map;
    const uint32_t first = c.is_interleaved() ? 0 : 1;
    for (uint32_t d = 0; d < a.rank; ++d)
      c.start[d] = stores ? pick<int32_t>(0, static_cast<int64_t>(a.dims[d]) - 1) : pick<int32_t>(-2, 5);
    if (!c.is_interleaved()) c.start[0] = pick<int32_t>(stores ? 0 : -1, 2) * static_cast<int32_t>(16 / c.element());
    for (uint32_t n = 0; c.is_im2col() && n + 2 < a.rank; ++n) {
      const int64_t high = static_cast<int64_t>(a.dims[first + n]) - 1 + a.upper[n];
      if (high < a.lower[n]) return false;
      c.start[first + n] = pick<int32_t>(a.lower[n], high);
    }
    return true;
  }
  std::mt19937 random_;
};

void check_load(const Copy& c, const std::string& text, uint32_t offset) {
  const std::vector<uint8_t> memory = random_bytes(c.tensor_bytes(), 3);
  check_loaded(run(text, c, memory, offset), memory, offset, c.map.data_type, c.map.fill == 1,
               [&](const auto& f) { each_byte(c, offset, false, f); });
}

void check_store(const Copy& c, const std::string& opcode, uint32_t offset) {
  const std::vector<uint8_t> memory = random_bytes(c.tensor_bytes(), 4);
  const Outcome o = run(kernel(store_text(c.rank(), opcode)), c, memory, offset);
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  std::vector<uint8_t> want = memory;
  each_byte(c, offset, true, [&](int64_t to, uint32_t from) {
    if (to >= 0) want[static_cast<size_t>(to)] = o.tile[offset + from];
  });
  CHECK(o.memory == want);
}

}  // namespace

TEST_CASE("random columns of pixels are loaded") {
  Draw draw(1);
  for (int k = 0; k < 180; ++k) {
    CAPTURE(k);
    const Copy c = draw.copy(TensorMapMode::kIm2col, k % 3 == 2 ? draw.pick(1, 2) : 0, false);
    check_load(c, kernel(load_text(c.rank())), draw.pick(0, 3) * 128);
  }
}

TEST_CASE("random boxes of interleaved tensors are loaded") {
  Draw draw(2);
  for (int k = 0; k < 90; ++k) {
    CAPTURE(k);
    const Copy c = draw.copy(TensorMapMode::kTiled, draw.pick(1, 2), false);
    check_load(c, kernel(load_text(c.rank(), "tile")), draw.pick(0, 3) * 128);
  }
}

TEST_CASE("random columns and interleaved boxes are stored") {
  Draw draw(3);
  for (int k = 0; k < 150; ++k) {
    CAPTURE(k);
    const bool is_column = k % 3 != 0;
    const Copy c = draw.copy(is_column ? TensorMapMode::kIm2col : TensorMapMode::kTiled,
                             is_column && k % 2 == 0 ? 0 : draw.pick(1, 2), true);
    const std::string hint = k % 4 == 0 ? ".L2::cache_hint" : "";
    check_store(c, store_opcode(c.rank(), "", is_column ? "im2col_no_offs" : "tile") + hint, draw.pick(0, 3) * 128);
  }
}

namespace {

template <class T>
void check_reduce(Draw& draw, uint32_t type, const std::string& operation, const std::function<T(T, T)>& f) {
  for (int k = 0; k < 6; ++k) {
    CAPTURE(operation);
    CAPTURE(k);
    const bool is_column = k < 4;
    Copy c;
    do
      c = draw.copy(is_column ? TensorMapMode::kIm2col : TensorMapMode::kTiled, k % 2 == 0 && is_column ? 0 : 1 + k % 2,
                    true);
    while (numerics::kTensorMapTypes[c.map.data_type].bytes != sizeof(T));
    c.map.data_type = type;
    const std::vector<uint8_t> memory = random_bytes(c.tensor_bytes(), 5);
    const std::string opcode = store_opcode(c.rank(), operation, is_column ? "im2col_no_offs" : "tile");
    const Outcome o = run(kernel(store_text(c.rank(), opcode + (k % 3 == 0 ? ".L2::cache_hint" : ""))), c, memory);
    REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
    std::vector<uint8_t> want = memory;
    each_byte(c, 0, true, [&](int64_t to, uint32_t from) {
      if (to < 0 || static_cast<uint64_t>(to) % sizeof(T) != 0) return;
      T a, b;
      std::memcpy(&a, want.data() + to, sizeof a);
      std::memcpy(&b, o.tile.data() + from, sizeof b);
      a = f(a, b);
      std::memcpy(want.data() + to, &a, sizeof a);
    });
    CHECK(o.memory == want);
  }
}

}  // namespace

TEST_CASE("columns and interleaved boxes are reduced by the map's type") {
  Draw draw(4);
  check_reduce<uint32_t>(draw, 2, "add", [](uint32_t a, uint32_t b) { return a + b; });
  check_reduce<uint32_t>(draw, 2, "inc", [](uint32_t a, uint32_t b) { return a >= b ? 0 : a + 1; });
  check_reduce<uint32_t>(draw, 2, "dec", [](uint32_t a, uint32_t b) { return a == 0 || a > b ? b : a - 1; });
  check_reduce<uint32_t>(draw, 2, "xor", [](uint32_t a, uint32_t b) { return a ^ b; });
  check_reduce<int32_t>(draw, 3, "max", [](int32_t a, int32_t b) { return std::max(a, b); });
  check_reduce<uint64_t>(draw, 4, "min", [](uint64_t a, uint64_t b) { return std::min(a, b); });
  check_reduce<uint64_t>(draw, 4, "and", [](uint64_t a, uint64_t b) { return a & b; });
  check_reduce<uint64_t>(draw, 4, "or", [](uint64_t a, uint64_t b) { return a | b; });
}

TEST_CASE("the spellings of loads and prefetches in im2col mode") {
  Draw draw(5);
  for (uint32_t rank = 3; rank <= 5; ++rank) {
    CAPTURE(rank);
    Copy c;
    do c = draw.copy(TensorMapMode::kIm2col, 0, false);
    while (c.rank() != rank);
    for (const std::string space : {"shared::cta", "shared::cluster"}) {
      check_load(c, kernel(load_text(rank, "im2col", space)), 1024);
      check_load(c, kernel(load_text(rank, "im2col", space, ".L2::cache_hint", ", %rd9")), 1024);
    }
    check_load(c, kernel(load_text(rank, "im2col", "shared::cluster", ".multicast::cluster", ", 1")), 0);
    check_load(
        c, kernel(load_text(rank, "im2col", "shared::cluster", ".multicast::cluster.L2::cache_hint", ", 1, %rd9")), 0);
    for (const bool has_hint : {false, true})
      check_load(c,
                 kernel(kOffsets + ("  cp.async.bulk.prefetch.tensor." + std::to_string(rank)) + "d.L2.global.im2col" +
                        (has_hint ? ".L2::cache_hint" : "") + " [%rd5, " + coordinates(rank) + "], " + offsets(rank) +
                        (has_hint ? ", %rd9" : "") + ";\n" + load_text(rank)),
                 0);
  }
}

namespace {

// Three by three pixels of 4 words, of which the word `w` of pixel (x, y) is 100 x + 10 y + w + 1000.
Copy image(int32_t lower, int32_t upper, uint32_t pixels) {
  Copy c;
  c.map.mode = TensorMapMode::kIm2col;
  c.map.data_type = 2;
  c.map.rank = 4;
  c.map.dims = {4, 3, 3, 1, 1};
  c.map.strides = {16, 48, 144};
  c.map.lower = {lower, lower};
  c.map.upper = {upper, upper};
  c.map.channels = 4;
  c.map.pixels = pixels;
  return c;
}
std::vector<uint8_t> image_bytes() {
  std::vector<uint8_t> bytes(144);
  for (uint32_t y = 0; y < 3; ++y)
    for (uint32_t x = 0; x < 3; ++x)
      for (uint32_t w = 0; w < 4; ++w) {
        const uint32_t value = 1000 + 100 * x + 10 * y + w;
        std::memcpy(bytes.data() + 48 * y + 16 * x + 4 * w, &value, 4);
      }
  return bytes;
}
// The first words of the rows that a load brings.
std::vector<uint32_t> first_words(const Copy& c) {
  const Outcome o = run(kernel(load_text(4)), c, image_bytes());
  REQUIRE_MESSAGE(o.result.status == Status::kOk, o.result.report);
  std::vector<uint32_t> words(c.map.pixels);
  for (uint32_t row = 0; row < c.map.pixels; ++row) std::memcpy(&words[row], o.tile.data() + 16 * row, 4);
  return words;
}

}  // namespace

TEST_CASE("the columns of a 3 x 3 convolution that pads by one") {
  Copy c = image(-1, -1, 9);
  c.start = {0, -1, -1, 0};
  c.offset = {0, 0, 0};  // the filter's first tap: each pixel's neighbour to the upper left
  CHECK(first_words(c) == std::vector<uint32_t>{0, 0, 0, 0, 1000, 1100, 0, 1010, 1110});
  c.offset = {1, 1, 0};  // its middle
  CHECK(first_words(c) == std::vector<uint32_t>{1000, 1100, 1200, 1010, 1110, 1210, 1020, 1120, 1220});
  c.offset = {2, 0, 0};  // its last of the first line
  CHECK(first_words(c) == std::vector<uint32_t>{0, 0, 0, 1100, 1200, 0, 1110, 1210, 0});
  c.map.steps = {1, 2, 2, 1, 1};  // every other pixel: the next image follows, and there is none
  c.map.pixels = 5;
  c.offset = {1, 1, 0};
  CHECK(first_words(c) == std::vector<uint32_t>{1000, 1200, 1020, 1220, 0});
  c.start = {0, 0, -1, 0};  // from a place between: the first line goes on from there, the others from the corner
  CHECK(first_words(c) == std::vector<uint32_t>{1100, 1020, 1220, 0, 0});
}

TEST_CASE("misuse of im2col mode and of interleaved tensors") {
  const Copy good = image(0, 0, 4);
  const std::vector<uint8_t> memory = image_bytes();
  const std::string load = kernel(load_text(4)), store = kernel(store_text(4, store_opcode(4, "", "im2col_no_offs")));
  CHECK(run(load, good, memory).result.status == Status::kOk);
  CHECK(run(store, good, memory).result.status == Status::kOk);
  const auto refused = [&](const std::string& text, const std::string& why, const std::function<void(Copy&)>& change) {
    Copy c = good;
    change(c);
    check_fault(run(text, c, memory), Status::kIllegalInstruction, why);
  };
  refused(load, "coordinate W is 3, outside the corners 0 to 2", [](Copy& c) { c.start[1] = 3; });
  refused(load, "coordinate H is -1, outside the corners 0 to 2", [](Copy& c) { c.start[2] = -1; });
  refused(load, "outside the corners 1 to 2", [](Copy& c) { c.map.lower[0] = 1; });
  refused(load, "im2col offset H is 256, not below 256", [](Copy& c) { c.offset[1] = 256; });
  refused(load, "multiple of 16 bytes", [](Copy& c) { c.start[0] = 1; });
  refused(load, "is not of im2col mode", [](Copy& c) {
    c.map.mode = TensorMapMode::kTiled;
    c.map.box[0] = 4;
  });
  refused(kernel(load_text(4, "tile")), "is of im2col mode", [](Copy&) {});
  refused(kernel(load_text(3)), "has 3 coordinates", [](Copy&) {});
  refused(store, "coordinate 3 of a tensor store is negative", [](Copy& c) { c.start[3] = -1; });
  refused(store, "the corners of H reach outside", [](Copy& c) { c.map.lower[1] = -1; });
  refused(store, "the corners of W reach outside", [](Copy& c) { c.map.upper[0] = 1; });
  refused(kernel(store_text(4, store_opcode(4, "add", "im2col_no_offs"))), "does not exist",
          [](Copy& c) { c.map.data_type = 1, c.map.channels = 8; });
  check_fault(run(load, good, std::vector<uint8_t>(memory.begin(), memory.begin() + 48)), Status::kIllegalAddress,
              "past tensor");
  // Interleaved: slices of channels have numbers of their own, and stores refuse negative ones.
  refused(kernel(store_text(4, store_opcode(4, "", "tile"))), "coordinate 2 of a tensor store is negative",
          [](Copy& c) {
            c.map.mode = TensorMapMode::kTiled;
            c.map.interleave = 1;
            c.map.box = {4, 1, 1, 1, 1};
            c.start = {0, 0, -1, 0};
          });
}

namespace {

std::string without(std::string text, const std::string& part) {
  const size_t at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.erase(at, part.size());
}
// The first finding; empty when there is none.
std::string finding(const std::string& text, const Copy& c) {
  RunOptions options;
  options.checks_races = options.checks_init = options.checks_sync = true;
  const Outcome o = run(text, c, image_bytes(), 0, {.block = {128}, .options = options});
  return o.result.findings.empty() ? "" : o.result.findings.front().text;
}

}  // namespace

TEST_CASE("the checkers see the accesses of columns and interleaved boxes") {
  Copy column = image(0, 0, 9), slices = image(0, 0, 0);
  slices.map.mode = TensorMapMode::kTiled;
  slices.map.interleave = 1;
  slices.map.dims = {3, 3, 1, 1, 1};
  slices.map.strides = {48, 144, 144};
  slices.map.box = {4, 3, 1, 1, 1};
  for (const Copy& c : {column, slices}) {
    const std::string mode = c.is_im2col() ? "im2col" : "tile";
    const std::string load = kernel(load_text(4, mode), "sm_120a");
    const std::string store =
        kernel(store_text(4, store_opcode(4, "", c.is_im2col() ? "im2col_no_offs" : mode)), "sm_120a");
    CHECK(finding(load, c) == "");
    CHECK(finding(store, c) == "");
    const std::string wait = "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r1], 0;\n  @!%p3 bra WAIT;\n";
    CHECK(contains(finding(without(load, wait), c), "race"));
    CHECK(contains(finding(without(store, "  fence.proxy.async.shared::cta;\n"), c), "fence.proxy.async"));
    CHECK(contains(finding(without(store, "  st.shared.b32 [%r8], %r7;\n"), c), "init"));
  }
}

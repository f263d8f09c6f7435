// The tensor map encoder against 2,516 calls of cuTensorMapEncodeTiled that numerics/capture/tensor_map_capture.py
// recorded on an H200 (driver 580.159, 2026-11-23) and 3,883 calls of cuTensorMapEncodeIm2col, and of
// cuTensorMapEncodeTiled for interleaved tensors, that numerics/capture/im2col_map_capture.py recorded on an H100
// (driver 580.159.04, 2026-11-26): the same verdict for every call, the same 128 bytes for every accepted one, and
// decoding gives the arguments back. What no such card knows is held against cuda.h's rules.
#include "numerics/tensor_map.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

using namespace sim::numerics;

namespace {

constexpr TensorMapCard kHopper{.shared_bytes = 228 << 10, .cc_major = 9};
constexpr TensorMapCard kBlackwell{.shared_bytes = 100 << 10, .cc_major = 12};

using MapBytes = std::array<std::byte, kTensorMapBytes>;

struct Answer {
  TensorMapArguments arguments;
  bool is_accepted = false;
  MapBytes map{};
};

std::vector<char> contents(const char* path, const char* magic) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  REQUIRE(bytes.size() > 16);
  REQUIRE(std::memcmp(bytes.data(), magic, 8) == 0);
  return bytes;
}

#pragma pack(push, 1)
struct Record {
  uint8_t section, type, rank, interleave, swizzle, promotion, fill, misalignment;
  int32_t result;
  uint32_t padding;
  uint64_t address, dims[5], strides[4];
  uint32_t box[5], steps[5];
  std::byte map[128];
};
#pragma pack(pop)
static_assert(sizeof(Record) == 264);

std::vector<Answer> tiled_answers() {
  const std::vector<char> bytes = contents("simulator/tests/data/tensor_maps.bin", "B12XTMAP");
  std::vector<Record> records((bytes.size() - 16) / sizeof(Record));
  std::memcpy(records.data(), bytes.data() + 16, records.size() * sizeof(Record));
  std::vector<Answer> answers;
  for (const Record& r : records) {
    Answer answer{.arguments = {.data_type = r.type,
                                .rank = r.rank,
                                .address = r.address,
                                .interleave = r.interleave,
                                .swizzle = r.swizzle,
                                .promotion = r.promotion,
                                .fill = r.fill},
                  .is_accepted = r.result == 0};
    TensorMapArguments& a = answer.arguments;
    for (uint32_t d = 0; d < std::min<uint32_t>(r.rank, 5); ++d) {
      a.dims[d] = r.dims[d];
      a.box[d] = r.box[d];
      a.steps[d] = r.steps[d];
      if (d + 1 < r.rank && d < 4) a.strides[d] = r.strides[d];
    }
    std::copy(std::begin(r.map), std::end(r.map), answer.map.begin());
    answers.push_back(answer);
  }
  return answers;
}

// im2col_map_capture.py says how they are written.
std::vector<Answer> im2col_answers() {
  const std::vector<char> bytes = contents("simulator/tests/data/im2col_maps.bin", "B12XTMA2");
  uint32_t count;
  std::memcpy(&count, bytes.data() + 8, sizeof count);
  size_t at = 12;
  const auto next = [&] {
    uint64_t value = 0;
    for (uint32_t shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes.at(at++));
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  };
  const auto small = [&] { return static_cast<uint32_t>(next()); };
  const auto corner = [&] {
    const uint64_t value = next();
    return static_cast<int32_t>(value >> 1) ^ -static_cast<int32_t>(value & 1);
  };
  std::vector<Answer> answers(count);
  for (Answer& answer : answers) {
    TensorMapArguments& a = answer.arguments;
    a.mode = next() == 0 ? TensorMapMode::kTiled : TensorMapMode::kIm2col;
    for (uint32_t* field : {&a.data_type, &a.rank, &a.interleave, &a.swizzle, &a.promotion, &a.fill}) *field = small();
    answer.is_accepted = next() == 0;
    a.address = next();
    const uint32_t shown = std::min(a.rank, 5u);
    for (uint32_t d = 0; d < shown; ++d) a.dims[d] = next();
    for (uint32_t d = 0; d + 1 < shown; ++d) a.strides[d] = next();
    for (uint32_t d = 0; d < shown; ++d) a.steps[d] = small();
    if (a.mode == TensorMapMode::kTiled) {
      for (uint32_t d = 0; d < shown; ++d) a.box[d] = small();
    } else {
      a.channels = small();
      a.pixels = small();
      for (auto* side : {&a.lower, &a.upper})
        for (uint32_t d = 0; d + 2 < shown; ++d) (*side)[d] = corner();
    }
    if (!answer.is_accepted) continue;
    const uint32_t mask = small();
    for (uint32_t word = 0; word < 32; ++word)
      if ((mask >> word & 1) != 0) {
        const uint32_t value = small();
        std::memcpy(answer.map.data() + 4 * word, &value, sizeof value);
      }
  }
  CHECK(at == bytes.size());
  return answers;
}

std::vector<Answer> all_answers() {
  std::vector<Answer> all = tiled_answers();
  REQUIRE(all.size() == 2516);
  const std::vector<Answer> more = im2col_answers();
  REQUIRE(more.size() == 3883);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

TEST_CASE("every recorded call gets the GPU's verdict and, where accepted, its bits") {
  const std::vector<Answer> all = all_answers();
  int accepted[2] = {};
  for (size_t i = 0; i < all.size(); ++i) {
    MapBytes map{};
    std::string error;
    const bool ok = encode_tensor_map(all[i].arguments, kHopper, map.data(), error);
    CHECK_MESSAGE(ok == all[i].is_accepted, "record " << i << ": " << error);
    if (ok) CHECK_MESSAGE(map == all[i].map, "record " << i);
    if (ok) ++accepted[static_cast<int>(all[i].arguments.mode)];
  }
  CHECK(accepted[0] == 1920 + 318);
  CHECK(accepted[1] == 1913);
}

namespace {

void check_decoded(const MapBytes& bytes, const TensorMapArguments& a) {
  TensorMap map;
  std::string error;
  REQUIRE_MESSAGE(decode_tensor_map(bytes.data(), map, error), error);
  CHECK(map.mode == a.mode);
  CHECK(map.address == a.address);
  CHECK(map.rank == a.rank);
  CHECK(map.interleave == a.interleave);
  CHECK(map.swizzle == std::min(a.swizzle, 3u));
  CHECK(map.swizzle_atomicity == (a.swizzle > 3 ? a.swizzle - 3 : 0));
  CHECK(map.fills_nan == (a.fill == 1));
  const bool is_im2col = a.mode == TensorMapMode::kIm2col;
  CHECK(map.box[0] == (is_im2col ? a.channels : a.box[0]));
  CHECK(map.pixels == (is_im2col ? a.pixels : 0));
  for (uint32_t d = 0; d < a.rank; ++d) {
    CHECK(map.dim[d] == a.dims[d]);
    CHECK(map.element_step[d] == a.steps[d]);
    if (!is_im2col) CHECK(map.box[d] == a.box[d]);
    if (d + 1 < a.rank) CHECK(map.stride[d + 1] == a.strides[d]);
  }
  if (!is_im2col) return;
  CHECK(map.lower == a.lower);
  CHECK(map.upper == a.upper);
}

}  // namespace

TEST_CASE("decoding a recorded map gives its arguments") {
  for (const Answer& answer : all_answers()) {
    if (!answer.is_accepted) continue;
    check_decoded(answer.map, answer.arguments);
    TensorMap map;
    std::string error;
    REQUIRE(decode_tensor_map(answer.map.data(), map, error));
    CHECK(map.rounds_to_tf32 == (answer.arguments.data_type >= 11));
    CHECK(map.element_bits == 8 * kTensorMapTypes[answer.arguments.data_type].bytes);
  }
}

namespace {

// 128 elements of 6 bits wide, with gaps.
TensorMapArguments packed() {
  TensorMapArguments a;
  a.data_type = 15;
  a.rank = 2;
  a.address = 4096;
  a.dims = {256, 16, 1, 1, 1};
  a.strides = {192};
  a.box = {128, 4, 1, 1, 1};
  return a;
}

}  // namespace

TEST_CASE("packed types and the wider swizzle atoms are for compute capability 10 and up") {
  struct Change {
    std::function<void(TensorMapArguments&)> change;
    bool is_accepted;
  };
  const Change kChanges[] = {
      {[](auto&) {}, true},
      {[](auto& a) { a.data_type = 14, a.strides[0] = 128; }, true},
      {[](auto& a) { a.data_type = 13; }, true},
      {[](auto& a) { a.data_type = 13, a.box[0] = 32; }, true},
      {[](auto& a) { a.data_type = 13, a.box[0] = 16; }, false},
      {[](auto& a) { a.data_type = 13, a.dims[0] = 255; }, false},
      {[](auto& a) { a.data_type = 16; }, false},
      {[](auto& a) { a.swizzle = 3; }, true},
      {[](auto& a) { a.swizzle = 4; }, true},
      {[](auto& a) { a.swizzle = 5; }, false},
      {[](auto& a) { a.swizzle = 6; }, true},
      {[](auto& a) { a.swizzle = 6, a.data_type = 14; }, false},
      {[](auto& a) { a.swizzle = 1; }, false},
      {[](auto& a) { a.swizzle = 7; }, false},
      {[](auto& a) { a.fill = 1; }, false},
      {[](auto& a) { a.dims[0] = 192; }, false},
      {[](auto& a) { a.strides[0] = 208; }, false},
      {[](auto& a) { a.address += 16; }, false},
      {[](auto& a) { a.box[0] = 64; }, false},
      {[](auto& a) { a.data_type = 7, a.box[0] = 32, a.swizzle = 5; }, true},
      {[](auto& a) { a.data_type = 7, a.box[0] = 64, a.swizzle = 5; }, false},
  };
  for (size_t i = 0; i < std::size(kChanges); ++i) {
    CAPTURE(i);
    TensorMapArguments a = packed();
    kChanges[i].change(a);
    MapBytes map{};
    std::string error;
    CHECK_FALSE(encode_tensor_map(a, kHopper, map.data(), error));
    const bool ok = encode_tensor_map(a, kBlackwell, map.data(), error);
    CHECK_MESSAGE(ok == kChanges[i].is_accepted, error);
    if (ok) check_decoded(map, a);
  }
}

TEST_CASE("bytes that no encoder writes are refused") {
  MapBytes bytes;
  TensorMap map;
  std::string error;
  const auto refused = [&](const std::string& why) {
    CHECK_FALSE(decode_tensor_map(bytes.data(), map, error));
    CHECK_MESSAGE(error.find(why) != std::string::npos, error);
  };
  bytes.fill(std::byte{0xff});
  refused("rank");
  bytes.fill(std::byte{0});
  bytes[9] = std::byte{0x07};  // type code 14
  refused("14");
  bytes[9] = std::byte{0x18};  // interleaving 3
  bytes[8] = std::byte{0x20};
  refused("interleaving");
  bytes[9] = std::byte{0x08};  // interleaving 1, rank 2
  bytes[8] = std::byte{0x10};
  refused("rank 2");
  bytes[9] = std::byte{0};  // im2col, rank 2
  bytes[8] = std::byte{0x11};
  refused("im2col");
}

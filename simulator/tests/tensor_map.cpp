// The tensor map encoder against 2,516 calls of cuTensorMapEncodeTiled that numerics/capture/tensor_map_capture.py
// recorded on an H200 (driver 580.159, 2026-11-23): the same verdict for every call, the same 128 bytes for every
// accepted one, and decoding gives the arguments back.
#include "numerics/tensor_map.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

using namespace sim::numerics;

namespace {

constexpr uint32_t kH200SharedBytes = 228 << 10;

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

std::vector<Record> records() {
  std::ifstream file("simulator/tests/data/tensor_maps.bin", std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  REQUIRE(bytes.size() > 16);
  REQUIRE(std::memcmp(bytes.data(), "B12XTMAP", 8) == 0);
  std::vector<Record> out((bytes.size() - 16) / sizeof(Record));
  std::memcpy(out.data(), bytes.data() + 16, out.size() * sizeof(Record));
  return out;
}

TensorMapArguments arguments(const Record& r) {
  TensorMapArguments a{.data_type = r.type,
                       .rank = r.rank,
                       .address = r.address,
                       .interleave = r.interleave,
                       .swizzle = r.swizzle,
                       .promotion = r.promotion,
                       .fill = r.fill};
  for (uint32_t d = 0; d < std::min<uint32_t>(r.rank, 5); ++d) {
    a.dims[d] = r.dims[d];
    a.box[d] = r.box[d];
    a.steps[d] = r.steps[d];
    if (d + 1 < r.rank && d < 4) a.strides[d] = r.strides[d];
  }
  return a;
}

}  // namespace

TEST_CASE("every recorded call gets the H200's verdict and, where accepted, its bits") {
  const std::vector<Record> all = records();
  REQUIRE(all.size() == 2516);
  int accepted = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    std::byte map[kTensorMapBytes] = {};
    std::string error;
    const bool ok = encode_tensor_map(arguments(all[i]), kH200SharedBytes, map, error);
    CHECK_MESSAGE(ok == (all[i].result == 0), "record " << i << ": " << error);
    if (ok) CHECK_MESSAGE(std::memcmp(map, all[i].map, kTensorMapBytes) == 0, "record " << i);
    accepted += ok;
  }
  CHECK(accepted == 1920);
}

TEST_CASE("decoding a recorded map gives its arguments") {
  for (const Record& r : records()) {
    if (r.result != 0) continue;
    TensorMap map;
    std::string error;
    REQUIRE_MESSAGE(decode_tensor_map(r.map, map, error), error);
    CHECK(map.address == r.address);
    CHECK(map.rank == r.rank);
    CHECK(map.interleave == r.interleave);
    CHECK(map.swizzle == r.swizzle);
    CHECK(map.fills_nan == (r.fill == 1));
    CHECK(map.rounds_to_tf32 == (r.type >= 11));
    for (uint32_t d = 0; d < r.rank; ++d) {
      CHECK(map.dim[d] == r.dims[d]);
      CHECK(map.box[d] == r.box[d]);
      CHECK(map.element_step[d] == r.steps[d]);
      if (d + 1 < r.rank) CHECK(map.stride[d + 1] == r.strides[d]);
    }
  }
}

TEST_CASE("bytes that no encoder writes are refused") {
  std::byte bytes[kTensorMapBytes];
  TensorMap map;
  std::string error;
  std::fill(std::begin(bytes), std::end(bytes), std::byte{0xff});
  CHECK_FALSE(decode_tensor_map(bytes, map, error));
  std::fill(std::begin(bytes), std::end(bytes), std::byte{0});
  bytes[9] = std::byte{0x06};  // type code 12
  CHECK_FALSE(decode_tensor_map(bytes, map, error));
  CHECK(error.find("12") != std::string::npos);
}

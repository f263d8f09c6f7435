// support.hpp: what the kernel tests share: the card under test, device arrays between sentinels, inputs.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "b12x/device.hpp"
#include "b12x/error.hpp"
#include "b12x/tensor.hpp"
#include "b12x/workspace.hpp"
#include "tests/reference/number_formats.hpp"

namespace b12x::testing {

// The simulated card that B12X_SIM_GPU names.
inline Device card() { return Device::open("sim"); }
// The card runs the block-scaled MMA itself; Hopper's stand-in rounds differently.
inline bool has_block_scaled_mma() { return card().info().compute_capability >= 120; }

inline constexpr size_t kGuardBytes = 512;
inline constexpr uint8_t kSentinel = 0xA5;

// `bytes` of device memory inside a larger allocation whose other bytes must not change.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t bytes, size_t offset = 0)
      : bytes_(bytes), offset_(kGuardBytes + offset), buffer_(card(), bytes + offset_ + kGuardBytes) {
    image_.assign(buffer_.bytes(), kSentinel);
    buffer_.upload(image_.data(), image_.size());
  }

  void* data() const { return static_cast<uint8_t*>(buffer_.data()) + offset_; }

  void fill(const void* source, size_t bytes) {
    std::memcpy(image_.data() + offset_, source, bytes);
    buffer_.upload(image_.data(), image_.size());
  }
  template <class T>
  void fill(const std::vector<T>& source) {
    fill(source.data(), source.size() * sizeof(T));
  }

  // The bytes in between; checks the sentinels on both sides.
  std::vector<uint8_t> read() const {
    std::vector<uint8_t> all(buffer_.bytes());
    buffer_.download(all.data(), all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      if ((i < offset_ || i >= offset_ + bytes_) && all[i] != kSentinel) {
        FAIL("byte ", static_cast<long>(i) - static_cast<long>(offset_), " of an output of ", bytes_,
             " bytes was written");
      }
    }
    return {all.begin() + offset_, all.begin() + offset_ + bytes_};
  }
  template <class T>
  std::vector<T> read_as() const {
    const std::vector<uint8_t> bytes = read();
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

 private:
  size_t bytes_, offset_;
  DeviceBuffer buffer_;
  std::vector<uint8_t> image_;
};

// Storage of `values` as dtype (kF32, kBf16, kF16), and back.
inline std::vector<uint8_t> encode(const std::vector<float>& values, DType dtype) {
  std::vector<uint8_t> bytes(values.size() * bytes_of(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(&bytes[4 * i], &values[i], 4);
    } else {
      const uint16_t bits =
          dtype == DType::kBf16 ? reference::encode_bf16(values[i]) : reference::encode_f16(values[i]);
      std::memcpy(&bytes[2 * i], &bits, 2);
    }
  }
  return bytes;
}
inline float round_to(float value, DType dtype) {
  if (dtype == DType::kF32) return value;
  return static_cast<float>(dtype == DType::kBf16 ? reference::decode_bf16(reference::encode_bf16(value))
                                                  : reference::decode_f16(reference::encode_f16(value)));
}

// Normal values with occasional large ones, whose size drifts along the row so that block scales differ.
inline std::vector<float> random_values(size_t count, unsigned seed, float size = 1.f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.f, size);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = normal(random) * static_cast<float>(1 << (i / 16 % 5));
    if (random() % 97 == 0) values[i] *= 30.f;
    if (random() % 31 == 0) values[i] = 0.f;
  }
  return values;
}

// The message of the Error that `body` throws; empty if it throws none.
template <class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace b12x::testing

// Copies and sets in two and three dimensions: every byte that they move lands where arithmetic says, and none beside
// it is touched.
#include "steps.hpp"

namespace {

constexpr uint8_t kUntouched = 0xee;

struct Bytes {
  CUdeviceptr at = 0;
  size_t count;
  explicit Bytes(size_t n) : count(n) {
    ok(cuMemAlloc_v2(&at, n));
    ok(cuMemsetD8_v2(at, kUntouched, n));
  }
  ~Bytes() { cuMemFree_v2(at); }
  std::vector<uint8_t> read() const {
    std::vector<uint8_t> host(count);
    ok(cuMemcpyDtoH_v2(host.data(), at, count));
    return host;
  }
  void write(const std::vector<uint8_t>& host) const { ok(cuMemcpyHtoD_v2(at, host.data(), host.size())); }
};

std::vector<uint8_t> numbered(size_t n) {
  std::vector<uint8_t> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<uint8_t>(i * 7 + 3);
  return out;
}

// A box of bytes within rows of `pitch` bytes, `height` rows a slice.
struct Box {
  size_t x, y, z, pitch, height;
  size_t at(size_t column, size_t row, size_t slice) const {
    return ((z + slice) * height + y + row) * pitch + x + column;
  }
};
std::vector<uint8_t> expected(const std::vector<uint8_t>& from, const Box& source, const Box& target, size_t bytes,
                              size_t width, size_t rows, size_t slices) {
  std::vector<uint8_t> out(bytes, kUntouched);
  for (size_t s = 0; s < slices; ++s)
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < width; ++c) out[target.at(c, r, s)] = from[source.at(c, r, s)];
  return out;
}

CUDA_MEMCPY3D shape_of(const Box& source, const Box& target, size_t width, size_t rows, size_t slices) {
  CUDA_MEMCPY3D c{};
  c.srcXInBytes = source.x;
  c.srcY = source.y;
  c.srcZ = source.z;
  c.srcPitch = source.pitch;
  c.srcHeight = source.height;
  c.dstXInBytes = target.x;
  c.dstY = target.y;
  c.dstZ = target.z;
  c.dstPitch = target.pitch;
  c.dstHeight = target.height;
  c.WidthInBytes = width;
  c.Height = rows;
  c.Depth = slices;
  return c;
}
CUDA_MEMCPY2D flat(const CUDA_MEMCPY3D& c) {
  CUDA_MEMCPY2D out{};
  out.srcXInBytes = c.srcXInBytes;
  out.srcY = c.srcY;
  out.srcMemoryType = c.srcMemoryType;
  out.srcHost = c.srcHost;
  out.srcDevice = c.srcDevice;
  out.srcPitch = c.srcPitch;
  out.dstXInBytes = c.dstXInBytes;
  out.dstY = c.dstY;
  out.dstMemoryType = c.dstMemoryType;
  out.dstHost = c.dstHost;
  out.dstDevice = c.dstDevice;
  out.dstPitch = c.dstPitch;
  out.WidthInBytes = c.WidthInBytes;
  out.Height = c.Height;
  return out;
}

}  // namespace

TEST_CASE("a box of rows moves between pitches and offsets, host to device to device to host") {
  Context context;
  const Box host{3, 1, 0, 20, 6}, device{5, 2, 0, 32, 8}, other{0, 0, 0, 17, 8};
  const std::vector<uint8_t> from = numbered(20 * 6);
  Bytes first(32 * 8), second(17 * 8);
  CUDA_MEMCPY3D in = shape_of(host, device, 11, 4, 1);
  in.srcMemoryType = CU_MEMORYTYPE_HOST;
  in.srcHost = from.data();
  in.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  in.dstDevice = first.at;
  CUDA_MEMCPY2D c = flat(in);
  ok(cuMemcpy2D_v2(&c));
  const std::vector<uint8_t> there = expected(from, host, device, first.count, 11, 4, 1);
  CHECK(first.read() == there);

  CUDA_MEMCPY3D across = shape_of(device, other, 11, 4, 1);
  across.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
  across.srcDevice = first.at;
  across.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  across.dstDevice = second.at;
  c = flat(across);
  ok(cuMemcpy2DUnaligned_v2(&c));
  CHECK(second.read() == expected(there, device, other, second.count, 11, 4, 1));

  std::vector<uint8_t> back(from.size(), kUntouched);
  CUDA_MEMCPY3D out = shape_of(other, host, 11, 4, 1);
  out.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  out.srcDevice = second.at;
  out.dstMemoryType = CU_MEMORYTYPE_HOST;
  out.dstHost = back.data();
  c = flat(out);
  Stream stream;
  ok(cuMemcpy2DAsync_v2(&c, stream.at));
  ok(cuStreamSynchronize(stream.at));
  CHECK(back == expected(from, host, host, back.size(), 11, 4, 1));
}

TEST_CASE("a box of slices moves between heights, at once and as a node of a graph") {
  Context context;
  const Box host{1, 2, 1, 12, 7}, device{4, 1, 2, 16, 5};
  const std::vector<uint8_t> from = numbered(12 * 7 * 4);
  Bytes whole(16 * 5 * 6);
  CUDA_MEMCPY3D in = shape_of(host, device, 6, 3, 3);
  in.srcMemoryType = CU_MEMORYTYPE_HOST;
  in.srcHost = from.data();
  in.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  in.dstDevice = whole.at;
  ok(cuMemcpy3D_v2(&in));
  const std::vector<uint8_t> want = expected(from, host, device, whole.count, 6, 3, 3);
  CHECK(whole.read() == want);

  whole.write(std::vector<uint8_t>(whole.count, kUntouched));
  Stream stream;
  begin(stream.at);
  ok(cuMemcpy3DAsync_v2(&in, stream.at));
  CUgraph graph = end(stream.at);
  CHECK(whole.read() == std::vector<uint8_t>(whole.count, kUntouched));  // captured, not run
  Executable exec(graph);
  exec.run(stream.at);
  CHECK(whole.read() == want);
  ok(cuGraphDestroy(graph));
}

TEST_CASE("a copy with a shape that has no meaning, or that leaves its allocation, moves nothing") {
  Context context;
  const std::vector<uint8_t> from = numbered(64);
  Bytes to(64);
  CUDA_MEMCPY2D c{};
  c.srcMemoryType = CU_MEMORYTYPE_HOST;
  c.srcHost = from.data();
  c.srcPitch = c.dstPitch = 16;
  c.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  c.dstDevice = to.at;
  c.WidthInBytes = 8;
  c.Height = 4;
  const auto refused = [&](auto change) {
    CUDA_MEMCPY2D changed = c;
    change(changed);
    CHECK(name_of(cuMemcpy2D_v2(&changed)) == "CUDA_ERROR_INVALID_VALUE");
    CHECK(to.read() == std::vector<uint8_t>(64, kUntouched));
  };
  refused([](CUDA_MEMCPY2D& x) { x.dstPitch = 7; });     // rows would overlap
  refused([](CUDA_MEMCPY2D& x) { x.Height = 5; });       // a row past the end
  refused([](CUDA_MEMCPY2D& x) { x.dstXInBytes = 9; });  // a byte past the end, in the last row
  refused([](CUDA_MEMCPY2D& x) { x.srcHost = nullptr; });
  refused([](CUDA_MEMCPY2D& x) { x.dstMemoryType = CUmemorytype(9); });
  CHECK(name_of(cuMemcpy2D_v2(nullptr)) == "CUDA_ERROR_INVALID_VALUE");
  c.Height = 0;  // nothing to do, whatever else it says
  ok(cuMemcpy2D_v2(&c));
  CHECK(to.read() == std::vector<uint8_t>(64, kUntouched));
}

TEST_CASE("sets of rows write whole elements and leave what is between rows alone") {
  Context context;
  Bytes to(96);
  const auto want = [](size_t pitch, size_t width, size_t rows, std::vector<uint8_t> element) {
    std::vector<uint8_t> out(96, kUntouched);
    for (size_t r = 0; r < rows; ++r)
      for (size_t i = 0; i < width * element.size(); ++i) out[r * pitch + i] = element[i % element.size()];
    return out;
  };
  ok(cuMemsetD2D8_v2(to.at, 24, 0x5a, 7, 4));
  CHECK(to.read() == want(24, 7, 4, {0x5a}));
  ok(cuMemsetD8_v2(to.at, kUntouched, 96));
  ok(cuMemsetD2D16_v2(to.at, 32, 0x1234, 5, 3));
  CHECK(to.read() == want(32, 5, 3, {0x34, 0x12}));
  ok(cuMemsetD8_v2(to.at, kUntouched, 96));
  Stream stream;
  ok(cuMemsetD2D32Async(to.at, 48, 0x01020304, 6, 2, stream.at));
  ok(cuStreamSynchronize(stream.at));
  CHECK(to.read() == want(48, 6, 2, {4, 3, 2, 1}));
  CHECK(name_of(cuMemsetD2D32_v2(to.at, 48, 0, 6, 3)) == "CUDA_ERROR_INVALID_VALUE");      // a row past the end
  CHECK(name_of(cuMemsetD2D32_v2(to.at + 2, 48, 0, 1, 1)) == "CUDA_ERROR_INVALID_VALUE");  // misaligned
}

TEST_CASE("a pitched allocation has rows of at least the width, at a pitch that copies take") {
  Context context;
  CUdeviceptr at = 0;
  size_t pitch = 0;
  ok(cuMemAllocPitch_v2(&at, &pitch, 100, 3, 4));
  CHECK(pitch >= 100);
  CHECK(pitch % 4 == 0);
  std::vector<uint8_t> from = numbered(300), back(300);
  CUDA_MEMCPY2D c{};
  c.srcMemoryType = CU_MEMORYTYPE_HOST;
  c.srcHost = from.data();
  c.srcPitch = 100;
  c.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  c.dstDevice = at;
  c.dstPitch = pitch;
  c.WidthInBytes = 100;
  c.Height = 3;
  ok(cuMemcpy2D_v2(&c));
  for (size_t row = 0; row < 3; ++row) ok(cuMemcpyDtoH_v2(back.data() + row * 100, at + row * pitch, 100));
  CHECK(back == from);
  ok(cuMemFree_v2(at));
}

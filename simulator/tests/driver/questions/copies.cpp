// Bounds and shapes of copies and sets.
#include <vector>

#include "questions.hpp"

namespace questions {
namespace {

struct Buffers : Context {
  CUdeviceptr a = new_memory(4096), b = new_memory(4096);
  std::vector<char> host = std::vector<char>(1 << 16);
  CUDA_MEMCPY2D flat(CUmemorytype from, CUmemorytype to) {
    CUDA_MEMCPY2D c{};
    c.srcMemoryType = from;
    c.srcHost = host.data();
    c.srcDevice = a;
    c.dstMemoryType = to;
    c.dstHost = host.data() + 8192;
    c.dstDevice = b;
    c.srcPitch = c.dstPitch = 64;
    c.WidthInBytes = 16;
    c.Height = 4;
    return c;
  }
  CUDA_MEMCPY3D deep() {
    CUDA_MEMCPY3D c{};
    c.srcMemoryType = c.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    c.srcDevice = a;
    c.dstDevice = b;
    c.srcPitch = c.dstPitch = 64;
    c.srcHeight = c.dstHeight = 4;
    c.WidthInBytes = 16;
    c.Height = 4;
    c.Depth = 4;
    return c;
  }
};

void lines(const Answers& say) {
  Buffers t;
  const CUdeviceptr odd = new_memory(100), big = new_memory(size_t{4} << 20);
  char* const host = t.host.data();
  for (const size_t bytes : {101, 512, 513, 4096, 65536})
    say("cuMemcpyHtoD of " + std::to_string(bytes) + " bytes into 100", cuMemcpyHtoD(odd, host, bytes));
  say("cuMemcpyDtoH of 100 bytes from the second of 100", cuMemcpyDtoH(host, odd + 1, 100));
  std::vector<char> much((size_t{4} << 20) + 1);
  say("cuMemcpyHtoD of 4 MiB + 1 bytes into 4 MiB", cuMemcpyHtoD(big, much.data(), much.size()));
  say("cuMemcpyHtoD of 0 bytes", cuMemcpyHtoD(t.a, host, 0));
  say("cuMemcpyHtoD of 0 bytes from null to null", cuMemcpyHtoD(0, nullptr, 0));
  say("cuMemcpyHtoD to null", cuMemcpyHtoD(0, host, 4));
  say("cuMemcpyHtoD to an unknown address", cuMemcpyHtoD(0x1000, host, 4));
  say("cuMemcpyDtoH from null", cuMemcpyDtoH(host, 0, 4));
  say("cuMemcpyDtoD from an unknown address", cuMemcpyDtoD(t.a, 0x1000, 4));
  say("cuMemcpyDtoD onto itself", cuMemcpyDtoD(t.a, t.a, 64));
  say("cuMemcpyDtoD of ranges that overlap", cuMemcpyDtoD(t.a + 4, t.a, 64));
  const auto as_device = [](void* p) { return reinterpret_cast<CUdeviceptr>(p); };
  say("cuMemcpy from host to host", cuMemcpy(as_device(host), as_device(host + 4096), 64));
  say("cuMemcpy from host to device", cuMemcpy(t.a, as_device(host), 64));
  say("cuMemcpy from device to host", cuMemcpy(as_device(host), t.a, 64));
  say("cuMemcpyHtoD to plain host memory", cuMemcpyHtoD(as_device(host), host + 4096, 64));
  say("cuMemcpyDtoH from plain host memory", cuMemcpyDtoH(host, as_device(host + 4096), 64));
  say("cuMemcpyDtoH to device memory", cuMemcpyDtoH(reinterpret_cast<void*>(t.a), t.b, 64));
  say("cuMemcpyHtoD from device memory", cuMemcpyHtoD(t.a, reinterpret_cast<void*>(t.b), 64));
  say("cuMemcpyPeer to the same card", cuMemcpyPeer(t.a, t.at, t.b, t.at, 64));
}

void sets(const Answers& say) {
  Buffers t;
  const CUdeviceptr odd = new_memory(100);
  say("cuMemsetD16 at an odd address", cuMemsetD16(t.a + 1, 1, 1));
  say("cuMemsetD32 at an address of 2 modulo 4", cuMemsetD32(t.a + 2, 1, 1));
  say("cuMemsetD32 of 26 words in 100 bytes", cuMemsetD32(odd, 7, 26));
  say("cuMemsetD32 of 129 words in 100 bytes", cuMemsetD32(odd, 7, 129));
  say("cuMemsetD8 of 2^30 bytes in 4096", cuMemsetD8(t.a, 7, size_t{1} << 30));
  say("cuMemsetD32 of no words", cuMemsetD32(t.a, 7, 0));
  say("cuMemsetD32 of no words at null", cuMemsetD32(0, 7, 0));
  say("cuMemsetD32 at null", cuMemsetD32(0, 7, 1));
  say("cuMemsetD32 at an unknown address", cuMemsetD32(0x1000, 7, 1));
  say("cuMemsetD8 of plain host memory", cuMemsetD8(reinterpret_cast<CUdeviceptr>(t.host.data()), 1, 4));
  void* pinned = nullptr;
  must(cuMemHostAlloc(&pinned, 64, 0));
  say("cuMemsetD8 of pinned memory", cuMemsetD8(reinterpret_cast<CUdeviceptr>(pinned), 1, 64));
  CUdeviceptr managed = 0;
  must(cuMemAllocManaged(&managed, 64, CU_MEM_ATTACH_GLOBAL));
  say("cuMemsetD8 of managed memory", cuMemsetD8(managed, 1, 64));
  say("cuMemsetD2D8 with a pitch below the width", cuMemsetD2D8(t.a, 8, 1, 16, 4));
  say("cuMemsetD2D8 with pitch 0 and one row", cuMemsetD2D8(t.a, 0, 1, 16, 1));
  say("cuMemsetD2D8 with pitch 0 and two rows", cuMemsetD2D8(t.a, 0, 1, 16, 2));
  say("cuMemsetD2D8 of no rows", cuMemsetD2D8(t.a, 64, 1, 16, 0));
  say("cuMemsetD2D8 of rows of nothing", cuMemsetD2D8(t.a, 64, 1, 0, 4));
  say("cuMemsetD2D32 with an odd pitch", cuMemsetD2D32(t.a, 65, 1, 4, 4));
  say("cuMemsetD2D8 past the end", cuMemsetD2D8(t.a, 1024, 1, 16, 5));
  say("cuMemsetD2D8 far past the end", cuMemsetD2D8(t.a, 1 << 20, 1, 16, 512));
}

template <class Change>
void flat(const Answers& say, Buffers& t, const std::string& what, CUmemorytype from, CUmemorytype to, Change change) {
  CUDA_MEMCPY2D c = t.flat(from, to);
  change(c);
  say("cuMemcpy2D " + what, cuMemcpy2D(&c));
  say("cuMemcpy2DUnaligned " + what, cuMemcpy2DUnaligned(&c));
  say("cuMemcpy2DAsync " + what, cuMemcpy2DAsync(&c, nullptr));
}

void planes(const Answers& say) {
  Buffers t;
  constexpr CUmemorytype kHost = CU_MEMORYTYPE_HOST, kDevice = CU_MEMORYTYPE_DEVICE, kUnified = CU_MEMORYTYPE_UNIFIED;
  using Copy = CUDA_MEMCPY2D;
  flat(say, t, "as it should be", kHost, kDevice, [](Copy&) {});
  flat(say, t, "from host to host", kHost, kHost, [](Copy&) {});
  flat(say, t, "unified from host", kUnified, kDevice,
       [&](Copy& c) { c.srcDevice = reinterpret_cast<CUdeviceptr>(t.host.data()); });
  flat(say, t, "with a pitch below the width", kHost, kDevice, [](Copy& c) { c.dstPitch = 15; });
  flat(say, t, "with a source pitch below the width", kHost, kDevice, [](Copy& c) { c.srcPitch = 15; });
  flat(say, t, "with a pitch below offset and width", kHost, kDevice, [](Copy& c) { c.dstXInBytes = 49; });
  flat(say, t, "with pitch 0 and one row", kHost, kDevice, [](Copy& c) {
    c.srcPitch = c.dstPitch = 0;
    c.Height = 1;
  });
  flat(say, t, "with pitch 0 and two rows", kHost, kDevice, [](Copy& c) {
    c.srcPitch = c.dstPitch = 0;
    c.Height = 2;
  });
  flat(say, t, "of no rows", kHost, kDevice, [](Copy& c) { c.Height = 0; });
  flat(say, t, "of rows of nothing", kHost, kDevice, [](Copy& c) { c.WidthInBytes = 0; });
  flat(say, t, "of no rows with a bad memory type", kHost, CUmemorytype(9), [](Copy& c) { c.Height = 0; });
  flat(say, t, "with memory type 9", kHost, CUmemorytype(9), [](Copy&) {});
  flat(say, t, "with memory type 0", CUmemorytype(0), kDevice, [](Copy&) {});
  flat(say, t, "from a null array", CU_MEMORYTYPE_ARRAY, kDevice, [](Copy&) {});
  flat(say, t, "from null host memory", kHost, kDevice, [](Copy& c) { c.srcHost = nullptr; });
  flat(say, t, "from null device memory", kDevice, kDevice, [](Copy& c) { c.srcDevice = 0; });
  flat(say, t, "from an unknown address", kDevice, kDevice, [](Copy& c) { c.srcDevice = 0x1000; });
  flat(say, t, "past the end", kHost, kDevice, [](Copy& c) { c.Height = 65; });
  flat(say, t, "whose last row ends a byte late", kHost, kDevice, [](Copy& c) {
    c.Height = 64;
    c.dstXInBytes = 48;
    c.WidthInBytes = 17;
  });
  flat(say, t, "with a pitch of 2^31", kHost, kDevice, [](Copy& c) {
    c.dstPitch = size_t{1} << 31;
    c.Height = 1;
  });
  say("cuMemcpy2D of null", cuMemcpy2D(nullptr));
}

// Where rows land that have no pitch.
void closed_gaps(const Answers& say) {
  Buffers t;
  std::vector<char> back(256);
  const auto landed = [&] {
    must(cuMemcpyDtoH(back.data(), t.b, back.size()));
    std::string told;
    for (size_t i = 0; i < back.size(); ++i)
      if (back[i] != 0) told += (told.empty() ? "" : " ") + std::to_string(i) + ":" + std::to_string(back[i]);
    return told;
  };
  for (size_t i = 0; i < 64; ++i) t.host[i] = static_cast<char>(i + 1);
  CUDA_MEMCPY2D c = t.flat(CU_MEMORYTYPE_HOST, CU_MEMORYTYPE_DEVICE);
  c.srcPitch = c.dstPitch = 0;
  c.srcXInBytes = 2;
  c.dstXInBytes = 5;
  c.WidthInBytes = 3;
  c.Height = 3;
  say("cuMemcpy2D of three rows of 3 from offset 2 to offset 5 without a pitch", cuMemcpy2D(&c));
  say.write("where they land", landed());
  must(cuMemsetD8(t.b, 0, 256));
  c.srcPitch = 8;
  say("cuMemcpy2D of the same with a source pitch of 8", cuMemcpy2D(&c));
  say.write("where these land", landed());
  must(cuMemsetD8(t.b, 0, 256));
  CUDA_MEMCPY3D d = t.deep();
  d.srcMemoryType = CU_MEMORYTYPE_HOST;
  d.srcHost = t.host.data();
  d.srcPitch = d.dstPitch = 4;
  d.srcHeight = d.dstHeight = 0;
  d.dstY = 1;
  d.WidthInBytes = 2;
  d.Height = 2;
  d.Depth = 2;
  say("cuMemcpy3D of two slices of 2 x 2 to row 1 without a height", cuMemcpy3D(&d));
  say.write("where slices land", landed());
}

template <class Change>
void deep(const Answers& say, Buffers& t, const std::string& what, Change change) {
  CUDA_MEMCPY3D c = t.deep();
  change(c);
  say("cuMemcpy3D " + what, cuMemcpy3D(&c));
}

void boxes(const Answers& say) {
  Buffers t;
  using Copy = CUDA_MEMCPY3D;
  deep(say, t, "as it should be", [](Copy&) {});
  deep(say, t, "with a height below the rows", [](Copy& c) { c.dstHeight = 3; });
  deep(say, t, "with height 0", [](Copy& c) { c.srcHeight = c.dstHeight = 0; });
  deep(say, t, "with height 0 and one slice", [](Copy& c) {
    c.srcHeight = c.dstHeight = 0;
    c.Depth = 1;
  });
  deep(say, t, "of no slices", [](Copy& c) { c.Depth = 0; });
  deep(say, t, "with pitch 0", [](Copy& c) { c.dstPitch = 0; });
  deep(say, t, "with a pitch below the width", [](Copy& c) { c.dstPitch = 8; });
  deep(say, t, "with a reserved member set", [&](Copy& c) { c.reserved0 = &t; });
  deep(say, t, "with a level of detail", [](Copy& c) { c.srcLOD = 1; });
  deep(say, t, "past the end", [](Copy& c) { c.Depth = 17; });
  say("cuMemcpy3D of null", cuMemcpy3D(nullptr));
}

constexpr Group kGroups[] = {{"copies: lines", lines},
                             {"copies: sets", sets},
                             {"copies: planes", planes},
                             {"copies: closed gaps", closed_gaps},
                             {"copies: boxes", boxes}};

}  // namespace

std::span<const Group> about_copies() { return kGroups; }

}  // namespace questions

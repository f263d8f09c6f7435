// Memory pools: what they count, what they keep, and what is refused.
#include "steps.hpp"

namespace {

struct Pool : Context {
  CUmemoryPool at = nullptr;
  explicit Pool(size_t most = 0) {
    CUmemPoolProps props{};
    props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    props.maxSize = most;
    ok(cuMemPoolCreate(&at, &props));
  }
  ~Pool() {
    if (at != nullptr) cuMemPoolDestroy(at);
  }
  uint64_t get(CUmemPool_attribute which) const {
    cuuint64_t value = ~0ull;
    ok(cuMemPoolGetAttribute(at, which, &value));
    return value;
  }
  CUdeviceptr allocate(size_t bytes, CUstream stream = nullptr) const {
    CUdeviceptr out = 0;
    ok(cuMemAllocFromPoolAsync(&out, bytes, at, stream));
    return out;
  }
};

constexpr size_t kMiB = 1 << 20;

}  // namespace

TEST_CASE("a pool counts what is in use, and its high mark is reset by zero alone") {
  Pool pool;
  const CUdeviceptr a = pool.allocate(3 * kMiB), b = pool.allocate(kMiB);
  CHECK(pool.get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT) == 4 * kMiB);
  CHECK(pool.get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT) >= 4 * kMiB);
  ok(cuMemFreeAsync(a, nullptr));
  ok(cuStreamSynchronize(nullptr));
  CHECK(pool.get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT) == kMiB);
  CHECK(pool.get(CU_MEMPOOL_ATTR_USED_MEM_HIGH) == 4 * kMiB);
  cuuint64_t value = 5;
  CHECK(name_of(cuMemPoolSetAttribute(pool.at, CU_MEMPOOL_ATTR_USED_MEM_HIGH, &value)) == "CUDA_ERROR_INVALID_VALUE");
  value = 0;
  ok(cuMemPoolSetAttribute(pool.at, CU_MEMPOOL_ATTR_USED_MEM_HIGH, &value));
  CHECK(pool.get(CU_MEMPOOL_ATTR_USED_MEM_HIGH) == kMiB);
  CHECK(name_of(cuMemPoolSetAttribute(pool.at, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &value)) ==
        "CUDA_ERROR_INVALID_VALUE");
  ok(cuMemFree_v2(b));  // the other way to free it, which the pool does not note
  CHECK(pool.get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT) == kMiB);
}

TEST_CASE("a pool keeps what was freed up to its threshold, until it is trimmed") {
  Pool pool;
  cuuint64_t threshold = ~0ull;
  ok(cuMemPoolSetAttribute(pool.at, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold));
  CHECK(pool.get(CU_MEMPOOL_ATTR_RELEASE_THRESHOLD) == ~0ull);
  ok(cuMemFreeAsync(pool.allocate(8 * kMiB), nullptr));
  ok(cuCtxSynchronize());
  CHECK(pool.get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT) == 0);
  CHECK(pool.get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT) >= 8 * kMiB);
  ok(cuMemPoolTrimTo(pool.at, 0));
  CHECK(pool.get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT) == 0);
  threshold = 0;
  ok(cuMemPoolSetAttribute(pool.at, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold));
  ok(cuMemFreeAsync(pool.allocate(8 * kMiB), nullptr));
  ok(cuCtxSynchronize());
  CHECK(pool.get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT) == 0);
}

TEST_CASE("a pool never gives more than its size") {
  Pool pool(64 * kMiB);
  const CUdeviceptr a = pool.allocate(48 * kMiB);
  CUdeviceptr b = 0;
  CHECK(name_of(cuMemAllocFromPoolAsync(&b, 48 * kMiB, pool.at, nullptr)) == "CUDA_ERROR_OUT_OF_MEMORY");
  ok(cuMemFreeAsync(a, nullptr));
  ok(cuStreamSynchronize(nullptr));
  ok(cuMemFreeAsync(pool.allocate(48 * kMiB), nullptr));
}

TEST_CASE("kernels use memory of a pool in stream order, and a pointer says which pool it is from") {
  Steps t;
  Pool pool;
  Stream stream;
  CUdeviceptr x = pool.allocate(4, stream.at);
  ok(cuMemsetD32Async(x, 5, 1, stream.at));
  uint32_t n = 1, factor = 3, addend = 1, host = 0;
  void* params[] = {&x, &n, &factor, &addend};
  ok(cuLaunchKernel(t.step, 1, 1, 1, 32, 1, 1, 0, stream.at, params, nullptr));
  ok(cuMemcpyDtoHAsync_v2(&host, x, 4, stream.at));
  CUmemoryPool from = nullptr;
  ok(cuPointerGetAttribute(&from, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, x));
  CHECK(from == pool.at);
  ok(cuMemFreeAsync(x, stream.at));
  ok(cuStreamSynchronize(stream.at));
  CHECK(host == 16);
  CHECK(name_of(cuMemFreeAsync(x, stream.at)) == "CUDA_ERROR_INVALID_VALUE");  // freed already
}

TEST_CASE("the current pool is the default one until another is set, and again when that is destroyed") {
  Pool pool;
  CUmemoryPool first = nullptr, current = nullptr;
  ok(cuDeviceGetDefaultMemPool(&first, 0));
  ok(cuDeviceGetMemPool(&current, 0));
  CHECK(current == first);
  ok(cuDeviceSetMemPool(0, pool.at));
  ok(cuDeviceGetMemPool(&current, 0));
  CHECK(current == pool.at);
  CUdeviceptr x = 0;
  ok(cuMemAllocAsync(&x, kMiB, nullptr));
  CHECK(pool.get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT) == kMiB);
  ok(cuMemFreeAsync(x, nullptr));
  ok(cuStreamSynchronize(nullptr));
  ok(cuMemPoolDestroy(pool.at));
  pool.at = nullptr;
  ok(cuDeviceGetMemPool(&current, 0));
  CHECK(current == first);
  CHECK(name_of(cuMemPoolDestroy(first)) == "CUDA_ERROR_INVALID_VALUE");
}

TEST_CASE("memory outlives the pool that it came from") {
  Pool pool;
  const CUdeviceptr x = pool.allocate(4);
  ok(cuMemPoolDestroy(pool.at));
  pool.at = nullptr;
  ok(cuMemsetD32_v2(x, 1, 1));
  ok(cuMemFreeAsync(x, nullptr));
  ok(cuStreamSynchronize(nullptr));
}

TEST_CASE("a pool's access is the card's own, which cannot be taken away") {
  Pool pool;
  CUmemLocation card{};
  card.type = CU_MEM_LOCATION_TYPE_DEVICE;
  CUmemAccess_flags flags{};
  ok(cuMemPoolGetAccess(&flags, pool.at, &card));
  CHECK(flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  CUmemAccessDesc access{};
  access.location = card;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  ok(cuMemPoolSetAccess(pool.at, &access, 1));
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_NONE;
  CHECK(name_of(cuMemPoolSetAccess(pool.at, &access, 1)) == "CUDA_ERROR_INVALID_DEVICE");
}

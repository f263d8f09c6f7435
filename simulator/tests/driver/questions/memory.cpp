// Allocation, registration, and what the driver knows of an address.
#include <cstdlib>
#include <vector>

#include "questions.hpp"

namespace questions {
namespace {

void device(const Answers& say) {
  const Context context;
  CUdeviceptr p = 0, at = new_memory(100);
  say("cuMemAlloc of 0 bytes", cuMemAlloc(&p, 0));
  say("cuMemAlloc without a place", cuMemAlloc(nullptr, 4));
  say("cuMemAlloc of 2^60 bytes", cuMemAlloc(&p, size_t{1} << 60));
  say("cuMemAlloc of 2^64 - 1 bytes", cuMemAlloc(&p, ~size_t{0}));
  say("cuMemFree of null", cuMemFree(0));
  say("cuMemFree inside of an allocation", cuMemFree(at + 4));
  say("cuMemFree of an unknown address", cuMemFree(0x1000));
  say("cuMemFree", cuMemFree(at));
  say("cuMemFree once more", cuMemFree(at));
  at = new_memory(100);
  say("cuMemFreeHost of device memory", cuMemFreeHost(reinterpret_cast<void*>(at)));
  CUdeviceptr base = 0;
  size_t bytes = 0;
  at = new_memory(100);
  say("cuMemGetAddressRange inside of 100 bytes", cuMemGetAddressRange(&base, &bytes, at + 99), bytes);
  say("cuMemGetAddressRange without places", cuMemGetAddressRange(nullptr, nullptr, at));
  say("cuMemGetAddressRange of an unknown address", cuMemGetAddressRange(&base, &bytes, 0x1000));
  say("cuMemGetAddressRange of null", cuMemGetAddressRange(&base, &bytes, 0));
  size_t free_bytes = 0, total = 0, all = 0;
  say("cuMemGetInfo", cuMemGetInfo(&free_bytes, &total));
  must(cuDeviceTotalMem(&all, 0));
  say.write("cuMemGetInfo's total is cuDeviceTotalMem's", total == all ? "yes" : "no");
  say.write("cuMemGetInfo's free is less than its total", free_bytes < total ? "yes" : "no");
  say("cuMemGetInfo without a place for free", cuMemGetInfo(nullptr, &total));
  say("cuMemGetInfo without a place for total", cuMemGetInfo(&free_bytes, nullptr));
  say("cuMemGetInfo without places", cuMemGetInfo(nullptr, nullptr));
}

void pitched(const Answers& say) {
  const Context context;
  CUdeviceptr p = 0;
  size_t pitch = 0;
  for (const size_t width : {1, 4, 100, 512, 513, 1000, 5000, 100000})
    say("cuMemAllocPitch of rows of " + std::to_string(width) + ", elements of 4",
        cuMemAllocPitch(&p, &pitch, width, 3, 4), pitch);
  for (const unsigned element : {0u, 1u, 2u, 3u, 8u, 16u, 32u})
    say("cuMemAllocPitch of rows of 100, elements of " + std::to_string(element),
        cuMemAllocPitch(&p, &pitch, 100, 3, element), pitch);
  say("cuMemAllocPitch of rows of 0", cuMemAllocPitch(&p, &pitch, 0, 3, 4));
  say("cuMemAllocPitch of 0 rows", cuMemAllocPitch(&p, &pitch, 100, 0, 4));
  say("cuMemAllocPitch without a place for the pitch", cuMemAllocPitch(&p, nullptr, 100, 3, 4));
}

void managed(const Answers& say) {
  const Context context;
  CUdeviceptr p = 0;
  say("cuMemAllocManaged of 0 bytes", cuMemAllocManaged(&p, 0, CU_MEM_ATTACH_GLOBAL));
  for (unsigned flags = 0; flags < 9; ++flags)
    say("cuMemAllocManaged with flags " + std::to_string(flags), cuMemAllocManaged(&p, 64, flags));
  must(cuMemAllocManaged(&p, 64, CU_MEM_ATTACH_GLOBAL));
  CUmemLocation card{};
  card.type = CU_MEM_LOCATION_TYPE_DEVICE;
  say("cuMemAdvise of managed memory", cuMemAdvise(p, 64, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, card));
  say("cuMemAdvise with an unknown advice", cuMemAdvise(p, 64, CUmem_advise(99), card));
  say("cuMemPrefetchAsync of managed memory", cuMemPrefetchAsync(p, 64, card, 0, nullptr));
  say("cuMemPrefetchAsync past its end", cuMemPrefetchAsync(p, size_t{1} << 30, card, 0, nullptr));
  say("cuMemPrefetchAsync with flags", cuMemPrefetchAsync(p, 64, card, 1, nullptr));
  const CUdeviceptr own = new_memory(64);
  say("cuMemAdvise of device memory", cuMemAdvise(own, 64, CU_MEM_ADVISE_SET_READ_MOSTLY, card));
  say("cuMemPrefetchAsync of device memory", cuMemPrefetchAsync(own, 64, card, 0, nullptr));
}

void pinned(const Answers& say) {
  const Context context;
  void *p = nullptr, *at = nullptr;
  say("cuMemHostAlloc of 0 bytes", cuMemHostAlloc(&p, 0, 0));
  say("cuMemHostAlloc with flags 8", cuMemHostAlloc(&p, 64, 8));
  say("cuMemHostAlloc without a place", cuMemHostAlloc(nullptr, 64, 0));
  say("cuMemFreeHost of null", cuMemFreeHost(nullptr));
  must(cuMemHostAlloc(&at, 64, CU_MEMHOSTALLOC_PORTABLE));
  unsigned flags = 0;
  say("cuMemHostGetFlags of portable memory", cuMemHostGetFlags(&flags, at), flags);
  say("cuMemHostGetFlags inside of it", cuMemHostGetFlags(&flags, static_cast<char*>(at) + 4), flags);
  CUdeviceptr device = 0;
  say("cuMemHostGetDevicePointer", cuMemHostGetDevicePointer(&device, at, 0));
  say.write("the device's pointer of pinned memory is the host's",
            device == reinterpret_cast<CUdeviceptr>(at) ? "yes" : "no");
  say("cuMemHostGetDevicePointer inside", cuMemHostGetDevicePointer(&device, static_cast<char*>(at) + 4, 0));
  say("cuMemHostGetDevicePointer with flags", cuMemHostGetDevicePointer(&device, at, 1));
  say("cuMemHostGetDevicePointer of device memory",
      cuMemHostGetDevicePointer(&device, reinterpret_cast<void*>(new_memory(4)), 0));
  say("cuMemHostGetFlags of device memory", cuMemHostGetFlags(&flags, reinterpret_cast<void*>(new_memory(4))));
  say("cuMemFree of pinned memory", cuMemFree(reinterpret_cast<CUdeviceptr>(at)));
  must(cuMemHostAlloc(&at, 64, 0));
  say("cuMemFreeHost inside of an allocation", cuMemFreeHost(static_cast<char*>(at) + 4));
  say("cuMemHostUnregister of pinned memory", cuMemHostUnregister(at));
  say("cuMemFreeHost", cuMemFreeHost(at));
  say("cuMemFreeHost once more", cuMemFreeHost(at));
}

void registered(const Answers& say) {
  const Context context;
  std::vector<char> host(1 << 16);
  char* at = host.data();
  unsigned flags = 0;
  CUdeviceptr device = 0;
  say("cuMemHostRegister of null", cuMemHostRegister(nullptr, 64, 0));
  say("cuMemHostRegister of 0 bytes", cuMemHostRegister(at, 0, 0));
  say("cuMemHostRegister with flags 0x100", cuMemHostRegister(at, 64, 0x100));
  say("cuMemHostGetDevicePointer of plain host memory", cuMemHostGetDevicePointer(&device, at, 0));
  say("cuMemHostGetFlags of plain host memory", cuMemHostGetFlags(&flags, at));
  say("cuMemHostRegister", cuMemHostRegister(at, 20000, CU_MEMHOSTREGISTER_PORTABLE));
  say("cuMemHostGetFlags of registered memory", cuMemHostGetFlags(&flags, at), flags);
  say("cuMemHostRegister once more", cuMemHostRegister(at, 20000, 0));
  say("cuMemHostRegister of a part", cuMemHostRegister(at + 64, 64, 0));
  say("cuMemHostUnregister inside", cuMemHostUnregister(at + 64));
  say("cuMemHostUnregister of what is not registered", cuMemHostUnregister(at + 40000));
  say("cuMemHostUnregister of null", cuMemHostUnregister(nullptr));
  say("cuMemHostUnregister", cuMemHostUnregister(at));
  say("cuMemHostUnregister once more", cuMemHostUnregister(at));
}

// The value of each attribute as what it is: addresses as whether they are the one that was asked about.
std::string told(CUpointer_attribute which, unsigned long long value, CUdeviceptr address) {
  switch (which) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
    case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
      return value != 0 ? "some" : "none";
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
      return value == address ? "itself" : value != 0 ? "another" : "none";
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
      return value != 0 ? "some" : "none";
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
      return std::to_string(static_cast<int>(value));
    default:
      return std::to_string(value);
  }
}

void pointers(const Answers& say) {
  const Context context;
  CUdeviceptr managed = 0, variable = 0, pooled = 0;
  void* pinned = nullptr;
  CUmodule module = nullptr;
  must(cuMemAllocManaged(&managed, 100, CU_MEM_ATTACH_GLOBAL));
  must(cuMemHostAlloc(&pinned, 100, 0));
  must(cuMemAllocAsync(&pooled, 100, nullptr));
  must(cuModuleLoadData(&module, ".version 8.0\n.target sm_80\n.address_size 64\n.visible .global .u32 v;\n"));
  must(cuModuleGetGlobal(&variable, nullptr, module, "v"));
  void* const plain = std::aligned_alloc(4096, 8192);
  void* const registered = std::aligned_alloc(4096, 8192);
  must(cuMemHostRegister(registered, 100, 0));
  const auto address = [](void* p) { return reinterpret_cast<CUdeviceptr>(p); };
  const struct {
    const char* kind;
    CUdeviceptr at;
  } kinds[] = {{"device", new_memory(100)},
               {"managed", managed},
               {"pinned", address(pinned)},
               {"registered", address(registered)},
               {"pooled", pooled},
               {"variable", variable},
               {"plain host", address(plain)},
               {"unknown", CUdeviceptr{0x1000}},
               {"null", 0}};
  for (const auto& kind : kinds)
    for (int which = 1; which <= CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE; ++which) {
      if (which == CU_POINTER_ATTRIBUTE_P2P_TOKENS) continue;
      auto attribute = static_cast<CUpointer_attribute>(which);
      unsigned long long value = 0;
      const std::string name = "pointer attribute " + std::to_string(which) + " of " + kind.kind + " memory";
      const CUresult r = cuPointerGetAttribute(&value, attribute, kind.at);
      say.write(name, r == CUDA_SUCCESS ? told(attribute, value, kind.at) : name_of(r));
      value = 0;
      void* values = &value;
      const CUresult all = cuPointerGetAttributes(1, &attribute, &values, kind.at);
      say.write(name + ", one of several", all == CUDA_SUCCESS ? told(attribute, value, kind.at) : name_of(all));
    }
  unsigned yes = 1;
  say("cuPointerSetAttribute SYNC_MEMOPS", cuPointerSetAttribute(&yes, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, kinds[0].at));
  unsigned value = 9;
  say("SYNC_MEMOPS after that", cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, kinds[0].at), value);
  say("cuPointerSetAttribute IS_MANAGED", cuPointerSetAttribute(&yes, CU_POINTER_ATTRIBUTE_IS_MANAGED, kinds[0].at));
  say("cuPointerGetAttribute 99", cuPointerGetAttribute(&value, CUpointer_attribute(99), kinds[0].at));
  say("cuPointerGetAttribute without a place",
      cuPointerGetAttribute(nullptr, CU_POINTER_ATTRIBUTE_IS_MANAGED, kinds[0].at));
}

constexpr Group kGroups[] = {{"memory: device", device},         {"memory: pitched", pitched},
                             {"memory: managed", managed},       {"memory: pinned", pinned},
                             {"memory: registered", registered}, {"memory: pointers", pointers}};

}  // namespace

std::span<const Group> about_memory() { return kGroups; }

}  // namespace questions

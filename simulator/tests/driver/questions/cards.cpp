// Cards, contexts, error names, entry points.
#include <cstring>

#include "questions.hpp"

namespace questions {
namespace {

void attributes(const Answers& say) {
  const Context context;
  for (int which = -1; which <= 145; ++which) {
    int value = 0;
    say("card attribute " + std::to_string(which),
        cuDeviceGetAttribute(&value, static_cast<CUdevice_attribute>(which), 0), value);
  }
  int value = 0;
  say("a card attribute without a place", cuDeviceGetAttribute(nullptr, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0));
  say("an attribute of card 77", cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 77));
  say("an attribute of card -1", cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, -1));
}

void cards(const Answers& say) {
  CUdevice card = -1;
  int value = 0;
  say("cuInit with flags 1", cuInit(1));
  say("cuDeviceGetCount without a place", cuDeviceGetCount(nullptr));
  for (const int ordinal : {0, 77, -1}) say("cuDeviceGet " + std::to_string(ordinal), cuDeviceGet(&card, ordinal));
  say("cuDeviceGet without a place", cuDeviceGet(nullptr, 0));
  char text[64] = {};
  say("cuDeviceGetName into 64 bytes", cuDeviceGetName(text, 64, 0));
  std::memset(text, '~', sizeof text);
  say("cuDeviceGetName into 5 bytes", cuDeviceGetName(text, 5, 0));
  say.write("the fifth of them", text[4] == '\0' ? "zero" : "not zero");
  for (const int room : {0, 5, 12, 13, 64})
    say("cuDeviceGetPCIBusId into " + std::to_string(room) + " bytes", cuDeviceGetPCIBusId(text, room, 0));
  must(cuDeviceGetPCIBusId(text, 64, 0));
  say.write("the length of a bus id", std::to_string(std::strlen(text)));
  say("cuDeviceGetByPCIBusId of it", cuDeviceGetByPCIBusId(&card, text), card);
  for (const char* id : {"nonsense", "", "0000:ee:1d.0", "ee:1d", "1d"})
    say("cuDeviceGetByPCIBusId '" + std::string(id) + "'", cuDeviceGetByPCIBusId(&card, id));
  say("cuDeviceGetByPCIBusId of null", cuDeviceGetByPCIBusId(&card, nullptr));
  say("cuDeviceCanAccessPeer of itself", cuDeviceCanAccessPeer(&value, 0, 0), value);
  say("cuDeviceCanAccessPeer of card 77", cuDeviceCanAccessPeer(&value, 0, 77));
  say("cuDeviceTotalMem without a place", cuDeviceTotalMem(nullptr, 0));
  say("cuDeviceGetUuid without a place", cuDeviceGetUuid(nullptr, 0));
  say("cuDriverGetVersion without a place", cuDriverGetVersion(nullptr));
}

void contexts(const Answers& say) {
  CUcontext at = nullptr, own = nullptr;
  unsigned flags = 9, version = 0;
  int active = 9;
  size_t value = 0;
  CUdeviceptr memory = 0;
  CUdevice card = -1;
  say("cuCtxGetCurrent of none", cuCtxGetCurrent(&at));
  say.write("the current context then", at == nullptr ? "none" : "some");
  say("cuCtxGetDevice without a context", cuCtxGetDevice(&card));
  say("cuCtxSynchronize without a context", cuCtxSynchronize());
  say("cuMemAlloc without a context", cuMemAlloc(&memory, 4));
  say("cuCtxPopCurrent without a context", cuCtxPopCurrent(&at));
  say("cuCtxPushCurrent of null", cuCtxPushCurrent(nullptr));
  say("cuCtxSetCurrent of null", cuCtxSetCurrent(nullptr));
  say("cuCtxDestroy of null", cuCtxDestroy(nullptr));
  say("cuDevicePrimaryCtxGetState at first", cuDevicePrimaryCtxGetState(0, &flags, &active), flags, active);
  say("cuDevicePrimaryCtxRelease at first", cuDevicePrimaryCtxRelease(0));
  for (const unsigned wanted : {3u, 4u, 8u, 64u, 256u})
    say("cuDevicePrimaryCtxSetFlags " + std::to_string(wanted), cuDevicePrimaryCtxSetFlags(0, wanted));
  must(cuDevicePrimaryCtxSetFlags(0, 0));
  say("cuDevicePrimaryCtxRetain without a place", cuDevicePrimaryCtxRetain(nullptr, 0));
  say("cuDevicePrimaryCtxRetain of card 77", cuDevicePrimaryCtxRetain(&at, 77));
  must(cuDevicePrimaryCtxRetain(&at, 0));
  must(cuCtxSetCurrent(at));
  say("cuDevicePrimaryCtxGetState then", cuDevicePrimaryCtxGetState(0, &flags, &active), flags, active);
  say("cuDevicePrimaryCtxGetState without places", cuDevicePrimaryCtxGetState(0, nullptr, nullptr));
  say("cuDevicePrimaryCtxSetFlags of an active one", cuDevicePrimaryCtxSetFlags(0, 1));
  say("cuCtxGetFlags", cuCtxGetFlags(&flags), flags);
  say("cuCtxGetApiVersion", cuCtxGetApiVersion(at, &version), version);
  say("cuCtxGetApiVersion of the current one", cuCtxGetApiVersion(nullptr, &version), version);
  say("cuCtxDestroy of the primary one", cuCtxDestroy(at));
  must(cuCtxSetCurrent(at));
  for (int limit = 0; limit <= 9; ++limit) {
    const auto id = static_cast<CUlimit>(limit);
    say("limit " + std::to_string(limit), cuCtxGetLimit(&value, id), value);
    for (const size_t wanted : {size_t{0}, size_t{1}, size_t{100}, size_t{4096}, size_t{1} << 40}) {
      say("limit " + std::to_string(limit) + " set to " + std::to_string(wanted), cuCtxSetLimit(id, wanted));
      say("limit " + std::to_string(limit) + " after " + std::to_string(wanted), cuCtxGetLimit(&value, id), value);
    }
  }
  say("cuCtxGetLimit without a place", cuCtxGetLimit(nullptr, CU_LIMIT_STACK_SIZE));
  CUfunc_cache config{};
  say("cuCtxGetCacheConfig", cuCtxGetCacheConfig(&config), static_cast<int>(config));
  say("cuCtxSetCacheConfig to 9", cuCtxSetCacheConfig(CUfunc_cache(9)));
  say("cuCtxSetCacheConfig to L1", cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_L1));
  say("cuCtxGetCacheConfig after that", cuCtxGetCacheConfig(&config), static_cast<int>(config));
  say("cuCtxCreate", cuCtxCreate(&own, nullptr, 0, 0));
  must(cuCtxGetCurrent(&at));
  say.write("a new context is current", at == own ? "yes" : "no");
  say("cuCtxGetApiVersion of a new one", cuCtxGetApiVersion(own, &version), version);
  for (const unsigned wanted : {3u, 8u, 64u, 256u})
    say("cuCtxCreate with flags " + std::to_string(wanted), cuCtxCreate(&own, nullptr, wanted, 0));
  say("cuCtxDestroy of a new one", cuCtxDestroy(own));
  say("cuCtxResetPersistingL2Cache", cuCtxResetPersistingL2Cache());
}

void names(const Answers& say) {
  const char* text = nullptr;
  say("cuGetErrorName of 12345", cuGetErrorName(CUresult(12345), &text));
  say.write("the name of 12345", text == nullptr ? "null" : text);
  say("cuGetErrorString of 12345", cuGetErrorString(CUresult(12345), &text));
  void* f = nullptr;
  CUdriverProcAddressQueryResult found{};
  const auto find = [&](const char* name, int version, cuuint64_t flags) {
    say("cuGetProcAddress of " + std::string(name) + " for " + std::to_string(version) + ", flags " +
            std::to_string(flags),
        cuGetProcAddress(name, &f, version, flags, &found));
    say.write("what it tells of " + std::string(name) + " for " + std::to_string(version) + ", flags " +
                  std::to_string(flags),
              std::to_string(static_cast<int>(found)) + (f != nullptr ? " found" : " null"));
  };
  find("cuMemAlloc", 13000, 0);
  find("cuMemAlloc", 13000, 1);
  find("cuMemAlloc", 13000, 2);
  find("cuMemAlloc", 13000, 3);
  find("cuMemAlloc", 13000, 4);
  find("cuMemAlloc", 0, 0);
  for (const int version : {13000, 13010, 13020, 14000, 99999}) find("cuGraphCreate", version, 0);
  find("cuMemAlloc_v2", 13000, 0);
  find("cuNoSuchThing", 13000, 0);
  find("cuStreamBeginCapture", 9000, 0);
  find("cuStreamBeginCapture", 10000, 0);
  find("", 13000, 0);
  find("cuLaunchKernelEx", 11000, 0);
  say("cuGetProcAddress without a place for what was found", cuGetProcAddress("cuInit", &f, 13000, 0, nullptr));
  say("cuGetProcAddress of what is not there, without a place for that",
      cuGetProcAddress("cuNoSuchThing", &f, 13000, 0, nullptr));
}

constexpr Group kGroups[] = {
    {"cards: attributes", attributes}, {"cards: cards", cards}, {"cards: contexts", contexts}, {"cards: names", names}};

}  // namespace

std::span<const Group> about_cards() { return kGroups; }

}  // namespace questions

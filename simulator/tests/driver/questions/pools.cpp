// Memory pools: what a new one says of itself, what can be set, and what is refused.
#include "questions.hpp"

namespace questions {
namespace {

CUmemPoolProps props_of_card() {
  CUmemPoolProps props{};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  return props;
}
struct Pool : Context {
  CUmemoryPool at = nullptr;
  Pool() {
    const CUmemPoolProps props = props_of_card();
    must(cuMemPoolCreate(&at, &props));
  }
  CUdeviceptr allocate(size_t bytes) const {
    CUdeviceptr p = 0;
    must(cuMemAllocFromPoolAsync(&p, bytes, at, nullptr));
    return p;
  }
};
constexpr const char* kNames[] = {"",
                                  "REUSE_FOLLOW_EVENT_DEPENDENCIES",
                                  "REUSE_ALLOW_OPPORTUNISTIC",
                                  "REUSE_ALLOW_INTERNAL_DEPENDENCIES",
                                  "RELEASE_THRESHOLD",
                                  "RESERVED_MEM_CURRENT",
                                  "RESERVED_MEM_HIGH",
                                  "USED_MEM_CURRENT",
                                  "USED_MEM_HIGH"};

void attributes(const Answers& say) {
  const Pool t;
  CUmemoryPool first = nullptr;
  must(cuDeviceGetDefaultMemPool(&first, 0));
  const auto get = [&](const std::string& whose, CUmemoryPool pool) {
    for (int which = 1; which <= 8; ++which) {
      cuuint64_t value = 0;
      say(std::string(kNames[which]) + " of " + whose,
          cuMemPoolGetAttribute(pool, static_cast<CUmemPool_attribute>(which), &value), value);
    }
  };
  get("the default pool", first);
  get("a new pool", t.at);
  const CUdeviceptr one = t.allocate(1), some = t.allocate(3 << 20);
  get("a pool with 1 byte and 3 MiB", t.at);
  must(cuMemFreeAsync(one, nullptr));
  must(cuMemFreeAsync(some, nullptr));
  must(cuStreamSynchronize(nullptr));
  get("a pool that got all back", t.at);
  say("cuMemPoolTrimTo 0", cuMemPoolTrimTo(t.at, 0));
  get("a pool that was trimmed", t.at);
  for (int which = 1; which <= 8; ++which)
    for (const cuuint64_t wanted : {cuuint64_t{0}, cuuint64_t{1}, cuuint64_t{5}, ~cuuint64_t{0}}) {
      cuuint64_t value = wanted, now = 0;
      const std::string what = std::string(kNames[which]) + " set to " + std::to_string(wanted);
      const auto id = static_cast<CUmemPool_attribute>(which);
      say(what, cuMemPoolSetAttribute(t.at, id, &value));
      say(what + ", and then", cuMemPoolGetAttribute(t.at, id, &now), now);
    }
  cuuint64_t value = 0;
  for (const int which : {0, 99}) {
    say("pool attribute " + std::to_string(which), cuMemPoolGetAttribute(t.at, CUmemPool_attribute(which), &value));
    say("pool attribute " + std::to_string(which) + " set",
        cuMemPoolSetAttribute(t.at, CUmemPool_attribute(which), &value));
  }
  say("cuMemPoolGetAttribute without a place", cuMemPoolGetAttribute(t.at, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, nullptr));
}

void creation(const Answers& say) {
  const Context context;
  CUmemoryPool pool = nullptr;
  const auto create = [&](const std::string& what, auto change) {
    CUmemPoolProps props = props_of_card();
    change(props);
    say("cuMemPoolCreate " + what, cuMemPoolCreate(&pool, &props));
  };
  using Props = CUmemPoolProps;
  create("as it should be", [](Props&) {});
  create("of at most 1 byte", [](Props& p) { p.maxSize = 1; });
  CUdeviceptr at = 0;
  say("an allocation of 4 MiB from it", cuMemAllocFromPoolAsync(&at, 4 << 20, pool, nullptr));
  say("an allocation of 40 MiB from it", cuMemAllocFromPoolAsync(&at, 40 << 20, pool, nullptr));
  create("on card 77", [](Props& p) { p.location.id = 77; });
  create("on no place", [](Props& p) { p.location.type = CU_MEM_LOCATION_TYPE_INVALID; });
  create("of no type", [](Props& p) { p.allocType = CU_MEM_ALLOCATION_TYPE_INVALID; });
  create("with flags in its reserved bytes", [](Props& p) { p.reserved[0] = 1; });
  create("with handle types 0x80", [](Props& p) { p.handleTypes = CUmemAllocationHandleType(0x80); });
  say("cuMemPoolCreate without a description", cuMemPoolCreate(&pool, nullptr));
  const CUmemPoolProps props = props_of_card();
  say("cuMemPoolCreate without a place", cuMemPoolCreate(nullptr, &props));
  must(cuDeviceGetDefaultMemPool(&pool, 0));
  say("cuMemPoolDestroy of the default pool", cuMemPoolDestroy(pool));
  say("cuDeviceGetDefaultMemPool of card 77", cuDeviceGetDefaultMemPool(&pool, 77));
  say("cuDeviceGetMemPool without a place", cuDeviceGetMemPool(nullptr, 0));
  say("cuDeviceSetMemPool to null", cuDeviceSetMemPool(0, nullptr));
}

void allocation(const Answers& say) {
  const Pool t;
  CUdeviceptr p = 0;
  say("cuMemAllocAsync of 0 bytes", cuMemAllocAsync(&p, 0, nullptr));
  say("cuMemAllocAsync without a place", cuMemAllocAsync(nullptr, 4, nullptr));
  say("cuMemAllocAsync of 2^60 bytes", cuMemAllocAsync(&p, size_t{1} << 60, nullptr));
  say("cuMemAllocFromPoolAsync of 0 bytes", cuMemAllocFromPoolAsync(&p, 0, t.at, nullptr));
  say("cuMemAllocFromPoolAsync of no pool", cuMemAllocFromPoolAsync(&p, 64, nullptr, nullptr));
  say("cuMemFreeAsync of null", cuMemFreeAsync(0, nullptr));
  say("cuMemFreeAsync of an unknown address", cuMemFreeAsync(0x1000, nullptr));
  const CUdeviceptr inside = t.allocate(4096);
  say("cuMemFreeAsync inside of an allocation", cuMemFreeAsync(inside + 64, nullptr));
  say("cuMemFreeAsync", cuMemFreeAsync(inside, nullptr));
  must(cuStreamSynchronize(nullptr));
  say("cuMemFreeAsync once more", cuMemFreeAsync(inside, nullptr));
  say("cuMemFreeAsync of cuMemAlloc's memory", cuMemFreeAsync(new_memory(64), nullptr));
  const CUdeviceptr pooled = t.allocate(64);
  say("cuMemFree of a pool's memory", cuMemFree(pooled));
  CUdeviceptr base = 0;
  size_t bytes = 0;
  say("cuMemGetAddressRange of 100 pooled bytes", cuMemGetAddressRange(&base, &bytes, t.allocate(100)), bytes);
}

void access(const Answers& say) {
  const Pool t;
  CUmemAccessDesc desc{};
  desc.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  for (const int flags : {0, 1, 2, 3}) {
    desc.flags = static_cast<CUmemAccess_flags>(flags);
    say("cuMemPoolSetAccess of the card to " + std::to_string(flags), cuMemPoolSetAccess(t.at, &desc, 1));
  }
  say("cuMemPoolSetAccess without a description", cuMemPoolSetAccess(t.at, nullptr, 1));
  say("cuMemPoolSetAccess of nothing", cuMemPoolSetAccess(t.at, nullptr, 0));
  desc.location.id = 77;
  say("cuMemPoolSetAccess of card 77", cuMemPoolSetAccess(t.at, &desc, 1));
  CUmemAccess_flags flags{};
  say("cuMemPoolGetAccess of card 77", cuMemPoolGetAccess(&flags, t.at, &desc.location));
  desc.location.id = 0;
  say("cuMemPoolGetAccess", cuMemPoolGetAccess(&flags, t.at, &desc.location), static_cast<int>(flags));
  say("cuMemPoolGetAccess without a place", cuMemPoolGetAccess(nullptr, t.at, &desc.location));
}

void of_graphs(const Answers& say) {
  const Context context;
  for (int which = 0; which <= 4; ++which) {
    cuuint64_t value = 0;
    const auto id = static_cast<CUgraphMem_attribute>(which);
    say("graph memory attribute " + std::to_string(which), cuDeviceGetGraphMemAttribute(0, id, &value), value);
    for (const cuuint64_t wanted : {cuuint64_t{0}, cuuint64_t{5}}) {
      value = wanted;
      say("graph memory attribute " + std::to_string(which) + " set to " + std::to_string(wanted),
          cuDeviceSetGraphMemAttribute(0, id, &value));
    }
  }
  say("cuDeviceGraphMemTrim", cuDeviceGraphMemTrim(0));
  say("cuDeviceGraphMemTrim of card 77", cuDeviceGraphMemTrim(77));
}

// What graphs hold, from the first allocation to the trim.
void life_of_graphs(const Answers& say) {
  const Context context;
  const CUstream s = new_stream();
  const auto tell = [&](const std::string& when) {
    std::string told;
    for (int which = 0; which < 4; ++which) {
      cuuint64_t value = 0;
      must(cuDeviceGetGraphMemAttribute(0, static_cast<CUgraphMem_attribute>(which), &value));
      told += (told.empty() ? "" : " ") + std::to_string(value);
    }
    say.write("memory of graphs " + when + ": used, most, reserved, most", told);
  };
  CUdeviceptr at = 0;
  CUgraph graph = nullptr, leaving = nullptr;
  CUgraphExec exec = nullptr, other = nullptr;
  must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
  must(cuMemAllocAsync(&at, 40 << 20, s));
  must(cuMemFreeAsync(at, s));
  must(cuStreamEndCapture(s, &graph));
  tell("after a capture of 40 MiB");
  must(cuGraphInstantiate(&exec, graph, 0));
  tell("after its instantiation");
  must(cuGraphLaunch(exec, s));
  must(cuStreamSynchronize(s));
  tell("after its launch");
  must(cuDeviceGraphMemTrim(0));
  tell("after a trim while it is there");
  must(cuGraphExecDestroy(exec));
  must(cuGraphDestroy(graph));
  tell("after it is destroyed");
  must(cuDeviceGraphMemTrim(0));
  tell("after a trim behind that");
  must(cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
  must(cuMemAllocAsync(&at, 4, s));
  must(cuStreamEndCapture(s, &leaving));
  must(cuGraphInstantiate(&other, leaving, 0));
  must(cuGraphLaunch(other, s));
  must(cuStreamSynchronize(s));
  tell("after a launch that leaves 4 bytes");
  say("cuMemFree of the 4 bytes", cuMemFree(at));
  tell("after they are freed");
  say("cuMemFree of the 4 bytes once more", cuMemFree(at));
  must(cuDeviceGraphMemTrim(0));
  tell("after a trim behind them");
  must(cuGraphExecDestroy(other));
  tell("after the executable graph is destroyed");
  must(cuDeviceGraphMemTrim(0));
  tell("after the last trim");
}

// When memory that is freed in each way stops to be in use.
void freeing(const Answers& say) {
  const Pool t;
  const CUstream s = new_stream();
  const auto used = [&](const std::string& when) {
    cuuint64_t value = 0;
    must(cuMemPoolGetAttribute(t.at, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &value));
    say.write("in use " + when, std::to_string(value));
  };
  CUdeviceptr at = t.allocate(4096);
  must(cuMemFreeAsync(at, nullptr));
  used("after cuMemFreeAsync");
  must(cuStreamSynchronize(nullptr));
  used("after cuMemFreeAsync and the stream's end");
  at = t.allocate(4096);
  must(cuMemFree(at));
  used("after cuMemFree");
  must(cuStreamSynchronize(nullptr));
  used("after cuMemFree and the stream's end");
  must(cuCtxSynchronize());
  used("after cuMemFree and the context's end");
  say("cuMemFree of it once more", cuMemFree(at));
  const CUdeviceptr next = t.allocate(4096);
  used("after the next allocation");
  must(cuMemFreeAsync(next, nullptr));
  must(cuStreamSynchronize(nullptr));
  used("after that is freed");
  must(cuMemPoolTrimTo(t.at, 0));
  used("after a trim");
  must(cuMemAllocFromPoolAsync(&at, 1, t.at, s));
  used("for 1 byte");
}

void access_of_a_new_pool(const Answers& say) {
  const Pool t;
  CUmemAccessDesc desc{};
  desc.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  CUmemAccess_flags flags{};
  say("cuMemPoolGetAccess of a new pool", cuMemPoolGetAccess(&flags, t.at, &desc.location), static_cast<int>(flags));
  for (const int wanted : {3, 0, 1}) {
    desc.flags = static_cast<CUmemAccess_flags>(wanted);
    say("cuMemPoolSetAccess of a new pool to " + std::to_string(wanted), cuMemPoolSetAccess(t.at, &desc, 1));
    say("cuMemPoolGetAccess after " + std::to_string(wanted), cuMemPoolGetAccess(&flags, t.at, &desc.location),
        static_cast<int>(flags));
  }
}

constexpr Group kGroups[] = {{"pools: attributes", attributes},
                             {"pools: creation", creation},
                             {"pools: allocation", allocation},
                             {"pools: access", access},
                             {"pools: access of a new pool", access_of_a_new_pool},
                             {"pools: freeing", freeing},
                             {"pools: life of graphs", life_of_graphs},
                             {"pools: of graphs", of_graphs}};

}  // namespace

std::span<const Group> about_pools() { return kGroups; }

}  // namespace questions

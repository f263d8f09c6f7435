// cuInit, versions, entry-point lookup, error names.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "driver/entry_points.hpp"

using namespace sim::driver;

namespace {

constexpr int kDriverVersion = 13000;  // the API level whose structs and _vN entry points are implemented

constexpr cuuint64_t kProcAddressFlags =
    CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;

// What the simulator can say better than an error's name.
struct ErrorText {
  CUresult code;
  const char* text;
};
constexpr ErrorText kErrors[] = {
    {CUDA_SUCCESS, "no error"},
    {CUDA_ERROR_INVALID_VALUE, "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called"},
    {CUDA_ERROR_NO_DEVICE, "no such simulated card, or a B12X_SIM_* variable is wrong (the text on stderr says which)"},
    {CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "the image is neither a fatbin nor PTX text, or it is damaged"},
    {CUDA_ERROR_INVALID_CONTEXT, "no context is current"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU,
     "the image holds no PTX that this card runs (the simulator executes PTX, never machine code)"},
    {CUDA_ERROR_INVALID_PTX, "the PTX has an error or a form that the simulator does not know"},
    {CUDA_ERROR_INVALID_HANDLE, "invalid or destroyed handle"},
    {CUDA_ERROR_NOT_FOUND, "named symbol not found"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"},
    {CUDA_ERROR_LAUNCH_TIMEOUT, "the launch can never finish"},
    {CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "part of the range is registered already"},
    {CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "the pointer is not registered"},
    {CUDA_ERROR_ILLEGAL_INSTRUCTION, "an illegal instruction was encountered"},
    {CUDA_ERROR_LAUNCH_FAILED, "the kernel failed"},
    {CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "more blocks than can be resident together in a cooperative launch"},
    {CUDA_ERROR_NOT_PERMITTED, "the driver was called from a host function of a stream"},
    {CUDA_ERROR_NOT_SUPPORTED, "operation not supported by the simulator"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"},
    {CUDA_ERROR_STREAM_CAPTURE_MERGE, "operation would result in a merge of separate capture sequences"},
    {CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "capture was not ended in the same stream as it began"},
    {CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work"},
    {CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "dependency created on uncaptured work in another stream"},
    {CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {CUDA_ERROR_CAPTURED_EVENT, "operation not permitted on an event last recorded in a capturing stream"},
    {CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,
     "attempt to terminate a thread-local capture sequence from another thread"},
    {CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE,
     "the graph update was not performed because it included changes which violated constraints"},
    {CUDA_ERROR_INVALID_CLUSTER_SIZE, "the kernel, the grid or the card does not allow clusters of this size"},
};

const char* name_of(CUresult code) {
  for (size_t i = 0; i < kErrorNameCount; ++i)
    if (kErrorNames[i].code == code) return kErrorNames[i].name;
  return nullptr;
}
const char* text_of(CUresult code) {
  for (const ErrorText& e : kErrors)
    if (e.code == code) return e.text;
  return name_of(code);
}

// The version of an entry point that a program built for `cuda_version` calls; "" and the reason where there is none.
std::string symbol_of(const char* name, int cuda_version, CUdriverProcAddressQueryResult& result) {
  std::string symbol;
  bool is_known = false;
  for (size_t i = 0; i < kEntryPointCount; ++i) {
    const EntryPoint& e = kEntryPoints[i];
    if (std::strcmp(e.name, name) != 0) continue;
    is_known = true;
    if (e.since <= cuda_version) symbol = std::string(name) + e.suffix;
  }
  result = is_known ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  return symbol;
}

}  // namespace

namespace sim::driver {

CUresult not_supported(const char* name) {
  static std::set<std::string>& told = *new std::set<std::string>;
  const std::lock_guard lock(state().mutex);
  if (told.insert(name).second) std::fprintf(stderr, "simulator: %s is not supported\n", name);
  return CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace sim::driver

extern "C" {

CUresult CUDAAPI cuInit(unsigned int flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  State& s = state();
  std::lock_guard lock(s.mutex);
  if (s.card != nullptr) return CUDA_SUCCESS;
  const char* wanted = std::getenv("B12X_SIM_GPU");
  s.card = sim::find_card(wanted != nullptr && *wanted != '\0' ? wanted : "rtx-pro-6000");
  if (s.card == nullptr) {
    std::string known;
    for (const sim::Card* c : sim::all_cards()) known += std::string(known.empty() ? "" : ", ") + c->key;
    return report(CUDA_ERROR_NO_DEVICE, "B12X_SIM_GPU=" + std::string(wanted) + " is not a card; known: " + known,
                  false);
  }
  if (const std::string wrong = read_options(s.options, s.findings_file); !wrong.empty()) {
    s.card = nullptr;
    return report(CUDA_ERROR_NO_DEVICE, wrong, false);
  }
  s.memory.track_writes(s.options.checks_init);
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDriverGetVersion(int* version) {
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *version = kDriverVersion;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGetErrorName(CUresult error, const char** text) {
  if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *text = name_of(error);
  return *text != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult CUDAAPI cuGetErrorString(CUresult error, const char** text) {
  if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *text = text_of(error);
  return *text != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// The entry point as it was in `cuda_version`, since the parameters of one name change between versions; the per-thread
// default stream's, where it is asked for and there is one. One that is not there is no error.
CUresult CUDAAPI cuGetProcAddress_v2(const char* name, void** function, int cuda_version, cuuint64_t flags,
                                     CUdriverProcAddressQueryResult* status) {
  if (name == nullptr || function == nullptr || (flags & ~kProcAddressFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  if (cuda_version > kDriverVersion) return CUDA_ERROR_INVALID_VALUE;
  *function = nullptr;
  CUdriverProcAddressQueryResult result{};
  const std::string symbol = symbol_of(name, cuda_version, result);
  Dl_info self{};
  if (dladdr(reinterpret_cast<void*>(&cuInit), &self) == 0) return CUDA_ERROR_UNKNOWN;
  void* library = dlopen(self.dli_fname, RTLD_NOLOAD | RTLD_LAZY);
  if (library == nullptr) return CUDA_ERROR_UNKNOWN;
  const bool is_per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0;
  for (const char* kind : {"_ptsz", "_ptds", ""}) {
    if ((*kind != '\0' && !is_per_thread) || symbol.empty()) continue;
    *function = dlsym(library, (symbol + kind).c_str());
    if (*function != nullptr) break;
  }
  dlclose(library);
  if (*function != nullptr) result = CU_GET_PROC_ADDRESS_SUCCESS;
  if (status != nullptr) *status = result;
  return CUDA_SUCCESS;  // a null function says enough
}

// Counters are collected where the options ask for them, not between these two.
CUresult CUDAAPI cuProfilerStart() {
  return call([] { return CUDA_SUCCESS; });
}
CUresult CUDAAPI cuProfilerStop() {
  return call([] { return CUDA_SUCCESS; });
}

}  // extern "C"

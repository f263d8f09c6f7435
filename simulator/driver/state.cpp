#include "driver/work.hpp"

#include <cstdio>
#include <new>

#include "ptx/ast.hpp"

CUfunc_st* CUmod_st::find(const char* name) const {
  for (const auto& f : functions)
    if (f->kernel->name == name) return f.get();
  return nullptr;
}

namespace sim::driver {

State& state() {
  static State* instance = new State;  // never destroyed: other libraries' destructors may still call in at exit
  return *instance;
}

std::vector<CUcontext>& context_stack() {
  thread_local std::vector<CUcontext> stack;
  return stack;
}

CUcontext current_context() { return context_stack().empty() ? nullptr : context_stack().back(); }

namespace {

thread_local int per_thread_calls = 0;
thread_local bool is_in_host_function = false;

// The calling thread's own default stream: a blocking one, alive as long as the process.
CUstream_st* per_thread_stream() {
  thread_local CUstream_st* stream = nullptr;
  if (stream == nullptr) {
    stream = new CUstream_st{.id = state().next_id++};
    state().live.insert(stream);
  }
  return stream;
}

}  // namespace

PerThreadDefault::PerThreadDefault() { ++per_thread_calls; }
PerThreadDefault::~PerThreadDefault() { --per_thread_calls; }
HostFunction::HostFunction() { is_in_host_function = true; }
HostFunction::~HostFunction() { is_in_host_function = false; }

CUstream_st* find_stream(CUstream stream) {
  if (stream == CU_STREAM_PER_THREAD || (stream == nullptr && per_thread_calls > 0)) return per_thread_stream();
  CUstream_st* const legacy = &state().legacy_stream;
  if (stream == nullptr || stream == CU_STREAM_LEGACY || stream == legacy) return legacy;
  return is_live(stream) ? stream : nullptr;
}

CUresult call(Required required, const std::function<CUresult()>& body) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  if (s.card == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (is_in_host_function) return CUDA_ERROR_NOT_PERMITTED;
  if (required.context && current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  try {
    if (!required.leaves_pending) run_pending();
    if (required.healthy && s.sticky_error != CUDA_SUCCESS) return s.sticky_error;
    return body();
  } catch (const std::bad_alloc&) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  } catch (const ptx::Error& e) {
    return report(CUDA_ERROR_INVALID_PTX, e.what(), false);
  } catch (const std::exception& e) {
    return report(CUDA_ERROR_UNKNOWN, e.what(), false);
  }
}

CUresult report(CUresult error, const std::string& text, bool is_sticky) {
  State& s = state();
  s.last_report = text;
  std::fprintf(stderr, "simulator: %s\n", text.c_str());
  if (is_sticky) s.sticky_error = error;
  return error;
}

}  // namespace sim::driver

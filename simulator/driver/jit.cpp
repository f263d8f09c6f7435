#include "driver/jit.hpp"

#include <algorithm>
#include <cstring>

#include "ptx/ast.hpp"

namespace sim::driver {
namespace {

size_t number(void* value) { return reinterpret_cast<size_t>(value); }

// A target is a number such as 90. Code for another card is of no use to this one.
CUresult check_target(const Card& card, size_t target) {
  if (target == static_cast<size_t>(card.cc_major * 10 + card.cc_minor)) return CUDA_SUCCESS;
  return target >= 50 && target <= 129 ? CUDA_ERROR_INVALID_SOURCE : CUDA_ERROR_INVALID_IMAGE;
}

}  // namespace

CUresult JitOptions::read(const Card& card, unsigned count, const CUjit_option* options, void** values) {
  if (count != 0 && (options == nullptr || values == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] < 0 || options[i] >= CU_JIT_NUM_OPTIONS) return CUDA_ERROR_INVALID_VALUE;
    switch (options[i]) {
      case CU_JIT_ERROR_LOG_BUFFER:
        errors_.buffer = static_cast<char*>(values[i]);
        break;
      case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
        errors_.room = number(values[i]);
        errors_.size = &values[i];
        break;
      case CU_JIT_INFO_LOG_BUFFER:
        notes_.buffer = static_cast<char*>(values[i]);
        break;
      case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
        notes_.room = number(values[i]);
        notes_.size = &values[i];
        break;
      case CU_JIT_MAX_REGISTERS:
        if (number(values[i]) == 0) return CUDA_ERROR_INVALID_VALUE;
        break;
      case CU_JIT_CACHE_MODE:
        if (number(values[i]) > CU_JIT_CACHE_OPTION_CA) return CUDA_ERROR_INVALID_VALUE;
        break;
      case CU_JIT_TARGET:
        if (const CUresult r = check_target(card, number(values[i])); r != CUDA_SUCCESS) return r;
        break;
      case CU_JIT_WALL_TIME:
        values[i] = nullptr;  // the bits of 0.0f: nothing was compiled
        break;
      default:
        break;
    }
  }
  errors_.append("");
  notes_.append("");
  return CUDA_SUCCESS;
}

void JitOptions::log(const ptx::Error& error) {
  errors_.append("ptxas application ptx input, line " + std::to_string(error.line) + "; error   : " + error.complaint +
                 "\nptxas fatal   : Ptx assembly aborted due to errors");
}
void JitOptions::log_error(const std::string& text) { errors_.append("ptxas fatal   : " + text); }
void JitOptions::log_note(const std::string& text) { notes_.append("ptxas info    : " + text + "\n"); }

void JitOptions::Log::append(const std::string& text) {
  text_ += text;
  if (size != nullptr) *size = reinterpret_cast<void*>(std::min(text_.size(), room));
  if (buffer == nullptr || room == 0) return;
  const size_t kept = std::min(text_.size(), room - 1);
  std::memcpy(buffer, text_.data(), kept);
  buffer[kept] = '\0';
}

}  // namespace sim::driver

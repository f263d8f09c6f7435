// NVIDIA's CUDA runtime asks the driver for tables that no documentation describes, and with one of them checks that
// the driver is NVIDIA's. The simulator leaves that check alone: it has no such tables, and says once what to do
// instead.
#include <atomic>
#include <cstdio>

#include "driver/state.hpp"

extern "C" {

CUresult CUDAAPI cuGetExportTable(const void** table, const CUuuid*) {
  static std::atomic<bool> is_told{false};
  if (table == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *table = nullptr;
  if (!is_told.exchange(true))
    std::fputs(
        "simulator: this program uses NVIDIA's CUDA runtime (cudart), which checks that it talks to NVIDIA's own driver; "
        "the simulator leaves that check alone, so use the Driver API (cuLaunchKernel ..) and link without cudart (nvcc "
        "-cudart none)\n",
        stderr);
  return CUDA_ERROR_NOT_FOUND;
}

}  // extern "C"

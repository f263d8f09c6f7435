// ldmatrix.cuh: shared memory -> MMA operand registers. Lane l gives the 16-byte aligned address of row l % 8 of matrix
// l / 8.
#pragma once

#include <cstdint>

#include "kernels/ptx/device.h"

namespace b12x::ptx {

B12X_DEVICE uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// ldmatrix.sync.aligned.m8n8.x4.shared.b16 {d0, d1, d2, d3}, [address];   PTX ISA 6.5, sm_75
B12X_DEVICE void ldmatrix_m8n8_x4_b16(uint32_t& d0, uint32_t& d1, uint32_t& d2, uint32_t& d3, uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d0), "=r"(d1), "=r"(d2), "=r"(d3)
               : "r"(address)
               : "memory");
}

}  // namespace b12x::ptx

// tensor_map.h: the 128 opaque bytes of a CUtensorMap, named without cuda.h so that host and device share one type.
// The runtime fills it with cuTensorMapEncodeTiled; a kernel only passes its address to cp.async.bulk.tensor.
#pragma once

#include <cstdint>

namespace b12x {

struct alignas(64) TensorMap {
  uint64_t words[16];
};
static_assert(sizeof(TensorMap) == 128, "a CUtensorMap is 128 bytes");

}  // namespace b12x

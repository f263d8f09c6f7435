// mma_avx512.hpp: the fast paths of mma.hpp. Call only where mma_has_avx512() holds.
#pragma once

#include "mma.hpp"

namespace sim::numerics {

// The fast path of a form that exists, or nullptr where the scalar path has to do.
MmaFunction find_mma_avx512(Arch arch, const MmaForm& form);

}  // namespace sim::numerics

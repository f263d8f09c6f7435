"""b12x 0.7.2's FP4 and scale-layout helpers under their module's name. New code finds the same in b12x.quant.

What 0.7.2's module held besides, building blocks of its CuTe DSL kernels, has no counterpart here: the kernels are CUDA
C++.
"""

from b12x.cute.fp4 import (
    COPY_BITS,
    FLOAT4_E2M1_MAX,
    FLOAT8_E4M3_MAX,
    SF_VEC_SIZE,
    align_up,
    as_grouped_scale_view,
    fp4_quantize_values_torch,
    get_sm_version,
    make_swizzle_indices,
    pack_grouped_fp4_values,
    quantize_grouped_nvfp4_torch,
    silu_mul_quantize_grouped_nvfp4_torch,
    swizzle_block_scale,
)
from b12x.cute.utils import ceil_div, convert_sf_from_mma_layout, convert_sf_to_mma_layout, get_mma_sf_shape

__all__ = [
    "COPY_BITS",
    "FLOAT4_E2M1_MAX",
    "FLOAT8_E4M3_MAX",
    "SF_VEC_SIZE",
    "align_up",
    "as_grouped_scale_view",
    "ceil_div",
    "convert_sf_from_mma_layout",
    "convert_sf_to_mma_layout",
    "fp4_quantize_values_torch",
    "get_mma_sf_shape",
    "get_sm_version",
    "make_swizzle_indices",
    "pack_grouped_fp4_values",
    "quantize_grouped_nvfp4_torch",
    "silu_mul_quantize_grouped_nvfp4_torch",
    "swizzle_block_scale",
]

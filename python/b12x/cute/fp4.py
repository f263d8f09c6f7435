"""b12x 0.7.2's `b12x.cute.fp4`: its constants and host functions, over b12x.quant."""

from __future__ import annotations

import torch
from torch import Tensor

from b12x.quant.grouped import quantize_grouped_nvfp4_torch, silu_mul_quantize_grouped_nvfp4_torch
from b12x.quant.layout import align_up, as_grouped_scale_view, make_swizzle_indices, swizzle_block_scale
from b12x.quant.reference import pack_e2m1, round_e2m1

__all__ = [
    "COPY_BITS",
    "FLOAT4_E2M1_MAX",
    "FLOAT8_E4M3_MAX",
    "SF_VEC_SIZE",
    "align_up",
    "as_grouped_scale_view",
    "fp4_quantize_values_torch",
    "get_sm_version",
    "make_swizzle_indices",
    "pack_grouped_fp4_values",
    "quantize_grouped_nvfp4_torch",
    "silu_mul_quantize_grouped_nvfp4_torch",
    "swizzle_block_scale",
]

FLOAT4_E2M1_MAX = 6.0
FLOAT8_E4M3_MAX = 448.0
SF_VEC_SIZE = 16
COPY_BITS = 128


def fp4_quantize_values_torch(x: Tensor) -> Tensor:
    """x with every value moved to the nearest of 0, .5, 1, 1.5, 2, 3, 4, 6 or its negative: ties to the even code,
    magnitudes above 5 to 6. Any shape, float dtype kept. NaN stays NaN."""
    return round_e2m1(x.float()).to(x.dtype)


def pack_grouped_fp4_values(values: Tensor) -> Tensor:
    """Packs on-grid values [groups, rows, cols], cols even, to uint8 [rows, cols / 2, groups]: even column in the low
    nibble.

    K is adjacent in memory and groups are furthest apart, as dense_gemm reads it. Zeros of either sign pack as 0.
    Raises ValueError for another shape.
    """
    if values.dim() != 3 or values.shape[2] % 2:
        raise ValueError(
            f"pack_grouped_fp4_values: values have shape {list(values.shape)}, want [groups, rows, even cols]"
        )
    return pack_e2m1(values.float()).permute(1, 2, 0)


def get_sm_version(device: torch.device | int | None = None) -> int:
    """10 * major + minor of the CUDA device's compute capability; 80 where there is none."""
    if not torch.cuda.is_available():
        return 80
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor

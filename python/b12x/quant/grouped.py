"""b12x 0.7.2's grouped quantisers under their own names, signatures and shapes, over the kernels of b12x.quant.

What differs from 0.7.2, on purpose: no loop over groups on the host and no synchronisation; subnormal scales are right;
a NaN makes its block's scale NaN; and `packed` [rows, cols / 2, groups] has K adjacent and groups furthest apart, which
is how `dense_gemm` reads it (0.7.2 had groups adjacent, which agreed with its own GEMM for one group only).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

from b12x.quant.layout import as_grouped_scale_view


def quantize_grouped_nvfp4_torch(x: Tensor, row_counts: Tensor, global_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Quantises groups of rows to NVFP4.

    x: [groups, rows, cols] float32, bfloat16 or float16, columns adjacent, cols a multiple of 16.
    row_counts: [groups], any integer dtype: rows of each group that count; the others come out as zero and are not
    read.
    global_scale: [1] or [groups] float32, 2688 / amax: the reciprocal convention.

    Returns (packed uint8 [rows, cols / 2, groups]; scales float8_e4m3fn, the view [32, 4, row tiles, 4, atoms, groups]
    of as_grouped_scale_view). x ~ value * scale / global_scale.
    Raises ValueError for a wrong shape or dtype.
    """
    from b12x import quant

    _check_groups("quantize_grouped_nvfp4_torch", x, 16)
    packed, scales, _ = quant.quantize_nvfp4(
        x,
        _global_scale_of(x, global_scale),
        row_counts=_row_counts_of(x, row_counts),
        global_scale_is_reciprocal=True,
    )
    return packed.permute(1, 2, 0), as_grouped_scale_view(scales, x.shape[1], x.shape[2])


def silu_mul_quantize_grouped_nvfp4_torch(x: Tensor, row_counts: Tensor, global_scale: Tensor) -> tuple[Tensor, Tensor]:
    """quantize_grouped_nvfp4_torch of silu(gate) * up, rounded to x's dtype.

    x: [groups, rows, 2 * cols]: the first half of the columns is gate, the second up (the other way round than the rows
    of w13). The rest, the results and the errors are those of quantize_grouped_nvfp4_torch for [groups, rows, cols].
    """
    from b12x import quant

    _check_groups("silu_mul_quantize_grouped_nvfp4_torch", x, 32)
    packed, scales, _ = quant.silu_mul_quantize_nvfp4(
        x,
        _global_scale_of(x, global_scale),
        row_counts=_row_counts_of(x, row_counts),
        global_scale_is_reciprocal=True,
    )
    return packed.permute(1, 2, 0), as_grouped_scale_view(scales, x.shape[1], x.shape[2] // 2)


def _check_groups(op: str, x: Tensor, multiple: int) -> None:
    if x.dim() != 3 or x.shape[2] % multiple:
        raise ValueError(
            f"{op}: x has shape {list(x.shape)}, want [groups, rows, columns] with columns a multiple of {multiple}"
        )


def _global_scale_of(x: Tensor, global_scale: Tensor) -> Tensor:
    return global_scale.to(x.device).float().reshape(-1).contiguous()


def _row_counts_of(x: Tensor, row_counts: Tensor) -> Tensor:
    import torch

    return row_counts.to(x.device, torch.int32).contiguous()

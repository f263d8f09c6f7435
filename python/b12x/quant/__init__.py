"""NVFP4 quantisation: 16 neighbours along a row share an e4m3 scale, the whole tensor (or group) a float32 one.

    global_scale = amax(|x|) / 2688                       over finite values; 1 if all are zero
    scale        = e4m3(min(448, blockmax / (6 * global_scale)))
    value        = e2m1(x / (scale * global_scale))       nearest even, saturating
    x            ~ value * scale * global_scale

Two conventions of the global scale are in use: the one above, which a product is multiplied with afterwards (a
checkpoint's input_scale), and its reciprocal 2688 / amax, which x is multiplied with (FlashInfer, b12x 0.7.2's
`quantize_grouped_nvfp4_torch`): `global_scale_is_reciprocal=True`.

Values travel as uint8, two a byte, the even column in the low nibble. Scales are stored in the 128x4 order that the
tensor core's kernels read (b12x.quant.layout), padded with zeros to [align(rows, 128), align(cols / 16, 4)]. A block
that contains a NaN gets a NaN scale; infinities saturate. MXFP8 is here too: e4m3 values, a power of two for 32 of
them.

On the host: b12x.quant.reference (torch) and b12x.quant.reference_numpy compute the same bytes as the kernels.
"""

from __future__ import annotations

import math

from b12x import runtime
from b12x._native import function
from b12x._tensors import Array, Maker, as_input, matrix_shape, place_of, take
from b12x.quant.grouped import quantize_grouped_nvfp4_torch, silu_mul_quantize_grouped_nvfp4_torch
from b12x.quant.layout import (
    align_up,
    as_grouped_scale_view,
    make_swizzle_indices,
    scale_offset,
    scale_shape,
    swizzle_block_scale,
    unswizzle_block_scale,
    w13_scale_offset,
)

__all__ = [
    "align_up",
    "as_grouped_scale_view",
    "make_swizzle_indices",
    "quantize_grouped_nvfp4_torch",
    "quantize_mxfp8",
    "quantize_nvfp4",
    "scale_offset",
    "scale_shape",
    "silu_mul_quantize_grouped_nvfp4_torch",
    "silu_mul_quantize_nvfp4",
    "swizzle_block_scale",
    "unswizzle_block_scale",
    "w13_scale_offset",
]

_as_grouped_scale_view = as_grouped_scale_view  # its name in b12x 0.7.2

_PLAIN, _GATE_UP, _UP_GATE = 0, 1, 2


def quantize_nvfp4(
    x: Array,
    global_scale: Array | float | None = None,
    *,
    row_counts: Array | None = None,
    global_scale_is_reciprocal: bool = False,
) -> tuple[Array, Array, Array]:
    """Quantises `x` to NVFP4.

    x: [rows, cols] or [groups, rows, cols] float32, bfloat16 or float16, columns adjacent, cols a multiple of 16.
        torch, NumPy or any DLPack array; CPU arrays run on the simulated card, CUDA ones on their GPU and its current
        stream.
    global_scale: float32 array of one element (or one a group) beside x, or a number; positive and at most 2^116. None
        computes amax / 2688 of a matrix; groups need it given.
    row_counts: int32 [groups] beside x: rows of each group that count. The others are not read, and their values
        and scales are zero. Counts beyond [0, rows] are taken as the nearer end. None: all rows count.
    global_scale_is_reciprocal: global_scale holds 1 / (the scale of the formula above).

    Returns (packed uint8 [.., rows, cols / 2], scales uint8 [.., align(rows, 128), align(cols / 16, 4)] swizzled,
    global_scale float32 as it was given, [1] if computed or a number) in x's framework (see b12x._tensors for others
    than torch and NumPy). rows = 0 gives empty arrays.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    op = "quantize_nvfp4"
    x, maker = take(f"{op}: x", x)
    groups, rows, cols = _grouped_shape(op, x)
    if global_scale is None:
        if groups is not None or global_scale_is_reciprocal:
            raise ValueError(
                f"{op}: global_scale is missing: only that of one matrix is computed, and not as reciprocal"
            )
        scale = maker.scalar(1.0)
        runtime.announce(*place_of(x))
        function("global_scale")(x, scale)
    else:
        scale = _scale_of(op, global_scale, maker)
    return _quantize(x, maker, (groups, rows, cols), scale, row_counts, _PLAIN, global_scale_is_reciprocal)


def silu_mul_quantize_nvfp4(
    x: Array,
    global_scale: Array | float,
    gate_first: bool = True,
    *,
    row_counts: Array | None = None,
    global_scale_is_reciprocal: bool = False,
) -> tuple[Array, Array, Array]:
    """Quantises silu(gate) * up to NVFP4, without storing the product.

    x: [rows, 2 * cols] or [groups, rows, 2 * cols] float32, bfloat16 or float16: gate and up side by side, gate first
        unless gate_first is False.
    global_scale: as in quantize_nvfp4, of the product; required, since the product's maximum is not known before.
    row_counts, global_scale_is_reciprocal: as in quantize_nvfp4.

    Returns what quantize_nvfp4 returns for [.., rows, cols]. The product is rounded to x's dtype before it is
    quantised.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    op = "silu_mul_quantize_nvfp4"
    x, maker = take(f"{op}: x", x)
    groups, rows, twice = _grouped_shape(op, x)
    if twice % 32 != 0:
        raise ValueError(f"{op}: x has {twice} columns, want a multiple of 32: gate and up, each in blocks of 16")
    scale = _scale_of(op, global_scale, maker)
    layout = _GATE_UP if gate_first else _UP_GATE
    return _quantize(x, maker, (groups, rows, twice // 2), scale, row_counts, layout, global_scale_is_reciprocal)


def quantize_mxfp8(x: Array) -> tuple[Array, Array]:
    """Quantises `x` to MXFP8: e4m3 values, and for 32 neighbours along a row the smallest power of two under which
    their largest magnitude is at most 448 (so nothing finite saturates).

    x: [rows, cols] float32, bfloat16 or float16, columns adjacent, cols a multiple of 32; arrays as in quantize_nvfp4.

    Returns (values uint8 [rows, cols], e4m3 bits; scales uint8 [rows, cols / 32], row-major, value 2^(byte - 127)) in
    x's framework. A NaN stays NaN (0x7F) in its element and does not count for the scale; infinities become +-448 under
    byte 247; values that round to zero are +0.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    x, maker = take("quantize_mxfp8: x", x)
    rows, cols = matrix_shape("quantize_mxfp8: x", x)
    values, scales = maker.empty((rows, cols), "uint8"), maker.empty((rows, cols // 32), "uint8")
    runtime.announce(*place_of(x))
    function("quantize_mxfp8")(x, values, scales)
    return values, scales


def _grouped_shape(op: str, x: Array) -> tuple[int | None, int, int]:
    """(groups or None, rows, columns)."""
    shape = tuple(int(size) for size in x.shape)
    if len(shape) not in (2, 3):
        raise ValueError(f"{op}: x: has shape {list(shape)}, want two dimensions [rows, columns] or three [groups, ..]")
    return (None, *shape) if len(shape) == 2 else shape


def _scale_of(op: str, global_scale: Array | float, maker: Maker) -> Array:
    if not isinstance(global_scale, (int, float)):
        return as_input(f"{op}: global_scale", global_scale)
    if not (math.isfinite(global_scale) and global_scale > 0):
        raise ValueError(f"{op}: global_scale is {global_scale}, want a positive finite number")
    return maker.scalar(float(global_scale))


def _quantize(
    x: Array,
    maker: Maker,
    shape: tuple[int | None, int, int],
    scale: Array,
    row_counts: Array | None,
    layout: int,
    is_reciprocal: bool,
) -> tuple[Array, Array, Array]:
    groups, rows, cols = shape
    lead = () if groups is None else (groups,)
    packed = maker.empty((*lead, rows, cols // 2), "uint8")
    scales = maker.empty((*lead, *scale_shape(rows, cols)), "uint8")
    counts = None if row_counts is None else as_input("quantize_nvfp4: row_counts", row_counts)
    runtime.announce(*place_of(x))
    function("quantize")(x, scale, packed, scales, counts, layout, is_reciprocal)
    return packed, scales, scale

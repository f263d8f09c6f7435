"""NVFP4 quantisation: 16 neighbours along a row share an e4m3 scale, the whole tensor a float32 one.

    global_scale = amax(|x|) / 2688                       over finite values; 1 if all are zero
    scale        = e4m3(min(448, blockmax / (6 * global_scale)))
    value        = e2m1(x / (scale * global_scale))       nearest even, saturating
    x            ~ value * scale * global_scale

Values travel as uint8, two a byte, the even column in the low nibble. Scales are stored in the 128x4 order that the
tensor core's kernels read, padded with zeros to [align(rows, 128), align(cols / 16, 4)]. A block that contains a NaN
gets a NaN scale; infinities saturate.
"""

from __future__ import annotations

import math

from b12x import runtime
from b12x._native import function
from b12x._tensors import Array, Maker, as_input, matrix_shape, place_of, take

_PLAIN, _GATE_UP, _UP_GATE = 0, 1, 2


def scale_shape(rows: int, cols: int) -> tuple[int, int]:
    """Shape of the swizzled scales of a [rows, cols] tensor: padded rows, padded blocks."""
    return -(-rows // 128) * 128, -(-cols // 64) * 4


def quantize_nvfp4(x: Array, global_scale: Array | float | None = None) -> tuple[Array, Array, Array]:
    """Quantises `x` to NVFP4.

    x: [rows, cols] float32, bfloat16 or float16, columns adjacent, cols a multiple of 16. torch, NumPy or any DLPack
        array; CPU arrays run on the simulated card, CUDA ones on their GPU and its current stream.
    global_scale: float32 array of one element beside x, or a number; positive and finite. None computes amax / 2688.

    Returns (packed uint8 [rows, cols / 2], scales uint8 [align(rows, 128), align(cols / 16, 4)] swizzled, global_scale
    float32 [1]) in x's framework (see b12x._tensors for others than torch and NumPy). rows = 0 gives empty arrays.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    x, maker = take("quantize_nvfp4: x", x)
    rows, cols = matrix_shape("quantize_nvfp4: x", x)
    if global_scale is None:
        scale = maker.scalar(1.0)
        runtime.announce(*place_of(x))
        function("global_scale")(x, scale)
    else:
        scale = _scale_of("quantize_nvfp4", global_scale, maker)
    return _quantize(x, maker, rows, cols, scale, _PLAIN)


def silu_mul_quantize_nvfp4(
    x: Array, global_scale: Array | float, gate_first: bool = True
) -> tuple[Array, Array, Array]:
    """Quantises silu(gate) * up to NVFP4, without storing the product.

    x: [rows, 2 * cols] float32, bfloat16 or float16: gate and up side by side, gate first unless gate_first is False.
    global_scale: as in quantize_nvfp4, of the product; required, since the product's maximum is not known before.

    Returns what quantize_nvfp4 returns for [rows, cols]. The product is rounded to x's dtype before it is quantised.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    x, maker = take("silu_mul_quantize_nvfp4: x", x)
    rows, twice = matrix_shape("silu_mul_quantize_nvfp4: x", x)
    if twice % 32 != 0:
        raise ValueError(
            f"silu_mul_quantize_nvfp4: x has {twice} columns, want a multiple of 32: gate and up, each in blocks of 16"
        )
    scale = _scale_of("silu_mul_quantize_nvfp4", global_scale, maker)
    return _quantize(x, maker, rows, twice // 2, scale, _GATE_UP if gate_first else _UP_GATE)


def _scale_of(op: str, global_scale: Array | float, maker: Maker) -> Array:
    if not isinstance(global_scale, (int, float)):
        return as_input(f"{op}: global_scale", global_scale)
    if not (math.isfinite(global_scale) and global_scale > 0):
        raise ValueError(f"{op}: global_scale is {global_scale}, want a positive finite number")
    return maker.scalar(float(global_scale))


def _quantize(x: Array, maker: Maker, rows: int, cols: int, scale: Array, layout: int) -> tuple[Array, Array, Array]:
    packed = maker.empty((rows, cols // 2), "uint8")
    scales = maker.empty(scale_shape(rows, cols), "uint8")
    runtime.announce(*place_of(x))
    function("quantize")(x, scale, packed, scales, layout)
    return packed, scales, scale

"""NVFP4 and MXFP8 on the host, in NumPy: the same bytes as the kernels and as b12x.quant.reference.

In: 2-D float arrays (float32, float16, or anything NumPy widens to float32 exactly, such as ml_dtypes.bfloat16). Out:
bytes. The idea: values are looked up among all codes of a format, so rounding needs no bit tricks: the code of x is the
number of ties below it, and a tie itself goes to the even side.
"""

from __future__ import annotations

import numpy as np

_E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
_E4M3 = np.array(
    [m * 2.0**-9 if e == 0 else (8 + m) * 2.0 ** (e - 10) for e in range(16) for m in range(8)][:127], np.float32
)
_NAN = 0x7F
_MIN_STEP = np.float32(1e-30)


def _encode(magnitude: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Index of the nearest of `codes`, ties to the even index, saturating. magnitude: float32 >= 0, no NaN."""
    ties = (codes[:-1] + codes[1:]) / 2  # exact: one bit more than the codes have
    code = np.searchsorted(ties, magnitude, side="left")  # a tie counts as below
    is_tie = (code < len(ties)) & (magnitude == ties[np.minimum(code, len(ties) - 1)])
    return (code + (is_tie & (code % 2 == 1))).astype(np.uint8)


def global_scale_of(x: np.ndarray) -> np.float32:
    """amax / 2688 over finite values, float32; 1 if there is nothing to scale."""
    magnitude = np.abs(x.astype(np.float32))
    amax = np.max(magnitude, initial=0, where=np.isfinite(magnitude))
    return np.float32(amax) / np.float32(2688) if amax > 0 else np.float32(1)


def quantize_nvfp4(x: np.ndarray, global_scale: float | None = None) -> tuple[np.ndarray, np.ndarray, np.float32]:
    """Quantises x [rows, cols], cols a multiple of 16, by the formula of b12x.quant.

    Returns (packed uint8 [rows, cols / 2], low nibble = even column; scales uint8 [rows, cols / 16], row-major e4m3
    bits; global scale). Raises ValueError for another shape.
    """
    if x.ndim != 2 or x.shape[1] % 16:
        raise ValueError(f"quantize_nvfp4: x has shape {list(x.shape)}, want [rows, cols] with cols a multiple of 16")
    gs = global_scale_of(x) if global_scale is None else np.float32(global_scale)
    blocks = x.astype(np.float32).reshape(x.shape[0], -1, 16)
    with np.errstate(all="ignore"):  # NaN, infinities and underflow are handled by value
        wanted = np.abs(blocks).max(-1) / (np.float32(6) * gs)
        is_nan = np.isnan(wanted)
        scales = np.where(is_nan, _NAN, _encode(np.where(is_nan, 0, wanted), _E4M3)).astype(np.uint8)
        step = np.maximum(_E4M3[np.where(is_nan, 0, scales)] * gs, _MIN_STEP)
        quotient = np.where(is_nan[..., None], np.float32(0), blocks) / step[..., None]
    code = _encode(np.abs(quotient), _E2M1)
    code |= ((quotient < 0) & (code > 0)).astype(np.uint8) << 3
    code = code.reshape(x.shape)
    return code[:, 0::2] | code[:, 1::2] << 4, scales, gs


def quantize_mxfp8(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantises x [rows, cols], cols a multiple of 32, as b12x.quant.quantize_mxfp8 does.

    Returns (values uint8 [rows, cols], e4m3 bits; scales uint8 [rows, cols / 32], ue8m0). Raises ValueError for another
    shape.
    """
    if x.ndim != 2 or x.shape[1] % 32:
        raise ValueError(f"quantize_mxfp8: x has shape {list(x.shape)}, want [rows, cols] with cols a multiple of 32")
    blocks = x.astype(np.float32).reshape(x.shape[0], -1, 32)
    magnitude = np.abs(blocks)
    amax = np.fmax.reduce(magnitude, -1, initial=0).clip(max=np.finfo(np.float32).max)
    fraction, exponent = np.frexp(amax)  # amax = fraction * 2^exponent, fraction in [0.5, 1); 448 = 0.875 * 2^9
    scales = np.where(amax > 0, exponent - 9 + (fraction > 0.875) + 127, 0).clip(min=0).astype(np.uint8)
    is_nan = np.isnan(blocks)
    with np.errstate(under="ignore"):
        quotient = np.ldexp(np.where(is_nan, np.float32(0), magnitude), 127 - scales[..., None].astype(np.int32))
    code = _encode(quotient.astype(np.float32), _E4M3)
    code |= ((blocks < 0) & (code > 0)).astype(np.uint8) << 7
    return np.where(is_nan, _NAN, code).astype(np.uint8).reshape(x.shape), scales

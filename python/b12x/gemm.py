"""Dense GEMM of NVFP4 operands: out[m, n] = alpha * sum over k of (a * a_scales)[m, k] * (b * b_scales)[n, k]."""

from __future__ import annotations

from typing import Any

from b12x import runtime
from b12x._native import function
from b12x._tensors import Array, as_input, dtype_name, matrix_shape, place_of, take


def nvfp4_gemm(
    a: Array,
    a_scales: Array,
    b: Array,
    b_scales: Array,
    alpha: Array | float | None = None,
    out_dtype: Any = None,
    out: Array | None = None,
) -> Array:
    """Multiplies two NVFP4 matrices, as quantize_nvfp4 makes them.

    a: uint8 [m, k / 2], contiguous, 16-byte aligned: activations. k is a multiple of 64; m = 0 gives an empty result.
    a_scales: swizzled scales of a, align(m, 128) * (k / 16) bytes, uint8 or float8_e4m3fn. Padding may hold anything.
    b: uint8 [n, k / 2], likewise: weights as torch.nn.Linear stores them. n is a multiple of 8.
    b_scales: swizzled scales of b, align(n, 128) * (k / 16) bytes.
    alpha: float32 array of one element beside a, or a number: usually the product of both global scales. None is 1.
    out_dtype: bfloat16 (default; float16 for NumPy, which has no bfloat16) or float16, by name or as a dtype.
    out: [m, n] array to write, columns adjacent, row stride a multiple of 8; its dtype decides. None allocates one.

    Returns out, in a's framework. Sums are FP32 inside the tensor core, rounded once at the end.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    a, maker = take("gemm: a", a)
    a_scales, b, b_scales = (
        as_input("gemm: a_scales", a_scales),
        as_input("gemm: b", b),
        as_input("gemm: b_scales", b_scales),
    )
    m, _ = matrix_shape("gemm: a", a)
    n, _ = matrix_shape("gemm: b", b)
    if out is None:
        out = maker.empty((m, n), dtype_name(out_dtype) if out_dtype is not None else maker.default_out_dtype)
    elif out_dtype is not None and dtype_name(out.dtype) != dtype_name(out_dtype):
        raise ValueError(f"gemm: out has dtype {dtype_name(out.dtype)}, but out_dtype is {dtype_name(out_dtype)}")
    if alpha is not None:
        alpha = maker.scalar(float(alpha)) if isinstance(alpha, (int, float)) else as_input("gemm: alpha", alpha)
    runtime.announce(*place_of(a))
    function("gemm")(a, a_scales, b, b_scales, alpha, out)
    return out

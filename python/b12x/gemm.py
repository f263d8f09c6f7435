"""Dense GEMM of FP4 operands: out[l, m, n] = alpha * sum over k of (a sa)[l, m, k] * (b sb)[l, n, k] + bias[n].

`nvfp4_gemm` and `mxfp4_gemm` take a batch first, as PyTorch's functions do; `nvfp4_linear` quantises its activations, a
few of them within the GEMM; `dense_gemm` is b12x 0.7.2's call, with the batch last. Sums are FP32 inside the tensor
core; alpha and bias are applied in FP32 (as one fma); the result is rounded once, to nearest even.
"""

from __future__ import annotations

import sys
from typing import Any

from b12x import runtime
from b12x._native import function
from b12x._tensors import Array, as_input, dtype_name, place_of, take
from b12x.quant import quantize_nvfp4

__all__ = ["dense_gemm", "mxfp4_gemm", "nvfp4_gemm", "nvfp4_linear"]

# Byte-sized dtypes of PyTorch that DLPack or the library does not know: passed as the bytes they are.
_BYTES = ("float8_e8m0fnu", "float4_e2m1fn_x2")


def nvfp4_gemm(
    a: Array,
    a_scales: Array,
    b: Array,
    b_scales: Array,
    alpha: Array | float | None = None,
    out_dtype: Any = None,
    out: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """Multiplies two NVFP4 matrices, as quantize_nvfp4 makes them, or two batches of them.

    a: uint8 [m, k / 2] or [l, m, k / 2]: activations. k is a multiple of 32, and k's neighbours are adjacent; rows and
        batches may be apart, by multiples of 16 bytes. m = 0 gives an empty result.
    a_scales: swizzled scales of a, align(m, 128) * align(k / 16, 4) bytes a batch, without gaps, uint8 or
        float8_e4m3fn. Padding may hold anything.
    b: uint8 [n, k / 2] or [l, n, k / 2], likewise: weights as torch.nn.Linear stores them. n is a multiple of 8.
    b_scales: swizzled scales of b, align(n, 128) * align(k / 16, 4) bytes a batch.
    alpha: float32 array of one element beside a, or a number: usually the product of both global scales. None is 1.
    out_dtype: bfloat16 (default; float16 for NumPy, which has no bfloat16), float16 or float32, by name or as a dtype.
    out: [m, n] or [l, m, n] array to write, columns adjacent, row and batch strides multiples of 8; its dtype decides.
        None allocates one.
    bias: float32 [n], added to every row; starts at a multiple of 16 bytes.

    Returns out, in a's framework.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    return _gemm("nvfp4", a, a_scales, b, b_scales, alpha, out_dtype, out, bias)


def nvfp4_linear(
    x: Array,
    b: Array,
    b_scales: Array,
    global_scale: Array | float | None = None,
    alpha: Array | float | None = None,
    out_dtype: Any = None,
    out: Array | None = None,
    bias: Array | None = None,
    global_scale_is_reciprocal: bool = False,
) -> Array:
    """Quantises activations to NVFP4 and multiplies them: quantize_nvfp4, then nvfp4_gemm, with the same bits.

    Up to 8 rows it is one launch, as long as x quantised (m * k * 9 / 16 bytes) fits into 27 KB, its type is that of
    the output or the output is float32, and its rows start at multiples of 16 bytes; else it is two.

    x: bfloat16 or float16 (float32 in two launches) [m, k]; rows may be apart. k is a multiple of 32.
    b, b_scales, bias: as in nvfp4_gemm, of one matrix.
    global_scale: what x is quantised with, float32 array of one element beside x, or a number: a checkpoint's
        input_scale. None is 1.
    alpha: as in nvfp4_gemm; it has to hold the global scale: input_scale * weight_scale_2 of a checkpoint.
    out_dtype: x's type (default, if it is a 16-bit one), or as in nvfp4_gemm.
    out: [m, n] array to write, as in nvfp4_gemm. None allocates one.
    global_scale_is_reciprocal: global_scale holds its reciprocal, 2688 / amax. alpha does not follow.

    Returns out, in x's framework.
    Raises ValueError for a wrong shape, dtype or layout, RuntimeError for a driver's failure.
    """
    x, maker = take("nvfp4_linear: x", x)
    b = as_input("nvfp4_linear: b", _as_bytes(b))
    if len(x.shape) != 2 or len(b.shape) != 2:
        raise ValueError(f"nvfp4_linear: x, b have shapes {list(x.shape)}, {list(b.shape)}, want [m, k], [n, k / 2]")
    if global_scale is None:
        global_scale = 1.0
    if isinstance(global_scale, (int, float)):
        global_scale = maker.scalar(float(global_scale))
    if out is None:
        own = dtype_name(x.dtype)
        default = own if own in ("bfloat16", "float16") else maker.default_out_dtype
        shape = (int(x.shape[0]), int(b.shape[0]))
        out = maker.empty(shape, dtype_name(out_dtype) if out_dtype is not None else default)
    if function("gemm_quantizes")(x, b, out):
        return _gemm(
            "nvfp4", x, None, b, b_scales, alpha, out_dtype, out, bias, global_scale, global_scale_is_reciprocal
        )
    packed, scales, _ = quantize_nvfp4(x, global_scale, global_scale_is_reciprocal=global_scale_is_reciprocal)
    return _gemm("nvfp4", packed, scales, b, b_scales, alpha, out_dtype, out, bias)


def mxfp4_gemm(
    a: Array,
    a_scales: Array,
    b: Array,
    b_scales: Array,
    alpha: Array | float | None = None,
    out_dtype: Any = None,
    out: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """Multiplies two MXFP4 matrices or batches: as nvfp4_gemm, but 32 neighbours along k share a ue8m0 scale.

    a_scales, b_scales: swizzled, align(rows, 128) * align(k / 32, 4) bytes a batch, uint8 or float8_e8m0fnu: a byte
        stands for 2^(byte - 127), 255 for NaN.
    """
    return _gemm("mxfp4", a, a_scales, b, b_scales, alpha, out_dtype, out, bias)


def dense_gemm(
    lhs: tuple[Array, Array],
    rhs: tuple[Array, Array],
    out: Array | None = None,
    *,
    ab_dtype: str,
    sf_dtype: str,
    c_dtype: str,
    sf_vec_size: int,
    sm_count: int | None = None,
    mma_tiler_mn: tuple[int, int] = (128, 128),
    cluster_shape_mn: tuple[int, int] = (1, 1),
    alpha: Array | None = None,
    alpha_dtype: str | None = None,
) -> Array:
    """b12x 0.7.2's dense GEMM: c[m, n, l] = alpha[0] * sum over k of (a * sfa)[m, k, l] * (b * sfb)[n, k, l].

    lhs: (a, sfa). a: uint8 (or float4_e2m1fn_x2) [m, k / 2, l] with k adjacent; [m, k / 2] stands for one batch. sfa:
        its scales, in any shape whose memory is the swizzled bytes, batch after batch, as swizzle_block_scale or
        as_grouped_scale_view give it.
    rhs: (b, sfb), likewise, with n rows.
    out: [m, n, l] with n adjacent, returned as it is. None allocates one, batch after batch in memory.
    ab_dtype: "float4_e2m1fn".
    sf_dtype, sf_vec_size: "float8_e4m3fn" with 16 (NVFP4), or "float8_e8m0fnu" with 32 (MXFP4).
    c_dtype: "float16", "bfloat16" or "float32".
    alpha: float32, its first element counts; None is 1.
    sm_count, mma_tiler_mn, cluster_shape_mn, alpha_dtype: hints to 0.7.2's compiler, checked and not needed: the
        planner chooses tile and grid.

    Raises TypeError ("dense_gemm launch is unsupported with ...") for types or tiles that 0.7.2 refuses too, except
    that float32 is supported here, ValueError for wrong shapes or layouts.
    """
    scales = (sf_dtype, sf_vec_size)
    formats = {("float8_e4m3fn", 16): "nvfp4", ("float8_e8m0fnu", 32): "mxfp4"}
    outputs = ("float16", "bfloat16", "float32")
    wanted = (
        ("ab_dtype", ab_dtype, "'float4_e2m1fn'", ab_dtype == "float4_e2m1fn"),
        ("sf_dtype, sf_vec_size", scales, "'float8_e4m3fn', 16 or 'float8_e8m0fnu', 32", scales in formats),
        ("c_dtype", c_dtype, "'float16', 'bfloat16' or 'float32'", c_dtype in outputs),
        ("mma_tiler_mn", mma_tiler_mn, "multiples of 128", all(x > 0 and x % 128 == 0 for x in mma_tiler_mn)),
        ("cluster_shape_mn", cluster_shape_mn, "(1, 1)", tuple(cluster_shape_mn) == (1, 1)),
        ("alpha_dtype", alpha_dtype, "'float32'", alpha_dtype in (None, "float32")),
    )
    for name, came, want, holds in wanted:
        if not holds:
            raise TypeError(f"dense_gemm launch is unsupported with {name} = {came!r}, want {want}")
    (a, sfa), (b, sfb) = lhs, rhs
    a, maker = take("dense_gemm: a", a)
    a, b = _batch_first("a", _as_bytes(a)), _batch_first("b", _as_bytes(as_input("dense_gemm: b", b)))
    if out is None:
        batches, m, n = a.shape[0], a.shape[1], b.shape[1]
        memory = maker.empty((int(batches), int(m), int(n)), c_dtype)
        out = _batch_last(memory)
    elif dtype_name(out.dtype) != c_dtype:
        raise ValueError(f"dense_gemm: out has dtype {dtype_name(out.dtype)}, but c_dtype is {c_dtype}")
    if alpha is not None:
        alpha = as_input("dense_gemm: alpha", alpha).reshape(-1)[:1]
    _gemm(
        formats[scales],
        a,
        _storage_order("sfa", sfa),
        b,
        _storage_order("sfb", sfb),
        alpha,
        c_dtype,
        _batch_first("out", out),
        None,
    )
    return out


def _gemm(
    scale_format: str,
    a: Array,
    a_scales: Array | None,
    b: Array,
    b_scales: Array,
    alpha: Array | float | None,
    out_dtype: Any,
    out: Array | None,
    bias: Array | None,
    a_global_scale: Array | None = None,
    scale_is_reciprocal: bool = False,
) -> Array:
    """a with scales is packed; without, it holds values to quantise with a_global_scale."""
    a, maker = take("gemm: a", _as_bytes(a))
    if a_scales is not None:
        a_scales = as_input("gemm: a_scales", _as_bytes(a_scales))
    b, b_scales = as_input("gemm: b", _as_bytes(b)), as_input("gemm: b_scales", _as_bytes(b_scales))
    *batches, m, _ = _sizes("a", a)
    *_, n, _ = _sizes("b", b)
    if out is None:
        out = maker.empty((*batches, m, n), dtype_name(out_dtype) if out_dtype is not None else maker.default_out_dtype)
    elif out_dtype is not None and dtype_name(out.dtype) != dtype_name(out_dtype):
        raise ValueError(f"gemm: out has dtype {dtype_name(out.dtype)}, but out_dtype is {dtype_name(out_dtype)}")
    if alpha is not None:
        alpha = maker.scalar(float(alpha)) if isinstance(alpha, (int, float)) else as_input("gemm: alpha", alpha)
    if bias is not None:
        bias = as_input("gemm: bias", bias)
    runtime.announce(*place_of(a))
    if a_global_scale is not None:
        a_global_scale = as_input("gemm: a_global_scale", a_global_scale)
    function("gemm")(a, a_scales, a_global_scale, b, b_scales, alpha, bias, out, scale_format, scale_is_reciprocal)
    return out


def _sizes(name: str, x: Array) -> tuple[int, ...]:
    shape = tuple(int(size) for size in x.shape)
    if len(shape) not in (2, 3):
        raise ValueError(f"gemm: {name} has shape {list(shape)}, want [rows, k / 2] or [batches, rows, k / 2]")
    return shape


def _as_bytes(x: Array) -> Array:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor) and str(x.dtype).removeprefix("torch.") in _BYTES:
        return x.view(torch.uint8)
    return x


def _permuted(x: Array, order: tuple[int, ...]) -> Array:
    """Dimension i of the result is dimension order[i] of x; no copy."""
    return x.permute(order) if hasattr(x, "permute") else x.transpose(order)


def _batch_first(name: str, x: Array) -> Array:
    if len(x.shape) == 2:
        return x[None]
    if len(x.shape) != 3:
        raise ValueError(f"dense_gemm: {name} has shape {list(x.shape)}, want [rows, columns, batches]")
    return _permuted(x, (2, 0, 1))


def _batch_last(x: Array) -> Array:
    return _permuted(x, (1, 2, 0))


def _storage_order(name: str, scales: Array) -> Array:
    """The scales with their dimensions in the order of memory: what a strided view of swizzled bytes was made from."""
    scales = as_input(f"dense_gemm: {name}", _as_bytes(scales))
    strides = scales.stride() if hasattr(scales, "stride") else [s // scales.itemsize for s in scales.strides]
    order = sorted(range(len(scales.shape)), key=lambda i: (-strides[i], scales.shape[i] == 1))
    return _permuted(scales, tuple(order)).reshape(-1)

"""Tensors past 2 GiB on a GPU, in real memory: weights, outputs, inputs of the quantiser. By hand:

    python tests/kernels/large_tensors.py          some seconds, 20 GB of GPU memory

Each product is computed whole, and held against FP64 in blocks of columns at the beginning, on either side of 2 GiB and
at the end, for the first and the last rows. (On the simulator tests/kernels/test_gemm_streams.cpp has rows as far
apart.)
"""

from __future__ import annotations

import sys

import b12x.gemm
import b12x.quant
import torch
from b12x.quant.layout import scale_shape, unswizzle_block_scale
from b12x.quant.reference import dequantize_nvfp4_reference, quantize_nvfp4_reference

GIB = 1 << 30
N, K = 135_168, 32_768  # 2.06 GiB of packed weights
TOKENS = (1, 8, 16, 32, 64, 100, 8192)  # a kernel each; 8192 rows of bf16 are 2.06 GiB of output
ALPHA = 2.0**-6
WIDE = 512  # columns of a block
MOST_ERROR = 4e-3  # bf16's rounding is 1.7e-3


def operand(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.randint(0, 256, (rows, K // 2), dtype=torch.uint8, device="cuda"),
        torch.randint(0x28, 0x40, scale_shape(rows, K), dtype=torch.uint8, device="cuda"),
    )


def values(packed: torch.Tensor, scales: torch.Tensor, first: int, rows: int) -> torch.Tensor:
    """FP64 values of some rows."""
    of_all = unswizzle_block_scale(scales, packed.shape[0], K // 16)
    return dequantize_nvfp4_reference(packed[first : first + rows], of_all[first : first + rows]).double()


def relative_error(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got.double() - want).norm() / want.norm()).item()


def check(name: str, is_right: bool, how: str) -> bool:
    print(f"{name}: {how}: {'ok' if is_right else 'WRONG'}", flush=True)
    return is_right


def products() -> bool:
    b, b_scales = operand(N)
    at_2_gib = 2 * GIB // (K // 2)  # the row that begins there
    columns = [(first, values(b, b_scales, first, WIDE)) for first in (0, at_2_gib - WIDE, at_2_gib, N - WIDE)]
    is_right = True
    for m in TOKENS:
        a, a_scales = operand(m)
        out = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, ALPHA)
        rows = min(m, 64)
        for first_row in {0, m - rows}:
            a_values = values(a, a_scales, first_row, rows)
            errors = [
                relative_error(out[first_row : first_row + rows, first : first + WIDE], a_values @ b_values.T * ALPHA)
                for first, b_values in columns
            ]
            name = f"{m} x {N} x {K}, rows from {first_row}"
            is_right &= check(name, max(errors) < MOST_ERROR, f"errors {', '.join(f'{e:.1e}' for e in errors)}")
    x = torch.randn(1, K, dtype=torch.bfloat16, device="cuda")
    packed, scales, _ = b12x.quant.quantize_nvfp4(x, 0.01)
    one = b12x.gemm.nvfp4_linear(x, b, b_scales, 0.01, ALPHA)
    two = b12x.gemm.nvfp4_gemm(packed, scales, b, b_scales, ALPHA)
    return is_right & check("1 token quantised by the GEMM", torch.equal(one, two), "the bits of two launches")


def quantisation() -> bool:
    rows, cols = 300_000, 4096  # 2.29 GiB
    x = torch.randn(rows, cols, dtype=torch.bfloat16, device="cuda")
    packed, scales, _ = b12x.quant.quantize_nvfp4(x, 0.01)
    of_all = unswizzle_block_scale(scales, rows, cols // 16)
    is_right = True
    for first in (0, 2 * GIB // (2 * cols) - 32, rows - 64):
        part = slice(first, first + 64)
        want, want_scales, _ = quantize_nvfp4_reference(x[part].cpu(), 0.01)
        same = torch.equal(packed[part].cpu(), want) and torch.equal(
            of_all[part].cpu().view(torch.uint8), want_scales.view(torch.uint8)
        )
        is_right &= check(f"quantise {rows} x {cols}, rows from {first}", same, "the reference's bytes")
    return is_right


if __name__ == "__main__":
    torch.manual_seed(1)
    results = [products(), quantisation()]
    sys.exit(0 if all(results) else 1)

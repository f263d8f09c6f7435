"""b12x.gemm from Python: against an FP64 product of the dequantised operands, frameworks, and what is refused."""

from __future__ import annotations

import b12x
import numpy as np
import pytest
import torch
from b12x.quant.layout import unswizzle_block_scale
from b12x.quant.reference import dequantize_nvfp4_reference


def operand(rows: int, k: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(packed, scales, global scale, FP64 values)"""
    x = torch.randn(rows, k, generator=torch.Generator().manual_seed(seed))
    packed, scales, gs = b12x.quant.quantize_nvfp4(x)
    values = dequantize_nvfp4_reference(packed, unswizzle_block_scale(scales, rows, k // 16))
    return packed, scales, gs, values.double() * gs.double()


def check_close(got: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    """One ulp of the output type and 2^-20 of the sum of magnitudes."""
    exact, magnitude = a @ b.T, a.abs() @ b.abs().T
    ulp = torch.finfo(got.dtype).eps * exact.abs()
    assert ((got.double() - exact).abs() <= ulp + magnitude * 2.0**-20).all()


@pytest.mark.parametrize("m", [1, 33, 130])
@pytest.mark.parametrize("dtype", [torch.bfloat16, "float16"])
def test_product(m: int, dtype) -> None:
    a, a_scales, a_gs, a_values = operand(m, 192, 1)
    b, b_scales, b_gs, b_values = operand(72, 192, 2)
    out = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha=a_gs * b_gs, out_dtype=dtype)
    assert out.shape == (m, 72)
    assert out.dtype == (torch.float16 if dtype == "float16" else torch.bfloat16)
    check_close(out, a_values, b_values)


def test_alpha_forms_agree_and_out_is_written_in_place() -> None:
    a, a_scales, _, _ = operand(4, 64, 1)
    b, b_scales, _, _ = operand(16, 64, 2)
    want = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha=0.5)
    wide = torch.full((4, 48), 7.0, dtype=torch.bfloat16)
    out = wide[:, 16:32]
    assert b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, torch.tensor(0.5), out=out) is out
    assert torch.equal(out, want)
    assert (wide[:, :16] == 7).all()
    assert (wide[:, 32:] == 7).all()
    e4m3 = (scales.view(torch.float8_e4m3fn) for scales in (a_scales, b_scales))
    assert torch.equal(b12x.gemm.nvfp4_gemm(a, next(e4m3), b, next(e4m3), alpha=0.5), want)
    assert torch.equal(b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales), want * 2)


def test_numpy() -> None:
    a, a_scales, _, _ = operand(4, 64, 1)
    b, b_scales, _, _ = operand(16, 64, 2)
    arrays = [tensor.numpy() for tensor in (a, a_scales, b, b_scales)]
    out = b12x.gemm.nvfp4_gemm(*arrays, alpha=0.5)
    assert isinstance(out, np.ndarray)
    assert out.dtype == np.float16
    want = b12x.gemm.nvfp4_gemm(a, a_scales, b, b_scales, alpha=0.5, out_dtype="float16")
    assert np.array_equal(out, want.numpy())
    with pytest.raises(ValueError, match="NumPy has no bfloat16"):
        b12x.gemm.nvfp4_gemm(*arrays, out_dtype="bfloat16")


def test_no_tokens() -> None:
    b, b_scales, _, _ = operand(16, 64, 2)
    a = torch.empty(0, 32, dtype=torch.uint8)
    assert b12x.gemm.nvfp4_gemm(a, torch.empty(0, 4, dtype=torch.uint8), b, b_scales).shape == (0, 16)


def test_wrong_arguments_are_refused() -> None:
    a, a_scales, _, _ = operand(4, 128, 1)
    b, b_scales, _, _ = operand(16, 128, 2)

    def message(**change) -> str:
        arguments = {"a": a, "a_scales": a_scales, "b": b, "b_scales": b_scales} | change
        with pytest.raises(ValueError) as error:
            b12x.gemm.nvfp4_gemm(**arguments)
        return str(error.value)

    assert "gemm: k is 48, want a positive multiple of 32" in message(
        a=a[:, :24].contiguous(), b=b[:, :24].contiguous()
    )
    assert "gemm: n is 12, want a positive multiple of 8" in message(b=b[:12])
    assert "gemm: b has shape [16, 32], want [16, 64] = n, k / 2" in message(b=b[:, :32].contiguous())
    assert "gemm: b_scales has 512 bytes, want 1024 = align(n, 128) * align(k / 16, 4)" in message(
        b_scales=b_scales.flatten()[:512]
    )
    assert "gemm: a has dtype float32, want uint8" in message(a=a.float())
    assert "gemm: a of shape [4, 64] is not contiguous" in message(a=torch.zeros(64, 4, dtype=torch.uint8).T)
    assert "gemm: a: has shape [4], want two dimensions" in message(a=a[:, 0])
    assert "out has shape [4, 8], want [4, 16] = m, n" in message(out=torch.empty(4, 8, dtype=torch.bfloat16))
    assert "out has dtype bfloat16, but out_dtype is float16" in message(
        out=torch.empty(4, 16, dtype=torch.bfloat16), out_dtype="float16"
    )
    assert "alpha has dtype float64, want one of" in message(alpha=torch.ones(1, dtype=torch.float64)).replace(
        ": has", " has"
    )
    assert "gemm: out has dtype int32, want bfloat16 or float16" in message(out=torch.empty(4, 16, dtype=torch.int32))
